"""Columns of a frame as levels and as numbers, and the result that a prepared frame is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lmerbridge.bridge import Factor, column_kind, columns, describe_numbers
from lmerbridge.errors import InvalidArgument, MissingColumns, amount

Array: TypeAlias = NDArray[np.float64]
Codes: TypeAlias = NDArray[np.int64]
SHOWN = 5  # levels or names that a message lists
ROWS = 10  # of a frame that a notebook shows
ESCAPE = "\\"


@dataclass(frozen=True, eq=False)
class Prepared:
    """A frame with what was done to it.

    Attributes
    ----------
    frame : DataFrame
        With the index of the frame that was given. ``result["x"]`` is a column of it.
    """

    frame: pd.DataFrame = field(repr=False)

    def __getitem__(self, column: str) -> pd.Series:
        return self.frame[column]

    def _repr_html_(self) -> str:
        return self.frame.to_html(max_rows=ROWS)


@dataclass(frozen=True, eq=False)
class RowGroups:
    """Rows by the levels of a factor, or of several that are crossed.

    Attributes
    ----------
    name : str
        ``"school"``, or ``"school:class"``.
    codes : ndarray of int, shape (n,)
        Positions in ``labels``, -1 where a row lacks a value.
    labels : tuple of str
        Levels that occur, in their order.
    """

    name: str
    codes: Codes
    labels: tuple[str, ...]

    @property
    def there(self) -> NDArray[np.bool_]:
        """Whether a row has a level."""
        return self.codes >= 0

    @property
    def sizes(self) -> Codes:
        """The number of rows of each level."""
        return np.bincount(self.codes[self.there], minlength=len(self.labels))

    def means(self, values: Array, used: NDArray[np.bool_]) -> Array:
        """Return the mean of each level over some rows, NaN for a level without any."""
        rows = used & self.there
        counts = np.bincount(self.codes[rows], minlength=len(self.labels))
        with np.errstate(invalid="ignore"):
            return np.asarray(np.bincount(self.codes[rows], values[rows], minlength=len(self.labels)) / counts)

    def spread(self, by_level: Array) -> Array:
        """Return a value per row, NaN for a row without a level, from a value per level."""
        return np.append(by_level, np.nan)[self.codes]


def check_columns(frame: pd.DataFrame, given: str | Sequence[str], argument: str) -> list[str]:
    """Return the names that an argument gives, each once and each of one column of the frame.

    Raises
    ------
    InvalidArgument, MissingColumns
    """
    names = list(dict.fromkeys([given] if isinstance(given, str) else given))
    if isinstance(frame.columns, pd.MultiIndex):
        raise InvalidArgument("frame has a MultiIndex for columns; flatten it to plain names first.")
    if not names:
        raise InvalidArgument(f"{argument} names no column; one of {first_few(frame.columns)} is expected.")
    if missing := [name for name in names if name not in frame.columns]:
        raise MissingColumns(missing, frame.columns, where=argument)
    if twice := [name for name in names if isinstance(frame[name], pd.DataFrame)]:
        raise InvalidArgument(f"frame has several columns named {twice[0]!r}; rename all but one.")
    return names


def groups_of(frame: pd.DataFrame, by: Sequence[str], sep: str = ":") -> RowGroups:
    """Return the rows by the levels of some columns, which are ordered by the first, then by the second.

    Labels of several are joined, and no two levels share one.

    Raises
    ------
    UnsupportedColumn
        A column holds values that cannot be levels.
    """
    parts = [_factor(frame[name]) for name in by]
    there = np.all([part.codes >= 0 for part in parts], axis=0)
    codes = np.full(len(frame), -1)
    combinations, codes[there], _ = cells_of([part.codes[there] for part in parts])
    parted = ([part.labels[code] for part, code in zip(parts, each, strict=True)] for each in combinations.T)
    return RowGroups(":".join(by), codes, tuple(join_labels(labels, sep) for labels in parted))


def cells_of(codes: Sequence[NDArray[Any]]) -> tuple[Codes, Codes, Codes]:
    """Return the combinations of codes that occur, in order, the position of each row's, and how often each occurs.

    Examples
    --------
    >>> [each.tolist() for each in cells_of([np.array([1, 0, 1]), np.array([2, 5, 2])])]
    [[[0, 1], [5, 2]], [1, 0, 1], [1, 2]]
    """
    cell = np.zeros(len(codes[0]), np.int64)
    for each in codes:
        cell = np.unique(cell * (int(each.max(initial=0)) + 1) + each, return_inverse=True)[1]
    _, first, cell, sizes = np.unique(cell, return_index=True, return_inverse=True, return_counts=True)
    return np.stack([each[first] for each in codes]).astype(np.int64), cell, sizes


def is_nested_in(frame: pd.DataFrame, inner: str, outer: str) -> bool:
    """Whether each level of a column occurs in one level of another."""
    codes = [groups_of(frame, [name]).codes for name in (inner, outer)]
    rows = (codes[0] >= 0) & (codes[1] >= 0)
    cells, _, _ = cells_of([each[rows] for each in codes])
    return bool(len(np.unique(cells[0])) == cells.shape[1])


def join_labels(labels: Sequence[str], sep: str) -> str:
    r"""Return one label for several, from which they can be told: inside them a backslash stands before a separator.

    Examples
    --------
    >>> join_labels(["a", "1"], "/"), join_labels(["a/b", "1"], "/"), join_labels(["a/b"], "/")
    ('a/1', 'a\\/b/1', 'a/b')
    """
    if len(labels) == 1:
        return labels[0]
    first = sep[0]  # of a longer one the rest may be how a label begins
    return sep.join(label.replace(ESCAPE, ESCAPE * 2).replace(first, ESCAPE + first) for label in labels)


def _factor(series: pd.Series) -> Factor:
    if series.isna().all():
        return Factor(np.full(len(series), -1, np.int32), ())
    found = columns.encode_column(series, "group")
    assert isinstance(found, Factor)  # noqa: S101 - whatever groups is one
    return found


def numbers_of(series: pd.Series, argument: str) -> Array:
    """Return a column of numbers as doubles, NaN where a value is missing, and booleans as 0 and 1.

    Raises
    ------
    InvalidArgument
        It holds no numbers.
    InputError
        It holds an infinite number, or one that a double does not hold.
    """
    if series.isna().all():
        return np.full(len(series), np.nan)
    kind, plain = column_kind(series)
    if kind == "logical":
        return np.asarray(plain.astype("boolean").to_numpy("float64", na_value=np.nan))
    if kind not in ("number", "integer"):
        told = describe_numbers(series, mixed=True) or f"{series.name!r} of dtype {series.dtype} holds none"
        raise InvalidArgument(f"{argument} takes columns of numbers, and {told}; {columns.TO_NUMBERS}.")
    return columns.finite_doubles(series)


def check_new(frame: pd.DataFrame, names: Iterable[str], remedy: str) -> None:
    """Check that columns to be appended are not there already."""
    if there := [name for name in names if name in frame.columns]:
        raise InvalidArgument(f"the frame has {first_few(there)} already; {remedy}.")


def describe_levels(groups: RowGroups, levels: Sequence[int]) -> str:
    """Name some levels of a factor."""
    return f"{amount(len(levels), 'level')} of {groups.name!r} ({first_few([groups.labels[i] for i in levels])})"


def first_few(names: Iterable[object]) -> str:
    """Return the first few names as a message lists them."""
    every = [repr(name) for name in names]
    return ", ".join(every[:SHOWN]) + (f" and {len(every) - SHOWN} more" if len(every) > SHOWN else "")
