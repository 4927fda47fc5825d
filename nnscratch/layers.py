"""Layers: each one a function y = f(x), and beside it the rule that turns dy into dx.

dy is what the loss feels when y changes. By the chain rule ``backward`` turns it into dx, what the
loss feels when x changes; on the way it finds the gradients of the layer's own parameters.
"""

import copy
from typing import Any, Self

import numpy as np

from nnscratch import guards, memory
from nnscratch.initializers import Rng, glorot_uniform
from nnscratch.parameter import Array, Parameter


class Layer:
    """The contract is two methods: ``forward(x)`` returns y, ``backward(dy)`` returns dx.

    ``forward`` keeps in ``self`` what ``backward`` needs; ``backward`` writes the gradient of each
    parameter over its old ``.grad``. Neither writes into x or dy. Each ``Parameter`` that
    ``__init__`` makes is trained, also in a list, a dict or an inner layer. ``self.training`` tells
    whether this is training, ``self.needs_dx`` whether anybody reads dx. Running statistics, as in
    BatchNorm, are Parameters, too: a grad of 0 and ``decays`` False leave them to the layer.

    >>> class Tanh(Layer):
    ...     def forward(self, x):
    ...         self.y = np.tanh(x)
    ...         return self.y
    ...     def backward(self, dy):
    ...         return dy * (1 - self.y**2)
    """

    training: bool = False
    needs_dx: bool = True
    __getstate__ = memory.without_memory  # copies and pickles do not remember the last batch

    def forward(self, x: Array) -> Array:
        raise NotImplementedError(f"{type(self).__name__} needs a method forward(self, x)")

    def backward(self, dy: Array) -> Array | None:
        raise NotImplementedError(f"{type(self).__name__} needs a method backward(self, dy)")

    @property
    def parameters(self) -> list[Parameter]:
        """Every parameter, in order of definition."""
        return [p for _, p in find(Parameter, self)]

    def astype(self, dtype: Any) -> Self:
        """A copy in another precision, such as np.float64 for gradient checks."""
        twin = copy.deepcopy(self)
        for p in twin.parameters:
            p.move_into(*np.empty((2, *p.value.shape), dtype))
        return twin

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def find(kind: type, part: Any, place: str = "", seen: Any = None) -> list[tuple[str, Any]]:
    """Each object of a kind, once, with its place, such as "W" or "cells.0.b": in attributes of
    layers, in lists, tuples and dicts, in order of definition."""
    seen = set() if seen is None else seen
    if id(part) in seen:
        return []
    seen.add(id(part))
    found = [(place, part)] if isinstance(part, kind) else []
    inside = vars(part) if isinstance(part, Layer) else part
    if isinstance(inside, list | tuple):
        inside = dict(enumerate(inside))
    for name, each in inside.items() if isinstance(inside, dict) else ():
        found += find(kind, each, f"{place}.{name}".lstrip("."), seen)
    return found


class Dense(Layer):
    """y = x W + b: every output is a weighted sum of all inputs.

    x (N, n_in), W (n_in, n_out), b (n_out,), y (N, n_out). W starts Glorot-uniform, b at zero.

        dW = xᵀ dy                    summed over the rows by the product itself
        db = sum of dy over the rows  each row used the same b
        dx = dy Wᵀ

    Rumelhart, Hinton & Williams 1986. Errors: ValueError for sizes below 1, x of another width.

    >>> dense = Dense(2, 1)
    >>> dense.W.value, dense.b.value = [[3], [5]], [1]
    >>> dense.forward(np.array([[1.0, 2.0]]))               # 1*3 + 2*5 + 1
    array([[14.]])
    >>> dense.backward(np.array([[10.0]]))                  # 10*3, 10*5
    array([[30., 50.]])
    >>> dense.W.grad.tolist(), dense.b.grad.tolist()        # 1*10, 2*10; 10
    ([[10.0], [20.0]], [10.0])
    """

    def __init__(self, n_in: int, n_out: int, *, rng: Rng = None, dtype: Any = np.float32) -> None:
        self.n_in = guards.count(n_in, "n_in", usual=784)
        self.n_out = guards.count(n_out, "n_out", usual=10)
        self.W = Parameter(glorot_uniform(n_in, n_out, rng=rng, dtype=dtype))
        self.b = Parameter(np.zeros(n_out, dtype))

    def forward(self, x: Array) -> Array:
        self.x = guards.rows_of_width(x, self.n_in, self)
        return x @ self.W.value + self.b.value  # (N, n_in) @ (n_in, n_out) + (n_out,)

    def backward(self, dy: Array) -> Array | None:
        np.matmul(self.x.T, dy, out=self.W.grad)  # (n_in, N) @ (N, n_out), straight into grad
        dy.sum(axis=0, out=self.b.grad)  # (N, n_out) to (n_out,)
        return dy @ self.W.value.T if self.needs_dx else None  # (N, n_out) @ (n_out, n_in)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.n_in}, {self.n_out})"


class Flatten(Layer):
    """Images (N, 28, 28) to rows (N, 784). Nothing is computed: dx is dy in the old shape."""

    def forward(self, x: Array) -> Array:
        self.shape = x.shape
        return x.reshape(len(x), -1)  # (N, height, width) to (N, height * width)

    def backward(self, dy: Array) -> Array:
        return dy.reshape(self.shape)


class Dropout(Layer):
    """While training y = x * mask, dx = dy * mask: each input is zeroed with probability ``rate``.

    The mask holds 0 or 1 / (1 - rate): the mean of y is x, and so in prediction y = x. Srivastava
    et al. 2014, sections 4 and 10 ("inverted" dropout). Errors: ValueError unless 0 <= rate < 1.
    """

    rate = guards.number("rate", 0, 1, usual=0.5)

    def __init__(self, rate: float, *, rng: Rng = None) -> None:
        self.rate, self.rng = rate, np.random.default_rng(rng)

    def forward(self, x: Array) -> Array:
        self.mask: Array | float = 1.0
        if self.training:
            kept = self.rng.random(x.shape, np.float32) >= self.rate  # as x, True or False
            self.mask = kept.astype(x.dtype) / (1 - self.rate)
        return x * self.mask

    def backward(self, dy: Array) -> Array:
        return dy * self.mask

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.rate})"
