"""How results are shown: as text where Python prints them, as tables in a notebook."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from html import escape
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from lmerbridge.text import clean

C = TypeVar("C", bound=type)
NOTES = "notes"
ROWS, FEW, COLUMNS, WIDE = 60, 10, 20, 100  # rows that are shown whole, else how many; columns; characters of a value


def shown(*names: str) -> Callable[[C], C]:
    """Give a class of results its text and its HTML for a notebook, where it has none of its own.

    Both show what the value is and the attributes that are named: without names its ``frame``, or else each of its
    fields. A cell of a notebook shows any result at once, so neither may call R.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @shown()
    ... @dataclass(frozen=True, repr=False)
    ... class Found:
    ...     name: str
    ...     estimate: pd.Series
    >>> Found("x", pd.Series([1.5], ["a"], name="estimate"))
    Found: name='x'
    <BLANKLINE>
    estimate
       estimate
    a       1.5
    """

    def decorate(of: C) -> C:
        own = vars(of).get("__repr__") or vars(of).get("__str__") or text_of
        html = vars(of).get("_repr_html_") or html_of
        for name, value in {"_shown_names": names, "__repr__": own, "_repr_html_": html}.items():
            setattr(of, name, value)
        return of

    return decorate


def text_of(value: Any) -> str:  # noqa: ANN401  # any result
    """Return the parts of a result as text, one below the other."""
    tables = (f"{title}\n{_text(table)}".strip("\n") for title, table in _tables(value))
    return clean("\n\n".join([_head(value), *tables, *_notes(value)]))


def html_of(value: Any) -> str:  # noqa: ANN401
    """Return the parts of a result as HTML without scripts and styles."""
    tables = (f"{f'<p>{escape(title)}</p>' * bool(title)}{_html(table)}" for title, table in _tables(value))
    notes = (f"<p>{escape(note)}</p>" for note in _notes(value))
    return clean("".join(["<div>", f"<p>{escape(_head(value))}</p>", *tables, *notes, "</div>"]))


def _tables(value: Any) -> Iterator[tuple[str, pd.DataFrame]]:  # noqa: ANN401
    """Yield the tables of a result, each with a title."""
    if isinstance(value, Mapping):
        yield from _as_tables("", value)
    names = type(value)._shown_names or ("frame",) * hasattr(value, "frame") or _public(value)
    for name in names:
        yield from _as_tables(name.strip("_").replace("_", " ") * (len(names) > 1), getattr(value, name))


def _notes(value: Any) -> tuple[str, ...]:  # noqa: ANN401
    """Return what is told below the tables: a field ``notes``, where there is one."""
    return tuple(_public(value).get(NOTES, ()))  # type: ignore[arg-type]  # a tuple of texts wherever it is


def _as_tables(title: str, value: Any) -> Iterator[tuple[str, pd.DataFrame]]:  # noqa: ANN401
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _as_tables(f"{title}: {key}".removeprefix(": "), each)
    elif isinstance(value, pd.Series):
        yield title, value.to_frame(value.name or "")
    elif isinstance(value, pd.DataFrame):
        yield title, value
    elif isinstance(value, np.ndarray) and 1 <= value.ndim <= 2:
        yield title, pd.DataFrame(value)
    elif isinstance(getattr(value, "frame", None), pd.DataFrame):
        yield title, value.frame


def _head(value: Any) -> str:  # noqa: ANN401
    """Return what a result is in one line: its own, or its class and those of its fields that are short."""
    own: Any = type(value).__repr__
    if own is not text_of and "\n" not in (line := str(own(value))):
        return line
    told = [f"{name}={_brief(field)}" for name, field in _public(value).items() if name != NOTES and _is_plain(field)]
    return ": ".join(filter(None, [type(value).__name__, ", ".join(told)]))


def _brief(field: object) -> str:
    return f"{field:.7g}" if isinstance(field, float) else repr(field)


def _is_plain(field: object) -> bool:
    plain = isinstance(field, str | int | float) or (isinstance(field, tuple) and all(map(_is_plain, field)))
    return plain and len(text := repr(field)) <= WIDE and "\\n" not in text and text != "()"


def _public(value: Any) -> dict[str, object]:  # noqa: ANN401
    if isinstance(value, Mapping):  # which has keys, and no fields
        return {}
    return {f.name: getattr(value, f.name) for f in fields(value) if not f.name.startswith("_") and f.repr}


def _text(table: pd.DataFrame) -> str:
    return _without_none(table).to_string(max_rows=_rows(table), max_cols=COLUMNS, na_rep="")


def _html(table: pd.DataFrame) -> str:
    return _without_none(table).to_html(max_rows=_rows(table), max_cols=COLUMNS, na_rep="", border=0)


def _rows(table: pd.DataFrame) -> int:
    """Return how many rows are shown: all of a short table."""
    return ROWS if len(table) <= ROWS else FEW


def _without_none(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose texts have nothing where they have None, as ``na_rep`` is for NaN alone."""
    columns = [column.map(_nothing) if column.dtype.kind == "O" else column for _, column in table.items()]
    return pd.concat(columns, axis=1).set_axis(table.columns, axis=1) if columns else table


def _nothing(value: object) -> object:
    return "" if value is None else value
