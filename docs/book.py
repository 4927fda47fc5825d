"""The book is the code: the pages quote the source, and this brings every quotation up to date.

    python -m docs.book

**A piece** is a caption and the block of ``py`` below it:

    [`nnscratch/layers.py`](../nnscratch/layers.py): `Dense`

    ```py
    class Dense(Layer):
        ...
    ```

After the colon stands a function, a class or a constant, a method (``Dense.backward``), or ``head``: what comes before
everything else. Decorators and comments directly above a symbol belong to it.

The chapters show a file whole if they show its head. Each piece then reaches to where the next one begins, in whichever
chapter that may be: so a class can be shown without the method that a later chapter derives. In all other cases a piece
is its symbol alone. A new piece can be empty: this fills it.

In the README, a ``py`` block without a caption is the one statement in nnscratch that begins with its line.
"""

import ast
import re
import sys
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from nnscratch.writing import replacing

ROOT = Path(__file__).parent.parent
CAPTION = r"\[`(?P<path>[\w./]+\.py)`\]\((?:\.\./)?(?P=path)\): `(?P<name>[\w.]+)`"
PIECE = re.compile(rf"^(?P<caption>{CAPTION})\n\n```py\n(?P<code>(?:.*\n)*?)```$", re.MULTILINE)
QUOTATION = re.compile(r"^```py\n((?:.*\n)*?)```$", re.MULTILINE)


class Piece(NamedTuple):
    page: Path
    path: str  # of the file, from the root of the repository
    name: str
    code: str  # as the page has it

    def __str__(self) -> str:
        return f"{self.page.name}: the piece `{self.name}` of {self.path}"


def chapters(root: Path = ROOT) -> list[Path]:
    return sorted((root / "docs").glob("[0-9]*.md"))


def pieces(pages: Iterable[Path]) -> list[Piece]:
    """All pieces of these pages, as they stand there. Errors: ValueError for a caption without its block."""
    found = []
    for page in pages:
        text = page.read_text(encoding="utf-8")
        whole = {match.start(): match for match in PIECE.finditer(text)}
        for caption in re.finditer(f"^{CAPTION}", text, re.MULTILINE):
            if caption.start() not in whole:
                raise ValueError(
                    f"{page.name}: expected below `{caption['name']}` of {caption['path']} an empty line and a block "
                    "of py: ```py and ``` are enough, python -m docs.book fills them"
                )
        found += [Piece(page, match["path"], match["name"], match["code"]) for match in whole.values()]
    return found


def sources(shown: Iterable[Piece], path: str, root: Path = ROOT) -> dict[str, str]:
    """What the chapters' pieces of one file should say, by name. Errors: ValueError for a piece that comes twice."""
    of_file = [piece for piece in shown if piece.path == path]
    for i, piece in enumerate(of_file):
        for earlier in of_file[:i]:
            if piece.name == earlier.name:
                raise ValueError(f"expected each piece once, got {piece}, which is in {earlier.page.name}, too")
    if not (root / path).is_file():
        raise ValueError(f"expected a file of this repository, got {of_file[0]}")
    return cut((root / path).read_text(encoding="utf-8"), [piece.name for piece in of_file], path)


def cut(source: str, names: Iterable[str], path: str) -> dict[str, str]:
    """The text of each piece of a file. Errors: ValueError for a name that is not in it."""
    lines, symbols = source.splitlines(keepends=True), extents(source)
    names = list(names)
    for name in names:
        if name != "head" and name not in symbols:
            raise ValueError(f"expected a symbol of {path}, got `{name}`: it has {', '.join(symbols)}")
    if "head" not in names:
        return {name: "".join(lines[slice(*symbols[name])]) for name in names}
    starts = sorted((0 if name == "head" else symbols[name][0], name) for name in names)
    ends = [start for start, _ in starts[1:]] + [len(lines)]
    return {
        name: "".join(lines[start:end]).rstrip("\n") + "\n" for (start, name), end in zip(starts, ends, strict=True)
    }


def extents(source: str) -> dict[str, tuple[int, int]]:
    """For each symbol its first line, counted from 0, and the line after its last one."""
    lines, found = source.splitlines(), {}

    def look_at(body: Iterable[ast.stmt], prefix: str) -> None:
        for node in body:
            start = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))]) - 1
            while start and lines[start - 1].strip().startswith("#"):
                start -= 1
            for name in names_of(node):
                found.setdefault(prefix + name, (start, node.end_lineno or node.lineno))
            if isinstance(node, ast.ClassDef):
                look_at(node.body, f"{prefix}{node.name}.")

    look_at(ast.parse(source).body, "")
    return found


def names_of(node: ast.stmt) -> list[str]:
    """What a statement defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [each.id for target in targets if target for each in ast.walk(target) if isinstance(each, ast.Name)]


def statement(first: str, files: Iterable[Path]) -> str:
    """The one statement in these files that begins with a given line. Errors: ValueError unless it is exactly one."""
    found = []
    for path in files:
        source = path.read_text(encoding="utf-8")
        lines = source.splitlines(keepends=True)
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.stmt) and lines[node.lineno - 1].strip() == first.strip():
                found.append(textwrap.dedent("".join(lines[node.lineno - 1 : node.end_lineno])))
    if len(found) != 1:
        raise ValueError(
            f"expected one statement of the framework that begins with this line, got {len(found)}: {first}"
        )
    return found[0]


def refreshed(page: Path, root: Path = ROOT) -> str:
    """The text of a page, its quotations up to date. Errors: ValueError for what is not in the source."""
    text = page.read_text(encoding="utf-8")
    shown = pieces(chapters(root) if page in chapters(root) else [page])

    def fill(match: re.Match[str]) -> str:
        return f"{match['caption']}\n\n```py\n{sources(shown, match['path'], root)[match['name']]}```"

    text = PIECE.sub(fill, text)
    if page != root / "README.md":
        return text
    files, captioned = (
        sorted((root / "nnscratch").rglob("*.py")),
        {piece.start("code") for piece in PIECE.finditer(text)},
    )

    def quote(match: re.Match[str]) -> str:
        if match.start(1) in captioned:
            return match[0]
        return f"```py\n{statement(match[1].splitlines()[0], files)}```"

    return QUOTATION.sub(quote, text)


def main(root: Path = ROOT) -> None:
    """Bring all pages up to date, and say which were not."""
    pages = [root / "README.md", *sorted((root / "docs").glob("*.md"))]
    try:
        texts = {page: refreshed(page, root) for page in pages}  # all of them, before any is written
    except ValueError as error:
        sys.exit(f"error: {error}")
    changed = [page for page in pages if texts[page] != page.read_text(encoding="utf-8")]
    for page in changed:
        with replacing(page) as file:
            file.write(texts[page].encode())
        print(f"{page.relative_to(root)}: brought up to date")
    print(f"{len(pages)} pages, {len(pieces(pages[1:]))} pieces, {len(changed)} pages changed")


if __name__ == "__main__":
    main()
