"""What holds for the project as a whole."""

import ast
import subprocess
import sys
from pathlib import Path

import nnscratch

ROOT = Path(__file__).parent.parent
ALLOWED = set(sys.stdlib_module_names) | {"numpy", "nnscratch"}


def imports(path):
    """The top-level names that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


def test_the_framework_needs_numpy_only():
    for path in (ROOT / "nnscratch").glob("*.py"):
        if path.name != "plots.py":
            optional = {"threadpoolctl"} if path.name == "threads.py" else set()
            assert {name.split(".")[0] for name in imports(path)} <= ALLOWED | optional, path.name


def test_importing_it_loads_nothing_but_numpy():
    code = "import sys, nnscratch; print(*{n.split('.')[0] for n in sys.modules})"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    assert not loaded & {"matplotlib", "seaborn", "requests", "tqdm", "threadpoolctl", "datasets", "demos"}


def test_dependencies_point_one_way():
    order = ["parameter", "threads", "differentiable", "files", "initializers", "layers", "activations",
             "metrics", "losses", "model", "optimizers", "callbacks", "training", "contract", "diagnosis",
             "gradcheck"]  # fmt: skip
    for i, module in enumerate(order):
        for name in imports(ROOT / "nnscratch" / f"{module}.py"):
            if name.startswith("nnscratch."):
                assert name.removeprefix("nnscratch.") in order[:i], f"{module} imports {name}"
    for module in ("losses", "metrics"):
        assert "nnscratch.layers" not in imports(ROOT / "nnscratch" / f"{module}.py")


def test_all_public_names_are_documented():
    for name in nnscratch.__all__:
        assert getattr(nnscratch, name).__doc__, name
