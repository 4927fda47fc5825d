"""Does a name in backticks exist? ``unknown(page, text)`` lists those of a page that do not.

- a path: there is such a file or folder, beside the page, in the repository, or under that name anywhere in it;
  capitals as in ``NAME.png`` stand for anything
- a command: ``python -m`` runs a module of ours, and its options stand in its source
- Python: in ``Dense.backward`` or ``np.sqrt``, what comes after the dot is looked up; in ``model.theta -= 0.1`` each
  name is one that our code, or Python on the same page, defines; ``MyLayer`` stands for one of the reader's
- everything else is in one of the two lists below, or stands in a string of our code as it is
"""

import ast
import builtins
import importlib
import inspect
import re
import sys
from functools import cache
from pathlib import Path

import numpy as np

from docs import book, pages

ROOT = Path(__file__).parent.parent
FOLDERS = ("nnscratch", "datasets", "demos", "docs", "tests")
SUFFIXES = (".py", ".md", ".png", ".svg", ".npz", ".json", ".toml", ".txt", ".ipynb", ".html", "/")
PROGRAMS = ("git", "jupyter", "mutmut", "mypy", "pip", "pytest", "ruff", "sphinx-build")

# Not looked up: what files are called while they grow, places outside of the repository, formulas that are no Python,
# and any guard.
NOT_CODE = {".gz", ".NAME.gz.USER.part", "ftp:", "~/.netrc", "~/.cache/nnscratch", "/usr/share/datasets/fashion-mnist",
            "dataset-fashion-mnist", "exp(-|x|)", "guards.f(x)", "curves.png", "bugs/",
            r".venv\Scripts\python"}  # fmt: skip

# Names of other libraries that the pages speak of, and where they are: ``module.name`` or ``module.function:argument``.
# Where a library is installed, tests/test_docs.py looks them up, and all names that begin as one of PREFIXES.
ELSEWHERE = {
    "AdamW": "keras.optimizers.AdamW",
    "SparseCategoricalCrossentropy": "keras.losses.SparseCategoricalCrossentropy",
    "activation": "keras.layers.Dense:activation",
    "categorical_crossentropy": "keras.losses.categorical_crossentropy",
    "compile": "keras.Model.compile",
    "eps": "torch.optim.Adam:eps",
    "eval": "torch.nn.Module.eval",
    "evaluate": "keras.Model.evaluate",
    "fit": "keras.Model.fit",
    "from_logits": "keras.losses.SparseCategoricalCrossentropy:from_logits",
    "kernel": "keras.layers.Dense.kernel",
    "linear": "torch.nn.Linear",
    "sparse_categorical_crossentropy": "keras.losses.sparse_categorical_crossentropy",
    "state_dict": "torch.nn.Module.state_dict",
    "train": "torch.nn.Module.train",
    "weight": "torch.nn.Linear.weight",
    "zero_grad": "torch.optim.Optimizer.zero_grad",
}
PREFIXES = {"keras": "keras", "torch": "torch", "nn": "torch.nn", "optim": "torch.optim"}


def unknown(page, text):
    """The names in backticks on a page that are the names of nothing, and why."""
    blocks = "\n".join(part.text for part in pages.parts(text) if part.language in ("python", "py", "sh"))
    local = set(re.findall(r"\w+", blocks))
    found = []
    for part in pages.parts(text):
        for name in re.findall(r"(?<!`)`([^`\n]+)`(?!`)", part.text) if not part.language else []:
            why = problem(name, page, local)
            if why:
                found.append(f"`{name}`: {why}")
    return found


def problem(name, page, local):
    """Why a name is nothing's; "" if it is something's."""
    if name in NOT_CODE or name.strip("\"'") in ELSEWHERE or "://" in name:
        return ""
    program = name.split()[0]
    if program == "python":
        return wrong_command(name)
    if program in PROGRAMS:
        return ""
    if name.startswith("-"):
        return "" if name.split()[0] in strings() else "no program of ours has this option"
    if name.endswith(SUFFIXES) or ("/" in name and " " not in name):
        return "" if is_path(name, page) else "there is no such file"
    if name[0] == "." and name[1:].isidentifier():
        return "" if is_attribute(name[1:]) else "nothing of ours has this attribute"
    if name[-1] == "=" and name[:-1].isidentifier():
        return "" if name[:-1] in defined() else "nothing of ours takes this argument"
    try:
        tree = ast.parse(name)
    except SyntaxError:
        return "" if name in strings() else "it is neither Python nor in a string of our code: see tests/names.py"
    if not tree.body:
        return "it is empty"
    wrong = [why for node in ast.walk(tree) if (why := wrong_node(node, local))]
    return "" if not wrong or name in strings() else wrong[0]


def is_path(name, page):
    name = name.rstrip("/")
    if name.startswith("runs/"):  # what the demos write: its parts have to stand in their code
        return {part.split(".")[0] for part in name.split("/")[1:]} <= strings()
    pattern = re.sub(r"\b[A-Z]{2,}\b", "*", name)
    return any(any(folder.glob(pattern)) for folder in (page.parent, ROOT)) or name in files()


@cache
def files():
    """All files and folders of ours by their last name."""
    return {path.name for folder in FOLDERS for path in (ROOT / folder).rglob("*")}


