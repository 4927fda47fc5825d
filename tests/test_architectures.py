"""Five ways to read an image: a tiny run of all of them, their tables and pictures, and what stands in the way."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex

from datasets import mnist
from demos import architectures, support
from demos.layers.augmentation import RandomDistortion, RandomShift
from demos.layers.images import Conv2D
from demos.layers.sequences import LSTM, SelfAttention
from nnscratch import Dense, Layer, Sequential, plots
from nnscratch.search import find

ROOT = Path(__file__).parent.parent
LOADED = mnist.load_sample


def few(rows, tests):
    (x, y), (x_test, y_test) = LOADED()
    return (x[:rows], y[:rows]), (x_test[:tests], y_test[:tests])


SAVE = support.Report.save_figure


def no_picture(report, name, figure):
    report.save_text(name, "a picture")


def some_pictures(report, name, figure):
    """Those of one model, and those of all."""
    (no_picture if "/" in name and not name.startswith("convolution") else SAVE)(report, name, figure)


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    """130 digits to learn from, 50 to be tested with; and no pictures, which take longer than all else."""
    monkeypatch.setattr(mnist, "load_sample", lambda: few(130, 50))
    monkeypatch.setattr(support.Report, "save_figure", no_picture)


@pytest.fixture(scope="module")
def all_five(tmp_path_factory):
    """(the folder, what was printed) of a quick run of all of them."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mnist, "load_sample", lambda: few(130, 50))
        patch.setattr(support.Report, "save_figure", some_pictures)
        said = []
        patch.setattr("builtins.print", lambda *text, **options: said.append(" ".join(map(str, text))))
        architectures.main(["--quick", "--epochs", "1", "--output", str(folder)])
    return folder, "\n".join(said)


def test_a_table_of_all_five(all_five):
    _, text = all_five
    rows = re.findall(
        r"^([a-z]+) +([\d,]+) +(\d+) +(\d+\.\d) +(0\.\d+) +(0\.\d+) +(0\.\d+) +(\d+)$", text, re.MULTILINE
    )
    assert [row[0] for row in rows] == list(architectures.WAYS)
    assert [int(row[1].replace(",", "")) for row in rows] == [1_333_770, 49_546, 81_674, 121_674, 1_333_770]
    for name, _, epochs, _, mean, lowest, highest, seeds in rows:
        assert (epochs, seeds) == ("1", "1")
        section = text[text.index(f"\n{name}: ") :]
        assert mean == lowest == highest == re.search(r"seed 0: test accuracy (0\.\d+)", section).group(1)
    assert "! Reason: --quick was given" in text
    assert re.search(r"^\d+ digits are wrong in all of them, \d+ in one only$", text, re.MULTILINE)
    assert "on the sample, not the full MNIST" in text


def test_pictures_weights_and_histories_of_all_five(all_five):
    folder, text = all_five
    names = ["confusion.png", "curves.png", "mistakes.png", "weights.npz", "history.json"]
    for way in architectures.WAYS:
        assert sorted(path.name for path in (folder / way).iterdir()) == sorted(names)
        history = json.loads((folder / way / "history.json").read_text(encoding="utf-8"))
        assert {key: len(values) for key, values in history.items()} == dict.fromkeys(
            ("loss", "accuracy", "val_loss", "val_accuracy"), 1
        )
    for picture in folder.rglob("*.png"):
        drawn = picture.read_bytes().startswith(b"\x89PNG")
        assert drawn == (picture.parent.name in ("convolution", folder.name))
        assert str(picture) in text
    assert (folder / "report.txt").read_text(encoding="utf-8").startswith("!!!")
    assert sum(path.stat().st_size for path in folder.rglob("*.*")) < 20_000_000  # what was asked for at the start


def test_the_saved_weights_are_the_models(all_five):
    folder, text = all_five
    (_, _), (x_test, y_test) = few(130, 50)
    for name, way in architectures.WAYS.items():
        model = Sequential(way.layers(np.random.default_rng(5)))
        model.load_weights(folder / name / "weights.npz")
        accuracy = np.mean(model.predict(x_test / np.float32(255)).argmax(axis=1) == y_test)
        section = text[text.index(f"\n{name}: ") :]
        assert f"{accuracy:.4f}" == re.search(r"seed 0: test accuracy (0\.\d+)", section).group(1)


