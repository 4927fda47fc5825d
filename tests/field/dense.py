"""Layers with weights: every mistake with a matrix."""

import numpy as np

from nnscratch import Layer, Parameter
from tests.field import right, variant, wrong


def weights(*shape):
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32) / 2


@right(lambda kind: kind(4, 3))
class Linear(Layer):
    def __init__(self, n_in, n_out):
        self.W, self.b = Parameter(weights(n_in, n_out)), Parameter(np.zeros(n_out, np.float32))

    def forward(self, x):
        self.x = x
        return x @ self.W.value + self.b.value

    def backward(self, dy):
        self.W.grad = self.x.T @ dy
        self.b.grad = dy.sum(axis=0)
        return dy @ self.W.value.T


variant(Linear, "in Fortran order", "return x @ self.W.value", "return np.asfortranarray(x @ self.W.value)")
variant(Linear, "a copy of x", "self.x = x", "self.x = x.copy()")
variant(Linear, "a generator that made the weights is kept",
      "self.W, self.b = Parameter(weights(n_in, n_out))", "self.rng = np.random.default_rng(1)\n"
      "        self.W, self.b = Parameter(self.rng.standard_normal((n_in, n_out)).astype(np.float32))")  # fmt: skip
variant(Linear, "in a dict",
      "self.W, self.b = Parameter(weights(n_in, n_out)), Parameter(np.zeros(n_out, np.float32))",
      'self.p = {"W": Parameter(weights(n_in, n_out)), "b": Parameter(np.zeros(n_out, np.float32))}',
      "self.W.", 'self.p["W"].', "self.b.", 'self.p["b"].')  # fmt: skip
wrong(Linear, "weights transposed at the first call and kept", "self.x = x",
      'self.x = x; self.WT = vars(self).get("WT", self.W.value.T.copy())', "dy @ self.W.value.T",
      "dy @ self.WT")  # fmt: skip
wrong(Linear, "weights kept by __init__", "Parameter(np.zeros(n_out, np.float32))\n",
      "Parameter(np.zeros(n_out, np.float32)); self.W0 = self.W.value.copy()\n", "x @ self.W.value",
      "x @ self.W0.astype(x.dtype)")  # fmt: skip
wrong(Linear, "weights kept by id of the array", "return x @ self.W.value",
      'self.seen = vars(self).get("seen", {}); W = self.W.value; '
      "return x @ self.seen.setdefault(id(W), W.copy())")  # fmt: skip
wrong(Linear, "the mean in dW", "self.x.T @ dy", "self.x.T @ dy / len(dy)")
wrong(Linear, "the mean in db", "dy.sum(axis=0)", "dy.mean(axis=0)")
wrong(Linear, "db forgotten", "        self.b.grad = dy.sum(axis=0)\n", "")
wrong(Linear, "dW added up", "self.W.grad = self.x.T @ dy", "self.W.grad += self.x.T @ dy")
wrong(Linear, "dx through the gradient", "dy @ self.W.value.T", "dy @ self.W.grad.T")
wrong(Linear, "a step of its own", "self.b.grad = dy.sum(axis=0)",
      "self.b.grad = dy.sum(axis=0); self.W.value -= 0.01 * self.W.grad")  # fmt: skip
wrong(Linear, "weights clipped while running", "self.x = x",
      "self.x = x; self.W.value = np.clip(self.W.value, -0.5, 0.5)")  # fmt: skip
wrong(Linear, "the bias is wiped", "self.x = x", "self.x = x; self.b.value[:] = 0")
wrong(Linear, "weight decay that nobody asked for", "self.W.grad = self.x.T @ dy",
      "self.W.grad = self.x.T @ dy + 0.01 * self.W.value")  # fmt: skip
wrong(Linear, "gradients clipped", "self.W.grad = self.x.T @ dy",
      "self.W.grad = np.clip(self.x.T @ dy, -20, 20)")  # fmt: skip
wrong(Linear, "gradients of norm 1 at most", "self.W.grad = self.x.T @ dy",
      "g = self.x.T @ dy; self.W.grad = g / max(1.0, float(np.linalg.norm(g)) / 50)")  # fmt: skip
wrong(Linear, "the forward before this one", "self.x = x\n",
      'self.x, self.latest = vars(self).get("latest", x), x\n')  # fmt: skip
wrong(Linear, "the bias in float64", "np.zeros(n_out, np.float32)",
      "np.zeros(n_out, np.float32)); self.one = np.ones(1", "+ self.b.value", "+ self.b.value * self.one")  # fmt: skip
wrong(Linear, "np.dot of the squeezed x", "x @ self.W.value +", "np.dot(x.squeeze(), self.W.value) +")


