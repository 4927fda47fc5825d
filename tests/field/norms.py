"""Normalisation, and layers that draw: whatever has two modes."""

import numpy as np

from nnscratch import Layer, Parameter
from tests.field import right, variant, wrong


@right(lambda kind: kind(6), (5, 6))
class LayerNorm(Layer):
    def __init__(self, n):
        self.gain, self.shift = Parameter(np.ones(n)), Parameter(np.zeros(n))

    def forward(self, x):
        self.scale = 1 / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-5)
        self.normal = (x - x.mean(axis=-1, keepdims=True)) * self.scale
        return self.normal * self.gain.value + self.shift.value

    def backward(self, dy):
        rows = tuple(range(dy.ndim - 1))
        self.gain.grad, self.shift.grad = (dy * self.normal).sum(axis=rows), dy.sum(axis=rows)
        d = dy * self.gain.value
        along = (d * self.normal).mean(axis=-1, keepdims=True)
        return self.scale * (d - d.mean(axis=-1, keepdims=True) - self.normal * along)


wrong(LayerNorm, "the mean's path is forgotten", " - d.mean(axis=-1, keepdims=True)", "")
wrong(LayerNorm, "the variance's path is forgotten", " - self.normal * along", "")
wrong(LayerNorm, "the gain is forgotten", "d = dy * self.gain.value", "d = dy")
wrong(LayerNorm, "over the batch", "x.mean(axis=-1, keepdims=True)", "x.mean(axis=0)")
wrong(LayerNorm, "unbiased in one place", "x.var(axis=-1, keepdims=True)",
      "x.var(axis=-1, ddof=1, keepdims=True)")  # fmt: skip
wrong(LayerNorm, "the mean of the gain's gradient", "(dy * self.normal).sum", "(dy * self.normal).mean")


@right(lambda kind: kind(6), (5, 6))
class RMSNorm(Layer):
    def __init__(self, n):
        self.gain = Parameter(np.ones(n))

    def forward(self, x):
        self.x, self.rms = x, np.sqrt((x**2).mean(axis=1, keepdims=True) + 1e-6)
        return x / self.rms * self.gain.value

    def backward(self, dy):
        self.gain.grad = (dy * self.x / self.rms).sum(axis=0)
        d = dy * self.gain.value
        return d / self.rms - self.x * (d * self.x).mean(axis=1, keepdims=True) / self.rms**3


wrong(RMSNorm, "cubed is squared", "self.rms**3", "self.rms**2")
wrong(RMSNorm, "a sum for a mean", "(d * self.x).mean", "(d * self.x).sum")
wrong(RMSNorm, "gain before the norm", "(dy * self.x / self.rms)", "(dy * self.x)")


@right(inputs=lambda rng: 1e-9 * rng.standard_normal((4, 3)))
class UnitLength(Layer):
    """Also of vectors that are tiny."""

    def forward(self, x):
        self.length = np.sqrt((x**2).sum(axis=1, keepdims=True))
        self.y = x / self.length
        return self.y

    def backward(self, dy):
        return (dy - self.y * (dy * self.y).sum(axis=1, keepdims=True)) / self.length


wrong(UnitLength, "the length is taken for constant",
      "(dy - self.y * (dy * self.y).sum(axis=1, keepdims=True))", "dy")  # fmt: skip


@right(lambda kind: kind(3), (6, 3))
class BatchNorm(Layer):
    def __init__(self, n, momentum=0.9):
        self.gain, self.shift = Parameter(np.ones(n, np.float32)), Parameter(np.zeros(n, np.float32))
        self.mean, self.var, self.momentum = np.zeros(n, np.float32), np.ones(n, np.float32), momentum

    def forward(self, x):
        mean, var = self.mean.astype(x.dtype), self.var.astype(x.dtype)
        if self.training:
            mean, var = x.mean(axis=0), x.var(axis=0)
            self.mean = self.momentum * self.mean + (1 - self.momentum) * mean
            self.var = self.momentum * self.var + (1 - self.momentum) * var
        self.scale = 1 / np.sqrt(var + 1e-5)
        self.normal = (x - mean) * self.scale
        return self.gain.value * self.normal + self.shift.value

    def backward(self, dy):
        self.gain.grad, self.shift.grad = (dy * self.normal).sum(axis=0), dy.sum(axis=0)
        d = dy * self.gain.value
        return self.scale * (d - d.mean(axis=0) - self.normal * (d * self.normal).mean(axis=0))


variant(BatchNorm, "an unbiased running variance", "(1 - self.momentum) * var",
      "(1 - self.momentum) * x.var(axis=0, ddof=1 if len(x) > 1 else 0)")  # fmt: skip
variant(BatchNorm, "momentum of 0.99", "momentum=0.9", "momentum=0.99")
variant(BatchNorm, "momentum of 0.999", "momentum=0.9", "momentum=0.999")
variant(BatchNorm, "in place", "self.mean = self.momentum * self.mean + (1 - self.momentum) * mean",
      "self.mean *= self.momentum; self.mean += (1 - self.momentum) * mean.astype(self.mean.dtype)")  # fmt: skip
