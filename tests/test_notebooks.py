"""The notebooks: what is in them, that nothing of anybody's is overwritten, and that they run."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from datasets import mnist
from datasets.dataset import cache_dir

nbformat = pytest.importorskip("nbformat")

from docs import notebooks  # noqa: E402
from tests.test_docs import NUMBER  # noqa: E402

ROOT = Path(__file__).parent.parent
URL = "https://example.org/nnscratch"

PAGE = """\
# A chapter

With $x^2$, [the code](../nnscratch/layers.py), [the next one](02-next.md#there), [a heading](#below), [all](README.md)
and [elsewhere](https://example.org/).

![digits](figures/mistakes.png) <img src="figures/mistakes.png">

```python
print("a", 0.5)
```

It prints:

```text
a 0.5
```

```python
print(1)
```

The same `once` more, with digits that vary:

```text
1
```

## Below

[`nnscratch/layers.py`](../nnscratch/layers.py): `Dense`

```py
class Dense(Layer):
```

```sh
python -m demos.xor
```

```python
from nnscratch import plots

plots.curves({"loss": [0.9, 0.5], "accuracy": [0.5, 0.75]}, "A training")
```
"""


@pytest.fixture
def page(tmp_path, monkeypatch):
    """A chapter in a repository of its own."""
    (tmp_path / "docs" / "figures").mkdir(parents=True)
    (tmp_path / "docs" / "01-chapter.md").write_text(PAGE, encoding="utf-8")
    (tmp_path / "docs" / "figures" / "mistakes.png").write_bytes(b"png")
    (tmp_path / "demos").mkdir()
    (tmp_path / "demos" / "mnist.py").write_bytes((ROOT / "demos" / "mnist.py").read_bytes())
    monkeypatch.setattr(notebooks, "ROOT", tmp_path)
    return tmp_path / "docs" / "01-chapter.md"


def test_a_chapter_becomes_cells(page):
    book = notebooks.chapter(page, URL)
    nbformat.validate(book)
    assert [(cell.id, cell.cell_type) for cell in book.cells] == [
        ("cell-0", "code"), ("cell-1", "markdown"), ("cell-2", "code"), ("cell-3", "code"), ("cell-4", "markdown"),
        ("cell-5", "code"),
    ]  # fmt: skip
    install, text, first, second, more, last = book.cells
    assert URL in install.source
    assert f"[the code]({URL}/blob/HEAD/nnscratch/layers.py)" in text.source
    assert "[the next one](02-next.ipynb), a heading, " in text.source
    assert f"[all]({URL}/blob/HEAD/docs/README.md)\nand [elsewhere](https://example.org/)." in text.source
    assert "$x^2$" in text.source
    assert text.source.count("data:image/png;base64,cG5n") == 2
    assert (first.source, first.outputs[0].text) == ('print("a", 0.5)', "a 0.5\n")
    assert (second.source, second.outputs[0].text) == ("print(1)", "1\n")
    assert more.source.startswith("The same `once` more, with digits that vary.\n\n## Below")
    assert f"]({URL}/blob/HEAD/nnscratch/layers.py): `Dense`\n\n```python\nclass Dense(Layer):\n```\n" in more.source
    assert more.source.endswith("```sh\npython -m demos.xor\n```")
    assert last.source.endswith('"A training")')
    assert last.outputs == []
    assert "It prints" not in str(book)


def test_without_a_repository_links_to_it_are_words(page):
    text = notebooks.chapter(page, None).cells[1].source
    assert "With $x^2$, the code, [the next one](02-next.ipynb), a heading, all\nand" in text


def test_the_demo_becomes_a_cell_for_each_section():
    book = notebooks.demo(URL)
    nbformat.validate(book)
    headings = [cell.source for cell in book.cells if cell.source.startswith("## ")]
    assert headings == [
        "## 1. The data", "## 2. The models", "## 3. Which loss?", "## 4. Train, and test", "## 5. Look at it",
        "## All of it",
    ]  # fmt: skip
    assert "_launcher" not in "".join(cell.source for cell in book.cells if cell.cell_type == "code")
    source = (ROOT / "demos" / "mnist.py").read_text(encoding="utf-8")
    shown = {line for cell in book.cells for line in cell.source.splitlines()}
    left_out = {line for line in source.splitlines() if line.strip() and line not in shown}
    assert all(line.startswith(("# ----", '"""', 'if __name__ == "', "    ", "Read this")) for line in left_out)
    assert len(left_out) < 30


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["docs.notebooks", *map(str, arguments)])
    notebooks.main()


def test_what_somebody_changed_is_kept(page, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "made"
    run(monkeypatch, folder, "--repository", f"{URL}/")
    made = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert sorted(made) == ["01-chapter.ipynb", "mnist.ipynb"]
    assert f"saved {folder / 'mnist.ipynb'}\n" in capsys.readouterr().out
    run(monkeypatch, folder, "--repository", URL)  # the same again: nothing to do, nothing to say
    assert capsys.readouterr().out == ""
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == made
    (folder / "mnist.ipynb").write_text("mine", encoding="utf-8")
    (folder / "01-chapter.ipynb").unlink()
    with pytest.raises(SystemExit):
        run(monkeypatch, folder, "--repository", URL)
    assert (folder / "mnist.ipynb").read_text(encoding="utf-8") == "mine"
    assert (folder / "01-chapter.ipynb").read_bytes() == made["01-chapter.ipynb"]
    assert f"kept  {folder / 'mnist.ipynb'}, which is not the same" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("https://example.org/a/b.git", "https://example.org/a/b"),
        ("git@example.org:a/b.git", "https://example.org/a/b"),
        ("ssh://git@example.org/a/b", "https://example.org/a/b"),
        ("/home/me/nnscratch", None),
        ("", None),
    ],
)
def test_where_the_clone_came_from(remote, address, monkeypatch):
    finished = subprocess.CompletedProcess([], 0, stdout=f"{remote}\n")
    monkeypatch.setattr(notebooks.subprocess, "run", lambda *arguments, **options: finished)
    assert notebooks.origin() == address


