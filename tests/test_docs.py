"""What the documentation says is true: its Python runs and prints what stands below it, its links lead somewhere, and
every name in backticks is the name of something."""

import re
from pathlib import Path

import pytest

from datasets import mnist
from datasets.dataset import cache_dir
from docs import pages
from tests import names

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
NUMBER = re.compile(r"\d+(?:\.\d+)?e[-+]?\d+|\d+\.\d+")
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def read(page):
    return page.read_text(encoding="utf-8")


# ---- Blocks of Python ----


@each_page
def test_blocks_run_and_print_what_they_say(page, capsys, monkeypatch, tmp_path):
    full = not mnist.MNIST.missing(cache_dir() / "mnist")
    if not full:
        monkeypatch.setattr(mnist, "load_data", mnist.load_sample)
    monkeypatch.chdir(tmp_path)
    run(page.name, read(page), capsys, full)


def run(name, text, capsys, full=True):
    """Execute a page, in one namespace, and compare what it prints. Where the full MNIST is not there, numbers are not
    compared after the page has loaded it: the sample has others."""
    namespace, on_sample, parts = {"__name__": name}, False, pages.parts(text)
    for i, part in enumerate(parts):
        if part.language == "python":
            on_sample |= not full and "load_data" in part.text
            exec(compile(part.text, name, "exec"), namespace)
            expected, sentence = pages.output(parts, i)
            printed = capsys.readouterr().out
            varies = sentence is not None and " vary" in sentence.text
            wrong = difference(expected, printed, varies, compared=not on_sample)
            assert not wrong, f"{name}: {wrong}, by the block that begins with {part.text.splitlines()[0]!r}"


def difference(expected, printed, varies, compared):
    """How what is printed differs from what is expected, in words; "" where it does not.

    The last digit of a number may be one off, as other machines round differently. Training amplifies that: where the
    page says that digits vary, accuracies and losses may differ in the third.
    """
    if NUMBER.sub("#", printed) != NUMBER.sub("#", expected):
        return f"expected {expected!r} to be printed, got {printed!r}"
    for said, was in zip(NUMBER.findall(expected), NUMBER.findall(printed), strict=True):
        digits, _, exponent = said.partition("e")
        unit = 10.0 ** (int(exponent or 0) - len(digits.partition(".")[2]))
        allowed = 1.5 * unit
        if varies:
            allowed = max(allowed, 0.5 * float(said) if exponent else max(0.01, 0.001 * float(said)))
        if compared and abs(float(was) - float(said)) > allowed:
            return f"expected {said} to be printed, got {was}"
    return ""


@each_page
def test_a_block_of_output_stands_below_what_prints_it(page):
    """Otherwise nothing would compare it. Below a block of commands it is for the reader to compare."""
    parts = pages.parts(read(page))
    outputs = {pages.output(parts, i)[0] for i, part in enumerate(parts) if part.language == "python"}
    for before, part in zip([None, *parts], parts, strict=False):
        if part.language == "text" and part.text not in outputs:
            assert before is not None, f"{page.name}: {part.text}"
            assert before.language == "sh" or before.text.rstrip().endswith(":"), f"{page.name}: {part.text}"


@each_page
def test_blocks_say_what_they_are(page):
    """python: is executed; py: is quoted; text: is printed; sh, powershell: commands, one on each line."""
    for part in pages.parts(read(page)):
        assert part.language in ("", "python", "py", "text", "sh", "powershell"), f"{page.name}: {part.language}"


def test_the_runner_sees_what_is_wrong(capsys):
    page = "```python\nprint('a', 0.1234, 2e-09)\n```\n\n{}```text\n{}\n```\n"
    run("page", page.format("", "a 0.1234 2e-09"), capsys)
    run("page", page.format("", "a 0.1235 3e-09"), capsys)  # one off
    run("page", page.format("It prints, with digits that vary:\n\n", "a 0.13 3e-09"), capsys)
    run("page", "```py\n1 / 0\n```\n", capsys)
    for text, message in (
        (page.format("", "a 0.1236 2e-09"), "expected 0.1236 to be printed, got 0.1234"),
        (page.format("", "a 0.1234 4e-09"), "expected 4e-09 to be printed, got 2e-09"),
        (page.format("It prints, with digits that vary:\n\n", "a 0.15 2e-09"), "expected 0.15"),
        (page.format("It prints, with digits that vary:\n\n", "a 0.12 2e-08"), "expected 2e-08"),
        (page.format("It prints:\n\n", "b 0.1234 2e-09"), "expected 'b 0.1234 2e-09\\n' to be printed, got 'a 0.12"),
        ("```python\nprint(1)\n```\n\nNo output is shown.\n", "expected '' to be printed, got '1\\n'"),
    ):
        with pytest.raises(AssertionError, match=re.escape(message)):
            run("page", text, capsys)
    sample = "```python\nload_data = print\n```\n\n```python\nprint(0.5)\n```\n\n```text\n{}\n```\n"
    run("page", sample.format("0.7"), capsys, full=False)
    for text, full in (("0.7", True), ("x", False)):
        with pytest.raises(AssertionError, match="expected"):
            run("page", sample.format(text), capsys, full)


# ---- Links ----


def prose(text):
    """A page without its blocks of code, and with code in backticks left empty."""
    return re.sub(r"(`+)[^`]+\1", "``", "\n".join(part.text for part in pages.parts(text) if not part.language))


