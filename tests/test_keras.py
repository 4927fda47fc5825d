"""300 Adam steps on real digits follow Keras. ``record_keras.py`` recorded what Keras computed."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from datasets import mnist
from nnscratch import Adam, Dense, ReLU, Sequential, Sigmoid, Softmax, SoftmaxCrossEntropy, SparseCrossEntropy

RECORD = Path(__file__).parent / "keras_record.json"
ARCHITECTURES = {"one-layer": [784, 10], "hidden": [784, 100, 10], "two-hidden": [784, 128, 64, 10]}
STEPS, BATCH_SIZE = 300, 32

# Keras on TensorFlow rounds beta_1 and beta_2 to float32 where it corrects the bias, even in float64: with 0.999 the
# first step is 7e-6 off, and losses drift apart by up to 6e-3 in 300 steps. With fractions that are exact in binary
# nothing is rounded, and what is compared is the algorithm.
BINARY_ADAM = {"learning_rate": 2.0**-10, "beta_1": 1 - 2.0**-3, "beta_2": 1 - 2.0**-10}


def initial_weights(sizes):
    """W1, b1, W2, b2 ... in float64. The biases are not zero, so that a wrong one would show."""
    rng = np.random.default_rng(7)
    for n_in, n_out in pairwise(sizes):
        limit = np.sqrt(6 / (n_in + n_out))
        yield rng.uniform(-limit, limit, (n_in, n_out))
        yield rng.uniform(-0.1, 0.1, n_out)


def digits():
    """The batches: 300 times 32 training digits, in their order, scaled in float64."""
    (x, y), _ = mnist.load_sample()
    x = x.reshape(-1, 784) / 255.0
    for start in range(0, STEPS * BATCH_SIZE, BATCH_SIZE):
        yield x[start : start + BATCH_SIZE], y[start : start + BATCH_SIZE].astype(int)


def fingerprint(weights):
    """A few numbers that no different weights would share: mean and mean square of each array."""
    return [[float(np.mean(w)), float(np.mean(np.square(w)))] for w in weights]


def train(name, last, loss, dtype, **adam):
    """(the losses of all steps, the model) of one architecture, with ``last`` behind its last Dense."""
    sizes = ARCHITECTURES[name]
    layers = []
    for n_in, n_out in pairwise(sizes):
        layers += [Dense(n_in, n_out, dtype=dtype), ReLU()]
    model = Sequential([*layers[:-1], *last])
    model.set_weights(list(initial_weights(sizes)))
    optimizer = Adam(model, **adam)
    losses = []
    for x, y in digits():
        losses.append(loss.forward(model.forward(x, training=True), y))
        model.backward(loss.backward())
        optimizer.step()
    return np.array(losses), model


def record(run, name):
    recorded = json.loads(RECORD.read_text())[run][name]
    assert len(recorded["losses"]) == STEPS
    return recorded


def assert_same_trajectory(losses, model, keras):
    assert np.abs(losses - keras["losses"]).max() < 1e-12
    np.testing.assert_allclose(fingerprint(model.get_weights()), keras["weights"], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_variant_b_follows_keras_on_jax(name):
    keras = record("jax float64", name)
    last = Softmax() if name == "two-hidden" else Sigmoid()
    losses, model = train(name, [last], SparseCrossEntropy(), np.float64)
    assert_same_trajectory(losses, model, keras)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_variant_a_follows_keras_on_tensorflow(name):
    keras = record("tensorflow float64", name)
    losses, model = train(name, [], SoftmaxCrossEntropy(), np.float64, **BINARY_ADAM)
    assert_same_trajectory(losses, model, keras)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_variant_a_follows_keras_on_tensorflow_in_float32(name):
    keras = record("tensorflow float32", name)
    losses, _ = train(name, [], SoftmaxCrossEntropy(), np.float32, **BINARY_ADAM)
    # float32 resolves 1.2e-7 near 1: some ten roundings of difference over the 300 steps.
    np.testing.assert_allclose(losses, keras["losses"], rtol=2e-6, atol=2e-6)