def test_same_seed_same_numbers_and_several_seeds_their_mean(tmp_path, capsys):
    losses, tables = [], []
    for i, seeds in enumerate(("0", "0", "1 --seeds 2")):
        architectures.main(f"--quick --model recurrent --epochs 1 --seed {seeds} --output {tmp_path}/{i}".split())
        losses.append(json.loads((tmp_path / str(i) / "recurrent" / "history.json").read_text(encoding="utf-8")))
        tables.append(capsys.readouterr().out)
    assert losses[0] == losses[1] != losses[2]
    each = [float(value) for value in re.findall(r"^seed [12]: test accuracy (0\.\d+)", tables[2], re.MULTILINE)]
    row = re.search(r"^recurrent +81,674 +1 +\d+\.\d +(0\.\d+) +(0\.\d+) +(0\.\d+) +2$", tables[2], re.MULTILINE)
    mean, lowest, highest = (float(value) for value in row.groups())
    assert (mean, lowest, highest) == (pytest.approx(np.mean(each)), min(each), max(each))
    assert lowest < highest


def test_they_are_what_they_are_called():
    """One of each kind; and only what is meant to be told about images."""
    kinds = {}
    for name, way in architectures.WAYS.items():
        model = Sequential(way.layers(np.random.default_rng(0)))
        kinds[name] = {type(layer) for _, layer in find(Layer, model)}
        assert model.predict(np.zeros((2, 28, 28), np.float32)).shape == (2, 10)
    assert [name for name in kinds if Conv2D in kinds[name]] == ["convolution"]
    assert [name for name in kinds if LSTM in kinds[name]] == ["recurrent"]
    assert [name for name in kinds if SelfAttention in kinds[name]] == ["attention"]
    sizes = {
        name: [
            (layer.n_in, layer.n_out)
            for layer in architectures.WAYS[name].layers(np.random.default_rng(0))
            if isinstance(layer, Dense)
        ]
        for name in ("dense", "augmented")
    }
    assert sizes["dense"] == sizes["augmented"] == [(784, 1024), (1024, 512), (512, 10)]
    assert kinds["augmented"] - kinds["dense"] == {RandomDistortion, RandomShift}


def test_how_long_each_is_trained():
    def epochs(name, *arguments):
        return architectures.epochs_of(architectures.WAYS[name], architectures.parse_arguments(arguments))

    assert epochs("convolution") == 8
    assert epochs("convolution", "--quick") == 2
    assert epochs("augmented") == 30
    assert epochs("augmented", "--quick", "--epochs", "3") == 3


def test_what_is_judged_is_the_mean_of_the_weights_over_half_an_epoch(monkeypatch, tmp_path):
    averages = []

    class Watched(architectures.WeightAverage):
        def __init__(self, decay):
            super().__init__(decay)
            averages.append(self)

    monkeypatch.setattr(architectures, "WeightAverage", Watched)
    architectures.main(f"--quick --model recurrent --epochs 1 --quiet --output {tmp_path}".split())
    model = Sequential(architectures.recurrent(np.random.default_rng(0)))
    model.load_weights(tmp_path / "recurrent" / "weights.npz")
    (average,) = averages
    assert average.decay == pytest.approx(1 - 2 * 64 / 130)
    assert average.t == 3
    assert (model.theta == average.mean / (1 - average.decay**3)).all()


# ---- Pictures ----


def scores_of(*predicted, sure=0.9):
    scores = np.full((len(predicted), 10), (1 - sure) / 9)
    scores[np.arange(len(predicted)), predicted] = sure
    return scores


def test_the_surest_mistakes_come_first():
    scores = scores_of(1, 2, 3, 4)
    scores[2] = scores_of(3, sure=0.95)
    assert architectures.surest_mistakes(scores, np.array([1, 0, 0, 0])).tolist() == [2, 1, 3]


