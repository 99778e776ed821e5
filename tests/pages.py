"""The Python of README and of docs/, run: ``python -m tests.pages`` writes under each block its output of today.

Names of pages after it renew these alone.
Where a picture stands under a block, the figure that the block draws is written to it.
"""

import ast
import contextlib
import io
import os
import re
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from lmerbridge.errors import LmerBridgeWarning

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = (ROOT / "README.md", *sorted(path for path in DOCS.rglob("*.md") if not {"_build", "api"} & {*path.parts}))
BLOCK = re.compile(
    r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n|\n!\[([^]]*)\]\((pictures/\w+\.png)\)\n)?",
    re.DOTALL | re.MULTILINE,
)


INCLUDE = re.compile(r"^```\{include\} (\S+)\n```\n", re.MULTILINE)
TREE = re.compile(r"^```\{toctree\}\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FAMILY = re.compile(r"^(\w+\*)\n", re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s:#]+)(#[\w-]+)?\)")
FIRST = f"""\
import os, warnings, pandas
from lmerbridge.errors import LmerBridgeWarning
os.chdir({str(ROOT)!r})
pandas.set_option("display.width", 120, "display.max_columns", 20)
warnings.simplefilter("ignore")
warnings.simplefilter("always", LmerBridgeWarning)
warnings.formatwarning = lambda text, category, *where: f"{{category.__name__}}: {{text}}\\n"
"""


@dataclass(frozen=True)
class Cell:
    """One block of a page: its source, the output written under it, None where there is none, and today's.

    ``picture`` is the file that stands under it, and ``figure`` the one that the block drew last.
    """

    source: str
    written: str | None
    found: str
    place: tuple[int, int]  # of the written output in the page
    picture: Path | None
    figure: Figure | None


def output(source, names, page):
    """Return what a notebook's cell shows: what it prints, what it warns of, and its last expression."""
    tree = ast.parse(source, page)
    last = ast.Expression(tree.body.pop().value) if isinstance(tree.body[-1], ast.Expr) else None
    printed = io.StringIO()
    with warnings.catch_warnings(record=True) as caught, contextlib.redirect_stdout(printed):
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", LmerBridgeWarning)
        exec(compile(tree, page, "exec"), names)
        value = last and eval(compile(last, page, "eval"), names)
    warned = "".join(f"{w.category.__name__}: {w.message}\n" for w in caught)
    return printed.getvalue() + warned + (f"{value!r}\n" if value is not None else "")


def cells(text, page):
    """Yield each block of a page, run in the namespace of that page alone."""
    mpl.use("agg")
    names = {"__name__": "page"}
    with pd.option_context("display.width", 120, "display.max_columns", 20):
        for block in BLOCK.finditer(text):
            plt.close("all")
            found = output(block[1], names, page)
            picture, figures = block[4] and DOCS / block[4], plt.get_fignums()
            yield Cell(block[1], block[2], found, block.span(2), picture, plt.gcf() if figures else None)


def renew(text, page):
    """Return the text with outputs of today."""
    parts, end = [], 0
    for cell in cells(text, page):
        if cell.picture:
            cell.figure.savefig(cell.picture, dpi=72, metadata={"Software": None})
        if cell.written is not None:
            parts += [text[end : cell.place[0]], cell.found]
            end = cell.place[1]
    return "".join([*parts, text[end:]])


def site_page(name, text):
    """Return a page as Sphinx is to read it: files of the project in their places, and each block a cell to run.

    A family of pages, as ``hunt*`` in a list of pages, is left out where it has no page.
    """
    page = DOCS / f"{name}.md"
    if not page.is_file():
        return text  # of the reference, and written by Sphinx
    text = INCLUDE.sub(lambda found: moved((page.parent / found[1]).resolve(), page, deeper=found.start() > 0), text)
    text = FAMILY.sub(lambda found: found[0] if any(DOCS.glob(f"{found[1]}.md")) else "", text)
    return as_notebook(text)


def moved(path, page, deeper):
    """Return the text of a file as it stands on a page elsewhere: its links lead where they led."""

    def link(found):
        target = (path.parent / found[1]).resolve()
        target = DOCS / "performance.md" if target.name == "bench.md" else target
        return f"]({os.path.relpath(target, page.parent)}{found[2] or ''})"

    return LINK.sub(link, re.sub("^#", "##", path.read_text(), flags=re.MULTILINE) if deeper else path.read_text())


def entries(page):
    """Return the pages that a page lists for the site, those of a family among them."""
    names = (name for tree in TREE.findall(page.read_text()) for name in tree.split() if name[0] != ":")
    return [path for name in names for path in sorted(page.parent.glob(f"{name}.md"))]


def as_notebook(text):
    """Return a page as a notebook of MyST, in which each block is a cell and its output is left to the run."""
    if not BLOCK.search(text):
        return text
    head = "---\nfile_format: mystnb\nkernelspec:\n  name: python3\n---\n"
    first = f"```{{code-cell}}\n:tags: [remove-cell]\n\n{FIRST}```\n\n"
    title, rest = text.split("\n\n", 1)
    return head + title + "\n\n" + first + BLOCK.sub(cell_source, rest)


def cell_source(block):
    """Return a block as a cell; the words of a picture under it are those of the figure that the cell draws."""
    alt = f"---\nmystnb:\n  image:\n    alt: {block[3]!r}\n---\n" if block[3] else "\n"
    return f"```{{code-cell}}\n{alt}{block[1]}```\n"


if __name__ == "__main__":
    for path in [Path(name).resolve() for name in sys.argv[1:]] or PAGES:
        path.write_text(renew(path.read_text(), path.name))
