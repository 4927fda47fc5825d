"""Layers made of layers, and layers that are odd on purpose."""

import numpy as np

from nnscratch import Chain, Dense, Layer, Parameter, ReLU, Sigmoid
from tests.field import right, variant, wrong


@right(lambda kind: kind(4))
class Residual(Layer):
    def __init__(self, n):
        self.inner = Chain([Dense(n, n, rng=0), ReLU(), Dense(n, n, rng=1)])

    def forward(self, x):
        return x + self.inner.forward(x)

    def backward(self, dy):
        return dy + self.inner.backward(dy)


variant(Residual, "with dropout before a bend", "[Dense(n, n, rng=0), ReLU()",
      "[Dense(n, n, rng=0), Dropout(0.5, rng=0), ReLU()")  # fmt: skip
variant(Residual, "with seldom dropout", "ReLU(), ", "ReLU(), Dropout(0.1, rng=1), ")
wrong(Residual, "the skip connection is forgotten", "return dy + self", "return self")
wrong(Residual, "the block is forgotten", "return dy + self.inner.backward(dy)", "return dy * 1")
wrong(Residual, "backward of the block is not called", "return dy + self.inner.backward(dy)",
      "return dy + dy @ self.inner.layers[2].W.value.T @ self.inner.layers[0].W.value.T")  # fmt: skip
wrong(Residual, "x is added to in place", "return x + self.inner.forward(x)",
      "x += self.inner.forward(x); return x")  # fmt: skip
wrong(Residual, "dy is added to in place", "return dy + self.inner.backward(dy)",
      "dy += self.inner.backward(dy); return dy")  # fmt: skip
wrong(Residual, "a block that is not found", "self.inner = Chain",
      "self.inner = lambda: None; self.inner.chain = Chain", "self.inner.forward",
      "self.inner.chain.forward", "self.inner.backward", "self.inner.chain.backward")  # fmt: skip


@right(lambda kind: kind(3), (4, 3))
class Highway(Layer):
    """y = g h + (1 - g) x with two small networks."""

    def __init__(self, n):
        self.h, self.g = Chain([Dense(n, n, rng=0), ReLU()]), Chain([Dense(n, n, rng=1), Sigmoid()])

    def forward(self, x):
        self.x, self.yh, self.yg = x, self.h.forward(x), self.g.forward(x)
        return self.yg * self.yh + (1 - self.yg) * x

    def backward(self, dy):
        dx = self.h.backward(dy * self.yg) + self.g.backward(dy * (self.yh - self.x))
        return dx + dy * (1 - self.yg)


wrong(Highway, "x is missing in the gate's gradient", "(self.yh - self.x)", "self.yh")
wrong(Highway, "the carried part is missing", "dx + dy * (1 - self.yg)", "dx")
wrong(Highway, "g for 1 - g", "dy * (1 - self.yg)", "dy * self.yg")


@right(lambda kind: kind(4), (3, 4, 2, 2))
class SqueezeExcite(Layer):
    """Channels are weighed by what they hold on average."""

    def __init__(self, n):
        self.gate = Chain([Dense(n, 2, rng=0), ReLU(), Dense(2, n, rng=1), Sigmoid()])

    def forward(self, x):
        self.x, self.s = x, self.gate.forward(x.mean(axis=(2, 3)))[:, :, None, None]
        return x * self.s

    def backward(self, dy):
        ds = self.gate.backward((dy * self.x).sum(axis=(2, 3)))
        return dy * self.s + ds[:, :, None, None] / (self.x.shape[2] * self.x.shape[3])


wrong(SqueezeExcite, "the squeeze is not divided", " / (self.x.shape[2] * self.x.shape[3])", "")
wrong(SqueezeExcite, "the gate is taken for constant", "return dy * self.s + ds[:, :, None, None] /",
      "return dy * self.s + 0 * ds[:, :, None, None] /")  # fmt: skip
wrong(SqueezeExcite, "the mean of dy", "(dy * self.x).sum", "(dy * self.x).mean")
wrong(SqueezeExcite, "squeezed by squeeze", "x.mean(axis=(2, 3)))", "x.mean(axis=(2, 3)).squeeze())")


@right(lambda kind: kind(3, 2))
class Concat(Layer):
    """x beside what a layer makes of it."""

    def __init__(self, n, n_new):
        self.inner = Dense(4, n_new, rng=0)

    def forward(self, x):
        return np.concatenate([x, self.inner.forward(x)], axis=1)

    def backward(self, dy):
        return dy[:, :4] + self.inner.backward(dy[:, 4:])


wrong(Concat, "x is left out", "dy[:, :4] + self", "0 + self")
wrong(Concat, "off by one", "dy[:, :4] + self.inner.backward(dy[:, 4:])",
      "dy[:, 1:5] + self.inner.backward(dy[:, 4:])")  # fmt: skip


@right(lambda kind: kind(4, 3), (5, 4))
class Mixture(Layer):
    """Experts, weighed by a gate for each row."""

    def __init__(self, n_in, n_out):
        self.experts = [Dense(n_in, n_out, rng=i) for i in range(3)]
        self.gate = Parameter(np.random.default_rng(9).standard_normal((n_in, 3)))

    def forward(self, x):
        self.x, s = x, x @ self.gate.value
        e = np.exp(s - s.max(axis=1, keepdims=True))
        self.g = e / e.sum(axis=1, keepdims=True)
        self.ys = np.stack([expert.forward(x) for expert in self.experts], axis=1)
        return np.einsum("ne,neo->no", self.g, self.ys)

    def backward(self, dy):
        dg = np.einsum("no,neo->ne", dy, self.ys)
        ds = self.g * (dg - (dg * self.g).sum(axis=1, keepdims=True))
        self.gate.grad = self.x.T @ ds
        dx = ds @ self.gate.value.T
        for i, expert in enumerate(self.experts):
            dx = dx + expert.backward(self.g[:, i : i + 1] * dy)
        return dx


