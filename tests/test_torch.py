"""Gradients of random models are those of PyTorch's autograd. ``record_torch.py`` recorded what PyTorch computes."""

import json
from pathlib import Path

import numpy as np
import pytest

from nnscratch import CrossEntropy, Dense, Dropout, Flatten, ReLU, Sigmoid, Softmax
from tests.architectures import LOSSES, random_case

RECORD = Path(__file__).parent / "torch_record.json"
SEEDS = range(24)


def case(seed):
    """(model, loss, x, labels). Every other one has weights so large that scores are clipped.

    Larger ones would saturate the layers: autograd's y (1 - y) behind a sigmoid then has fewer digits than ours.
    """
    return random_case(seed, scale=2 if seed % 2 else 1)


def fingerprint(gradient):
    """The length of a gradient and its extent in two random directions: no different gradient would share them."""
    flat = np.ravel(gradient)
    directions = np.random.default_rng(7).standard_normal((2, flat.size))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return [float(np.linalg.norm(flat)), *(directions @ flat).tolist()]


@pytest.mark.parametrize("seed", SEEDS)
def test_gradients_are_those_of_autograd(seed):
    recorded = json.loads(RECORD.read_text())["cases"][seed]
    model, loss, x, labels = case(seed)
    assert loss.forward(model.forward(x, training=True), labels) == pytest.approx(recorded["loss"], rel=1e-12)
    model.backward(loss.backward())
    for p, expected in zip(model.parameters, recorded["gradients"], strict=True):
        np.testing.assert_allclose(fingerprint(p.grad), expected, rtol=0, atol=1e-12 * expected[0], err_msg=p.name)


def test_the_cases_leave_nothing_out():
    cases = [case(seed) for seed in SEEDS]
    layers = [[type(layer) for layer in model.layers] for model, *_ in cases]
    assert set().union(*layers) == {Dense, Flatten, Dropout, ReLU, Sigmoid, Softmax}
    assert any(Softmax in each[:-2] for each in layers)
    assert {each.count(Dense) for each in layers} == {1, 2, 3, 4, 5}
    assert {type(loss) for _, loss, *_ in cases} == set(LOSSES)
    clipped = set()
    for model, loss, x, labels in cases:
        loss.forward(model.forward(x, training=True), labels)
        if isinstance(loss, CrossEntropy):
            clipped |= set(np.unique(loss.inside))
    assert clipped == {False, True}
