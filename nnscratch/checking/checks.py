"""Gradient checks: is ``backward`` really the derivative of ``forward``?

Each check works in float64 on a copy: it moves numbers a little, watches the outputs move, and
compares this slope of sum(dy * outputs) with what ``backward(dy)`` says. dy is random: with a dy of
ones many wrong gradients look right (that of Softmax is 0 then). Near a kink, such as ReLU at 0,
smaller steps are taken; on one, the inputs are moved by up to 0.001. All checks return a ``Report``
and raise GradientError when a relative error exceeds 1e-7; where a mistake has a name, the error
says it.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

import nnscratch.checking.batches as batches
import nnscratch.checking.losses as losses
import nnscratch.checking.modes as modes
import nnscratch.checking.promises as promises
from nnscratch import guards
from nnscratch.advice import look_through
from nnscratch.blas import blas_threads
from nnscratch.checking.gradients import Subject, check_gradients
from nnscratch.checking.promises import Meant, backward_alone, forward_alone, names_of_gradients
from nnscratch.checking.report import Report
from nnscratch.checking.twins import Twin
from nnscratch.initializers import Rng
from nnscratch.layers import Layer
from nnscratch.losses import Loss
from nnscratch.model import Sequential
from nnscratch.parameter import Array, Parameter
from nnscratch.search import find


def check_layer(
    layer: Layer, x: ArrayLike, *, rng: Rng = 0, mixes_rows: bool = False,
    carries_state: bool = False, keeps_mean: bool = True, draws_in_prediction: bool = False,
    frozen: Sequence[str] = (), dx_factor: float = 1.0,
) -> Report:  # fmt: skip
    """Check dx and the gradient of every parameter of a layer, in training mode, at the inputs x
    (N, ...), and what else a layer promises: the report says what was tested.

    What is done on purpose has to be said: ``mixes_rows``, the rows of a batch depend on each other
    in prediction, too; ``carries_state``, each call changes the next one; ``keeps_mean=False``,
    prediction is not what training is on average; ``draws_in_prediction``, as Monte Carlo dropout;
    ``frozen``, the places of parameters whose gradient stays 0, such as "W"; ``dx_factor``, dx is
    the gradient times this, as in gradient reversal. All else is checked as ever.
    """
    if not isinstance(layer, Layer):
        raise TypeError(
            f"expected a layer such as Dense(4, 3), got {layer!r}: create one of a class that is "
            "a Layer"
        )
    promises.check_found(layer)
    meant = Meant(mixes_rows, carries_state, keeps_mean, draws_in_prediction, tuple(frozen))
    x, rng = finite(layer, x), independent(rng)
    with one_thread(layer, len(x)):
        small, used_up, idle = promises.at_the_start(layer, x)
        report, said = _check_layer(small, x, rng, meant, dx_factor, used_up)
    note = "also right: x, y and dy are left alone;\n" + ";\n".join(filter(None, said))
    if idle:
        note += f"\nnot trained: {', '.join(idle)}"
    return report._replace(note=note)


def _check_layer(
    small: Twin, x: Array, rng: np.random.Generator, meant: Meant, dx_factor: float, used_up: bool
) -> tuple[Report, list[str]]:
    """The report, and what else was seen to be right, of a copy in float32; ``used_up`` says that
    it has seen a batch before, so that a stale backward cannot be asked for."""
    fresh = small.twin()
    fresh.subject.set_precision(np.float64)
    layer, places = fresh.subject, named_parameters(fresh.subject, meant.frozen)
    # Gains of 1 and biases of 0 hide mistakes. Rounded, as float32 has to hold these numbers, too.
    values = [
        (p.value + 0.1 * rng.standard_normal(p.value.shape)).astype(np.float32)
        for p in layer.parameters
    ]
    used = fresh.twin()
    promises.check_calls(fresh.twin(), used, x, values, meant)
    for p, q, value in zip(layer.parameters, small.subject.parameters, values, strict=True):
        p.value = q.value = value
    subject = Subject(
        used, forward_alone, lambda layer, dy: [backward_alone(layer, dy) / dx_factor],
        lambda layer: layer.parameters, meant.carries_state,
    )  # fmt: skip
    names = ["dx", *["" if place in meant.frozen else f"d{place}" for place in places]]
    report = check_gradients(subject, x, names, rng).expect_right()
    twice, where = np.concatenate([x, x]), "where each row stands twice"
    said = [
        batches.check_ties(subject, x, rng),
        batches.at_other_rows(
            layer, len(twice), lambda: batches.check_slopes(subject, twice, names, rng, where)
        ),
        batches.check_elsewhere(subject, x[:1], names, rng, "for a single row"),
        batches.check_larger(subject, x, names, rng),
        *_check_promises(fresh, used, small, x, rng, meant),
    ]
    if not used_up:
        dy = rng.standard_normal(subject.outputs(x).shape)
        said.append(promises.check_stale(layer, used, x, dy))
    return report, said


def _check_promises(
    fresh: Twin, used: Twin, small: Twin, x: Array, rng: np.random.Generator, meant: Meant
) -> list[str]:
    """All but right gradients, of three copies: one that was never called, one that was, and one in
    float32."""
    y = forward_alone(used.rewind(), x)
    alike = not (used.drew() or meant.mixes_rows)
    dy = rng.standard_normal(y.shape)
    promises.check_frozen(used.twin().subject, x, dy, meant.frozen)
    said = []
    if not meant.carries_state:
        said += batches.check_batches(used, x, dy, alike)
        said += [
            f"{promises.CALLS - 1} other calls before change nothing",
            modes.check_rows(used.twin(), x, dy, meant),
            promises.check_unread(used.twin(), x, dy),
            batches.check_float32(small.twin(), used.twin(), x, dy, rng),
            batches.check_overflow(small.twin(), used.twin(), x, dy),
        ]
    said += modes.check_prediction(used.twin(), x, meant)
    modes.predict(small.twin(), x.astype(np.float32))  # stays float32
    return [*said, modes.check_modes(fresh.twin(), x, meant)]


def named_parameters(layer: Layer, frozen: Sequence[str]) -> list[str]:
    """The places of all parameters, which become their names; those that are frozen are among
    them."""
    found = find(Parameter, layer)
    for place, p in found:
        p.name = place
    places = [place for place, _ in found]
    for place in frozen:
        if place not in places:
            known = ", ".join(places) or "there are none"
            raise ValueError(f"frozen: expected places of parameters ({known}), got {place!r}")
    return places


def check_loss(
    loss: Loss, outputs: ArrayLike, labels: ArrayLike, *, rng: Rng = 0, mixes_rows: bool = False
) -> Report:
    """Check that ``loss.backward()`` is the gradient of the very number that ``loss.forward``
    returns, also at other numbers of rows, and what else a loss promises.

    ``mixes_rows`` says that the loss is not a mean over the rows, and is meant not to be.
    """
    guards.instance(Loss, loss, "a loss such as SparseCrossEntropy()")
    x, rng = finite(loss, outputs), independent(rng)
    fresh = Twin(loss)
    twin = fresh.twin()
    losses.check_calls(fresh.twin(), x, labels)
    report = check_gradients(losses.subject_of(twin, labels), x, ["doutputs"], rng).expect_right()
    said = [
        losses.check_rows(twin, x, labels, rng, mixes_rows),
        batches.check_larger(losses.subject_of(twin, labels), x, ["doutputs"], rng),
        losses.check_float32(twin, x, labels),
        losses.check_stale(fresh.subject),
    ]
    return report._replace(note="also right: " + ";\n".join(filter(None, said)))


def check_model(
    model: Sequential, loss: Loss, x: ArrayLike, labels: ArrayLike, *, rng: Rng = 0
) -> Report:
    """Check d loss / d theta: every parameter of a model, through all its layers, of the loss that
    ``fit`` prints."""
    guards.instance(Sequential, model, "a model such as Sequential([Dense(784, 10)])")
    guards.instance(Loss, loss, "a loss such as SparseCrossEntropy()")
    look_through(model)
    x = finite(model, x)
    names = [
        f"layer {i} {name}"
        for i, layer in enumerate(model.layers)
        for name in names_of_gradients(layer)
    ]
    if not names:
        raise nothing_to_check(model)

    def forward(both: Any, x: Array) -> Any:
        return losses.loss_alone(both[1], both[0].forward(x, training=True), labels)

    def backward(both: Any, dy: Array) -> list[Any]:
        both[0].backward(dy * both[1].backward())
        return []

    with one_thread(model, len(x)):
        twin = Twin((model, loss))
        twin.subject[0].set_precision(np.float64)
        forward(twin.subject, x)  # what it keeps of a batch will be copied: let that be this one
        subject = Subject(twin, forward, backward, lambda both: both[0].parameters)
        subject.changing = subject.outputs(x) != subject.outputs(x)
        report = check_gradients(subject, x, names, independent(rng))
    return in_which_layer(report._replace(subject=str((model, loss)))).expect_right()


def in_which_layer(report: Report) -> Report:
    """Where all gradients up to a layer are wrong, it is what comes behind that is wrong."""
    wrong = [int(row.name.split()[1]) for row in report.rows if not row.right]
    right = [int(row.name.split()[1]) for row in report.rows if row.right]
    if not wrong or (right and max(wrong) >= min(right)):
        return report
    suspects = f"the loss, with check_loss, and the dx of the layers after layer {max(wrong)}"
    if right:
        suspects = f"the dx of layers {max(wrong) + 1} to {min(right)}"
    note = f"all gradients up to layer {max(wrong)} are wrong: look at {suspects}"
    return report._replace(note=note)


# ---- The arguments ------------------------------------------------------------------------------


def finite(subject: Any, x: ArrayLike) -> Array:
    x = np.array(x, np.float64)
    if not np.isfinite(x).all() or not x.ndim:
        raise nothing_to_check(subject)
    return x


def nothing_to_check(subject: Any) -> ValueError:
    return ValueError(
        f"{subject}: expected finite inputs and something to differentiate, got NaN, infinity "
        "or nothing: look at the inputs, and at the model's parameters"
    )


def independent(rng: Rng) -> np.random.Generator:
    """Not the stream that x itself may come from, with the same seed."""
    return np.random.default_rng(rng).spawn(1)[0]


def one_thread(layer: Layer, rows: int) -> AbstractContextManager[None]:
    """Threads only cost time where products are small (see ``blas``)."""
    largest = max((p.value.size for p in layer.parameters), default=0)
    return blas_threads(rows * largest, None, 0)