wrong(Mixture, "the gate's path is missing in dx", "dx = ds @ self.gate.value.T", "dx = 0 * self.x")
wrong(Mixture, "the last expert only", "dx = dx + expert.backward", "dx = expert.backward")
wrong(Mixture, "experts are not weighed", "expert.backward(self.g[:, i : i + 1] * dy)",
      "expert.backward(dy)")  # fmt: skip
wrong(Mixture, "the best expert only, backward", "self.g[:, i : i + 1] * dy",
      "(self.g.argmax(axis=1) == i)[:, None].astype(dy.dtype) * dy")  # fmt: skip


@right(lambda kind: kind(4))
class StochasticDepth(Layer):
    """While training the block is left out now and then, for single rows."""

    def __init__(self, n):
        self.inner, self.rng = Dense(n, n, rng=0), np.random.default_rng(0)

    def forward(self, x):
        self.kept = np.ones((len(x), 1), x.dtype)
        if self.training:
            self.kept = (self.rng.random((len(x), 1)) < 0.8).astype(x.dtype) / 0.8
        return x + self.kept * self.inner.forward(x)

    def backward(self, dy):
        return dy + self.inner.backward(self.kept * dy)


variant(StochasticDepth, "for whole batches", "self.rng.random((len(x), 1))", "self.rng.random((1, 1))")
variant(StochasticDepth, "as first published", ".astype(x.dtype) / 0.8", ".astype(x.dtype)",
      "self.kept = np.ones((len(x), 1), x.dtype)", "self.kept = np.full((len(x), 1), 0.8, x.dtype)")  # fmt: skip
wrong(StochasticDepth, "without the 0.8", ".astype(x.dtype) / 0.8", ".astype(x.dtype)")
wrong(StochasticDepth, "the inner gradients of all rows", "self.inner.backward(self.kept * dy)",
      "self.kept * self.inner.backward(dy)")  # fmt: skip


@right(lambda kind: kind(2.0), dx_factor=-2.0)
class GradientReversal(Layer):
    """For two opponents: dx is -2 times the gradient."""

    def __init__(self, factor):
        self.factor = factor

    def forward(self, x):
        return x.copy()

    def backward(self, dy):
        return -self.factor * dy


wrong(GradientReversal, "not reversed", "-self.factor * dy", "self.factor * dy")
wrong(GradientReversal, "the factor is forgotten", "-self.factor * dy", "-dy")


@right(lambda kind: kind(), mixes_rows=True)
class BatchSimilarity(Layer):
    """How each row compares with every other one: (N, n) to (N, N)."""

    def forward(self, x):
        self.x = x
        return x @ x.T

    def backward(self, dy):
        return (dy + dy.T) @ self.x


wrong(BatchSimilarity, "one side only", "(dy + dy.T) @ self.x", "dy @ self.x")


@right(lambda kind: kind(), mixes_rows=True)
class Centred(Layer):
    """Takes the mean of the batch off, in prediction as well."""

    def forward(self, x):
        return x - x.mean(axis=0)

    def backward(self, dy):
        return dy - dy.mean(axis=0)


wrong(Centred, "the mean is taken for constant", "dy - dy.mean(axis=0)", "dy.copy()")


@right(lambda kind: kind(), mixes_rows=True)
class BatchSoftmax(Layer):
    """Which row of the batch? Softmax over the rows."""

    def forward(self, x):
        e = np.exp(x - x.max(axis=0))
        self.y = e / e.sum(axis=0)
        return self.y

    def backward(self, dy):
        return self.y * (dy - (dy * self.y).sum(axis=0))


wrong(BatchSoftmax, "a diagonal one", "(dy - (dy * self.y).sum(axis=0))", "dy * (1 - self.y)")


@right(lambda kind: kind(), carries_state=True)
class Annealed(Layer):
    """A softmax that becomes harder with every batch."""

    def __init__(self):
        self.heat = 2.0

    def forward(self, x):
        if self.training:
            self.heat *= 0.9
        e = np.exp((x - x.max(axis=1, keepdims=True)) / self.heat)
        self.y = e / e.sum(axis=1, keepdims=True)
        return self.y

    def backward(self, dy):
        return self.y * (dy - (dy * self.y).sum(axis=1, keepdims=True)) / self.heat


wrong(Annealed, "the heat is forgotten", "return self.y * (dy", "self.heat = 1.0; return self.y * (dy")
wrong(Annealed, "the heat of the batch after", "return self.y * (dy",
      "self.heat *= 0.9; return self.y * (dy")  # fmt: skip


@right(lambda kind: kind(), carries_state=True, mixes_rows=True)
class Smoothed(Layer):
    """A part of the batch before is mixed in."""

    def forward(self, x):
        before = vars(self).get("y")
        self.y = x if before is None or before.shape != x.shape else 0.9 * x + 0.1 * before.astype(x.dtype)
        self.share = x.dtype.type(1.0 if before is None or before.shape != x.shape else 0.9)
        return self.y.copy()

    def backward(self, dy):
        return dy * self.share


wrong(Smoothed, "the share is always 1", "dy * self.share", "dy * 1")
