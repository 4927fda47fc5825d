"""What is written into the reader's folder: the lesson with holes, ten modules with a bug each, a README, progress.

Everything is made from the framework's source, so that it cannot be out of date. No file that is there is overwritten.
"""

import ast
import json
import re
import textwrap
from pathlib import Path
from typing import NamedTuple

import nnscratch
from demos.workshop.bugs import BUGS
from demos.workshop.steps import STEPS, Hole
from nnscratch.writing import replacing

ROOT = Path(__file__).parent.parent.parent
SOURCE = Path(nnscratch.__file__).parent
PACKAGE = "mynet"  # the reader's framework
PROGRESS = "progress.json"
MNIST = "MNIST"  # between the steps and the bugs: the reader's framework trains
NAMES = [*(step.name for step in STEPS), MNIST, *(bug.name for bug in BUGS)]


# ---- Holes -----------------------------------------------------------------------------------------------------------


def missing_lines(source, hole: Hole):
    """The numbers of the first and the last line that are missing, from 1."""
    *outer, name = hole.function.split(".")
    inside = ast.parse(source).body
    for part in [*outer, name]:
        function = next(node for node in inside if getattr(node, "name", "") == part)
        inside = function.body
    if not hole.first:
        body = function.body[1:] if ast.get_docstring(function) else function.body
        if "guards." in ast.unparse(body[0]):
            body = body[1:]
        return body[0].lineno, function.end_lineno
    statements = [node for node in ast.walk(function) if isinstance(node, ast.stmt)]

    def beginning_with(text):
        return next(node for node in statements if ast.unparse(node).startswith(text))

    last = beginning_with(hole.last).end_lineno if hole.last else function.end_lineno
    return beginning_with(hole.first).lineno, last


class Gap(NamedTuple):
    """A hole: the lines that are missing, by their numbers, and what stands there instead."""

    first: int
    last: int
    original: str
    stub: str


def gaps(step):
    """The holes of a step."""
    source = (SOURCE / step.file).read_text(encoding="utf-8")
    number, result = STEPS.index(step) + 1, []
    for i, hole in enumerate(step.holes, start=1):
        part = f", part {i} of {len(step.holes)}" if len(step.holes) > 1 else ""
        first, last = missing_lines(source, hole)
        original = "".join(source.splitlines(keepends=True)[first - 1 : last])
        indent = original[: len(original) - len(original.lstrip())]
        task = textwrap.wrap(f"Step {number}{part}. {hole.task}", 98 - len(indent))
        stub = [*(f"# {line}" for line in task), f'raise NotImplementedError("step {number}, {hole.function}")']
        result.append(Gap(first, last, original, textwrap.indent("\n".join(stub) + "\n", indent)))
    return result


def package():
    """The files of the reader's framework, by their paths: the lesson with its holes, and what keeps it safe."""
    files = {}
    for path in sorted([*SOURCE.glob("*.py"), *SOURCE.glob("checking/*.py")]):
        if path.name == "plots.py":  # it needs more than NumPy
            continue
        name, lines = path.relative_to(SOURCE).as_posix(), path.read_text(encoding="utf-8").splitlines(keepends=True)
        holes = [gap for step in STEPS if step.file == name for gap in gaps(step)]
        for gap in sorted(holes, reverse=True):  # from the end: the numbers of the lines before stay
            lines[gap.first - 1 : gap.last] = [gap.stub]
        files[f"{PACKAGE}/{name}"] = re.sub(r"\bnnscratch\b", PACKAGE, "".join(lines))
    return files


# ---- The folder ------------------------------------------------------------------------------------------------------


def files(folder):
    """All files of a workshop: texts by paths."""
    bugs = {f"bugs/{bug.file}": bug.module() for bug in BUGS}
    return {"README.md": readme(folder), **package(), **bugs, PROGRESS: progress_text([], {}, {})}


