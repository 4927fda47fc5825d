"""Activations: layers without parameters. ReLU and Sigmoid act on each number, Softmax on rows."""

import numpy as np

from nnscratch.layers import Layer
from nnscratch.parameter import Array


class ReLU(Layer):
    """y = max(x, 0); dx = dy where x > 0, else 0 (also at 0). Nair & Hinton 2010.

    y is kept rather than x: its sign says enough, and the next layer keeps it anyway.
    """

    def forward(self, x: Array) -> Array:
        self.y: Array = np.maximum(x, 0)  # (N, ...)
        return self.y

    def backward(self, dy: Array) -> Array:
        return dy * (self.y > 0)  # True counts as 1


class Sigmoid(Layer):
    """y = 1 / (1 + exp(-x)), elementwise; dx = dy y (1 - y).

    Computed from e = exp(-|x|), which cannot overflow: y = 1 / (1 + e) for x >= 0, e / (1 + e)
    below. In the same terms y (1 - y) = e / (1 + e)², which is right where y rounds to 1.
    """

    def forward(self, x: Array) -> Array:
        e = np.exp(-np.abs(x))
        one_plus_e = 1 + e
        self.slope: Array = e / one_plus_e**2  # y (1 - y)
        return np.where(x >= 0, 1, e) / one_plus_e

    def backward(self, dy: Array) -> Array:
        return dy * self.slope


class Softmax(Layer):
    """y_k = exp(x_k) / sum_j exp(x_j) over the last axis: a distribution. Bridle 1990.

    Each output depends on all inputs of its row: the derivative of y_j with respect to x_k is
    y_j ([j = k] - y_k), a full matrix. The chain rule's sum over j needs no matrix:
    dx_k = y_k (dy_k - sum_j dy_j y_j). Taking the row's maximum off x changes nothing (numerator
    and denominator shrink alike) and prevents overflow.

    >>> softmax = Softmax()
    >>> softmax.forward(np.log([[1.0, 3.0]]))
    array([[0.25, 0.75]])
    >>> softmax.backward(np.array([[1.0, 0.0]]))            # 0.25 (1 - 0.25), 0.75 (0 - 0.25)
    array([[ 0.1875, -0.1875]])
    """

    def forward(self, x: Array) -> Array:
        e = np.exp(x - x.max(axis=-1, keepdims=True))  # (N, C) - (N, 1)
        self.y: Array = e / e.sum(axis=-1, keepdims=True)
        return self.y

    def backward(self, dy: Array) -> Array:
        return self.y * (dy - (dy * self.y).sum(axis=-1, keepdims=True))  # (N, C) - (N, 1)
