"""The site: ``sphinx-build -W docs build/site``, with the extra ``docs`` installed.

The pages are those that GitHub shows. What they need here and cannot say there is added while they are read: a table of
contents, and for links to the source, pages that show it. Formulas become MathML, which browsers draw by themselves:
nothing is loaded from anywhere else.
"""

import html
import importlib
import inspect
import re
import shutil
import sys
from operator import attrgetter
from pathlib import Path

from docutils import nodes
from latex2mathml.converter import convert
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import TextLexer, get_lexer_for_filename
from pygments.util import ClassNotFound
from sphinx.util import logging

FOLDER = Path(__file__).parent
ROOT = FOLDER.parent
sys.path.insert(0, str(ROOT))

project = "nnscratch"
author = "the authors of nnscratch"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.linkcode"]
root_doc = "README"
exclude_patterns = ["figures"]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 6  # GitHub's anchors
myst_url_schemes = {"https": None, "mailto": None, "source": "source/{{path}}.html"}

add_module_names = False
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "none"  # NumPy's types are long; what an argument is, the docstring says

html_theme = "furo"
html_title = "nnscratch"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sphinx = html_show_copyright = html_copy_source = html_show_sourcelink = False
html_math_renderer = "mathml"
pygments_style = "friendly"
pygments_dark_style = "github-dark"

MORE = ["workshop", "cookbook", "teaching", "checks", "bugs", "speed", "data", "design", "contributing"]
LINK = re.compile(r"\]\(\.\./([^)#\s]+)[^)\s]*\)")
log = logging.getLogger(__name__)


def setup(app):
    app.add_html_math_renderer("mathml", (mathml, None), (displayed_mathml, None))
    app.connect("source-read", complete)
    app.connect("autodoc-process-docstring", restructure)
    app.connect("autodoc-skip-member", is_attrgetter)
    app.connect("html-collect-pages", source_pages)
    app.connect("build-finished", make_index)


# ---- The pages -------------------------------------------------------------------------------------------------------


def complete(app, name, content):
    """Links to what is not a page lead to a page that shows it; the first page knows all others."""
    content[0] = LINK.sub(lambda match: f"](source:{match[1].rstrip('/')})", content[0])
    if name == root_doc:
        chapters = sorted(path.stem for path in FOLDER.glob("[0-9]*.md"))
        others = {path.stem for path in FOLDER.glob("*.md")} - {root_doc, *chapters, *MORE}
        more = [page for page in MORE if (FOLDER / f"{page}.md").exists()] + sorted(others)
        content[0] += toctree("The course", chapters) + toctree("Beside it", [*more, "api"])


def toctree(caption, names):
    return "\n```{toctree}\n:hidden:\n:caption: " + caption + "\n\n" + "\n".join(names) + "\n```\n" if names else ""


def make_index(app, error):
    """The first page, called README for GitHub's sake, is also what a server shows first."""
    if not error and app.builder.name == "html":
        shutil.copyfile(Path(app.outdir) / f"{root_doc}.html", Path(app.outdir) / "index.html")


# ---- The source ------------------------------------------------------------------------------------------------------


def source_pages(app):
    """A page for each file that the docs link to, and for those of the API; for a folder, a list of its files."""
    linked = {match[1].rstrip("/") for page in FOLDER.glob("*.md") for match in LINK.finditer(page.read_text("utf-8"))}
    for folder in ("nnscratch", "datasets"):
        linked |= {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*.py")}
    for name in sorted(linked):
        path = ROOT / name
        if path.is_dir():
            files = sorted(each for each in path.iterdir() if each.is_file() and each.suffix in (".py", ".md"))
            body = "".join(f'<li><a href="{path.name}/{each.name}.html">{each.name}</a></li>' for each in files)
            yield from (source_page(each.relative_to(ROOT).as_posix()) for each in files)
            yield f"source/{name}", {"title": name, "body": f"<h1>{name}</h1><ul>{body}</ul>"}, "page.html"
        else:
            yield source_page(name)


def source_page(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    try:
        lexer = get_lexer_for_filename(name)
    except ClassNotFound:
        lexer = TextLexer()
    code = highlight(text, lexer, HtmlFormatter(linenos="inline", lineanchors="L", anchorlinenos=True))
    return f"source/{name}", {"title": name, "body": f"<h1>{html.escape(name)}</h1>{code}"}, "page.html"


def linkcode_resolve(domain, info):
    """Where [source] beside a name of the API leads. All of the API is on one page, beside the folder ``source``."""
    thing = importlib.import_module(info["module"])
    for name in info["fullname"].split("."):
        thing = inspect.getattr_static(thing, name, None)
    thing = getattr(thing, "fget", thing)
    if not inspect.isfunction(thing) and not inspect.isclass(thing):
        return None
    path = Path(inspect.getsourcefile(thing)).relative_to(ROOT).as_posix()
    return f"source/{path}.html#L-{inspect.getsourcelines(thing)[1]}"


# ---- Docstrings ------------------------------------------------------------------------------------------------------

MARKED = re.compile(r"(``.+?``|`.+?`)", re.DOTALL)


def restructure(app, what, name, thing, options, lines):
    """Our docstrings are plain text: what is indented is a formula or a table, and is shown as it stands. ``*``, ``|``
    and ``_`` mean themselves. Examples and lists are left as they are."""
    text = inspect.cleandoc("\n".join(lines))
    lines[:] = "\n\n".join(map(paragraph, re.split(r"\n{2,}", text))).split("\n")


def is_attrgetter(app, what, name, thing, skip, options):
    """Such a property has a docstring that is not ours; what it is, its class says."""
    return True if isinstance(getattr(thing, "fget", None), attrgetter) else None


def paragraph(text):
    if text.startswith(">>> "):
        return text
    if text.startswith("  "):
        return ".. code-block:: none\n\n" + text
    parts = MARKED.split(text)
    parts[::2] = [re.sub(r"([\\*|_`])", r"\\\1", part) for part in parts[::2]]
    parts[1::2] = [part if part.startswith("``") else f"`{part}`" for part in parts[1::2]]
    return "".join(parts)


# ---- Formulas --------------------------------------------------------------------------------------------------------


def mathml(writer, node):
    writer.body.append(converted(node, "inline"))
    raise nodes.SkipNode


def displayed_mathml(writer, node):
    writer.body.append(f'<div class="formula">{converted(node, "block")}</div>')
    raise nodes.SkipNode


def converted(node, display):
    """MathML for the TeX of a formula. What it does not know, the converter hands on as it is: that is an error."""
    tex = node.astext()
    formula = convert(tex.replace("{aligned}", "{split}"), display=display)
    if "\\" in formula or "<mi>&</mi>" in formula or "linebreak" in formula:
        log.warning("this formula has a command or an environment that is unknown: %s", tex, location=node)
    # log x, but log(x)
    return re.sub(r"(<mi>[a-z]{2,}</mi>)(?!<mo stretchy|</mrow>)", r'\1<mspace width="0.167em" />', formula)
