"""A pandas frame as plain column buffers, and back; knows pandas, knows no R.

Every kind of column has one faithful form in R, or none; nothing is converted by guess.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api import types

from lmerbridge.bridge.wire import Factor, Table, Value
from lmerbridge.errors import InputError, InvalidArgument, MissingColumns, UnsupportedColumn

INSTANTS = (np.datetime64, datetime, pd.Timestamp)
EXACT = 2**53  # beyond it neighbouring integers are the same double
INEXACT = "it has integers beyond 2**53, which a double cannot hold; rescale it"
DOUBLE = 8  # bytes
NA_INTEGER = -(2**31)
PER_ROW = {argument: f".{argument}" for argument in ("weights", "offset", "subset")}  # their columns in R
UNHOLDABLE = re.compile("[\0\ud800-\udfff]")  # R cuts a text at NUL; lone surrogates are no Unicode


def table(frame: pd.DataFrame, variables: Sequence[str], groups: Sequence[str]) -> Table:
    """Return the named columns of a frame, as R is to see them.

    Parameters
    ----------
    frame : DataFrame
    variables : sequence of str
        The columns a formula names; no others travel.
    groups : sequence of str
        Those of them that are only grouping factors: integers become factors there, labels made here.

    Raises
    ------
    MissingColumns, UnsupportedColumn, InvalidArgument
    """
    check_names(frame, variables)
    if not len(frame):
        raise InvalidArgument("data has no rows; a model needs some.")
    columns = {name: column(frame[name], grouping=name in groups) for name in variables}
    return Table(columns, len(frame))


def check_names(frame: pd.DataFrame, variables: Sequence[str]) -> None:
    """See that each variable is one column of the frame, under a name R can hold."""
    if isinstance(frame.columns, pd.MultiIndex):
        raise InvalidArgument("data has a MultiIndex for columns; flatten it to plain names first.")
    missing = [name for name in variables if name not in frame.columns]
    if missing:
        raise MissingColumns(missing, frame.columns)
    named = list(frame.columns)
    for name in variables:
        if named.count(name) > 1:
            raise InvalidArgument(f"data has {named.count(name)} columns named {name!r}; rename all but one.")
        if not name or UNHOLDABLE.search(name) or name.startswith("..") or name in PER_ROW.values():
            raise InvalidArgument(f"no column named {name!r} can go to R; rename it.")


def column(series: pd.Series, *, grouping: bool = False) -> Value:
    """One column as R is to see it.

    Returns
    -------
    ndarray of float64
        Numbers; a missing one is NaN. Datetimes are seconds since 1970-01-01 UTC.
    ndarray of int32 or bool
        Logical values; as int32 where one is missing.
    Factor
        Strings, their levels in code-point order; categories in the order they have; integers that only
        group.
    """
    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return _categories(series)
    if isinstance(dtype, pd.SparseDtype):
        return column(series.astype(dtype.subtype), grouping=grouping)
    if types.is_bool_dtype(dtype):
        return _logical(series)
    if types.is_complex_dtype(dtype):
        raise UnsupportedColumn(series.name, dtype, "use its real and imaginary parts, or its modulus")
    if types.is_integer_dtype(dtype) and grouping:
        return _integer_groups(series)
    if types.is_numeric_dtype(dtype):
        return numbers(series)
    if dtype.type in INSTANTS:
        return _seconds(series)
    if types.is_timedelta64_dtype(dtype):
        raise UnsupportedColumn(series.name, dtype, "use .dt.total_seconds()")
    if types.is_string_dtype(dtype) or types.is_object_dtype(dtype):
        return _objects(series, grouping=grouping)
    raise UnsupportedColumn(series.name, dtype, "convert it to numbers, strings or a categorical")


def numbers(series: pd.Series) -> NDArray[np.float64]:
    """Return a numeric column as finite doubles, NaN where a value is missing.

    Raises
    ------
    UnsupportedColumn
        It holds numbers that a double does not.
    InputError
        It holds an infinite number.
    """
    dtype = series.dtype
    if types.is_integer_dtype(dtype) and (series.abs() > EXACT).any():
        raise UnsupportedColumn(series.name, dtype, INEXACT)
    if types.is_float_dtype(dtype) and getattr(dtype, "itemsize", 0) > DOUBLE:
        raise UnsupportedColumn(series.name, dtype, 'round it to doubles with .astype("float64")')
    values = series.to_numpy("float64", na_value=np.nan)
    infinite = np.flatnonzero(np.isinf(values))
    if len(infinite):
        row = series.index[infinite[0]]
        raise InputError(
            f"column {series.name!r} is infinite in {len(infinite)} rows, first in row {row!r}; "
            "lme4 needs finite numbers: drop the rows or set them to NaN."
        )
    return np.ascontiguousarray(values)


def _logical(series: pd.Series) -> NDArray[np.bool_] | NDArray[np.int32]:
    if series.isna().any():
        return np.asarray(series.astype("Int32").to_numpy("int32", na_value=NA_INTEGER), np.int32)
    return np.ascontiguousarray(series.to_numpy("bool"))


def _seconds(series: pd.Series) -> NDArray[np.float64]:
    utc = series.dt.tz_convert("UTC").dt.tz_localize(None) if series.dt.tz is not None else series
    nanoseconds = utc.to_numpy("datetime64[ns]")
    return np.where(np.isnat(nanoseconds), np.nan, nanoseconds.view("int64") / 1e9)


def _integer_groups(series: pd.Series) -> Factor:
    codes, uniques = pd.factorize(series, sort=True, use_na_sentinel=True)
    return _factor(series, codes, [str(int(value)) for value in uniques])


def _categories(series: pd.Series) -> Factor:
    labels = [str(value) for value in series.cat.categories]
    if len(set(labels)) != len(labels):
        remedy = "two of its categories have the same text; rename one"
        raise UnsupportedColumn(series.name, series.dtype, remedy)
    return _factor(series, series.cat.codes.to_numpy(), labels, ordered=bool(series.cat.ordered))


def _factor(series: pd.Series, codes: NDArray[Any], labels: Sequence[str], *, ordered: bool = False) -> Factor:
    if UNHOLDABLE.search("".join(labels)):
        remedy = "a value holds a NUL character or a lone surrogate, which R cannot hold; replace it"
        raise UnsupportedColumn(series.name, series.dtype, remedy)
    return Factor(np.ascontiguousarray(codes, np.int32), labels, ordered)


def _objects(series: pd.Series, *, grouping: bool) -> Value:
    """Strings, or Python objects that are all of one kind pandas has a type for."""
    match types.infer_dtype(series, skipna=True):
        case "string":
            codes, uniques = pd.factorize(series, sort=True, use_na_sentinel=True)
            return _factor(series, codes, [str(value) for value in uniques])
        case "boolean":
            return _logical(series.astype("boolean"))
        case "integer" if series.dropna().abs().max() < 2**63:
            return column(series.astype("Int64"), grouping=grouping)
        case "floating" | "mixed-integer-float" if all(float(value) == value for value in series.dropna()):
            return numbers(series.astype("Float64"))
        case "integer" | "floating" | "mixed-integer-float":
            remedy = INEXACT
        case "empty":
            remedy = "it holds no value at all; leave it out"
        case kind:
            remedy = f"it holds {kind} objects; make it one kind: numbers or strings"
    raise UnsupportedColumn(series.name, series.dtype, remedy)


def frame_from_r(values: Mapping[str, Any]) -> pd.DataFrame:
    """Return the frame of the flat list of R's ``dataset()``: factors become categoricals in R's order."""
    kinds = zip(values["column.name"], values["column.kind"], strict=True)
    return pd.DataFrame(
        {
            name: _from_r(kind, values[f"values.{i}"], values[f"levels.{i}"])
            for i, (name, kind) in enumerate(kinds, start=1)
        }
    )


def _from_r(kind: str, values: Any, levels: Sequence[str]) -> Any:  # noqa: ANN401  # whatever pandas takes
    match kind:
        case "factor" | "ordered":
            codes = np.where(values == NA_INTEGER, 0, values) - 1
            return pd.Categorical.from_codes(codes, pd.Index(levels), ordered=kind == "ordered")
        case "logical" | "integer" if (values == NA_INTEGER).any():
            nullable = pd.array(values, dtype="Int32")
            nullable[values == NA_INTEGER] = pd.NA
            return nullable.astype("boolean") if kind == "logical" else nullable
        case "logical":
            return values.astype(bool)
    return values