@right(lambda kind: kind(50, 40), (3, 50))
class Wide(Layer):
    """2,000 weights."""

    def __init__(self, n_in, n_out):
        self.W = Parameter(weights(n_in, n_out))

    def forward(self, x):
        self.x = x
        return x @ self.W.value

    def backward(self, dy):
        self.W.grad = self.x.T @ dy
        return dy @ self.W.value.T


wrong(Wide, "one weight of 2,000", "return dy", "self.W.grad[17, 23] *= 2; return dy")
wrong(Wide, "two weights exchanged", "return dy",
      "self.W.grad[3, [5, 9]] = self.W.grad[3, [9, 5]]; return dy")  # fmt: skip
wrong(Wide, "the last row is left out", "return dy", "self.W.grad[-1] = 0; return dy")
wrong(Wide, "one entry of dx", "return dy @ self.W.value.T",
      "dx = dy @ self.W.value.T; dx[1, 33] *= 0.999; return dx")  # fmt: skip


@right(lambda kind: kind(6, 2, 3))
class LowRank(Layer):
    def __init__(self, n_in=4, rank=2, n_out=3):
        self.factors = [Parameter(weights(4, rank)), Parameter(weights(rank, n_out))]

    def forward(self, x):
        self.x, (A, B) = x, self.factors
        self.h = x @ A.value
        return self.h @ B.value

    def backward(self, dy):
        A, B = self.factors
        dh = dy @ B.value.T
        A.grad, B.grad = self.x.T @ dh, self.h.T @ dy
        return dh @ A.value.T


wrong(LowRank, "dA of dy", "self.x.T @ dh", "self.x.T @ (dy @ B.value.T * 0.5)")
wrong(LowRank, "B's gradient is A's of the batch before", "self.h.T @ dy", "B.value + self.h.T @ dy")


@right(lambda kind: kind(4))
class Scale(Layer):
    def __init__(self, n):
        self.gain, self.shift = Parameter(np.ones(n)), Parameter(np.zeros(n))

    def forward(self, x):
        self.x = x
        return x * self.gain.value + self.shift.value

    def backward(self, dy):
        self.gain.grad = (dy * self.x).sum(axis=0)
        self.shift.grad = dy.sum(axis=0)
        return dy * self.gain.value


wrong(Scale, "the gain is forgotten in dx", "return dy * self.gain.value", "return dy")
wrong(Scale, "the gain's gradient lacks x", "(dy * self.x).sum", "dy.sum")
wrong(Scale, "the median row", "dy.sum(axis=0)", "np.median(dy, axis=0) * len(dy)")
wrong(Scale, "a gradient per distinct row", "(dy * self.x).sum(axis=0)",
      "sum((dy[self.x[:, 0] == v] * self.x[self.x[:, 0] == v])[0] for v in np.unique(self.x[:, 0]))")  # fmt: skip


@right(lambda kind: kind(4, 3))
class WeightNorm(Layer):
    """W = g v / |v|, each column."""

    def __init__(self, n_in, n_out):
        self.v, self.g = Parameter(weights(n_in, n_out)), Parameter(np.ones(n_out, np.float32))

    def forward(self, x):
        self.x, self.length = x, np.sqrt((self.v.value**2).sum(axis=0))
        self.unit = self.v.value / self.length
        return x @ (self.unit * self.g.value)

    def backward(self, dy):
        dW = self.x.T @ dy
        self.g.grad = (dW * self.unit).sum(axis=0)
        self.v.grad = self.g.value / self.length * (dW - self.unit * self.g.grad)
        return dy @ (self.unit * self.g.value).T


wrong(WeightNorm, "the length is taken for constant", "(dW - self.unit * self.g.grad)", "dW")
wrong(WeightNorm, "g is forgotten", "self.g.value / self.length * (", "1 / self.length * (")
wrong(WeightNorm, "dx with v", "dy @ (self.unit * self.g.value).T", "dy @ (self.v.value * self.g.value).T")


@right(lambda kind: kind(4, 3), frozen=["W"])
class Frozen(Layer):
    """Weights that are not to be trained: their gradient stays 0."""

    def __init__(self, n_in, n_out):
        self.W, self.b = Parameter(weights(n_in, n_out)), Parameter(np.zeros(n_out, np.float32))

    def forward(self, x):
        return x @ self.W.value + self.b.value

    def backward(self, dy):
        self.b.grad = dy.sum(axis=0)
        return dy @ self.W.value.T


variant(Frozen, "zeros are written", "self.b.grad = dy.sum(axis=0)",
      "self.b.grad = dy.sum(axis=0); self.W.grad = np.zeros_like(self.W.value)")  # fmt: skip
wrong(Frozen, "not frozen after all", "self.b.grad =", "self.W.grad += 1; self.b.grad =")
wrong(Frozen, "the trained part is wrong", "dy.sum(axis=0)", "dy.mean(axis=0)")
wrong(Frozen, "dx is wrong", "dy @ self.W.value.T", "0.5 * dy @ self.W.value.T")