def wrong_command(command):
    words = command.split()
    if words[1:2] != ["-m"] or words[2] in ("pip", "venv", "pytest", "http.server"):
        return ""
    path = ROOT / words[2].replace(".", "/")
    sources = [path.with_suffix(".py"), *sorted(path.glob("*.py"))]
    text = "\n".join(source.read_text(encoding="utf-8") for source in sources if source.is_file())
    if "__main__" not in text and not (path / "__main__.py").exists():
        return f"there is no program {words[2]}"
    text += "\n".join(source.read_text(encoding="utf-8") for source in path.parent.glob("*.py"))
    options = [word.split("=")[0] for word in words[3:] if word.startswith("--")]
    missing = [
        option
        for option in options
        if f'"{option}"' not in text and f'"{option[2:]}"' not in text and option != "--help"
    ]
    return f"{words[2]} has no option {missing[0]}" if missing else ""


def wrong_node(node, local):
    """What is unknown about one part of an expression."""
    if isinstance(node, ast.Attribute):
        return wrong_attribute(ast.unparse(node), node.attr)
    if isinstance(node, ast.keyword) and node.arg and node.arg not in defined() | keywords() | set(ELSEWHERE):
        return f"nothing of ours takes an argument {node.arg}"
    if isinstance(node, ast.Name) and not is_known(node.id, local):
        return f"there is no {node.id} in our code, in Python, in NumPy or on this page"
    return ""


def is_known(name, local):
    known = name in defined() | local | set(ELSEWHERE) | set(PREFIXES) | set(things()) or name.startswith("My")
    return known or hasattr(builtins, name) or hasattr(np, name) or name in sys.stdlib_module_names


def wrong_attribute(chain, attribute):
    """Looked up where the first name is that of a module or a class. But ``model`` is not always the module: so what is
    in none of ours has to be an attribute somewhere."""
    root, *rest = re.sub(r"\(.*?\)|\[.*?\]", "", chain).split(".")
    if root in PREFIXES:
        return ""
    for thing in things().get(root, []):
        if inspect.isclass(thing) and rest[0] in assigned(thing):
            return ""
        for name in rest:
            thing = getattr(thing, name, None)
        if thing is not None:
            return ""
    variable = all(getattr(thing, "__name__", "").endswith(f".{root}") for thing in things().get(root, []))
    if variable and is_attribute(attribute):
        return ""
    return f"{root} has no {'.'.join(rest)}"


def is_attribute(name):
    kinds = (np.ndarray, np.random.Generator, str, dict, list)
    return name in attributes() or name in ELSEWHERE or any(hasattr(kind, name) for kind in kinds)


@cache
def things():
    """Modules and classes by name: ours (``layers`` is nnscratch.layers), NumPy's and Python's."""
    found = {name: [importlib.import_module(name)] for name in ("gzip", "math", "os", "sys", "json", "copy", "time")}
    found |= {"np": [np], "numpy": [np]}
    for folder in ("nnscratch", "datasets"):
        found[folder] = [importlib.import_module(folder)]
        for path in sorted((ROOT / folder).glob("[!_]*.py")):
            module = importlib.import_module(f"{folder}.{path.stem}")
            found.setdefault(path.stem, []).append(module)
            for name, thing in vars(module).items():
                if inspect.isclass(thing) and thing.__module__ == module.__name__:
                    found.setdefault(name, []).append(thing)
    return found


def assigned(kind):
    """The attributes that the methods of a class, and of those it comes from, assign."""
    source = "\n".join(inspect.getsource(each) for each in kind.__mro__ if each.__module__.startswith(FOLDERS))
    return set(re.findall(r"self\.(\w+)", source))


@cache
def trees():
    return [ast.parse(path.read_text(encoding="utf-8")) for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]


@cache
def defined():
    """Everything that our code defines: functions, classes, arguments, variables, attributes, modules, folders."""
    found = {path.stem for folder in FOLDERS for path in [ROOT / folder, *(ROOT / folder).rglob("*.py")]}
    for node in (node for tree in trees() for node in ast.walk(tree)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.add(node.id if isinstance(node, ast.Name) else node.attr)
    return found


@cache
def keywords():
    """What our code passes by name to whomever."""
    return {node.arg for tree in trees() for node in ast.walk(tree) if isinstance(node, ast.keyword)}


@cache
def attributes():
    """What classes and methods of ours define."""
    found = set()
    for node in (node for tree in trees() for node in ast.walk(tree)):
        if isinstance(node, ast.ClassDef):
            found |= {name for each in node.body for name in book.names_of(each)}
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.add(node.attr)
    return found


@cache
def strings():
    """All strings of our code, docstrings aside, and the words in them."""
    constants = [
        node.value
        for tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.count("\n") < 3
    ]
    return set(constants) | {word for text in constants for word in text.split()} | set(quoted(constants))


def quoted(constants):
    """What stands in backticks there: pages that programs write have it from there."""
    return (name for text in constants for name in re.findall(r"`([^`]+)`", text))


def elsewhere(text):
    """The names on a page that begin as one of PREFIXES, and where they are."""
    for part in pages.parts(text):
        for span in re.findall(r"(?<!`)`([^`\n]+)`(?!`)", part.text) if not part.language else []:
            for root, rest in re.findall(r"(?<![\w.])(\w+)\.([A-Za-z_.]+)", span):
                if root in PREFIXES:
                    yield f"{PREFIXES[root]}.{rest}"


def find(where):
    """The thing that is there. Errors: ImportError, AttributeError or KeyError."""
    path, _, argument = where.partition(":")
    module, _, rest = path.partition(".")
    thing = importlib.import_module(module)
    for name in rest.split("."):
        thing = getattr(thing, name, None) or vars(thing)["__annotations__"][name]
    return inspect.signature(thing).parameters[argument] if argument else thing
