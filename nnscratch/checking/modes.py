"""Training and prediction: what a layer whose two modes differ promises, and other batches in both.

``check_layer`` asks for these promises last. Each function returns in words what it has seen.
"""

from functools import partial

import numpy as np

from nnscratch.checking.batches import MANY, at_other_rows
from nnscratch.checking.promises import Meant, expect, forward_alone, results, same
from nnscratch.checking.twins import Twin, set_mode
from nnscratch.parameter import Array, Parameter
from nnscratch.search import find

DRAWS = 400
SINGLE = 4  # rows, at most, that are tried alone
MOST_CALLS = 13_000  # until running statistics have settled: enough for a momentum of 0.999


def predict(twin: Twin, x: Array) -> Array:
    """y in prediction, from the generators' first state, in a fresh array."""
    set_mode(twin.subject, False)
    return forward_alone(twin.rewind(), x).copy()


def train(twin: Twin, x: Array, times: int = 1) -> Array:
    """y of a training step, after so many of them."""
    set_mode(twin.subject, True)
    for _ in range(times):
        y = twin.subject.forward(x)
    return y.copy()


def tiled(x: Array, rows: int) -> Array:
    """The batch again and again, until there are so many rows or more."""
    return np.concatenate([x] * -(-rows // len(x)))


def check_prediction(twin: Twin, x: Array, meant: Meant) -> list[str]:
    """Predictions are the same again, and those of a row alone or of many rows those of a few."""
    layer, y = twin.subject, predict(twin, x)
    if not (meant.draws_in_prediction or meant.carries_state):
        expect(
            same(forward_alone(layer, x), y, 0), layer,
            "the same y from a second call in prediction, when self.training is False", "another",
            "draw, and update statistics, in training only (draws_in_prediction=True or "
            "carries_state=True, if that is meant)",
        )  # fmt: skip
    batches = [(x[:1], y[:1]), (x[-1:], y[-1:]), (tiled(x, MANY + 1), tiled(y, MANY + 1))]
    comparable = not (meant.mixes_rows or meant.draws_in_prediction or meant.carries_state)
    for rows, expected in batches:
        got = at_other_rows(layer, len(rows), partial(predict, twin, rows))
        what = f"a batch of {len(rows)} to have y of shape {expected.shape} in prediction"
        fix = "squeeze() would take the axis of a single row away; keep the axis of the rows"
        expect(meant.mixes_rows or got.shape == expected.shape, layer, what, str(got.shape), fix)
        expect(
            not comparable or same(got, expected), layer,
            f"prediction for a row to be the same in batches of {len(rows)} and of {len(x)}",
            "another", "in prediction the rows must not depend on each other, nor on how many "
            "there are (mixes_rows=True, if that is meant)",
        )  # fmt: skip
    return [f"predictions in batches of 1, {len(x)} and {len(batches[2][0])} rows agree"
            if comparable else f"batches of 1 and {len(batches[2][0])} rows work"]  # fmt: skip


def check_rows(twin: Twin, x: Array, dy: Array, meant: Meant) -> str:
    """Training with a single row, unless the rows depend on each other while training."""
    set_mode(twin.subject, True)
    layer, first = twin.subject, forward_alone(twin.rewind(), x)[:1].copy()
    alike = forward_alone(twin.rewind(), tiled(x[:1], len(x)))[:1]
    if meant.mixes_rows or meant.carries_state or not same(alike, first):
        return ""
    for row in range(min(len(x), SINGLE)):
        one, d_one = x[row : row + 1], dy[row : row + 1]
        y, dx, *gradients = at_other_rows(layer, 1, partial(results, twin.rewind(), one, d_one))
        for (place, _), gradient in zip(find(Parameter, layer), gradients, strict=True):
            expect(
                place in meant.frozen or np.isfinite(gradient).all(), layer,
                f"all of the gradient of {place} to be written by one row, too",
                "entries that are as they were before", "set the rest of it to 0",
            )  # fmt: skip
        for name, got, like in (("y", y, d_one), ("dx", dx, one)):
            what, fix = f"{name} of shape {like.shape} of a single row", "keep that axis"
            expect(got.shape == like.shape, layer, what, str(got.shape), fix)
    return "a single row works"


def check_modes(twin: Twin, x: Array, meant: Meant) -> str:
    """Where the modes differ, prediction is what training is on average."""
    set_mode(twin.subject, True)
    y = forward_alone(twin.rewind(), x).copy()
    drew = twin.drew()
    if not meant.keeps_mean or meant.carries_state or same(y, predict(twin, x)):
        return ""
    if drew:
        return check_draws(twin, x)
    with np.errstate(all="ignore"):  # what runs away is judged by where it ends
        return check_statistics(twin, x) if len(x) > 1 and not meant.mixes_rows else ""


def check_draws(twin: Twin, x: Array) -> str:
    """The mean over the draws is the prediction; tested where y is linear in x, given a draw."""
    set_mode(twin.subject, True)
    try:
        origin, one, two = (twin.rewind().forward(k * x).copy() for k in (0, 1, -2))
    except (ValueError, AssertionError, ArithmeticError):  # not its domain
        return ""
    if not same(2 * one + two, 3 * origin + 0 * one):
        return "not tested: that the draws keep the mean, as y is not linear in x"
    y = predict(twin, x)
    set_mode(twin.subject, True)
    off = [twin.subject.forward(x) - y for _ in range(DRAWS)]
    for weight in (y, np.ones_like(y)):  # is it scaled, or shifted?
        each = np.array([float((weight * d).sum()) for d in off])
        bias, chance = each.mean(), each.std() / np.sqrt(DRAWS)
        size = float(np.abs(weight * y).sum())
        expect(
            abs(bias) <= max(6 * chance, 0.03 * size), twin.subject,
            "the mean over the draws to be the prediction", f"{1 + bias / (size or 1):.2f} of it",
            "divide what is kept by the probability to keep it (keeps_mean=False, if that is "
            "meant)",
        )  # fmt: skip
    return f"the mean over {DRAWS} draws is the prediction"


def settle(twin: Twin, x: Array, at: Array) -> Array:
    """The predictions at some rows, after training on x until they no longer change."""
    times, before = 100, predict(twin, at)
    while times < MOST_CALLS:
        train(twin, x, times)
        now = predict(twin, at)
        if np.abs(now - before).max() <= 0.002 * np.abs(now).max():
            break
        times, before = 2 * times, now
    return now


def check_statistics(twin: Twin, x: Array) -> str:
    """Trained on one batch for long, prediction knows its statistics; one batch hardly matters."""
    if x.min() < 0 < x.max():
        x = x + np.abs(x).mean()  # numbers with a mean: a second moment is no variance
    layer, many = twin.subject, tiled(x, MANY)
    before, wanted = predict(twin, x), train(twin, many)[: len(x)]
    now = settle(twin, many, x)
    size = np.abs(wanted).max()
    got = "none of it: training does not change it" if same(now, before) else "something else"
    expect(
        np.abs(now - wanted).max() <= 0.05 * size, layer,
        "prediction to become what training gives, when trained on one batch for long", got,
        "does forward update all statistics while training, and does prediction use them as they "
        "are meant, a variance as a variance? (keeps_mean=False, if it is meant to differ)",
    )  # fmt: skip
    other = np.concatenate([many, tiled(x[:1], len(many))])
    train(twin, other)
    moved = np.abs(predict(twin, x) - now).max()
    far = np.abs(settle(twin, other, x) - now).max()
    expect(
        moved <= 0.6 * far or far <= 0.01 * size, layer,
        "running statistics that one batch moves a little", f"a move of {moved / (far or 1):.0%}",
        "old statistics get the large share: momentum * old + (1 - momentum) * new",
    )  # fmt: skip
    return "running statistics lead to what training gives"
