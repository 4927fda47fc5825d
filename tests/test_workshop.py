"""The workshop: solved with the framework's own lines it is right, and typical wrong answers are named."""

import importlib
import inspect
import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from operator import attrgetter
from pathlib import Path

import numpy as np
import pytest

import nnscratch
from demos.workshop import child, command, training
from demos.workshop.bugs import BUGS
from demos.workshop.folder import NAMES, PACKAGE, PROGRESS, SOURCE, Progress, gaps, package, write
from demos.workshop.steps import STEPS
from tests.bugs import BUGS as PLANTED
from tests.bugs import Bug, planted

ROOT = Path(__file__).parent.parent
BY_NAME = {step.name: step for step in STEPS}


@pytest.fixture(scope="module", autouse=True)
def fresh_imports():
    """Files change here several times a second, which Python's cache of compiled modules would not notice."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    yield
    sys.dont_write_bytecode = before
    child.forget()


def solve(folder, steps=STEPS):
    for step in steps:
        path = folder / PACKAGE / step.file
        text = path.read_text(encoding="utf-8")
        for gap in gaps(step):
            assert text.count(gap.stub) == 1
            text = text.replace(gap.stub, gap.original)
        path.write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A new workshop. Tests leave it as it is."""
    folder = tmp_path_factory.mktemp("written") / "my workshop"
    write(folder)
    return folder


@pytest.fixture
def new(written, tmp_path):
    """One to work in."""
    return Path(shutil.copytree(written, tmp_path / "my workshop"))


@pytest.fixture(scope="module")
def solved(written, tmp_path_factory):
    """One in which all steps are done. Tests leave it as it is."""
    folder = Path(shutil.copytree(written, tmp_path_factory.mktemp("solved") / "my workshop"))
    solve(folder)
    return folder


@contextmanager
def edited(path, right, wrong):
    """Within this block a file says something else."""
    text = path.read_text(encoding="utf-8")
    assert text.count(right) == 1, right
    path.write_text(text.replace(right, wrong), encoding="utf-8")
    child.forget()
    try:
        yield
    finally:
        path.write_text(text, encoding="utf-8")
        child.forget()


def changed(folder, step, right, wrong):
    """The same, but within a function of a step that is loaded already, which is faster."""
    if step.name == "Chain":  # its methods are wrapped
        return edited(folder / PACKAGE / step.file, right, wrong)
    child.load_package(folder)
    module = importlib.import_module(f"{PACKAGE}.{step.file[:-3].replace('/', '.')}")
    functions = [attrgetter(hole.function)(module) for hole in step.holes]
    function = next(function for function in functions if right in inspect.getsource(function))
    return planted(Bug([(function, right, wrong)], None, ""))


def run(folder, *names):
    """All that happens, in this process."""
    events = []
    child.run(folder, names, lambda event, **details: events.append({"event": event, **details}))
    return events


# ---- Holes -----------------------------------------------------------------------------------------------------------


def test_solved_it_is_the_framework_itself(solved):
    for path in SOURCE.rglob("*.py"):
        if path.name != "plots.py":
            text = (solved / PACKAGE / path.relative_to(SOURCE)).read_text(encoding="utf-8")
            assert re.sub(rf"\b{PACKAGE}\b", "nnscratch", text) == path.read_text(encoding="utf-8")


def test_the_framework_is_the_readers_own(solved):
    net = child.load_package(solved)
    assert Path(net.__file__).parent == solved / PACKAGE
    assert net.Dense is not nnscratch.Dense
    assert nnscratch.Dense.__module__ == "nnscratch.layers"


def test_formulas_stay_and_solutions_go():
    files = package()
    for step in STEPS:
        text = files[f"{PACKAGE}/{step.file}"]
        for gap in gaps(step):
            assert gap.stub in text
            assert gap.original not in text
    assert "dW = xᵀ dy        db = sum of dy over the rows        dx = dy Wᵀ" in files[f"{PACKAGE}/layers.py"]


