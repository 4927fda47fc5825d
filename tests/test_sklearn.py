"""Metrics and losses are scikit-learn's: on anything where it is installed, and on what it once printed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnscratch import CrossEntropy, SoftmaxCrossEntropy, SparseCrossEntropy
from nnscratch.metrics import classification_report, confusion_matrix, one_hot

# What scikit-learn 1.9 printed for these labels and predictions.
LABELS = [0, 0, 0, 1, 1, 1, 2, 2, 4]
PREDICTED = [0, 1, 1, 1, 1, 2, 2, 0, 3]
REPORT = """\
              precision    recall  f1-score   support

           0       0.50      0.33      0.40         3
           1       0.50      0.67      0.57         3
           2       0.50      0.50      0.50         2
           3       0.00      0.00      0.00         0
           4       0.00      0.00      0.00         1

    accuracy                           0.44         9
   macro avg       0.30      0.30      0.29         9
weighted avg       0.44      0.44      0.43         9
"""

# And what its log_loss said of these probabilities: with labels, and with distributions as in log_loss() below.
PROBABILITIES = np.array([[0.1, 0.2, 0.7], [0.3, 0.4, 0.3], [0.25, 0.5, 0.25], [0.6, 0.3, 0.1]])
TRUTH = [2, 0, 1, 1]
DISTRIBUTIONS = np.array([[0, 0.25, 0.75], [0.5, 0.5, 0], [0.25, 0.25, 0.5], [1, 0, 0]])
LOG_LOSS, LOG_LOSS_OF_DISTRIBUTIONS = 0.8644419332876374, 0.8634576609771287

# Labels of several kinds, of which a test takes the first few.
KINDS = [
    np.arange(10),
    np.arange(-40, 60, 10),
    np.array(["top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"]),
]


@pytest.fixture(scope="module")
def sklearn():
    return pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed: pip install scikit-learn")


def log_loss(sklearn, q, t):
    """scikit-learn's log loss of probabilities q for distributions t: every row counts once for each class k, t_k."""
    n, classes = q.shape
    labels = np.tile(np.arange(classes), n)
    return sklearn.log_loss(labels, np.repeat(q, classes, axis=0), sample_weight=t.ravel(), labels=range(classes))


def test_report_is_scikit_learns():
    assert classification_report(np.array(LABELS), np.array(PREDICTED)) == REPORT


@given(n=st.integers(1, 300), classes=st.integers(1, 10), kind=st.sampled_from(KINDS), seed=st.integers(0, 1000))
def test_report_is_scikit_learns_on_anything(sklearn, n, classes, kind, seed):
    labels, predicted = kind[np.random.default_rng(seed).integers(0, classes, (2, n))]
    report = classification_report(labels, predicted)
    expected = sklearn.classification_report(labels, predicted, zero_division=0)
    if not (labels == predicted).any():  # then scikit-learn counts in floats
        report, expected = (" ".join(text.replace(".0\n", "\n").split()) for text in (report, expected))
    assert report == expected


@given(n=st.integers(1, 300), classes=st.integers(2, 12), seed=st.integers(0, 1000))
def test_confusion_matrix_is_scikit_learns_on_anything(sklearn, n, classes, seed):
    labels, predicted = np.random.default_rng(seed).integers(0, classes, (2, n))
    expected = sklearn.confusion_matrix(labels, predicted, labels=range(classes))
    np.testing.assert_array_equal(confusion_matrix(labels, predicted, classes), expected, strict=True)


def test_losses_are_scikit_learns():
    scores = PROBABILITIES * [[2], [0.5], [1], [4]]  # what a row sums to makes no difference
    assert SparseCrossEntropy().forward(scores, TRUTH) == pytest.approx(LOG_LOSS, rel=1e-12)
    assert SoftmaxCrossEntropy().forward(np.log(PROBABILITIES), TRUTH) == pytest.approx(LOG_LOSS, rel=1e-12)
    found = CrossEntropy().forward(scores, DISTRIBUTIONS)
    assert found == pytest.approx(LOG_LOSS_OF_DISTRIBUTIONS, rel=1e-12)


@given(n=st.integers(1, 100), classes=st.integers(2, 12), seed=st.integers(0, 1000))
def test_losses_are_scikit_learns_on_anything(sklearn, n, classes, seed):
    rng = np.random.default_rng(seed)
    z = rng.uniform(-5, 5, (n, classes))  # no probability so low that one of us clips it
    scores = np.exp(z)
    q = scores / scores.sum(axis=1, keepdims=True)
    labels = rng.integers(0, classes, n)
    expected = sklearn.log_loss(labels, q, labels=range(classes))
    assert SparseCrossEntropy().forward(scores, labels) == pytest.approx(expected, rel=1e-12)
    assert CrossEntropy().forward(scores, one_hot(labels, classes)) == pytest.approx(expected, rel=1e-12)
    assert SoftmaxCrossEntropy().forward(z, labels) == pytest.approx(expected, rel=1e-12)
    t = rng.random((n, classes))
    t /= t.sum(axis=1, keepdims=True)
    assert CrossEntropy().forward(scores, t) == pytest.approx(log_loss(sklearn, q, t), rel=1e-12)
