"""Gradient checks: is ``backward`` really the derivative of ``forward``?

Each check works in float64 on a copy: it nudges one number at a time, watches the outputs move, and compares this slope
of sum(dy * outputs) with what ``backward(dy)`` says. dy is random: with a dy of ones many wrong gradients look right
(that of Softmax is 0 then). Near a kink, such as ReLU at 0, smaller steps are taken; on one, the inputs are moved by
up to 0.001. All checks return a ``Report`` and raise GradientError when a relative error exceeds 1e-7; where a mistake
has a name, the error says it.
"""

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from nnscratch.contract import (
    KEPT,
    GradientError,
    backward_alone,
    check_contract,
    check_found,
    forward_alone,
    loss_alone,
    names_of_gradients,
)
from nnscratch.diagnosis import diagnose
from nnscratch.initializers import Rng
from nnscratch.layers import Layer, find
from nnscratch.losses import Loss
from nnscratch.model import Sequential
from nnscratch.parameter import Array, Parameter, expect_kind

TOLERANCE = 1e-7  # relative error; right gradients are around 1e-10, wrong ones 1e-4 and worse
SAMPLE = 100  # entries checked of an array that has more
STEPS = (1e-3, 1e-4, 1e-5, 1e-6)  # the first over which the function is smooth is used
ROUNDING = 16 * 2.0**-52  # relative error allowed to a sum of products in float64


class _KinkError(Exception):
    """The function has no derivative here."""


class Row(NamedTuple):
    """The result for one array: the relative error of its worst entry, and, where it is wrong, what is known of it."""

    name: str
    shape: tuple[int, ...]
    checked: int
    error: float
    details: str

    @property
    def right(self) -> bool:
        return self.error <= TOLERANCE


class Report(NamedTuple):
    """The result of a check; printed, it is a table."""

    subject: str
    rows: list[Row]
    note: str = ""

    @property
    def largest_error(self) -> float:
        return max(row.error for row in self.rows)

    def __str__(self) -> str:
        lines = [self.subject, f"{'gradient':<16}{'shape':<16}{'checked':>7}{'relative error':>16}"]
        for row in self.rows:
            verdict = "right" if row.right else f"WRONG\n    {row.details}"
            lines.append(f"{row.name:<16}{row.shape!s:<16}{row.checked:>7}{row.error:>16.1e}  {verdict}")
        return "\n".join([*lines, self.note] if self.note else lines)


def check_layer(layer: Layer, x: ArrayLike, *, rng: Rng = 0) -> Report:
    """Check dx and the gradient of every parameter of a layer, in training mode, at the inputs x (N, ...).

    Also what else a layer promises: that forward does not write into x, nor backward into dy, nor adds to gradients
    that were there before; that two calls agree; that the batch size may change, and each row twice gives each result
    twice; that float32 stays float32; that backward without a forward is refused; that each Parameter is found.
    """
    if not isinstance(layer, Layer):
        raise TypeError(f"expected a layer such as Dense(4, 3), got {layer!r}: create one, of a class that is a Layer")
    layer, rng = layer.astype(np.float64), _independent(rng)
    check_found(layer)
    for each in find(Layer, layer):
        each.training = each.needs_dx = True
    for p in layer.parameters:
        p.value += 0.1 * rng.standard_normal(p.value.shape)  # gains of 1 and biases of 0 hide mistakes
    names = ["dx", *names_of_gradients(layer)]
    report = _check(
        layer, forward_alone, lambda twin, dy: [backward_alone(twin, dy)], lambda twin: twin.parameters, x, names, rng
    )
    _expect_right(report)
    check_contract(layer, np.asarray(x, np.float64), rng)
    return report._replace(note=KEPT)


def check_loss(loss: Loss, outputs: ArrayLike, labels: ArrayLike, *, rng: Rng = 0) -> Report:
    """Check that ``loss.backward()`` is the gradient of the very number that ``loss.forward`` returns."""
    expect_kind(Loss, loss, "a loss such as SparseCrossEntropy()")
    report = _check(
        loss, lambda twin, x: loss_alone(twin, x, labels), lambda twin, dy: [dy * twin.backward()], lambda twin: [],
        outputs, ["doutputs"], _independent(rng),
    )  # fmt: skip
    return _expect_right(report)


def check_model(model: Sequential, loss: Loss, x: ArrayLike, labels: ArrayLike, *, rng: Rng = 0) -> Report:
    """Check d loss / d theta: every parameter of a model, through all its layers, of the loss that ``fit`` prints."""
    expect_kind(Sequential, model, "a model such as Sequential([Dense(784, 10)])")
    expect_kind(Loss, loss, "a loss such as SparseCrossEntropy()")
    model = model.astype(np.float64)

    def forward(twins: Any, x: Array) -> Any:
        return loss_alone(twins[1], twins[0].forward(x, training=True), labels)

    def backward(twins: Any, dy: Array) -> list[Any]:
        twins[0].backward(dy * twins[1].backward())
        return []

    names = [f"layer {i} {name}" for i, layer in enumerate(model.layers) for name in names_of_gradients(layer)]
    report = _check((model, loss), forward, backward, lambda twins: twins[0].parameters, x, names, _independent(rng))
    wrong = [int(row.name.split()[1]) for row in report.rows if not row.right]
    right = [int(row.name.split()[1]) for row in report.rows if row.right]
    if wrong and max(wrong) < min(right, default=len(model.layers)):
        suspects = f"the dx of layers {max(wrong) + 1} to {min(right)}" if right else "the loss, with check_loss,"
        suspects += "" if right else f" and the dx of the layers after layer {max(wrong)}"
        report = report._replace(note=f"all gradients up to layer {max(wrong)} are wrong: look at {suspects}")
    return _expect_right(report)


