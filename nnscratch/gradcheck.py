"""Gradient checks: is ``backward`` really the derivative of ``forward``?

Each check works in float64 on a copy: it nudges one number at a time, watches the outputs move, and compares this slope
of sum(dy * outputs) with what ``backward(dy)`` says. dy is random: with a dy of ones many wrong gradients look right
(that of Softmax is 0 then). Near a kink, such as ReLU at 0, smaller steps are taken; on one, the inputs are moved by
up to 0.001. All checks return a ``Report`` and raise GradientError when a relative error exceeds 1e-7.
"""

import copy
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from nnscratch.initializers import Rng
from nnscratch.layers import Layer, find
from nnscratch.losses import Loss
from nnscratch.model import Sequential
from nnscratch.parameter import Array, Parameter

TOLERANCE = 1e-7  # relative error; right gradients are around 1e-10, wrong ones 1e-4 and worse
SAMPLE = 100  # entries checked of an array that has more
STEPS = (1e-3, 1e-4, 1e-5, 1e-6)  # the first over which the function is smooth is used
ROUNDING = 16 * 2.0**-52  # relative error allowed to a sum of products in float64


class GradientError(AssertionError):
    """A gradient is wrong."""


class _KinkError(Exception):
    """The function has no derivative here."""


class Row(NamedTuple):
    """The result for one array: the relative error of its worst entry, and what backward and the slope say there."""

    name: str
    shape: tuple[int, ...]
    checked: int
    error: float
    worst: str


class Report(NamedTuple):
    """The result of a check; printed, it is a table."""

    subject: str
    rows: list[Row]

    @property
    def largest_error(self) -> float:
        return float(np.max([row.error for row in self.rows]))  # NaN if any is

    def __str__(self) -> str:
        lines = [self.subject, f"{'gradient':<16}{'shape':<16}{'checked':>7}{'relative error':>16}"]
        for row in self.rows:
            right = row.error <= TOLERANCE
            lines.append(
                f"{row.name:<16}{row.shape!s:<16}{row.checked:>7}{row.error:>16.1e}  {'right' if right else 'WRONG'}"
            )
            lines += [] if right else [f"    {row.worst}"]
        return "\n".join(lines)


def check_layer(layer: Layer, x: ArrayLike, *, rng: Rng = 0) -> Report:
    """Check dx and the gradient of every parameter of a layer, in training mode, at the inputs x (N, ...).

    Also that forward does not write into x, nor backward into dy, nor adds to the gradients that were there before.
    """
    layer, rng = layer.astype(np.float64), _independent(rng)
    for each in find(Layer, layer):
        each.training = each.needs_dx = True
    for p in layer.parameters:
        p.value += 0.1 * rng.standard_normal(p.value.shape)  # gains of 1 and biases of 0 hide mistakes

    def forward(twin: Layer, x: Array) -> Any:
        given = x.copy()
        y = twin.forward(given)
        if not np.array_equal(given, x):
            raise GradientError(f"{layer!r}: forward changed its argument x: work on a new array")
        return y

    def backward(twin: Layer, dy: Array) -> list[Any]:
        given = dy.copy()
        dx = twin.backward(given)
        if not np.array_equal(given, dy):
            raise GradientError(f"{layer!r}: backward changed its argument dy: work on a new array")
        return [dx]

    names = ["dx", *(f"d{p.name}" for p in layer.parameters)]
    return _check(layer, forward, backward, lambda twin: twin.parameters, x, names, rng)


def check_loss(loss: Loss, outputs: ArrayLike, labels: ArrayLike, *, rng: Rng = 0) -> Report:
    """Check that ``loss.backward()`` is the gradient of the very number that ``loss.forward`` returns."""
    return _check(
        loss, lambda twin, x: twin.forward(x, labels), lambda twin, dy: [dy * twin.backward()], lambda twin: [],
        outputs, ["doutputs"], _independent(rng),
    )  # fmt: skip