def test_in_order_each_step_needs_only_those_before_and_the_next_is_not_written_yet(new):
    for number, step in enumerate(STEPS, start=1):
        last = run(new, step.name)[-1]
        assert last["event"] == "wrong"
        assert re.match(rf"not written yet: step {number}, \S+\nin mynet/{step.file}, line \d+", last["words"])
        solve(new, [step])
        child.forget()
        assert run(new, step.name)[-1] == {"event": "right"}, step.name


def test_chapters_are_there():
    if not (ROOT / "docs" / "01-first-network.md").exists():
        pytest.skip("the chapters are not written yet")
    for step in STEPS:
        assert (ROOT / "docs" / step.chapter).exists()


# ---- Wrong answers ---------------------------------------------------------------------------------------------------

MEAN = "the mean over the batch is taken"
PLACE = "in place: theta += ..."
WRONG = [  # step, the right line, a wrong one, the words for it
    ("Dense.forward", "x @ self.W.value + self.b.value", "x @ self.W.value", "the bias b is missing"),
    ("Dense.forward", "x @ self.W.value + self.b.value", "x @ self.W.value - self.b.value", "add it"),
    ("Dense.forward", "x @ self.W.value + self.b.value", "x @ self.W + self.b", "Its numbers are in .value"),
    ("Dense.forward", "x @ self.W.value + self.b.value", "x * self.W.value", "@ is the matrix product"),
    ("Dense.forward", "x @ self.W.value + self.b.value", "(x @ self.W.value).sum(axis=1)",
     "y should have the shape (2, 2), yours has (2,)"),
    ("Dense.forward", "return x @ self", "y = x @ self", "does the function end with return?"),
    ("ReLU.forward", "np.maximum(x, 0)", "np.max(x, 0)", "np.max does not"),
    ("ReLU.forward", "np.maximum(x, 0)", "np.maximum(x, 0, out=x)", "it belongs to others as well"),
    ("ReLU.forward", "self.y: Array = np.maximum(x, 0)", "return np.maximum(x, 0)", "keep it in self.y"),
    ("where weights start", "math.sqrt(6 / (n_in + n_out))", "6 / (n_in + n_out)", "the square root is missing"),
    ("where weights start", "math.sqrt(6 / (n_in + n_out))", "math.sqrt(6 / n_in)", "this is the limit of he_uniform"),
    ("where weights start", "math.sqrt(6 / n_in)", "math.sqrt(6 / (n_in + n_out))", "the limit of glorot_uniform"),
    ("Softmax.forward", "e / e.sum(axis=-1, keepdims=True)", "e / e.sum(axis=0)", "the sum goes over the batch"),
    ("Softmax.forward", "e / e.sum(axis=-1, keepdims=True)", "e / e.sum(axis=-1)", "put side by side"),
    ("Softmax.forward", "np.exp(x - x.max(axis=-1, keepdims=True))", "np.exp(x)", "overflow encountered in exp"),
    ("Softmax.forward", "np.exp(x - x.max(axis=-1, keepdims=True))", "np.exp(x - x.max())",
     "of each row from that row"),
    ("SoftmaxCrossEntropy.forward", "sum()) / len(z)", "sum())", "N = 2 times too large"),
    ("SoftmaxCrossEntropy.forward", "sum()) / len(z)", "sum()) / z.size", "the mean over all N C numbers"),
    ("SoftmaxCrossEntropy.forward", "return -float((self.t * self.log_p)", "return float((self.t * self.log_p)",
     "the sign is flipped"),
    ("SoftmaxCrossEntropy.forward", "z - np.log(np.exp(z).sum(axis=1, keepdims=True))",
     "np.log(np.exp(z) / np.exp(z).sum(axis=1, keepdims=True))", "no p is rounded to 0"),
    ("SoftmaxCrossEntropy.forward", "np.log(np.exp(z).sum(axis=1, keepdims=True))", "np.log(np.exp(z).sum())",
     "over all of z"),
    ("SoftmaxCrossEntropy.forward", "np.log(np.exp(z).sum(axis=1, keepdims=True))", "np.log(np.exp(z).sum(axis=1))",
     "put side by side"),
    ("SoftmaxCrossEntropy.forward", "z - z.max(axis=1, keepdims=True)", "z - z.max()", "each row has its own max"),
    ("SoftmaxCrossEntropy.forward", "self.log_p = z -", "log_p = z -", "has no attribute 'log_p'"),
    ("Dense.backward", "np.matmul(self.x.T, dy, out=self.W.grad)", "self.W.grad = self.x.T @ dy / len(dy)",
     "dW: N = 5 times too small: " + MEAN),
    ("Dense.backward", "dy.sum(axis=0, out=self.b.grad)", "self.b.grad = dy.mean(axis=0)", "db: N = 5 times too small"),
    ("Dense.backward", "dy.sum(axis=0, out=self.b.grad)", "self.b.grad = dy.sum()", "axis=0 makes one for each column"),
    ("Dense.backward", "np.matmul(self.x.T, dy, out=self.W.grad)", "self.W.grad = dy.T @ self.x", "transpose it, .T"),
    ("Dense.backward", "np.matmul(self.x.T, dy, out=self.W.grad)", "self.W.grad += self.x.T @ dy", "added to the old"),
    ("ReLU.backward", "(self.y > 0)", "(self.y >= 0)", "everything gets through"),
    ("ReLU.backward", "(self.y > 0)", "(dy > 0)", "the mask is where y > 0"),
    ("ReLU.backward", "(self.y > 0)", "self.y", "the slope is 1, not y"),
    ("ReLU.backward", "return dy * (self.y > 0)", "dy *= self.y > 0; return dy", "changed its argument dy"),
    ("Sigmoid", "return dy * self.slope", "return self.slope", "dy is missing"),
    ("Sigmoid", "np.where(x >= 0, 1, e) / one_plus_e", "1 / (1 + np.exp(x))", "the sign is missing"),
    ("Sigmoid", "np.where(x >= 0, 1, e) / one_plus_e", "1 / (1 + np.exp(-x))", "cannot overflow"),
    ("Sigmoid", "e / one_plus_e**2", "x * (1 - x)", "the slope is y (1 - y)"),
    ("Sigmoid", "self.slope: Array = e / one_plus_e**2  # y (1 - y)", "y = np.where(x >= 0, 1, e) / one_plus_e"
     "; self.slope = y * (1 - y)", "loses its digits"),
    ("SoftmaxCrossEntropy.backward", "(np.exp(self.log_p) - self.t) / len", "np.exp(self.log_p) - self.t / len",
     "all of it is divided by N"),
    ("CrossEntropy.backward", "/ (self.total * len(dq))", "/ self.total * len(dq)", "this multiplies by N"),
    ("Softmax.backward", "self.y * (dy - (dy * self.y).sum(axis=-1, keepdims=True))", "dy * self.y * (1 - self.y)",
     "only the diagonal"),
    ("Softmax.backward", "(dy * self.y).sum(axis=-1, keepdims=True)", "(dy * self.y).sum()", "over the batch"),
    ("Softmax.backward", "(dy * self.y).sum(axis=-1, keepdims=True)", "dy.sum(axis=-1, keepdims=True)", "not of dy_j"),
    ("SoftmaxCrossEntropy.backward", "(np.exp(self.log_p) - self.t) / len(self.t)", "np.exp(self.log_p) - self.t",
     "N = 2 times too large: " + MEAN),
    ("SoftmaxCrossEntropy.backward", "(np.exp(self.log_p) - self.t)", "(self.t - np.exp(self.log_p))",
     "sign is flipped"),
    ("CrossEntropy.backward", "(self.total * len(dq))", "self.total", "N = 2 times too large: " + MEAN),
    ("CrossEntropy.backward", " * self.inside", "", "self.inside is False there"),
    ("CrossEntropy.backward", "(dq - (dq * self.q).sum(axis=1, keepdims=True))", "dq", "the sum over j is missing"),
    ("Chain", "for layer in reversed(self.layers[self.first :])", "for layer in self.layers[self.first :]",
     "it goes from the last to the first"),
    ("Chain", "self.layers[self.first :]", "self.layers", "backward should end at layer 1"),
    ("Chain", "x = layer.forward(x)", "y = layer.forward(x)", "x = layer.forward(x)"),
    ("Chain", "dy = layer.backward(dy)", "dx = layer.backward(dy); dy = dy", "dy = layer.backward(dy)"),
    ("plain_slope", "(f(x + step) - f(x - step)) / (2 * h)", "(f(x + step) - f(x)) / h", "on one side only"),
    ("plain_slope", "/ (2 * h)", "/ 2 * h", "divide by (2 * h)"),
    ("plain_slope", "/ (2 * h)", "/ h", "2h apart"),
    ("SGD.step", "theta += self.velocity", "theta = theta + self.velocity", PLACE),
    ("SGD.step", "self.velocity -= self", "self.velocity += self", "this goes uphill"),
    ("SGD.step", "self.velocity *= self.momentum", "self.velocity *= 0", "the momentum is missing"),
    ("Adam.step_as_it_reads", "theta -= alpha * self.m", "theta = theta - alpha * self.m", PLACE),
    ("Adam.step_as_it_reads", "(np.sqrt(self.v) + self.epsilon)", "np.sqrt(self.v + self.epsilon)",
     "sqrt(v), not to v"),
    ("Adam.step_as_it_reads", "theta -= alpha * self.m", "alpha = self.learning_rate; theta -= alpha * self.m",
     "alpha is just learning_rate"),
    ("Adam.step_as_it_reads", "self.m = self.beta_1 * self.m + (1 - self.beta_1) * g", "self.m = (1 - self.beta_1) * g",
     "m has to last"),
    ("Adam.step_as_it_reads", "self.v = self.beta_2 * self.v +", "self.v =", "v has to last"),
    ("accuracy", "/ len(truth)", "", "this is how many are right"),
    ("accuracy", "scores.argmax(axis=1) == truth", "scores.argmax(axis=1) != truth", "those that are wrong"),
    ("accuracy", "truth = labels if labels.ndim == 1 else labels.argmax(axis=1)", "truth = labels",
     "whose 1 is at labels.argmax(axis=1)"),
    ("batches", "y[rows]) for rows", "y[np.sort(rows)]) for rows", "use one order for both"),
    ("batches", "len(x), batch_size))", "len(x), batch_size))[: len(x) // batch_size]", "must not be left out"),
    ("batches", "permutation(len(x)) if shuffle else np.arange(len(x))", "permutation(len(x))", "should come in order"),
    ("batches", "np.random.default_rng(rng).permutation", "np.random.default_rng(0).permutation", "the same order"),
    ("batches", "np.random.default_rng(rng).permutation", "rng.permutation", "a Generator of each"),
    ("train_epoch", "model.forward(x, training=True)", "model.forward(x)", "that this is training"),
    ("train_epoch", "        optimizer.step()  # theta moves against model.grad\n", "", "optimizer.step is missing"),
    ("train_epoch", "model.backward(loss.backward())", "optimizer.step(); model.backward(loss.backward())",
     "yours calls model.forward, loss.forward, optimizer.step, loss.backward"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "right", "wrong", "words"), WRONG)
