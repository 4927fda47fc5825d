"""What a layer promises besides right gradients; ``check_layer`` asks for all of it.

First what a single call must leave alone, then what came before it, and what it may not go on with.
"""

from typing import Any, NamedTuple

import numpy as np

from nnscratch.advice import parameters_within
from nnscratch.checking.gradients import gradient_of
from nnscratch.checking.report import GradientError
from nnscratch.checking.twins import Twin, arrays_in, set_mode
from nnscratch.layers import Layer
from nnscratch.model import Sequential
from nnscratch.parameter import Array, Parameter
from nnscratch.search import find

CALLS = 6  # what goes wrong only later is not seen


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
    if not np.array_equal(given, before):  # x and dy are finite
        raise GradientError(f"{layer!r}: {method} changed its argument {name}: work on a new array")
    return got


def results(layer: Layer, x: Array, dy: Array) -> list[Array]:
    """Copies of y, dx and the gradients of the parameters; backward is to leave x and y alone, and
    both are to leave the parameters alone."""
    parameters = layer.parameters
    values = [p.value.copy() for p in parameters]
    for p in parameters:
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
    check_parameters(layer, parameters, values)
    return [before[1], dx.copy(), *map(gradient_of, parameters)]


def check_parameters(layer: Layer, parameters: list[Parameter], values: list[Array]) -> None:
    """A call makes no parameters, and changes none but running statistics."""
    now = find(Parameter, layer)
    kept = [id(p) for _, p in now] == [id(p) for p in parameters]
    fix = "make all in __init__, where an optimizer finds them, and write into .value and .grad"
    expect(kept, layer, "the parameters that it was made with", "others after a call", fix)
    for (place, p), value in zip(now, values, strict=True):
        expect(
            not p.decays or np.array_equal(p.value, value), layer,
            f"{place} to stay as it is until an optimizer changes it", "another value after a call",
            "work on a copy (of a running statistic, set decays to False)",
        )  # fmt: skip


def names_of_gradients(layer: Layer) -> list[str]:
    """One for each parameter, by its place in the layer."""
    return [f"d{place}" for place, _ in find(Parameter, layer)]


def same(one: Array, other: Array, tolerance: float = 1e-9, rounding: float = 0) -> bool:
    """Equal but for rounding, compared with the largest number."""
    if one.shape != other.shape:
        return False
    if np.array_equal(one, other, equal_nan=True):
        return True
    return bool(np.abs(one - other).max() <= tolerance * np.abs(other).max() + rounding)


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
    twin.subject.set_precision(np.float32)
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
        twin.subject.set_precision(np.float32)
        set_mode(twin.subject, True)
    return twin, bool(replaced), idle


def check_calls(new: Twin, used: Twin, x: Array, values: list[Array], meant: Meant) -> None:
    """y, dx and all gradients depend on x, dy and the parameters: not on the calls before.

    ``new`` has not been called yet; ``used`` is called with other rows and other parameters first.
    """
    layer, one, other = new.subject, new.twin(), new.twin()
    y = forward_alone(one.rewind(), x).copy()
    if not same(forward_alone(other.rewind(), x), y, 0):
        raise GradientError(
            f"{layer!r}: expected two copies to have the same outputs, got others: draw random "
            "numbers from a generator kept in self, and keep what is not a number out of the "
            "outputs"
        )
    dy = np.cos(np.arange(1.0, y.size + 1)).reshape(y.shape)
    for _ in range(1 if meant.carries_state else CALLS - 1):
        results(used.subject, x[::-1], dy[::-1])  # not rewound: each draws its own numbers
    for twin in (new, used, one, other):
        for p, value in zip(twin.subject.parameters, values, strict=True):
            p.value = value
    if meant.carries_state:
        return
    first, then = results(new.rewind(), x, dy), results(used.rewind(), x, dy)
    for name, a, b in zip(["y", "dx", *names_of_gradients(layer)], first, then, strict=True):
        expect(
            same(a, b, 0), layer, f"the same {name} after {CALLS - 1} other calls", "another",
            "something is kept of them, such as a result, the parameters as they were, or a count "
            "(carries_state=True, if that is meant)",
        )  # fmt: skip
    for p in one.subject.parameters:
        p.grad[...] = np.nan
    forward_alone(one.rewind(), x)
    forward_alone(other.rewind(), x[::-1])
    got = [backward_alone(one.subject, dy), *map(gradient_of, one.subject.parameters)]
    for name, a, b in zip(["dx", *names_of_gradients(layer)], got, first[1:], strict=True):
        expect(
            same(a, b, 0), layer, f"the same {name} after a forward of another such layer",
            "another", "keep what backward needs in self, not in the class or the module",
        )  # fmt: skip


def check_unread(used: Twin, x: Array, dy: Array) -> str:
    """Where nobody reads dx, the parameters have the same gradients."""
    layer = used.subject
    gradients = results(used.rewind(), x, dy)[2:]
    layer.needs_dx = False
    for p in layer.parameters:
        p.grad[...] = np.nan
    used.rewind().forward(x.copy())
    layer.backward(dy.copy())
    for p, name, gradient in zip(
        layer.parameters, names_of_gradients(layer), gradients, strict=True
    ):
        expect(
            same(gradient_of(p), gradient, 0), layer, f"the same {name} if needs_dx is False",
            "another", "only dx may be left out then",
        )  # fmt: skip
    return "nobody has to read dx" if gradients else ""


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
    in_prediction = used.subject.backward(dy.copy())
    expect(
        same(got, dx, 0) or same(got, in_prediction, 0), layer,
        "a backward without a forward to be refused", "a result",
        "let forward, and nothing else, set what backward reads (and check a layer that is new)",
    )  # fmt: skip
    return "backward needs no memory"
