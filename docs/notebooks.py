"""The chapters as notebooks, and the MNIST demo: ``python -m docs.notebooks FOLDER [--repository URL]``.

Blocks of Python become cells, and what they are to print is their output until they are run; everything else stays
text. The notebooks need no other file: figures are in them. The first cell fetches nnscratch in Colab. From where?
From ``--repository``, or else from where this clone came.

A notebook that is there already is not overwritten, as somebody may have worked in it.
"""

import argparse
import ast
import base64
import re
import subprocess
import sys
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from docs import pages
from nnscratch.writing import replacing

ROOT = Path(__file__).parent.parent
KINDS = {".png": "image/png", ".svg": "image/svg+xml"}
LINK = re.compile(r"(?<!!)\[([^][]*(?:\[[^][]*\][^][]*)*)\]\(([^)\s]+)\)")
IMAGE = re.compile(r"(!\[[^]]*\]\(|<img [^>]*src=\")([^)\"\s]+)")
SECTION = re.compile(r"^# ---- (.+?) -+$", re.MULTILINE)

START = """\
# Figures are shown below the cell that makes them.
import sys

from matplotlib_inline.backend_inline import set_matplotlib_formats

set_matplotlib_formats("png")
"""

IN_COLAB = """
# In Colab, this fetches nnscratch. Anywhere else it does nothing.
if "google.colab" in sys.modules:
    import subprocess
    from pathlib import Path

    if not Path("nnscratch").exists():
        subprocess.run(["git", "clone", "--depth", "1", "{repository}", "nnscratch"], check=True)
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "-e", "nnscratch[demos]"], check=True)
    sys.path.insert(0, str(Path("nnscratch").resolve()))  # before Colab's own package of the name datasets
"""

NOWHERE = """
# In Colab, nnscratch has to be fetched first. Anywhere else this does nothing.
if "google.colab" in sys.modules:
    raise RuntimeError("expected to know where nnscratch is: make the notebooks with --repository URL")
"""

RUN = 'main(["--output", "runs/mnist"])'
SHOW = """\
from pathlib import Path

from IPython.display import Image, display

for path in sorted(Path("runs/mnist").rglob("*.png")):
    print(path)
    display(Image(path))"""


def chapter(page: Path, repository: str | None) -> nbformat.NotebookNode:
    """The notebook of a page."""
    cells, texts, skipped = [], [], set()
    parts = pages.parts(page.read_text(encoding="utf-8"))
    for i, part in enumerate(parts):
        if part.language == "python":
            printed, sentence = pages.output(parts, i)
            cells += [markdown(texts), code(part.text, printed)]
            texts = []
            skipped |= ({i + 1, i + 2} if sentence else {i + 1}) if printed else set()
            if sentence and not sentence.text.strip().startswith("It prints"):  # it comes after the output now
                texts = [standing_alone(sentence.text.strip().removesuffix(":") + ".", page, repository)]
        elif i not in skipped and part.language:
            texts.append(f"```{'python' if part.language == 'py' else part.language}\n{part.text}```")
        elif i not in skipped:
            texts.append(standing_alone(part.text.strip(), page, repository))
    return notebook([*cells, markdown(texts)], repository)


def standing_alone(text: str, page: Path, repository: str | None) -> str:
    """Prose with its images in it, and links that work from anywhere: to another chapter's notebook, or to the
    repository. Of a link that leads nowhere from there, the words stay."""

    def embed(match: re.Match[str]) -> str:
        if match[2].startswith("https://"):
            return match[0]
        path = page.parent / match[2]
        return f"{match[1]}data:{KINDS[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode()}"

    def redirect(match: re.Match[str]) -> str:
        words, target = match[1], match[2].partition("#")[0]
        if target.startswith("https://"):
            return match[0]
        if re.fullmatch(r"[0-9][^/]*\.md", target):
            return f"[{words}]({target.removesuffix('.md')}.ipynb)"
        if not target or repository is None:
            return words
        path = (page.parent / target).resolve().relative_to(ROOT.resolve()).as_posix()
        return f"[{words}]({repository}/blob/HEAD/{path})"

    return IMAGE.sub(embed, LINK.sub(redirect, text))


def demo(repository: str | None) -> nbformat.NotebookNode:
    """The notebook of the MNIST demo: a cell for each section of the file; then it runs, and shows what it drew."""
    source = (ROOT / "demos" / "mnist.py").read_text(encoding="utf-8")
    tree, lines = ast.parse(source), source.splitlines(keepends=True)
    (launch,) = [node for node in tree.body if isinstance(node, ast.If)]  # for those who run the file as a program
    lines[launch.lineno - 1 : launch.end_lineno] = []
    lines[: tree.body[0].end_lineno] = []
    first, *sections = SECTION.split("".join(lines))
    cells = [markdown([f"# {ast.get_docstring(tree)}"]), code(first)]
    for title, body in zip(sections[::2], sections[1::2], strict=True):
        cells += [markdown([f"## {title}"]), code(body)]
    return notebook([*cells, code(RUN), code(SHOW)], repository)


def markdown(texts: list[str]) -> nbformat.NotebookNode:
    return new_markdown_cell("\n\n".join(texts))


def code(text: str, printed: str = "") -> nbformat.NotebookNode:
    outputs = [new_output("stream", name="stdout", text=printed)] if printed else []
    return new_code_cell(text.strip(), outputs=outputs)


def notebook(cells: list[nbformat.NotebookNode], repository: str | None) -> nbformat.NotebookNode:
    """Put together; the same cells make the same file, so their ids are numbers."""
    fetch = IN_COLAB.replace("{repository}", repository) if repository else NOWHERE
    cells = [code(START + fetch), *(cell for cell in cells if cell.source)]
    for i, cell in enumerate(cells):
        cell.id = f"cell-{i}"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})


def origin() -> str | None:
    """Where this clone came from, if that is an address that others can use."""
    process = subprocess.run(
        ["git", "-C", str(ROOT), "config", "--get", "remote.origin.url"], capture_output=True, text=True
    )
    url = re.sub(r"^(?:ssh://)?git@([^:/]+)[:/]", r"https://\1/", process.stdout.strip()).removesuffix(".git")
    return url if url.startswith("https://") else None


def make(repository: str | None) -> dict[str, str]:
    """All notebooks by the names of their files."""
    made = {f"{page.stem}.ipynb": chapter(page, repository) for page in sorted((ROOT / "docs").glob("[0-9]*.md"))}
    made["mnist.ipynb"] = demo(repository)
    return {name: nbformat.writes(each) + "\n" for name, each in made.items()}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m docs.notebooks", description="Write the chapters as notebooks.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--repository", help="its address, for Colab (default: where this clone came from)")
    options = parser.parse_args()
    repository = options.repository or origin()
    kept = 0
    for name, text in make(repository and repository.rstrip("/")).items():
        path = options.folder / name
        if not path.exists():
            with replacing(path) as file:
                file.write(text.encode())
            print(f"saved {path}")
        elif path.read_text(encoding="utf-8") != text:
            kept += 1
            print(f"kept  {path}, which is not the same: delete or rename it to have it written anew")
    if repository is None:
        print("these notebooks do not work in Colab: for that, say --repository URL")
    if kept:
        sys.exit(1)


if __name__ == "__main__":
    main()
