"""Gradient checks: is ``backward`` really the derivative of ``forward``?

Each check works in float64 on a copy: it nudges one number at a time, watches the outputs move, and
compares this slope of sum(dy * outputs) with what ``backward(dy)`` says. dy is random: with a dy of
ones many wrong gradients look right (that of Softmax is 0 then). Near a kink, such as ReLU at 0,
smaller steps are taken; on one, the inputs are moved by up to 0.001. All checks return a ``Report``
and raise GradientError when a relative error exceeds 1e-7; where a mistake has a name, the error
says it.
"""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nnscratch import guards
from nnscratch.advice import look_through
from nnscratch.checking.diagnosis import diagnose
from nnscratch.checking.promises import (
    KEPT,
    backward_alone,
    check_contract,
    check_found,
    forward_alone,
    loss_alone,
    names_of_gradients,
)
from nnscratch.checking.report import TOLERANCE, GradientError, Report, Row
from nnscratch.checking.slopes import KinkError, slope
from nnscratch.initializers import Rng
from nnscratch.layers import Layer
from nnscratch.losses import Loss
from nnscratch.model import Sequential
from nnscratch.parameter import Array, Parameter
from nnscratch.search import find

SAMPLE = 100  # entries checked of an array that has more


def check_layer(layer: Layer, x: ArrayLike, *, rng: Rng = 0) -> Report:
    """Check dx and the gradient of every parameter of a layer, in training mode, at the inputs x
    (N, ...).

    Also what else a layer promises: that forward does not write into x, nor backward into dy, nor
    adds to gradients that were there before; that two calls agree; that the batch size may change,
    and each row twice gives each result twice; that float32 stays float32; that backward without a
    forward is refused; that each Parameter is found.
    """
    if not isinstance(layer, Layer):
        raise TypeError(
            f"expected a layer such as Dense(4, 3), got {layer!r}: create one of a class that is "
            "a Layer"
        )
    check_found(layer)
    layer, rng = layer.astype(np.float64), _independent(rng)
    for place, p in find(Parameter, layer):
        p.name = place
    for _, each in find(Layer, layer):
        each.training = each.needs_dx = True
    for p in layer.parameters:
        p.value += 0.1 * rng.standard_normal(
            p.value.shape
        )  # gains of 1 and biases of 0 hide mistakes
    names = ["dx", *names_of_gradients(layer)]
    report = _check(
        layer,
        forward_alone,
        lambda twin, dy: [backward_alone(twin, dy)],
        lambda twin: twin.parameters,
        x,
        names,
        rng,
    )
    report.expect_right()
    check_contract(layer, np.asarray(x, np.float64), rng)
    return report._replace(note=KEPT)


def check_loss(loss: Loss, outputs: ArrayLike, labels: ArrayLike, *, rng: Rng = 0) -> Report:
    """Check that ``loss.backward()`` is the gradient of the very number that ``loss.forward``
    returns."""
    guards.instance(Loss, loss, "a loss such as SparseCrossEntropy()")
    report = _check(
        loss, lambda twin, x: loss_alone(twin, x, labels),
        lambda twin, dy: [dy * twin.backward()], lambda twin: [], outputs, ["doutputs"],
        _independent(rng),
    )  # fmt: skip
    return report.expect_right()


def check_model(
    model: Sequential, loss: Loss, x: ArrayLike, labels: ArrayLike, *, rng: Rng = 0
) -> Report:
    """Check d loss / d theta: every parameter of a model, through all its layers, of the loss that
    ``fit`` prints."""
    guards.instance(Sequential, model, "a model such as Sequential([Dense(784, 10)])")
    guards.instance(Loss, loss, "a loss such as SparseCrossEntropy()")
    look_through(model)
    model = model.astype(np.float64)

    def forward(twins: Any, x: Array) -> Any:
        return loss_alone(twins[1], twins[0].forward(x, training=True), labels)

    def backward(twins: Any, dy: Array) -> list[Any]:
        twins[0].backward(dy * twins[1].backward())
        return []

    names = [
        f"layer {i} {name}"
        for i, layer in enumerate(model.layers)
        for name in names_of_gradients(layer)
    ]
    report = _check(
        (model, loss),
        forward,
        backward,
        lambda twins: twins[0].parameters,
        x,
        names,
        _independent(rng),
    )
    wrong = [int(row.name.split()[1]) for row in report.rows if not row.right]
    right = [int(row.name.split()[1]) for row in report.rows if row.right]
    if wrong and max(wrong) < min(right, default=len(model.layers)):
        suspects = (
            f"the dx of layers {max(wrong) + 1} to {min(right)}"
            if right
            else "the loss, with check_loss,"
        )
        suspects += "" if right else f" and the dx of the layers after layer {max(wrong)}"
        report = report._replace(
            note=f"all gradients up to layer {max(wrong)} are wrong: look at {suspects}"
        )
    return report.expect_right()


