"""How a demo starts, so that what stands in its way is said in one line.

The imports of a demo take a second, and until they are done Ctrl-C would end in a traceback from the depths of NumPy or
matplotlib, as would a package that is missing. So a demo, run as a program, comes here before its imports: ``launch``
prepares for trouble, then imports the same file as a module and calls its ``main``. For that the checkout has to be on
the path, which it is not yet when an editor runs the file by its name.

This file, and the lines of the demos that lead here, also run on Python versions too old for the rest: to say so.
"""

import importlib
import os
import signal
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def launch(name):
    """Run ``main()`` of a module; expected trouble ends it with a line instead of a traceback, and exit code 1."""
    on_signals(end_at_once)
    if sys.version_info < (3, 11):  # noqa: UP036  # this file runs on those, too
        sys.exit(f"error: expected Python 3.11 or newer, got {sys.version.split()[0]}: start it with a newer one")
    prepare_streams()
    try:
        try:
            importlib.import_module(name).main()
        finally:
            sys.stdout.flush()  # now, when an error can still be told
    except ModuleNotFoundError as error:
        sys.exit(f'error: {error.name} is missing: {sys.executable} -m pip install -e "{ROOT}[demos]"')
    except FloatingPointError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        # If it was standard output that failed, Python would try once more at exit. A broken pipe is no trouble: it is
        # how ``head`` says that it has read enough, and programs end without a word then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(1 if isinstance(error, BrokenPipeError) else f"error: {error}")


def prepare_streams():
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
