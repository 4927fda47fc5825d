"""What holds for any model, loss and data. ``predict`` and Dropout's masks are the matter of other tests."""

import copy

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nnscratch import Dense, ReLU, Softmax, SoftmaxCrossEntropy
from tests.architectures import random_case

seeds = st.integers(0, 100_000)


def loss_and_gradient(model, loss, x, labels):
    """Without Dropout, whose mask would not follow the rows and units that the tests move."""
    value = loss.forward(model.forward(x), labels)
    model.backward(loss.backward())
    return value, [p.grad.copy() for p in model.parameters]


def assert_same(found, expected, tolerance=1e-12):
    """The same loss, and gradients that differ by that much of their largest entry at most."""
    (value, gradients), (expected_value, expected_gradients) = found, expected
    assert value == pytest.approx(expected_value, rel=tolerance, abs=tolerance)
    largest = max(np.abs(gradient).max() for gradient in expected_gradients)
    for gradient, expected_gradient in zip(gradients, expected_gradients, strict=True):
        np.testing.assert_allclose(gradient, expected_gradient, rtol=0, atol=tolerance * largest)


@given(seed=seeds)
def test_the_order_of_the_rows_changes_neither_loss_nor_gradient(seed):
    model, loss, x, labels = random_case(seed)
    order = np.random.default_rng(seed).permutation(len(x))
    expected = loss_and_gradient(model, loss, x, labels)
    assert_same(loss_and_gradient(model, loss, x[order], labels[order]), expected)


@given(seed=seeds, times=st.integers(2, 4))
def test_repeating_the_batch_changes_neither_loss_nor_gradient(seed, times):
    """The mean over the batch is in the loss: each row counts less, and there are as many more of it."""
    model, loss, x, labels = random_case(seed)
    expected = loss_and_gradient(model, loss, x, labels)
    repeated = (np.concatenate([each] * times) for each in (x, labels))
    assert_same(loss_and_gradient(model, loss, *repeated), expected)


@given(seed=seeds)
def test_shifting_a_row_of_logits_changes_no_bit(seed):
    """Fractions in 1024ths are shifted without rounding: then the row's maximum comes off, and all is as before."""
    rng = np.random.default_rng(seed)
    shape = rng.integers(1, 9), rng.integers(2, 13)
    z, shift = rng.integers(-20_000, 20_000, shape) / 1024, rng.integers(-1000, 1000, (shape[0], 1))
    dy, labels = rng.standard_normal(shape), rng.integers(0, shape[1], shape[0])
    results = []
    for logits in (z, z + shift):
        softmax, loss = Softmax(), SoftmaxCrossEntropy()
        results += [[softmax.forward(logits), softmax.backward(dy), loss.forward(logits, labels), loss.backward()]]
    for here, there in zip(*results, strict=True):
        np.testing.assert_array_equal(here, there)


@given(seed=seeds)
def test_permuting_hidden_units_permutes_their_gradients(seed):
    model, loss, x, labels = random_case(seed)
    rng = np.random.default_rng(seed)
    denses = [layer for layer in model.layers if isinstance(layer, Dense)]
    orders = [rng.permutation(dense.n_out) for dense in denses[:-1]]
    # Units of the layer before are the rows of W, its own are its columns. Inputs and outputs stay where they are.
    rows, columns = [slice(None), *orders], [*orders, slice(None)]

    def permuted(arrays):
        pairs = zip(arrays[::2], arrays[1::2], rows, columns, strict=True)
        return [each for W, b, row, column in pairs for each in (W[row][:, column], b[column])]

    value, gradients = loss_and_gradient(model, loss, x, labels)
    model.set_weights(permuted(model.get_weights()))
    assert_same(loss_and_gradient(model, loss, x, labels), (value, permuted(gradients)))


@given(seed=seeds, dtype=st.sampled_from([np.float32, np.float64]))
def test_saved_and_loaded_are_the_same_bits(seed, dtype, tmp_path_factory):
    """Any finite number: random bits, and -0.0, denormal numbers, the largest ones."""
    path = tmp_path_factory.getbasetemp() / "weights.npz"
    model = random_case(seed)[0].astype(dtype)
    other = copy.deepcopy(model)
    rng, info = np.random.default_rng(seed), np.finfo(dtype)
    model.theta = np.frombuffer(rng.bytes(model.theta.nbytes), dtype)
    model.theta[~np.isfinite(model.theta)] = 1
    special = [-0.0, info.smallest_subnormal, -info.tiny / 2, info.max, info.min]
    model.theta[rng.permutation(model.theta.size)[: len(special)]] = special
    model.save_weights(path)
    other.load_weights(path)
    assert other.theta.tobytes() == model.theta.tobytes()


@given(seed=seeds, value=st.sampled_from([np.nan, np.inf, -np.inf]))
def test_a_single_weight_that_is_not_finite_is_not_loaded(seed, value, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "weights.npz"
    model = random_case(seed)[0]
    other, before = copy.deepcopy(model), model.theta.copy()
    model.theta[np.random.default_rng(seed).integers(model.theta.size)] = value
    with pytest.raises(ValueError, match=f"theta: expected finite numbers, got {value} in row"):
        model.save_weights(path)
    np.savez(path, **{f"{i}_{p.name}": p.value for i, p in enumerate(model.parameters)})  # as somebody else might
    with pytest.raises(ValueError, match=f"expected finite numbers in float64, got {value}"):
        other.load_weights(path)
    np.testing.assert_array_equal(other.theta, before)


def nearest_to_a_kink(model, x):
    """The smallest distance from 0 of what goes into a ReLU."""
    smallest = np.inf
    for layer in model.layers:
        smallest = min(smallest, np.abs(x).min()) if isinstance(layer, ReLU) else smallest
        x = layer.forward(x)
    return smallest


@given(seed=seeds)
def test_float32_agrees_with_float64_to_its_accuracy(seed):
    """float32 rounds by up to 6e-8. Nearly all models agree to 5e-7; where differences cancel, errors grow tenfold."""
    model, loss, x, labels = random_case(seed, scale=0.5)
    assume(nearest_to_a_kink(model, x) > 1e-4)  # on the other side of a kink the gradient is another one
    single = loss_and_gradient(model.astype(np.float32), loss, x, labels)
    assert single[1][0].dtype == np.float32
    assert_same(single, loss_and_gradient(model, loss, x, labels), tolerance=1e-5)