def _independent(rng: Rng) -> np.random.Generator:
    return np.random.default_rng(rng).spawn(1)[
        0
    ]  # not the stream that x itself may come from, with the same seed


def _check(
    subject: Any, forward: Callable[[Any, Array], Any],
    backward: Callable[[Any, Array], list[Any]], parameters: Callable[[Any], list[Parameter]],
    x: ArrayLike, names: list[str], rng: np.random.Generator,
) -> Report:  # fmt: skip
    """Check what backward returns, which is [dx] or [], then the gradients of the parameters."""
    x = np.array(x, np.float64)
    if not np.isfinite(x).all() or not names:
        raise ValueError(
            f"{subject}: expected finite inputs and something to differentiate, got NaN, infinity "
            "or nothing: look at the inputs, and at the model's parameters"
        )

    def outputs() -> Any:
        # A copy, with its generators: what is random is the same each time. A copy of y, too: it
        # may be a view of x.
        return np.array(forward(copy.deepcopy(subject), x))

    if not np.array_equal(outputs(), outputs()):
        raise GradientError(
            f"{subject}: expected two copies to have the same outputs, got others: draw "
            "random numbers from a generator kept in self, and keep what is not a number out of "
            "the outputs"
        )
    for _ in range(10):
        twin = copy.deepcopy(subject)
        dy = np.asarray(rng.standard_normal(np.shape(forward(twin, x))))
        for p in parameters(twin):
            p.grad[...] = np.nan  # what was there before must not matter
        gradients = backward(twin, dy)
        arrays = [x for _ in gradients] + [p.value for p in parameters(subject)]
        gradients += [p.grad for p in parameters(twin)]
        try:
            rows = [
                _compare(*each, outputs, dy, len(x), rng)
                for each in zip(names, arrays, gradients, strict=True)
            ]
        except KinkError:
            x += 1e-3 * rng.random(x.shape)
            continue
        return Report(str(subject), rows)
    raise GradientError(
        f"{subject}: expected inputs near which the gradient exists, got none in 10 tries: is it "
        "smooth, and does it keep float64?"
    )


def _compare(
    name: str,
    array: Array,
    gradient: Any,
    outputs: Callable[[], Any],
    dy: Array,
    n: int,
    rng: np.random.Generator,
) -> Row:
    """Compare some entries of one array's gradient with the slopes of the outputs; tell of the
    worst of them."""
    if np.shape(gradient) != array.shape:
        hint = ": it looks transposed" if np.shape(gradient) == array.shape[::-1] else ""
        raise GradientError(f"{name}: expected shape {array.shape}, got {np.shape(gradient)}{hint}")
    entries = rng.permutation(array.size)[:SAMPLE]
    found = np.ravel(gradient)[entries]
    slopes, noise = np.transpose([slope(outputs, array.reshape(-1), int(i), dy) for i in entries])
    # What is smaller than the noise of the measured slope can only be right to that noise.
    scale = np.maximum.reduce(
        [np.abs(found), np.abs(slopes), noise / TOLERANCE, np.full(len(entries), 1e-300)]
    )
    errors = np.nan_to_num(np.abs(found - slopes) / scale, nan=np.inf)  # nothing is worse than NaN
    worst, details = int(errors.argmax()), ""
    if not errors[worst] <= TOLERANCE:
        place = [int(k) for k in np.unravel_index(entries[worst], array.shape)]
        wrong = np.count_nonzero(errors > TOLERANCE)
        details = (
            f"{name}{place}: backward says {found[worst]:.9g}, the slope is {slopes[worst]:.9g} "
        )
        details += f"({wrong} of {len(entries)} entries wrong)"
        hint = diagnose(
            found, np.where(np.abs(slopes) > noise, slopes, 0), np.asarray(gradient), entries, dy, n
        )
        details += f"\n    {name}: {hint}" if hint else ""
    return Row(name, array.shape, len(entries), float(errors[worst]), details)
