"""Losses: how wrong the outputs are, as one number, and the gradient of that very number.

The mean over the batch is taken here, and nowhere else. In all of them t (N, C) is what the labels
ask for: for the label c, t_k = [k = c], which is 1 if k = c, else 0.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nnscratch import guards
from nnscratch.parameter import Array


class Loss:
    """The contract: ``forward(outputs, labels) -> float`` and ``backward() -> d outputs``."""

    def forward(self, outputs: Array, labels: ArrayLike) -> float:
        raise NotImplementedError(f"{self!r} needs a method forward(self, outputs, labels)")

    def backward(self) -> Array:
        raise NotImplementedError(f"{self!r} needs a method backward(self)")

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def one_hot(labels: ArrayLike, n_classes: int, dtype: Any = np.float32) -> Array:
    """Labels (N,) as rows t (N, n_classes): 1 in the column of the label, 0 elsewhere.

    Errors: TypeError or ValueError for labels that are not integers (N,) from 0 to n_classes - 1.

    >>> one_hot([2, 0], 3)
    array([[0., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    """
    labels = np.asarray(labels)
    rows = labels[..., np.newaxis] == np.arange(n_classes)  # (N, 1) == (C,) gives (N, C)
    return guards.exactly_one_true(rows, labels).astype(dtype)


class SoftmaxCrossEntropy(Loss):
    """L = -(1/N) sum_n log p_nc, p = softmax(z), c the label: the last Softmax is in the loss.

    Outputs are logits z (N, C) of any size: in log p_k = z_k - max z - log sum_j exp(z_j - max z)
    nothing overflows, and no p is rounded to 0 before its logarithm. For one row, -log p_c is log
    sum_j exp(z_j) - z_c, whose derivative with respect to z_k is p_k - [k = c]. So

        dz_k = (p_k - t_k) / N

    Errors: TypeError and ValueError for labels that are not integers (N,) from 0 to C - 1.

    >>> loss = SoftmaxCrossEntropy()
    >>> loss.forward(np.array([[1e4, 0.0]]), [1]), loss.backward()
    (10000.0, array([[ 1., -1.]]))
    """

    def forward(self, outputs: Array, labels: ArrayLike) -> float:
        z, labels = guards.outputs_and_labels(outputs, labels)
        self.t = one_hot(labels, z.shape[1], z.dtype)  # (N, C)
        z = z - z.max(axis=1, keepdims=True)  # (N, C) - (N, 1)
        self.log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        return -float((self.t * self.log_p).sum()) / len(z)

    def backward(self) -> Array:
        return (np.exp(self.log_p) - self.t) / len(self.t)


class CrossEntropy(Loss):
    """L = -(1/N) sum_n sum_k t_nk log q_nk, where q is each row of scores s divided by its sum S.

    Scores (N, C) are >= 0, from Sigmoid or Softmax; a Sigmoid's do not sum to 1 by themselves.
    Labels t (N, C) are one-hot rows or any distributions. q is clipped to [epsilon, 1 - epsilon],
    as in Keras: a score of 0 costs -log(1e-7) = 16.1, not infinity. The row's loss has the
    derivative dq_k = -t_k / q_k, or 0 where clipped, and q_j = s_j / S has ([j = k] - q_j) / S. So

        ds_k = (dq_k - sum_j dq_j q_j) / (S N)

    Errors: ValueError for scores below 0 and for labels of another shape.

    >>> loss = CrossEntropy()
    >>> loss.forward(np.array([[1.0, 3.0]]), np.array([[0.0, 1.0]]))        # -log(3/4)
    0.2876820724517809
    >>> loss.backward()                         # dq = (0, -4/3): (0 + 1) / 4, (-4/3 + 1) / 4
    array([[ 0.25      , -0.08333333]])
    """

    epsilon = guards.number("epsilon", 0, 0.5, usual=1e-7, open=True)
    targets = staticmethod(guards.distributions)

    def __init__(self, epsilon: float = 1e-7) -> None:
        self.epsilon = epsilon

    def forward(self, outputs: Array, labels: ArrayLike) -> float:
        scores, labels = guards.scores_and_labels(outputs, labels)
        self.t = self.targets(labels, scores.shape[1], scores.dtype)  # (N, C)
        self.total = scores.sum(axis=1, keepdims=True)  # S (N, 1)
        # A row of zeros tells nothing: divided by infinity, its q and its gradient are 0. The same
        # goes for sums so small that 1 / (epsilon S) would be more than a float32 can hold.
        self.total[self.total < 1e-37 / self.epsilon] = np.inf
        q = scores / self.total  # (N, C) / (N, 1)
        self.q = q.clip(self.epsilon, 1 - self.epsilon)
        self.inside = self.q == q  # False where it was clipped
        return -float((self.t * np.log(self.q)).sum()) / len(q)

    def backward(self) -> Array:
        dq = -self.t * self.inside / self.q  # (N, C)
        return (dq - (dq * self.q).sum(axis=1, keepdims=True)) / (self.total * len(dq))


class SparseCrossEntropy(CrossEntropy):
    """CrossEntropy for integer labels c (N,): L = -(1/N) sum_n log q_nc. Only the targets differ.

    After a Sigmoid this is not -log s_c: the scores are divided by their sum first. Otherwise a
    model that answers 1 for every class would have a loss of 0.
    """

    targets = staticmethod(one_hot)