def test_a_wrong_answer_is_named(solved, name, right, wrong, words):
    with changed(solved, BY_NAME[name], right, wrong):
        last = run(solved, name)[-1]
    assert last["event"] == "wrong"
    assert words in last["words"], last["words"]


def test_every_step_has_a_typical_mistake_that_is_named():
    assert {name for name, *_ in WRONG} == set(BY_NAME)


RIGHT = [  # other ways to write it
    ("ReLU.backward", "return dy * (self.y > 0)", "return np.where(self.y > 0, dy, 0)"),
    ("Dense.backward", "np.matmul(self.x.T, dy, out=self.W.grad)", "self.W.grad = (dy.T @ self.x).T"),
    ("Dense.backward", " if self.needs_dx else None", ""),
    ("Chain", "reversed(self.layers[self.first :])", "self.layers[self.first :][::-1]"),
    ("Adam.step_as_it_reads", "theta -= alpha * self.m /", "self.model.theta = theta - alpha * self.m /"),
    ("batches", "return ((x.take(rows, axis=0), y[rows]) for rows in rows_of_batches)",
     "for rows in rows_of_batches: yield x[rows], y[rows]"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "right", "other"), RIGHT)
def test_another_right_answer_is_right(solved, name, right, other):
    with changed(solved, BY_NAME[name], right, other):
        assert run(solved, name)[-1] == {"event": "right"}


