"""New data for a fit: its columns as R is to see them, in the levels that the fit knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lmerbridge.bridge.to_r import columns
from lmerbridge.bridge.wire import ClassVector, Factor, Logical, Table, Value
from lmerbridge.errors import InvalidArgument, MissingValues
from lmerbridge.formula import Formula

SHOWN = 5  # levels and rows that an error lists
NEW_LEVEL = -2


def encode_newdata(
    newdata: pd.DataFrame, formula: Formula, names: Sequence[str], known: Mapping[str, Value], rows: NDArray[np.int64]
) -> Table:
    """Return columns of new data as R is to see them.

    Parameters
    ----------
    newdata : DataFrame
    formula : Formula
        The fit's.
    names : sequence of str
        The columns that are needed.
    known : mapping of str to column
        The fit's data as R sees it, and ``rows`` those that it uses. New data has its factors' levels; a column that
        only groups keeps its own.

    Raises
    ------
    MissingColumns, UnsupportedColumn, InvalidArgument, InputError
    """
    columns.check_names(newdata, names)
    if not len(newdata):
        raise InvalidArgument("newdata has no rows; some are expected.")
    return Table({name: _column(newdata[name], formula, known[name], rows) for name in names}, len(newdata))


def _column(series: pd.Series, formula: Formula, known: Value, rows: NDArray[np.int64]) -> Value:
    if series.isna().all():
        return _empty_column(known, len(series))
    groups = series.name in formula.groups
    column = columns.encode_column(series, "group" if groups else "covariate")
    if groups:
        return column
    if isinstance(column, Factor) and isinstance(known, Factor):
        return _match_levels(series, column, known, rows)
    if type(column) is not type(known) or getattr(column, "classes", None) != getattr(known, "classes", None):
        expected = "text or a categorical" if isinstance(known, Factor) else "values"
        raise InvalidArgument(
            f"newdata's column {series.name!r} has dtype {series.dtype}; {expected} as in the fit's data is expected."
        )
    return column


def _empty_column(known: Value, rows: int) -> Value:
    """Return a column without any value, of the kind that the fit knows."""
    match known:
        case Factor():
            return replace(known, codes=np.full(rows, -1, np.int32))
        case Logical():
            return Logical(np.full(rows, -1, np.int8))
        case ClassVector():
            return replace(known, values=np.full(rows, np.nan))
    return np.full(rows, np.nan)


def _match_levels(series: pd.Series, column: Factor, known: Factor, rows: NDArray[np.int64]) -> Factor:
    seen = {known.labels[code]: int(code) for code in np.unique(known.codes[rows]) if code >= 0}
    places = [seen.get(label, NEW_LEVEL) for label in column.labels]
    codes = np.array([*places, -1], np.int32)[column.codes]  # the last is what -1, a missing value, finds
    new = codes == NEW_LEVEL
    if new.any():
        levels = [column.labels[code] for code in column.codes[new]]
        told = describe_new_levels(str(series.name), levels, series.index[new])
        raise InvalidArgument(f"{told}; its levels are {first_items(seen)}.")
    return Factor(codes, known.labels, known.ordered)


def describe_new_levels(name: str, levels: Iterable[str], rows: pd.Index) -> str:
    """Describe the levels that are new to the fit, and their rows."""
    return f"newdata has {first_items(dict.fromkeys(levels))} for {name!r} in {_rows(rows)}, which the fit has not seen"


def check_complete(newdata: pd.DataFrame, names: Sequence[str]) -> None:
    """Check that no row of some columns lacks a value."""
    missing = newdata[list(names)].isna().any(axis=1).to_numpy()
    if missing.any():
        raise MissingValues(describe_missing(newdata.index[missing]))


def describe_missing(rows: pd.Index) -> str:
    """Describe the rows that lack a value."""
    return f"newdata lacks values in {_rows(rows)}; fill or drop them."


def first_items(items: Iterable[object]) -> str:
    """Write the first few items."""
    first = [repr(item) for item in islice(items, SHOWN + 1)]
    return ", ".join(first[:SHOWN]) + (", ..." if len(first) > SHOWN else "")


def _rows(rows: pd.Index) -> str:
    return f"row{'s' if len(rows) > 1 else ''} {first_items(rows.tolist())}"
