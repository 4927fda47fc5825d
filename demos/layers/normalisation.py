"""Normalisation: numbers of mean 0 and variance 1, whatever the layers before do, and then a gain and a shift.

Both layers share their mathematics: with s = 1 / sqrt(var + epsilon) and n = (x - mean) s,

    y = gain n + shift        dgain = sum of dy n        dshift = sum of dy

Mean and variance depend on every x that they are taken over. With d = dy gain, and means over the same numbers again,

    dx = s (d - mean(d) - n mean(d n))
"""

import numpy as np

from nnscratch import Layer, Parameter, check_layer


class LayerNorm(Layer):
    """Each row, or each token, by itself: over the last axis of x (N, ..., n). The rows do not know each other.

    gain and shift (n,). Ba, Kiros & Hinton 2016, section 3.
    """

    def __init__(self, n, epsilon=1e-5):
        self.gain, self.shift = Parameter(np.ones(n, np.float32)), Parameter(np.zeros(n, np.float32))
        self.epsilon = epsilon

    def forward(self, x):
        centred = x - x.mean(axis=-1, keepdims=True)  # (N, ..., n) - (N, ..., 1)
        self.s = 1 / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + self.epsilon)
        self.n = centred * self.s
        return self.n * self.gain.value + self.shift.value

    def backward(self, dy):
        others = tuple(range(dy.ndim - 1))
        self.gain.grad, self.shift.grad = (dy * self.n).sum(axis=others), dy.sum(axis=others)  # (n,) each
        d = dy * self.gain.value
        along = (d * self.n).mean(axis=-1, keepdims=True)
        return self.s * (d - d.mean(axis=-1, keepdims=True) - self.n * along)


class BatchNorm(Layer):
    """Each column, or channel, over the whole batch: over all but the last axis of x (N, ..., n).

    gain, shift, mean and var (n,). Prediction must not depend on who else is in the batch, so it takes running
    statistics, which training moves a little with every batch:

        mean <- momentum mean + (1 - momentum) mean of the batch        and var likewise

    They are Parameters: saved, restored and converted with the weights. But no optimizer moves them, as their gradient
    stays 0 and they do not decay. Ioffe & Szegedy 2015, algorithms 1 and 2.
    """

    def __init__(self, n, momentum=0.9, epsilon=1e-5):
        self.gain, self.shift = Parameter(np.ones(n, np.float32)), Parameter(np.zeros(n, np.float32))
        self.mean, self.var = Parameter(np.zeros(n, np.float32)), Parameter(np.ones(n, np.float32))
        self.mean.decays = self.var.decays = False
        self.momentum, self.epsilon = momentum, epsilon

    def forward(self, x):
        mean, var, self.others = self.mean.value, self.var.value, tuple(range(x.ndim - 1))
        if self.training:
            mean, var = x.mean(axis=self.others), x.var(axis=self.others)  # (n,)
            self.mean.value += (1 - self.momentum) * (mean - self.mean.value)
            self.var.value += (1 - self.momentum) * (var - self.var.value)
        self.s = 1 / np.sqrt(var + self.epsilon)
        self.n = (x - mean) * self.s  # (N, ..., n) - (n,)
        return self.n * self.gain.value + self.shift.value

    def backward(self, dy):
        self.gain.grad, self.shift.grad = (dy * self.n).sum(axis=self.others), dy.sum(axis=self.others)
        d = dy * self.gain.value
        if not self.training:
            return self.s * d  # the running statistics do not depend on x
        return self.s * (d - d.mean(axis=self.others) - self.n * (d * self.n).mean(axis=self.others))


def prove():
    rng = np.random.default_rng(0)
    yield check_layer(LayerNorm(4), rng.standard_normal((3, 2, 4)))
    yield check_layer(BatchNorm(4), rng.standard_normal((6, 4)), frozen=["mean", "var"])


if __name__ == "__main__":
    print(*prove(), sep="\n\n")
