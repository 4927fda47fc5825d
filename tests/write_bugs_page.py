"""What is known of the framework's correctness, in numbers: writes docs/bugs.md.

    python -m tests.write_bugs_page

Every bug of ``bugs`` is planted, looked for by its check, and trained with: some 130 short trainings on the sample
of MNIST, on one BLAS thread.
"""

import json
import warnings
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np

from datasets import mnist
from demos import support
from demos.mnist import MODELS
from nnscratch import Sequential, SparseCrossEntropy, check_layer, check_loss, check_model, evaluate, fit
from nnscratch.writing import replacing
from tests import test_layers, test_losses
from tests.bugs import BUGS, SETTINGS, is_caught, planted
from tests.wrong_calls import CALLS, FILE_CALLS

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "bugs.md"
SEEDS = range(3)
NEXT_TO_NOTHING = 0.01  # of accuracy: what another seed may change as well


class Result(NamedTuple):
    """What a training came to: means over the seeds, and the lowest and the highest test accuracy."""

    accuracy: float
    lowest: float
    highest: float
    test_loss: float
    loss: float  # of the last epoch, as fit prints it
    train_accuracy: float
    val_accuracy: float


def train(setting, seed):
    """(test loss, test accuracy, last loss, last accuracy, last validation accuracy or NaN)."""
    (x_train, y_train), (x_test, y_test) = mnist.load_sample()
    rng = np.random.default_rng(seed)
    model = Sequential(setting.layers(rng))
    loss, optimizer = setting.loss(), setting.optimizer(model)
    arguments = {"epochs": 5, "rng": seed, "verbose": 0} | (setting.arguments or {})
    history = fit(model, loss, optimizer, x_train / np.float32(255), y_train, **arguments)
    results = evaluate(model, loss, x_test / np.float32(255), y_test)
    return *results, history["loss"][-1], history["accuracy"][-1], history.get("val_accuracy", [np.nan])[-1]


def trained(setting):
    runs = np.array([train(setting, seed) for seed in SEEDS])
    accuracies = runs[:, 1]
    test_loss, accuracy, *rest = runs.mean(axis=0)
    return Result(accuracy, accuracies.min(), accuracies.max(), test_loss, *rest)


def results():
    """The trainings: of each setting as it is, and with each bug."""
    right = {name: trained(setting) for name, setting in SETTINGS.items()}
    wrong = {}
    for name, bug in BUGS.items():
        with planted(bug):
            wrong[name] = trained(SETTINGS[bug.setting])
        print(f"{name:<50}{right[bug.setting].accuracy:.4f}  {wrong[name].accuracy:.4f}")
    return right, wrong


def gradient_errors():
    """The largest relative error of any gradient, by what was checked."""
    errors = defaultdict(float)

    def keep(what, report):
        errors[what] = max(errors[what], report.largest_error)

    rng = np.random.default_rng(0)
    for make, shape in test_layers.CASES.values():
        keep("layers", check_layer(make(), 3 * rng.standard_normal(shape)))
    for loss, (outputs, labels) in test_losses.CASES.items():
        keep("losses", check_loss(loss(), outputs(rng), labels(rng)))
    for _, layers, _, _ in MODELS.values():
        model, x, y = Sequential(layers(rng)), rng.standard_normal((8, 784)), rng.integers(0, 10, 8)
        keep("the tutorials' models, end to end", check_model(model, SparseCrossEntropy(), x, y))
    return dict(errors)


def mutants():
    """The line about the mutants, if ``mutants.json`` with mutmut's counts is there."""
    path = Path(__file__).parent / "mutants.json"
    if not path.exists():
        return []
    counts = json.loads(path.read_text(encoding="utf-8"))
    return [
        "| mutants killed, as `mutmut` counts them, `checking/` aside "
        f"| {counts['killed'] + counts['timeout']} of {counts['total']} |"
    ]


def render(caught, errors, right, wrong):
    """The page."""
    harmless = sum(wrong[name].accuracy > right[bug.setting].accuracy - NEXT_TO_NOTHING for name, bug in BUGS.items())
    spread = max(result.highest - result.lowest for result in right.values())
    numbers = [f"| planted bugs caught | {caught} of {len(BUGS)} |"]
    numbers += [f"| largest relative error of a gradient: {what} | {error:.1e} |" for what, error in errors.items()]
    calls = len(CALLS) + len(FILE_CALLS)
    numbers.append(f"| wrong calls answered with what was expected, what came and what to do | {calls} |")
    rows = [
        f"| {name} | {bug.setting} | {right[bug.setting].accuracy:.4f} | {wrong[name].accuracy:.4f} "
        f"| {bug.why.format(right=right[bug.setting], wrong=wrong[name])} | {bug.caught_by.name} |"
        for name, bug in BUGS.items()
    ]
    settings = [f"- **{name}**: {setting.text}" for name, setting in SETTINGS.items()]
    return "\n".join(
        [INTRODUCTION, *numbers, *mutants(), PLANTED.format(harmless=harmless, spread=spread),
         *rows, TRAINED, *settings, ""]
    )  # fmt: skip


INTRODUCTION = """\
# Correctness

What is known, in numbers. This page is written by `python -m tests.write_bugs_page`, which counts, checks and trains
anew.

| what | figure |
| --- | --- |"""

PLANTED = """
A relative error compares `backward` with the slope of `forward`, measured in float64 by central differences; the checks
allow 1e-7.

## Planted bugs

Most mistakes do not stop a training: the loss falls, most digits are recognised, and nobody looks any further. To see
whether the tests would, these were made on purpose, one at a time, each by changing a line or two of the framework:
[tests/bugs.py](../tests/bugs.py) has the right lines and the wrong ones. With {harmless} of them, the accuracy
falls by less than {limit}, or rises.

The accuracies are means over the seeds 0, 1 and 2, first without the bug, then with it, as its author would see them:
on the 2,000 test digits of the sample, after five epochs on its 10,000 training digits. Without any bug, the three
seeds differ by up to {spread:.4f}.

| bug | model | without | with it | why training still seems to work | what catches it |
| --- | --- | --- | --- | --- | --- |""".replace("{limit}", str(NEXT_TO_NOTHING))

TRAINED = """
`check_layer` and `check_loss` are public: they find the same mistakes in layers and losses of your own. The other
checks are tests of the suite. `tests/test_bugs.py` runs each check without its bug, with it, and without it again.

What was trained, in float32, on one BLAS thread, with batches of 32 and the defaults, unless said otherwise (other
machines round differently, and their last digits differ):
"""


def main():
    warnings.simplefilter("error")  # an overflow anywhere would be one: the page says that there is none
    text = render(sum(map(is_caught, BUGS.values())), gradient_errors(), *results())
    with replacing(PAGE) as file:
        file.write(text.encode())
    print(f"saved {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    support.run(main)