wrong(BatchNorm, "batch statistics in prediction", "if self.training:", "if True:")
wrong(BatchNorm, "the variance is never updated",
      "            self.var = self.momentum * self.var + (1 - self.momentum) * var\n", "")  # fmt: skip
wrong(BatchNorm, "the mean is never updated",
      "            self.mean = self.momentum * self.mean + (1 - self.momentum) * mean\n", "")  # fmt: skip
wrong(BatchNorm, "the deviation is kept as the variance", "(1 - self.momentum) * var",
      "(1 - self.momentum) * np.sqrt(var)")  # fmt: skip
wrong(BatchNorm, "momentum the wrong way round", "self.momentum * self.mean + (1 - self.momentum) * mean",
      "(1 - self.momentum) * self.mean + self.momentum * mean",
      "self.momentum * self.var + (1 - self.momentum) * var",
      "(1 - self.momentum) * self.var + self.momentum * var")  # fmt: skip
wrong(BatchNorm, "float64 in prediction", "np.zeros(n, np.float32), np.ones(n, np.float32)",
      "np.zeros(n), np.ones(n)", "mean, var = self.mean.astype(x.dtype), self.var.astype(x.dtype)",
      "mean, var = self.mean, self.var")  # fmt: skip
wrong(BatchNorm, "the running mean is subtracted while training", "self.normal = (x - mean)",
      "self.normal = (x - self.mean.astype(x.dtype))")  # fmt: skip
wrong(BatchNorm, "prediction without the epsilon and the root", "self.scale = 1 / np.sqrt(var + 1e-5)",
      "self.scale = 1 / np.sqrt(var + 1e-5) if self.training else 1 / (var + 1e-5)")  # fmt: skip
wrong(BatchNorm, "updated in prediction", "        if self.training:\n",
      "        self.mean = 0.9 * self.mean + 0.1 * x.mean(axis=0)\n        if self.training:\n")  # fmt: skip
wrong(BatchNorm, "gain and shift left out in prediction",
      "return self.gain.value * self.normal + self.shift.value",
      "return self.gain.value * self.normal + self.shift.value if self.training else self.normal")  # fmt: skip
wrong(BatchNorm, "a diagonal backward",
      "self.scale * (d - d.mean(axis=0) - self.normal * (d * self.normal).mean(axis=0))", "self.scale * d")  # fmt: skip
wrong(BatchNorm, "the running mean is the sum", "(1 - self.momentum) * mean", "mean")


@right(lambda kind: kind(2, 4), (3, 4, 5))
class GroupNorm(Layer):
    """Each row, each group of channels, to mean 0 and variance 1."""

    def __init__(self, groups, channels):
        self.groups, self.gain = groups, Parameter(np.ones((channels, 1)))

    def forward(self, x):
        g = x.reshape(len(x), self.groups, -1)
        self.scale = 1 / np.sqrt(g.var(axis=2, keepdims=True) + 1e-5)
        self.normal = (g - g.mean(axis=2, keepdims=True)) * self.scale
        return self.normal.reshape(x.shape) * self.gain.value

    def backward(self, dy):
        self.gain.grad = (dy * self.normal.reshape(dy.shape)).sum(axis=(0, 2))[:, None]
        d = (dy * self.gain.value).reshape(self.normal.shape)
        d = d - d.mean(axis=2, keepdims=True) - self.normal * (d * self.normal).mean(axis=2, keepdims=True)
        return (d * self.scale).reshape(dy.shape)


wrong(GroupNorm, "groups of the whole batch", "g = x.reshape(len(x), self.groups, -1)",
      "g = x.reshape(1, self.groups, -1)")  # fmt: skip
wrong(GroupNorm, "the scale is forgotten", "(d * self.scale)", "d")


@right(lambda kind: kind(0.3))
class MyDropout(Layer):
    def __init__(self, rate):
        self.rate, self.rng = rate, np.random.default_rng(3)

    def forward(self, x):
        if not self.training:
            self.mask = np.ones_like(x)
            return x
        self.mask = (self.rng.random(x.shape) >= self.rate).astype(x.dtype) / (1 - self.rate)
        return x * self.mask

    def backward(self, dy):
        return dy * self.mask


variant(MyDropout, "with a RandomState", "np.random.default_rng(3)", "np.random.RandomState(3)",
      "self.rng.random(x.shape)", "self.rng.random_sample(x.shape)")  # fmt: skip
variant(MyDropout, "rarely", "self.rate, self.rng = rate", "self.rate, self.rng = 0.02")
variant(MyDropout, "seldom", "self.rate, self.rng = rate", "self.rate, self.rng = 0.1")
variant(MyDropout, "as first published: scaled in prediction", "return x\n", "return x * (1 - self.rate)\n",
      ".astype(x.dtype) / (1 - self.rate)", ".astype(x.dtype)")  # fmt: skip
variant(MyDropout, "a generator in a list", "self.rate, self.rng = rate, np.random.default_rng(3)",
      "self.rate, self.rngs = rate, [np.random.default_rng(3)]", "self.rng.", "self.rngs[0].")  # fmt: skip
