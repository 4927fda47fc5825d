"""What is in a layer: ``find`` goes where layers may keep things, ``walk`` wherever it is told."""

import types
from collections.abc import Callable, Iterator
from typing import Any

# What a walk does not enter: nothing of a layer's own is in there.
ATOMS = (type, str, types.ModuleType, types.FunctionType, types.GeneratorType, types.FrameType)


def find(kind: type, part: Any, place: str = "", seen: Any = None) -> list[tuple[str, Any]]:
    """Each object of a kind in a layer, with its place, such as "W" or "cells.0.b": in attributes
    of layers, in lists, tuples and dicts, in order of definition. What is reached twice counts
    once."""
    seen = set() if seen is None else seen
    if id(part) in seen:
        return []
    seen.add(id(part))
    found = [(place, part)] if isinstance(part, kind) else []
    inside = part
    if hasattr(part, "forward") and hasattr(part, "backward"):  # a layer
        inside = vars(part)
    elif isinstance(part, list | tuple):
        inside = dict(enumerate(part))
    if isinstance(inside, dict):
        for name, each in inside.items():
            found += find(kind, each, f"{place}.{name}".lstrip("."), seen)
    return found


def walk(root: Any, within: Callable[[Any], list[Any]]) -> Iterator[Any]:
    """Everything that hangs on an object, itself included, once each. What hangs on one of them is
    ``within(each)``, the last of which comes next."""
    seen, todo = set(), [root]
    while todo:
        each = todo.pop()
        if id(each) not in seen:
            seen.add(id(each))
            yield each
            todo += within(each)
