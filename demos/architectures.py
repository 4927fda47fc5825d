"""One data set, five ways to read it: what a network is told about images before it has seen one.

    python -m demos.architectures --quick                 on the sample, in two minutes
    python -m demos.architectures                         all five on the full MNIST, in an hour
    python -m demos.architectures --model convolution     one of them
    python -m demos.architectures --help                  what can be changed

The layers are those of the cookbook, demos/layers. All five are trained alike; only the layers differ, the number of
epochs, and how large a step is. Read this file from top to bottom; ``main`` puts the parts together.
"""

if __name__ == "__main__":  # why this comes before the imports: demos/_launcher.py
    import os
    import sys

    try:
        sys.path.insert(0, os.path.abspath(f"{__file__}/../.."))
        from demos._launcher import launch

        sys.exit(launch("demos.architectures"))
    except KeyboardInterrupt:
        sys.exit("interrupted")

import argparse
import statistics
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from datasets import mnist
from demos import support
from demos.layers.augmentation import RandomDistortion, RandomShift
from demos.layers.blocks import PerToken, Reshape
from demos.layers.callbacks import CosineSchedule, WeightAverage
from demos.layers.images import Conv2D, MaxPool2D
from demos.layers.normalisation import BatchNorm, LayerNorm
from demos.layers.regularisation import LabelSmoothing
from demos.layers.sequences import LSTM, Last, Positions, TransformerBlock
from nnscratch import Adam, Callback, Dense, Dropout, Flatten, ReLU, Sequential, Softmax, fit, plots
from nnscratch.metrics import confusion_matrix

# ---- 1. Five ways to read an image (N, 28, 28) -----------------------------------------------------------------------


def dense(rng):
    """784 numbers in no order: shuffle the pixels of all images alike, and this network would not notice."""
    return [
        Flatten(),  # (N, 784)
        Dense(784, 1024, rng=rng), ReLU(),
        Dense(1024, 512, rng=rng), ReLU(),
        Dense(512, 10, rng=rng),
    ]  # fmt: skip


def augmented(rng):
    """The same layers, which are told by example that a digit stays what it is when it moves, turns and bends."""
    return [RandomDistortion(12, 0.12, alpha=34, sigma=5, rng=rng), RandomShift(1, rng=rng), *dense(rng)]


def convolution(rng):
    """Pixels have neighbours, and a stroke is a stroke wherever it stands: the same weights at every place."""
    return [
        RandomDistortion(10, 0.1, rng=rng), RandomShift(1, rng=rng), Reshape(28, 28, 1),
        Conv2D(1, 24, 5, rng=rng), ReLU(), MaxPool2D(), BatchNorm(24),  # (N, 12, 12, 24)
        Conv2D(24, 48, 3, rng=rng), ReLU(), BatchNorm(48),  # (N, 10, 10, 48)
        Conv2D(48, 64, 3, rng=rng), ReLU(), MaxPool2D(), BatchNorm(64),  # (N, 4, 4, 64)
        Flatten(), Dropout(0.3, rng=rng), Dense(1024, 10, rng=rng),
    ]  # fmt: skip


def recurrent(rng):
    """Row by row, from top to bottom, with a memory of 128 numbers: the same weights for every row."""
    return [LSTM(28, 128, rng=rng), Last(), Dense(128, 10, rng=rng)]  # (N, 28, 128), (N, 128), (N, 10)


def attention(rng):
    """28 rows that look at each other, each asking the others for what it needs to know."""
    return [
        PerToken([Dense(28, 64, rng=rng)]), Positions(28, 64, rng=rng),  # (N, 28, 64)
        TransformerBlock(64, 4, rng=rng), TransformerBlock(64, 4, rng=rng), LayerNorm(64),
        Flatten(), Dropout(0.3, rng=rng), Dense(28 * 64, 10, rng=rng),
    ]  # fmt: skip


class Way(NamedTuple):
    title: str
    layers: object
    epochs: int
    batch_size: int
    learning_rate: float


WAYS = {
    "dense": Way("784-1024-512-10", dense, 8, 64, 1e-3),
    "convolution": Way("three convolutions", convolution, 8, 64, 2e-3),
    "recurrent": Way("an LSTM, row by row", recurrent, 8, 64, 2e-3),
    "attention": Way("two transformer blocks, rows as tokens", attention, 8, 64, 1e-3),
    "augmented": Way("784-1024-512-10, distorted images", augmented, 30, 128, 1.5e-3),
}

# ---- 2. One way to train ---------------------------------------------------------------------------------------------


