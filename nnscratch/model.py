"""Sequential: layers in a row, and all their parameters in one vector."""

import copy
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nnscratch.differentiable import StaleBackwardError
from nnscratch.files import replacing
from nnscratch.layers import Layer, find
from nnscratch.parameter import Array, InPlace, Parameter, expect, expect_count, expect_kind

BLOCK = 1000  # rows that are computed at once where nothing is learnt


class Sequential(InPlace):
    """y = f_L(... f_2(f_1(x))): ``forward`` runs the layers first to last, ``backward`` last to first.

    All parameters live in one vector ``theta``, their gradients in ``grad``; the layers see views. So an optimizer is
    a formula on two vectors: ``model.theta -= 0.1 * model.grad``. ``parameters`` has them in Keras' order, W1, b1, W2,
    b2 ... Where precisions differ the lower one is taken: a stray np.ones() must not slow the model down.
    Errors: TypeError and ValueError for what is not a layer, stands twice, or belongs to another model.
    """

    theta: Array
    grad: Array

    def __init__(self, layers: Iterable[Layer]) -> None:
        expect_kind(Iterable, layers, "a list of layers such as [Dense(784, 10), Sigmoid()]")
        self.layers = tuple(layers)  # not a list: a layer put in later would not be in theta
        if not self.layers or not all(isinstance(layer, Layer) for layer in self.layers):
            raise TypeError(f"expected a list of layers such as [Dense(784, 10), Sigmoid()], got {list(self.layers)}")
        self.parameters, self._all_layers = find(Parameter, self.layers), find(Layer, self.layers)
        pieces = sum(len(find(Parameter, layer)) + len(find(Layer, layer)) for layer in self.layers)
        different = pieces == len(self.parameters) + len(self._all_layers)
        expect(different, "different layers, got one of them, or a part of one, twice: build one for each place")
        new = not any(p.in_model for p in self.parameters)
        expect(new, "new layers, got one of another model: use copy.deepcopy(layer)")
        dtype = min((p.value.dtype for p in self.parameters), key=lambda d: d.itemsize, default=np.dtype(np.float32))
        ends = np.cumsum([p.value.size for p in self.parameters], dtype=int)
        self.theta, self.grad = np.zeros((2, ends[-1] if self.parameters else 0), dtype)
        for p, theta, grad in zip(self.parameters, np.split(self.theta, ends), np.split(self.grad, ends), strict=False):
            p.move_into(theta.reshape(p.value.shape), grad.reshape(p.value.shape))
            p.in_model = True

        # Nobody reads the gradient of the data. The first layer with parameters need not compute it (a fifth of a
        # step is saved), and backward ends there.
        self._first = next((i for i, layer in enumerate(self.layers) if layer.parameters), 0)
        for layer in self._all_layers:
            layer.needs_dx = layer not in self.layers[: self._first + 1]
        self._output_shape: tuple[int, ...] | None = None  # of the forward that a backward may follow
        self._row_shape: tuple[int, ...] | None = None  # of one row of the data, as last seen

    def forward(self, x: Array, training: bool = False) -> Array:
        """The outputs for a batch x (N, ...) of floats. ``training`` switches Dropout on."""
        for layer in self._all_layers:
            layer.training = training
        *_, y = self.outputs(x)
        self._output_shape, self._row_shape = y.shape, np.shape(x)[1:]
        return y

    def outputs(self, x: Array) -> Iterator[Array]:
        """The outputs of one layer after the other, in the mode (``training``) that the layers are in."""
        x = self._as_input(x)
        self._output_shape = None  # until all layers have run, they remember two different batches
        for i, layer in enumerate(self.layers):
            try:
                x = layer.forward(x)
            except ValueError as error:
                raise ValueError(f"layer {i}, {layer!r}: {error}") from error
            if not isinstance(x, np.ndarray):
                raise TypeError(
                    f"layer {i}, {layer!r}: expected forward to return an array, got {x!r}: does it end with return y?"
                )
            yield x

    def backward(self, dy: Array) -> None:
        """Set ``grad`` from dy, the gradient of the loss with respect to the outputs.

        Errors: StaleBackwardError after ``predict`` and ``evaluate``; ValueError for dy of another shape than y.
        """
        if self._output_shape is None:
            raise StaleBackwardError(
                "expected backward after the forward of the same batch, got it after predict, evaluate, or nothing: "
                "call forward right before it"
            )
        if dy.shape != self._output_shape:
            raise ValueError(
                f"expected dy of the outputs' shape {self._output_shape}, got {dy.shape}: give what "
                "loss.backward() returns"
            )
        for layer in reversed(self.layers[self._first :]):
            if not isinstance(dy, np.ndarray):  # only the first layer may return None
                raise TypeError(f"{layer!r}: expected dy as an array, got {dy!r}: does the next layer return its dx?")
            dy = layer.backward(dy)  # type: ignore[assignment]

    def predict(self, x: Array, batch_size: int = 1000) -> Array:
        """The outputs for any number of rows, in a fresh array.

        They are computed in blocks of 1000 rows, whatever ``batch_size`` is, which is there for those who know it from
        Keras: the last bits of a product depend on how many rows it has, and are to be the same each time.
        """
        expect_count(batch_size, "batch_size", BLOCK)
        x = np.asarray(x)
        expect(x.ndim > 0, "rows of data (N, ...), got a single number: give an array")
        # Copies, for a layer may return the same array each time, filled anew.
        outputs = [self.forward(x[i : i + BLOCK]).copy() for i in range(0, max(len(x), 1), BLOCK)]
        self._output_shape = None  # the layers remember the last batch of these, not the one a backward is for
        return np.concatenate(outputs)

    def _as_input(self, x: Array) -> Array:
        x = np.asarray(x)
        if x.dtype.kind != "f":
            raise TypeError(
                f"expected images scaled to floats, got {x.dtype}: divide by 255, or use .astype(np.float32)"
            )
        if x.ndim < 2 or len(x) == 0:
            raise ValueError(f"expected rows of data (N, ...), got shape {x.shape}: x[np.newaxis] makes a row of one")
        return x.astype(self.theta.dtype, copy=False)

    def astype(self, dtype: Any) -> "Sequential":
        """A copy of the model in another precision, such as float64 for gradient checks."""
        return _rebuilt(type(self), tuple(layer.astype(dtype) for layer in self.layers))

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (type(self), self.layers)

    def __repr__(self) -> str:
        return f"Sequential({list(self.layers)})"

    def summary(self) -> str:
        """A table of the layers with their output shapes and numbers of parameters."""
        # Before any data was seen, the first Dense tells how wide it must be.
        shape = self._row_shape or next(((vars(la)["n_in"],) for la in self.layers if "n_in" in vars(la)), None)
        shapes = ["?"] * len(self.layers)
        if shape is not None:
            outputs = copy.deepcopy(self).outputs(np.zeros((1, *shape), self.theta.dtype))
            shapes = [f"(N, {str(y.shape[1:])[1:].rstrip(',)')})" for y in outputs]
        lines = [f"{'Layer':<24}{'Output shape':<20}{'Params':>12}"]
        for layer, shown in zip(self.layers, shapes, strict=True):
            lines.append(f"{layer!r:<24}{shown:<20}{sum(p.value.size for p in layer.parameters):>12,}")
        return "\n".join([*lines, f"Total params: {self.theta.size:,} ({self.theta.nbytes / 1024:,.2f} KB)"])

    def get_weights(self) -> list[Array]:
        """A copy of every parameter, in Keras' order and shapes."""
        return [p.value.copy() for p in self.parameters]

    def set_weights(self, weights: Sequence[ArrayLike]) -> None:
        """Take over values in the order of ``get_weights``. Errors: ValueError for other shapes, and no change."""
        expected, got = [p.value.shape for p in self.parameters], [np.shape(w) for w in weights]
        expect(got == expected, f"weights of shapes {expected}, got {got}: build the model they belong to")
        # All of them first: what cannot be converted is an error before anything has changed.
        arrays = [np.asarray(w, self.theta.dtype) for w in weights]
        for p, array in zip(self.parameters, arrays, strict=True):
            p.value = array

    def save_weights(self, path: str | os.PathLike[str]) -> None:
        """Write all parameters, and nothing else of the layers, to one ``.npz`` file, at once or not at all."""
        arrays: dict[str, Any] = dict(zip(self._names(), self.get_weights(), strict=True))
        with replacing(path) as file:
            np.savez(file, **arrays)

    def load_weights(self, path: str | os.PathLike[str]) -> None:
        """Take over the parameters that ``save_weights`` wrote. Errors: ValueError for another architecture or file."""
        names = self._names()
        with open(path, "rb") as file:
            try:
                with np.load(file, allow_pickle=False) as archive:
                    expect(archive.files == names, f"{names}, got {archive.files}")
                    self.set_weights([archive[name] for name in names])
            except Exception as error:  # a damaged archive fails in a dozen ways
                raise ValueError(
                    f"{path}: expected a whole file that save_weights wrote for this architecture, got one that fails: "
                    f"{error}; build that model, or save again"
                ) from error

    def _names(self) -> list[str]:
        """What the parameters are called in a file: their place and their name."""
        return [f"{i}_{p.name}" for i, p in enumerate(self.parameters)]


def _rebuilt(kind: type[Sequential], layers: tuple[Layer, ...]) -> Sequential:
    """A copy is a new model of these layers: they see its own theta. A subclass may have other arguments."""
    model = kind.__new__(kind)
    Sequential.__init__(model, layers)
    return model
