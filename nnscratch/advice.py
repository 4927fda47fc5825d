"""What watches a model and its training, and says in words where something goes wrong."""

import copy
import functools
import gc
import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np

from nnscratch import memory
from nnscratch.activations import ReLU, Sigmoid, Softmax
from nnscratch.guards import batch, gradient_of_outputs, parts_of_one_model, unexpected
from nnscratch.layers import Layer
from nnscratch.losses import SoftmaxCrossEntropy
from nnscratch.parameter import Array, Parameter
from nnscratch.search import ATOMS, find, walk

Method = TypeVar("Method", bound=Callable[..., Any])


# ---- In which layer? ----------------------------------------------------------------------------


def names_the_layer(method: Method) -> Method:
    """An error in a chain tells in which layer it arose, or that one of them returned nothing."""

    @functools.wraps(method)
    def named(chain: Any, *arguments: Any) -> Any:
        try:
            return method(chain, *arguments)
        except Exception as error:
            traceback = error.__traceback__
            assert traceback is not None
            assert traceback.tb_next is not None
            here = traceback.tb_next.tb_frame.f_locals  # of the method: a layer, what it was given
            at = [i for i, layer in enumerate(chain.layers) if layer is here.get("layer")]
            if at and not isinstance(given := here.get("x", here.get("dy")), np.ndarray):
                # Who returned that? The layer before; or this one, if the chain itself failed.
                before = 1 if method.__name__ == "backward" else -1
                i = at[0] + (before if traceback.tb_next.tb_next else 0)
                what = f"every {method.__name__} to return an array"
                fix = f"does layer {i}, {chain.layers[i]!r}, end with return?"
                raise unexpected(what, repr(given), fix, TypeError) from error
            if at:
                error.add_note(f"in {method.__name__} of layer {at[0]}, {here['layer']!r}")
            raise

    return named  # type: ignore[return-value]


# ---- Is everything trained that looks like it? --------------------------------------------------


def adopt(model: Any) -> None:
    """Make all parts of a model its own: new ones, none in two places, parameters with names."""
    parts_of_one_model([find(Parameter, layer) + find(Layer, layer) for layer in model.layers])
    for layer in model.layers:
        for place, p in find(Parameter, layer):
            p.name = place
    layers = [layer for _, layer in find(Layer, model.layers)]
    for layer in layers:
        layer.training, layer.needs_dx = False, True
    memory.note(layers)


def look_through(model: Any) -> list[Layer]:
    """The model and all layers in it, also those inside of others, after a look at what is new.

    Errors: ValueError for a Parameter that is not in theta, and for a layer that was taken away.
    """
    for i, layer in enumerate(model.layers):
        places = {id(p): place for place, p in find(Parameter, layer)}
        for p in parameters_within(layer):
            if p.value.size and not np.may_share_memory(p.value, model.theta):
                where = places.get(id(p), "a place where no parameters are looked for")
                got = f"one of shape {p.value.shape} that is not: layer {i}, {layer!r}, {where}"
                fix = "make Parameters and layers in __init__, as attributes or in lists or dicts "
                fix += "of them, then build the Sequential; change a value with p.value = ..."
                raise unexpected("every Parameter to be in the model's theta", got, fix)
    surplus = sum(p.value.size for p in model.parameters) - model.theta.size
    if surplus:
        got = "more: some are attributes of the model" if surplus > 0 else "fewer"
        fix = "build a new Sequential of those that are to be trained"
        raise unexpected("the layers and Parameters that the model was built of", got, fix)
    return [layer for _, layer in find(Layer, model)]


def parameters_within(root: Any) -> Iterator[Parameter]:
    """Every Parameter that can be reached from a layer, in whatever it is kept, or its class."""

    def within(each: Any) -> list[Any]:
        if isinstance(each, (*ATOMS, Parameter)):
            return []
        if isinstance(each, np.ndarray):
            return each.ravel().tolist() if each.dtype == object else []
        inside = gc.get_referents(each)[::-1]  # the first of them comes next
        if isinstance(each, Layer):  # what is on a class would be shared by all of its objects
            inside += [value for kind in type(each).__mro__ for value in vars(kind).values()]
        return inside

    return (each for each in walk(root, within) if isinstance(each, Parameter))


