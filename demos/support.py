"""Plumbing for the demos: arguments, loading with the sample as a fallback, progress, the report and its files."""

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import textwrap
from contextlib import contextmanager
from pathlib import Path

from threadpoolctl import threadpool_limits
from tqdm import tqdm

from datasets import mnist
from datasets.dataset import DatasetError
from datasets.download import DownloadError
from demos._launcher import on_signals, prepare_streams
from nnscratch import Callback
from nnscratch.writing import replacing

# The products of these models are so small that a second thread costs more than it brings, and with any other busy
# process on the machine the two threads wait for each other most of the time.
one_thread = threadpool_limits.wrap(limits=1, user_api="blas")

NEEDED = 5_000_000  # bytes: a little more than all files of a run


def run(main):
    """Run a program on one BLAS thread; expected trouble ends it with a message instead of a traceback."""
    prepare_streams()
    try:
        one_thread(main)()
    except (OSError, DatasetError, FloatingPointError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted")


def parse_arguments(arguments, models):
    parser = argparse.ArgumentParser(prog="python -m demos.mnist", description="The classic MNIST tutorials.")
    parser.add_argument("--model", choices=list(models), help="train only this one (default: all)")
    parser.add_argument("--variant", choices=["a", "b"], default="b", help="the loss, explained in demos/mnist.py")
    parser.add_argument("--epochs", type=positive(int), help="instead of each tutorial's own number")
    parser.add_argument("--batch-size", type=positive(int), default=32, help="default: %(default)s")
    parser.add_argument("--learning-rate", type=positive(float), default=1e-3, help="default: %(default)s")
    parser.add_argument("--validation-split", type=share, help="share of the training set to hold out, 0 to 0.9")
    parser.add_argument("--seed", type=natural, default=0, help="same seed, same numbers (default: %(default)s)")
    parser.add_argument("--output", type=home, default=Path("runs/mnist"), help="default: %(default)s")
    parser.add_argument("--data-dir", type=home, help="where data sets are kept (default: the user's cache)")
    parser.add_argument("--sample", action="store_true", help="train on the small sample in the checkout")
    parser.add_argument("--quiet", action="store_true", help="only the table at the end")
    return parser.parse_args(arguments)


def home(text):
    return Path(os.path.expanduser(text))  # a shell leaves the ~ in --output=~/runs alone


def positive(kind):
    def convert(text):
        value = kind(text)
        if not 0 < value < float("inf"):
            raise argparse.ArgumentTypeError(f"expected a number above 0, got {text}")
        return value

    convert.__name__ = kind.__name__  # argparse names the type in its message
    return convert


def natural(text):
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"expected a number of at least 0, got {text}")
    return value


def share(text):
    value = float(text)
    if not 0 <= value <= 0.9:
        raise argparse.ArgumentTypeError(f"expected a share from 0 to 0.9, got {text}")
    return value


def load_mnist(options, report):
    """MNIST; or, where no mirror can be reached, the sample in the checkout, and every reader is told so. A file that
    is damaged ends the demo: training on the sample instead would hide that."""
    if options.sample:
        reason = "--sample was given"
    else:
        try:
            return mnist.load_data(options.data_dir)
        except DownloadError as error:
            reason = str(error)
        except DatasetError as error:
            sys.exit(f"error: {error}")
    report.on_sample(reason)
    return mnist.load_sample()


class ProgressBar(Callback):
    """A bar for the epoch at work; it goes when the epoch is done, and does not show where there is no terminal. And
    between two batches, where no step is half done, it looks whether somebody wants the training to end."""

    def __init__(self, report):
        self.report = report
        self.disable = True if report.options.quiet else None  # None: tqdm looks whether it writes to a terminal

    def on_train_begin(self, model, epochs, steps):
        self.steps, self.done, self.bar = steps, 0, None

    def on_batch_end(self, loss, accuracy):
        if self.done == 0:
            shape = "{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt}, {remaining} left{postfix}"
            self.bar = tqdm(total=self.steps, leave=False, disable=self.disable, bar_format=shape)
        if self.done % 50 == 0:
            self.bar.set_postfix_str(f"loss {loss:.4f}, accuracy {accuracy:.4f}", refresh=False)
        self.bar.update()
        self.done += 1
        if self.done == self.steps:
            self.bar.close()
            self.done = 0
        if self.report.interrupted:
            raise KeyboardInterrupt  # fit ends the training and keeps what was learnt

    def on_train_end(self, model):
        if self.done:  # interrupted
            self.bar.close()


