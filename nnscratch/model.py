"""Chain: layers in a row, and with them the chain rule. Sequential: a chain with one theta."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nnscratch import advice, guards, memory, saving, tables
from nnscratch.layers import Layer
from nnscratch.parameter import Array, in_place, one_vector
from nnscratch.search import find


class Chain(Layer):
    """y = f_K(... f_2(f_1(x))): ``forward`` runs first to last, ``backward`` last to first.

    A chain is a layer, and a block of a larger network is a few lines. A residual block, whose
    layers only have to find what is missing in x (He et al. 2016):

    >>> class Residual(Chain):
    ...     def forward(self, x):
    ...         return x + super().forward(x)
    ...     def backward(self, dy):
    ...         return dy + super().backward(dy)
    """

    first, returns_dx = 0, True  # the layer at which backward ends, and whether it returns its dx
    output_shape: tuple[int, ...] | None = None  # of the last forward; None: no backward may follow

    def __init__(self, layers: Iterable[Layer]) -> None:
        self.layers = guards.layers_in_a_row(layers, Layer)

    @advice.names_the_layer
    def forward(self, x: Array) -> Array:
        self.output_shape = None  # should a layer fail, some remember this batch, others the last
        for layer in self.layers:
            x = layer.forward(x)  # what one layer returns is what the next one gets
        self.output_shape = x.shape
        return x

    @advice.names_the_layer
    def backward(self, dy: Array) -> Array | None:
        dy = guards.gradient_of_outputs(dy, self.output_shape)
        for layer in reversed(self.layers[self.first :]):
            dy = layer.backward(dy)  # the chain rule: a layer's dx is the dy of the one before it
        return dy if self.returns_dx else None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self.layers)})"


class Sequential(Chain):
    """A chain whose parameters live in one vector ``theta``, their gradients in ``grad``.

    So an optimizer is a formula on two vectors: ``model.theta -= 0.1 * model.grad``. Parameters
    are in Keras' order, W1, b1, W2, b2 ... ``backward`` belongs to the last ``forward``: a dy of
    another shape is refused, one of another batch of that size cannot be told from the right one.
    Errors: TypeError and ValueError for what is no layer, stands twice, or is another model's.
    """

    theta, grad = in_place("theta"), in_place("grad")

    def __init__(self, layers: Iterable[Layer]) -> None:
        super().__init__(layers)
        advice.adopt(self)  # all parts are new, and each stands in one place; names for parameters
        self._theta, self._grad = one_vector(self.parameters)
        # The model itself and those inside of others; a set, which no search for parameters enters.
        self.all_layers = frozenset(advice.look_through(self))
        self.needs_dx = False

    @property
    def needs_dx(self) -> bool:
        """Whether ``backward`` goes on to the gradient of the data, and returns it. False saves
        the product dy Wᵀ of the first layer: nearly a third of the multiplications of 784-100-10.
        """
        return self.returns_dx

    @needs_dx.setter
    def needs_dx(self, needed: bool) -> None:
        trained = [i for i, layer in enumerate(self.layers) if layer.parameters] or [0]
        self.first, self.returns_dx = 0 if needed else trained[0], needed
        self.layers[trained[0]].needs_dx = needed

    def forward(self, x: Array, training: bool = False) -> Array:
        """The outputs for a batch x (N, ...) of floats. ``training`` switches Dropout on."""
        x = guards.batch(x, self.theta.dtype)
        if training != self.training:  # seldom: a good time to look whether anything is new
            self.all_layers = frozenset(advice.look_through(self))
        for layer in self.all_layers:
            layer.training = training
        y = super().forward(x)
        self.row_shape = x.shape[1:]  # for the summary
        return y

    def predict(self, x: Array, batch_size: int = 1000) -> Array:
        """The outputs for any number of rows, ``batch_size`` at a time, in a fresh array."""
        x, batch_size = guards.rows(x, batch_size)
        starts = range(0, len(x), batch_size)
        with memory.kept(self, find(Layer, self.layers)):  # what layers remember, not these rows
            # Copies, for a layer may return the same array each time, filled anew.
            outputs = [self.forward(x[i : i + batch_size]).copy() for i in starts]
        return np.concatenate(outputs)

    def set_precision(self, dtype: Any) -> None:
        super().set_precision(dtype)
        self._theta, self._grad = one_vector(self.parameters)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Called last by copy and pickle. In a deep copy, no parameter is a view of theta yet."""
        self.__dict__.update(state, output_shape=None)
        if not any(np.may_share_memory(p.value, self.theta) for p in self.parameters):
            self._theta, self._grad = one_vector(self.parameters)

    def get_weights(self) -> list[Array]:
        """A copy of every parameter, in Keras' order and shapes."""
        return [p.value.copy() for p in self.parameters]

    def set_weights(self, weights: Sequence[ArrayLike]) -> None:
        """Take over values in the order of ``get_weights``. Errors: ValueError for other shapes."""
        for p, w in zip(self.parameters, guards.weights(weights, self.parameters), strict=True):
            p.value = w

    # Functions of a model, and so methods:
    save_weights, load_weights = saving.save_weights, saving.load_weights
    summary = tables.summary