def check_model(model: Sequential, loss: Loss, x: ArrayLike, labels: ArrayLike, *, rng: Rng = 0) -> Report:
    """Check d loss / d theta: every parameter of a model, through all its layers and the loss."""
    model = model.astype(np.float64)

    def forward(twins: Any, x: Array) -> Any:
        return twins[1].forward(twins[0].forward(x, training=True), labels)

    def backward(twins: Any, dy: Array) -> list[Any]:
        twins[0].backward(dy * twins[1].backward())
        return []

    names = [f"layer {i} d{p.name}" for i, layer in enumerate(model.layers) for p in layer.parameters]
    return _check((model, loss), forward, backward, lambda twins: twins[0].parameters, x, names, _independent(rng))


def _independent(rng: Rng) -> np.random.Generator:
    return np.random.default_rng(rng).spawn(1)[0]  # not the stream that x itself may come from, with the same seed


def _check(
    subject: Any, forward: Callable[[Any, Array], Any], backward: Callable[[Any, Array], list[Any]],
    parameters: Callable[[Any], list[Parameter]], x: ArrayLike, names: list[str], rng: np.random.Generator,
) -> Report:  # fmt: skip
    """Check what backward returns, which is [dx] or [], and then the gradients of the parameters."""
    x = np.array(x, np.float64)
    if not np.isfinite(x).all() or not names:
        raise ValueError(
            f"{subject}: expected finite inputs and something to differentiate, got NaN, infinity or nothing"
        )

    def outputs() -> Any:
        # A copy, with its generators: what is random is the same each time. A copy of y too: it may be a view of x.
        return np.array(forward(copy.deepcopy(subject), x))

    for _ in range(10):
        twin = copy.deepcopy(subject)
        dy = rng.standard_normal(np.shape(forward(twin, x)))
        for p in parameters(twin):
            p.grad[...] = np.nan  # what was there before must not matter
        gradients = backward(twin, dy)
        arrays = [x for _ in gradients] + [p.value for p in parameters(subject)]
        gradients += [p.grad for p in parameters(twin)]
        try:
            rows = [_compare(*each, outputs, dy, rng) for each in zip(names, arrays, gradients, strict=True)]
        except _KinkError:
            x += 1e-3 * rng.random(x.shape)
            continue
        report = Report(str(subject), rows)
        if not report.largest_error <= TOLERANCE:
            raise GradientError(str(report))
        return report
    raise GradientError(f"{subject}: expected inputs near which the gradient exists, got none in 10 tries")


def _compare(
    name: str, array: Array, gradient: Any, outputs: Callable[[], Any], dy: Array, rng: np.random.Generator
) -> Row:
    """Compare some entries of one array's gradient with the slope of the outputs; report the worst of them."""
    if np.shape(gradient) != array.shape:
        raise GradientError(f"{name}: expected shape {array.shape}, got {np.shape(gradient)}")
    worst = Row(name, array.shape, 0, -1.0, "")
    entries = rng.permutation(array.size)[:SAMPLE]
    for i in entries:
        slope, noise = _slope(outputs, array.reshape(-1), int(i), dy)
        found = float(np.ravel(gradient)[i])
        # What is smaller than the noise of the measured slope can only be right to that noise.
        error = abs(found - slope) / max(abs(found), abs(slope), noise / TOLERANCE, 1e-300)
        if math.isnan(error) or error > worst.error:  # nothing is worse than NaN
            place = [int(k) for k in np.unravel_index(i, array.shape)]
            hint = " (added to the old gradient, not written over it?)" if math.isnan(found) else ""
            says = f"{name}{place}: backward says {found:.9g}{hint}, the slope is {slope:.9g}"
            worst = Row(name, array.shape, len(entries), error, says)
    return worst


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
        # The second differences over 2h and over h stand 4 to 1 where the function is smooth, 2 to 1 on a kink.
        bend = (far_right - 2 * y + far_left) - 4 * (right - 2 * y + left)
        if np.all(np.abs(bend) <= 1e-7 * np.abs(far_right - far_left) + 4 * rounding):
            slope = (8 * (right - left) - (far_right - far_left)) / (12 * h)
            noise = np.abs(dy) * rounding / h
            return float(np.sum(dy * slope)), float(np.sum(noise[left != right]) + np.max(noise))
    raise _KinkError
