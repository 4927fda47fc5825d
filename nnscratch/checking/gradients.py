"""Gradients against slopes: each entry of small arrays, all of a large one at once."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from nnscratch.checking.diagnosis import diagnose
from nnscratch.checking.report import DIRECTIONS, SMALL, TOLERANCE, GradientError, Report, Row
from nnscratch.checking.slopes import KinkError, slope
from nnscratch.checking.twins import Twin
from nnscratch.parameter import Array, Parameter


class Subject:
    """What is checked: how to run it, forward and back, and the arrays it depends on.

    ``forward(subject, x)`` returns y; ``backward(subject, dy)`` returns [dx], or [] where nobody
    asks for it. ``changing``: each call leaves the subject in another state, so that each has to
    start from a copy.
    """

    def __init__(
        self, twin: Twin, forward: Callable[[Any, Array], Any],
        backward: Callable[[Any, Array], list[Any]],
        parameters: Callable[[Any], list[Parameter]], changing: bool = False,
    ) -> None:  # fmt: skip
        self.twin, self.forward, self.backward = twin, forward, backward
        self.parameters, self.changing = parameters, changing

    def outputs(self, x: Array) -> Any:
        """A copy of y: it may be a view of x, or of a buffer."""
        twin = self.twin.twin() if self.changing else self.twin
        return np.array(self.forward(twin.rewind(), x))

    def gradients(self, x: Array, dy: Array) -> list[Any]:
        """What backward returns, then a copy of the gradient of each parameter."""
        subject = (self.twin.twin() if self.changing else self.twin).rewind()
        for p in self.parameters(subject):
            p.grad[...] = np.nan  # what was there before must not matter
        self.forward(subject, x)
        returned = self.backward(subject, dy)
        return [*returned, *map(gradient_of, self.parameters(subject))]

    def arrays(self, x: Array, gradients: list[Any]) -> list[Array]:
        """x, where its gradient is asked for, and the values of the parameters."""
        values = [p.value for p in self.parameters(self.twin.subject)]
        return [x] * (len(gradients) - len(values)) + values


def gradient_of(p: Parameter) -> Array:
    """A copy of its gradient, which was NaN before. That of a running statistic is 0 from the
    start, and may be left alone."""
    untouched = not p.decays and np.isnan(p.grad).all()
    return np.zeros_like(p.grad) if untouched else p.grad.copy()


def check_gradients(
    subject: Subject, x: Array, names: list[str], rng: np.random.Generator
) -> Report:
    """Compare all gradients with slopes, at x, or within a thousandth of it."""
    title = str(subject.twin.subject)
    for _ in range(10):
        y = subject.outputs(x)
        dy = rng.standard_normal(y.shape)
        gradients = subject.gradients(x, dy)
        arrays = subject.arrays(x, gradients)
        try:
            rows = [
                compare(name, array, gradient, partial(subject.outputs, x), y, dy, rng)
                for name, array, gradient in zip(names, arrays, gradients, strict=True)
                if name
            ]
        except KinkError:
            x = moved(x, rng)
            continue
        return Report(title, rows)
    raise GradientError(
        f"{title}: expected inputs near which the gradient exists, got none in 10 tries: is it "
        "smooth, and does it keep float64?"
    )


def moved(x: Array, rng: np.random.Generator) -> Array:
    """Inputs a little aside: by up to 0.001 where they are of size 1, less where they are tiny."""
    size = float(np.abs(x).max(initial=0)) or 1.0
    return x + max(1e-3 * min(1, size), 1e-7 * size) * rng.random(x.shape)


def compare(
    name: str, array: Array, gradient: Any, outputs: Callable[[], Array], y: Array, dy: Array,
    rng: np.random.Generator,
) -> Row:  # fmt: skip
    """One array's gradient and the slopes of the outputs; of a wrong one, what is wrong."""
    if np.shape(gradient) != array.shape:
        hint = ": it looks transposed" if np.shape(gradient) == array.shape[::-1] else ""
        raise GradientError(f"{name}: expected shape {array.shape}, got {np.shape(gradient)}{hint}")
    if array.size > SMALL:
        error = max(
            along(rng.standard_normal(array.shape), array, gradient, outputs, y, dy)
            for _ in range(DIRECTIONS)
        )
        if error <= TOLERANCE:
            return Row(name, array.shape, array.size, error, "")
    entries = rng.permutation(array.size)[:SMALL]
    found, slopes, noise = single(entries, array, gradient, outputs, y, dy)
    errors = relative(found, slopes, noise)
    if array.size > SMALL and errors.max() <= TOLERANCE:  # rare mistakes: look for one of them
        entries = np.array([culprit(array, gradient, outputs, y, dy, rng)])
        found, slopes, noise = single(entries, array, gradient, outputs, y, dy)
        errors = relative(found, slopes, noise)
    if not errors.size or errors.max() <= TOLERANCE:
        return Row(name, array.shape, array.size, float(errors.max(initial=0)), "")
    worst = int(errors.argmax())
    place = [int(k) for k in np.unravel_index(entries[worst], array.shape)]
    details = (
        f"{name}{place}: backward says {found[worst]:.9g}, the slope is {slopes[worst]:.9g} "
        f"({np.count_nonzero(errors > TOLERANCE)} of {len(entries)} entries wrong)"
    )
    measured = np.where(np.abs(slopes) > noise, slopes, 0)
    if measured.any() or not slopes.any():  # not where slopes are too small to be known
        hint = diagnose(found, measured, np.asarray(gradient), entries, dy)
        details += f"\n    {name}: {hint}" if hint else ""
    return Row(name, array.shape, array.size, float(errors[worst]), details)


