"""Embeddings, recurrent cells, attention."""

import numpy as np

from nnscratch import Layer, Parameter
from tests.field import right, variant, wrong


def weights(*shape):
    return np.random.default_rng(2).standard_normal(shape).astype(np.float32) / 2


@right(lambda kind: kind(7, 3), lambda rng: rng.integers(0, 7, (4, 5)))
class Embedding(Layer):
    """Rows of W by number; numbers have no gradient."""

    def __init__(self, n_words, n):
        self.W = Parameter(weights(n_words, n))

    def forward(self, x):
        self.ids = np.rint(x).astype(int)
        return self.W.value[self.ids]

    def backward(self, dy):
        self.W.grad = np.zeros_like(self.W.value)
        np.add.at(self.W.grad, self.ids, dy)
        return np.zeros(self.ids.shape, dy.dtype)


variant(Embedding, "counted by a product", "np.add.at(self.W.grad, self.ids, dy)",
      "rows = (self.ids.ravel()[:, None] == np.arange(7)).astype(dy.dtype)\n"
      "        self.W.grad = rows.T @ dy.reshape(len(rows), -1)")  # fmt: skip
variant(Embedding, "truncated", "np.rint(x).astype(int)", "x.astype(int)")
wrong(Embedding, "a word that occurs twice counts once", "np.add.at(self.W.grad, self.ids, dy)",
      "self.W.grad[self.ids] += dy")  # fmt: skip
wrong(Embedding, "assigned", "np.add.at(self.W.grad, self.ids, dy)", "self.W.grad[self.ids] = dy")
wrong(Embedding, "never reset", "self.W.grad = np.zeros_like(self.W.value)", "pass")
wrong(Embedding, "the other rows keep the old gradient", "self.W.grad = np.zeros_like(self.W.value)",
      "self.W.grad[self.ids] = 0")  # fmt: skip
wrong(Embedding, "dx is the sum", "return np.zeros(self.ids.shape, dy.dtype)", "return dy.sum(axis=-1)")


@right(lambda kind: kind(7, 3), lambda rng: np.array([[2.0], [0.0], [5.0], [3.0]]))
class OneWord(Layer):
    """An embedding for one word a row, and the batch that it is checked at has every word once."""

    def __init__(self, n_words, n):
        self.W = Parameter(weights(n_words, n))

    def forward(self, x):
        self.ids = np.rint(x[:, 0]).astype(int)
        return self.W.value[self.ids]

    def backward(self, dy):
        self.W.grad = np.zeros_like(self.W.value)
        np.add.at(self.W.grad, self.ids, dy)
        return np.zeros((len(dy), 1), dy.dtype)


wrong(OneWord, "a word that occurs twice counts once", "np.add.at(self.W.grad, self.ids, dy)",
      "self.W.grad[self.ids] += dy")  # fmt: skip


@right(lambda kind: kind(3, 4), (2, 5, 3))
class RNN(Layer):
    """h_t = tanh(x_t U + h_{t-1} V + b); all h are returned."""

    def __init__(self, n_in, n):
        self.U, self.V, self.b = Parameter(weights(n_in, n)), Parameter(weights(n, n)), Parameter(np.zeros(n))

    def forward(self, x):
        self.x, steps = x, x.shape[1]
        self.h = np.zeros((len(x), steps + 1, len(self.b.value)), x.dtype)
        for t in range(steps):
            self.h[:, t + 1] = np.tanh(x[:, t] @ self.U.value + self.h[:, t] @ self.V.value + self.b.value)
        return self.h[:, 1:]

    def backward(self, dy):
        dU, dV, db = np.zeros_like(self.U.value), np.zeros_like(self.V.value), np.zeros_like(self.b.value)
        dx, dh = np.zeros_like(self.x), np.zeros_like(self.h[:, 0])
        for t in reversed(range(dy.shape[1])):
            dz = (dy[:, t] + dh) * (1 - self.h[:, t + 1] ** 2)
            dU += self.x[:, t].T @ dz
            dV += self.h[:, t].T @ dz
            db += dz.sum(axis=0)
            dx[:, t], dh = dz @ self.U.value.T, dz @ self.V.value.T
        self.U.grad, self.V.grad, self.b.grad = dU, dV, db
        return dx


wrong(RNN, "no gradient through time", "(dy[:, t] + dh)", "dy[:, t]")
wrong(RNN, "the state after the step", "dV += self.h[:, t].T", "dV += self.h[:, t + 1].T")
wrong(RNN, "the last step only", "dV += self.h[:, t].T @ dz", "dV = self.h[:, t].T @ dz")
wrong(RNN, "V is not transposed", "dz @ self.V.value.T", "dz @ self.V.value")
wrong(RNN, "the state of the batch before",
      "self.h = np.zeros((len(x), steps + 1, len(self.b.value)), x.dtype)",
      'before = vars(self).get("h"); self.h = np.zeros((len(x), steps + 1, len(self.b.value)), x.dtype)\n'
      "        if before is not None and before.shape == self.h.shape: self.h[:, 0] = before[:, -1]")  # fmt: skip
