"""300 steps on real digits follow Keras. ``record_keras.py`` recorded what Keras computed."""

import json
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from datasets import mnist
from nnscratch import (
    SGD,
    Adam,
    CrossEntropy,
    Dense,
    Dropout,
    ReLU,
    Sequential,
    Sigmoid,
    Softmax,
    SoftmaxCrossEntropy,
    SparseCrossEntropy,
)
from nnscratch.metrics import one_hot

RECORD = Path(__file__).parent / "keras_record.json"
STEPS, BATCH_SIZE = 300, 32


class Run(NamedTuple):
    """What is trained: ReLU, and Dropout if there is a rate, behind every Dense but the last. Names as in Keras."""

    sizes: tuple[int, ...]
    output: type
    optimizer: type
    arguments: dict[str, float]
    smoothing: float = 0.0
    dropout: float = 0.0


ARCHITECTURES = {
    "one-layer": Run((784, 10), Sigmoid, Adam, {}),
    "hidden": Run((784, 100, 10), Sigmoid, Adam, {}),
    "two-hidden": Run((784, 128, 64, 10), Softmax, Adam, {}),
}
VARIANTS = {
    "SGD with momentum": Run((784, 32, 10), Sigmoid, SGD, {"learning_rate": 0.03, "momentum": 0.9}),
    "SGD with weight decay": Run((784, 32, 10), Softmax, SGD, {"learning_rate": 0.1, "weight_decay": 0.01}),
    "Adam with weight decay": Run((784, 32, 10), Sigmoid, Adam, {"weight_decay": 0.1}),
    "distributions as labels": Run((784, 32, 10), Softmax, Adam, {}, smoothing=0.1),
    "dropout": Run((784, 64, 32, 10), Softmax, Adam, {}, dropout=0.5),
}

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


def digits(smoothing):
    """The batches: 300 times 32 training digits, in their order, scaled in float64.

    With smoothing, a label is a distribution: so much of it is spread over all ten digits.
    """
    (x, y), _ = mnist.load_sample()
    x, y = x.reshape(-1, 784) / 255.0, y.astype(int)
    if smoothing:
        y = (1 - smoothing) * one_hot(y, 10, np.float64) + smoothing / 10
    for start in range(0, STEPS * BATCH_SIZE, BATCH_SIZE):
        yield x[start : start + BATCH_SIZE], y[start : start + BATCH_SIZE]


def fingerprint(weights):
    """A few numbers that no different weights would share: mean and mean square of each array."""
    return [[float(np.mean(w)), float(np.mean(np.square(w)))] for w in weights]


def train(run, last, loss, dtype):
    """(the losses of all steps, the model) of one run, with ``last`` behind its last Dense."""
    *hidden, ends = pairwise(run.sizes)
    layers = []
    for n_in, n_out in hidden:
        layers += [Dense(n_in, n_out, dtype=dtype), ReLU()]
        layers += [Dropout(run.dropout, rng=n_out)] if run.dropout else []
    model = Sequential([*layers, Dense(*ends, dtype=dtype), *last])
    model.set_weights(list(initial_weights(run.sizes)))
    optimizer = run.optimizer(model, **run.arguments)
    losses = []
    for x, y in digits(run.smoothing):
        losses.append(loss.forward(model.forward(x, training=True), y))
        model.backward(loss.backward())
        optimizer.step()
    return np.array(losses), model


def record(backend, name):
    recorded = json.loads(RECORD.read_text())[backend][name]
    assert len(recorded["losses"]) == STEPS
    return recorded


def assert_same_trajectory(losses, model, keras):
    assert np.abs(losses - keras["losses"]).max() < 1e-12
    np.testing.assert_allclose(fingerprint(model.get_weights()), keras["weights"], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(("name", "run"), (ARCHITECTURES | VARIANTS).items(), ids=ARCHITECTURES | VARIANTS)
def test_variant_b_follows_keras_on_jax(name, run):
    loss = CrossEntropy() if run.smoothing else SparseCrossEntropy()
    losses, model = train(run, [run.output()], loss, np.float64)
    assert_same_trajectory(losses, model, record("jax float64", name))


@pytest.mark.parametrize(("name", "run"), ARCHITECTURES.items(), ids=ARCHITECTURES)
def test_variant_a_follows_keras_on_tensorflow(name, run):
    losses, model = train(run._replace(arguments=BINARY_ADAM), [], SoftmaxCrossEntropy(), np.float64)
    assert_same_trajectory(losses, model, record("tensorflow float64", name))


@pytest.mark.parametrize(("name", "run"), ARCHITECTURES.items(), ids=ARCHITECTURES)
def test_variant_a_follows_keras_on_tensorflow_in_float32(name, run):
    losses, _ = train(run._replace(arguments=BINARY_ADAM), [], SoftmaxCrossEntropy(), np.float32)
    # float32 resolves 1.2e-7 near 1: some ten roundings of difference over the 300 steps.
    np.testing.assert_allclose(losses, record("tensorflow float32", name)["losses"], rtol=2e-6, atol=2e-6)