def along(
    direction: Array, array: Array, gradient: Array, outputs: Callable[[], Array], y: Array,
    dy: Array,
) -> float:  # fmt: skip
    """The relative error of sum(gradient * direction). No entry can hide in it: relative to what
    one expects of a sum of numbers of that size, each of which has a sign of its own."""
    measured, noise = slope(outputs, y, array, direction, dy)
    terms = gradient * direction
    size = max(float(np.sqrt((terms**2).sum())), abs(measured))
    error = abs(float(terms.sum()) - measured) / max(size, noise / TOLERANCE, 1e-300)
    return error if np.isfinite(error) else np.inf


def single(
    entries: Any, array: Array, gradient: Array, outputs: Callable[[], Array], y: Array, dy: Array
) -> tuple[Array, Array, Array]:
    """What backward says, what is measured, and its noise, at some entries."""
    slopes = np.zeros((len(entries), 2))
    for k, entry in enumerate(entries):
        direction = np.zeros(array.shape)
        direction.flat[entry] = 1
        slopes[k] = slope(outputs, y, array, direction, dy)
    return np.ravel(gradient)[entries], slopes[:, 0], slopes[:, 1]


def relative(found: Array, slopes: Array, noise: Array) -> Array:
    """Relative errors. What is smaller than the noise of the measured slope can only be right to
    that noise; and nothing is worse than NaN."""
    scale = np.maximum.reduce([np.abs(found), np.abs(slopes), noise / TOLERANCE])
    return np.nan_to_num(np.abs(found - slopes) / np.maximum(scale, 1e-300), nan=np.inf)


def culprit(
    array: Array, gradient: Array, outputs: Callable[[], Array], y: Array, dy: Array,
    rng: np.random.Generator,
) -> int:  # fmt: skip
    """A wrong entry, found by halving: one of two halves is wrong as long as the whole is."""
    entries = np.arange(array.size)
    while len(entries) > 1:
        half = entries[: len(entries) // 2]
        direction = np.zeros(array.shape)
        direction.flat[half] = rng.standard_normal(len(half))
        wrong = along(direction, array, gradient, outputs, y, dy) > TOLERANCE
        entries = half if wrong else entries[len(half) :]
    return int(entries[0])
