"""Kinds that the checks had not met: written later, and nothing in the checks was changed because of them."""

import numpy as np

from nnscratch import Dense, Layer, Loss, Parameter
from tests.field import right, variant, wrong


@right()
class Mish(Layer):
    """x tanh(log(1 + exp x))."""

    def forward(self, x):
        self.x, self.t = x, np.tanh(np.logaddexp(0, x).astype(x.dtype))
        return x * self.t

    def backward(self, dy):
        return dy * (self.t + self.x * (1 - self.t**2) / (1 + np.exp(-self.x)))


wrong(Mish, "the slope of the tanh only", " / (1 + np.exp(-self.x))", "")
wrong(Mish, "nothing far to the left", "return dy * ", "return np.where(self.x > -1, dy, 0 * dy) * ")


@right(lambda kind: kind(4))
class Snake(Layer):
    """x + sin²(a x) / a with a learned for each column."""

    def __init__(self, n):
        self.a = Parameter(np.full(n, 1.3))

    def forward(self, x):
        self.x, a = x, self.a.value
        return x + np.sin(a * x) ** 2 / a

    def backward(self, dy):
        x, a = self.x, self.a.value
        self.a.grad = (dy * (x * np.sin(2 * a * x) / a - np.sin(a * x) ** 2 / a**2)).sum(axis=0)
        return dy * (1 + np.sin(2 * a * x))


wrong(Snake, "the quotient's second term", " - np.sin(a * x) ** 2 / a**2", "")
wrong(Snake, "a is a class's, read when it was made", "self.x, a = x, self.a.value", "self.x, a = x, 1.3")


@right(inputs=(3, 4, 2))
class CumulativeSum(Layer):
    """Over the places of a sequence: a sum of all before."""

    def forward(self, x):
        return x.cumsum(axis=1)

    def backward(self, dy):
        return dy[:, ::-1].cumsum(axis=1)[:, ::-1]


wrong(CumulativeSum, "in the same direction", "dy[:, ::-1].cumsum(axis=1)[:, ::-1]", "dy.cumsum(axis=1)")
wrong(CumulativeSum, "over the batch", "x.cumsum(axis=1)", "x.cumsum(axis=0)",
      "dy[:, ::-1].cumsum(axis=1)[:, ::-1]", "dy[::-1].cumsum(axis=0)[::-1]")  # fmt: skip