# ---- Does everything fit together? --------------------------------------------------------------


def rehearsal(model: Any, loss: Any, metric: Any, x: Array, y: Any, held_out: Any) -> None:
    """Everything is looked at before an epoch is spent. Errors: those of who does not like it."""
    look_at(model, loss, metric, x, y, "")
    if held_out:
        look_at(model, loss, metric, held_out[0], held_out[1], " of the validation data")


def look_at(model: Any, loss: Any, metric: Any, x: Array, y: Any, which: str) -> None:
    """All numbers are finite, the loss takes all labels, two rows go through all and back."""
    look_through(model)
    look_at_loss(model, loss)
    finite(x, f"x{which}")
    finite(y, f"y{which}")
    loss = copy.copy(loss)  # the loss itself remembers the batch it saw
    # Of integers the smallest and the largest are enough to see whether one is out of range.
    extremes = y[[y.argmin(), y.argmax()]] if y.ndim == 1 and y.dtype.kind in "iu" else y
    with memory.kept(model, find(Layer, model.layers)):
        outputs = model.forward(x[:2])
        for start in range(0, len(extremes), 1000):
            labels = extremes[start : start + 1000]
            loss.forward(np.repeat(outputs[:1], len(labels), axis=0), labels)
        loss.forward(outputs, y[:2])
        dy = gradient_of_outputs(loss.backward(), outputs.shape)
        expect_dx_like_x(model, batch(x[:2], model.theta.dtype), dy)
        model.backward(dy)
        if metric is not None:
            metric(outputs, y[:2])
        look_through(model)  # for Parameters that forward has made


def look_at_loss(model: Any, loss: Any) -> None:
    for p in parameters_within(loss):
        got = f"one of shape {p.value.shape} in {loss!r}, where nobody trains it"
        raise unexpected("Parameters in layers", got, "move it into a layer of the model")
    last = model.layers[-1]
    if isinstance(loss, SoftmaxCrossEntropy) and isinstance(last, Softmax | Sigmoid):
        words = f"the model ends in {last!r}, and {loss!r} takes another softmax of that: leave "
        words += "the last layer out, or take SparseCrossEntropy()"
        warnings.warn(words, stacklevel=2)


def finite(x: Array, what: str) -> None:
    for start in range(0, len(x) if x.dtype.kind == "f" else 0, 1000):
        block = x[start : start + 1000]
        # A sum of squares takes half the time of isfinite; it may overflow: hence the second look.
        if not np.isfinite(np.vdot(block, block)) and not np.isfinite(block).all():
            row, *place = np.argwhere(~np.isfinite(block))[0]
            got = f"{block[(row, *place)]} in row {start + row}"
            error = unexpected("finite numbers", got, "mend or leave out such rows")
            raise ValueError(f"{what}: {error}")


def expect_dx_like_x(model: Any, x: Array, dy: Array) -> None:
    """Another shape would be broadcast, in the layer before, without a word."""
    inputs = []
    for layer in model.layers:
        inputs.append(x)
        x = layer.forward(x)
    for i in reversed(range(model.first, len(inputs))):
        layer, shape = model.layers[i], inputs[i].shape
        try:
            dy = layer.backward(dy)
        except Exception:  # model.backward will raise it again, and name the layer
            return
        if layer.needs_dx and np.shape(dy) != shape and dy is not None:
            what = f"backward of layer {i}, {layer!r}, to return dx of shape {shape}"
            raise unexpected(what, dy.shape, "it is the gradient of x, and has its shape")


# ---- What comes out -----------------------------------------------------------------------------


def finite_loss(value: Any, model: Any, x: Array, rows: int) -> None:
    """The loss of the batch x, the one after so many rows of this epoch."""
    if not math.isfinite(value):
        raise diverged(f"a loss of {value} after {rows} rows of this epoch", model, x)


def some_rows(rows: int, model: Any) -> int:
    """How many rows an epoch had; and a look for what has come since it began."""
    look_through(model)
    if rows == 0:
        fix = "a generator is used up after one pass, make a new one for each epoch"
        raise unexpected("at least one batch", "none", fix)
    return rows


