"""How a demo starts, so that what stands in its way is said in one line.

The imports of a demo take a second, and until they are done Ctrl-C would end in a traceback from the depths of NumPy or
matplotlib, as would a package that is missing. So a demo, run as a program, comes here before its imports: ``launch``
prepares for trouble, then imports the same file as a module and calls its ``main``. For that the checkout has to be on
the path, which it is not yet when an editor runs the file by its name.

This file, what it imports, and the lines of the demos that lead here also run on Python versions too old for the rest:
to say so.
"""

import importlib
import os
import signal
import sys

from datasets.streams import errors_told, prepare_streams

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def launch(name):
    """Run ``main()`` of a module; expected trouble ends it with a line instead of a traceback, and exit code 1."""
    on_signals(end_at_once)
    if sys.version_info < (3, 11):  # noqa: UP036  # this file runs on those, too
        sys.exit(f"error: expected Python 3.11 or newer, got {sys.version.split()[0]}: start it with a newer one")
    prepare_streams()
    try:
        with errors_told():
            importlib.import_module(name).main()
    except ModuleNotFoundError as error:
        sys.exit(f'error: {error.name} is missing: {sys.executable} -m pip install -e "{ROOT}[demos]"')
    except FloatingPointError as error:
        sys.exit(f"error: {error}")


# ---- Ctrl-C, and SIGTERM, by which ``kill``, batch systems and a shutdown end a program ------------------------------


def on_signals(handler):
    """From now on both call ``handler(number, frame)``. Returned are the handlers before, by number."""
    # What is ignored stays so: a shell's ``&`` keeps Ctrl-C from programs in the background.
    wanted = [each for each in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(each) != signal.SIG_IGN]
    return {number: signal.signal(number, handler) for number in wanted}


def end_at_once(number, frame):
    """For as long as there is nothing to lose. An exception would not do: raised within an import, a destructor or a
    callback from C it is printed with its traceback, or swallowed."""
    try:
        os.write(2, b"interrupted\n")
    finally:
        os._exit(1)
