"""A pandas frame as plain column buffers, without R.

Every kind of column has one faithful form in R, or none; nothing is converted by guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lmerbridge.bridge.to_r.kinds import INEXACT, ROUND, Kind, column_kind, describe_numbers
from lmerbridge.bridge.wire import ClassVector, Factor, Logical, Table, Value
from lmerbridge.errors import InputError, InvalidArgument, MissingColumns, UnfitData, UnsupportedColumn, amount
from lmerbridge.formula import CONTRASTS, FUNCTIONS, Call, Formula, Name, Node, abbreviate, number_text, walk
from lmerbridge.results import LMM
from lmerbridge.results import Kind as ModelKind

Role: TypeAlias = Literal["covariate", "response", "group"]

EXACT = 2**53  # beyond it neighbouring integers are the same double
DOUBLE = 8  # bytes
TO_NUMBERS = 'make it numbers, with pd.to_numeric(errors="coerce") or the reader\'s decimal= and thousands='
PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
VECTORS = ("weights", "offset", "subset", "mustart", "etastart")
PER_ROW = {argument: f".{argument}" for argument in VECTORS}  # their columns in R
TAKEN = frozenset(
    (*PER_ROW.values(), "(weights)", "(offset)", "(mustart)", "(etastart)")
)  # R's model frames find weights by the latter
NO_NAME = re.compile(r"|\.|\.\.\.|\.\.\d+")  # what R's grammar keeps for itself
UNHOLDABLE = re.compile("[\0\ud800-\udfff]")  # R cuts a text at NUL; lone surrogates are no Unicode
MAKES_LEVELS = frozenset(("factor", "as.factor", "ordered", "interaction", "as.character", "dummy"))
TAKE_TEXT = MAKES_LEVELS | {*CONTRASTS, "I", "C", "c", "is.na", "relevel", "as.vector", "as.logical"}
TAKE_NUMBERS = (FUNCTIONS - TAKE_TEXT) | {"<", "<=", ">", ">="}
ARITHMETIC = frozenset(("+", "-", "*", "/", "^", ":", "%%", "%/%"))  # inside a function: among terms it is algebra


def describe_text(frame: pd.DataFrame, formula: Formula) -> Iterator[str]:
    """Describe the columns of text of the fixed and random part most of whose values are numbers."""
    for name in dict.fromkeys(node.name for node in formula.design_variables if isinstance(node, Name)):
        if told := describe_numbers(frame[name]):
            yield f"{told}; each distinct value is a level of a factor: {TO_NUMBERS}, or, if it is one, a categorical."


def encode_table(frame: pd.DataFrame, formula: Formula, model: ModelKind = LMM) -> Table:
    """Return the columns that a formula names, as R is to see them.

    No others travel.

    Raises
    ------
    MissingColumns, UnsupportedColumn, InvalidArgument, InputError
    """
    check_names(frame, formula.variables)
    _check_text(frame, formula)
    if not len(frame):
        raise InvalidArgument("data has no rows; a model needs some.")
    columns = {name: encode_column(frame[name], _role(name, formula), model) for name in formula.variables}
    for name in _factors_of(formula):
        _check_levels(frame[name], columns[name])
    return Table(columns, len(frame))


def check_names(frame: pd.DataFrame, variables: Sequence[str]) -> None:
    """Check that each variable is one column of the frame, under a name R can hold."""
    if isinstance(frame.columns, pd.MultiIndex):
        raise InvalidArgument("data has a MultiIndex for columns; flatten it to plain names first.")
    missing = [name for name in variables if name not in frame.columns]
    if missing:
        raise MissingColumns(missing, frame.columns)
    for name in variables:
        count = 1 if frame.columns.is_unique else list(frame.columns).count(name)
        if count > 1:
            raise InvalidArgument(f"data has {count} columns named {name!r}; rename all but one.")
        if NO_NAME.fullmatch(name) or UNHOLDABLE.search(name) or name in TAKEN:
            raise InvalidArgument(f"no column named {name!r} can go to R; rename it.")


def _role(name: str, formula: Formula) -> Role:
    response: Node = formula.response
    while isinstance(response, Call) and response.function == "(":
        response = response.args[0]
    return "group" if name in formula.groups else "response" if response == Name(name) else "covariate"


def _factors_of(formula: Formula) -> set[str]:
    """Names of the columns that R itself makes a factor of."""
    calls = (node for node in walk(formula.tree) if isinstance(node, Call) and node.function in MAKES_LEVELS)
    groups = (node for bar in formula.random for node in bar.group)
    return {node.name for root in (*calls, *groups) for node in walk(root) if isinstance(node, Name)} & {
        *formula.variables
    }


def _check_text(frame: pd.DataFrame, formula: Formula) -> None:
    """Refuse text where numbers are expected: R has a factor, and some functions take the numbers of its levels."""
    for call in _numeric_calls(formula):
        for name in (node.name for node in call.args if isinstance(node, Name)):
            if column_kind(frame[name])[0] == "text":
                told = describe_numbers(frame[name]) or f"{name!r} is text"
                remedy = f"{TO_NUMBERS}, or a categorical where the numbers of its levels are meant"
                raise UnfitData(f"{abbreviate(call)} takes numbers, and {told}; {remedy}.")


def _numeric_calls(formula: Formula) -> Iterator[Call]:
    """Yield what computes with numbers: functions, and the arithmetic inside them."""
    calls = [node for node in walk(formula.tree) if isinstance(node, Call)]
    yield from (call for call in calls if call.function in TAKE_NUMBERS)
    inside = (node for call in calls if call.function in FUNCTIONS for node in walk(call))
    yield from (node for node in inside if isinstance(node, Call) and node.function in ARITHMETIC)


def _check_levels(series: pd.Series, value: Value) -> None:
    """Refuse values that R's own labels would change: numbers of more than 15 digits, and times."""
    if isinstance(value, ClassVector):
        remedy = "the formula uses it as a factor and otherwise; give the factor a column of its own, with .astype(str)"
        raise UnsupportedColumn(series.name, series.dtype, remedy)
    if isinstance(value, np.ndarray):
        distinct = pd.unique(value[~np.isnan(value)])
        if len({f"{number:.15g}" for number in distinct.tolist()}) < len(distinct):
            remedy = "R would make one level of numbers that agree in 15 digits; give the factor a column of its own"
            raise UnsupportedColumn(series.name, series.dtype, remedy)


