"""Runs the reader's code, in a process of its own: python -m demos.workshop.child FOLDER LIMIT NAME ...

What is found goes to standard output, a line of JSON for each event. A loop without an end is ended after LIMIT
seconds; then Python's faulthandler says on standard error in which line it was.
"""

import contextlib
import faulthandler
import importlib
import importlib.util
import io
import json
import sys
import traceback
import warnings
from pathlib import Path

import nnscratch
from demos.workshop import training
from demos.workshop.bugs import BUGS
from demos.workshop.checks import StepError
from demos.workshop.folder import MNIST, PACKAGE
from demos.workshop.steps import STEPS

TRAINING = 300  # seconds, where it is longer than LIMIT
LINES = 20  # of what the reader's code prints


def run(folder, names, say):
    """Check these, in order, up to the first that is not right. ``say(event, **details)`` hears of it."""
    steps, bugs = {step.name: step for step in STEPS}, {bug.name: bug for bug in BUGS}
    for name in names:
        say("start", name=name)
        try:
            with warnings.catch_warnings(), contextlib.redirect_stdout(Printed(say)):
                warnings.simplefilter("error", RuntimeWarning)  # an overflow is told, not passed over
                if name in steps:
                    steps[name].check(load_package(folder))
                    say("right")
                elif name == MNIST:
                    yours = training.train_as_it_reads(load_package(folder))
                    say("right", yours=yours, ours=training.train_as_it_reads(nnscratch))
                elif not find_bug(bugs[name], folder, say):
                    return
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit, too: the reader's code may do anything
            say("wrong", words=words(error, folder))
            return


def find_bug(bug, folder, say):
    """Is it mended? If not, say how well it trains; what the check found is for a hint."""
    module = load_file(folder / "bugs" / bug.file)
    try:
        bug.check(module)
    except (StepError, nnscratch.GradientError) as found:
        if isinstance(found.__cause__, Exception) and not isinstance(found.__cause__, RuntimeWarning):
            raise  # the code failed: no bug that one has to look for
        history = bug.train(module)
        say("not mended", found=str(found), history=history)
        return False
    say("right")
    return True


def load_package(folder):
    """The reader's framework, as it is now."""
    if PACKAGE in sys.modules and Path(sys.modules[PACKAGE].__file__).parent.parent == folder:
        return sys.modules[PACKAGE]
    forget()
    sys.path.insert(0, str(folder))
    try:
        return importlib.import_module(PACKAGE)
    finally:
        sys.path.remove(str(folder))


def forget():
    """Import the reader's framework anew next time."""
    for name in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
        del sys.modules[name]
    importlib.invalidate_caches()


def load_file(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Printed(io.TextIOBase):
    """What the reader's code prints, up to a number of lines."""

    def __init__(self, say):
        self.say, self.left = say, LINES

    def write(self, text):
        if self.left > 0:
            self.say("print", text=text[:2000])
            self.left -= max(text[:2000].count("\n"), len(text) // 200)
        return len(text)


# ---- Errors, in words ------------------------------------------------------------------------------------------------


def words(error, folder):
    """What is wrong, and in which line of the reader's."""
    if isinstance(error, SyntaxError):
        where = f"{place(error.filename, folder)}, line {error.lineno}"
        line = (error.text or "").strip()
        return f"Python cannot read {where}: {error.msg}\n    {line}"
    if isinstance(error, StepError | nnscratch.GradientError) or type(error).__name__ == "GradientError":
        cause = error.__cause__
        told = cause is None or isinstance(cause, RuntimeWarning)
        return str(error) if told else "\n".join(filter(None, [str(error), line_of(cause, folder), familiar(cause)]))
    if isinstance(error, NotImplementedError) and str(error).startswith("step "):
        return f"not written yet: {error}\n" + line_of(error, folder).split(":")[0]
    if isinstance(error, SystemExit):
        return f"it ends the program, by exit() or sys.exit(): leave that out\n{line_of(error, folder)}"
    text = "\n".join([f"{type(error).__name__}: {error}", *getattr(error, "__notes__", [])])
    return "\n".join(filter(None, [text, line_of(error, folder), familiar(error)]))


def familiar(error):
    return next((fix for part, fix in FAMILIAR.items() if part in str(error)), "")


FAMILIAR = {  # what is in an error, and what it usually comes from
    "'Parameter'": "W and b are Parameters: their numbers are in self.W.value and self.b.value",
    "enough dimensions (has 0": "is one of them a Parameter? Its numbers are in .value, as in self.W.value",
    "got ():": "a sum or mean without axis is one number for all; axis=0 makes one for each column",
    "'int' object has no attribute": "rng may be a seed or None: np.random.default_rng(rng) makes a Generator of each",
    "truth value": "if decides once, for all of it: np.where(condition, a, b) chooses number by number",
    "matmul": "of the two shapes of a product A @ B, the last number of A and the first of B have to be the same",
    "could not be broadcast": "+, * and == go number by number, and the shapes have to fit; @ is the matrix product",
    "'NoneType'": "a function that does not end with return returns None",
    "is not defined": "is it spelled as above, or does it live in self?",
    "has no attribute": "was it kept in self, under this name, before?",
    "referenced before": "give it a value before it is used",
    "not associated with a value": "give it a value before it is used",
}


def line_of(error, folder):
    """The last line of what the reader writes, or else of the package, that the error came through."""
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).is_relative_to(folder)
    ]
    written = [frame for frame in frames if place(frame.filename, folder) in WRITTEN]
    if not frames:
        return ""
    frame = (written or frames)[-1]
    return f"in {place(frame.filename, folder)}, line {frame.lineno}, {frame.name}:\n    {frame.line}"


WRITTEN = {*(f"{PACKAGE}/{step.file}" for step in STEPS), *(f"bugs/{bug.file}" for bug in BUGS)}


def place(path, folder):
    """As seen from the reader's folder."""
    path = Path(path)
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)


def main():
    folder, limit, *names = sys.argv[1:]
    sys.dont_write_bytecode = True
    out, limit = sys.stdout, float(limit)

    def say(event, **details):
        if event == "start":
            longest = TRAINING if details["name"] == MNIST else limit
            faulthandler.dump_traceback_later(longest, exit=True, file=sys.__stderr__)
        out.write(json.dumps({"event": event, **details}) + "\n")
        out.flush()

    run(Path(folder), names, say)


if __name__ == "__main__":
    main()
