"""The site: it builds without a warning, every link in it leads somewhere, and it loads nothing from anywhere else."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.long
def test_the_site(tmp_path):
    pytest.importorskip("sphinx")
    site = tmp_path / "site"
    process = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-d", tmp_path / "cache", "docs", site],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    pages = {path: Page(path) for path in site.rglob("*.html") if "_static" not in path.parts}
    every_page_of_the_docs_is_there(site)
    every_link_leads_somewhere(site, pages)
    nothing_is_loaded_from_another_host(site, pages)
    formulas_and_docstrings_are_shown(pages)


class Page(HTMLParser):
    """What a page links to, what it loads, and the ids that others can link to."""

    def __init__(self, path):
        super().__init__()
        self.path, self.links, self.loads, self.ids, self.text = path, [], [], set(), ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.ids |= {values.get("id"), values.get("name")}
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])
        elif tag in ("script", "img", "link", "iframe", "source", "object"):
            self.loads += [values[name] for name in ("src", "href", "data", "srcset") if values.get(name)]

    def handle_data(self, data):
        self.text += data


def every_page_of_the_docs_is_there(site):
    for page in (ROOT / "docs").glob("*.md"):
        assert (site / f"{page.stem}.html").exists()
    assert (site / "index.html").read_bytes() == (site / "README.html").read_bytes()
    first = (site / "index.html").read_text(encoding="utf-8")
    for chapter in (ROOT / "docs").glob("[0-9]*.md"):
        assert f'<li class="toctree-l1"><a class="reference internal" href="{chapter.stem}.html">' in first


def every_link_leads_somewhere(site, pages):
    broken = []
    for page in pages.values():
        for link in [*page.links, *page.loads]:
            parts = urlsplit(link)
            if not parts.scheme:
                target = (page.path.parent / unquote(parts.path)).resolve() if parts.path else page.path
                if not target.is_file() or (parts.fragment and unquote(parts.fragment) not in pages[target].ids):
                    broken.append(f"{page.path.relative_to(site)}: {link}")
    assert broken == []


def nothing_is_loaded_from_another_host(site, pages):
    for page in pages.values():
        assert [link for link in page.loads if urlsplit(link).scheme not in ("", "data")] == []
    for path in site.rglob("*.css"):
        assert not re.search(r"@import|url\(['\"]?(https?:)?//", path.read_text(encoding="utf-8")), path
    for path in site.rglob("*.js"):
        assert not re.search(r"import\(['\"]https?:|fetch\(['\"]https?:", path.read_text(encoding="utf-8")), path


def formulas_and_docstrings_are_shown(pages):
    text = {page.path.stem: page for page in pages.values()}
    formulas = {name for name, page in text.items() if "<math" in page.path.read_text(encoding="utf-8")}
    written = {page.stem for page in (ROOT / "docs").glob("*.md") if "$$" in page.read_text(encoding="utf-8")}
    assert written <= formulas
    api = text["api"].text
    assert "dW = xᵀ dy        db = sum of dy over the rows        dx = dy Wᵀ" in api  # as it stands, spaces and all
    assert "y_nk of every row n" in api  # no link, no subscript
    assert "``" not in api
    assert "check_layer" in api


# ---- The machinery ----


@pytest.fixture
def conf(monkeypatch):
    pytest.importorskip("sphinx")
    monkeypatch.setattr(sys, "path", [*sys.path])
    from docs import conf

    return conf


@pytest.mark.parametrize(
    ("tex", "warned"),
    [
        (r"dx_j = \sum_i \frac{\partial y_i}{\partial x_j} \, dy_i", False),
        (r"\begin{aligned} a &= b \\ &= c \end{aligned}", False),
        (r"\begin{cases} x & \text{if } x > 0 \\ 0 & \text{else} \end{cases}", False),
        (r"\sofmax(z)", True),
        (r"\begin{gathered} a \\ b \end{gathered}", True),
        (r"a &= b", True),
    ],
)
def test_formulas_that_cannot_be_shown_are_warned_of(conf, monkeypatch, tex, warned):
    from docutils import nodes

    said = []
    monkeypatch.setattr(conf.log, "warning", lambda *arguments, **options: said.append(arguments))
    formula = conf.converted(nodes.math(tex, tex), "block")
    assert formula.startswith("<math")
    assert bool(said) == warned


def test_a_logarithm_keeps_its_distance(conf):
    from docutils import nodes

    assert '<mi>log</mi><mspace width="0.167em" /><mi>x</mi>' in conf.converted(nodes.math("", r"\log x"), "inline")
    assert "mspace" not in conf.converted(nodes.math("", r"\log(x)"), "inline")


def test_docstrings_are_plain_text(conf):
    lines = ["y = x * W_, |x|:", "", "    dW = x", "", ">>> f(x_)", "3", "", "``a_b`` and `c`"]
    conf.restructure(None, "class", "name", None, None, lines)
    assert lines == [
        r"y = x \* W\_, \|x\|:", "", ".. code-block:: none", "", "    dW = x", "", ">>> f(x_)", "3", "",
        "``a_b`` and ``c``",
    ]  # fmt: skip
