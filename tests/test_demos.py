"""The demos as their users run them: on the sample, without a display and without a network."""

import ast
import contextlib
import json
import os
import random
import re
import shlex
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
    _, lesson = (ROOT / "demos" / "xor.py").read_text(encoding="utf-8").split("import numpy")
    assert 15 <= len(lesson.splitlines()) <= 25


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


# ---- Ctrl-C and SIGTERM ----

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals, limits and closed streams are those of POSIX")
both_signals = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])


@both_signals
def test_a_signal_while_training_evaluates_and_saves_what_was_trained(number, tmp_path, monkeypatch, capsys):
    class Interrupted(support.ProgressBar):
        def on_batch_end(self, loss, accuracy):
            if self.done == 100:
                signal.raise_signal(number)
            super().on_batch_end(loss, accuracy)

    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
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
    assert (tmp_path / "report.txt").exists()
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == before


@both_signals
def test_a_signal_while_drawing_leaves_out_the_other_models_only(number, tmp_path, monkeypatch, capsys):
    draw = demos.mnist.plots.weights
    monkeypatch.setattr(demos.mnist.plots, "weights", lambda *args: signal.raise_signal(number) or draw(*args))
    demos.mnist.main(["--sample", "--epochs", "1", "--output", str(tmp_path)])
    assert re.search(r"^one-layer +7,850 +1 +0\.\d+", capsys.readouterr().out, re.MULTILINE)
    assert sorted(p.name for p in (tmp_path / "one-layer").iterdir()) == sorted(
        [*FIGURES, "weights.npz", "history.json"]
    )
    assert not (tmp_path / "hidden").exists()


@both_signals
def test_a_signal_before_the_training_overwrites_nothing(number, tmp_path, monkeypatch):
    monkeypatch.setattr(demos.mnist, "rows", lambda images: signal.raise_signal(number))
    with pytest.raises(KeyboardInterrupt):
        demos.mnist.main(["--sample", "--output", str(tmp_path)])
    assert [path.name for path in tmp_path.iterdir()] == ["digits.png"]


def test_a_second_ctrl_c_ends_it_at_once_and_leaves_no_temporary_file(tmp_path, monkeypatch):
    def twice(file, *arguments, **options):
        file.write(b"half")
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda figure, *args, **options: twice(*args, **options))
    with pytest.raises(KeyboardInterrupt):
        demos.mnist.main(["--sample", "--output", str(tmp_path)])
    assert list(tmp_path.iterdir()) == []


