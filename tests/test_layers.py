import copy
import inspect

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nnscratch
from nnscratch import (
    Chain,
    Dense,
    Dropout,
    Flatten,
    Layer,
    Parameter,
    ReLU,
    Sequential,
    Sigmoid,
    Softmax,
    check_layer,
)

# Every layer of the framework, with inputs to check it at. A new Layer without a line here fails the first test.
CASES = {
    Dense: (lambda: Dense(4, 3, rng=1), (5, 4)),
    Flatten: (lambda: Flatten(), (5, 2, 3)),
    Dropout: (lambda: Dropout(0.4, rng=1), (5, 4)),
    ReLU: (lambda: ReLU(), (5, 4)),
    Sigmoid: (lambda: Sigmoid(), (5, 4)),
    Softmax: (lambda: Softmax(), (5, 4)),
}
every_layer = pytest.mark.parametrize(("make", "shape"), CASES.values(), ids=lambda c: getattr(c, "__name__", None))


def framework_classes(base):
    """Every subclass of base in the framework's modules."""
    found = set()
    for _, module in inspect.getmembers(nnscratch, inspect.ismodule):
        found |= {c for _, c in inspect.getmembers(module, inspect.isclass) if issubclass(c, base) and c is not base}
    return {c for c in found if c.__module__.startswith("nnscratch")}


def test_every_layer_is_gradient_checked():
    assert framework_classes(Layer) - {Chain, Sequential} == set(CASES)


@every_layer
def test_gradients(make, shape):
    for seed in range(5):
        x = 3 * np.random.default_rng(seed).standard_normal(shape)
        report = check_layer(make(), x, rng=seed)
        assert len(report.rows) == 1 + len(make().parameters)
        assert report.largest_error < 1e-7


@every_layer
def test_gradients_after_some_training(make, shape, rng):
    layer = make()
    for p in layer.parameters:
        p.value += rng.standard_normal(p.value.shape)
    assert check_layer(layer, rng.standard_normal(shape)).largest_error < 1e-7


@every_layer
def test_forward_and_backward_leave_their_arguments_alone(make, shape, rng):
    layer = make()
    layer.training = True
    x = rng.standard_normal(shape).astype(np.float32)
    before = x.copy()
    y = layer.forward(x)
    assert (x == before).all()
    dy = rng.standard_normal(y.shape).astype(np.float32)
    before = dy.copy()
    layer.backward(dy)
    assert (dy == before).all()


@every_layer
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_precision_is_kept(make, shape, dtype, rng):
    layer = make().astype(dtype)
    layer.training = True
    y = layer.forward(rng.standard_normal(shape).astype(dtype))
    dx = layer.backward(np.ones(y.shape, dtype))
    assert y.dtype == dx.dtype == dtype
    assert all(p.grad.dtype == dtype for p in layer.parameters)


@every_layer
def test_gradients_are_overwritten(make, shape, rng):
    layer = make()
    y = layer.forward(rng.standard_normal(shape).astype(np.float32))
    for p in layer.parameters:
        p.grad[...] = np.nan  # what was there before must not matter
    layer.backward(np.ones_like(y))
    first = [p.grad.copy() for p in layer.parameters]
    layer.backward(np.ones_like(y))
    for p, grad in zip(layer.parameters, first, strict=True):
        assert (p.grad == grad).all()


@every_layer
def test_backward_before_forward_is_refused(make, shape):
    with pytest.raises(AttributeError, match="has no attribute"):
        make().backward(np.ones((5, 3)))


@every_layer
@given(rows=st.integers(1, 7), seed=st.integers(0, 1000))
def test_a_doubled_batch_doubles_the_outputs_and_the_parameters_gradients(make, shape, rows, seed):
    if make is CASES[Dropout][0]:
        return  # its mask differs from row to row
    x = np.random.default_rng(seed).standard_normal((rows, *shape[1:]))
    layer, double = make().astype(np.float64), make().astype(np.float64)
    y, yy = layer.forward(x), double.forward(np.concatenate([x, x]))
    dy = np.random.default_rng(seed + 1).standard_normal(y.shape)
    dx, dxdx = layer.backward(dy), double.backward(np.concatenate([dy, dy]))
    np.testing.assert_allclose(yy, np.concatenate([y, y]), rtol=1e-12)
    np.testing.assert_allclose(dxdx, np.concatenate([dx, dx]), rtol=1e-12)
    for p, pp in zip(layer.parameters, double.parameters, strict=True):
        np.testing.assert_allclose(pp.grad, 2 * p.grad, rtol=1e-12, atol=1e-12)


