"""Twins: copies to experiment on, which draw the same random numbers each time."""

import copy
import gc
import types
from collections.abc import Iterator
from random import Random
from typing import Any, Self

import numpy as np

from nnscratch.layers import Layer
from nnscratch.parameter import Array, Parameter
from nnscratch.search import ATOMS, find, walk

GENERATORS = (np.random.BitGenerator, Random)  # the former is what draws in each of NumPy's
PLAIN = (*ATOMS[:2], types.FunctionType, Layer, Parameter, np.ndarray, dict, list, tuple, set)


class Twin:
    """A copy of a layer, or of several things at once, that can be taken back in time.

    What Python cannot copy, such as a module, a lock, or an open file or generator, is shared with
    the original. ``rewind`` sets all random generators to where they stood at first.
    """

    def __init__(self, original: Any) -> None:
        memo: dict[int, Any] = {
            id(part): part for part in reachable(original) if not can_be_copied(part)
        }
        self.subject = copy.deepcopy(original, memo)
        self.generators = [each for each in memo.values() if isinstance(each, GENERATORS)]
        self.start = self.states()

    def states(self) -> list[Any]:
        """Where each generator stands."""
        return [g.getstate() if isinstance(g, Random) else g.state for g in self.generators]

    def rewind(self) -> Any:
        """The subject, about to draw the same numbers as ever."""
        for generator, state in zip(self.generators, self.start, strict=True):
            if isinstance(generator, Random):
                generator.setstate(state)
            else:
                generator.state = state
        return self.subject

    def drew(self) -> bool:
        """Has anything been drawn since?"""
        return repr(self.states()) != repr(self.start)

    def twin(self) -> Self:
        """Another copy, in the state that this one is in."""
        self.rewind()
        return type(self)(self.subject)


def reachable(root: Any) -> Iterator[Any]:
    """Everything that hangs on an object, itself included, in whatever it is kept."""

    def within(each: Any) -> list[Any]:
        closed = isinstance(each, ATOMS) or not can_be_copied(each)
        return [] if closed else gc.get_referents(each)

    return walk(root, within)


def can_be_copied(part: Any) -> bool:
    """Does Python know how to copy it (but for what it holds)?"""
    if isinstance(part, PLAIN) or hasattr(part, "__deepcopy__"):
        return True
    try:
        part.__reduce_ex__(4)
    except Exception:  # each kind says so with an error of its own
        return False
    return True


def set_mode(layer: Layer, training: bool) -> None:
    for _, each in find(Layer, layer):
        each.training, each.needs_dx = training, True


def arrays_in(layer: Layer) -> list[Array]:
    """All arrays that a layer holds, wherever, but for those of its parameters."""
    own = {id(a) for p in layer.parameters for a in (p.value, p.grad)}
    return [a for a in reachable(layer) if isinstance(a, np.ndarray) and id(a) not in own]