def encode_column(series: pd.Series, role: Role = "covariate", model: ModelKind = LMM) -> Value:
    """Return one column as R is to see it.

    Returns
    -------
    ndarray of float64
        Numbers; a missing one is NaN.
    Logical
    Factor
        Strings, their levels in code-point order; categories in the order they have; and whatever groups,
        in the order of its values.
    ClassVector
        Dates as days and datetimes as seconds since 1970-01-01 UTC, durations as seconds.

    Raises
    ------
    UnsupportedColumn, InputError
    """
    its_kind, plain = column_kind(series)
    if role == "response" and its_kind == "text" and (told := describe_numbers(series, mixed=True)):
        raise UnfitData(f"the response {told}; {TO_NUMBERS}.")
    if role == "response" and its_kind in model.response and plain.notna().any():
        remedy = f"a response must be numbers: {model.response[its_kind]}"
        raise UnsupportedColumn(series.name, series.dtype, remedy)
    if its_kind == "category":
        return _categories(plain)
    if its_kind == "text" or role == "group":
        return _groups(its_kind, plain)
    return _values(its_kind, plain)


def finite_doubles(series: pd.Series) -> NDArray[np.float64]:
    """Return a numeric column as finite doubles, NaN where a value is missing.

    Raises
    ------
    UnsupportedColumn
        It holds numbers that a double does not.
    InputError
        It holds an infinite number.
    """
    return _doubles(column_kind(series)[1])


def _values(its_kind: Kind, plain: pd.Series) -> Value:
    match its_kind:
        case "logical":
            return Logical(_truth(plain))
        case "date":
            return ClassVector(_seconds(plain) / 86400, ("Date",))
        case "instant":
            return ClassVector(_seconds(plain), ("POSIXct", "POSIXt"), {"tzone": _zone(plain)})
        case "duration":
            return ClassVector(_seconds(plain), ("difftime",), {"units": "secs"})
    return _doubles(plain)


def _doubles(plain: pd.Series) -> NDArray[np.float64]:
    dtype = plain.dtype
    if dtype.kind == "O" or (dtype.kind in "iu" and _beyond(plain)):
        raise UnsupportedColumn(plain.name, dtype, INEXACT)
    if dtype.kind == "f" and getattr(dtype, "itemsize", 0) > DOUBLE:
        raise UnsupportedColumn(plain.name, dtype, ROUND)
    numpy_backed = isinstance(dtype, np.dtype)  # then there is no copy
    values = plain.to_numpy("float64") if numpy_backed else plain.to_numpy("float64", na_value=np.nan)
    _check_finite(plain, values)
    return values


