"""A field test for the checks: layers and losses as people write them, right ones, and wrong ones.

Each file has right layers of some kind and, below each, mistakes: what its source says, and what somebody typed
instead. ``variant`` does the same with changes that are no mistakes. All but ``unseen`` and the strangers was written
before the checks were made what they are now; ``before.txt`` has what those of version 0.2.0 were wrong about. The
strangers are by somebody else, who had not seen the checks; ``first.txt`` has what these were wrong about at first.
"""

import functools
import importlib
import inspect
import re
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from nnscratch import Dropout, Layer, Loss, check_layer, check_loss

source_of = functools.cache(inspect.getsource)  # it parses the whole file each time


class Case(NamedTuple):
    """A layer or a loss to be checked."""

    what: str
    kind: type
    edits: tuple[str, ...] = ()  # what the source says, what it says instead, and so on

    def build(self) -> Any:
        source = source_of(self.kind)
        source = source[source.index("class ") :]
        for old, new in zip(self.edits[::2], self.edits[1::2], strict=True):
            assert old in source, f"{self.kind.__name__} no longer says {old}: bring {self.what!r} up to date"
            source = source.replace(old, new)
        namespace = NAMES | vars(sys.modules[self.kind.__module__])
        exec(compile(source, f"<{self.what}>", "exec"), namespace)
        return PLACES[self.kind].make(namespace[self.kind.__name__])

    def check(self) -> Any:
        """The report, or an error if it is refused."""
        subject, place, rng = self.build(), PLACES[self.kind], np.random.default_rng(0)
        x = place.inputs(rng) if callable(place.inputs) else rng.standard_normal(place.inputs)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            if isinstance(subject, Loss):
                return check_loss(subject, *x, **place.keywords)
            return check_layer(subject, x, **place.keywords)

    def __str__(self) -> str:
        return f"{self.kind.__name__}: {self.what}"


class Place(NamedTuple):
    """How a layer or a loss is made, and what it is checked with."""

    make: Callable[[type], Any]
    inputs: Any  # a shape, or a function of a generator
    keywords: dict[str, Any]


NAMES = {"Dropout": Dropout, "as_strided": as_strided, "threading": threading}  # used by edits only
PLACES: dict[type, Place] = {}
RIGHT: list[Case] = []
WRONG: list[Case] = []


def right(make=lambda kind: kind(), inputs=(5, 4), **keywords):
    """A class decorator: this layer is right, and so are its ``variant``s."""

    def register(kind):
        assert issubclass(kind, Layer | Loss)
        PLACES[kind] = Place(make, inputs, keywords)
        RIGHT.append(Case("as it stands", kind))
        return kind

    return register


def variant(kind, what, *edits):
    RIGHT.append(Case(what, kind, edits))


def wrong(kind, what, *edits):
    WRONG.append(Case(what, kind, edits))


def before():
    """What the checks of 0.2.0 were wrong about, by name."""
    return {line.strip() for line in Path(__file__).with_name("before.txt").read_text(encoding="utf-8").splitlines()}


def at_first():
    """The same of the strangers, when they were new: (how many there were, names) of right ones, and of wrong ones."""
    text = Path(__file__).with_name("first.txt").read_text(encoding="utf-8")
    parts = re.findall(r"^\w+, (\d+), .*:\n((?:  .*\n)+)", text, re.MULTILINE)
    return [(int(total), [name.strip() for name in names.splitlines()]) for total, names in parts]


@functools.cache
def verdict(case):
    """What the check says: "passed", "caught", or the name of an error that says nothing of what is wrong."""
    try:
        case.check()
    except AssertionError:
        return "caught"
    except Exception as error:
        return type(error).__name__
    return "passed"


FILES = (
    "activations",
    "dense",
    "norms",
    "images",
    "sequences",
    "blocks",
    "losses",
    "unseen",
    "strangers",
    "strangers_losses",
)
for name in FILES:  # each adds to the tables above
    importlib.import_module(f"{__name__}.{name}")
