"""The book is the code: the chapters show every line of the lesson, once, as it is."""

import shutil

import numpy as np
import pytest

from docs import book
from tests.test_project import LESSON, ROOT

ADVICE = "run python -m docs.book"


def differences(path, root):
    """What the chapters show otherwise than the file has it. Their pieces are laid end to end: this is another way
    than that of docs/book.py, which cuts."""
    pieces = book.pieces(book.chapters(root))
    found = [piece for piece in pieces if piece.path == path]
    if "head" not in [piece.name for piece in found]:
        return [f"{path}: expected its `head` in one of the chapters, got {len(found)} other pieces"]
    wanted = book.sources(pieces, path, root)
    wrong = [f"{piece} differs: {ADVICE}" for piece in found if piece.code != wanted[piece.name]]
    if wrong:
        return wrong
    rest = (root / path).read_text(encoding="utf-8")
    while found and (fitting := [piece for piece in found if rest.startswith(piece.code)]):
        longest = max(fitting, key=lambda piece: len(piece.code))
        rest = rest[len(longest.code) :].lstrip("\n")
        found.remove(longest)
    missing = [f"{path}: no chapter shows what begins with {rest.splitlines()[0]!r}"] if rest else []
    return missing + [f"{piece} is shown twice, or out of place" for piece in found]


@pytest.mark.parametrize("module", LESSON)
def test_the_chapters_show_the_lesson_line_by_line(module):
    assert differences(f"nnscratch/{module}.py", ROOT) == []


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda page: page.name
)
def test_quotations_are_up_to_date(page):
    assert book.refreshed(page) == page.read_text(encoding="utf-8"), ADVICE


# ---- The machinery, on a small book ----

SOURCE = '''"""A file."""

import math

# Half of it.
HALF, QUARTER = 0.5, 0.25


# Above the decorator,
# on two lines.
@staticmethod
def f():
    return HALF


class A:
    """A class."""

    size: int = 1

    def forward(self):
        return 1

    @property
    def y(self):
        return 2

    @y.setter
    def y(self, new):
        pass

    def backward(self):
        return 3


def last():
    pass
'''


def piece(name, code="", path="nnscratch/a.py"):
    return f"[`{path}`](../{path}): `{name}`\n\n```py\n{code}```\n"


@pytest.fixture
def root(tmp_path):
    """A repository with one file and a book of two chapters, whose pieces are still empty."""
    for folder in ("docs", "nnscratch"):
        (tmp_path / folder).mkdir()
    (tmp_path / "nnscratch" / "a.py").write_text(SOURCE, encoding="utf-8")
    (tmp_path / "README.md").write_text("```py\ndef last():\n```\n\n```py\n    return HALF\n```\n", encoding="utf-8")
    one = ["# One\n", piece("A"), "Later more.\n", piece("last"), "```py\nnot_ours()\n```\n", piece("head")]
    two = ["# Two\n", piece("A.backward"), piece("A.y"), piece("f"), piece("HALF")]
    (tmp_path / "docs" / "01-one.md").write_text("\n".join(one), encoding="utf-8")
    (tmp_path / "docs" / "02-two.md").write_text("\n".join(two), encoding="utf-8")
    return tmp_path


def shown(root):
    return {piece.name: piece.code for piece in book.pieces(book.chapters(root))}


def test_each_piece_reaches_to_where_the_next_one_begins_in_whichever_chapter(root, capsys):
    book.main(root)
    assert shown(root) == {
        "head": '"""A file."""\n\nimport math\n',
        "HALF": "# Half of it.\nHALF, QUARTER = 0.5, 0.25\n",
        "f": "# Above the decorator,\n# on two lines.\n@staticmethod\ndef f():\n    return HALF\n",
        "A": 'class A:\n    """A class."""\n\n    size: int = 1\n\n    def forward(self):\n        return 1\n',
        "A.y": "    @property\n    def y(self):\n        return 2\n\n"
        "    @y.setter\n    def y(self, new):\n        pass\n",
        "A.backward": "    def backward(self):\n        return 3\n",
        "last": "def last():\n    pass\n",
    }
    text = (root / "docs" / "01-one.md").read_text(encoding="utf-8")
    assert "# One\n" in text
    assert "\nLater more.\n" in text
    assert "```py\nnot_ours()\n```\n" in text  # not a piece: left alone
    assert differences("nnscratch/a.py", root) == []
    assert capsys.readouterr().out.splitlines() == [
        "README.md: brought up to date", "docs/01-one.md: brought up to date", "docs/02-two.md: brought up to date",
        "3 pages, 7 pieces, 3 pages changed",
    ]  # fmt: skip
    book.main(root)
    assert capsys.readouterr().out == "3 pages, 7 pieces, 0 pages changed\n"


def test_the_readme_quotes_the_statement_that_begins_with_its_line(root, capsys):
    book.main(root)
    text = (root / "README.md").read_text(encoding="utf-8")
    assert (
        text == "```py\ndef last():\n    pass\n```\n\n```py\nreturn HALF\n```\n"
    )  # the second without its indentation
    for line, count in (("def sideways():", 0), ("pass", 2)):
        (root / "README.md").write_text(f"```py\n{line}\n```\n", encoding="utf-8")
        with pytest.raises(SystemExit, match=f"one statement .* that begins with this line, got {count}: {line[:4]}"):
            book.main(root)