class Report:
    """What a run says: on the terminal, in ``report.txt``, and in files that are written whole or not at all.

    ``folders`` are those below the output folder, ``needed`` the bytes of all files. All folders are tried before
    anything is trained. Errors: OSError.
    """

    head = "model             parameters  epochs     train      test  test loss  seconds"
    note = "train: mean accuracy over the last epoch, while the weights changed; test: accuracy afterwards"

    def __init__(self, options, folders=(), needed=None):
        self.options, self.sample, self.interrupted, self.lines, self.rows = options, False, False, [], []
        self.unsaved = None  # how many files could not be saved, where that is no reason to stop
        needed = needed or NEEDED
        try_writing(options.output, needed)
        for folder in folders:
            if (options.output / folder).exists():
                try_writing(options.output / folder, needed)

    @contextmanager
    def with_something_to_lose(self):
        """For as long as this lasts, what was trained is saved in any case: Ctrl-C and SIGTERM are noted and end the
        training, and the file that cannot be written (the disk may be full by now) is left out. Errors: OSError at
        the end if there was one; KeyboardInterrupt at once when somebody presses Ctrl-C for the second time."""
        before, self.unsaved = on_signals(self.interrupt), 0
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        if self.unsaved:
            raise OSError(f"{self.unsaved} files were not saved, as said above: choose another folder with --output")

    def interrupt(self, number, frame):
        if self.interrupted:
            raise KeyboardInterrupt
        self.interrupted = True

    def until_interrupted(self, names):
        """Those names whose turn comes. Errors: KeyboardInterrupt when it came before anything was trained."""
        for name in names:
            if self.interrupted and not self.rows:
                raise KeyboardInterrupt
            if self.interrupted:
                self.say("interrupted: what was trained so far is evaluated and saved, the other models are left out")
                break
            yield name

    def say(self, text, always=False):
        """Print a text, unless it may be left out and the run is quiet, and put it into the report."""
        self.lines.append(text)
        if always or not self.options.quiet:
            print(text, flush=True)

    def section(self, text, always=False):
        self.say(f"\n{text}\n{'=' * len(text)}", always)

    def on_sample(self, reason):
        """Say, quiet or not, that this is not the full MNIST."""
        self.sample = True
        width = min(max(shutil.get_terminal_size().columns, 40), 110)  # COLUMNS may say 1
        text = f"""\
NOT THE FULL MNIST: this run uses the sample in datasets/sample, the first 10,000 training and 2,000 test digits.
Accuracies are lower than with all 60,000, and less certain.
Reason: {reason}
For the full set: run without --sample and with a network connection, or copy the four files of MNIST into a folder
NAME/mnist and run with --data-dir NAME."""
        lines = [part for line in text.splitlines() for part in textwrap.wrap(line, width - 2, break_on_hyphens=False)]
        self.say("\n".join(["!" * width, *(f"! {line}" for line in lines), "!" * width]), always=True)

    def title(self, text):
        """A figure's title, which tells too when the data is the sample."""
        return f"{text}\n(sample of MNIST: 10,000 training digits)" if self.sample else text

    def save(self, name, write):
        """Let ``write(path)`` save a file in the output folder, and say where it went."""
        path = self.options.output / name
        try:
            write(path)
        except OSError as error:
            if self.unsaved is None:
                raise
            self.unsaved += 1
            self.say(f"NOT SAVED: {error}", always=True)
        else:
            self.say(f"saved {path}")

    def save_figure(self, name, figure):
        def write(path):
            with replacing(path) as file:
                figure.savefig(file, format="png", dpi=110)

        self.save(name, write)

    def save_json(self, name, value):
        self.save_text(name, json.dumps(value, indent=1) + "\n")

    def save_text(self, name, text):
        def write(path):
            with replacing(path) as file:
                file.write(text.encode(errors="backslashreplace"))  # the name of a folder may be no UTF-8

        self.save(name, write)

    def row(self, name, *, parameters, epochs, history, test_accuracy, test_loss, seconds):
        trained = len(history["loss"])
        shown = f"{trained}{'+' if trained < epochs else ''}"
        train = f"{history['accuracy'][-1]:.4f}" if history["accuracy"] else "-"
        self.rows.append(
            f"{name:<18}{parameters:>10,}{shown:>8}{train:>10}{test_accuracy:>10.4f}{test_loss:>11.4f}{seconds:>9.1f}"
        )

    def finish(self):
        """The comparison table, shown even when quiet, and the report as a file."""
        self.section("comparison" + (" (on the sample, not the full MNIST)" if self.sample else ""), always=True)
        lines = [self.head, *self.rows, self.note]
        if self.interrupted:
            lines.append("interrupted (+: within the next epoch): the models after it were not trained")
        for line in lines:
            self.say(line, always=True)
        self.save_text("report.txt", "\n".join(self.lines) + "\n")


def try_writing(folder, needed):
    """Make a folder and write as much as a run does, for a moment. Errors: OSError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(needed))
    except OSError as error:
        raise OSError(
            f"expected a folder that takes files of {needed / 1e6:.0f} MB, got {folder}: {error.strerror}: "
            "choose another one with --output"
        ) from error
