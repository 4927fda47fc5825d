"""What watches a model and its training, and says in words where something goes wrong."""

import functools
import gc
import math
import types
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np

from nnscratch.guards import unexpected
from nnscratch.layers import Layer, find
from nnscratch.parameter import Array, Parameter

Method = TypeVar("Method", bound=Callable[..., Any])
OPAQUE = (type, str, types.ModuleType, types.FunctionType, types.GeneratorType, types.FrameType)


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


def every_layer(model: Any) -> list[Layer]:
    """The model and all layers in it, also those inside of others, after a look at what is new.

    Errors: ValueError for a Parameter that is not in theta, and for a layer that was taken away.
    """
    for i, layer in enumerate(model.layers):
        places = {id(p): place for place, p in find(Parameter, layer)}
        for p in parameters_within(layer):
            if p.value.size and not np.may_share_memory(p.value, model.theta):
                where = places.get(id(p), "a place where no parameters are looked for")
                got = f"one of shape {p.value.shape} that is not: layer {i}, {layer!r}, {where}"
                fix = (
                    "make Parameters and layers in __init__, as attributes or in lists or dicts of "
                )
                fix += "them, and then build the Sequential; change a value with p.value = ..."
                raise unexpected("every Parameter to be in the model's theta", got, fix)
    if sum(p.value.size for p in model.parameters) != model.theta.size:
        fix = "build a new Sequential of the layers that are left"
        raise unexpected("the layers and Parameters that the model was built of", "fewer", fix)
    return [layer for _, layer in find(Layer, model)]


def parameters_within(root: Layer) -> Iterator[Parameter]:
    """Every Parameter that can be reached from a layer, in whatever it is kept, or its class."""
    seen, todo = set(), [root]
    while todo:
        each: Any = todo.pop()
        if id(each) in seen or isinstance(each, OPAQUE):
            continue
        seen.add(id(each))
        if isinstance(each, Parameter):
            yield each
        elif isinstance(each, np.ndarray):
            todo += each.ravel().tolist() if each.dtype == object else []
        else:
            todo += gc.get_referents(each)
        if isinstance(each, Layer):  # what is on a class would be shared by all of its objects
            todo += [value for kind in type(each).__mro__ for value in vars(kind).values()]


# ---- What comes out -----------------------------------------------------------------------------


def finite_loss(value: Any, model: Any, x: Array, rows: int) -> float:
    """The loss of the batch x, the one after so many rows of this epoch."""
    if not math.isfinite(value):
        raise diverged(f"a loss of {value} after {rows} rows of this epoch", model, x)
    return float(value)


def finite_epoch(result: dict[str, float], model: Any, x: Array) -> dict[str, float]:
    """What an epoch came to. A step that spoils the weights may have left no trace in the loss."""
    if not np.isfinite(model.theta).all():
        raise diverged("others after this epoch", model, x)
    for name, value in result.items():
        if not math.isfinite(value):
            raise diverged(f"{name} {value}", model, x)
    return result


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