def test_mistakes_that_no_other_makes_are_orange(rng):
    images, labels = rng.random((4, 28, 28)), np.array([0, 1, 2, 3])
    scores = {"one": scores_of(0, 7, 8, 3), "two": scores_of(0, 7, 2, 3), "three": scores_of(0, 1, 2, 3)}
    figure = architectures.all_mistakes(scores, images, labels, "title", columns=3)
    axes = np.array(figure.axes).reshape(3, 3)
    texts = [[ax.get_title() for ax in row if ax.get_visible() and ax.images] for row in axes]
    assert texts == [["8, is 2", "7, is 1"], ["7, is 1"], []]
    assert [axes[i, 0].get_ylabel() for i in range(3)] == ["one\n2 wrong", "two\n1 wrong", "three\n0 wrong"]
    colours = {ax.get_title(): to_hex(ax.title.get_color()) for ax in axes[0] if ax.images}
    assert colours == {"7, is 1": "#000000", "8, is 2": plots.WRONG}
    alone = architectures.all_mistakes({"one": scores["one"]}, images, labels, "title", columns=3)
    assert all(to_hex(ax.title.get_color()) == "#000000" for ax in alone.axes)
    figure.savefig(Path("/dev/null") if sys.platform != "win32" else "NUL", format="png")


def test_curves_are_errors_in_percent():
    histories = {"one": {"val_accuracy": [0.9, 0.98]}, "two": {"val_accuracy": []}}
    (ax,) = architectures.all_curves(histories, "title").axes
    lines = [(line.get_label(), list(line.get_xdata()), np.round(line.get_ydata(), 9).tolist()) for line in ax.lines]
    assert lines == [("one", [1, 2], [10, 2]), ("two", [], [])]
    assert ax.get_yscale() == "log"


# ---- Ctrl-C, and what stands in the way ----


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_training_keeps_what_was_learned(number, tmp_path, monkeypatch, capsys):
    class Interrupted(support.ProgressBar):
        def on_batch_end(self, loss, accuracy):
            if self.done == 1:
                signal.raise_signal(number)
            super().on_batch_end(loss, accuracy)

    monkeypatch.setattr(support, "ProgressBar", Interrupted)
    architectures.main(["--quick", "--seeds", "3", "--output", str(tmp_path)])
    out = capsys.readouterr().out
    assert "interrupted in epoch 1: what was learnt is kept" in out
    assert "the other models are left out" in out
    assert re.search(r"^dense +1,333,770 +0\+ +nan +0\.\d+ +0\.\d+ +0\.\d+ +1$", out, re.MULTILINE)
    assert sorted(p.name for p in (tmp_path / "dense").iterdir()) == [
        "confusion.png", "history.json", "mistakes.png", "weights.npz"
    ]  # fmt: skip
    assert sorted(p.name for p in tmp_path.iterdir()) == ["curves.png", "dense", "mistakes.png", "report.txt"]


@pytest.mark.parametrize(
    "arguments",
    [["--epochs", "0"], ["--model", "cnn"], ["--seed", "-1"], ["--seeds", "0"], ["--seeds", "1.5"], ["--unknown"]],
)
def test_wrong_arguments_are_explained(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        architectures.main(["--quick", *arguments])
    assert caught.value.code == 2
    assert "python -m demos.architectures: error: argument" in capsys.readouterr().err or arguments == ["--unknown"]


def test_an_output_folder_that_takes_no_files_is_seen_before_the_training(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match=r"expected a folder that takes files of 20 MB, got .*choose another one"):
        architectures.main(["--quick", "--output", str(tmp_path / "file")])


def test_the_file_by_its_name(tmp_path):
    process = subprocess.run(
        [sys.executable, ROOT / "demos" / "architectures.py", "--help"], cwd=tmp_path, capture_output=True, timeout=120
    )
    assert (process.returncode, process.stderr) == (0, b"")
    assert process.stdout.startswith(b"usage: python -m demos.architectures")


@pytest.mark.long
def test_the_quick_run_takes_two_minutes_and_learns(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(mnist, "load_sample", LOADED)
    architectures.main(["--quick", "--quiet", "--output", str(tmp_path)])
    rows = re.findall(r"^([a-z]+) +[\d,]+ +\d+ +\d+\.\d +(0\.\d+)", capsys.readouterr().out, re.MULTILINE)
    accuracies = {name: float(accuracy) for name, accuracy in rows}
    assert min(accuracies.values()) > 0.85
    assert accuracies["convolution"] > max(accuracies["dense"], accuracies["recurrent"], accuracies["attention"])