def links(text):
    text = prose(text)
    found = re.findall(r"\]\(<?([^)\s>]+)", text) + re.findall(r"^\[[^]]+\]: (\S+)", text, re.MULTILINE)
    return found + re.findall(r"\b(?:src|srcset|href)=\"([^\"]+)\"", text)


def anchors(text):
    """The anchors that GitHub gives to headings: lower case, hyphens for spaces, other signs dropped."""
    found = re.findall(r"<a (?:id|name)=\"([^\"]+)\"", text)
    for part in pages.parts(text):
        for heading in re.findall(r"^#+ +(.*)$", part.text, re.MULTILINE) if not part.language else []:
            words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
            slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
            found.append(slug + (f"-{found.count(slug)}" if slug in found else ""))
    return found


def broken(page, root):
    """The links of a page that lead nowhere."""
    for link in links(read(page)):
        target, _, anchor = link.partition("#")
        path = page.parent / target if target else page
        if target.startswith(("https://", "mailto:")):
            continue
        if not (path.exists() and path.resolve().is_relative_to(root)):
            yield f"{page.name}: {link}: there is no such file"
        elif anchor and path.suffix == ".md" and anchor not in anchors(read(path)):
            yield f"{page.name}: {link}: there is no such heading"


@pytest.mark.parametrize("page", [*PAGES, ROOT / "datasets" / "sample" / "README.md"])
def test_links_lead_somewhere(page):
    assert list(broken(page, ROOT)) == []


def test_broken_links_are_found(tmp_path):
    text = """\
# A *first* `net_work`, x > 0?

## Twice

## Twice

[a](#a-first-net_work-x--0) [b](other.md#twice-1) [c](https://example.org/#x) `[code](nowhere.md)` ![d](p.png "P")
<img src="q.png">
[e]: r.md

```text
# No heading: [f](nowhere.md)
```
"""
    page = tmp_path / "page.md"
    (tmp_path / "other.md").write_text(text, encoding="utf-8")
    for name in ("p.png", "q.png", "r.md"):
        (tmp_path / name).write_bytes(b"")
    page.write_text(text, encoding="utf-8")
    assert list(broken(page, tmp_path)) == []
    wrong = [
        "[x](#twice-2)",
        "[x](other.md#no-heading-f)",
        "[x](s.md)",
        '<img src="s.png">',
        "![x](s.png)",
        "[x](/etc)",
    ]
    wrong.append("[x](/etc)")
    page.write_text("\n\n".join(wrong), encoding="utf-8")
    assert len(list(broken(page, tmp_path))) == len(wrong)


# ---- Names ----


@each_page
def test_names_in_backticks_are_the_names_of_something(page):
    assert names.unknown(page, read(page)) == []


RIGHT = """`Dense` `Dense.backward` `Dense.W` `Adam.step_as_it_reads` `layers.Dense` `nnscratch.layers` `check_layer()`
`Dense(4, 3, rng=0)` `model.theta -= 0.1 * model.grad` `.grad` `learning_rate` `np.sqrt` `len(x) < 3` `rng` `float32`
`nnscratch/layers.py` `layers.py` `docs/` `demos` `../tests/field` `docs/figures/NAME.png` `runs/mnist/two-hidden/`
`python -m demos.mnist --seed 0` `python -m pytest -q` `pip install -e .` `--check` `MyLayer(2)` `Scale` `xor`
`zero_grad` `torch.nn.Linear` `Content-Encoding: gzip` `"W"`"""
WRONG = """`Dens` `Dense.backwards` `Dense.V` `Adam.steps_as_it_reads` `layers.Dens` `nnscratch.layer` `check_layers()`
`Dense(4, n_outs=3)` `model.thetta -= 1` `.grads` `learnig_rate` `np.squareroot` `lenn(x) < 3` `rgn` `float33`
`nnscratch/layer.py` `layer.py` `dogs/` `demoes` `../tests/fields` `docs/figures/NAME.jpeg` `runs/mnist/too-hidden/`
`python -m demos.costs` `python -m demos.mnist --sed 0` `python -m demos.mnst` `--chek` `HisLayer(2)` `Scales` `xorr`
`zero_grads` `Content-Encoding: bzip` `a -> b`"""


def test_names_of_nothing_are_found():
    block = "```python\nclass Scale: pass\n```\n"
    page = ROOT / "docs" / "page.md"
    assert names.unknown(page, block + RIGHT) == []
    assert len(names.unknown(page, block + WRONG)) == WRONG.count("`") / 2


@pytest.mark.parametrize("library", ["keras", "torch"])
def test_names_of_other_libraries_exist_there(library):
    pytest.importorskip(library)
    wanted = [*names.ELSEWHERE.values(), *(where for page in PAGES for where in names.elsewhere(read(page)))]
    for where in wanted:
        assert not where.startswith(f"{library}.") or names.find(where) is not None


# ---- The README ----


def test_the_map_of_the_code_names_every_module():
    course = read(ROOT / "docs" / "README.md")
    for path in (ROOT / "nnscratch").glob("*.py"):
        assert path.name in course
    for path in (ROOT / "demos").iterdir():
        assert path.stem in course or path.name.startswith("_") or path.stem == "support"


def test_the_readme_keeps_its_promise_of_twenty_lines():
    code = next(part.text for part in pages.parts(read(ROOT / "README.md")) if part.language == "python")
    assert len([line for line in code.splitlines() if line]) <= 20


def test_the_readme_shows_the_loop():
    quotations = [part.text for part in pages.parts(read(ROOT / "README.md")) if part.language == "py"]
    assert any(text.startswith("for x, y in batches:") for text in quotations)