wrong(MyDropout, "the mean is not kept", ".astype(x.dtype) / (1 - self.rate)", ".astype(x.dtype)")
wrong(MyDropout, "divided by the rate", "/ (1 - self.rate)", "/ self.rate")
wrong(MyDropout, "kept with probability rate", ">= self.rate", "< self.rate")
wrong(MyDropout, "scaled in both modes", "return x\n", "return x * (1 - self.rate)\n")
wrong(MyDropout, "another mask in backward", "return dy * self.mask",
      "return dy * (self.rng.random(dy.shape) >= self.rate).astype(dy.dtype) / (1 - self.rate)")  # fmt: skip
wrong(MyDropout, "a mask for each shape, for ever", "self.mask = (self.rng.random(x.shape)",
      'self.u = vars(self).get("u", {}); '
      "self.mask = (self.u.setdefault(x.shape, self.rng.random(x.shape))")  # fmt: skip
wrong(MyDropout, "one mask for all rows of a batch, unscaled", "self.rng.random(x.shape)",
      "self.rng.random(x.shape[1:])", " / (1 - self.rate)", "")  # fmt: skip
wrong(MyDropout, "on in prediction", "if not self.training:", "if False:")
wrong(MyDropout, "the global generator", "self.rng.random(x.shape)", "np.random.random(x.shape)")
wrong(MyDropout, "a new generator each time", "self.rng.random", "np.random.default_rng().random")
wrong(MyDropout, "the mask is not in backward", "return dy * self.mask", "return dy")


@right(lambda kind: kind(0.25), (3, 4, 5, 5))
class SpatialDropout(Layer):
    """Whole channels at once."""

    def __init__(self, rate):
        self.rate, self.rng = rate, np.random.default_rng(0)

    def forward(self, x):
        self.mask = np.ones((1, 1, 1, 1), x.dtype)
        if self.training:
            kept = self.rng.random((*x.shape[:2], 1, 1)) >= self.rate
            self.mask = kept.astype(x.dtype) / (1 - self.rate)
        return x * self.mask

    def backward(self, dy):
        return dy * self.mask


wrong(SpatialDropout, "without rescaling", " / (1 - self.rate)", "")
wrong(SpatialDropout, "the mask squared", "return dy * self.mask", "return dy * self.mask**2")


@right(lambda kind: kind(0.5))
class Noise(Layer):
    def __init__(self, size):
        self.size, self.rng = size, np.random.default_rng(0)

    def forward(self, x):
        if self.training:
            x = x + self.size * self.rng.standard_normal(x.shape).astype(x.dtype)
        return x

    def backward(self, dy):
        return dy.copy()


wrong(Noise, "noise of mean 1", "x + self.size *", "x + self.size + self.size *")
wrong(Noise, "x is written into", "x = x + self.size", "x += self.size")


@right(lambda kind: kind(4, 3))
class DropConnect(Layer):
    """Weights are dropped, for the whole batch."""

    def __init__(self, n_in, n_out):
        self.W, self.rng = Parameter(np.linspace(-1, 1, n_in * n_out).reshape(n_in, n_out)), np.random.default_rng(5)

    def forward(self, x):
        self.x, self.mask = x, np.ones_like(self.W.value)
        if self.training:
            self.mask = (self.rng.random(self.W.value.shape) < 0.5).astype(x.dtype) * 2
        return x @ (self.W.value * self.mask)

    def backward(self, dy):
        self.W.grad = self.x.T @ dy * self.mask
        return dy @ (self.W.value * self.mask).T


wrong(DropConnect, "dW without the mask", "self.x.T @ dy * self.mask", "self.x.T @ dy")
wrong(DropConnect, "without the 2", ".astype(x.dtype) * 2", ".astype(x.dtype)")


@right(lambda kind: kind(), keeps_mean=False)
class AlphaDropout(Layer):
    """For SELU: keeps the mean and the variance of standard normal inputs, not of each one."""

    def __init__(self):
        self.rng = np.random.default_rng(0)

    def forward(self, x):
        self.slope = np.ones_like(x)
        if not self.training:
            return x
        kept = self.rng.random(x.shape) < 0.9
        self.slope = 0.95 * kept.astype(x.dtype)
        return np.where(kept, x, -1.7580993) * 0.95 + 0.15

    def backward(self, dy):
        return dy * self.slope


wrong(AlphaDropout, "the slope is forgotten", "0.95 * kept", "kept")


@right(lambda kind: kind(), draws_in_prediction=True)
class MonteCarloDropout(Layer):
    """Also in prediction: many predictions tell how sure they are."""

    def __init__(self):
        self.rng = np.random.default_rng(0)

    def forward(self, x):
        self.mask = (self.rng.random(x.shape) < 0.5).astype(x.dtype) * 2
        return x * self.mask

    def backward(self, dy):
        return dy * self.mask


wrong(MonteCarloDropout, "dx without the mask", "dy * self.mask", "dy * 1")
