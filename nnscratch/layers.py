"""Layers: each one a function y = f(x), and beside it the rule that turns dy into dx.

The loss depends on x only through y. If x_i grows a little, each y_j grows ∂y_j/∂x_i times as
much, and the loss dy_j times that, as dy_j is its gradient with respect to y_j. Together

    dx_i = sum over j of ∂y_j/∂x_i dy_j

That is the chain rule, and every ``backward`` is this sum, worked out for its own f.
"""

import copy
from typing import Any, Self

import numpy as np

from nnscratch import guards, memory
from nnscratch.initializers import Rng, glorot_uniform
from nnscratch.parameter import Array, Parameter
from nnscratch.search import find


class Layer:
    """The contract is two methods: ``forward(x)`` returns y, ``backward(dy)`` returns dx.

    ``forward`` keeps in ``self`` what ``backward`` needs; ``backward`` writes the gradient of each
    parameter over its old ``.grad``. Neither writes into x or dy. Each ``Parameter`` that
    ``__init__`` makes is trained, also in a list, a dict or an inner layer; running statistics are
    Parameters with a grad of 0 and ``decays`` False. ``self.training`` tells whether this is
    training, ``self.needs_dx`` whether anybody reads dx: if not, ``backward`` may return None.

    >>> class Tanh(Layer):
    ...     def forward(self, x):
    ...         self.y = np.tanh(x)
    ...         return self.y
    ...     def backward(self, dy):
    ...         return dy * (1 - self.y**2)
    """

    training: bool = False
    needs_dx: bool = True
    __getstate__ = memory.without_memory  # called by copy and pickle: no copies of the last batch

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
        dtype, twin = guards.floats(dtype), copy.deepcopy(self)
        twin.set_precision(dtype)
        return twin

    def set_precision(self, dtype: Any) -> None:
        """Parameters of another precision, from now on; ``astype`` does it to a copy."""
        for p in self.parameters:
            p.move_into(np.zeros_like(p.value, dtype), np.zeros_like(p.value, dtype))

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Dense(Layer):
    """y = x W + b: every output is a weighted sum of all inputs.

    x (N, n_in), W (n_in, n_out), b (n_out,), y (N, n_out). W starts Glorot-uniform, b at zero. In
    y_nk = sum_i x_ni W_ik + b_k, W_ik reaches the loss through y_nk of every row n, x_ni through
    all y_nk of its own row. So dW_ik = sum_n x_ni dy_nk and dx_ni = sum_k dy_nk W_ik, or

        dW = xᵀ dy        db = sum of dy over the rows        dx = dy Wᵀ

    Rumelhart, Hinton & Williams 1986. Errors: for sizes below 1, and for x of another width.

    >>> dense = Dense(2, 1)
    >>> dense.W.value, dense.b.value = [[3], [5]], [1]
    >>> dense.forward(np.array([[1.0, 2.0], [0.0, 1.0]])).tolist()      # 3 + 10 + 1, 0 + 5 + 1
    [[14.0], [6.0]]
    >>> dense.backward(np.array([[10.0], [1.0]])).tolist()              # 10 and 1, times 3 and 5
    [[30.0, 50.0], [3.0, 5.0]]
    >>> dense.W.grad.tolist(), dense.b.grad.tolist()                    # 10 + 0, 20 + 1; 10 + 1
    ([[10.0], [21.0]], [11.0])
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
        np.matmul(self.x.T, dy, out=self.W.grad)  # (n_in, N) @ (N, n_out), no copy
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
            kept = self.rng.random(x.shape, np.float32) >= self.rate  # as x; True: kept
            self.mask = kept.astype(x.dtype) / (1 - self.rate)
        return x * self.mask

    def backward(self, dy: Array) -> Array:
        return dy * self.mask

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.rate})"