wrong(RNN, "forward in time", "in reversed(range(dy.shape[1]))", "in range(dy.shape[1])")
wrong(RNN, "truncated to two steps", "dx[:, t], dh = dz @ self.U.value.T, dz @ self.V.value.T",
      "dx[:, t], dh = dz @ self.U.value.T, dz @ self.V.value.T * (t % 2)")  # fmt: skip
wrong(RNN, "gradients clipped through time", "dh = dz @ self.U.value.T, dz @ self.V.value.T",
      "dh = dz @ self.U.value.T, np.clip(dz @ self.V.value.T, -10, 10)")  # fmt: skip


@right(lambda kind: kind(4), (2, 3, 4))
class Attention(Layer):
    """Softmax(q kᵀ / 2) v over the places of a sequence (N, T, n)."""

    def __init__(self, n):
        self.Q, self.K, self.V = (Parameter(w) for w in weights(3, n, n))

    def forward(self, x):
        self.x = x
        self.q, self.k, self.v = x @ self.Q.value, x @ self.K.value, x @ self.V.value
        s = self.q @ self.k.swapaxes(1, 2) / 2
        e = np.exp(s - s.max(axis=2, keepdims=True))
        self.a = e / e.sum(axis=2, keepdims=True)
        return self.a @ self.v

    def backward(self, dy):
        dv, da = self.a.swapaxes(1, 2) @ dy, dy @ self.v.swapaxes(1, 2)
        ds = self.a * (da - (da * self.a).sum(axis=2, keepdims=True)) / 2
        dq, dk = ds @ self.k, ds.swapaxes(1, 2) @ self.q
        for p, d in ((self.Q, dq), (self.K, dk), (self.V, dv)):
            p.grad = np.einsum("nti,ntj->ij", self.x, d)
        return dq @ self.Q.value.T + dk @ self.K.value.T + dv @ self.V.value.T


wrong(Attention, "the 2 is forgotten", "keepdims=True)) / 2", "keepdims=True))")
wrong(Attention, "dk is not transposed", "ds.swapaxes(1, 2) @ self.q", "ds @ self.q")
wrong(Attention, "the weights are taken for constant", "dq @ self.Q.value.T + dk @ self.K.value.T + ", "")
wrong(Attention, "softmax over the queries", "e.sum(axis=2, keepdims=True)", "e.sum(axis=1, keepdims=True)")
wrong(Attention, "attends to the batch instead of the sequence", "self.x = x",
      "self.x = x = x.swapaxes(0, 1)")  # fmt: skip
wrong(Attention, "k is used for dk", "ds.swapaxes(1, 2) @ self.q", "ds.swapaxes(1, 2) @ self.k")
wrong(Attention, "the mean over the batch", '"nti,ntj->ij", self.x, d)',
      '"nti,ntj->ij", self.x, d) / len(d)')  # fmt: skip
wrong(Attention, "np.sqrt(n) is a float64", "swapaxes(1, 2) / 2", "swapaxes(1, 2) / np.sqrt(4)")


@right(lambda kind: kind(6, 3), (2, 4, 3))
class Positions(Layer):
    """Adds a vector for each place; longer sequences than max_length are refused."""

    def __init__(self, max_length, n):
        self.P = Parameter(weights(max_length, n))

    def forward(self, x):
        assert x.shape[1] <= len(self.P.value)
        return x + self.P.value[: x.shape[1]]

    def backward(self, dy):
        self.P.grad = np.zeros_like(self.P.value)
        self.P.grad[: dy.shape[1]] = dy.sum(axis=0)
        return dy.copy()


wrong(Positions, "of the first row", "dy.sum(axis=0)", "dy[0]")
wrong(Positions, "places that are not there keep the old gradient",
      "self.P.grad = np.zeros_like(self.P.value)", "pass")  # fmt: skip
wrong(Positions, "dy itself, doubled", "return dy.copy()", "dy += dy; return dy")


@right(inputs=(3, 5, 4))
class LastStep(Layer):
    def forward(self, x):
        self.shape = x.shape
        return x[:, -1]

    def backward(self, dy):
        dx = np.zeros(self.shape, dy.dtype)
        dx[:, -1] = dy
        return dx


wrong(LastStep, "the first step", "dx[:, -1] = dy", "dx[:, 0] = dy")
wrong(LastStep, "dx of the last step only", "        dx = np.zeros(self.shape, dy.dtype)\n",
      "        dx = dy[:, None].repeat(5, axis=1)\n")  # fmt: skip