def _independent(rng: Rng) -> np.random.Generator:
    return np.random.default_rng(rng).spawn(1)[0]  # not the stream that x itself may come from, with the same seed


def _expect_right(report: Report) -> Report:
    if not report.largest_error <= TOLERANCE:
        raise GradientError(str(report))
    return report


def _check(
    subject: Any, forward: Callable[[Any, Array], Any], backward: Callable[[Any, Array], list[Any]],
    parameters: Callable[[Any], list[Parameter]], x: ArrayLike, names: list[str], rng: np.random.Generator,
) -> Report:  # fmt: skip
    """Check what backward returns, which is [dx] or [], and then the gradients of the parameters."""
    x = np.array(x, np.float64)
    if not np.isfinite(x).all() or not names:
        raise ValueError(
            f"{subject}: expected finite inputs and something to differentiate, got NaN, infinity or nothing: look at "
            "the inputs, and at the model's parameters"
        )

    def outputs() -> Any:
        # A copy, with its generators: what is random is the same each time. A copy of y too: it may be a view of x.
        return np.array(forward(copy.deepcopy(subject), x))

    if not np.array_equal(outputs(), outputs()):
        raise GradientError(
            f"{subject}: expected two copies to have the same outputs, got others: draw random numbers from a "
            "generator kept in self, and keep what is not a number out of the outputs"
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
            rows = [_compare(*each, outputs, dy, len(x), rng) for each in zip(names, arrays, gradients, strict=True)]
        except _KinkError:
            x += 1e-3 * rng.random(x.shape)
            continue
        return Report(str(subject), rows)
    raise GradientError(
        f"{subject}: expected inputs near which the gradient exists, got none in 10 tries: is it smooth, and does it "
        "keep float64?"
    )


def _compare(
    name: str, array: Array, gradient: Any, outputs: Callable[[], Any], dy: Array, n: int, rng: np.random.Generator
) -> Row:
    """Compare some entries of one array's gradient with the slopes of the outputs; tell of the worst of them."""
    if np.shape(gradient) != array.shape:
        hint = ": it looks transposed" if np.shape(gradient) == array.shape[::-1] else ""
        raise GradientError(f"{name}: expected shape {array.shape}, got {np.shape(gradient)}{hint}")
    entries = rng.permutation(array.size)[:SAMPLE]
    found = np.ravel(gradient)[entries]
    slopes, noise = np.transpose([_slope(outputs, array.reshape(-1), int(i), dy) for i in entries])
    # What is smaller than the noise of the measured slope can only be right to that noise.
    scale = np.maximum.reduce([np.abs(found), np.abs(slopes), noise / TOLERANCE, np.full(len(entries), 1e-300)])
    errors = np.nan_to_num(np.abs(found - slopes) / scale, nan=np.inf)  # nothing is worse than NaN
    worst, details = int(errors.argmax()), ""
    if not errors[worst] <= TOLERANCE:
        place = [int(k) for k in np.unravel_index(entries[worst], array.shape)]
        wrong = np.count_nonzero(errors > TOLERANCE)
        details = f"{name}{place}: backward says {found[worst]:.9g}, the slope is {slopes[worst]:.9g} "
        details += f"({wrong} of {len(entries)} entries wrong)"
        hint = diagnose(found, np.where(np.abs(slopes) > noise, slopes, 0), np.asarray(gradient), entries, dy, n)
        details += f"\n    {name}: {hint}" if hint else ""
    return Row(name, array.shape, len(entries), float(errors[worst]), details)


def _slope(outputs: Callable[[], Array], flat: Array, i: int, dy: Array) -> tuple[float, float]:
    """d sum(dy * outputs) / d flat[i], by central differences of fourth order, and its rounding noise."""
    here, y = flat[i], outputs()
    for step in STEPS:
        h, values = step * max(1.0, abs(here)), []
        try:
            for k in (-2, -1, 1, 2):
                flat[i] = here + k * h
                values.append(outputs())
        except ValueError:  # the step left the function's domain: a score below 0
            continue
        finally:
            flat[i] = here
        far_left, left, right, far_right = values
        rounding = ROUNDING * np.max(np.abs([y, *values]), axis=0)
        # The second differences over 2h and over h stand 4 to 1 where the function is smooth, 2 to 1 on a kink. The
        # first ones stand 2 to 1, but not on a jump, or where the function bends within the step.
        rise = far_right - far_left
        bend = (far_right - 2 * y + far_left) - 4 * (right - 2 * y + left)
        twist = rise - 2 * (right - left)
        smooth = np.abs(bend) <= 1e-7 * np.abs(rise) + 4 * rounding
        if np.all(smooth & (np.abs(twist) <= 1e-4 * np.abs(rise) + 4 * rounding)):
            slope = (8 * (right - left) - rise) / (12 * h)
            noise = np.abs(dy) * rounding / h
            return float(np.sum(dy * slope)), float(np.sum(noise[left != right]) + np.max(noise))
    raise _KinkError
