"""The demos as their users run them: on the sample, without a display and without a network."""

import json
import os
import re
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import demos.mnist
from datasets import mnist
from demos import support
from nnscratch import Dense, Sequential, Sigmoid

ROOT = Path(__file__).parent.parent
FIGURES = ["curves.png", "confusion.png", "predictions.png", "mistakes.png", "weights.png"]


def run(*arguments, **environment):
    """Run ``python -m ...`` from the checkout and return the finished process."""
    command = [sys.executable, "-m", *map(str, arguments)]
    env = {**os.environ, **{k: str(v) for k, v in environment.items()}}
    env.pop("DISPLAY", None)
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, timeout=120)


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """No mirror can be reached, and nothing is cached."""
    monkeypatch.setattr(mnist, "load_data", partial(mnist.load_data, mirrors=["http://127.0.0.1:9/"]))
    monkeypatch.setenv("NNSCRATCH_DATA", str(tmp_path / "empty"))


def test_xor():
    process = run("demos.xor")
    assert process.returncode == 0, process.stderr
    lines = process.stdout.decode("ascii").splitlines()
    assert lines[-4:] == ["[0, 0] -> 0", "[0, 1] -> 1", "[1, 0] -> 1", "[1, 1] -> 0"]
    assert 20 <= len((ROOT / "demos" / "xor.py").read_text(encoding="utf-8").splitlines()) <= 30


def test_all_models_on_the_sample_in_an_ascii_terminal(tmp_path):
    """With a folder name that the terminal cannot show."""
    output = tmp_path / "Zahlen \N{GREEK SMALL LETTER ALPHA}"
    process = run("demos.mnist", "--sample", "--epochs", 1, "--output", output, PYTHONIOENCODING="ascii")
    assert process.returncode == 0, process.stderr.decode()
    text = process.stdout.decode("ascii")
    assert "! NOT THE FULL MNIST" in text
    assert "! Reason: --sample was given" in text
    for name, (_, _, _, split) in demos.mnist.MODELS.items():
        assert re.search(rf"^{name} +[\d,]+ +1 +0\.\d+ +0\.\d+ +\d\.\d+ +\d+\.\d$", text, re.MULTILINE)
        for figure in FIGURES:
            assert (output / name / figure).read_bytes().startswith(b"\x89PNG")
        history = json.loads((output / name / "history.json").read_text(encoding="utf-8"))
        assert list(history) == ["loss", "accuracy"] + (["val_loss", "val_accuracy"] if split else [])
    assert (output / "digits.png").stat().st_size > 10_000
    for path in output.rglob("*.*"):
        assert path.name in text.replace("\\", "/")
    report = (output / "report.txt").read_text(encoding="utf-8")
    assert "NOT THE FULL MNIST" in report
    assert "weighted avg" in report


def test_without_a_mirror_the_sample_is_used_and_said_so(offline, tmp_path, capsys):
    demos.mnist.main(["--model", "one-layer", "--epochs", "1", "--quiet", "--output", str(tmp_path / "runs")])
    out = capsys.readouterr().out
    assert "! Reason: no mirror delivered the file:" in out
    assert "http://127.0.0.1:9/train-images-idx3-ubyte.gz" in out
    assert "--data-dir" in out
    assert "on the sample, not the full MNIST" in out


def test_figures_say_that_they_show_the_sample(offline, tmp_path):
    report = support.Report(support.parse_arguments([], demos.mnist.MODELS))
    assert report.title("digits") == "digits"
    support.load_mnist(report.options, report)
    assert report.title("digits") == "digits\n(sample of MNIST: 10,000 training digits)"


def test_same_seed_same_numbers_and_the_saved_weights_are_the_models(tmp_path, capsys):
    losses = []
    for i, seed in enumerate("001"):
        arguments = ["--sample", "--model", "one-layer", "--epochs", "1", "--seed", seed, "--output", f"{tmp_path}/{i}"]
        demos.mnist.main(arguments)
        losses.append(json.loads((tmp_path / str(i) / "one-layer" / "history.json").read_text(encoding="utf-8")))
    assert losses[0] == losses[1] != losses[2]
    out = capsys.readouterr().out
    printed = float(re.findall(r"test accuracy (0\.\d+)", out)[0])
    model = Sequential([Dense(784, 10), Sigmoid()])
    model.load_weights(tmp_path / "0" / "one-layer" / "weights.npz")
    _, (x_test, y_test) = mnist.load_sample()
    accuracy = np.mean(model.predict(x_test.reshape(-1, 784) / np.float32(255)).argmax(axis=1) == y_test)
    assert f"{accuracy:.4f}" == f"{printed:.4f}"


