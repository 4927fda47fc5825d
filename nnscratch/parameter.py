"""A parameter is a value and the gradient of the loss with respect to it; many are one theta.

An optimizer does not care which number belongs to which layer. So a model puts the values of all
parameters into one long vector, theta, and their gradients into another, grad; each parameter then
sees its own part of both, as a view in its own shape.
"""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nnscratch import guards

Array = NDArray[np.floating[Any]]
Labels = NDArray[np.integer[Any]]


def in_place(name: str) -> Any:
    """A property for an array: assigning to it fills the array that is there. A new array in its
    place would be no view of theta, or theta would have no views."""

    def fill(self: Any, new: ArrayLike) -> None:
        array = getattr(self, f"_{name}")
        array[...] = guards.same_shape(new, array, name, self)

    return property(attrgetter(f"_{name}"), fill)


class Parameter:
    """A trainable array ``value`` and its gradient ``grad`` = d loss / d value, of the same shape.

    The value is copied, and is float32 or float64. Assigning to ``value`` or ``grad`` copies, too.
    ``name`` is its place in its layer, such as "W", once a model has collected it. Weight decay
    leaves it alone if ``decays`` is False.

    >>> b = Parameter(np.zeros(3))
    >>> b.value = [1, 2, 3]
    >>> b.value, b.grad
    (array([1., 2., 3.]), array([0., 0., 0.]))
    """

    value, grad = in_place("value"), in_place("grad")
    decays = True

    def __init__(self, value: ArrayLike, name: str = "") -> None:
        self.name = name
        self._value: Array = guards.copy_of_floats(value)
        self._grad: Array = np.zeros_like(self._value)

    def move_into(self, value: Array, grad: Array) -> None:
        """Copy both arrays into these, and live there from now on."""
        value[...], grad[...] = self._value, self._grad
        self._value, self._grad = value, grad

    def __repr__(self) -> str:
        return f"Parameter({self.name!r}, {self.value.shape}, {self.value.dtype})"


def one_vector(parameters: Sequence[Parameter]) -> tuple[Array, Array]:
    """theta and grad: all values, and all gradients, end to end. The parameters become views. They
    get the lowest of their precisions, so that one stray float64 array does not slow down all."""
    dtypes = [p.value.dtype for p in parameters]
    dtype = min(dtypes, key=lambda dtype: dtype.itemsize, default=np.dtype(np.float32))
    ends = np.cumsum([0, *(p.value.size for p in parameters)])
    theta, grad = np.zeros((2, ends[-1]), dtype)  # two rows
    for p, i, j in zip(parameters, ends[:-1], ends[1:], strict=True):
        p.move_into(theta[i:j].reshape(p.value.shape), grad[i:j].reshape(p.value.shape))
    return theta, grad
