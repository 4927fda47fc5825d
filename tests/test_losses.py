import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnscratch import (
    CrossEntropy,
    Dense,
    Loss,
    ReLU,
    Sequential,
    Sigmoid,
    Softmax,
    SoftmaxCrossEntropy,
    SparseCrossEntropy,
    check_loss,
    check_model,
)
from nnscratch.metrics import one_hot
from tests.test_layers import framework_classes

# loss: (outputs that suit it, labels that suit it), both from a generator
CASES = {
    CrossEntropy: (lambda rng: rng.random((6, 4)), lambda rng: rng.dirichlet(np.ones(4), 6)),
    SparseCrossEntropy: (lambda rng: rng.random((6, 4)), lambda rng: rng.integers(0, 4, 6)),
    SoftmaxCrossEntropy: (lambda rng: 5 * rng.standard_normal((6, 4)), lambda rng: rng.integers(0, 4, 6)),
}
every_loss = pytest.mark.parametrize("loss", CASES, ids=lambda c: c.__name__)


def test_every_loss_is_gradient_checked():
    assert framework_classes(Loss) == set(CASES)


@every_loss
@given(seed=st.integers(0, 10_000))
def test_gradient(loss, seed):
    rng = np.random.default_rng(seed)
    outputs, labels = (make(rng) for make in CASES[loss])
    assert check_loss(loss(), outputs, labels, rng=rng).largest_error < 1e-7


@every_loss
def test_backward_first_is_refused(loss):
    with pytest.raises(AttributeError, match="has no attribute"):
        loss().backward()


@every_loss
def test_float32_stays_float32(loss, rng):
    outputs, labels = (make(rng) for make in CASES[loss])
    each = loss()
    assert isinstance(each.forward(outputs.astype(np.float32), labels), float)
    assert each.backward().dtype == np.float32


@every_loss
@pytest.mark.parametrize("model", [Sigmoid, Softmax])
def test_whole_models(loss, model, rng):
    labels = CASES[loss][1](rng)
    last = [] if loss is SoftmaxCrossEntropy else [model()]
    network = Sequential([Dense(5, 7, rng=1), ReLU(), Dense(7, 4, rng=2), *last])
    for p in network.parameters:
        p.value += 0.3 * rng.standard_normal(p.value.shape)  # not at the start only
    assert check_model(network, loss(), rng.standard_normal((6, 5)), labels).largest_error < 1e-7


def test_a_loss_with_a_method_missing():
    with pytest.raises(NotImplementedError, match=r"Loss\(\) needs a method forward\(self, outputs, labels\)"):
        Loss().forward(np.ones((2, 2)), [0, 1])
    with pytest.raises(NotImplementedError, match=r"Loss\(\) needs a method backward\(self\)"):
        Loss().backward()


def test_rows_of_float32_may_miss_1_by_their_rounding():
    t = np.full((1, 1000), 0.001, np.float32)
    t[0, 0] += np.float32(5e-4)
    CrossEntropy().forward(np.ones((1, 1000)), t)
    t[0, 0] += np.float32(1e-3)
    with pytest.raises(ValueError, match="rows that do not sum to 1"):
        CrossEntropy().forward(np.ones((1, 1000)), t)


def test_a_model_that_knows_nothing_loses_log_10():
    scores = np.full((7, 10), 0.5)
    assert SparseCrossEntropy().forward(scores, np.arange(7)) == pytest.approx(math.log(10), rel=1e-15)
    assert SoftmaxCrossEntropy().forward(scores, np.arange(7)) == pytest.approx(math.log(10), rel=1e-15)


def test_sparse_is_one_hot_is_softmax(rng):
    """Three ways to the same number and the same gradient."""
    z = rng.standard_normal((6, 4))
    y = rng.integers(0, 4, 6)
    softmax, sparse, full, fused = Softmax(), SparseCrossEntropy(), CrossEntropy(), SoftmaxCrossEntropy()
    p = softmax.forward(z)
    losses = [sparse.forward(p, y), full.forward(p, one_hot(y, 4)), fused.forward(z, y)]
    assert losses == pytest.approx([losses[0]] * 3, rel=1e-14)
    np.testing.assert_allclose(softmax.backward(sparse.backward()), fused.backward(), rtol=1e-12, atol=1e-16)
    np.testing.assert_array_equal(sparse.backward(), full.backward())


def test_variant_b_gradient_is_the_formula(rng):
    """Sigmoid and SparseCrossEntropy: dz_k = (1 - sigma_k)(q_k - [k = y]) / N."""
    z, y = rng.standard_normal((6, 4)), rng.integers(0, 4, 6)
    sigmoid, loss = Sigmoid(), SparseCrossEntropy()
    sigma = sigmoid.forward(z)
    loss.forward(sigma, y)
    q = sigma / sigma.sum(axis=1, keepdims=True)
    expected = (1 - sigma) * (q - one_hot(y, 4, np.float64)) / 6
    np.testing.assert_allclose(sigmoid.backward(loss.backward()), expected, rtol=1e-12, atol=1e-17)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extreme_logits(dtype):
    loss = SoftmaxCrossEntropy()
    z = np.array([[1e4, 0, -1e4], [-1e4, 0, 1e4]], dtype)
    assert loss.forward(z, np.array([0, 0])) == 1e4  # (0 + 20000) / 2
    assert loss.backward().tolist() == [[0, 0, 0], [-0.5, 0, 0.5]]


