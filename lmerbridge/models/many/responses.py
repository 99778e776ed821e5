"""Responses as they are handed in: a column each, taken block by block as doubles."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lmerbridge.bridge import Logical, columns
from lmerbridge.errors import InputError, InvalidArgument, amount
from lmerbridge.inputs import Frame, pandas_frame

Array: TypeAlias = NDArray[np.float64]

Given: TypeAlias = Annotated[
    NDArray[Any] | Frame | Mapping[str, Any] | Sequence[str], "an array, a frame, or names of columns"
]
Block = tuple[Array, dict[int, str]]
PLAIN = "f"  # dtypes of numpy that are taken as they are


@dataclass(frozen=True, eq=False)
class Responses:
    """Responses, each with a value per row of the model's frame.

    Attributes
    ----------
    names : Index
    take : function of two ints
        Values of the responses from one to before another, shape (rows, k), NaN where one is missing, and what is wrong
        with a response, by its place among them.
    """

    names: pd.Index
    take: Callable[[int, int], Block]


def read_responses(given: Given, frame: pd.DataFrame, used: NDArray[np.int64] | None = None) -> Responses:
    """Return responses, aligned with a model's frame.

    Parameters
    ----------
    given : ndarray, DataFrame, mapping or sequence of str
    frame : DataFrame
        What the model is of; the columns that names stand for are in it.
    used : ndarray of int, optional
        Rows that a fit uses: then responses may have a value for each of these alone.

    Raises
    ------
    InvalidArgument
        There is none, or they have other rows than the frame.
    """
    if isinstance(given, np.ndarray):
        found = _of_array(given, _spread(len(given), len(frame), used))
    else:
        table = _table(given, frame)
        found = _of_frame(table, _align(table, frame.index, used))
    if not len(found.names):
        raise InvalidArgument("responses has no column; one per response is expected.")
    return found


def _table(given: object, frame: pd.DataFrame) -> pd.DataFrame:
    """Return responses as a frame: names are columns of the model's own."""
    if isinstance(given, Mapping):
        if alone := [name for name, values in given.items() if np.ndim(values) != 1]:
            raise InvalidArgument(f"responses has no values by row under {alone[0]!r}; one per row is expected.")
        return pd.DataFrame(given, frame.index if not any(isinstance(v, pd.Series) for v in given.values()) else None)
    if isinstance(given, str):
        raise InvalidArgument(f"responses is {given!r}; a list of names of columns is expected, or the values.")
    if isinstance(given, Sequence) and all(isinstance(name, str) for name in given):
        if lacking := [name for name in given if name not in frame.columns]:
            raise InvalidArgument(
                f"responses names {', '.join(map(repr, lacking))}, which the frame lacks; give values."
            )
        return frame[list(given)]
    return pandas_frame(given)


Spread = Callable[[Array], Array]


def _spread(rows: int, whole: int, used: NDArray[np.int64] | None) -> Spread:
    """Return what makes values, a row each, values with a row per row of the frame."""
    if rows == whole:
        return lambda values: values
    if used is None or rows != len(used):
        alone = "" if used is None else f", or for each of the {len(used)} that the fit uses"
        raise InvalidArgument(
            f"responses has {amount(rows, 'row')}; one for each of the {whole} of the frame{alone}, is expected."
        )
    return lambda values: _put(values, used, whole)


def _put(values: Array, rows: NDArray[np.int64], whole: int) -> Array:
    found = np.full((whole, values.shape[1]), np.nan)
    found[rows] = values
    return found


def _align(table: pd.DataFrame, index: pd.Index, used: NDArray[np.int64] | None) -> Spread:
    """Return what puts the rows of a table where its index has them in the frame's."""
    own = table.index
    plain = isinstance(own, pd.RangeIndex) and own.equals(pd.RangeIndex(len(own)))
    if own.equals(index) or (plain and len(own) == len(index)):
        return _spread(len(own), len(index), used)
    if used is not None and (plain or own.equals(index.take(used))) and len(own) == len(used):
        return _spread(len(own), len(index), used)
    needed = index if used is None else index.take(used)
    if not (own.is_unique and index.is_unique and needed.isin(own).all()):
        raise InvalidArgument("responses has an index that lacks rows of the frame; align it, or give .to_numpy().")
    at = own.get_indexer(index)
    return lambda values: np.where((at >= 0)[:, None], values[at], np.nan)


def _of_array(given: NDArray[Any], spread: Spread) -> Responses:
    if given.ndim != 2 or given.dtype.kind not in "fiub":
        told = f"has shape {given.shape} and dtype {given.dtype}; numbers with a column per response are expected"
        raise InvalidArgument(f"responses {told}.")

    def take(lo: int, hi: int) -> Block:
        values, wrong = _finite(given[:, lo:hi].astype(np.float64), range(lo, hi))
        return spread(values), wrong

    return Responses(pd.RangeIndex(given.shape[1]), take)


def _of_frame(table: pd.DataFrame, spread: Spread) -> Responses:
    def take(lo: int, hi: int) -> Block:
        part = table.iloc[:, lo:hi]
        if all(isinstance(dtype, np.dtype) and dtype.kind in PLAIN for dtype in part.dtypes):
            values, wrong = _finite(part.to_numpy(np.float64), part.columns)
            return spread(values), wrong
        wrong = {}
        values = np.column_stack([_numbers(part.iloc[:, i], i, wrong) for i in range(part.shape[1])])
        return spread(values), wrong

    return Responses(table.columns, take)


def _finite(values: Array, names: Iterable[Hashable]) -> Block:
    """Return numbers, and of each column that holds an infinite one what is wrong."""
    wrong: dict[int, str] = {}
    infinite = np.flatnonzero(np.isinf(values).any(axis=0))
    labels = list(names)
    for i in map(int, infinite):
        _numbers(pd.Series(values[:, i], name=labels[i]), i, wrong)
    return values, wrong


def _numbers(column: pd.Series, place: int, wrong: dict[int, str]) -> Array:
    """Return a column as doubles, all NaN where it is none, and say why."""
    try:
        values = columns.encode_column(column, "response")
    except InputError as error:
        wrong[place] = str(error)
        return np.full(len(column), np.nan)
    if isinstance(values, Logical):
        return np.where(values.codes < 0, np.nan, values.codes).astype(np.float64)
    if not isinstance(values, np.ndarray):
        wrong[place] = f"{column.name!r} has dtype {column.dtype}; a response must be numbers."
        return np.full(len(column), np.nan)
    return values
