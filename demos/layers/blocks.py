"""Blocks: layers in a row that are a layer again, and rows in another shape. What stands in a Chain is trained."""

import numpy as np

from nnscratch import Chain, Dense, Flatten, ReLU, check_layer


class Residual(Chain):
    """y = x + f(x), dx = dy + f's dx: the layers within only have to find what is missing in x, of the same shape.

    Whatever f does, dy reaches the layers before it. He et al. 2016, section 3.1.
    """

    def forward(self, x):
        return x + super().forward(x)

    def backward(self, dy):
        return dy + super().backward(dy)


class PerToken(Chain):
    """The same layers for each token of a sequence: x (N, T, n_in) to y (N, T, n_out).

    To the layers within, the tokens of all sequences are rows, N T of them. Keras calls this TimeDistributed.
    """

    def forward(self, x):
        self.places = x.shape[:2]  # (N, T)
        return super().forward(x.reshape(-1, x.shape[2])).reshape(*self.places, -1)

    def backward(self, dy):
        return super().backward(dy.reshape(-1, dy.shape[2])).reshape(*self.places, -1)


class Reshape(Flatten):
    """Rows in another shape: x (N, ...) to y (N, *row). Nothing is computed: dx is dy in the old shape."""

    def __init__(self, *row):
        self.row = row

    def forward(self, x):
        self.shape = x.shape
        return x.reshape(len(x), *self.row)


def prove():
    rng = np.random.default_rng(0)
    yield check_layer(Residual([Dense(4, 4, rng=0), ReLU()]), rng.standard_normal((5, 4)))
    yield check_layer(PerToken([Dense(4, 3, rng=0), ReLU()]), rng.standard_normal((2, 5, 4)))
    yield check_layer(Reshape(2, 3, 1), rng.standard_normal((4, 6)))


if __name__ == "__main__":
    print(*prove(), sep="\n\n")
