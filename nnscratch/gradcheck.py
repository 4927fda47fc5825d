"""Gradient checks: is ``backward`` really the derivative of ``forward``?

Each check works in float64 on a copy: it nudges one number at a time, watches the outputs move, and compares this slope
of sum(dy * outputs) with what ``backward(dy)`` says. dy is random: with a dy of ones many wrong gradients look right
(that of Softmax is 0 then). Near a kink, such as ReLU at 0, smaller steps are taken; on one, the inputs are moved by
up to 0.001. All checks return a ``Report`` and raise GradientError when a relative error exceeds 1e-7.
"""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nnscratch.initializers import Rng
from nnscratch.layers import Layer, find
from nnscratch.losses import Loss
from nnscratch.model import Sequential
from nnscratch.parameter import Array

TOLERANCE = 1e-7  # relative error; right gradients are around 1e-10, wrong ones 1e-4 and worse
SAMPLE = 100  # entries checked of an array that has more
STEPS = (1e-3, 1e-4, 1e-5, 1e-6)  # the first over which the function is smooth is used
ROUNDING = 16 * 2.0**-52  # relative error allowed to a sum of products in float64

Named = list[tuple[str, Array]]
Run = Callable[[Array], tuple[Any, Callable[[Array], list[Any]]]]  # x -> outputs, (dy -> gradients)


class GradientError(AssertionError):
    """A gradient is wrong."""


class _KinkError(Exception):
    """The function has no derivative here."""


@dataclass(frozen=True)
class Row:
    """The worst entry of one array: what backward says, the slope that was measured, and their relative error."""

    name: str
    shape: tuple[int, ...]
    checked: int
    entry: list[int]
    backward: float
    slope: float
    error: float

    def __str__(self) -> str:
        line = f"{self.name:<16}{self.shape!s:<16}{self.checked:>7}{self.error:>16.1e}  "
        if self.error <= TOLERANCE:
            return line + "right"
        hint = " (added to the old gradient, not written over it?)" if math.isnan(self.backward) else ""
        says = f"backward says {self.backward:.9g}{hint}, the slope is {self.slope:.9g}"
        return f"{line}WRONG\n    {self.name}{self.entry}: {says}"


@dataclass(frozen=True)
class Report:
    """The result of a check; printed, it is a table."""

    subject: str
    rows: list[Row]

    @property
    def largest_error(self) -> float:
        return float(np.max([row.error for row in self.rows]))  # NaN if any is

    def __str__(self) -> str:
        head = f"{'gradient':<16}{'shape':<16}{'checked':>7}{'relative error':>16}"
        return "\n".join([self.subject, head, *map(str, self.rows)])


def check_layer(layer: Layer, x: ArrayLike, *, rng: Rng = 0) -> Report:
    """Check dx and the gradient of every parameter of a layer, in training mode, at the inputs x (N, ...).

    Also that forward does not write into x, nor backward into dy, nor adds to the gradients that were there before.
    """
    rng = _independent(rng)
    layer = layer.astype(np.float64)
    layer.needs_dx = True
    for each in find(Layer, layer):
        each.training = True
    for p in layer.parameters:
        p.value += 0.1 * rng.standard_normal(p.value.shape)  # gains of 1 and biases of 0 hide mistakes

    def run(x: Array) -> tuple[Any, Callable[[Array], list[Any]]]:
        twin, given = copy.deepcopy(layer), x.copy()  # with its generator: what is random is the same in each run
        y = twin.forward(given)
        _unchanged(f"{layer!r}: forward", "x", given, x)

        def backward(dy: Array) -> list[Any]:
            for p in twin.parameters:
                p.grad[...] = np.nan
            given = dy.copy()
            dx = twin.backward(given)
            _unchanged(f"{layer!r}: backward", "dy", given, dy)
            return [dx, *(p.grad for p in twin.parameters)]

        return y, backward

    return _check(repr(layer), run, x, ["dx"], [(f"d{p.name}", p.value) for p in layer.parameters], rng)


