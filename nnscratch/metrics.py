"""Metrics: what people read. Nothing here is differentiated."""

import numpy as np
from numpy.typing import ArrayLike

from nnscratch import guards, tables
from nnscratch.losses import one_hot
from nnscratch.parameter import Array, Labels

__all__ = ["accuracy", "classification_report", "confusion_matrix", "one_hot"]


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
    pair = truth * n_classes + guess  # row and column as one number
    counts = np.bincount(pair, minlength=n_classes**2)
    return counts.reshape(n_classes, n_classes)


def classification_report(labels: ArrayLike, predicted: ArrayLike) -> str:
    """Precision, recall and F1 of each class that occurs, as scikit-learn prints them.

    Precision: of those called k, the share that are k. Recall: of those that are k, the share
    called k. F1: their harmonic mean. Support: how many are k. 0 / 0 counts as 0.
    """
    n, both = guards.named_labels(labels, predicted)
    classes, codes = np.unique(both, return_inverse=True)  # codes number the classes from 0
    matrix = confusion_matrix(codes[:n], codes[n:], len(classes))
    right, support, called = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)  # (C,) each
    precision, recall = right / called.clip(1), right / support.clip(1)
    f1 = 2 * right / (called + support)
    return tables.report(classes, np.stack([precision, recall, f1]), support, right.sum() / n)
