"""Losses: how wrong the outputs are, as one number, and the gradient of that very number.

The mean over the batch is taken here, and nowhere else. In all of them t (N, C) is what the labels
ask for: for an integer label y, t_k = [k = y], which is 1 if k = y, else 0.
"""

import numpy as np
from numpy.typing import ArrayLike

from nnscratch import guards
from nnscratch.metrics import one_hot
from nnscratch.parameter import Array


class Loss:
    """The contract: ``forward(outputs, labels) -> float`` and ``backward() -> d outputs``."""

    def forward(self, outputs: Array, labels: ArrayLike) -> float:
        raise NotImplementedError(f"{self!r} needs a method forward(self, outputs, labels)")

    def backward(self) -> Array:
        raise NotImplementedError(f"{self!r} needs a method backward(self)")

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class SoftmaxCrossEntropy(Loss):
    """L = -(1/N) sum_n log p_ny, p = softmax(outputs), y the label: the Softmax is in the loss.

    Outputs are logits z (N, C) of any size: in log p_k = z_k - max z - log sum_j exp(z_j - max z)
    none overflows, no p is rounded to 0 before its logarithm. Its two derivatives simplify to

        d outputs_k = (p_k - t_k) / N

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
    """L = -(1/N) sum_n sum_k t_nk log q_nk, where q is each row of outputs divided by its sum S.

    Outputs (N, C) are scores >= 0, from Sigmoid or Softmax; labels t (N, C) are one-hot rows or any
    distributions. q is clipped to [epsilon, 1 - epsilon]: a score of 0 costs -log(1e-7) = 16.1, not
    infinity. Where q is clipped, L is flat. With g = -t / q, or 0 where clipped:

        d outputs_k = (g_k - sum_j g_j q_j) / (S N)

    As in Keras on JAX, PyTorch and NumPy. A row of zeros counts as q = 0. Errors: ValueError for
    scores below 0 and for labels of another shape.

    >>> loss = CrossEntropy()
    >>> loss.forward(np.array([[1.0, 3.0]]), np.array([[0.0, 1.0]]))        # -log(3/4)
    0.2876820724517809
    >>> loss.backward()                          # g = (0, -4/3): (0 + 1) / 4, (-4/3 + 1) / 4
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
        # Where 1 / (epsilon S) would overflow, S counts as 0: over infinity q and d outputs are 0.
        self.total[self.total < 1e-37 / self.epsilon] = np.inf
        q = scores / self.total  # (N, C) / (N, 1)
        self.q = q.clip(self.epsilon, 1 - self.epsilon)
        self.inside = self.q == q
        return -float((self.t * np.log(self.q)).sum()) / len(q)

    def backward(self) -> Array:
        g = -self.t * self.inside / self.q  # (N, C)
        return (g - (g * self.q).sum(axis=1, keepdims=True)) / (self.total * len(g))


class SparseCrossEntropy(CrossEntropy):
    """CrossEntropy for integer labels y (N,): L = -(1/N) sum_n log q_ny. Only the targets differ.

    After a Sigmoid this is not -log of the output y: the scores are normalised first, or all
    outputs at 1 would be a perfect answer. Errors: for other labels, and for scores below 0.
    """

    targets = staticmethod(one_hot)
