"""What a layer promises besides right gradients; ``check_layer`` asks for all of it.

Each function here asks for one thing, and returns in words what it has seen to be right.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeVar

import numpy as np

from nnscratch.advice import parameters_within
from nnscratch.checking.gradients import Subject, along, moved
from nnscratch.checking.report import TOLERANCE, GradientError
from nnscratch.checking.slopes import KinkError
from nnscratch.checking.twins import Twin, arrays_in, in_precision, set_mode
from nnscratch.layers import Layer, find
from nnscratch.model import Sequential
from nnscratch.parameter import Array, Parameter

T = TypeVar("T")
MANY = 128  # rows, at least, in a large batch
CALLS = 6


class Meant(NamedTuple):
    """What a layer does on purpose, as the keywords of ``check_layer`` say it."""

    mixes_rows: bool = False
    carries_state: bool = False
    keeps_mean: bool = True
    draws_in_prediction: bool = False
    frozen: tuple[str, ...] = ()


def expect(kept: Any, layer: Any, what: str, got: str, fix: str) -> None:
    """GradientError unless the promise is kept."""
    if not kept:
        raise GradientError(f"{layer!r}: expected {what}, got {got}: {fix}")


# ---- One call -----------------------------------------------------------------------------------


def forward_alone(layer: Layer, x: Array) -> Array:
    """layer.forward(x), seeing to it that x stays as it is and y has its precision."""
    return _call(layer, "forward", "x", x, "y")


def backward_alone(layer: Layer, dy: Array) -> Array:
    """layer.backward(dy), seeing to it that dy stays as it is and dx has its precision."""
    try:
        return _call(layer, "backward", "dy", dy, "dx")
    except (ValueError, TypeError, IndexError) as error:  # shapes, types that do not fit together
        raise GradientError(f"{layer!r}: backward failed: {error}") from error


def _call(layer: Layer, method: str, name: str, given: Array, result: str) -> Array:
    before = given.copy()
    got: Any = getattr(layer, method)(given)
    if not isinstance(got, np.ndarray):
        fix = f"does it end with return {result}?"
        expect(False, layer, f"{method} to return an array", repr(got), fix)
    if got.dtype != given.dtype:
        fix = "an array or a NumPy number of another precision takes part; convert it with "
        fix += ".astype(x.dtype) or float()"
        what = f"{method} to return {given.dtype}, as it was given"
        expect(False, layer, what, str(got.dtype), fix)
    if not np.array_equal(given, before, equal_nan=True):
        raise GradientError(f"{layer!r}: {method} changed its argument {name}: work on a new array")
    return got


def results(layer: Layer, x: Array, dy: Array) -> list[Array]:
    """Copies of y, dx and the gradients of the parameters; backward is to leave x and y alone."""
    for p in layer.parameters:
        p.grad[...] = np.nan  # what was there before must not matter
    x = x.copy(order="K")
    y = forward_alone(layer, x)
    before = x.copy(), y.copy()
    dx = backward_alone(layer, dy.copy(order="K"))
    for name, now, then in zip("xy", (x, y), before, strict=True):
        if not np.array_equal(now, then, equal_nan=True):
            raise GradientError(
                f"{layer!r}: backward changed {name}, which belongs to others as well: work on a "
                "new array, not on what forward was given or has returned"
            )
    return [before[1], dx.copy(), *[p.grad.copy() for p in layer.parameters]]


def names_of_gradients(layer: Layer) -> list[str]:
    """One for each parameter, by its place in the layer."""
    return [f"d{place}" for place, _ in find(Parameter, layer)]


def same(one: Array, other: Array, tolerance: float = 1e-9) -> bool:
    """Equal but for rounding, compared with the largest number."""
    if one.shape != other.shape:
        return False
    if np.array_equal(one, other, equal_nan=True):
        return True
    return bool(np.abs(one - other).max() <= tolerance * np.abs(other).max())


# ---- Before anything is compared ----------------------------------------------------------------


def check_found(layer: Layer) -> None:
    """GradientError if the layer holds a Parameter in a place where no model looks for it."""
    fix = "use Chain for layers in a row"
    inner = any(isinstance(each, Sequential) for _, each in find(Layer, layer))
    got = "a Sequential, which is a model and trains itself"
    expect(not inner, layer, "inner layers", got, fix)
    found = layer.parameters
    for p in parameters_within(layer):
        got = f"one of shape {p.value.shape} elsewhere, where it would not be trained"
        fix = "make it in __init__ and keep it in self"
        what = "each Parameter in an attribute, list, dict or inner layer"
        expect(any(p is each for each in found), layer, what, got, fix)


def at_the_start(layer: Layer, x: Array) -> tuple[Twin, bool, list[str]]:
    """A copy in float32, whether it has seen a batch before, and what is in it but not trained.

    Of a layer that has seen one, perhaps a large one, the copy has seen x instead: what it keeps of
    it will be copied again and again. Float arrays that forward does not replace look like weights
    that somebody forgot to make Parameters, or are constants.
    """
    twin = Twin(layer)
    in_precision(np.float32, twin.subject)
    set_mode(twin.subject, True)
    held = arrays_in(twin.subject)
    named = [(place, array, array.copy()) for place, array in find(np.ndarray, twin.subject)]
    twin.subject.forward(x.astype(np.float32))
    now = {id(array) for array in arrays_in(twin.subject)}
    replaced = [array for array in held if id(array) not in now and array.any()]
    idle = [
        f"{place} {array.shape}"
        for place, array, before in named
        if id(array) in now and array.dtype.kind == "f" and np.array_equal(array, before)
    ]
    if not replaced:
        twin = Twin(layer)
        in_precision(np.float32, twin.subject)
        set_mode(twin.subject, True)
    return twin, bool(replaced), idle


def check_calls(new: Twin, used: Twin, x: Array, values: list[Array], meant: Meant) -> None:
    """y, dx and all gradients depend on x, dy and the parameters: not on the calls before.

    ``new`` has not been called yet; ``used`` is called with other rows and other parameters first.
    """
    layer, other = new.subject, new.twin()
    y = forward_alone(new.rewind(), x)
    if not same(forward_alone(other.rewind(), x), y, 0):
        raise GradientError(
            f"{layer!r}: expected two copies to have the same outputs, got others: draw random "
            "numbers from a generator kept in self, and keep what is not a number out of the "
            "outputs"
        )
    dy = np.cos(np.arange(1.0, y.size + 1)).reshape(y.shape)
    if meant.carries_state:
        results(used.rewind(), x[::-1], dy)
        return
    for _ in range(CALLS - 1):
        results(used.rewind(), x[::-1], dy[::-1])
    for twin in (new, used):
        for p, value in zip(twin.subject.parameters, values, strict=True):
            p.value = value
    first, then = results(new.rewind(), x, dy), results(used.rewind(), x, dy)
    for name, one, two in zip(["y", "dx", *names_of_gradients(layer)], first, then, strict=True):
        expect(
            same(one, two, 0), layer, f"the same {name} after {CALLS - 1} other calls", "another",
            "something is kept of them, such as a result, the parameters as they were, or a count "
            "(carries_state=True, if that is meant)",
        )  # fmt: skip


# ---- At other batches ---------------------------------------------------------------------------


def check_linear(run: Callable[..., list[Array]], layer: Layer, x: Array, dy: Array) -> str:
    """backward(a + b) is backward(a) + backward(b), however large they are."""
    names, first = ["dx", *names_of_gradients(layer)], run(x, dy)[1:]
    for size in (-1e6, 1e-6):
        more = size * np.roll(dy.ravel(), 1).reshape(dy.shape)
        second, both = run(x, more)[1:], run(x, dy + more)[1:]
        for name, one, two, sum_ in zip(names, first, second, both, strict=True):
            expect(
                same(one + two, sum_), layer,
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
    for name, one, other in zip(names, run(x, dy), run(view(x), view(dy)), strict=True):
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
        if same(got, expected):
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


def check_batches(used: Twin, x: Array, dy: Array, meant: Meant, alike: bool) -> list[str]:
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


def check_slopes(subject: Subject, x: Array, names: list[str], rng: Any, where: str) -> None:
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
            return
        except KinkError:
            x = moved(x, rng)


def check_ties(subject: Subject, x: Array, rng: Any) -> str:
    """Where all numbers of a row are equal, dx may go to any of them: its sum is the slope of
    moving them together. Not tested where the layer has no finite results, or no slope."""
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
        allowed = 1e-4 * np.abs(other).max(initial=0)
        allowed += 100 * np.abs(near - other).max(initial=0)
        expect(
            np.array_equal(one, other, equal_nan=True)
            or (one.shape == other.shape and np.abs(one - other).max(initial=0) <= allowed),
            small.subject, f"{name} in float32 as in float64", "other values",
            "is there another formula for it, or half precision within?",
        )  # fmt: skip
    for p, value in zip(large.subject.parameters, values, strict=True):
        p.value = value
    return "float32 stays float32 and has float64's values"


def check_frozen(layer: Layer, x: Array, dy: Array, frozen: tuple[str, ...]) -> None:
    """What is not to be trained has a gradient of 0, be it written or never touched."""
    kept = [(place, p) for place, p in find(Parameter, layer) if place in frozen]
    for _, p in kept:
        p.grad[...] = 0
    layer.forward(x.copy())
    layer.backward(dy.copy())
    for place, p in kept:
        what, fix = f"{place}, which is frozen, to keep a gradient of 0", "leave it alone"
        expect(not p.grad.any(), layer, what, "another", fix)


def check_stale(layer: Layer, used: Twin, x: Array, dy: Array) -> str:
    """A backward without a forward is refused, in whatever way, unless it needs no memory: it never
    goes on with something old. ``used`` tells what a result may be, in training or prediction."""
    dx = results(used.rewind(), x, dy)[1]
    try:
        got: Any = layer.backward(dy)
    except Exception:
        return "backward before forward is refused"
    if not isinstance(got, np.ndarray) or got.shape != dx.shape:
        return "backward before forward is refused"
    set_mode(used.subject, False)
    used.rewind().forward(x.copy())
    expect(
        same(got, dx, 0) or same(got, used.subject.backward(dy.copy()), 0), layer, "a backward without a forward to be refused", "a result",
        "let forward, and nothing else, set what backward reads (and check a layer that is new)",
    )  # fmt: skip
    return "backward needs no memory"
