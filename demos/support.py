"""Plumbing for the demos: arguments, loading with the sample as a fallback, progress, the report and its files."""

import argparse
import json
import shutil
import sys
import textwrap
from pathlib import Path

from threadpoolctl import threadpool_limits
from tqdm import tqdm

from datasets import mnist
from datasets.dataset import DatasetError
from datasets.download import DownloadError
from nnscratch import Callback
from nnscratch.writing import replacing


def run(main):
    """Run a demo on one BLAS thread; expected trouble ends it with a message instead of a traceback."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # a file name that the terminal cannot show is no reason to stop
    try:
        # The products of these models are so small that a second thread costs more than it brings, and with any other
        # busy process on the machine the two threads wait for each other most of the time.
        with threadpool_limits(limits=1, user_api="blas"):
            main()
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
    parser.add_argument("--output", type=Path, default=Path("runs/mnist"), help="default: %(default)s")
    parser.add_argument("--data-dir", type=Path, help="where data sets are kept (default: the user's cache)")
    parser.add_argument("--sample", action="store_true", help="train on the small sample in the checkout")
    parser.add_argument("--quiet", action="store_true", help="only the table at the end")
    return parser.parse_args(arguments)


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
    """MNIST; or, where no mirror can be reached, the sample in the checkout, and every reader is told so."""
    if options.sample:
        reason = "--sample was given"
    else:
        try:
            return mnist.load_data(options.data_dir)
        except DownloadError as error:
            reason = str(error)
    report.on_sample(reason)
    return mnist.load_sample()


class ProgressBar(Callback):
    """A bar for the epoch at work; it goes when the epoch is done, and does not show where there is no terminal."""

    def __init__(self, quiet):
        self.disable = True if quiet else None  # None: tqdm looks whether it writes to a terminal

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

    def on_train_end(self, model):
        if self.done:  # interrupted
            self.bar.close()


class Report:
    """What a run says: on the terminal, in ``report.txt``, and in files that are written whole or not at all."""

    def __init__(self, options):
        self.options, self.sample, self.interrupted, self.lines, self.rows = options, False, False, [], []
        options.output.mkdir(parents=True, exist_ok=True)  # if that cannot be, better now than after the training

    def say(self, text, always=False):
        """Print a text, unless it may be left out and the run is quiet, and put it into the report."""
        self.lines.append(text)
        if always or not self.options.quiet:
            print(text)

    def section(self, text, always=False):
        self.say(f"\n{text}\n{'=' * len(text)}", always)

    def on_sample(self, reason):
        """Say, quiet or not, that this is not the full MNIST."""
        self.sample = True
        width = min(shutil.get_terminal_size().columns, 110)
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
        write(path)
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
                file.write(text.encode())

        self.save(name, write)

    def row(self, name, *, parameters, history, test_accuracy, test_loss, seconds):
        epochs = f"{len(history['loss'])}{'+' if self.interrupted else ''}"
        train = f"{history['accuracy'][-1]:.4f}" if history["accuracy"] else "-"
        self.rows.append(
            f"{name:<18}{parameters:>10,}{epochs:>8}{train:>10}{test_accuracy:>10.4f}{test_loss:>11.4f}{seconds:>9.1f}"
        )

    def finish(self):
        """The comparison table, shown even when quiet, and the report as a file."""
        self.section("comparison" + (" (on the sample, not the full MNIST)" if self.sample else ""), always=True)
        head = "model             parameters  epochs     train      test  test loss  seconds"
        note = "train: mean accuracy over the last epoch, while the weights changed; test: accuracy afterwards"
        lines = [head, *self.rows, note]
        if self.interrupted:
            lines.append("+: interrupted within the next epoch; the models after it were not trained")
        for line in lines:
            self.say(line, always=True)
        self.save_text("report.txt", "\n".join(self.lines) + "\n")