@posix
@both_signals
def test_a_real_signal(number, tmp_path):
    command = [sys.executable, "-m", "demos.mnist", "--sample", "--epochs", "10000", "--model", "one-layer"]
    process = subprocess.Popen(
        [*command, "--output", str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
    )
    try:
        seen = b""
        while b"epoch 1/" not in seen and process.poll() is None:
            seen += process.stdout.read(1000)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()  # if it would not stop
    assert process.returncode == 0, err
    assert b"interrupted in epoch" in seen + out
    assert b"Traceback" not in err
    assert (tmp_path / "one-layer" / "weights.npz").exists()
    assert not list(tmp_path.rglob("*.tmp"))


SIGNAL_AT_IMPORT = """
import importlib.abc, os, runpy, signal, sys
number, module, stop_at = int(sys.argv[1]), sys.argv[2], sys.argv[3]

class Interrupting(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == stop_at:
            signal.raise_signal(number)

sys.meta_path.insert(0, Interrupting())
sys.argv = [module]
runpy.run_module(module, run_name="__main__")
"""


@posix
@pytest.mark.parametrize("module", ["demos.mnist", "demos.xor"])
@pytest.mark.parametrize("stop_at", ["numpy", "numpy.linalg", "nnscratch.layers"])
@both_signals
def test_a_signal_while_the_imports_run_says_interrupted(number, stop_at, module):
    """numpy.linalg, for one, is imported from within NumPy: what is raised there may be caught or shown there."""
    process = subprocess.run(
        [sys.executable, "-c", SIGNAL_AT_IMPORT, str(int(number)), module, stop_at],
        cwd=ROOT, capture_output=True, timeout=60,
    )  # fmt: skip
    assert (process.returncode, process.stdout, process.stderr) == (1, b"", b"interrupted\n")


@posix
def test_ctrl_c_before_that_says_interrupted_too():
    """In the first lines of the demo."""
    process = subprocess.run(
        [sys.executable, "-c", SIGNAL_AT_IMPORT, str(int(signal.SIGINT)), "demos.xor", "demos._launcher"],
        cwd=ROOT, capture_output=True, timeout=60,
    )  # fmt: skip
    assert (process.returncode, process.stderr) == (1, b"interrupted\n")


IGNORED = """
import signal, sys, types
from demos._launcher import launch
signal.signal(signal.SIGINT, signal.SIG_IGN)
demo = sys.modules["demo"] = types.ModuleType("demo")
demo.main = lambda: (signal.raise_signal(signal.SIGINT), print("went on"))
launch("demo")
"""


@posix
def test_a_ctrl_c_that_is_ignored_stays_so():
    """A shell's & has it ignored."""
    process = subprocess.run([sys.executable, "-c", IGNORED], cwd=ROOT, capture_output=True, timeout=60)
    assert (process.returncode, process.stdout, process.stderr) == (0, b"went on\n", b"")


@pytest.mark.long
@posix
@both_signals
def test_signals_at_random_moments(number, tmp_path):
    """While the imports run, or the training, or the saving."""
    rng, outcomes = random.Random(0), set()
    for i in range(10):
        process = subprocess.Popen(
            [sys.executable, "-m", "demos.mnist", "--sample", "--epochs", "100", "--model", "one-layer",
             "--output", str(tmp_path / str(i))], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(rng.uniform(0, 2))
        process.send_signal(number)
        _, error = process.communicate(timeout=60)
        outcomes.add((process.returncode, error))
    # Before the demo's first line a signal is the interpreter's matter: SIGTERM ends it, Ctrl-C shows a traceback that
    # does not lead to the demo, or to its line 0.
    assert (1, "interrupted\n") in outcomes
    for code, error in outcomes - {(0, ""), (1, "interrupted\n"), (-number, "")}:
        assert "demos" not in error or "line 0, in <module>" in error, (code, error)
    assert not list(tmp_path.rglob("*.tmp"))


# ---- What stands in the way ----


@pytest.mark.parametrize("demo", ["mnist", "xor"])
def test_an_editors_run_button(demo, tmp_path):
    """The file by its name, from any folder."""
    process = subprocess.run(
        [sys.executable, ROOT / "demos" / f"{demo}.py", *(["--help"] if demo == "mnist" else [])],
        cwd=tmp_path, capture_output=True, timeout=120,
    )  # fmt: skip
    assert (process.returncode, process.stderr) == (0, b"")
    assert process.stdout == run(f"demos.{demo}", *(["--help"] if demo == "mnist" else [])).stdout


def started(code, *arguments):
    """Run demos.mnist after some lines that change the interpreter."""
    code += f"\nimport runpy, sys\nsys.argv[0] = 'mnist.py'\nrunpy.run_path({str(ROOT / 'demos' / 'mnist.py')!r}, "
    code += "run_name='__main__')"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, timeout=120
    )


@pytest.mark.parametrize("name", ["numpy", "matplotlib", "seaborn", "tqdm", "threadpoolctl", "filelock"])
def test_a_missing_package_is_a_line_that_says_how_to_install_it(name, tmp_path):
    process = started(f"import sys\nsys.modules[{name!r}] = None", "--data-dir", tmp_path)  # nothing is there
    assert process.returncode == 1
    assert process.stdout == ""
    assert process.stderr == f'error: {name} is missing: {sys.executable} -m pip install -e "{ROOT}[demos]"\n'


def test_an_old_python_is_a_line():
    process = started("import sys\nsys.version_info, sys.version = (3, 10, 2, 'final', 0), '3.10.2 (main)'")
    assert process.returncode == 1
    assert process.stderr == "error: expected Python 3.11 or newer, got 3.10.2: start it with a newer one\n"


def test_an_old_python_is_a_line_to_the_data_sets_too():
    code = "import sys\nsys.version_info, sys.version = (3, 10, 2, 'final', 0), '3.10.2 (main)'\n"
    code += "import runpy\nrunpy.run_module('datasets', run_name='__main__')"
    process = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert process.returncode == 1
    assert process.stderr == "error: expected Python 3.11 or newer, got 3.10.2: start it with a newer one\n"


@pytest.mark.parametrize(
    "path",
    [
        "demos/mnist.py",
        "demos/xor.py",
        "demos/architectures.py",
        "demos/_launcher.py",
        "demos/__init__.py",
        "datasets/__main__.py",
        "datasets/__init__.py",
        "datasets/streams.py",
    ],
)
def test_what_an_old_python_reads_is_no_syntax_error_to_it(path):
    source = (ROOT / path).read_text(encoding="utf-8")
    compile(source, path, "exec", flags=ast.PyCF_ONLY_AST, _feature_version=7)


def test_numpy_alone_is_enough_for_xor_the_sample_and_the_checks():
    """In a class without a network: nothing but NumPy, and the folder as it is."""
    code = """\
import sys
class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] not in {"numpy", "nnscratch", "datasets", "demos", *sys.stdlib_module_names}:
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Nothing())
import numpy as np
from datasets import mnist
from demos import xor
from nnscratch import Adam, Dense, Sequential, SoftmaxCrossEntropy, check_layer, fit
xor.main()
(x, y), _ = mnist.load_sample()
model = Sequential([Dense(784, 10, rng=0)])
fit(model, SoftmaxCrossEntropy(), Adam(model), x[:500].reshape(-1, 784) / np.float32(255), y[:500])
check_layer(Dense(3, 2), np.ones((2, 3)))
"""
    process = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert process.returncode == 0, process.stderr
    assert "[1, 0] -> 1" in process.stdout
    assert "epoch 1/1  loss" in process.stdout


def shell(command, *arguments, **environment):
    """What the shell says to ``demo ARGUMENTS`` followed by redirections, and the exit code of the demo."""
    demo = f"{shlex.quote(sys.executable)} -m demos.mnist --sample --model one-layer --epochs 1 {shlex.join(arguments)}"
    env = {**os.environ, **environment}
    return subprocess.run(
        ["bash", "-c", f"{demo} {command}"], cwd=ROOT, env=env, capture_output=True, text=True, timeout=120
    )


@posix
def test_a_closed_standard_output_is_seen_before_the_training(tmp_path):
    process = shell(">&-", "--output", f"{tmp_path}/runs")
    assert process.returncode == 1
    assert process.stderr.startswith("error: expected an open standard output, got a closed one: ")
    assert list(tmp_path.iterdir()) == []


@posix
@pytest.mark.parametrize("closed", ["2>&-", "2>&- <&-"])
def test_a_closed_standard_error_is_no_trouble(closed, tmp_path):
    process = shell(closed, "--output", str(tmp_path))
    assert process.returncode == 0
    assert process.stdout.endswith(f"saved {tmp_path}/report.txt\n")


@posix
def test_a_pipe_closed_by_its_reader_ends_the_demo_without_a_word(tmp_path):
    process = shell("| head -2; exit ${PIPESTATUS[0]}", "--output", str(tmp_path))
    assert process.returncode == 1
    assert process.stderr == ""
    assert len(process.stdout.splitlines()) == 2


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_standard_output_that_takes_nothing_is_a_line(tmp_path):
    process = shell("> /dev/full", "--output", str(tmp_path))
    assert (process.returncode, process.stderr) == (1, "error: [Errno 28] No space left on device\n")


def test_a_terminal_of_one_column(tmp_path):
    process = run("demos.mnist", "--sample", "--model", "one-layer", "--epochs", 1, "--output", tmp_path, COLUMNS=1)
    assert process.returncode == 0, process.stderr
    assert b"! NOT THE FULL MNIST: this run uses the" in process.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="file names are bytes there")
