"""README's Python, run: ``python -m tests.readme`` writes under each block what it shows today."""

import ast
import contextlib
import io
import re
import warnings
from pathlib import Path

import matplotlib as mpl
import pandas as pd

from lmerbridge.errors import LmerBridgeWarning

README = Path(__file__).parents[1] / "README.md"
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE)


def shown(source, names):
    """What a notebook's cell shows: what it prints, what it warns of, and its last expression."""
    tree = ast.parse(source)
    last = ast.Expression(tree.body.pop().value) if isinstance(tree.body[-1], ast.Expr) else None
    printed = io.StringIO()
    with warnings.catch_warnings(record=True) as caught, contextlib.redirect_stdout(printed):
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", LmerBridgeWarning)
        exec(compile(tree, "README.md", "exec"), names)
        value = last and eval(compile(last, "README.md", "eval"), names)
    said = "".join(f"{w.category.__name__}: {w.message}\n" for w in caught)
    return printed.getvalue() + said + (f"{value!r}\n" if value is not None else "")


def outputs(text):
    """Each block with the output that is written under it, None where there is none, and the one it has."""
    mpl.use("agg")
    names = {"__name__": "readme"}
    with pd.option_context("display.width", 120, "display.max_columns", 20):
        for block in BLOCK.finditer(text):
            yield block, block[2], shown(block[1], names)


def renewed(text):
    """The text with outputs of today."""
    parts, end = [], 0
    for block, written, found in outputs(text):
        if written is not None:
            parts += [text[end : block.start(2)], found]
            end = block.end(2)
    return "".join([*parts, text[end:]])


if __name__ == "__main__":
    README.write_text(renewed(README.read_text()))
