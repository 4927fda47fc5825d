"""Every block of Python in the documentation runs, and prints what the text behind it says."""

import re
import textwrap
from pathlib import Path

import pytest

from datasets import mnist
from datasets.dataset import cache_dir

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```(?:\s*(?:It prints[^\n]*:\s*)?```text\n(.*?)^```)?", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"\d+\.\d+(?:e-?\d+)?")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_blocks_run_and_print_what_they_say(page, capsys, monkeypatch):
    full = not mnist.MNIST.missing(cache_dir() / "mnist")
    if not full:
        monkeypatch.setattr(mnist, "load_data", mnist.load_sample)
    namespace = {"__name__": page.stem}
    for code, expected in BLOCK.findall(page.read_text(encoding="utf-8")):
        exec(compile(code, str(page), "exec"), namespace)
        printed = capsys.readouterr().out
        if not expected or ("mnist" in code and not full):
            continue
        assert NUMBER.sub("#", printed) == NUMBER.sub("#", expected)
        for said, was in zip(NUMBER.findall(expected), NUMBER.findall(printed), strict=True):
            # Other machines round differently, and training amplifies it: accuracies may differ in the third digit.
            assert float(was) == pytest.approx(float(said), abs=0.01, rel=0.001)


@pytest.mark.parametrize("page", [*PAGES, ROOT / "datasets" / "sample" / "README.md"], ids=str)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        assert target.startswith("https://") or (page.parent / target).exists(), target


def test_the_readme_names_every_module():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for path in (ROOT / "nnscratch").glob("*.py"):
        assert path.name in readme
    for path in (ROOT / "demos").iterdir():
        assert path.stem in readme or path.name.startswith("_") or path.stem == "support"


def test_the_readme_quotes_the_source_word_by_word():
    source = (ROOT / "nnscratch" / "training.py").read_text(encoding="utf-8")
    quotes = re.findall(
        r"^```py\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    assert len(quotes) == 2
    for quote in quotes:
        assert any(textwrap.indent(quote, indent) in source for indent in ("", " " * 8))
    assert quotes[0].startswith("def train_epoch(")
    assert "result = train_epoch(" in quotes[1]


def test_the_readme_keeps_its_promise_of_twenty_lines():
    code = BLOCK.search((ROOT / "README.md").read_text(encoding="utf-8")).group(1)
    assert len([line for line in code.splitlines() if line]) <= 20
