"""Losses: how wrong the outputs are, as one number, and its gradient. The mean over the batch is taken here.

``forward(outputs, labels)`` returns the loss as a float, ``backward()`` the gradient of that very number.
"""

import numpy as np
from numpy.typing import ArrayLike

from nnscratch.differentiable import Differentiable
from nnscratch.metrics import as_labels, one_hot
from nnscratch.parameter import Array, expect


class Loss(Differentiable):
    """The contract: ``forward(outputs, labels) -> float`` and ``backward() -> d outputs``."""

    def forward(self, outputs: Array, labels: ArrayLike) -> float:
        raise NotImplementedError(f"{self!r} needs a method forward(self, outputs, labels)")

    def backward(self) -> Array:
        raise NotImplementedError(f"{self!r} needs a method backward(self)")


def _as_outputs(outputs: ArrayLike) -> Array:
    array = np.asarray(outputs)
    if array.ndim != 2 or array.shape[0] < 1 or array.shape[1] < 2 or array.dtype.kind != "f":
        raise ValueError(
            f"expected outputs (N, C) as floats for 2 or more classes, got {array.dtype} {array.shape}: end the model "
            "with a Dense of one output for each class"
        )
    return array


class CrossEntropy(Loss):
    """L = -(1/N) sum_n sum_k t_nk log q_nk, where q is each row of outputs divided by its sum S.

    Outputs (N, C) are scores >= 0, from Sigmoid or Softmax; labels t (N, C) are one-hot rows or any distributions.
    q is clipped to [epsilon, 1 - epsilon]: a score of 0 costs -log(1e-7) = 16.1, not infinity. Where q is clipped, L
    is flat and its gradient 0. With g = -t / q, or 0 where clipped:

        d outputs_k = (g_k - sum_j g_j q_j) / (S N)

    As in Keras on JAX, PyTorch and NumPy. A row of zeros counts as q = 0. Errors: ValueError for scores below 0 and
    for labels of another shape.

    >>> loss = CrossEntropy()
    >>> loss.forward(np.array([[1.0, 3.0]]), np.array([[0.0, 1.0]]))        # -log(3/4)
    0.2876820724517809
    >>> loss.backward()                                                     # g = (0, -4/3): (0 + 1) / 4, (-4/3 + 1) / 4
    array([[ 0.25      , -0.08333333]])
    """

    def __init__(self, epsilon: float = 1e-7) -> None:
        expect(0 < epsilon < 0.5, f"epsilon between 0 and 0.5, got {epsilon}: the default is 1e-7")
        self.epsilon = float(epsilon)

    def forward(self, outputs: Array, labels: ArrayLike) -> float:
        outputs, t = _as_outputs(outputs), np.asarray(labels, float)
        if t.shape != outputs.shape or not np.allclose(t.sum(axis=-1), 1, atol=1e-3) or t.min() < 0:
            raise ValueError(
                f"expected labels as one-hot rows or distributions like the outputs {outputs.shape}, got shape "
                f"{t.shape} or rows that do not sum to 1: integer labels go with SparseCrossEntropy"
            )
        return self._forward(outputs, t)

    def _forward(self, outputs: Array, t: Array) -> float:
        if outputs.min() < 0:
            raise ValueError(
                f"expected scores of at least 0, got {outputs.min()}: end the model with Softmax() or Sigmoid(), or "
                "use SoftmaxCrossEntropy() on logits"
            )
        self.t = t.astype(outputs.dtype, copy=False)
        total = outputs.sum(axis=1, keepdims=True)  # S (N, 1)
        # Rows so small that 1 / (epsilon S) would overflow count as zeros: over infinity, q and its gradient are 0.
        smallest = float(np.finfo(outputs.dtype).tiny) / self.epsilon
        total[total <= smallest] = np.inf
        self.total = total
        q = outputs / total
        self.q = q.clip(self.epsilon, 1 - self.epsilon)
        self.inside = self.q == q
        return -float((self.t * np.log(self.q)).sum()) / len(q)

    def backward(self) -> Array:
        g = -self.t * self.inside / self.q
        doutputs: Array = (g - (g * self.q).sum(axis=1, keepdims=True)) / (self.total * len(g))
        return doutputs


class SparseCrossEntropy(CrossEntropy):
    """CrossEntropy for integer labels y (N,): L = -(1/N) sum_n log q_ny. "Sparse": the class instead of a one-hot row.

    After a Sigmoid this is not -log of the output y: the scores are normalised first, or all outputs at 1 would be a
    perfect answer. Errors: also TypeError and ValueError for labels that are not integers (N,) from 0 to C - 1.
    """

    def forward(self, outputs: Array, labels: ArrayLike) -> float:
        outputs = _as_outputs(outputs)
        return self._forward(outputs, one_hot(labels, outputs.shape[1], outputs.dtype, len(outputs)))


class SoftmaxCrossEntropy(Loss):
    """L = -(1/N) sum_n log p_ny, p = softmax(outputs), y the integer label: the last Softmax moved into the loss.

    Outputs are logits z (N, C) of any size: in log p_k = z_k - max z - log sum_j exp(z_j - max z) none overflows, and
    no p is rounded to 0 before its logarithm is taken. The two derivatives in a row simplify to

        d outputs_k = (p_k - [k = y]) / N

    Errors: TypeError and ValueError for labels that are not integers (N,) from 0 to C - 1.

    >>> loss = SoftmaxCrossEntropy()
    >>> loss.forward(np.array([[1e4, 0.0]]), [1]), loss.backward()
    (10000.0, array([[ 1., -1.]]))
    """

    def forward(self, outputs: Array, labels: ArrayLike) -> float:
        outputs = _as_outputs(outputs)
        self.y = as_labels(labels, outputs.shape[1], len(outputs))
        shifted = outputs - outputs.max(axis=1, keepdims=True)
        self.log_p: Array = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        return -float(self.log_p[np.arange(len(self.y)), self.y].mean())

    def backward(self) -> Array:
        doutputs = np.exp(self.log_p)
        doutputs[np.arange(len(self.y)), self.y] -= 1
        return doutputs / len(self.y)
