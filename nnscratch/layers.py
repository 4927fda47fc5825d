"""Layers: each one a function y = f(x), and beside it the rule that turns dy into dx.

dy says what the loss feels when y changes; by the chain rule ``backward`` returns dx, what it feels when x changes.
"""

import copy
from typing import Any, Self, TypeVar

import numpy as np

from nnscratch.differentiable import Differentiable
from nnscratch.initializers import Rng, glorot_uniform, zeros
from nnscratch.parameter import Array, Parameter, expect, expect_count

T = TypeVar("T")


class Layer(Differentiable):
    """The contract is two methods: ``forward(x)`` returns y, ``backward(dy)`` returns dx.

    ``forward`` keeps in ``self`` what ``backward`` needs and does not write into x. ``backward`` writes the gradient
    of each parameter into its ``.grad``, over what was there, and does not write into dy. Every ``Parameter`` among
    the attributes is trained, also in a list or in an inner layer. A layer that acts differently while training asks
    ``self.training``; one that can save the work asks ``self.needs_dx``, False where nobody reads dx.

    >>> class Tanh(Layer):
    ...     def forward(self, x):
    ...         self.y = np.tanh(x)
    ...         return self.y
    ...     def backward(self, dy):
    ...         return dy * (1 - self.y**2)
    """

    training: bool = False
    needs_dx: bool = True

    def forward(self, x: Array) -> Array:
        raise NotImplementedError(f"{type(self).__name__} needs a method forward(self, x)")

    def backward(self, dy: Array) -> Array | None:
        raise NotImplementedError(f"{type(self).__name__} needs a method backward(self, dy)")

    @property
    def parameters(self) -> list[Parameter]:
        """Every parameter, in order of definition."""
        return find(Parameter, self)

    def astype(self, dtype: Any) -> Self:
        """A copy in another precision."""
        twin = copy.deepcopy(self)
        for p in twin.parameters:
            p.move_into(p.value.astype(dtype), p.grad.astype(dtype))
        return twin

    def __init_subclass__(cls) -> None:
        values = list(vars(cls).values())  # all objects of the class would share these, and no model would find them
        if [*find(Parameter, values), *find(Layer, values)]:
            raise TypeError(f"{cls.__name__}: expected Parameters and layers made in __init__, got one of the class")

    def __setattr__(self, name: str, new: Any) -> None:
        if isinstance(vars(self).get(name), Parameter):  # else the model would train a W that is no longer used
            raise AttributeError(f"expected {name} to stay the same Parameter, got {new!r}: assign to {name}.value")
        if isinstance(new, Parameter):
            if "needs_dx" in vars(self):  # a model, or a check, has already looked for its parameters
                raise AttributeError(f"expected Parameters made in __init__, got {name} later: it would not be trained")
            new.name = name
        object.__setattr__(self, name, new)


def find(kind: type[T], value: Any) -> list[T]:
    """Each object of a kind in a value, once: itself, those in lists and dicts, and in the attributes of layers."""
    found, seen, todo = [], set(), [value]
    while todo:
        each = todo.pop(0)
        if id(each) not in seen:
            seen.add(id(each))
            found += [each] if isinstance(each, kind) else []
            inside = vars(each) if isinstance(each, Layer) else each
            inside = list(inside.values()) if isinstance(inside, dict) else inside
            todo = [*inside, *todo] if isinstance(inside, list | tuple) else todo
    return found


class Dense(Layer):
    """y = x W + b: every output is a weighted sum of all inputs.

    x (N, n_in), W (n_in, n_out), b (n_out,), y (N, n_out). W starts Glorot-uniform, b at zero. The gradients are

        dW = xᵀ dy                    summed over the rows by the product itself
        db = sum of dy over the rows: each row used the same b
        dx = dy Wᵀ

    Rumelhart, Hinton & Williams 1986. Errors: ValueError for sizes below 1 and for x of another width.

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
        expect_count(n_in, "n_in", 784)
        expect_count(n_out, "n_out", 10)
        self.n_in, self.n_out = int(n_in), int(n_out)
        self.W = Parameter(glorot_uniform(n_in, n_out, rng=rng, dtype=dtype))
        self.b = Parameter(zeros(n_out, dtype=dtype))

    def forward(self, x: Array) -> Array:
        if x.ndim != 2 or x.shape[1] != self.n_in:
            fix = "x[np.newaxis] makes a row of one" if x.ndim < 2 else "put Flatten() before it"
            fix = f"make it Dense({x.shape[1]}, {self.n_out})" if x.ndim == 2 else fix
            raise ValueError(f"expected x of shape (N, {self.n_in}), got {x.shape}: {fix}")
        self.x = x
        return x @ self.W.value + self.b.value

    def backward(self, dy: Array) -> Array | None:
        np.matmul(self.x.T, dy, out=self.W.grad)  # straight into the model's grad: saves a copy of W's size
        dy.sum(axis=0, out=self.b.grad)
        return dy @ self.W.value.T if self.needs_dx else None

    def __repr__(self) -> str:
        return f"Dense({self.n_in}, {self.n_out})"


class Flatten(Layer):
    """Images (N, 28, 28) to rows (N, 784). Nothing is computed: dx is dy in the old shape."""

    def forward(self, x: Array) -> Array:
        self.shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, dy: Array) -> Array:
        return dy.reshape(self.shape)


class Dropout(Layer):
    """While training, zero each input with probability ``rate``: y = x * mask, dx = dy * mask; otherwise y = x.

    The mask holds 0 or 1 / (1 - rate), so that the mean of y is x and prediction needs no rescaling ("inverted"
    dropout). Srivastava et al. 2014, sections 4 and 10. Errors: ValueError unless 0 <= rate < 1.
    """

    def __init__(self, rate: float, *, rng: Rng = None) -> None:
        expect(0 <= rate < 1, f"a rate in [0, 1), got {rate}: 0.5 drops half of the inputs")
        self.rate, self.rng = float(rate), np.random.default_rng(rng)

    def forward(self, x: Array) -> Array:
        self.mask: Array | float = 1.0
        if self.training:
            kept = self.rng.random(x.shape, np.float32) >= self.rate
            self.mask = kept.astype(x.dtype) / (1 - self.rate)
        return x * self.mask

    def backward(self, dy: Array) -> Array:
        return dy * self.mask

    def __repr__(self) -> str:
        return f"Dropout({self.rate})"
