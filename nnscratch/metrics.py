"""Metrics: what people read. Nothing here is differentiated."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nnscratch import guards
from nnscratch.parameter import Array, Labels


def one_hot(labels: ArrayLike, n_classes: int, dtype: Any = np.float32) -> Array:
    """Labels (N,) as rows (N, n_classes): 1 in the column of the label, 0 elsewhere.

    Errors: TypeError or ValueError for labels that are not integers (N,) from 0 to n_classes - 1.

    >>> one_hot([2, 0], 3)
    array([[0., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    """
    labels = np.asarray(labels)
    rows = labels[..., np.newaxis] == np.arange(n_classes)  # (N, 1) == (C,) is (N, C)
    return guards.one_each(rows, labels).astype(dtype)


def accuracy(scores: Array, labels: ArrayLike) -> float:
    """The share of rows (N, C) whose largest score is at the label, an integer or a one-hot row.

    >>> accuracy(np.array([[0.1, 0.9], [0.8, 0.2]]), [1, 1])
    0.5
    """
    scores, labels = guards.classes_and_labels(scores, labels)
    truth = labels if labels.ndim == 1 else labels.argmax(axis=1)
    return float(np.count_nonzero(scores.argmax(axis=1) == truth) / len(truth))


def confusion_matrix(labels: ArrayLike, predicted: ArrayLike, n_classes: int) -> Labels:
    """Counts (n_classes, n_classes): row = true class, column = predicted class.

    >>> confusion_matrix([0, 1, 1], [0, 1, 0], 2).tolist()
    [[1, 0], [1, 1]]
    """
    truth, guess = guards.pairs_of_labels(labels, predicted, n_classes)
    counts = np.bincount(truth * n_classes + guess, minlength=n_classes**2)
    return counts.reshape(n_classes, n_classes)


def classification_report(labels: ArrayLike, predicted: ArrayLike) -> str:
    """Precision, recall and F1 of each class that occurs, as scikit-learn prints them.

    Precision: of those called k, the share that are k. Recall: of those that are k, the share
    called k. F1: their harmonic mean. Support: how many are k. No cases count as 0.
    """
    n, both = guards.named_labels(labels, predicted)
    classes, codes = np.unique(both, return_inverse=True)
    matrix = confusion_matrix(codes[:n], codes[n:], len(classes))
    right, support, called = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)  # (C,) each
    precision, recall = right / called.clip(1), right / support.clip(1)
    scores = np.stack([precision, recall, 2 * right / (called + support)])  # (3, C)

    def row(name: object, values: Any, count: int) -> str:
        return f"{name:>12} " + "".join(f" {value:>9.2f}" for value in values) + f" {count:>9}"

    lines = [" " * 13 + " precision    recall  f1-score   support", ""]
    lines += [row(k, scores[:, i], support[i]) for i, k in enumerate(classes)]
    lines += ["", f"{'accuracy':>12} {right.sum() / n:>30.2f} {n:>9}"]
    lines += [
        row("macro avg", scores.mean(axis=1), n),
        row("weighted avg", scores @ support / n, n),
    ]
    return "\n".join(lines) + "\n"
