"""What layers remember of a batch does not go into copies and pickles, nor stay after predict."""

import copy
import pickle

import numpy as np
import pytest

from nnscratch import (
    SGD,
    Adam,
    Chain,
    Dense,
    Dropout,
    Flatten,
    Layer,
    Parameter,
    ReLU,
    Sequential,
    SoftmaxCrossEntropy,
    check_layer,
    check_model,
    evaluate,
    fit,
)

COPIES = [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model)), lambda model: model.astype(np.float64)]
each_copy = pytest.mark.parametrize("clone", COPIES, ids=["deepcopy", "pickle", "astype"])


class Hoarder(Layer):
    """It remembers in every way that people write, and keeps a table for good."""

    def __init__(self):
        self.table, self.x, self.cache, self.steps, self.count = np.arange(4.0), None, {}, [], 0

    def forward(self, x):
        self.x, self.late, self.count = x, (x, [x]), self.count + 1
        self.cache["x"] = x
        self.steps.append(x)
        return x + self.table.astype(x.dtype)

    def backward(self, dy):
        return dy


class Tempered(Sequential):
    def __init__(self, layers, temperature):
        super().__init__(layers)
        self.temperature, self.table = temperature, np.ones(3)

    def forward(self, x, training=False):
        return super().forward(x, training) / self.temperature


def network():
    return Sequential([Flatten(), Hoarder(), Chain([Dense(4, 4, rng=0), ReLU()]), Dropout(0.5, rng=0),
                       Dense(4, 3, rng=1)])  # fmt: skip


def size(model):
    return len(pickle.dumps(model))


@pytest.mark.parametrize("use", [
    lambda model, x: model.predict(x),
    lambda model, x: model.forward(x, training=True),
    lambda model, x: evaluate(model, SoftmaxCrossEntropy(), x, np.zeros(len(x), int)),
], ids=["predict", "forward", "evaluate"])  # fmt: skip
def test_a_pickle_is_as_small_as_before_the_model_was_used(use, rng):
    model = network()
    before = size(model)
    use(model, rng.random((1000, 2, 2)).astype(np.float32))
    assert size(model) < before + 200  # a shape or two
    assert size(copy.deepcopy(model)) < before + 200


def test_predict_takes_nothing_away_that_training_made(rng):
    """A running mean that begins with the first batch is lost in a copy, but not by looking at validation data."""

    class Lazy(ReLU):
        mean = None

        def forward(self, x):
            if self.training:
                self.mean = x.mean(axis=0) if self.mean is None else 0.9 * self.mean + 0.1 * x.mean(axis=0)
            return super().forward(x)

    model = Sequential([Dense(4, 4, rng=0), Lazy(), Dense(4, 3, rng=0)])
    x, y = rng.random((20, 4)).astype(np.float32), rng.integers(0, 3, 20)
    fit(model, SoftmaxCrossEntropy(), SGD(model), x, y, validation_data=(x, y), verbose=0)
    mean = model.layers[1].mean.copy()
    model.predict(x)
    assert (model.layers[1].mean == mean).all()


def test_after_predict_every_layer_is_in_the_mode_that_the_model_is_in(rng):
    model, x = network(), rng.random((5, 2, 2)).astype(np.float32)
    model.forward(x, training=True)
    assert all(layer.training for layer in model.all_layers)
    model.predict(x)
    assert not any(layer.training for layer in model.all_layers)


def test_predict_leaves_no_array_behind(rng):
    model = network()
    model.predict(rng.random((50, 2, 2)).astype(np.float32))
    hoarder, chain = model.layers[1], model.layers[2]
    assert (hoarder.x, hoarder.cache, hoarder.steps, hoarder.count) == (None, {}, [], 0)
    assert not hasattr(hoarder, "late")
    assert not hasattr(chain.layers[0], "x")
    assert hoarder.table.tolist() == [0, 1, 2, 3]


@each_copy
def test_what_was_made_in_init_comes_along_and_what_a_model_was_given_later(clone, rng):
    model = Tempered([Hoarder(), Dense(4, 3, rng=0)], 2.0)
    x = rng.random((5, 4)).astype(np.float32)
    expected = model.predict(x)
    model.note = "mine"
    twin = clone(model)
    assert isinstance(twin, Tempered)
    assert (twin.temperature, twin.note, twin.table.tolist()) == (2.0, "mine", [1, 1, 1])
    np.testing.assert_allclose(twin.predict(x), expected, rtol=1e-6)
    assert not np.shares_memory(twin.theta, model.theta)
    twin.theta += 1
    assert (twin.layers[1].b.value == 1).all()
    assert (model.layers[1].b.value == 0).all()
    with pytest.raises(AssertionError, match=r"2 times the slope"):  # its backward forgets the temperature
        check_model(model, SoftmaxCrossEntropy(), x, [0, 1, 2, 0, 1])


@each_copy
def test_a_copied_model_can_be_trained_and_copied_again(clone, rng):
    x, y = rng.random((20, 2, 2)).astype(np.float32), rng.integers(0, 3, 20)
    model = network()
    model.needs_dx = True
    model.forward(x, training=True)
    twin = clone(clone(model))
    fit(twin, SoftmaxCrossEntropy(), Adam(twin), x, y, verbose=0)
    assert (twin.theta != model.theta).any()
    assert twin.backward(twin.forward(x)).shape == x.shape


