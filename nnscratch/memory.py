"""What layers remember of the last batch, and where that must not go.

For a network that looks at images this memory is large: a thousand of them may take hundreds of
megabytes, in every copy. A layer's arrays are memory if they came after the model was built, or
into the place of a None or an empty list or dict; what is to last is made in ``__init__``. Copies
and pickles leave it behind. And ``predict`` leaves each layer as it found it.
"""

import copy
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

LASTING = "lasting"  # what was there, and not empty, when the model was built


def note(layers: Iterable[Any]) -> None:
    """Note what each layer is made of, now that it remembers nothing: names, and what was empty."""
    for layer in layers:
        layer.made_of = {"made_of": LASTING}
        for name, value in vars(layer).items():
            layer.made_of[name] = type(value) if is_empty(value) else LASTING


def without_memory(layer: Any) -> dict[str, Any]:
    """The attributes that a copy or a pickle of a layer takes along."""
    made_of = getattr(layer, "made_of", None)
    if made_of is None:  # it is in no model: nobody has noted anything
        return dict(vars(layer))
    lasting = {}
    for name, value in vars(layer).items():
        first = made_of.get(name)
        if first == LASTING or not holds_arrays(value):
            lasting[name] = value
        elif first is not None:
            lasting[name] = first()  # None, an empty list or dict again
    return lasting


@contextmanager
def kept(model: Any, layers: Iterable[tuple[str, Any]]) -> Iterator[None]:
    """After what is computed within, every layer of a model, as ``find`` returns them, is as it was
    before, but for its mode, which is the model's; and no backward follows."""
    before = []
    for _, layer in layers:
        attributes = vars(layer).items()
        before.append(
            (layer, {k: copy.copy(v) if isinstance(v, list | dict) else v for k, v in attributes})
        )
    yield
    for layer, remembered in before:
        remembered["training"] = layer.training
        vars(layer).clear()
        vars(layer).update(remembered)
    model.output_shape = None


def is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, list | dict) and not value)


def holds_arrays(value: Any) -> bool:
    """An array, or a list, tuple or dict with one in it."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return any(holds_arrays(each) for each in value)
    return isinstance(value, np.ndarray)
