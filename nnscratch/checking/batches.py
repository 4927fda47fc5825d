"""What a layer promises at other batches than the one given: other sums, layouts, sizes, digits.

Each function asks for one thing, and returns in words what it has seen to be right.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import numpy as np

from nnscratch.checking.gradients import Subject, along, moved
from nnscratch.checking.promises import expect, names_of_gradients, results, same
from nnscratch.checking.report import TOLERANCE, GradientError
from nnscratch.checking.slopes import KinkError
from nnscratch.checking.twins import Twin
from nnscratch.layers import Layer
from nnscratch.parameter import Array

T = TypeVar("T")
MANY = 128  # rows, at least, in a large batch
HUGE = 100.0  # its exponential is more than a float32 can hold


def check_linear(run: Callable[..., list[Array]], layer: Layer, x: Array, dy: Array) -> str:
    """backward(a + b) is backward(a) + backward(b), however large they are."""
    names, first = ["dx", *names_of_gradients(layer)], run(x, dy)[1:]
    for size in (-1e6, 1e-6):
        more = size * np.roll(dy.ravel(), 1).reshape(dy.shape)
        second, both = run(x, more)[1:], run(x, dy + more)[1:]
        rounding = 1e-12 * np.abs(dy + more).max(initial=0)  # where a softmax is saturated, say
        for name, one, two, sum_ in zip(names, first, second, both, strict=True):
            expect(
                same(one + two, sum_, rounding=rounding), layer,
                f"{name} of a sum of two dy to be the sum of both {name}", "something else",
                "backward is linear in dy: it must not clip, normalise or choose by dy",
            )  # fmt: skip
    return "backward is linear in dy"


def check_layout(run: Callable[..., list[Array]], layer: Layer, x: Array, dy: Array) -> str:
    """Arrays that are views of others have the same results."""

    def view(a: Array) -> Array:
        wide = np.zeros((*a.shape[::-1], 2), a.dtype)
        wide[..., 0] = a.T
        return wide[..., 0].T

    names = ["y", "dx", *names_of_gradients(layer)]
    first = run(x, dy)
    try:
        then = run(view(x), view(dy))
    except Exception as error:
        got, fix = f"{type(error).__name__}: {error}", "use reshape, which copies where it has to"
        expect(isinstance(error, GradientError), layer, "any layout to do", got, fix)
        raise
    for name, one, other in zip(names, first, then, strict=True):
        expect(
            same(other, one), layer, f"the same {name} of arrays that are not contiguous",
            "another", "use reshape, and nothing that depends on how an array lies in memory",
        )  # fmt: skip
    return "arrays that are not contiguous have the same results"


def check_tiled(
    run: Callable[..., list[Array]], layer: Layer, x: Array, dy: Array, times: int
) -> None:
    """Each row several times has y and dx as often, and gradients of parameters as large."""
    names, first = ["y", "dx", *names_of_gradients(layer)], run(x, dy)
    all_x, all_dy = (np.concatenate([a] * times) for a in (x, dy))
    then = at_other_rows(layer, len(all_x), lambda: run(all_x, all_dy))
    for k, (name, one, got) in enumerate(zip(names, first, then, strict=True)):
        expected = np.concatenate([one] * times) if k < 2 else times * one
        if same(got, expected, rounding=1e-10 * np.abs(dy).max(initial=0)):
            continue
        often = "twice" if times == 2 else f"{times} times"
        what = f"each row of {name} {often}" if k < 2 else f"{name} {times} times as large"
        what = f"a batch that has each row {often} to have {what}"
        fix = "the rows must not depend on each other, nor on how many there are "
        fix += "(mixes_rows=True, if that is meant)"
        if same(got * times, expected) and got.shape == expected.shape:
            fix = "the number of rows must not matter here: the mean over the batch is taken in "
            fix += "the loss, once"
        expect(False, layer, what, "other values", fix)


def check_batches(used: Twin, x: Array, dy: Array, alike: bool) -> list[str]:
    """All that backward promises at once, with rows that may be compared, or may not."""

    def run(x: Array, dy: Array) -> list[Array]:
        return results(used.rewind(), x, dy)

    layer = used.subject
    said = [check_linear(run, layer, x, dy), check_layout(run, layer, x, dy)]
    if alike:
        many = MANY // len(x) + 1
        for times in (2, many):
            check_tiled(run, layer, x, dy, times)
        said.append(f"batches with each row 2 and {many} times have each result as often")
    return said


def at_other_rows(subject: Any, n: int, run: Callable[[], T]) -> T:
    """What it returns; an error says that it is the number of rows that made it."""
    try:
        return run()
    except GradientError:
        raise
    except Exception as error:
        raise GradientError(
            f"{subject!r}: expected a batch of {n} rows to work as well, got "
            f"{type(error).__name__}: {error}"
        ) from error


def check_slopes(subject: Subject, x: Array, names: list[str], rng: Any, where: str) -> str:
    """Right gradients at other inputs, too: along one direction in each array."""
    layer = subject.twin.subject
    for _ in range(10):
        y = subject.outputs(x)
        dy = rng.standard_normal(y.shape)
        gradients = subject.gradients(x, dy)
        try:
            for name, array, gradient in zip(
                names, subject.arrays(x, gradients), gradients, strict=True
            ):
                what = f"{name} of shape {array.shape} {where}"
                expect(gradient.shape == array.shape, layer, what, str(gradient.shape), "keep it")
                direction = rng.standard_normal(array.shape)
                expect(
                    not name
                    or along(direction, array, gradient, partial(subject.outputs, x), y, dy)
                    <= TOLERANCE,
                    layer, f"{name} to be the slope {where}", "another",
                    "at the inputs given it is right; what is different here?",
                )  # fmt: skip
            return f"gradients are right {where}"
        except KinkError:
            x = moved(x, rng)
    return ""


def spread(x: Array, size: float) -> Array | None:
    """The same inputs with numbers of that size and more, of both signs. None if they are as large
    already, or of one sign: those may be probabilities, counts, or places in a table."""
    least = min(x.max(initial=0), -x.min(initial=0))
    return x * (size / least) if 0 < least < size else None


def check_elsewhere(subject: Subject, x: Array, names: list[str], rng: Any, where: str) -> str:
    """Gradients at inputs that nobody gave: where forward takes them, and has finite results."""
    with np.errstate(all="ignore"):
        try:
            finite = np.isfinite(subject.outputs(x)).all()
        except GradientError:
            raise
        except Exception:  # not its domain
            return ""
        return check_slopes(subject, x, names, rng, where) if finite else ""


def check_larger(subject: Subject, x: Array, names: list[str], rng: Any) -> str:
    """Gradients where numbers are of all sizes up to a hundred: in branches that are rarely
    taken."""
    large = spread(x, HUGE)
    if large is None:
        return ""
    mixed = large * 0.01 ** rng.random(x.shape)
    return check_elsewhere(subject, mixed, names, rng, f"for numbers of up to {HUGE:.0f}")


def check_ties(subject: Subject, x: Array, rng: Any) -> str:
    """Where all numbers of a row are equal, dx may go to any of them: its sum is the slope of
    moving them together. Not tested where the layer has no finite results, or no slope, nor where
    numbers are so large that results which should be tied are not."""
    if np.abs(x).max(initial=0) > 1e3:
        return ""
    first = x.reshape(len(x), -1)[:, :1].reshape(-1, *[1] * (x.ndim - 1))
    tied = np.broadcast_to(first, x.shape).copy()
    direction = np.broadcast_to(rng.standard_normal(first.shape), x.shape)
    try:
        with np.errstate(all="ignore"):
            y = subject.outputs(tied)
            dy = rng.standard_normal(y.shape)
            dx = subject.gradients(tied, dy)[0]
        if not np.isfinite(y).all() or not np.isfinite(dx).all():
            return ""
        error = along(direction, tied, dx, lambda: subject.outputs(tied), y, dy)
    except (KinkError, ValueError, AssertionError, ArithmeticError):
        return ""
    expect(
        error <= TOLERANCE, subject.twin.subject,
        "dx to sum to the slope where all numbers of a row are equal", "another sum",
        "of several largest ones all may share dy, or one gets it, but not each gets all of it",
    )  # fmt: skip
    return "ties share dy"


def check_float32(small: Twin, large: Twin, x: Array, dy: Array, rng: np.random.Generator) -> str:
    """In float32 everything stays float32, and has float64's values at float32's accuracy."""
    values = [p.value.astype(np.float64) for p in small.subject.parameters]
    for p, value in zip(large.subject.parameters, values, strict=True):
        p.value = value
    small_x, small_dy = x.astype(np.float32), dy.astype(np.float32)
    got = results(small.rewind(), small_x, small_dy)
    if small.drew():
        return "float32 stays float32"
    x, dy = small_x.astype(np.float64), small_dy.astype(np.float64)
    expected = results(large.rewind(), x, dy)
    # How much may rounding change? As much as other last digits of the inputs do.
    for p, value in zip(large.subject.parameters, values, strict=True):
        p.value = value * (1 + 1e-7 * rng.standard_normal(value.shape))
    aside = results(large.rewind(), x * (1 + 1e-7 * rng.standard_normal(x.shape)), dy)
    names = ["y", "dx", *names_of_gradients(small.subject)]
    for name, one, other, near in zip(names, got, expected, aside, strict=True):
        allowed = 2e-5 * np.abs(other).max(initial=0)
        if name != "y":  # a gradient may be the small difference of large numbers
            allowed += 1e-5 * np.abs(dy).max(initial=0)
        allowed += 100 * np.abs(near - other).max(initial=0) + 1e-30  # what is less may underflow
        expect(
            np.array_equal(one, other, equal_nan=True)
            or (one.shape == other.shape and np.abs(one - other).max(initial=0) <= allowed),
            small.subject, f"{name} in float32 as in float64", "other values",
            "is there another formula for it, or half precision within?",
        )  # fmt: skip
    return "float32 stays float32 and has float64's values"


def check_overflow(small: Twin, large: Twin, x: Array, dy: Array) -> str:
    """In float32 large numbers have finite results, if those are numbers that float32 can hold."""
    huge = spread(x, HUGE)
    if huge is None:
        return ""
    with np.errstate(all="ignore"):
        try:
            expected = results(large.rewind(), huge, dy)
        except GradientError:
            raise
        except Exception:  # not its domain
            return ""
        if not all((np.abs(a) < 1e30).all() for a in expected):
            return ""
        got = results(small.rewind(), huge.astype(np.float32), dy.astype(np.float32))
    for name, a in zip(["y", "dx", *names_of_gradients(small.subject)], got, strict=True):
        expect(
            np.isfinite(a).all(), small.subject, f"a finite {name} for numbers of {HUGE:.0f}",
            "infinity or NaN in float32",
            "does an exponential overflow? take the maximum off first, or use exp(-|x|)",
        )  # fmt: skip
    return f"no overflow for numbers of {HUGE:.0f}"