def _beyond(plain: pd.Series) -> bool:
    low, high = plain.min(), plain.max()
    return bool(pd.notna(low) and (int(low) < -EXACT or int(high) > EXACT))


def _check_finite(plain: pd.Series, values: NDArray[np.float64]) -> None:
    with np.errstate(all="ignore"):
        if np.isfinite(values.sum()):  # then all are
            return
    infinite = np.flatnonzero(np.isinf(values))
    if len(infinite):
        (row,) = plain.index[infinite[:1]].tolist()
        raise InputError(
            f"column {plain.name!r} is infinite in {amount(len(infinite), 'row')}, first in row {row!r}; "
            "lme4 needs finite numbers: drop the rows or set them to NaN."
        )


def _truth(plain: pd.Series) -> NDArray[np.int8]:
    return np.asarray(plain.astype("boolean").to_numpy("int8", na_value=-1), np.int8)


def _seconds(plain: pd.Series) -> NDArray[np.float64]:
    """Return times in seconds, whole ones exactly, whatever their unit."""
    times = (_utc(plain) if plain.dtype.kind == "M" else plain).to_numpy()
    unit, _ = np.datetime_data(times.dtype)
    whole, rest = np.divmod(times.view(np.int64), PER_SECOND[unit])
    missing = np.isnat(times)
    if (np.abs(whole[~missing]) > EXACT).any():
        raise UnsupportedColumn(plain.name, plain.dtype, "it has times that a double of seconds cannot hold")
    return np.where(missing, np.nan, whole + rest / PER_SECOND[unit])


def _utc(plain: pd.Series) -> pd.Series:
    return plain if plain.dt.tz is None else plain.dt.tz_convert("UTC").dt.tz_localize(None)


def _zone(plain: pd.Series) -> str:
    """Return R's name of a time zone, empty for naive times, UTC for a zone without a name."""
    zone = plain.dt.tz
    return "" if zone is None else getattr(zone, "key", None) or getattr(zone, "zone", None) or "UTC"


def _groups(its_kind: Kind, plain: pd.Series) -> Factor:
    """Return grouping values as a factor with labels written here, since R would write 100000 as 1e+05."""
    values: Any = _doubles(plain) if its_kind == "number" else plain
    if plain.dtype.kind == "O" and isinstance(plain.dtype, np.dtype):
        values = plain.to_numpy()  # pandas would make Arrow's text of it, which holds no lone surrogate
    codes, uniques = pd.factorize(values)
    order = uniques.argsort()
    ranks = np.append(np.argsort(order), -1).astype(np.int32)  # the last is what -1, a missing value, finds
    return _factor(plain, ranks[codes], _labels(its_kind, uniques.take(order)))


def _labels(its_kind: Kind, uniques: Iterable[Any]) -> list[str]:
    match its_kind:
        case "integer":
            return [str(int(value)) for value in uniques]
        case "number":
            return [str(int(v)) if v == int(v) and abs(v) <= EXACT else number_text(v) for v in uniques]
        case "logical":
            return ["TRUE" if value else "FALSE" for value in uniques]
        case "date":
            return [str(day) for day in np.asarray(uniques).astype("datetime64[D]")]
    return [str(value) for value in uniques]


def _categories(plain: pd.Series) -> Factor:
    labels = [str(value) for value in plain.cat.categories]
    return _factor(plain, plain.array.codes, labels, ordered=bool(plain.cat.ordered))


def _factor(plain: pd.Series, codes: NDArray[Any], labels: Sequence[str], *, ordered: bool = False) -> Factor:
    if UNHOLDABLE.search("".join(labels)):
        remedy = "a value holds a NUL character or a lone surrogate, which R cannot hold; replace it"
        raise UnsupportedColumn(plain.name, plain.dtype, remedy)
    if len(set(labels)) < len(labels):
        remedy = "two of its values have the same text, and would be one level; round or rename them"
        raise UnsupportedColumn(plain.name, plain.dtype, remedy)
    return Factor(codes.astype(np.int32, copy=False), labels, ordered)
