"""What groups there are in a frame, how they lie to each other, and which columns vary within them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lmerbridge.errors import InvalidArgument, amount
from lmerbridge.inputs import Frame, check_signature, pandas_frame
from lmerbridge.prepare.columns import Codes, RowGroups, cells_of, check_columns, groups_of

PAIRS = ["outer", "inner", "relation", "cells", "possible", "rows_min", "rows_max", "labels_repeat"]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class GroupSummary:
    """The groups of a frame.

    Attributes
    ----------
    rows : int
        Rows of the frame.
    frame : DataFrame
        One row per factor: ``levels``, ``rows`` that have one, the ``min``, ``median`` and ``max`` of their sizes, and
        ``singletons``, the levels of one row.
    pairs : DataFrame
        One row per pair of factors. ``relation`` is "nested" (each level of ``inner`` lies in one of ``outer``),
        "implicitly nested" (as labelled, it does not: the labels repeat in each level of ``outer`` and mean another
        thing there, by what the other columns say), "crossed" (all ``possible`` ``cells`` occur), "partly crossed",
        "the same" (each level of one is one level of the other) or "apart" (no row has both). ``rows_min`` and
        ``rows_max`` are of a cell.
        ``labels_repeat`` says that the labels may mean other things in each level of ``outer``, and `code_levels` is
        needed if they do.
    columns : DataFrame
        One row per factor and column: ``varies`` is "within" (in ``groups`` levels), "between" (one value in each
        level), "constant" (one value in all), "missing" (no value) or "unknown" (no values that can be compared).
    missing : Series
        Rows that lack a value, by column; those of columns that lack none are left out.
    incomplete : Index
        Labels of the rows that lack any.
    """

    rows: int
    frame: pd.DataFrame
    pairs: pd.DataFrame
    columns: pd.DataFrame
    missing: pd.Series
    incomplete: pd.Index

    def __str__(self) -> str:
        return "\n".join(_lines(self))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        tables = [self.frame, *([self.pairs] if len(self.pairs) else []), self.columns]
        return "\n".join(table.to_html() for table in tables)

    def varying(self, factor: str | None = None) -> list[str]:
        """Return the columns that vary within a factor, the first unless one is named."""
        return self._columns(factor, "within")

    def constant(self, factor: str | None = None) -> list[str]:
        """Return the columns that only vary between the levels of a factor, the first unless one is named."""
        return self._columns(factor, "between")

    def _columns(self, factor: str | None, varies: str) -> list[str]:
        name = self.frame.index[0] if factor is None else factor
        if name not in self.frame.index:
            raise InvalidArgument(f"factor is {name!r}; one of {', '.join(map(repr, self.frame.index))} is expected.")
        rows = (self.columns["factor"] == name) & (self.columns["varies"] == varies)
        return list(self.columns.loc[rows, "column"])


@check_signature
def group_summary(frame: Frame, by: str | Sequence[str]) -> GroupSummary:
    """Summarize the groups of a frame before a model is fitted: no R is started.

    Parameters
    ----------
    frame : DataFrame
    by : str or sequence of str
        The columns that group. Of two whose labels repeat, the outer one comes first.

    Returns
    -------
    GroupSummary
        Its ``str`` tells all of it.

    Raises
    ------
    MissingColumns
        The frame lacks a column.
    UnsupportedColumn
        A column of ``by`` holds values that cannot be levels.

    Examples
    --------
    >>> print(group_summary(sleepstudy, "Subject"))
    180 rows, 1 grouping factor
             levels  rows  min  median  max  singletons
    Subject      18   180   10    10.0   10           0
    Within Subject vary Reaction and Days.
    No row lacks a value.
    """
    data = pandas_frame(frame)
    names = check_columns(data, by, "by")
    factors = {name: groups_of(data, [name]) for name in names}
    values = {name: _distinct(data.iloc[:, i]) for i, name in enumerate(data.columns)}
    absent = {name: np.asarray(column.isna()) for name, column in data.items()}
    counts = pd.Series({name: int(each.sum()) for name, each in absent.items()}, dtype=int, name="rows")
    lacking = np.logical_or.reduce([*absent.values(), np.zeros(len(data), bool)])
    return GroupSummary(
        rows=len(data),
        frame=pd.DataFrame({name: _sizes(groups) for name, groups in factors.items()}).T.astype(
            dict.fromkeys(("levels", "rows", "min", "max", "singletons"), int)
        ),
        pairs=pd.DataFrame([_pair(a, b, values) for a, b in combinations(factors.values(), 2)], columns=PAIRS),
        columns=pd.DataFrame(
            [(name, column, *_variation(factors[name], codes)) for name, (column, codes) in _others(factors, values)],
            columns=["factor", "column", "varies", "groups"],
        ),
        missing=counts[counts > 0],
        incomplete=data.index[lacking],
    )


def _others(
    factors: Mapping[str, RowGroups], values: Mapping[str, Codes | None]
) -> Iterator[tuple[str, tuple[str, Codes | None]]]:
    return ((name, pair) for name, pair in product(factors, values.items()) if pair[0] != name)


def _sizes(groups: RowGroups) -> dict[str, float]:
    sizes = groups.sizes
    low, middle, high = (sizes.min(), np.median(sizes), sizes.max()) if len(sizes) else (0, np.nan, 0)
    return {
        "levels": len(sizes),
        "rows": int(sizes.sum()),
        "min": int(low),
        "median": float(middle),
        "max": int(high),
        "singletons": int((sizes == 1).sum()),
    }


def _distinct(series: pd.Series) -> Codes | None:
    """Return a code per distinct value, -1 where one is missing, and None where values cannot be compared."""
    try:
        return np.asarray(pd.factorize(series)[0], np.int64)
    except (TypeError, ValueError):
        return None


def _variation(groups: RowGroups, values: Codes | None) -> tuple[str, int]:
    """Return how a column varies, and in how many groups."""
    if values is None:
        return "unknown", 0
    rows = groups.there & (values >= 0)
    cells, _, _ = cells_of([groups.codes[rows], values[rows]])
    within = int((np.bincount(cells[0]) > 1).sum()) if cells.size else 0
    if within:
        return "within", within
    return ("missing", "constant", "between")[min(len(np.unique(cells[1])), 2)], 0


def _pair(a: RowGroups, b: RowGroups, values: Mapping[str, Codes | None]) -> tuple[object, ...]:
    """Return how two factors lie to each other, the outer one first."""
    rows = a.there & b.there
    cells, cell, sizes = cells_of([a.codes[rows], b.codes[rows]])
    levels, count = [len(np.unique(each)) for each in cells], cells.shape[1]
    nested = count in levels
    if count != levels[1] and (nested or (_restarts(cells[::-1]) and not _restarts(cells))):
        a, b, levels, cells = b, a, levels[::-1], cells[::-1]
    possible, largest = levels[0] * levels[1], int(sizes.max(initial=0))
    repeat = not nested and largest > 1 and _restarts(cells)
    told = not nested and largest > 1 and _identified(cell, rows, values)
    if not count:
        relation = "apart"
    elif nested:
        relation = "the same" if levels[0] == levels[1] else "nested"
    elif told or (repeat and count < possible):
        relation = "implicitly nested"
    else:
        relation = "crossed" if count == possible else "partly crossed"
    return a.name, b.name, relation, count, possible, int(sizes.min(initial=0)), largest, repeat or told


def _restarts(cells: Codes) -> bool:
    """Whether the inner labels begin anew in each outer level: 1, 2, 3 in one, 1 and 2 in the next."""
    inner = np.unique(cells[1], return_inverse=True)[1]
    counts = np.bincount(cells[0])
    return bool(len(counts) > 1 and (np.bincount(cells[0], inner + 1) == counts * (counts + 1) / 2).all())


def _identified(cell: Codes, rows: NDArray[np.bool_], values: Mapping[str, Codes | None]) -> bool:
    """Whether a column names the cells, each by one value of its own, as a unit that is nested is named."""
    named = (column[rows] for column in values.values() if column is not None)
    return any(
        column.min() >= 0 and len(np.unique(column)) == cell.max() + 1 == cells_of([cell, column])[0].shape[1]
        for column in named
    )


def _lines(summary: GroupSummary) -> Iterator[str]:
    factors = summary.frame.index
    yield f"{amount(summary.rows, 'row')}, {amount(len(factors), 'grouping factor')}"
    yield summary.frame.to_string()
    for pair in summary.pairs.to_dict("records"):
        yield from _pair_lines(pair)
    for name in factors:
        if within := summary.varying(name):
            yield f"Within {name} {_verb('vary', within)} {_join(within)}."
        if between := summary.constant(name):
            yield f"Only between the levels of {name} {_verb('vary', between)} {_join(between)}."
    if not len(summary.missing):
        yield "No row lacks a value."
    else:
        told = ", ".join(f"{name!r} in {count}" for name, count in summary.missing.items())
        yield f"{amount(len(summary.incomplete), 'row')} of {summary.rows} without a value: {told}."


def _pair_lines(pair: Mapping[Any, Any]) -> Iterator[str]:
    """Yield a sentence on two factors, and what to do where labels repeat."""
    outer, inner, cells = pair["outer"], pair["inner"], f"{pair['cells']} of {pair['possible']} cells"
    told = {
        "nested": f"{inner} is nested in {outer}.",
        "apart": f"No row has a value of both {outer} and {inner}.",
        "the same": f"{inner} and {outer} are the same groups under two names.",
        "implicitly nested": f"{inner} is implicitly nested in {outer}: its labels repeat.",
        "crossed": f"{outer} and {inner} are crossed: all {cells}.",
        "partly crossed": f"{outer} and {inner} are partly crossed: {cells}.",
    }
    yield told[str(pair["relation"])]
    if pair["labels_repeat"]:
        whether = "" if pair["relation"] == "implicitly nested" else "If they are (implicitly nested), "
        means = f"The same label of {inner} may mean another thing in each level of {outer}. "
        do = f"code them with code_levels(frame, [{outer!r}, {inner!r}]), or write (1 | {outer}/{inner})."
        yield f"  {means if whether else ''}{whether}{do if whether else do[0].upper() + do[1:]}"


def _verb(verb: str, names: Sequence[str]) -> str:
    return verb if len(names) > 1 else verb.replace("vary", "varies")


def _join(names: Sequence[str]) -> str:
    texts = [str(name) for name in names]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"
