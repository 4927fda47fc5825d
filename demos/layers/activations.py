"""Activations: functions of each number by itself. Only PReLU has something to learn."""

import math

import numpy as np

from nnscratch import Layer, Parameter, check_layer


class Tanh(Layer):
    """y = tanh(x), between -1 and 1; dx = dy (1 - y²). LeCun et al. 1998, section 4.4."""

    def forward(self, x):
        self.y = np.tanh(x)  # (N, ...)
        return self.y

    def backward(self, dy):
        return dy * (1 - self.y**2)


class GELU(Layer):
    """y = x Φ(x), where Φ is the normal distribution: large x pass, small ones fade out, smoothly.

    NumPy has no Φ, so this is the usual approximation, Φ(x) = (1 + t) / 2 with t = tanh(u), u = c (x + 0.044715 x³),
    c = sqrt(2 / π), with its own exact derivative:

        y = x (1 + t) / 2        dx = dy ((1 + t) / 2 + x (1 - t²) / 2 · c (1 + 0.134145 x²))

    Hendrycks & Gimpel 2016, section 2. It is 0.0005 off at most. PyTorch calls it ``approximate="tanh"``.
    """

    c = math.sqrt(2 / math.pi)  # a Python float: an np.float64 would turn float32 into float64

    def forward(self, x):
        self.x = x
        self.t = np.tanh(self.c * x * (1 + 0.044715 * x**2))  # (N, ...); x**3 would take longer than all the rest
        return x * (1 + self.t) / 2

    def backward(self, dy):
        slope_of_u = self.c * (1 + 3 * 0.044715 * self.x**2)
        return dy * ((1 + self.t) / 2 + self.x * (1 - self.t**2) / 2 * slope_of_u)


class LeakyReLU(Layer):
    """y = x where x > 0, else slope x; dx = dy, or slope dy: no unit is ever dead. Maas et al. 2013."""

    def __init__(self, slope=0.01):
        self.slope = float(slope)

    def forward(self, x):
        self.positive = x > 0  # (N, ...)
        return np.where(self.positive, x, self.slope * x)

    def backward(self, dy):
        return np.where(self.positive, dy, self.slope * dy)


class PReLU(Layer):
    """LeakyReLU whose slopes are learned, one for each column or channel, the last axis of x (N, ..., n).

    y = x where x > 0, else a x, with a (n,) from 0.25 on. A slope reaches the loss through every x <= 0 of its column:

        da = sum of dy x over all x <= 0        dx = dy, or a dy

    Weight decay would pull a towards a plain ReLU, so it is switched off. He et al. 2015, section 2.1.
    """

    def __init__(self, n):
        self.a = Parameter(np.full(n, 0.25, np.float32))
        self.a.decays = False

    def forward(self, x):
        self.x = x
        return np.where(x > 0, x, self.a.value * x)  # (N, ..., n), and a (n,) broadcast over all but the last axis

    def backward(self, dy):
        below = np.minimum(self.x, 0)
        self.a.grad = (dy * below).sum(axis=tuple(range(dy.ndim - 1)))  # (N, ..., n) to (n,)
        return np.where(self.x > 0, dy, self.a.value * dy)


def prove():
    x = 2 * np.random.default_rng(0).standard_normal((5, 3, 4))
    yield check_layer(Tanh(), x)
    yield check_layer(GELU(), x)
    yield check_layer(LeakyReLU(), x)
    yield check_layer(PReLU(4), x)


if __name__ == "__main__":
    print(*prove(), sep="\n\n")