class Stopwatch(Callback):
    """Seconds of each epoch, with its evaluation."""

    def on_train_begin(self, model, epochs, steps):
        self.seconds, self.start = [], time.perf_counter()

    def on_epoch_end(self, model, history):
        now = time.perf_counter()
        self.seconds.append(now - self.start)
        self.start = now


def learn(name, seed, train, test, options, report):
    """Train a model. Returned: the model, its history, the seconds of an epoch, and its scores for the test images.

    The learning rate rises and falls along a cosine, the labels are smoothed, and what is judged is the mean of the
    weights over the last half epoch or so. The test images are looked at after each epoch, for the curves; nothing
    is chosen by them.
    """
    way, rng = WAYS[name], np.random.default_rng(seed)
    model, watch = Sequential(way.layers(rng)), Stopwatch()
    loss, optimizer = LabelSmoothing(0.1), Adam(model, way.learning_rate)
    half_an_epoch = len(train[0]) / way.batch_size / 2  # in steps
    history = fit(
        model, loss, optimizer, *train, epochs=epochs_of(way, options), batch_size=way.batch_size, rng=rng,
        validation_data=test, verbose=0 if options.quiet else 1,
        callbacks=[
            CosineSchedule(optimizer, warmup=0.5), WeightAverage(1 - 1 / half_an_epoch), watch,
            support.ProgressBar(report),
        ],
    )  # fmt: skip
    seconds = statistics.median(watch.seconds) if watch.seconds else float("nan")
    return model, history, seconds, Softmax().forward(model.predict(test[0]))