def test_options_reach_the_training(tmp_path):
    demos.mnist.main(
        "--sample --model one-layer --variant a --epochs 2 --batch-size 100 --learning-rate 0.01 "
        f"--validation-split 0.3 --quiet --output {tmp_path}".split()
    )
    history = json.loads((tmp_path / "one-layer" / "history.json").read_text(encoding="utf-8"))
    assert [len(values) for values in history.values()] == [2, 2, 2, 2]
    report = (tmp_path / "report.txt").read_text(encoding="utf-8")
    assert "loss SoftmaxCrossEntropy()" in report
    # The sigmoid is not in the model, but the scores that are shown went through it.
    shown = [float(score) for score in re.search(r"first test image, a 7: ([\d. ]+);", report).group(1).split()]
    model = Sequential([Dense(784, 10)])
    model.load_weights(tmp_path / "one-layer" / "weights.npz")
    _, (x_test, _) = mnist.load_sample()
    z = model.predict(x_test[:1].reshape(1, -1) / np.float32(255))
    np.testing.assert_allclose(shown, Sigmoid().forward(z)[0], atol=6e-4)


def test_the_learning_rate_is_used(tmp_path):
    losses = []
    for rate in ("0.001", "0.0001"):
        demos.mnist.main(
            f"--sample --model one-layer --epochs 1 --quiet --learning-rate {rate} --output {tmp_path}".split()
        )
        history = json.loads((tmp_path / "one-layer" / "history.json").read_text(encoding="utf-8"))
        losses.append(history["loss"][0])
    assert losses[1] > losses[0] + 0.2  # a tenth of the steps' size gets less far


def test_what_the_pictures_are_given(tmp_path, monkeypatch):
    given = []
    draw = demos.mnist.plots.predictions
    monkeypatch.setattr(demos.mnist.plots, "predictions", lambda *args: given.append(args) or draw(*args))
    demos.mnist.main(f"--sample --model one-layer --epochs 1 --quiet --output {tmp_path}".split())
    _, (x_test, y_test) = mnist.load_sample()
    for images, labels, predicted, confidence, title in given:
        assert len(images) == len(labels) == len(predicted) == len(confidence) == 24
        assert all(0.1 <= share <= 1 for share in confidence)
        assert "sample of MNIST" in title
    (_, right, guessed, _, _), (images, labels, predicted, confidence, _) = given
    assert 12 < sum(right == guessed) < 24  # random ones: most are right at this accuracy
    assert all(labels != predicted)  # mistakes only, the surest first
    assert list(confidence) == sorted(confidence, reverse=True)
    for image, label in zip(images, labels, strict=True):
        assert label in y_test[(x_test == image).all(axis=(1, 2))]


def test_ctrl_c_evaluates_and_saves_what_was_trained(tmp_path, monkeypatch, capsys):
    class Interrupted(support.ProgressBar):
        def on_batch_end(self, loss, accuracy):
            super().on_batch_end(loss, accuracy)
            if self.done == 100:
                raise KeyboardInterrupt

    monkeypatch.setattr(support, "ProgressBar", Interrupted)
    demos.mnist.main(["--sample", "--output", str(tmp_path)])
    out = capsys.readouterr().out
    assert "interrupted in epoch 1: what was learnt is kept" in out
    assert "the other models are left out" in out
    assert re.search(r"^one-layer +7,850 +0\+ +- +0\.\d+", out, re.MULTILINE)
    assert sorted(p.name for p in (tmp_path / "one-layer").iterdir()) == sorted(
        [*FIGURES[1:], "weights.npz", "history.json"]
    )
    assert not (tmp_path / "hidden").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
def test_a_real_ctrl_c(tmp_path):
    command = [sys.executable, "-m", "demos.mnist", "--sample", "--epochs", "10000", "--model", "one-layer"]
    process = subprocess.Popen(
        [*command, "--output", str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
    )
    try:
        seen = b""
        while b"epoch 1/" not in seen and process.poll() is None:
            seen += process.stdout.read(1000)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()  # if it would not stop
    assert process.returncode == 0, err
    assert b"interrupted in epoch" in seen + out
    assert (tmp_path / "one-layer" / "weights.npz").exists()


@pytest.mark.parametrize(
    "arguments",
    [["--epochs", "0"], ["--batch-size", "-1"], ["--learning-rate", "0"], ["--learning-rate", "nan"],
     ["--validation-split", "1"], ["--model", "cnn"], ["--seed", "x"], ["--seed", "-1"], ["--unknown"]],
)  # fmt: skip
def test_wrong_arguments_are_explained(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        demos.mnist.main(["--sample", *arguments])
    assert caught.value.code == 2
    assert "python -m demos.mnist: error: argument" in capsys.readouterr().err or arguments == ["--unknown"]


def test_damaged_data_ends_with_a_message_not_with_the_sample(tmp_path):
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / "train-images-idx3-ubyte.gz").write_bytes(b"<html>")
    process = run("demos.mnist", "--data-dir", tmp_path, "--output", tmp_path / "runs")
    assert process.returncode == 1
    assert process.stderr.startswith(b"error: ")
    assert b"delete it to download it again" in process.stderr
    assert b"Traceback" not in process.stderr