def test_dense_says_what_it_expected():
    with pytest.raises(ValueError, match=r"expected x of shape \(N, 4\), got \(5, 3\)"):
        Dense(4, 3).forward(np.ones((5, 3)))
    with pytest.raises(ValueError, match=r"got \(5, 2, 2\): put Flatten\(\) before it"):
        Dense(4, 3).forward(np.ones((5, 2, 2)))
    with pytest.raises(ValueError, match=r"got \(4,\): x\[np.newaxis\] makes a row of one"):
        Dense(4, 3).forward(np.ones(4))
    for sizes in ((0, 3), (3, -1)):
        with pytest.raises(ValueError, match="of at least 1"):
            Dense(*sizes)
    with pytest.raises(TypeError):
        Dense(2.5, 3)


def test_dense_starts_glorot_uniform_and_with_its_own_generator():
    W = Dense(300, 100, rng=0).W.value
    limit = np.sqrt(6 / 400)
    assert 0.99 * limit < np.abs(W).max() <= limit
    assert abs(W.std() - limit / np.sqrt(3)) < 0.01 * limit
    again, other = (Dense(300, 100, rng=seed).W.value for seed in (0, 1))
    assert (W == again).all()
    assert (W != other).any()
    assert not Dense(300, 100).b.value.any()


def test_layers_start_in_float32():
    dense = Dense(3, 2)
    assert {p.value.dtype for p in dense.parameters} == {np.dtype(np.float32)}


def test_a_gradient_that_nobody_reads_is_not_computed():
    dense = Dense(2, 3)
    dense.forward(np.ones((4, 2)))
    dense.needs_dx = False
    assert dense.backward(np.ones((4, 3))) is None


def test_a_layer_with_a_method_missing():
    with pytest.raises(NotImplementedError, match=r"Layer needs a method forward\(self, x\)"):
        Layer().forward(np.ones((2, 2)))
    with pytest.raises(NotImplementedError, match=r"Layer needs a method backward\(self, dy\)"):
        Layer().backward(np.ones((2, 2)))


def test_dropping_nothing():
    layer, x = Dropout(0, rng=0), np.ones((2, 3))
    layer.training = True
    assert (layer.forward(x) == x).all()


def test_he_uniform():
    W, again = (nnscratch.initializers.he_uniform(300, 100, rng=0) for _ in range(2))
    assert (W == again).all()
    assert W.dtype == np.float32
    assert abs(W.var() - 2 / 300) < 0.02 * 2 / 300
    assert np.abs(W).max() <= np.sqrt(6 / 300)


def test_dropout_keeps_the_mean_and_is_off_in_prediction():
    x = np.ones((1000, 100), np.float32)
    layer = Dropout(0.25, rng=0)
    assert (layer.forward(x) == x).all()
    layer.training = True
    y = layer.forward(x)
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs(y.mean() - 1) < 0.01
    assert abs((y == 0).mean() - 0.25) < 0.01
    assert (layer.backward(x) == y).all()
    assert (layer.forward(x) != y).any()
    for rate in (-0.1, 1.0, 1.5, float("nan")):
        with pytest.raises(ValueError, match="expected rate in"):
            Dropout(rate)


def test_relu_takes_0_where_it_has_no_derivative():
    relu = ReLU()
    relu.forward(np.array([[-1.0, 0.0, 2.0]]))
    assert relu.backward(np.full((1, 3), 7.0)).tolist() == [[0, 0, 7]]