def check_loss(loss: Loss, outputs: ArrayLike, labels: ArrayLike, *, rng: Rng = 0) -> Report:
    """Check that ``loss.backward()`` is the gradient of the very number that ``loss.forward`` returns."""

    def run(outputs: Array) -> tuple[Any, Callable[[Array], list[Any]]]:
        twin = copy.deepcopy(loss)
        return twin.forward(outputs, labels), lambda dy: [dy * twin.backward()]

    return _check(repr(loss), run, outputs, ["doutputs"], [], _independent(rng))


def check_model(model: Sequential, loss: Loss, x: ArrayLike, labels: ArrayLike, *, rng: Rng = 0) -> Report:
    """Check d loss / d theta: every parameter of a model, through all its layers and the loss."""
    model = model.astype(np.float64)

    def run(x: Array) -> tuple[Any, Callable[[Array], list[Any]]]:
        twin, twin_loss = copy.deepcopy((model, loss))
        value = twin_loss.forward(twin.forward(x, training=True), labels)

        def backward(dy: Array) -> list[Any]:
            twin.grad[:] = np.nan
            twin.backward(dy * twin_loss.backward())
            return [p.grad for p in twin.parameters]

        return value, backward

    parameters = [(f"layer {i} d{p.name}", p.value) for i, la in enumerate(model.layers) for p in la.parameters]
    return _check(f"{model!r}, {loss!r}", run, x, [], parameters, _independent(rng))


def _independent(rng: Rng) -> np.random.Generator:
    return np.random.default_rng(rng).spawn(1)[0]  # not the stream that x itself may come from, with the same seed


def _unchanged(method: str, name: str, now: Array, before: Array) -> None:
    if not np.array_equal(now, before):
        raise GradientError(f"{method} changed its argument {name}: work on a new array, or on a copy")


def _check(
    subject: str, run: Run, x: ArrayLike, inputs: list[str], parameters: Named, rng: np.random.Generator
) -> Report:
    """Compare the gradients of x, if it has a name among inputs, and of the parameters, where ``run`` is smooth."""
    x = np.array(x, np.float64)
    if not np.isfinite(x).all() or not (inputs or parameters):
        raise ValueError(
            f"{subject}: expected finite inputs and something to differentiate, got NaN, infinity or nothing"
        )
    for _ in range(10):
        try:
            report = Report(subject, _compare(run, x, [(name, x) for name in inputs] + parameters, rng))
        except _KinkError:
            x = x + 1e-3 * rng.random(x.shape)
            continue
        if not report.largest_error <= TOLERANCE:
            raise GradientError(str(report))
        return report
    raise GradientError(f"{subject}: expected inputs near which the gradient exists, got none in 10 tries")


def _compare(run: Run, x: Array, arrays: Named, rng: np.random.Generator) -> list[Row]:
    y, backward = run(x)
    dy = rng.standard_normal(np.shape(y))
    worst = []
    for (name, array), gradient in zip(arrays, backward(dy), strict=True):
        if np.shape(gradient) != array.shape:
            raise GradientError(f"{name}: expected shape {array.shape}, got {np.shape(gradient)}")
        entries = rng.permutation(array.size)[:SAMPLE]
        rows = []
        for i in entries:
            slope, noise = _slope(lambda: np.array(run(x)[0]), array.reshape(-1), int(i), dy)
            found = float(np.ravel(gradient)[i])
            # What is smaller than the noise of the measured slope can only be right to that noise.
            error = abs(found - slope) / max(abs(found), abs(slope), noise / TOLERANCE, 1e-300)
            place = [int(k) for k in np.unravel_index(i, array.shape)]
            rows.append(Row(name, array.shape, len(entries), place, found, slope, error))
        worst.append(max(rows, key=lambda row: (math.isnan(row.error), row.error)))
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
