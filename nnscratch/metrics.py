"""Metrics: what people read. Nothing here is differentiated."""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nnscratch.parameter import Array, Labels, expect


def as_labels(labels: ArrayLike, n_classes: int, n: int | None = None) -> Labels:
    """Labels as n integers (N,) from 0 to n_classes - 1. Errors: TypeError or ValueError that says why they are not."""
    labels = np.asarray(labels)
    if labels.ndim != 1:
        raise ValueError(
            f"expected integer labels of shape (N,), got {labels.shape}: use labels.ravel() on a column; on one-hot "
            "rows the loss CrossEntropy or labels.argmax(axis=1)"
        )
    if n not in (None, len(labels)):
        raise ValueError(f"expected {n} labels, one for each row, got {len(labels)}: give those of the same rows")
    if labels.dtype.kind not in "iu":
        raise TypeError(f"expected integer labels, got {labels.dtype}: use labels.astype(int)")
    if labels.size and not (labels.min() >= 0 and labels.max() < n_classes):
        raise ValueError(
            f"expected labels from 0 to {n_classes - 1}, got {labels.min()} to {labels.max()}: number the classes "
            "from 0, or give the last layer more outputs"
        )
    return labels


def one_hot(labels: ArrayLike, n_classes: int, dtype: Any = np.float32, n: int | None = None) -> Array:
    """Labels (N,) as rows (N, n_classes): 1 in the column of the label, 0 elsewhere. Errors: as for ``as_labels``."""
    labels = as_labels(labels, n_classes, n)
    rows = np.zeros((len(labels), n_classes), dtype)
    rows[np.arange(len(labels)), labels] = 1
    return rows


def accuracy(scores: Array, labels: ArrayLike) -> float:
    """The share of rows (N, C) whose largest score stands at the label. Labels: integers (N,) or one-hot rows.

    NaN for one output only, which has no largest: such a model does not tell classes apart in this way.

    >>> accuracy(np.array([[0.1, 0.9], [0.8, 0.2]]), [1, 1])
    0.5
    """
    truth = np.asarray(labels)
    if scores.ndim != 2 or scores.shape[1] < 2:
        return math.nan
    if truth.shape == scores.shape:
        truth = truth.argmax(axis=1)
    truth = as_labels(truth, scores.shape[1], len(scores))  # or (N,) == (N, 1) would compare every pair
    return float(np.count_nonzero(scores.argmax(axis=1) == truth) / len(truth))


def confusion_matrix(labels: ArrayLike, predicted: ArrayLike, n_classes: int) -> Labels:
    """Counts (n_classes, n_classes): row = true class, column = predicted class.

    >>> confusion_matrix([0, 1, 1], [0, 1, 0], 2).tolist()
    [[1, 0], [1, 1]]
    """
    truth, guess = (as_labels(each, n_classes).astype(np.intp) for each in (labels, predicted))
    expect(
        len(truth) == len(guess),
        f"as many predictions as labels, {len(truth)}, got {len(guess)}: give those of the same rows",
    )
    return np.bincount(truth * n_classes + guess, minlength=n_classes**2).reshape(n_classes, n_classes)


def classification_report(labels: Labels, predicted: Labels) -> str:
    """Precision, recall and F1 of each class that occurs, as scikit-learn prints them.

    Precision: of those called k, the share that are k. Recall: of those that are k, the share called k. F1: their
    harmonic mean. Support: how many are k; "weighted avg" weighs by it, "macro avg" does not. No cases count as 0.
    """
    classes, codes = np.unique(np.concatenate([labels, predicted]), return_inverse=True)
    expect(codes.size > 0, "at least one label, got none: give those of some rows")
    matrix = confusion_matrix(codes[: len(labels)], codes[len(labels) :], len(classes))
    right, support, called = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    scores = np.stack([right / called.clip(1), right / support.clip(1), 2 * right / (called + support)])  # (3, C)
    n = len(labels)

    def row(name: object, values: ArrayLike, count: int) -> str:
        return f"{name:>12} " + "".join(f" {value:>9.2f}" for value in np.asarray(values)) + f" {count:>9}"

    lines = [" " * 13 + " precision    recall  f1-score   support", ""]
    lines += [row(k, scores[:, i], support[i]) for i, k in enumerate(classes)]
    lines += ["", f"{'accuracy':>12} {right.sum() / n:>30.2f} {n:>9}"]
    lines += [row("macro avg", scores.mean(axis=1), n), row("weighted avg", scores @ support / n, n)]
    return "\n".join(lines) + "\n"