def test_the_first_cell_fetches_in_colab_and_nowhere_else(tmp_path, monkeypatch):
    monkeypatch.setattr("matplotlib_inline.backend_inline.set_matplotlib_formats", lambda *formats: None)
    commands = []
    monkeypatch.setattr(subprocess, "run", lambda command, check: commands.append(command))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    before = list(sys.path)
    install, nowhere = (notebooks.chapter(ROOT / "docs" / "data.md", url).cells[0].source for url in (URL, None))
    for cell in (install, nowhere):
        exec(cell, {})
    assert (commands, sys.path) == ([], before)
    monkeypatch.setitem(sys.modules, "google.colab", object())
    exec(install, {})
    assert [command[:2] for command in commands] == [["git", "clone"], [sys.executable, "-m"]]
    assert commands[0][-2:] == [URL, "nnscratch"]
    assert sys.path == [str(tmp_path / "nnscratch"), *before]
    (tmp_path / "nnscratch").mkdir()
    exec(install, {})  # once more, after a restart: it is there
    assert len(commands) == 2
    with pytest.raises(RuntimeError, match="--repository URL"):
        exec(nowhere, {})


# ---- They run ----


def executed(book, folder):
    """A notebook after a run from top to bottom, as Jupyter runs it, with the checkout on the path."""
    nbclient = pytest.importorskip("nbclient")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("MPLBACKEND", None)  # Jupyter sets its own
    nbclient.NotebookClient(book, timeout=300, kernel_name="python3", resources={"metadata": {"path": folder}}).execute(
        env=environment
    )
    return book


def printed(cell):
    return "".join(output.text for output in cell.outputs if output.output_type == "stream" and output.name == "stdout")


CHAPTERS = sorted((ROOT / "docs").glob("[0-9]*.md"))


@pytest.mark.long
@pytest.mark.parametrize("page", CHAPTERS, ids=lambda page: page.stem)
def test_chapters_run_from_top_to_bottom(page, tmp_path):
    book = notebooks.chapter(page, None)
    expected = {cell.id: printed(cell) for cell in book.cells if cell.cell_type == "code"}
    if mnist.MNIST.missing(cache_dir() / "mnist"):
        book.cells[0].source += "\nfrom datasets import mnist; mnist.load_data = mnist.load_sample"
    for cell in executed(book, tmp_path).cells:
        if cell.cell_type == "code":
            assert NUMBER.sub("#", printed(cell)) == NUMBER.sub("#", expected[cell.id])


@pytest.mark.long
def test_figures_are_seen(page, tmp_path):
    book = executed(notebooks.chapter(page, URL), tmp_path)
    assert [printed(cell) for cell in book.cells if cell.cell_type == "code"] == ["", "a 0.5\n", "1\n", ""]
    assert "image/png" in json.dumps(book.cells[-1].outputs)
    assert not [output for cell in book.cells for output in cell.get("outputs", []) if output.get("name") == "stderr"]


@pytest.mark.long
def test_the_demo_runs(tmp_path):
    book = notebooks.demo(URL)
    book.cells[-2].source = 'main(["--output", "runs/mnist", "--sample", "--model", "one-layer", "--epochs", "1"])'
    book = executed(book, tmp_path)
    assert re.search(r"^one-layer +7,850 +1 +0\.\d+", printed(book.cells[-2]), re.MULTILINE)
    shown = [output for output in book.cells[-1].outputs if "image/png" in output.get("data", {})]
    assert len(shown) == 6