def test_the_page_shows_what_is_really_said(solved):
    page = (ROOT / "docs" / "workshop.md").read_text(encoding="utf-8")
    assert gaps(BY_NAME["Dense.backward"])[0].stub in page
    for name, right, wrong in (
        ("CrossEntropy.backward", "(dq - (dq * self.q).sum(axis=1, keepdims=True))", "dq"),
        ("Dense.backward", "np.matmul(self.x.T, dy, out=self.W.grad)", "self.W.grad = self.x.T @ dy / len(dy)"),
    ):
        with changed(solved, BY_NAME[name], right, wrong):
            words = run(solved, name)[-1]["words"]
        digits = re.compile(r"\d\.\de-\d\d")  # rounding errors differ from machine to machine
        assert digits.sub("#", command.indented(words)) in digits.sub("#", page)


# ---- Code that does not run ------------------------------------------------------------------------------------------

LINE = "return x @ self.W.value + self.b.value"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("return x @ (self.W.value + self.b.value", "Python cannot read mynet/layers.py, line "),
        ("return x @ self.w.value", "AttributeError: 'Dense' object has no attribute 'w'"),
        ("return xx", "NameError: name 'xx' is not defined\nfor x = [[1, 2, 0], [0, 1, 1]], W = "),
        ("raise SystemExit", "it ends the program"),
        ("return self.forward(x)", "RecursionError"),
        ("return 1 / 0 + x", "ZeroDivisionError: division by zero"),
    ],
)
def test_code_that_does_not_run_is_told_with_its_line(solved, line, words):
    with edited(solved / PACKAGE / "layers.py", LINE, line):
        last = run(solved, "Dense.forward")[-1]
    assert last["event"] == "wrong"
    assert words in last["words"], last["words"]
    assert re.search(r"mynet/layers\.py, line \d+", last["words"])


