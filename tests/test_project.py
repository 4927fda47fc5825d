"""What holds for the project as a whole."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np

import nnscratch
from nnscratch import Adam, Callback, Dense, ReLU, Sequential, Sigmoid, SparseCrossEntropy, fit

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "nnscratch"
ALLOWED = set(sys.stdlib_module_names) | {"numpy", "nnscratch"}


def imports(path):
    """The top-level names that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names = [alias.name for alias in node.names]
            yield from [f"nnscratch.{name}" for name in names] if node.module == "nnscratch" else [node.module]


def test_the_framework_needs_numpy_only():
    for path in PACKAGE.rglob("*.py"):
        if path.name != "plots.py":
            optional = {"threadpoolctl"} if path.name == "blas.py" else set()
            assert {name.split(".")[0] for name in imports(path)} <= ALLOWED | optional, path.name


def test_importing_it_loads_nothing_but_numpy():
    code = "import sys, nnscratch; print(*{n.split('.')[0] for n in sys.modules})"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    assert not loaded & {"matplotlib", "seaborn", "requests", "pycurl", "tqdm", "threadpoolctl", "datasets", "demos"}


def test_dependencies_point_one_way():
    order = ["guards", "search", "memory", "tables", "parameter", "initializers", "layers", "activations", "losses",
             "advice", "writing", "saving", "metrics", "model", "optimizers", "callbacks", "blas", "training",
             "checking.report", "checking.slopes", "checking.diagnosis", "checking.twins", "checking.gradients",
             "checking.promises", "checking.batches", "checking.modes", "checking.losses", "checking.checks",
             "checking.missteps", "checking.optimizers", "checking"]  # fmt: skip
    for i, module in enumerate(order):
        path = PACKAGE / f"{module.replace('.', '/')}.py"
        for name in imports(path if path.exists() else PACKAGE / module / "__init__.py"):
            if name.startswith("nnscratch.") and (module, name) != ("guards", "nnscratch.parameter"):
                assert name.removeprefix("nnscratch.") in order[:i], f"{module} imports {name}"
    for module in ("losses", "metrics", "guards"):
        assert not {"nnscratch.layers", "nnscratch.model"} & set(imports(PACKAGE / f"{module}.py"))
    assert not any(name.startswith(("datasets", "demos")) for path in PACKAGE.rglob("*.py") for name in imports(path))


# ---- How the lesson reads ----

LESSON = ("parameter", "initializers", "layers", "activations", "losses", "metrics", "model", "optimizers", "training")
HOOKS = {"__getattr__", "__getattribute__", "__setattr__", "__delattr__", "__init_subclass__", "__set_name__",
         "__get__", "__set__", "__new__", "__reduce__", "__reduce_ex__", "__class_getitem__", "__call__"}  # fmt: skip


def lines_of(module):
    return (PACKAGE / f"{module}.py").read_text(encoding="utf-8").splitlines()


def nodes(module, kind):
    """Everything of a kind in a module's syntax tree."""
    return [node for node in ast.walk(ast.parse("\n".join(lines_of(module)))) if isinstance(node, kind)]


def test_the_lesson_is_short_enough_for_an_evening():
    assert sum(len(lines_of(module)) for module in LESSON) <= 850
    for module in LESSON:
        assert len(lines_of(module)) <= 150, module
        for line in lines_of(module):
            assert len(line) <= 100, f"{module}: {line}"
    assert len(lines_of("guards")) <= 350


def test_nothing_in_the_lesson_acts_behind_the_readers_back():
    for module in LESSON:
        for function in nodes(module, ast.FunctionDef):
            assert function.name not in HOOKS, f"{module}: {function.name}"
        assert "__new__" not in "\n".join(lines_of(module))
    text = "\n".join(line for module in LESSON for line in lines_of(module))
    assert "vars(" not in text  # that is for the search for parameters, in search.py, and for copies, in memory.py
    assert text.count("__dict__") == 1  # Python's own protocol for copies, in __setstate__


def test_the_lesson_raises_nothing_but_for_methods_that_are_missing():
    for module in LESSON:
        for node in nodes(module, ast.Raise):
            assert node.exc.func.id == "NotImplementedError", f"{module}, line {node.lineno}"
        assert not nodes(module, ast.Assert | ast.Try), module


def test_a_method_of_the_lesson_has_one_guard_and_it_is_the_first_line():
    """Or one on what it returns, such as rows that have one 1 each. Settings are guarded where they are declared."""
    on_results = {"some_rows", "exactly_one_true"}
    for module in LESSON:
        for function in nodes(module, ast.FunctionDef):
            body = function.body[1:] if ast.get_docstring(function) else function.body
            for i, statement in enumerate(body):
                calls = [node.func for node in ast.walk(statement) if isinstance(node, ast.Call)]
                guards = {f.attr for f in calls if isinstance(f, ast.Attribute) and ast.unparse(f.value) == "guards"}
                if function.name not in ("__init__", "fill", "set_weights"):  # these check what they assign
                    assert i == 0 or guards <= on_results, f"{module}: {function.name}: {guards}"


def test_fit_fits_on_one_screen():
    fit = next(function for function in nodes("training", ast.FunctionDef) if function.name == "fit")
    assert fit.body[-1].end_lineno - fit.body[1].lineno + 1 <= 25
    assert any(isinstance(node, ast.Name) and node.id == "train_epoch" for node in ast.walk(fit))


def test_all_public_names_are_documented():
    for name in nnscratch.__all__:
        assert getattr(nnscratch, name).__doc__, name


def test_a_batch_crosses_17_functions():
    """Guards, advice and properties aside; docs/design.md lists them."""
    crossed = set()

    def watch(frame, event, argument):
        code, path = frame.f_code, Path(frame.f_code.co_filename)
        if event == "call" and path.parent == PACKAGE and path.stem in LESSON:
            crossed.add(getattr(code, "co_qualname", code.co_name))

    rng = np.random.default_rng(0)
    model = Sequential([Dense(784, 100, rng=rng), ReLU(), Dense(100, 10, rng=rng), Sigmoid()])

    class Watch(Callback):
        """Two batches: what the first one crosses only because it is the first does not count."""

        def on_train_begin(self, model, epochs, steps):
            self.steps = 0

        def on_batch_end(self, loss, score):
            self.steps += 1
            sys.setprofile(watch if self.steps == 1 else None)

    x, y = rng.random((64, 784), np.float32), rng.integers(0, 10, 64)
    fit(model, SparseCrossEntropy(), Adam(model), x, y, callbacks=[Watch()], verbose=0)
    page = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    crossed = {name.split(".<locals>")[0] for name in crossed} | {"fit", "train_epoch"}  # these two had begun before
    assert crossed == {
        "fit", "train_epoch", "batches", "Sequential.forward", "Chain.forward", "Dense.forward", "ReLU.forward",
        "Sigmoid.forward", "CrossEntropy.forward", "one_hot", "CrossEntropy.backward", "Chain.backward",
        "Sigmoid.backward", "Dense.backward", "ReLU.backward", "Adam.step", "accuracy",
    }  # fmt: skip
    assert len(crossed) == 17
    assert "crosses 17 functions" in page


def test_the_wheel_holds_every_part_of_the_framework_and_nothing_else():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    folders = {path.parent.relative_to(ROOT).as_posix().replace("/", ".") for path in PACKAGE.rglob("*.py")}
    assert set(settings["tool"]["setuptools"]["packages"]) == folders
    assert settings["project"]["version"] == nnscratch.__version__