def finite_weights(model: Any, x: Array) -> None:
    """After an epoch: the last step may have spoilt the weights without a trace in any loss."""
    if not np.isfinite(model.theta).all():
        raise diverged("others after this epoch", model, x)


def diverged(got: str, model: Any, x: Array) -> Exception:
    """What to say when a loss, or a weight, is not finite: where it began."""
    fix = "lower the learning rate, scale x to about [0, 1]"
    for i, layer in enumerate(model.layers):
        if not all(np.isfinite(p.value).all() for p in layer.parameters):
            fix = f"in layer {i}, {layer!r}; lower the learning rate, look at it with check_layer"
            return unexpected("finite weights", got, fix, FloatingPointError)
    where = "all layers' outputs are finite"
    with np.errstate(all="ignore"):  # an error is being raised already: no warnings on top of it
        for i, layer in enumerate(model.layers):
            x = layer.forward(x)
            if not np.isfinite(x).all():
                where = f"layer {i}, {layer!r}, is the first whose outputs are not finite"
                break
    return unexpected("finite results", got, f"{where}; {fix}", FloatingPointError)


def loss_of(loss: Any, outputs: Array, y: Any, model: Any, x: Array) -> float:
    """The loss of these outputs, by a copy: the loss itself remembers the batch it saw."""
    loss = copy.copy(loss)
    value = loss.forward(outputs, y)
    if not math.isfinite(value):
        raise diverged(f"a loss of {value}", model, x)
    gradient_of_outputs(loss.backward(), outputs.shape)  # (N,) against (N, 1) makes (N, N)
    return float(value)


# ---- Why is my accuracy 0.098? ------------------------------------------------------------------

MANY, FEW = 500, 100  # rows that are looked at; fewer than that tell too little
SCALE = "x that is not scaled to about [-1, 1]"
RATE = "a learning rate that is too large"


def sample(x: Array, y: Any) -> tuple[Array, Any]:
    """Rows from all over the data, as it may be sorted."""
    every = max(1, len(x) // MANY)
    return x[::every], y[::every]


def on_inputs(x: Array) -> str:
    if -10 <= x.min() and x.max() <= 10:
        return ""
    fix = "divide images by 255, take the mean off other numbers and divide by their deviation"
    return f"x goes from {x.min():g} to {x.max():g}, and networks learn best within [-1, 1]: {fix}"


def on_epoch(model: Any, x: Array, y: Any) -> str:
    """What looks wrong after an epoch, and what it usually comes from; nothing, if nothing does."""
    if len(x) < FEW:
        return ""
    with memory.kept(model, find(Layer, model.layers)):
        outputs = model.forward(x)
        relus = [(i, each) for i, each in enumerate(model.layers) if isinstance(each, ReLU)]
        units = [(i, layer, layer.y > 0) for i, layer in relus]
    for i, layer, fires in units:
        dead = 1 - np.mean(fires.any(axis=0))
        if dead > 0.5:
            who = f"{dead:.0%} of the units of layer {i}, {layer!r}, never fire, and learn nothing"
            return f"{who}: usually {RATE}, or {SCALE}"
    classes = y if y.ndim == 1 and y.dtype.kind in "iu" else None
    if y.shape == outputs.shape:
        classes = y.argmax(axis=1)
    if classes is None or outputs.ndim != 2 or outputs.shape[1] < 2:
        return ""
    predicted = outputs.argmax(axis=1)
    commonest = np.bincount(classes.astype(np.intp)).max() / len(classes)
    favourite = np.bincount(predicted).argmax()
    share = np.mean(predicted == favourite)
    if share > 0.9 and np.mean(classes == favourite) < 0.6:
        what = f"{share:.0%} of the rows are taken for class {favourite}"
        return f"{what}: usually {RATE}, {SCALE}, or rows sorted by class and not shuffled"
    right = np.mean(predicted == classes)
    if right <= 1.1 * commonest and commonest < 0.6:
        usually = f"labels that belong to other rows, {RATE} or far too small, or {SCALE}"
        return f"{right:.0%} of the rows are right, which is guessing: usually {usually}"
    return ""