def test_each_row_is_kept_from_overflow_by_its_own_maximum():
    z = np.array([[1e4, 0.0], [-1e4, -1e4]])
    loss = SoftmaxCrossEntropy()
    assert loss.forward(z, np.array([0, 0])) == pytest.approx(math.log(2) / 2)
    np.testing.assert_allclose(loss.backward(), [[0, 0], [-0.25, 0.25]])
    np.testing.assert_allclose(Softmax().forward(z), [[1, 0], [0.5, 0.5]])


@every_loss
def test_backward_twice_is_the_same(loss, rng):
    each = loss()
    each.forward(*(make(rng) for make in CASES[loss]))
    np.testing.assert_array_equal(each.backward(), each.backward())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("loss", [SparseCrossEntropy, CrossEntropy])
def test_extreme_scores(dtype, loss):
    """Scores of 0, rows of 0, rows of the smallest numbers: finite losses and no warnings; flat where clipped."""
    tiny = np.finfo(dtype).smallest_subnormal
    scores = np.array([[0, 1], [1, 0], [0, 0], [tiny, tiny], [np.finfo(dtype).tiny] * 2], dtype)
    labels = np.zeros(5, int)
    if loss is CrossEntropy:
        labels = one_hot(labels, 2, dtype)
    each = loss()
    at_0, at_1 = -math.log(1e-7), -math.log(1 - 1e-7)
    assert each.forward(scores, labels) == pytest.approx((4 * at_0 + at_1) / 5, rel=1e-6)
    assert not each.backward().any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_saturated_sigmoids(dtype):
    """Inputs from -1e3 to 1e3, through the sigmoid and the loss and back: finite, and right where it can be seen."""
    z = np.array([[-1e3, -1e3, -1e3], [1e3, 1e3, 1e3], [1e3, -1e3, 0], [-90, -90, -90], [-60, -60, -60]], dtype)
    sigmoid, loss = Sigmoid(), SparseCrossEntropy()
    value = loss.forward(sigmoid.forward(z), np.array([0, 1, 2, 0, 0]))
    dz = sigmoid.backward(loss.backward())
    assert math.isfinite(value)
    assert np.isfinite(dz).all()
    # Saturated low, but the shares are 1/3 each: dz = (1 - sigma)(q - [k = y]) / N.
    np.testing.assert_allclose(dz[4], np.array([-2 / 3, 1 / 3, 1 / 3]) / 5, rtol=1e-5)


def test_errors_say_what_was_expected():
    scores = np.full((2, 3), 0.5)
    for loss in (SparseCrossEntropy(), SoftmaxCrossEntropy()):
        with pytest.raises(ValueError, match="expected labels from 0 to 2, got 1 to 3"):
            loss.forward(scores, np.array([1, 3]))
        with pytest.raises(ValueError, match="expected labels from 0 to 2, got -1 to 1"):
            loss.forward(scores, np.array([1, -1]))
        with pytest.raises(TypeError, match=r"expected integer labels, got float64: use labels.astype\(int\)"):
            loss.forward(scores, np.array([1.0, 2.0]))
        with pytest.raises(ValueError, match=r"got \(2, 1\): use labels.ravel\(\)"):
            loss.forward(scores, np.array([[1], [2]]))
        with pytest.raises(ValueError, match="expected"):
            loss.forward(scores, np.array([1]))
    with pytest.raises(ValueError, match="integer labels go with SparseCrossEntropy"):
        CrossEntropy().forward(scores, np.array([1, 2]))
    with pytest.raises(ValueError, match=r"scores of at least 0, got -0\.5.*SoftmaxCrossEntropy\(\) on logits"):
        SparseCrossEntropy().forward(-scores, np.array([1, 2]))
    with pytest.raises(ValueError, match="scores of at least 0, got -1e-06"):
        SparseCrossEntropy().forward(np.array([[0.5, -1e-6]]), np.array([0]))
    for labels in ([[1, 1, 0], [0, 1, 0]], [[2, -1, 0], [0, 1, 0]], [[0, 0, 0], [0, 1, 0]]):
        with pytest.raises(ValueError, match="rows that do not sum to 1"):
            CrossEntropy().forward(scores, np.array(labels))
    for loss in (SparseCrossEntropy(), CrossEntropy(), SoftmaxCrossEntropy()):
        for outputs in (np.ones((2, 1)), np.ones(3), np.ones((2, 3, 4)), np.ones((0, 3)), np.ones((2, 3), int)):
            with pytest.raises(ValueError, match="as float32 or float64 for 2 or more classes"):
                loss.forward(outputs, np.zeros(len(outputs), int))
    assert SparseCrossEntropy(np.float64(1e-7)).epsilon.__class__ is float
    for epsilon in (0, 0.5, -1):
        with pytest.raises(ValueError, match="expected epsilon"):
            CrossEntropy(epsilon)