def epochs_of(way, options):
    return options.epochs or max(way.epochs // 4 if options.quick else way.epochs, 1)


# ---- 3. Look at it ---------------------------------------------------------------------------------------------------


def draw(name, history, scores, images, labels, report):
    """How one of them learned, what it takes for what, and the mistakes that it is surest of."""
    title, predicted = f"{name}: {WAYS[name].title}", scores.argmax(axis=1)
    matrix = confusion_matrix(labels, predicted, 10)
    worst = surest_mistakes(scores, labels)[:24]
    legend = "predicted digit and its probability, true digit"
    accuracy = report.title(f"{title}\naccuracy {matrix.trace() / matrix.sum():.4f}")
    report.save_figure(f"{name}/confusion.png", plots.confusion(matrix, mnist.CLASS_NAMES, accuracy))
    if history["loss"]:
        which = "training: while the weights change; validation: the mean of the weights, on the test images"
        curves = plots.curves(history, report.title(f"{title}\n{which}"))
        report.save_figure(f"{name}/curves.png", curves)
    mistakes = plots.predictions(
        images[worst], labels[worst], predicted[worst], scores.max(axis=1)[worst],
        report.title(f"{title}: its most confident mistakes\n{legend}"),
    )  # fmt: skip
    report.save_figure(f"{name}/mistakes.png", mistakes)


def surest_mistakes(scores, labels):
    """The numbers of all wrong rows, the surest first."""
    wrong = np.flatnonzero(scores.argmax(axis=1) != labels)
    return wrong[np.argsort(-scores.max(axis=1)[wrong])]


def all_curves(histories, title):
    """Test errors of all models after each epoch, on a scale on which 1 % and 0.5 % are as far apart as 2 % and 1 %."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    ax = figure.subplots()
    for (name, history), marker in zip(histories.items(), "osD^v", strict=False):
        errors = [100 * (1 - accuracy) for accuracy in history["val_accuracy"]]
        ax.plot(range(1, len(errors) + 1), errors, marker=marker, markersize=5, label=name)
    ax.set(xlabel="epoch", ylabel="wrong test digits, %", yscale="log", title=title)
    ax.set_yticks([0.5, 1, 2, 5, 10], ["0.5", "1", "2", "5", "10"])
    ax.minorticks_off()
    ax.grid(alpha=0.3)
    ax.legend()
    return figure


def all_mistakes(scores, images, labels, title, columns=12):
    """A row for each model: mistakes that no other model makes, in a frame, for up to half of the row, then those that
    others make as well; the surest first. With predicted and true digit."""
    wrong = {name: each.argmax(axis=1) != labels for name, each in scores.items()}
    alone = (np.sum(list(wrong.values()), axis=0) == 1) & (len(scores) > 1)  # for each image
    figure = Figure(figsize=(1.05 * columns + 0.6, 1.45 * len(scores) + 0.9), layout="constrained")
    figure.suptitle(title)
    rows = figure.subplots(len(scores), columns, squeeze=False)
    for axes, (name, each) in zip(rows, scores.items(), strict=True):
        axes[0].set_ylabel(f"{name}\n{wrong[name].sum()} wrong", fontsize=10)
        surest = surest_mistakes(each, labels)
        shown = [*surest[alone[surest]][: columns // 2], *surest[~alone[surest]]][:columns]
        for ax in axes:
            ax.set_xticks([])
            ax.set_yticks([])
        for ax, i in zip(axes, shown, strict=False):
            ax.imshow(images[i], cmap="gray_r")
            ax.set_title(f"{each[i].argmax()}, is {labels[i]}", fontsize=9, color=plots.WRONG if alone[i] else "black")
            for spine in ax.spines.values():
                spine.set(color=plots.WRONG if alone[i] else "lightgrey", linewidth=2.5 if alone[i] else 1.0)
        for ax in axes[max(len(shown), 1) :]:
            ax.set_visible(False)
    return figure


# ---- All of it -------------------------------------------------------------------------------------------------------


class Report(support.Report):
    head = "model          parameters  epochs  s/epoch  accuracy    lowest   highest  seeds"
    note = "accuracy: of the test images, the mean over the seeds; s/epoch: with the evaluation on the test images"

    def row(self, name, model, epochs, trained, seconds, accuracies):
        shown = f"{trained}{'+' if trained < epochs else ''}"
        self.rows.append(
            f"{name:<15}{model.theta.size:>10,}{shown:>8}{seconds:>9.1f}{statistics.mean(accuracies):>10.4f}"
            f"{min(accuracies):>10.4f}{max(accuracies):>10.4f}{len(accuracies):>7}"
        )


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(prog="python -m demos.architectures", description="Five ways to read an image.")
    parser.add_argument("--model", choices=list(WAYS), help="train only this one (default: all)")
    parser.add_argument("--quick", action="store_true", help="a quarter of the epochs, on the small sample")
    parser.add_argument("--epochs", type=support.positive(int), help="instead of each model's own number")
    parser.add_argument(
        "--seed", type=support.natural, default=0, help="same seed, same numbers (default: %(default)s)"
    )
    parser.add_argument(
        "--seeds", type=support.positive(int), default=1, help="train with so many (default: %(default)s)"
    )
    parser.add_argument("--output", type=support.home, default=Path("runs/architectures"), help="default: %(default)s")
    parser.add_argument("--data-dir", type=support.home, help="where data sets are kept (default: the user's cache)")
    parser.add_argument("--sample", action="store_true", help="train on the small sample in the checkout")
    parser.add_argument("--quiet", action="store_true", help="only the table at the end")
    return parser.parse_args(arguments)


def load(options, report):
    if not options.quick:
        return support.load_mnist(options, report)
    report.on_sample("--quick was given")
    return mnist.load_sample()


@support.one_thread
def main(arguments=None):
    options = parse_arguments(arguments)
    names = [options.model] if options.model else list(WAYS)
    report = Report(options, names, needed=20_000_000)
    (x_train, y_train), (images, y_test) = load(options, report)
    train, test = ((x / np.float32(255), y) for x, y in ((x_train, y_train), (images, y_test)))
    histories, all_scores = {}, {}

    with report.with_something_to_lose():
        for name in report.until_interrupted(names):
            report.section(f"{name}: {WAYS[name].title}")
            accuracies, trained = [], []
            for seed in range(options.seed, options.seed + options.seeds):
                if report.interrupted and accuracies:
                    break
                model, history, seconds, scores = learn(name, seed, train, test, options, report)
                accuracies.append(float(np.mean(scores.argmax(axis=1) == y_test)))
                trained.append(len(history["loss"]))
                report.say(f"seed {seed}: test accuracy {accuracies[-1]:.4f}, {seconds:.1f} seconds an epoch")
                if seed == options.seed:
                    report.say(model.summary())
                    report.save(f"{name}/weights.npz", model.save_weights)
                    report.save_json(f"{name}/history.json", history)
                    draw(name, history, scores, images, y_test, report)
                    histories[name], all_scores[name] = history, scores
            report.row(name, model, epochs_of(WAYS[name], options), min(trained), seconds, accuracies)
        wrong = [each.argmax(axis=1) != y_test for each in all_scores.values()]
        times = np.sum(wrong, axis=0)
        if len(wrong) > 1:
            report.say(
                f"\n{np.sum(times == len(wrong))} digits are wrong in all of them, {np.sum(times == 1)} in one only"
            )
        report.save_figure("curves.png", all_curves(histories, report.title("wrong test digits after each epoch")))
        legend = "mistakes of each one, the surest first; orange: those that no other makes"
        report.save_figure("mistakes.png", all_mistakes(all_scores, images, y_test, report.title(legend)))
        report.finish()
