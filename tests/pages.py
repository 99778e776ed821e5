"""The Python of README and of docs/, run: ``python -m tests.pages`` writes under each block its output of today.

Where a picture stands under a block, the figure that the block draws is written to it.
"""

import ast
import contextlib
import io
import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from lmerbridge.errors import LmerBridgeWarning

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
BLOCK = re.compile(
    r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n|\n!\[[^]]*\]\((pictures/\w+\.png)\)\n)?",
    re.DOTALL | re.MULTILINE,
)


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
            picture, figures = block[3] and ROOT / "docs" / block[3], plt.get_fignums()
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


if __name__ == "__main__":
    for path in PAGES:
        path.write_text(renew(path.read_text(), path.name))
