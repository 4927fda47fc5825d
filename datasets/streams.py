"""Standard streams that a program can rely on, for ``python -m datasets`` and the demos.

This file, too, runs on Python versions too old for the rest: see demos/_launcher.py.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


def prepare_streams() -> None:
    """Make the standard streams safe to write to. One that was closed before the start is None."""
    if sys.stdout is None:
        sys.exit("error: expected an open standard output, got a closed one: to see nothing, print to /dev/null")
    if sys.stderr is None:
        # Files take the lowest number that is free, and messages for number 2 must not land in a file of ours.
        while os.open(os.devnull, os.O_RDWR) < 2:
            pass
        sys.stderr = open(2, "w", encoding="utf-8")  # noqa: SIM115  # it stays open to the end
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # those of some editors are of their own making
            stream.reconfigure(errors="backslashreplace")  # a name that cannot be shown is no reason to stop


@contextmanager
def errors_told() -> "Iterator[None]":
    """An OSError, be it that of standard output, ends the program with a line instead of a traceback."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()  # now, when an error can still be told
    except OSError as error:
        # If it was standard output that failed, Python would try once more at exit. A broken pipe is no trouble: it is
        # how ``head`` says that it has read enough, and programs end without a word then.
        discard(1)
        sys.exit(1 if isinstance(error, BrokenPipeError) else f"error: {error}")
    finally:
        try:
            sys.stderr.flush()
        except OSError:
            discard(2)  # what cannot be said there is lost, but changes no exit code


def discard(number: int) -> None:
    """What comes to the stream from now on, and what waits to be written to it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), number)