def test_a_folder_whose_name_is_not_utf_8(tmp_path):
    output = os.fsencode(tmp_path) + b"/\xff"
    process = subprocess.run(
        [sys.executable, "-m", "demos.mnist", "--sample", "--model", "one-layer", "--epochs", "1", "--output", output],
        cwd=ROOT, capture_output=True, timeout=120,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    report = Path(os.fsdecode(output), "report.txt").read_text(encoding="utf-8")
    assert "\\udcff/one-layer/weights.npz" in report


def test_a_tilde_is_the_home_folder(monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.setenv("USERPROFILE", "/home/somebody")  # Windows
    options = support.parse_arguments(["--output=~/runs", "--data-dir=~/data"], demos.mnist.MODELS)
    assert (options.output, options.data_dir) == (Path("/home/somebody/runs"), Path("/home/somebody/data"))


def below_a_file(path):
    path.write_bytes(b"")
    return path / "runs"


def a_file(path):
    path.write_bytes(b"")
    return path


def a_file_for_a_folder(path):
    path.mkdir()
    (path / "one-layer").write_bytes(b"")
    return path


def read_only(path):
    path.mkdir(mode=0o500)
    return path


is_root = hasattr(os, "geteuid") and os.geteuid() == 0
BAD_OUTPUTS = [
    below_a_file, a_file, a_file_for_a_folder,
    pytest.param(read_only, marks=[posix, pytest.mark.skipif(is_root, reason="nothing is read-only to root")]),
]  # fmt: skip


@pytest.mark.parametrize("make", BAD_OUTPUTS)
def test_an_output_folder_that_takes_no_files_is_seen_before_the_training(make, tmp_path):
    output = make(tmp_path / "output")
    process = run("demos.mnist", "--sample", "--output", output)
    assert process.returncode == 1
    assert process.stdout == b""
    message = process.stderr.decode()
    assert message.startswith(f"error: expected a folder that takes files of 5 MB, got {output}")
    assert message.endswith(": choose another one with --output\n")
    assert message.count("\n") == 1


LIMITED = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))"


