"""What a layer promises besides right gradients; ``check_layer`` asks for all of it."""

import copy
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nnscratch.advice import parameters_within
from nnscratch.checking.report import GradientError
from nnscratch.layers import Layer
from nnscratch.losses import Loss
from nnscratch.model import Sequential
from nnscratch.parameter import Array, Parameter
from nnscratch.search import find

KEPT = """\
also right: x and dy are left alone; two calls agree; any number of rows works;
duplicated rows have duplicated gradients; float32 stays float32;
backward before forward is refused, or needs no memory"""


def forward_alone(layer: Layer, x: Array) -> Array:
    """layer.forward(x), seeing to it that x stays as it is and y has its precision."""
    return _call(layer, "forward", "x", x, "y")


def backward_alone(layer: Layer, dy: Array) -> Array:
    """layer.backward(dy), seeing to it that dy stays as it is and dx has its precision."""
    try:
        return _call(layer, "backward", "dy", dy, "dx")
    except (
        ValueError,
        TypeError,
        IndexError,
    ) as error:  # shapes and types that do not fit together
        raise GradientError(f"{layer!r}: backward failed: {error}") from error


def _call(layer: Layer, method: str, name: str, argument: Array, result: str) -> Array:
    given = argument.copy()
    got: Any = getattr(layer, method)(given)
    if not isinstance(got, np.ndarray):
        raise GradientError(
            f"{layer!r}: expected {method} to return an array, got {got!r}: does it end with "
            f"return {result}?"
        )
    if got.dtype != argument.dtype:
        raise GradientError(
            f"{layer!r}: expected {method} to return {argument.dtype}, as it was given, got "
            f"{got.dtype}: an array or a NumPy number of another precision takes part; convert it "
            "with .astype(x.dtype) or float()"
        )
    if not np.array_equal(given, argument):
        raise GradientError(f"{layer!r}: {method} changed its argument {name}: work on a new array")
    return got


def loss_alone(loss: Loss, outputs: Array, labels: ArrayLike) -> Any:
    """loss.forward(outputs, labels), seeing to it that outputs stay as they are and that a number
    comes back."""
    given = outputs.copy()
    value: Any = loss.forward(given, labels)
    if np.ndim(value) or value is None:
        raise GradientError(
            f"{loss!r}: expected forward to return one number, got {value!r}: return the mean"
        )
    if not np.array_equal(given, outputs):
        raise GradientError(f"{loss!r}: forward changed its argument outputs: work on a new array")
    return value


def names_of_gradients(layer: Layer) -> list[str]:
    """One for each parameter, by its place in the layer."""
    return [f"d{place}" for place, _ in find(Parameter, layer)]


def check_found(layer: Layer) -> None:
    """GradientError if the layer holds a Parameter in a place where no model looks for it."""
    if any(isinstance(each, Sequential) for _, each in find(Layer, layer)):
        raise GradientError(
            f"{layer!r}: expected inner layers, got a Sequential, which is a model and trains "
            "itself: use Chain for layers in a row"
        )
    found = layer.parameters
    hidden = [p for p in parameters_within(layer) if not any(p is each for each in found)]
    if hidden:
        raise GradientError(
            f"{layer!r}: expected each Parameter in an attribute, list, dict or inner layer, got "
            f"one of shape {hidden[0].value.shape} elsewhere, where it would not be trained: make "
            "it in __init__ and keep it in self"
        )


def check_contract(layer: Layer, x: Array, rng: np.random.Generator) -> None:
    """GradientError with the first promise that a layer in float64 does not keep, at the inputs x
    (N, ...)."""
    names = ["y", "dx", *names_of_gradients(layer)]

    def results(layer: Layer, x: Array, dy: Array) -> list[Array]:
        """Copies of all that one forward and one backward give, in the order of names."""
        y = forward_alone(layer, x).copy()
        return [y, backward_alone(layer, dy).copy(), *[p.grad.copy() for p in layer.parameters]]

    def expect_same(first: list[Array], then: list[Array], when: str) -> None:
        for name, one, other in zip(names, first, then, strict=True):
            if not np.array_equal(one, other):
                raise GradientError(f"{layer!r}: expected the same {name} {when}, got another")

    twin, again = copy.deepcopy(layer), "from a second call"
    y = forward_alone(twin, x)
    if not np.array_equal(
        y, forward_alone(twin, x)
    ):  # it draws random numbers, as Dropout may while training
        again += " in prediction, when self.training is False"
        for _, each in find(Layer, layer):
            each.training = False
    dy = rng.standard_normal(y.shape)
    fresh, in_float32, layer = copy.deepcopy(layer), layer.astype(np.float32), copy.deepcopy(layer)

    first = results(layer, x, dy)
    expect_same(first, results(layer, x, dy), again)
    twice = results(layer, np.concatenate([x, x]), np.concatenate([dy, dy]))
    for name, once, both in zip(names[:2], first, twice, strict=False):
        expected = np.concatenate([once, once])
        if both.shape != expected.shape or not np.allclose(
            both, expected, rtol=0, atol=1e-9 * np.abs(expected).max()
        ):
            raise GradientError(
                f"{layer!r}: expected a batch that has each row twice to have each row of {name} "
                "twice, got other values: the number of rows must not matter here; the mean over "
                "the batch is taken in the loss"
            )
    expect_same(first, results(layer, x, dy), "after a batch of another size")
    results(in_float32, x.astype(np.float32), dy.astype(np.float32))
    _check_stale(fresh, x, first[1], dy)


def _check_stale(layer: Layer, x: Array, dx: Array, dy: Array) -> None:
    """A backward without a forward must be refused, unless it needs no memory: it never goes on
    with something old."""
    used = copy.deepcopy(layer)
    before = [(each, dict(vars(each))) for _, each in find(Layer, used)]
    used.forward(x.copy())
    for each, old in before:
        if any(
            isinstance(old.get(k), np.ndarray | tuple) and new is not old[k]
            for k, new in vars(each).items()
        ):
            return  # forward has set this before: the layer had seen a batch when it came here
    try:
        got: Any = layer.backward(dy)
    except Exception:
        return  # refused, in whatever way
    if not np.array_equal(got, dx):
        raise GradientError(
            f"{layer!r}: expected a backward without a forward to be refused, got a result: let "
            "forward, and nothing else, set what backward reads"
        )