def test_what_is_printed_is_kept_to_a_few_lines(solved):
    with edited(solved / PACKAGE / "layers.py", LINE, f"[print(x.shape) for _ in range(1000)]; {LINE}"):
        events = run(solved, "Dense.forward")
    assert events[-1] == {"event": "right"}
    printed = "".join(event["text"] for event in events if event["event"] == "print")
    assert printed.splitlines() == ["(2, 3)"] * child.LINES


def test_a_loop_without_an_end_is_ended_and_other_ends_are_told(solved, capsys):
    with edited(solved / PACKAGE / "layers.py", LINE, "while True: pass"):
        assert not command.check(solved, limit=1)
    with edited(solved / PACKAGE / "layers.py", LINE, "__import__('os')._exit(0)"):
        assert not command.check(solved)
    (solved / PROGRESS).unlink()
    out = capsys.readouterr().out
    assert "Python itself ended (exit code 0): without a word" in out
    assert "it was not done after 1 seconds: does every loop come to an end?" in out
    assert re.search(r"in mynet/layers.py, line \d+, forward", out.replace("\\", "/"))


# ---- The bugs --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_is_one_of_the_planted_and_gone_when_mended(bug, tmp_path, monkeypatch):
    assert bug.edits == PLANTED[bug.name].edits
    monkeypatch.setattr(training, "digits", lambda: few_digits(100))
    path = tmp_path / "bugs" / bug.file
    path.parent.mkdir()
    path.write_text(bug.module(), encoding="utf-8")
    last = run(tmp_path, bug.name)[-1]
    assert last["event"] == "not mended"
    assert np.isfinite(last["history"]["loss"]).all()
    assert last["found"]
    path.write_text(bug.module(mended=True), encoding="utf-8")
    assert run(tmp_path, bug.name)[-1] == {"event": "right"}
    path.write_text("import", encoding="utf-8")
    assert f"Python cannot read bugs/{bug.file}, line 1" in run(tmp_path, bug.name)[-1]["words"]


def few_digits(rows):
    x, y, x_test, y_test = ALL_DIGITS()
    return x[:rows], y[:rows], x_test[:rows], y_test[:rows]