@posix
def test_a_full_disk_is_seen_before_the_training(tmp_path):
    """No file may be larger than 100,000 bytes: to the one who writes it, that is a full disk."""
    process = started(LIMITED, "--sample", "--output", tmp_path)
    assert process.returncode == 1
    assert "File too large" in process.stderr
    assert process.stderr.startswith("error: expected a folder that takes files of 5 MB, got")
    assert list(tmp_path.iterdir()) == []


@posix
@pytest.mark.long
def test_if_the_disk_is_full_later_what_fits_is_saved_and_the_table_is_shown(tmp_path):
    arguments = ["--sample", "--epochs", "1", "--quiet", "--output", tmp_path]
    process = started(f"{LIMITED}\nfrom demos import support\nsupport.NEEDED = 1", *arguments)
    assert process.returncode == 1
    missing = re.findall(r"^NOT SAVED: \[Errno \d+\] File too large: '(.*)'$", process.stdout, re.MULTILINE)
    assert str(tmp_path / "hidden" / "weights.npz") in missing  # 320 KB
    assert process.stderr == (
        f"error: {len(missing)} files were not saved, as said above: choose another folder with --output\n"
    )
    for name in demos.mnist.MODELS:
        assert re.search(rf"^{name} +[\d,]+ +1 ", process.stdout, re.MULTILINE)
        assert (tmp_path / name / "history.json").exists()
    for name in ("digits.png", "report.txt", "one-layer/weights.npz"):
        assert (tmp_path / name).exists()
    assert not any(os.path.exists(path) for path in missing)
    assert not list(tmp_path.rglob("*.tmp"))


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