def test_a_shallow_copy_shares_everything():
    model = network()
    twin = copy.copy(model)
    assert twin.layers is model.layers
    twin.theta += 1
    assert (model.layers[4].b.value == 1).all()
    assert np.shares_memory(twin.theta, model.parameters[0].value)


def test_evaluate_leaves_no_trace_in_the_loss(rng):
    model, loss = Sequential([Dense(4, 3, rng=0)]), SoftmaxCrossEntropy()
    x, y = rng.random((6, 4)).astype(np.float32), rng.integers(0, 3, 6)
    loss.forward(model.forward(x), y)
    expected = loss.backward()
    evaluate(model, loss, rng.random((9, 4)), rng.integers(0, 3, 9))
    np.testing.assert_array_equal(loss.backward(), expected)


# ---- The recipe for running statistics ----


class BatchNorm(Layer):
    """y = gain (x - mean) / sqrt(variance + 1e-5) + shift, per column: of the batch, or in prediction of what training
    has seen, as running means. Ioffe & Szegedy 2015. The statistics are Parameters that nobody trains."""

    def __init__(self, n, momentum=0.9):
        self.gain, self.shift = Parameter(np.ones(n)), Parameter(np.zeros(n))
        self.mean, self.variance, self.momentum = Parameter(np.zeros(n)), Parameter(np.ones(n)), momentum
        self.mean.decays = self.variance.decays = False

    def forward(self, x):
        mean, variance = self.mean.value, self.variance.value
        if self.training:
            mean, variance = x.mean(axis=0), x.var(axis=0)
            self.mean.value = self.momentum * self.mean.value + (1 - self.momentum) * mean
            self.variance.value = self.momentum * self.variance.value + (1 - self.momentum) * variance
        self.scale = self.gain.value / np.sqrt(variance + 1e-5)
        self.normal = (x - mean) / np.sqrt(variance + 1e-5)
        return self.normal * self.gain.value + self.shift.value

    def backward(self, dy):
        self.gain.grad, self.shift.grad = (dy * self.normal).sum(axis=0), dy.sum(axis=0)
        self.mean.grad, self.variance.grad = np.zeros_like(self.mean.grad), np.zeros_like(self.variance.grad)
        if not self.training:
            return dy * self.scale
        return self.scale * (dy - dy.mean(axis=0) - self.normal * (dy * self.normal).mean(axis=0))


def normalised(seed=0):
    return Sequential([Dense(4, 5, rng=seed), BatchNorm(5), ReLU(), Dense(5, 3, rng=seed)])


@pytest.mark.parametrize("optimizer", [lambda m: Adam(m, 0.01, weight_decay=0.5), lambda m: SGD(m, 0.1, 0.9, 0.5)])
def test_running_statistics_are_left_alone_by_the_optimizer(optimizer, rng):
    model = normalised()
    x, y = (3 + 2 * rng.standard_normal((64, 4))).astype(np.float32), rng.integers(0, 3, 64)
    norm, step, loss = model.layers[1], optimizer(model), SoftmaxCrossEntropy()
    for _ in range(20):
        loss.forward(model.forward(x, training=True), y)
        model.backward(loss.backward())
        before = norm.mean.value.copy(), norm.variance.value.copy(), norm.gain.value.copy()
        step.step()
        assert (norm.mean.value == before[0]).all()
        assert (norm.variance.value == before[1]).all()
        assert (norm.gain.value != before[2]).any()
    h = model.layers[0].forward(x)
    np.testing.assert_allclose(norm.mean.value, h.mean(axis=0), rtol=0.5, atol=0.5)


def test_running_statistics_are_saved_and_restored_with_the_rest(tmp_path, rng):
    x, y = (3 + rng.standard_normal((64, 4))).astype(np.float32), rng.integers(0, 3, 64)
    model, other = normalised(), normalised(1)
    fit(model, SoftmaxCrossEntropy(), Adam(model), x, y, epochs=3, verbose=0)
    assert (model.layers[1].mean.value != 0).all()
    model.save_weights(tmp_path / "w.npz")
    other.load_weights(tmp_path / "w.npz")
    assert other.predict(x).tobytes() == model.predict(x).tobytes()
    assert model.predict(x)[:5] == pytest.approx(model.predict(x[:5]), rel=1e-5)  # whoever is predicted beside them


def test_and_pass_the_check_of_a_model(rng):
    model = normalised()
    for training in (True, False):
        model.forward(rng.standard_normal((6, 4)), training=training)
    report = check_model(model, SoftmaxCrossEntropy(), rng.standard_normal((6, 4)), rng.integers(0, 3, 6))
    assert report.largest_error < 1e-7


def test_a_check_of_a_layer_that_was_used_on_many_rows_is_not_slow(rng):
    layer = Sequential([Dense(784, 50, rng=0)]).layers[0]
    layer.forward(rng.random((5000, 784)).astype(np.float32))
    assert check_layer(layer, rng.random((3, 784))).largest_error < 1e-7