def test_a_page_that_does_not_show_the_head_shows_symbols_alone(root):
    (root / "docs" / "more.md").write_text(piece("A.forward") + "\n" + piece("HALF"), encoding="utf-8")
    book.main(root)
    found = {piece.name: piece.code for piece in book.pieces([root / "docs" / "more.md"])}
    assert found == {
        "A.forward": "    def forward(self):\n        return 1\n",
        "HALF": "# Half of it.\nHALF, QUARTER = 0.5, 0.25\n",
    }


def change(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_what_differs_is_named(root):
    book.main(root)
    source, one, two = root / "nnscratch" / "a.py", root / "docs" / "01-one.md", root / "docs" / "02-two.md"
    change(source, "return 3", "return 4")
    assert differences("nnscratch/a.py", root) == [
        "02-two.md: the piece `A.backward` of nnscratch/a.py differs: run python -m docs.book"
    ]
    change(two, "return 3", "return 4")
    assert differences("nnscratch/a.py", root) == []
    change(one, "    pass\n", "    pass\n\n")  # a blank line too many
    assert differences("nnscratch/a.py", root) == [f"01-one.md: the piece `last` of nnscratch/a.py differs: {ADVICE}"]


def test_what_is_missing_or_comes_twice_is_named(root):
    book.main(root)
    one, two = root / "docs" / "01-one.md", root / "docs" / "02-two.md"
    head = piece("head", shown(root)["head"])
    change(one, head, "")
    assert differences("nnscratch/a.py", root) == [
        "nnscratch/a.py: expected its `head` in one of the chapters, got 6 other pieces"
    ]
    change(one, "Later more.", head)
    change(two, "# Two\n", "# Two\n\n" + piece("A"))
    with pytest.raises(
        ValueError, match=r"each piece once, got 02-two.md: the piece `A` .* which is in 01-one.md, too"
    ):
        differences("nnscratch/a.py", root)


def test_the_differences_do_not_depend_on_how_the_book_cuts(root, monkeypatch):
    """The pieces laid end to end have to be the file, whatever docs/book.py thinks that they should be."""
    book.main(root)
    pieces = book.pieces(book.chapters(root))
    for lost in pieces:
        monkeypatch.setattr(book, "pieces", lambda pages, lost=lost: [each for each in pieces if each is not lost])
        monkeypatch.setattr(book, "sources", lambda shown, path, root: {each.name: each.code for each in pieces})
        assert differences("nnscratch/a.py", root)
    monkeypatch.setattr(book, "pieces", lambda pages: [*pieces, pieces[0]])
    assert differences("nnscratch/a.py", root) == [f"{pieces[0]} is shown twice, or out of place"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            piece("A.sideways"),
            "expected a symbol of nnscratch/a.py, got `A.sideways`: it has HALF, QUARTER, f, A",
        ),
        (piece("head", path="nnscratch/z.py"), "expected a file of this repository, got 03-three.md: the piece"),
        (
            "[`nnscratch/a.py`](../nnscratch/a.py): `f`\n```py\n```\n",
            "03-three.md: expected below `f` of nns",
        ),
    ],
)
def test_wrong_captions_change_no_page(root, text, message):
    (root / "docs" / "03-three.md").write_text(text, encoding="utf-8")
    before = {path: path.read_bytes() for path in root.rglob("*.md")}
    with pytest.raises(SystemExit, match=message):
        book.main(root)
    assert {path: path.read_bytes() for path in root.rglob("*.md")} == before


def test_the_lesson_can_be_cut_anywhere_and_put_together(tmp_path, rng, capsys):
    """All symbols and methods of all nine files, in chapters that were drawn by lot."""
    shutil.copytree(ROOT / "nnscratch", tmp_path / "nnscratch", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "docs").mkdir()
    shutil.copy(ROOT / "README.md", tmp_path)
    pages = {f"0{i}-chapter.md": [f"# Chapter {i}\n"] for i in range(1, 6)}
    captions = []
    for module in LESSON:
        path = f"nnscratch/{module}.py"
        symbols = book.extents((ROOT / path).read_text(encoding="utf-8"))
        starts = {extent[0]: name for name, extent in symbols.items()}  # one name for each line
        captions += [
            piece(name, path=path) for name in ["head", *starts.values()] if name == "head" or rng.random() < 0.7
        ]
    assert len(captions) > 70
    for caption in rng.permutation(np.array(captions)):
        pages[f"0{rng.integers(1, 6)}-chapter.md"].append(str(caption))
    for name, parts in pages.items():
        (tmp_path / "docs" / name).write_text("\n".join(parts), encoding="utf-8")
    book.main(tmp_path)
    assert "README.md" not in capsys.readouterr().out
    for module in LESSON:
        assert differences(f"nnscratch/{module}.py", tmp_path) == []