@right(inputs=(2, 8, 2, 3))
class PixelShuffle(Layer):
    """Four channels become one of four times the pixels."""

    def forward(self, x):
        n, c, h, w = x.shape
        return x.reshape(n, c // 4, 2, 2, h, w).transpose(0, 1, 4, 2, 5, 3).reshape(n, c // 4, 2 * h, 2 * w)

    def backward(self, dy):
        n, c, h, w = dy.shape
        d = dy.reshape(n, c, h // 2, 2, w // 2, 2).transpose(0, 1, 3, 5, 2, 4)
        return d.reshape(n, 4 * c, h // 2, w // 2)


wrong(PixelShuffle, "put back in another order", "transpose(0, 1, 3, 5, 2, 4)", "transpose(0, 1, 5, 3, 2, 4)")


@right(lambda kind: kind(5, 3), (4, 3))
class Prototypes(Layer):
    """exp(-|x - p|²) for each of some points p."""

    def __init__(self, points, n):
        self.P = Parameter(np.random.default_rng(4).standard_normal((points, n)) / 2)

    def forward(self, x):
        self.d = x[:, None] - self.P.value
        self.y = np.exp(-(self.d**2).sum(axis=2))
        return self.y

    def backward(self, dy):
        g = -2 * (dy * self.y)[:, :, None] * self.d
        self.P.grad = -g.sum(axis=0)
        return g.sum(axis=1)


wrong(Prototypes, "the sign of the points' gradient", "-g.sum(axis=0)", "g.sum(axis=0)")
wrong(Prototypes, "the nearest one learns", "self.P.grad = -g.sum(axis=0)",
      "self.P.grad = -(g * (self.y == self.y.max(axis=1, keepdims=True))[:, :, None]).sum(axis=0)")  # fmt: skip
wrong(Prototypes, "points that were there at first", "self.d = x[:, None] - self.P.value",
      'self.p0 = vars(self).get("p0", self.P.value + 0); self.d = x[:, None] - self.p0')  # fmt: skip


@right(lambda kind: kind(3), (2, 3, 6))
class DepthwiseConv1d(Layer):
    """One filter of three for each channel."""

    def __init__(self, channels):
        self.w = Parameter(np.random.default_rng(4).standard_normal((channels, 3)))

    def forward(self, x):
        self.x, w = x, self.w.value
        return sum(x[:, :, k : x.shape[2] - 2 + k] * w[:, k, None] for k in range(3))

    def backward(self, dy):
        length, dx = dy.shape[2], np.zeros_like(self.x)
        grad = np.zeros_like(self.w.value)
        for k in range(3):
            grad[:, k] = (dy * self.x[:, :, k : k + length]).sum(axis=(0, 2))
            dx[:, :, k : k + length] += dy * self.w.value[:, k, None]
        self.w.grad = grad
        return dx


wrong(DepthwiseConv1d, "one place too far", "self.x[:, :, k : k + length]", "self.x[:, :, 2 - k : 2 - k + length]")
wrong(DepthwiseConv1d, "a scratch array for dx that stays", "dx = dy.shape[2], np.zeros_like(self.x)",
      'dx = dy.shape[2], self.__dict__.setdefault("scratch", np.zeros_like(self.x))')  # fmt: skip
wrong(DepthwiseConv1d, "only batches up to 64", "self.x, w = x", "assert len(x) <= 64; self.x, w = x")


@right(lambda kind: kind(0.5), (6, 4))
class WordDropout(Layer):
    """Whole rows are left out, and the others made up for."""

    def __init__(self, rate):
        self.rate, self.rng = rate, np.random.default_rng(2)

    def forward(self, x):
        self.kept = np.ones((len(x), 1), x.dtype)
        if self.training:
            self.kept = self.rng.binomial(1, 1 - self.rate, (len(x), 1)).astype(x.dtype) / (1 - self.rate)
        return self.kept * x

    def backward(self, dy):
        return self.kept * dy


wrong(WordDropout, "not made up for", ".astype(x.dtype) / (1 - self.rate)", ".astype(x.dtype)")
wrong(WordDropout, "made up for twice", " / (1 - self.rate)", " / (1 - self.rate) ** 2")
wrong(WordDropout, "rows that are left out get the gradient of others", "return self.kept * dy",
      "return self.kept * dy + (1 - self.kept.clip(0, 1)) * dy.mean(axis=0)")  # fmt: skip


@right(lambda kind: kind(3), (7, 3))
class MinMax(Layer):
    """To [0, 1] by the smallest and largest numbers there have been while training."""

    def __init__(self, n):
        self.low, self.high = np.full(n, -1.0, np.float32), np.full(n, 1.0, np.float32)

    def forward(self, x):
        if self.training:
            self.low = 0.9 * self.low + 0.1 * x.min(axis=0)
            self.high = 0.9 * self.high + 0.1 * x.max(axis=0)
        self.width = np.float32(4.0)
        return (x / self.width).astype(x.dtype)

    def backward(self, dy):
        return (dy / self.width).astype(dy.dtype)


variant(MinMax, "widths in float64", "np.float32(4.0)", "4.0")


@right(lambda kind: kind(3, 4), (3, 5, 3))
class GRU(Layer):
    """A gated cell; the last state is returned."""

    def __init__(self, n_in, n):
        rng = np.random.default_rng(7)
        self.Z, self.C = (Parameter(rng.standard_normal((n_in + n, n)) / 2) for _ in range(2))

    def forward(self, x):
        self.steps, h = [], np.zeros((len(x), self.Z.value.shape[1]), x.dtype)
        for t in range(x.shape[1]):
            u = np.concatenate([x[:, t], h], axis=1)
            z, c = 1 / (1 + np.exp(-(u @ self.Z.value))), np.tanh(u @ self.C.value)
            self.steps.append((u, z, c, h))
            h = (1 - z) * h + z * c
        self.shape = x.shape
        return h

    def backward(self, dy):
        dx, dh = np.zeros(self.shape, dy.dtype), dy
        dZ, dC = np.zeros_like(self.Z.value), np.zeros_like(self.C.value)
        for t in reversed(range(self.shape[1])):
            u, z, c, h = self.steps[t]
            a, b = dh * (c - h) * z * (1 - z), dh * z * (1 - c**2)
            dZ += u.T @ a
            dC += u.T @ b
            du = a @ self.Z.value.T + b @ self.C.value.T
            dx[:, t], dh = du[:, : self.shape[2]], du[:, self.shape[2] :] + dh * (1 - z)
        self.Z.grad, self.C.grad = dZ, dC
        return dx


wrong(GRU, "the carried state is forgotten", " + dh * (1 - z)", "")
wrong(GRU, "c for c - h", "dh * (c - h)", "dh * c")
wrong(GRU, "steps of the batch before stay", "self.steps, h = [], ", 'self.steps, h = vars(self).get("steps", []), ')


@right(lambda kind: kind(4, 3), (5, 4))
class Shared(Layer):
    """One Dense, used twice: its gradients of both uses have to be added."""

    def __init__(self, n_in, n_out):
        self.dense = Dense(n_in, n_in, rng=0)

    def forward(self, x):
        self.h = np.tanh(self.dense.forward(x))
        self.x = x
        return self.dense.forward(self.h)

    def backward(self, dy):
        dh = self.dense.backward(dy)
        dW, db = self.dense.W.grad.copy(), self.dense.b.grad.copy()
        self.dense.x = self.x
        dx = self.dense.backward(dh * (1 - self.h**2))
        self.dense.W.grad, self.dense.b.grad = self.dense.W.grad + dW, self.dense.b.grad + db
        return dx


wrong(Shared, "the second use overwrites the first", "self.dense.W.grad + dW", "self.dense.W.grad")
wrong(Shared, "the memory of the second use", "        self.dense.x = self.x\n", "")


@right(inputs=lambda rng: (rng.standard_normal((6, 3)), rng.standard_normal((6, 3))))
class Quantile(Loss):
    """Too low costs nine times as much as too high."""

    def forward(self, outputs, labels):
        self.d = outputs - np.asarray(labels, outputs.dtype)
        return float(np.where(self.d > 0, 0.1 * self.d, -0.9 * self.d).mean())

    def backward(self):
        return np.where(self.d > 0, 0.1, -0.9).astype(self.d.dtype) / self.d.size


wrong(Quantile, "the other way round", "np.where(self.d > 0, 0.1, -0.9)", "np.where(self.d < 0, 0.1, -0.9)")
wrong(Quantile, "float64 back", ".astype(self.d.dtype)", "")
wrong(Quantile, "the gradient of the median", "np.where(self.d > 0, 0.1, -0.9)", "(np.sign(self.d) / 2)")


@right(inputs=lambda rng: (rng.standard_normal((5, 4)), rng.standard_normal((5, 4))))
class CosineDistance(Loss):
    def forward(self, outputs, labels):
        self.t = np.asarray(labels, outputs.dtype)
        self.t = self.t / np.linalg.norm(self.t, axis=1, keepdims=True)
        self.length = np.linalg.norm(outputs, axis=1, keepdims=True)
        self.u = outputs / self.length
        return float(1 - (self.u * self.t).sum() / len(outputs))

    def backward(self):
        along = (self.u * self.t).sum(axis=1, keepdims=True)
        return (self.u * along - self.t) / self.length / len(self.u)


wrong(CosineDistance, "the length is taken for constant", "(self.u * along - self.t)", "(-self.t)")
wrong(CosineDistance, "the sum of all rows", "(self.u * self.t).sum(axis=1, keepdims=True)", "(self.u * self.t).sum()")


@right(inputs=lambda rng: (rng.random((6, 3)) + 0.1, rng.integers(0, 5, (6, 3))))
class Poisson(Loss):
    """Rates and counts."""

    def forward(self, outputs, labels):
        self.rate, self.count = outputs, np.asarray(labels, outputs.dtype)
        return float((self.rate - self.count * np.log(self.rate)).mean())

    def backward(self):
        return (1 - self.count / self.rate) / self.rate.size


wrong(Poisson, "of the logarithm of the rate", "(1 - self.count / self.rate)", "(self.rate - self.count)")


@right(inputs=lambda rng: (rng.random((6, 4)), rng.integers(0, 2, (6, 4))), mixes_rows=True)
class Dice(Loss):
    """1 - 2 |a b| / (|a| + |b|) over all pixels of all rows."""

    def forward(self, outputs, labels):
        self.t = np.asarray(labels, outputs.dtype)
        self.both, self.all = (outputs * self.t).sum(), outputs.sum() + self.t.sum()
        return float(1 - 2 * self.both / self.all)

    def backward(self):
        return -2 * (self.t * self.all - self.both) / self.all**2


wrong(
    Dice, "the denominator is taken for constant", "(self.t * self.all - self.both) / self.all**2", "self.t / self.all"
)
