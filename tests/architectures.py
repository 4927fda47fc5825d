"""What several tests train: random models with a loss and data in float64, a residual block, another loss."""

import math
from itertools import pairwise

import numpy as np

from nnscratch import (
    Chain,
    CrossEntropy,
    Dense,
    Dropout,
    Flatten,
    Loss,
    ReLU,
    Sequential,
    Sigmoid,
    Softmax,
    SoftmaxCrossEntropy,
    SparseCrossEntropy,
)


class Residual(Chain):
    def forward(self, x):
        return x + super().forward(x)

    def backward(self, dy):
        return dy + super().backward(dy)


class Squares(Loss):
    """The mean squared error, as people write it."""

    def forward(self, outputs, labels):
        self.difference = outputs - labels
        return float((self.difference**2).mean())

    def backward(self):
        return 2 * self.difference / self.difference.size


LOSSES = (SparseCrossEntropy, CrossEntropy, SoftmaxCrossEntropy)  # by turns


def random_case(seed, scale=1):
    """(model, loss, x, labels): one to five Dense, between them any activation and sometimes Dropout."""
    rng = np.random.default_rng(seed)
    n, depth = int(rng.integers(1, 9)), int(rng.integers(1, 6))
    image = tuple(rng.integers(2, 5, rng.integers(1, 3)).tolist())  # a row of pixels or several
    sizes = [math.prod(image), *rng.integers(2, 13, depth).tolist()]
    x = rng.standard_normal((n, *image))
    layers = [Flatten()] if x.ndim > 2 else []
    for n_in, n_out in pairwise(sizes):
        layers += [Dense(n_in, n_out, dtype=np.float64), [ReLU, Sigmoid, Softmax][rng.integers(3)]()]
        layers += [Dropout(0.3, rng=seed)] if rng.random() < 0.3 else []
    while not isinstance(layers[-1], Dense):
        layers.pop()
    loss = LOSSES[seed % 3]()
    if not isinstance(loss, SoftmaxCrossEntropy):
        layers.append([Sigmoid, Softmax][rng.integers(2)]())
    labels = rng.integers(0, sizes[-1], n)
    if type(loss) is CrossEntropy:
        labels = rng.random((n, sizes[-1]))
        labels /= labels.sum(axis=1, keepdims=True)
    model = Sequential(layers)
    model.theta = scale * rng.standard_normal(model.theta.shape)
    return model, loss, x, labels
