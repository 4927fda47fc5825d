"""Write the core of the framework yourself, and be told what is wrong.

python -m demos.workshop FOLDER                write the workshop; nothing that is there is overwritten
python -m demos.workshop FOLDER --check        what is right, and what is not
python -m demos.workshop FOLDER --hint         a hint for the step at work; once more, another one
python -m demos.workshop FOLDER --solution     how we wrote it
"""

import argparse
import difflib
import json
import os
import re
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

from demos.workshop import training
from demos.workshop.bugs import BUGS
from demos.workshop.folder import (
    MNIST,
    NAMES,
    PACKAGE,
    ROOT,
    Progress,
    gaps,
    is_workshop,
    missing,
    shown,
    write,
)
from demos.workshop.steps import STEPS

LIMIT = 20  # seconds for a step, which takes a tenth of one: more is a loop without an end
CURVES = "curves.png"


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="python -m demos.workshop", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", metavar="FOLDER", help="where your files are, or will be")
    what = parser.add_mutually_exclusive_group()
    for name, text in (("check", "what is right?"), ("hint", "a hint"), ("solution", "how we wrote it")):
        what.add_argument(f"--{name}", action="store_true", help=text)
    options = parser.parse_args(arguments)
    folder = Path(os.path.expanduser(options.folder))
    if not (options.check or options.hint or options.solution):
        begin(folder)
        return
    if not is_workshop(folder):
        sys.exit(f"error: expected a workshop in {folder}, got none: {command(folder)} writes one")
    lost = missing(folder)
    if lost:
        more = f", and {len(lost) - 1} more" if len(lost) > 1 else ""
        sys.exit(f"error: expected {folder / lost[0]}, got no such file{more}: {command(folder)} adds what is missing")
    if options.check and not check(folder):
        sys.exit(1)
    if options.hint:
        hint(folder)
    if options.solution:
        solution(folder)


def command(folder, option=""):
    return f"python -m demos.workshop {shown(folder)} {option}".rstrip()


def say(text):
    """Terminals of Windows know no raised T."""
    print(text.replace("ᵀ", ".T"), flush=True)


# ---- The first command -----------------------------------------------------------------------------------------------


def begin(folder):
    if folder.exists() and not folder.is_dir():
        sys.exit(f"error: expected a folder, got the file {folder}: choose another name")
    there = is_workshop(folder)
    if folder.exists() and not there and any(folder.iterdir()):
        sys.exit(f"error: expected a new or an empty folder, got {folder}, which has other files: choose another name")
    try:
        written = write(folder)
    except OSError as error:
        sys.exit(f"error: expected a folder to write to, got {error}: choose another one")
    if not there:
        say(f"The workshop is in {folder}. Read {folder / 'README.md'}, then ask what comes first:")
    else:
        added = f"added: {', '.join(written)}; all else" if written else "nothing was missing: everything"
        progress = Progress(folder)
        say(f"There is a workshop in {folder}, with {len(progress.right)} of {len(NAMES)} done; {added} is as it was.")
        say("What comes next:")
    say(f"    {command(folder, '--check')}")


# ---- Check -----------------------------------------------------------------------------------------------------------


def check(folder, limit=LIMIT):
    """Run all steps in order, say what is right, and stop at the first that is not. Returned: is everything right?"""
    progress = Progress(folder)
    trained = MNIST in progress.right and (folder / CURVES).exists()
    names = [name for name in NAMES if not (name == MNIST and trained)]
    name, ended, printed = "", None, ""
    for event in events(folder.resolve(), names, limit):
        kind = event["event"]
        if kind == "start":
            name, ended, printed = event["name"], None, ""
            print(heading(name), end="", flush=True)
        elif kind == "print":
            printed += event["text"]
        else:
            ended = kind
            if kind == "right":
                say(" right" if name != MNIST else "")
                if name == MNIST:
                    compare(folder, event["yours"], event["ours"])
                if name in BUG_NAMES and name not in progress.right:
                    say(f"{MARGIN}found: {name}; docs/bugs.md says what it does to a training")
                progress.right = [each for each in NAMES if each in {*progress.right, name}]
                progress.said.pop(name, None)
            elif not name:
                sys.exit(f"error: the checks did not start: {event['words']}")
            else:
                say(" not yet")
                tell(folder, progress, name, event, printed)
                break
    progress.save()
    if ended == "right":
        say(f"\nAll of it is right: {len(STEPS)} steps and {len(BUGS)} bugs. The framework is yours.")
    return ended == "right"


def heading(name):
    """The beginning of a line, which ends with what was found."""
    if name in STEP_NAMES:
        return f"step {STEP_NAMES.index(name) + 1:2}  {name:<30}"
    if name == MNIST:
        return "         your framework reads digits: 5 epochs, and the same with ours"
    number = BUG_NAMES.index(name)
    return f"bug {number + 1:3}  {BUGS[number].about:<30}"


STEP_NAMES, BUG_NAMES = [step.name for step in STEPS], [bug.name for bug in BUGS]
MARGIN = " " * 9


