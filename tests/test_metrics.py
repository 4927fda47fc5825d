import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnscratch.metrics import accuracy, classification_report, confusion_matrix, one_hot


def test_confusion_matrix_counts():
    labels, predicted = np.array([0, 0, 1, 1, 1, 2, 2, 4], np.uint8), [0, 1, 1, 1, 2, 2, 0, 3]
    matrix = confusion_matrix(labels, predicted, 5)
    assert matrix.tolist() == [[1, 1, 0, 0, 0], [0, 2, 1, 0, 0], [1, 0, 1, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 1, 0]]
    with pytest.raises(ValueError, match="expected as many as 2 predictions, got 1"):
        confusion_matrix([0, 1], [0], 2)


def test_confusion_matrix_of_many_classes_in_small_integers():
    labels = np.arange(200, dtype=np.uint8)  # 200 * 200 does not fit into a uint8
    assert (confusion_matrix(labels, labels, 200) == np.eye(200)).all()


def test_accuracy():
    scores = np.array([[0.1, 0.9], [0.8, 0.2], [0.7, 0.3]])
    assert accuracy(scores, np.array([1, 0, 1])) == 2 / 3
    assert accuracy(scores, one_hot([1, 0, 1], 2)) == 2 / 3
    with pytest.raises(ValueError, match=r"expected 3 labels, one a row, got shape \(3, 1\)"):
        accuracy(scores, np.array([[1], [0], [1]]))


def test_labels_that_are_none():
    scores = np.eye(3)
    for labels, error in (([0.0, 1.0, 2.0], TypeError), ([True, False, True], TypeError), ([0, 1, 3], ValueError),
                          ([0, 1], ValueError), (0, ValueError)):  # fmt: skip
        with pytest.raises(error, match="expected"):
            accuracy(scores, labels)
    with pytest.raises(ValueError, match="expected at least one label"):
        classification_report([], [])


def test_report_of_names():
    lines = classification_report(np.array(["cat", "dog"]), np.array(["cat", "cat"])).splitlines()
    assert lines[2].split() == ["cat", "0.50", "1.00", "0.67", "1"]


@given(st.lists(st.integers(0, 6), min_size=1))
def test_one_hot_and_back(labels):
    rows = one_hot(labels, 7)
    assert rows.argmax(axis=1).tolist() == labels
    assert (rows.sum(axis=1) == 1).all()
    assert rows.dtype == np.float32


def test_what_has_no_classes_has_no_accuracy():
    """Neither nan nor the share of rows in which the larger target is met by the larger output."""
    for scores in (np.ones((3, 1)), np.ones(3)):
        with pytest.raises(ValueError, match=r"expected scores \(N, C\) of 2 or more classes.*metric=None"):
            accuracy(scores, np.ones(scores.shape))
    for targets in ([[1.5, 0.2], [0.1, 3.0]], [[-1.0, 2.0], [0.5, 0.5]]):
        with pytest.raises(ValueError, match=r"expected labels in rows that sum to 1, got others: use metric=None"):
            accuracy(np.ones((2, 2)), np.array(targets))