ALL_DIGITS = training.digits


def test_a_bug_that_no_longer_fits_the_source_is_an_error():
    function, _, wrong = BUGS[0].edits[0]
    with pytest.raises(LookupError, match=r"Dense.backward no longer says dy.max\(: bring 'db by mean' up to date"):
        BUGS[0]._replace(edits=[(function, "dy.max(", wrong)]).module()


def test_there_are_ten_and_no_file_tells_which_it_is():
    assert len({bug.file for bug in BUGS}) == len(BUGS) == 10
    for bug in BUGS:
        assert bug.name not in bug.module()


@pytest.mark.long
def test_with_each_bug_training_looks_fine(written):
    for bug in BUGS:
        history = bug.train(child.load_file(written / "bugs" / bug.file))
        assert history["test_accuracy"][-1] > 0.84, bug.name


# ---- The end: it trains ----------------------------------------------------------------------------------------------


def test_the_readers_framework_trains_as_ours_to_the_last_digit(solved, tmp_path, capsys):
    yours, ours = (training.train_as_it_reads(net, 2, 500) for net in (child.load_package(solved), nnscratch))
    assert yours == ours
    assert ours["loss"][1] < ours["loss"][0] < 2.3
    command.compare(tmp_path, yours, ours)
    out = capsys.readouterr().out
    assert f"epoch 2  loss {ours['loss'][1]:.4f}  test accuracy {ours['test_accuracy'][1]:.4f}" in out
    assert "your curve is ours, to the last digit" in out
    assert (tmp_path / command.CURVES).read_bytes().startswith(b"\x89PNG")
    command.compare(tmp_path, yours | {"loss": [ours["loss"][0], ours["loss"][1] + 1e-5]}, ours)
    assert "differ by up to 1.0e-05" in capsys.readouterr().out


# ---- The command line ------------------------------------------------------------------------------------------------


def test_from_the_first_command_to_the_end(tmp_path, capsys):
    """Through the program itself, in a folder with a space in its name, and in a terminal of Windows."""
    folder = tmp_path / "my workshop"

    def workshop(*arguments, code=0):
        process = subprocess.run(
            [sys.executable, "-m", "demos.workshop", str(folder), *arguments], cwd=ROOT, capture_output=True, text=True,
            env={**os.environ, "PYTHONIOENCODING": "cp1252"}, encoding="cp1252",
        )  # fmt: skip
        assert process.returncode == code, process.stdout + process.stderr
        assert not process.stderr
        return process.stdout

    assert f'python -m demos.workshop "{folder}" --check' in workshop()
    solve(folder)
    for bug in BUGS[1:]:
        (folder / "bugs" / bug.file).write_text(bug.module(mended=True), encoding="utf-8")
    out = workshop("--check", code=1)
    assert re.findall(r"^step +\d+  .*right$", out, re.MULTILINE)[-1].startswith("step 18  train_epoch")
    assert "your curve is ours, to the last digit" in out
    assert (folder / command.CURVES).exists()
    assert re.search(r"trained for two epochs: loss 0\.\d+, 9\d\.\d% of the test digits right", out)
    assert Progress(folder).current() == BUGS[0].name
    (folder / "bugs" / BUGS[0].file).write_text(BUGS[0].module(mended=True), encoding="utf-8")
    assert command.check(folder)
    out = capsys.readouterr().out
    assert "your curve" not in out  # that was before
    assert "found: db by mean" in out
    assert out.endswith("All of it is right: 18 steps and 10 bugs. The framework is yours.\n")
    assert set(Progress(folder).right) == set(NAMES)


def test_hints_one_after_the_other_and_the_solution(new, capsys):
    for hint in [*STEPS[0].hints, STEPS[0].hints[-1]]:
        command.main([str(new), "--hint"])
        assert hint.split(":")[0] in " ".join(capsys.readouterr().out.split())
    command.main([str(new), "--solution"])
    assert LINE in capsys.readouterr().out


