"""Every figure of the docs is what its script draws, today."""

import inspect
import io
import re

import matplotlib
import matplotlib.image
import numpy as np
import pytest
from matplotlib.figure import Figure

import docs.figures
from datasets import mnist
from datasets.dataset import cache_dir
from docs.figures import __main__ as figures

NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
BLOCK = 8  # pixels


DRAWN = [
    pytest.param(name, marks=pytest.mark.long) if figures.slow(name) else name
    for name in figures.names()
    if figures.slow(name) != "minutes"
]


@pytest.mark.parametrize("name", DRAWN)
def test_a_figure_is_what_its_script_draws(name):
    if "load_data" in inspect.getsource(figures.script(name)) and mnist.MNIST.missing(cache_dir() / "mnist"):
        pytest.skip("the full MNIST is not there")
    varies, once = figures.varies(name), drawn(name)
    if varies and not figures.slow(name):
        assert once == drawn(name), f"{name} is not even the same here each time"
    problem = difference(figures.picture(name).read_bytes(), once, varies)
    assert not problem, f"{figures.picture(name).name}: {problem}: run python -m docs.figures {name}"


def test_every_picture_has_its_script():
    pictures = {path.name for path in figures.FOLDER.iterdir() if path.suffix in (".png", ".svg", ".jpg", ".gif")}
    assert pictures == {figures.picture(name).name for name in figures.names()}


def drawn(name):
    file = io.BytesIO()
    figures.draw(name, file)
    return file.getvalue()


def difference(kept, new, varies=False):
    """How two pictures differ for the eye, in words; "" if they do not. Other machines round differently, and other
    versions of matplotlib set type differently: so pixels are compared as means over blocks. What varies from machine
    to machine only has to look alike."""
    if kept == new:
        return ""
    if not kept.startswith(b"\x89PNG"):
        texts = [data.decode() for data in (kept, new)]
        if varies or f"Matplotlib v{matplotlib.__version__}," not in texts[0]:
            words = [re.findall("<!-- (.*?) -->", text) for text in texts]
            return "" if words[0] == words[1] else "it has other words"
        if NUMBER.sub("#", texts[0]) != NUMBER.sub("#", texts[1]):
            return "it has other parts"
        ours, theirs = (np.array(NUMBER.findall(text), float) for text in texts)
        far = float(abs(ours - theirs).max())
        return f"something lies {far:.1f} points off" if far > 2 else ""
    ours, theirs = (matplotlib.image.imread(io.BytesIO(data))[..., :3] for data in (kept, new))
    if ours.shape != theirs.shape:
        return f"it has {ours.shape[:2]} pixels, and now {theirs.shape[:2]}"
    change, ink = abs(means(ours) - means(theirs)), 1 - means(ours)
    if not varies and f"version{matplotlib.__version__},".encode() in kept:
        return f"a part of it differs by {change.max():.0%}" if change.max() > 0.1 else ""
    # Between matplotlib 3.9 and 3.11, type alone comes to a third where there is much of it; other digits to 0.6.
    share = change.sum() / ink.sum()
    return f"{share:.0%} of it is new" if share > (0.7 if varies else 0.4) else ""


def means(pixels):
    height, width = (size // BLOCK for size in pixels.shape[:2])
    pixels = pixels[: height * BLOCK, : width * BLOCK]
    return pixels.reshape(height, BLOCK, width, BLOCK, -1).mean(axis=(1, 3))


# ---- The machinery ----

SCRIPT = """
from matplotlib.figure import Figure

FORMAT = "{kind}"

def draw():
    figure = Figure(figsize=(5, 3))
    figure.subplots().plot([1.0, 2.0, 1.5, {last}])
    return figure
"""


@pytest.fixture
def example(tmp_path, monkeypatch):
    """``example("png", 3.0)`` makes a script that draws a curve ending at 3."""

    def make(kind, last):
        (tmp_path / "example.py").write_text(SCRIPT.format(kind=kind, last=last), encoding="utf-8")
        monkeypatch.delitem(figures.sys.modules, "docs.figures.example", raising=False)
        figures.importlib.invalidate_caches()

    monkeypatch.setattr(figures, "FOLDER", tmp_path)
    monkeypatch.setattr(docs.figures, "__path__", [str(tmp_path)])
    monkeypatch.setattr(figures.sys, "dont_write_bytecode", True)
    yield make
    figures.sys.modules.pop("docs.figures.example", None)


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_the_command_draws_and_a_change_is_seen(kind, example, tmp_path, monkeypatch, capsys):
    example(kind, 3.0)
    monkeypatch.setattr("sys.argv", ["docs.figures", "example"])
    figures.main()
    kept = (tmp_path / f"example.{kind}").read_bytes()
    assert capsys.readouterr().out == f"saved {tmp_path / f'example.{kind}'}\n"
    assert drawn("example") == kept
    with matplotlib.rc_context({"lines.linewidth": 9, "figure.dpi": 30}):
        assert drawn("example") == kept  # a user's own settings change nothing
    example(kind, 3.0001)
    assert difference(kept, drawn("example")) == ""
    example(kind, 2.8)
    assert kind == "svg" or difference(kept, drawn("example"), varies=True) == ""
    assert re.search("a part of it differs by|points off|other parts", difference(kept, drawn("example")))


def test_another_version_of_matplotlib_is_forgiven_its_type_and_nothing_else(example, monkeypatch):
    empty = io.BytesIO()
    Figure(figsize=(5, 3)).savefig(empty, dpi=figures.DPI)
    example("png", 3.0)
    pixels = drawn("example")
    example("svg", 3.0)
    shapes = drawn("example")
    monkeypatch.setattr(matplotlib, "__version__", "another")
    assert difference(pixels + b"\0", pixels) == ""
    assert "of it is new" in difference(pixels, empty.getvalue())
    assert difference(shapes, shapes.replace(b"<defs>", b"<defs><g/>")) == ""
    assert difference(shapes, shapes.replace(b"<!-- 3.0 -->", b"<!-- 3.1 -->")) == "it has other words"


def test_a_figure_that_is_not_there_is_named(example, monkeypatch):
    example("png", 3.0)
    monkeypatch.setattr("sys.argv", ["docs.figures", "exmple"])
    with pytest.raises(SystemExit, match="expected figures out of example, got exmple"):
        figures.main()