def test_activations_far_out():
    """No warning (the suite makes them errors), and the right digits, at both ends."""
    for dtype in (np.float32, np.float64):
        x = np.array([[-1e3, -20, 0, 20, 1e3]], dtype)
        sigmoid = Sigmoid()
        y = sigmoid.forward(x)
        exact = np.array([0, 2.0611536181902037e-09, 0.5, 1 - 2.0611536181902037e-09, 1])
        np.testing.assert_allclose(y[0], exact, rtol=1e-6 if dtype == np.float32 else 1e-15)
        slope = sigmoid.backward(np.ones_like(x))[0]
        tail = 2.0611536181902037e-09 * (1 - 2.0611536181902037e-09)
        np.testing.assert_allclose(slope, [0, tail, 0.25, tail, 0], rtol=1e-6 if dtype == np.float32 else 1e-14)
        softmax = Softmax().forward(np.array([[1e4, 0.0, -1e4]], dtype))
        assert softmax.tolist() == [[1, 0, 0]]
        assert ReLU().forward(x).tolist() == [[0, 0, 0, 20, 1000]]


class Residual(Layer):
    """y = x + inner(x), with parameters of its own in a list: what a user might write."""

    def __init__(self):
        self.inner = Dense(3, 3, rng=0)
        self.scales = [Parameter(np.ones(3)), Parameter(np.zeros(3))]
        self.dropout = Dropout(0.5, rng=0)

    def forward(self, x):
        self.x = x
        self.h = self.dropout.forward(self.inner.forward(x))
        return x * self.scales[0].value + self.h + self.scales[1].value

    def backward(self, dy):
        self.scales[0].grad = (dy * self.x).sum(axis=0)
        self.scales[1].grad = dy.sum(axis=0)
        return dy * self.scales[0].value + self.inner.backward(self.dropout.backward(dy))


def test_parameters_are_found_wherever_they_are_and_once():
    class Keeper(Layer):
        def __init__(self):
            self.a = Parameter(np.zeros(1))
            self.same = self.a
            self.named = {"b": Parameter(np.zeros(2)), "pair": (Parameter(np.zeros(3)), ReLU())}
            self.inner = Dense(1, 1)
            self.inner.parent = self  # a cycle

    assert [p.value.size for p in Keeper().parameters] == [1, 2, 3, 1, 1]


def test_attributes_that_are_not_there():
    assert not hasattr(ReLU(), "nothing")
    with pytest.raises(AttributeError, match="'Dense' object has no attribute 'weight'"):
        _ = Dense(2, 3).weight

    class Unset(Layer):
        def __repr__(self):
            return f"Unset({self.missing})"

    with pytest.raises(AttributeError, match="'Unset' object has no attribute 'missing'"):
        repr(Unset())


def test_a_copy_of_a_models_first_layer_computes_dx_again_inside_another(rng):
    first = Sequential([Dense(3, 3, rng=0)]).layers[0]
    block = Residual()
    block.inner = copy.deepcopy(first)
    assert len(check_layer(block, rng.standard_normal((4, 3))).rows) == 5
    model = Sequential([Dense(2, 3, rng=0), block])
    model.forward(np.ones((4, 2)))
    model.backward(np.ones((4, 3)))
    assert model.layers[0].W.grad.any()


def test_a_numpy_rate_keeps_float32():
    layer = Dropout(np.float64(0.2), rng=0)
    layer.training = True
    assert layer.forward(np.ones((2, 2), np.float32)).dtype == np.float32


def test_inner_layers_and_listed_parameters_are_found_checked_and_trained(rng):
    model = Sequential([Residual()])
    assert [p.name for p in model.parameters] == ["inner.W", "inner.b", "scales.0", "scales.1"]
    assert len(check_layer(Residual(), rng.standard_normal((4, 3))).rows) == 5
    block = Residual()
    model = Sequential([Dense(2, 3, rng=0), block, Dense(3, 2, rng=0)])
    assert model.theta.size == 9 + 12 + 6 + 8
    assert model.theta.dtype == np.float32  # np.ones() was float64
    model.forward(np.ones((4, 2)), training=True)
    assert block.dropout.training
    model.forward(np.ones((4, 2)))
    assert not block.dropout.training
