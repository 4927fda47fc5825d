"""Draw the figures of the docs, all or those named: ``python -m docs.figures [NAME ...]``.

A figure is a script ``NAME.py`` with a function ``draw()``, which computes what is to be seen and returns a matplotlib
Figure; it is saved beside the script as ``NAME.png``, or as ``NAME.svg`` where the script says ``FORMAT = "svg"``. The
same picture comes out each time: seeds are fixed, and the style is matplotlib's own, whatever the user's settings are.
What takes longer than a second says ``SLOW = "seconds"``, and tests draw it with ``-m long`` only, or
``SLOW = "minutes"``, and they do not. Where another processor would draw something else, as it rounds differently and
training amplifies that, the script says ``VARIES = True``: then its picture is compared roughly. What calls
``load_data`` is not tested where the full MNIST is missing.
"""

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import BinaryIO

import matplotlib
import matplotlib.style

from demos import support
from nnscratch.writing import replacing

FOLDER = Path(__file__).parent
DPI = 150


def names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.py") if not path.name.startswith("_"))


def script(name: str) -> ModuleType:
    return importlib.import_module(f"docs.figures.{name}")


def slow(name: str) -> str:
    """How long it takes: "minutes", "seconds", or "" for less."""
    return getattr(script(name), "SLOW", "")


def varies(name: str) -> bool:
    return getattr(script(name), "VARIES", False)


def picture(name: str) -> Path:
    """Where the picture of a script is saved."""
    return FOLDER / f"{name}.{getattr(script(name), 'FORMAT', 'png')}"


def draw(name: str, file: BinaryIO) -> None:
    with matplotlib.style.context("default"), matplotlib.rc_context({"svg.hashsalt": "nnscratch"}):
        figure = script(name).draw()
        kind = picture(name).suffix[1:]
        figure.savefig(file, format=kind, dpi=DPI, metadata={"Date": None} if kind == "svg" else None)


def main() -> None:
    wanted = sys.argv[1:] or names()
    for name in wanted:
        if name not in names():
            sys.exit(f"error: expected figures out of {', '.join(names())}, got {name}")
    for name in wanted:
        with replacing(picture(name)) as file:
            draw(name, file)
        print(f"saved {picture(name)}", flush=True)


if __name__ == "__main__":
    support.run(main)
