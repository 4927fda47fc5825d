"""Losses: one number, and its gradient with respect to the outputs. The mean over the batch, the 1/N, is taken here."""

import numpy as np

from nnscratch import Loss, check_loss


def like(labels, outputs):
    """Labels in the outputs' precision, if they have their shape: (N,) against (N, 1) would broadcast to (N, N)."""
    labels = np.asarray(labels, outputs.dtype)
    if labels.shape != outputs.shape:
        raise ValueError(
            f"expected labels of the outputs' shape {outputs.shape}, got {labels.shape}: t[:, np.newaxis] is a column"
        )
    return labels


class MeanSquaredError(Loss):
    """L = 1/(N K) sum of (y - t)², over N rows and K columns, as in Keras and PyTorch; dy = 2 (y - t) / (N K).

    For numbers rather than classes: the last layer is a Dense, labels t have the shape (N, K) of the outputs y. In
    ``fit`` say ``metric=None``.
    """

    def forward(self, outputs, labels):
        self.off = outputs - like(labels, outputs)  # (N, K)
        return float((self.off**2).mean())

    def backward(self):
        return 2 * self.off / self.off.size


class BinaryCrossEntropy(Loss):
    """L = -1/(N K) sum of t log p + (1 - t) log(1 - p), p = sigmoid(z): K questions with the answers yes and no.

    Outputs are logits z (N, K), labels t (N, K) from 0 to 1. With log p = -log(1 + exp(-z)), one question costs

        log(1 + exp(-z)) + (1 - t) z  =  max(z, 0) - t z + log(1 + exp(-|z|))

    in which nothing overflows and no p is rounded to 0 or 1; and dz = (p - t) / (N K).
    """

    def forward(self, outputs, labels):
        self.z, self.t = outputs, like(labels, outputs)  # (N, K)
        each = np.maximum(self.z, 0) - self.t * self.z + np.log1p(np.exp(-np.abs(self.z)))
        return float(each.mean())

    def backward(self):
        p = (1 + np.tanh(self.z / 2)) / 2  # the sigmoid, without overflow
        return (p - self.t) / self.z.size


class Hinge(Loss):
    """L = 1/N sum of max(0, 1 + z_k - z_c) over all classes k but the right one, c: it has to win by 1 or more.

    Outputs z (N, C), integer labels c (N,). dz_k = 1/N where k comes too near, else 0, and dz_c is minus their sum.
    Weston & Watkins 1999, section 3.
    """

    def forward(self, outputs, labels):
        self.right = np.arange(outputs.shape[1]) == np.asarray(labels)[:, np.newaxis]  # (N, C), one True a row
        too_near = 1 + outputs - outputs[self.right][:, np.newaxis]  # (N, C) - (N, 1)
        self.lost = np.where(self.right, 0, too_near).clip(0)
        return float(self.lost.sum()) / len(outputs)

    def backward(self):
        wrong = (self.lost > 0).astype(self.lost.dtype)
        return (wrong - self.right * wrong.sum(axis=1, keepdims=True)) / len(wrong)


def prove():
    rng = np.random.default_rng(0)
    y = 2 * rng.standard_normal((5, 3))
    yield check_loss(MeanSquaredError(), y, rng.standard_normal((5, 3)))
    yield check_loss(BinaryCrossEntropy(), y, rng.integers(0, 2, (5, 3)))
    yield check_loss(Hinge(), y, [0, 2, 1, 1, 0])


if __name__ == "__main__":
    print(*prove(), sep="\n\n")