def is_workshop(folder):
    return (folder / PACKAGE).is_dir() or (folder / PROGRESS).exists()


def write(folder):
    """Write what is not there yet. Returned: the paths of these files. Errors: OSError."""
    written = []
    for name, text in files(folder).items():
        if not (folder / name).exists():
            with replacing(folder / name) as file:
                file.write(text.encode())
            written.append(name)
    return written


def missing(folder):
    """What the workshop cannot do without and is not there."""
    return [name for name in files(folder) if name.endswith(".py") and not (folder / name).is_file()]


# ---- Progress --------------------------------------------------------------------------------------------------------


class Progress:
    """What has been right, how many hints were asked for, and what a check said of a bug."""

    def __init__(self, folder):
        self.path = folder / PROGRESS
        try:
            kept = json.loads(self.path.read_text(encoding="utf-8"))
            self.right = [name for name in NAMES if name in kept["right"]]
            self.hints, self.said = dict(kept["hints"]), dict(kept["said"])
        except FileNotFoundError:
            self.right, self.hints, self.said = [], {}, {}
        except (ValueError, KeyError, TypeError) as error:
            raise OSError(
                f"expected {self.path} as the workshop wrote it, got something else: delete it, and run --check to "
                "have everything that is right noted again"
            ) from error

    def current(self):
        """The first that has not been right, or None."""
        return next((name for name in NAMES if name not in self.right), None)

    def save(self):
        with replacing(self.path) as file:
            file.write(progress_text(self.right, self.hints, self.said).encode())


def progress_text(right, hints, said):
    return json.dumps({"right": right, "hints": hints, "said": said}, indent=1) + "\n"


# ---- The README ------------------------------------------------------------------------------------------------------


def readme(folder):
    steps = [
        f"| {i} | `{step.name}` | `{PACKAGE}/{step.file}` | {step.chapter} |" for i, step in enumerate(STEPS, start=1)
    ]
    bugs = [f"| {i} | `bugs/{bug.file}` | {bug.about} |" for i, bug in enumerate(BUGS, start=1)]
    return README.format(
        folder=shown(folder), root=ROOT, docs=ROOT / "docs", steps="\n".join(steps), n=len(STEPS), bugs="\n".join(bugs)
    )


def shown(folder):
    """As one types it in a shell."""
    return f'"{folder}"' if " " in str(folder) else str(folder)


README = """\
# Your own framework

`mynet` is a neural-network framework in NumPy. It is nearly complete: {n} short pieces are missing, and you write them.
After that it learns to read digits, and you can say of every line why it is there.

## How it goes

1. Open a terminal in `{root}`.
2. Ask what comes next:

       python -m demos.workshop {folder} --check

3. Read the chapter that is named there; the chapters are in `{docs}`. They show the whole source: pass over the
   block of the function that you are about to write.
4. Open the file, find the line that says `raise NotImplementedError`, and write your own code in its place. The formula
   stands in the docstring above, of the function or of its class. What `guards` and `advice` do can wait: take
   `guards.f(x)` for x.
5. Check again. What is right is ticked off; of what is wrong you read how, with numbers.

If you are stuck:

    python -m demos.workshop {folder} --hint
    python -m demos.workshop {folder} --solution

Each `--hint` tells a little more than the one before. You may print whatever you like from your code; what the step at
work prints is shown. Nothing that you write is ever overwritten: should a file get lost, `python -m demos.workshop
{folder}` adds what is missing and leaves the rest alone.

## The steps

| step | what you write | where | read first |
| --- | --- | --- | --- |
{steps}

Then your framework trains on 10,000 digits, beside ours, and `curves.png` shows both.

## Find the bug

Each of these files has a classic bug in it. The code runs, the training goes well, and nobody looks any further. You
do. Find it, and mend it in the file. `--check` says whether it is gone, `--hint` what gives it away. The formula in
the docstring is right.

| bug | file | what is in it |
| --- | --- | --- |
{bugs}
"""
