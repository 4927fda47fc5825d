"""A parameter is a value and the gradient of the loss with respect to it."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.floating[Any]]
Labels = NDArray[np.integer[Any]]


def expect(holds: bool, what: str) -> None:
    """Raise ValueError("expected " + what) unless it holds. For arguments that are checked once, not at every step."""
    if not holds:
        raise ValueError(f"expected {what}")


def expect_kind(kind: type, value: Any, what: str) -> None:
    """Raise TypeError("expected " + what + ", got ...") unless the value is of that kind."""
    if not isinstance(value, kind):
        raise TypeError(f"expected {what}, got {value!r}: create one")


def expect_count(value: Any, what: str, usual: int) -> None:
    """Raise TypeError unless the value is a whole number, ValueError unless it is 1 or more."""
    message = f"expected {what} of at least 1, got {value!r}: give a whole number such as {usual}"
    if not isinstance(value, int | np.integer):
        raise TypeError(message)
    if value < 1:
        raise ValueError(message)


def expect_finite(x: Array, what: str) -> None:
    """Raise ValueError if there is a NaN or an infinity in x (N, ...)."""
    for start in range(0, len(x) if x.dtype.kind == "f" else 0, 100):  # in pieces that stay in the cache
        finite = np.isfinite(x[start : start + 100])
        if not finite.all():
            row, *place = np.argwhere(~finite)[0]
            row += start
            value = x[(row, *place)]
            raise ValueError(f"{what}: expected finite numbers, got {value} in row {row}: mend or leave out such rows")


class InPlace:
    """Assigning to an attribute that holds an array copies into that array: views of it never come loose."""

    def __setattr__(self, name: str, new: Any) -> None:
        old = vars(self).get(name)
        if not isinstance(old, np.ndarray):
            object.__setattr__(self, name, new)
        elif np.shape(new) == old.shape:  # NumPy alone would broadcast other shapes without a word
            old[...] = new
        else:
            summed, flipped = np.shape(new)[1:] == old.shape, np.shape(new) == old.shape[::-1]
            fix = ": sum over the rows, .sum(axis=0)" if summed else ": transpose it, .T" if flipped else ""
            of = f" of {vars(self)['name']}" if "name" in vars(self) else ""
            raise ValueError(f"{name}{of}: expected shape {old.shape}, got {np.shape(new)}{fix}")


class Parameter(InPlace):
    """A trainable array ``value`` and its gradient ``grad`` = d loss / d value, of the same shape.

    Once a model has collected it, both are views into the model's vectors ``theta`` and ``grad``. ``name`` is the
    attribute that a layer keeps it in. Errors: TypeError unless the value is float32 or float64.
    """

    value: Array
    grad: Array

    def __init__(self, value: ArrayLike, name: str = "") -> None:
        self.name, self.in_model = name, False
        self.value = np.array(value, order="C")  # a copy: the caller's array is not ours to train
        self.grad = np.zeros_like(self.value)
        if self.value.dtype not in (np.float32, np.float64):
            raise TypeError(f"expected float32 or float64, got {self.value.dtype}: convert with .astype(np.float32)")

    def move_into(self, value: Array, grad: Array) -> None:
        """Let these arrays hold this parameter from now on: views into a model, or arrays of another precision."""
        value[...], grad[...] = self.value, self.grad
        vars(self).update(value=value, grad=grad)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.value, self.name)  # a copy, or a pickled one, is in no model
