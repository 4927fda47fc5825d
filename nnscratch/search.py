"""What is in a layer: the search that finds parameters and inner layers, wherever they are kept."""

from typing import Any


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