def test_hints_and_the_solution_of_a_bug(new, capsys):
    progress = Progress(new)
    progress.right = NAMES[: NAMES.index(BUGS[2].name)]
    progress.save()
    command.main([str(new), "--hint"])
    assert "--check" in capsys.readouterr().out  # which is to look first
    progress.said[BUGS[2].name] = "dx: WRONG"
    progress.save()
    for hint in ("dx: WRONG", *BUGS[2].hints):
        command.main([str(new), "--hint"])
        assert hint in " ".join(capsys.readouterr().out.split())
    command.main([str(new), "--solution"])
    out = capsys.readouterr().out
    assert "-         return dy * self.y * (1 - self.y)" in out
    assert "+         return self.y * (dy - (dy * self.y).sum(axis=-1, keepdims=True))" in out


def test_what_was_right_and_breaks_is_said(new, monkeypatch, capsys):
    solve(new)
    monkeypatch.setattr(command, "NAMES", NAMES[:3])
    assert command.check(new)
    with edited(new / PACKAGE / "layers.py", LINE, "return x @ self.W.value"):
        assert not command.check(new)
        assert "this was right before, and is not any more:" in capsys.readouterr().out
    assert Progress(new).right == NAMES[1:3]


def test_nothing_that_is_there_is_overwritten(new, capsys):
    (new / PACKAGE / "layers.py").write_text("mine", encoding="utf-8")
    (new / PROGRESS).write_text('{"right": ["Dense.forward"], "hints": {}, "said": {}}', encoding="utf-8")
    (new / PACKAGE / "guards.py").unlink()
    before = {path: path.read_bytes() for path in new.rglob("*.*")}
    command.main([str(new)])
    out = capsys.readouterr().out
    assert "with 1 of 29 done; added: mynet/guards.py; all else is as it was" in out
    assert {path: path.read_bytes() for path in before} == before
    command.main([str(new)])
    assert "nothing was missing" in capsys.readouterr().out


# ---- Bad input -------------------------------------------------------------------------------------------------------


def ends_with(arguments, capsys):
    """What the program says when it gives up."""
    with pytest.raises(SystemExit) as caught:
        command.main([str(argument) for argument in arguments])
    return str(caught.value.code) if caught.value.code != 2 else capsys.readouterr().err


def test_folders_that_are_none_or_somebody_elses(tmp_path, capsys):
    file = tmp_path / "file.txt"
    file.write_text("mine", encoding="utf-8")
    assert "error: expected a folder, got the file" in ends_with([file], capsys)
    assert "error: expected a folder to write to, got" in ends_with([file / "below"], capsys)
    assert "which has other files: choose another name" in ends_with([tmp_path], capsys)
    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"]
    for option in ("--check", "--hint", "--solution"):
        for folder in (tmp_path, tmp_path / "nothing", file):
            assert "error: expected a workshop in" in ends_with([folder, option], capsys)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="everything may be written to here")
def test_a_folder_that_is_read_only(tmp_path, capsys):
    (tmp_path / "locked").mkdir(mode=0o500)
    assert "error: expected a folder to write to" in ends_with([tmp_path / "locked"], capsys)


def test_a_folder_that_cannot_be_written_to(tmp_path, capsys, monkeypatch):
    def refuse(folder):
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(command, "write", refuse)
    assert "Permission denied" in ends_with([tmp_path / "new"], capsys)


def test_unknown_options(new, capsys):
    assert "unrecognized arguments: --chekc" in ends_with([new, "--chekc"], capsys)
    assert "not allowed with argument" in ends_with([new, "--check", "--hint"], capsys)
    assert "FOLDER" in ends_with([], capsys)


def test_a_file_that_is_gone_and_progress_that_is_damaged(new, capsys):
    (new / PACKAGE / "model.py").unlink()
    message = ends_with([new, "--check"], capsys)
    assert "model.py, got no such file" in message
    assert "adds what is missing" in message
    command.main([str(new)])
    (new / PROGRESS).write_text("[]", encoding="utf-8")
    with pytest.raises(OSError, match="as the workshop wrote it, got something else: delete it"):
        command.main([str(new), "--check"])
    (new / PROGRESS).unlink()
    command.main([str(new), "--hint"])
    assert "hint 1 of 2" in capsys.readouterr().out