def events(folder, names, limit):
    """What the child says while it runs; of a child that died before it had a verdict, how it ended."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")  # same seed, same bits
    arguments = [sys.executable, "-m", "demos.workshop.child", str(folder), str(limit), *names]
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            arguments, cwd=ROOT, env={**os.environ, **threads}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=errors,
        ) as child,
    ):  # fmt: skip
        verdict = False
        for line in child.stdout:
            if line.startswith(b'{"event": '):  # nothing else comes, unless the reader's code writes past sys.stdout
                event = json.loads(line)
                verdict = event["event"] not in ("start", "print")
                yield event
        child.wait()
        if not verdict:
            errors.seek(0)
            text = errors.read().decode(errors="replace")
            yield {"event": "wrong", "words": last_words(text, child.returncode, limit)}


def last_words(text, code, limit):
    """Of a child that was ended, or ended itself."""
    own = re.search(rf'File ".*?((?:{PACKAGE}|bugs)[\\/][^"]*)", line (\d+) in (.+)', text)
    if "Timeout" in text and own:
        path, line, name = own.groups()
        slow = f"it was not done after {limit:g} seconds: does every loop come to an end?"
        return f"{slow}\nin {path}, line {line}, {name}"
    said = text.strip().splitlines()[-1:] or ["without a word"]
    return f"Python itself ended (exit code {code}): {said[0]}"


def tell(folder, progress, name, event, printed):
    """What is wrong, and what to do next."""
    lines = []
    if name in progress.right:
        progress.right.remove(name)
        lines.append("this was right before, and is not any more:")
    if event["event"] == "not mended":
        bug, history = BUGS[BUG_NAMES.index(name)], event["history"]
        progress.said[name] = event["found"]
        accuracy = history["test_accuracy"][-1]
        lines.append(f"trained for two epochs: loss {history['loss'][-1]:.4f}, {accuracy:.1%} of the test digits right")
        looks = "it looks fine, and is not" if accuracy > 0.8 else "something is wrong"
        lines.append(f"{looks}: mend {folder / 'bugs' / bug.file}")
    else:
        lines.append(event["words"])
    if printed:
        lines += ["it printed:", textwrap.indent(printed.rstrip(), "    ")]
    if name in STEP_NAMES:
        step = STEPS[STEP_NAMES.index(name)]
        lines.append(f"file: {folder / PACKAGE / step.file}; to read: docs/{step.chapter}")
    lines.append(f"a hint: {command(folder, '--hint')}")
    say(indented("\n".join(lines)))


def indented(text, width=110):
    """Below a heading; a line that is too long goes on in the next one."""
    lines = []
    for line in text.splitlines():
        inner = MARGIN + line[: len(line) - len(line.lstrip())]
        lines += textwrap.wrap(line.strip(), width, initial_indent=inner, subsequent_indent=f"{inner}  ")
    return "\n".join(lines)


def compare(folder, yours, ours):
    """Two histories, in words and in a picture."""
    try:
        training.draw(yours, ours, folder / CURVES)
        say(f"{MARGIN}saved {folder / CURVES}")
    except ModuleNotFoundError as error:
        say(f"{MARGIN}no picture, as {error.name} is missing: {sys.executable} -m pip install {error.name}")
    for epoch, (loss, accuracy) in enumerate(zip(yours["loss"], yours["test_accuracy"], strict=True), start=1):
        say(f"{MARGIN}epoch {epoch}  loss {loss:.4f}  test accuracy {accuracy:.4f}")
    if yours == ours:
        say(MARGIN + "your curve is ours, to the last digit")
    else:
        difference = max(abs(a - b) for a, b in zip(yours["loss"], ours["loss"], strict=True))
        reason = "sums in another order do" if difference < 1e-5 else "other random numbers do"
        say(f"{MARGIN}your losses and ours differ by up to {difference:.1e}: {reason} that. Every step is right")


# ---- Hints, and how we wrote it --------------------------------------------------------------------------------------


def hint(folder):
    progress = Progress(folder)
    name = progress.current()
    if name in STEP_NAMES:
        hints = STEPS[STEP_NAMES.index(name)].hints
    elif name in BUG_NAMES and name in progress.said:
        hints = (f"What a check says:\n{progress.said[name]}", *BUGS[BUG_NAMES.index(name)].hints)
    else:
        say(nothing_to_tell(folder, name))
        return
    number = min(progress.hints.get(name, 0), len(hints) - 1)
    say(f"{' '.join(heading(name).split())}: hint {number + 1} of {len(hints)}")
    say(indented(hints[number]))
    progress.hints[name] = number + 1
    progress.save()


def solution(folder):
    name = Progress(folder).current()
    if name in STEP_NAMES:
        step = STEPS[STEP_NAMES.index(name)]
        say(f"{name}, in {folder / PACKAGE / step.file}:")
        for gap in gaps(step):
            say(gap.original.rstrip())
    elif name in BUG_NAMES:
        bug = BUGS[BUG_NAMES.index(name)]
        say(f"{name}, in {folder / 'bugs' / bug.file}: - is the bug, + is right")
        both = (bug.module(mended).splitlines() for mended in (False, True))
        say("\n".join(line for line in difflib.ndiff(*both) if line[0] in "-+"))
    else:
        say(nothing_to_tell(folder, name))


def nothing_to_tell(folder, name):
    found = "says what comes next" if name else "found all of it right"
    return f"Nothing to tell: {command(folder, '--check')} {found}"
