"""A table of texts as HTML, LaTeX, a document of Word or plain text."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd

from lmerbridge.errors import InvalidArgument
from lmerbridge.files import write_files
from lmerbridge.setup.extras import import_extra
from lmerbridge.text import clean

IN_LATEX = str.maketrans({"\N{MINUS SIGN}": "$-$", "|": r"\textbar{}", "`": r"\textasciigrave{}"})
AFTER_ROW = re.compile(r"(\\\\ *\n)(\*)")  # LaTeX reads a star there as a part of the row's end


def text(cells: pd.DataFrame, notes: Sequence[str]) -> str:
    """Return a table as lines of text, its columns aligned at the right."""
    lines = [("", *map(str, cells.columns)), *_lines(cells)]
    widths = [max(len(line[i]) for line in lines if len(line) > 1) for i in range(len(lines[0]))]
    table = ("  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip() for line in lines)
    return clean("\n".join([*table, *notes]))


def html(cells: pd.DataFrame, notes: Sequence[str], title: str) -> str:
    """Return a table as HTML, the same for the same table."""
    return str(_great_table(cells, notes, title).as_raw_html())


def latex(cells: pd.DataFrame, notes: Sequence[str], title: str) -> str:
    """Return a table as LaTeX."""
    lines = str(_great_table(cells, notes, title).as_latex()).split("\n")
    made = "\n".join(line if line.startswith(r"\begin{tabular") else line.translate(IN_LATEX) for line in lines)
    return AFTER_ROW.sub(r"\1{\2}", made)


def docx(path: Path, cells: pd.DataFrame, notes: Sequence[str], title: str) -> Path:
    """Write a table as a document of Word."""
    if path.suffix.lower() != ".docx":
        raise InvalidArgument(f"path is {str(path)!r}; a name that ends in .docx is expected.")
    document = import_extra("docx", "tables", "a document of Word").Document()
    if title:
        document.add_paragraph(clean(title), style="Caption")
    lines = [("", *map(str, cells.columns)), *_lines(cells)]
    table = document.add_table(len(lines), len(lines[0]))
    for row, line in zip(table.rows, lines, strict=True):
        _fill(row, line)
    for row, edge in ((table.rows[0], "top"), (table.rows[0], "bottom"), (table.rows[-1], "bottom")):
        _rule(row, edge)
    for note in notes:
        document.add_paragraph(clean(note))
    content = io.BytesIO()
    document.save(content)
    write_files({path: content.getvalue()})
    return path


def _lines(cells: pd.DataFrame) -> Iterator[tuple[str, ...]]:
    """Yield the rows of a table, and a line of one text at the head of each section."""
    for section, rows in cells.groupby(level=0, sort=False):
        yield (str(section),)
        yield from ((label, *row) for (_, label), row in zip(rows.index, rows.itertuples(index=False), strict=True))


def _great_table(cells: pd.DataFrame, notes: Sequence[str], title: str) -> Any:  # noqa: ANN401  # great_tables' GT
    """Return the table of great_tables, which escapes all texts for the language that it writes."""
    great_tables = import_extra("great_tables", "tables", "a table in HTML or LaTeX")
    plain = [f"column{i}" for i in range(len(cells.columns))]
    table = cells.set_axis(plain, axis=1).reset_index()
    name = f"table{sha256(text(cells, [*notes, title]).encode('utf-8', 'replace')).hexdigest()[:8]}"
    made = great_tables.GT(table, rowname_col="label", groupname_col="section", id=name)
    made = made.cols_label(cases=dict(zip(plain, map(clean, map(str, cells.columns)), strict=True)))
    made = made.cols_align("center", columns=plain)
    if title:
        made = made.tab_header(clean(title))
    for note in notes:
        made = made.tab_source_note(clean(note))
    return made


def _fill(row: Any, texts: Sequence[str]) -> None:  # noqa: ANN401  # python-docx's
    """Write texts into the cells of a row: a section's head in bold, numbers centred."""
    for i, (cell, told) in enumerate(zip(row.cells, texts, strict=False)):
        run = cell.paragraphs[0].add_run(clean(told))
        run.bold = len(texts) == 1
        cell.paragraphs[0].alignment = 1 if i else 0  # WD_ALIGN_PARAGRAPH: centre, left


def _rule(row: Any, edge: str) -> None:  # noqa: ANN401
    """Draw a line at an edge of a row."""
    ns = import_extra("docx.oxml.ns", "tables", "a document of Word")
    element = import_extra("docx.oxml", "tables", "a document of Word").OxmlElement
    for cell in row.cells:
        properties = cell._tc.get_or_add_tcPr()
        borders = properties.find(ns.qn("w:tcBorders"))
        if borders is None:
            borders = element("w:tcBorders")
            properties.append(borders)
        line = element(f"w:{edge}")
        for name, value in {"val": "single", "sz": "8", "space": "0", "color": "000000"}.items():
            line.set(ns.qn(f"w:{name}"), value)
        borders.append(line)
