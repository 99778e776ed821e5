"""Missing values filled level by level, with a record of every one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from lmerbridge.bridge import column_kind, describe_numbers
from lmerbridge.errors import InvalidArgument, MissingValues, amount
from lmerbridge.inputs import Frame, check_signature, pandas_frame
from lmerbridge.prepare.columns import (
    Codes,
    Prepared,
    RowGroups,
    check_columns,
    describe_levels,
    first_few,
    groups_of,
    numbers_of,
)

Method = Literal["mean", "median", "mode"]
Fallback = Literal["refuse", "overall", "leave"]
FILLED = ["row", "position", "column", "level", "value", "observed", "source"]
LEFT = ["row", "position", "column", "level"]


@dataclass(frozen=True, eq=False)
class Imputation(Prepared):
    """A frame whose missing values were filled level by level.

    Attributes
    ----------
    frame : DataFrame
        Every observed value, and every column that was not named, as it was. Whole numbers whose means are none are
        doubles in it.
    filled : DataFrame
        One row per value: the ``row``'s label and its ``position`` from 0, ``column``, ``level``, ``value``, how many
        values were ``observed`` to make it, and its ``source``, "level" or "overall".
    left : DataFrame
        One row per value that is still missing, for ``fallback="leave"``.
    method : str
    """

    filled: pd.DataFrame
    left: pd.DataFrame
    method: str

    def __str__(self) -> str:
        counts = Counter(zip(self.filled["column"], self.filled["source"], strict=True))
        told = [f"{column!r}: {amount(count, 'value')} ({source})" for (column, source), count in counts.items()]
        lines = [f"{amount(len(self.filled), 'value')} filled by the {self.method}", *told]
        return "\n".join([*lines, f"{amount(len(self.left), 'value')} left missing"] if len(self.left) else lines)

    __repr__ = __str__


@check_signature
def impute(
    frame: Frame,
    columns: str | Sequence[str],
    by: str | Sequence[str],
    method: Method | Callable[[pd.Series], Any] = "mean",
    *,
    fallback: Fallback = "refuse",
) -> Imputation:
    """Fill the missing values of columns by a statistic of their level's own values: no R is started.

    A single fill takes what is unknown for known: standard errors of a fit to it are too small.

    Parameters
    ----------
    frame : DataFrame
    columns : str or sequence of str
        The columns to fill.
    by : str or sequence of str
        The columns that group; of several, each combination is a level.
    method : {"mean", "median", "mode"} or callable
        The mode is the most frequent value, of several the first in the order of the values, and the only one of these
        for text and factors. A function is given the level's values that are there, and returns one.
    fallback : {"refuse", "overall", "leave"}
        What becomes of a level without any value, and of a row without a level: an error, the statistic of the whole
        column, or what they are.

    Returns
    -------
    Imputation
        With `filled`, a record of each value.

    Raises
    ------
    MissingColumns
        The frame lacks a column.
    MissingValues
        A level has no value, and the fallback is "refuse".
    InvalidArgument
        The method is not for such a column, or a column groups and is to be filled.

    Examples
    --------
    >>> import pandas as pd
    >>> scores = pd.DataFrame({"pupil": ["a", "a", "a", "b"], "score": [1.0, None, 3.0, 5.0]})
    >>> done = impute(scores, "score", "pupil")
    >>> done["score"].tolist(), done.filled[["row", "level", "value", "observed"]].values.tolist()
    ([1.0, 2.0, 3.0, 5.0], [[1, 'a', 2.0, 2]])
    """
    data = pandas_frame(frame)
    names, levels = check_columns(data, columns, "columns"), check_columns(data, by, "by")
    if both := [name for name in names if name in levels]:
        raise InvalidArgument(f"{first_few(both)} groups and is to be filled; one of both is expected.")
    groups, changed = groups_of(data, levels), data.copy()
    filled: list[tuple[object, ...]] = []
    left: list[tuple[object, ...]] = []
    for name in names:
        values, records = _fill(data[name], groups, method, fallback)
        changed[name] = values
        filled += [each for each in records if each[-1]]
        left += [each[:4] for each in records if not each[-1]]
    told = method if isinstance(method, str) else getattr(method, "__name__", "function given")
    return Imputation(changed, pd.DataFrame(filled, columns=FILLED), pd.DataFrame(left, columns=LEFT), told)


def _fill(
    series: pd.Series, groups: RowGroups, method: str | Callable[[pd.Series], Any], fallback: Fallback
) -> tuple[pd.Series, list[tuple[object, ...]]]:
    """Return a column with its missing values filled, and a record of each, without a source where it is left."""
    absent, statistic = np.asarray(series.isna()), _statistic(series, method)
    codes = groups.codes[absent]
    found = _statistics(series[~absent], groups.codes[~absent], dict.fromkeys(codes.tolist()), statistic)
    lacking = [code for code in dict.fromkeys(codes.tolist()) if code not in found]
    if lacking and fallback == "refuse":
        raise MissingValues(_lack(series, groups, lacking))
    if lacking and fallback == "overall":
        if absent.all():
            raise MissingValues(f"{series.name!r} has no value in any row; there is nothing to fill it by.")
        found |= dict.fromkeys(lacking, (statistic(series[~absent]), int((~absent).sum()), "overall"))
    values = {int(i): found[code][0] for i, code in zip(np.flatnonzero(absent), codes, strict=True) if code in found}
    filled = _put(series, values)
    records: list[tuple[object, ...]] = []
    for i, code in zip(np.flatnonzero(absent).tolist(), codes, strict=True):
        place = (series.index[i], i, series.name, groups.labels[code] if code >= 0 else None)
        records.append((*place, filled.iloc[i], *found.get(code, (None, 0, ""))[1:]))
    return filled, records


def _statistics(
    there: pd.Series, codes: Codes, wanted: Iterable[int], statistic: Callable[[pd.Series], Any]
) -> dict[int, tuple[Any, int, str]]:
    """Return the statistic of each level that has a value, how many it is of, and that it is of the level."""
    parts = {code: there[codes == code] for code in wanted if code >= 0}
    return {code: (statistic(part), len(part), "level") for code, part in parts.items() if len(part)}


def _lack(series: pd.Series, groups: RowGroups, lacking: Sequence[int]) -> str:
    empty = [code for code in lacking if code >= 0]
    told = [f"in {describe_levels(groups, empty)}"] if empty else []
    told += [f"in rows without a value of {groups.name!r}"] if len(empty) < len(lacking) else []
    return (
        f"{series.name!r} has missing values and none to fill them by {' and '.join(told)}; give fallback='overall' "
        "for the statistic of the whole column, or fallback='leave'."
    )


def _statistic(series: pd.Series, method: str | Callable[[pd.Series], Any]) -> Callable[[pd.Series], Any]:
    """Return the function of a level's values, all of which are there."""
    if callable(method):
        return lambda values: _one_value(method(values.copy()), series)
    if method == "mode":
        return lambda values: values.mode().iloc[0]
    kind = column_kind(series)[0] if series.notna().any() else "number"
    if kind in ("integer", "number"):
        numbers_of(series, "columns")  # whether doubles hold all of it
        compute = np.mean if method == "mean" else np.median
        return lambda values: float(compute(numbers_of(values, "columns")))
    if series.dtype.kind not in "mM":
        told = describe_numbers(series, mixed=True) or f"{series.name!r} of dtype {series.dtype}"
        raise InvalidArgument(f"{told}: it has no {method}; method='mode' is expected, or a column of numbers.")
    return lambda values: getattr(values, method)()


def _one_value(found: Any, series: pd.Series) -> Any:  # noqa: ANN401  # a value of any column
    if np.ndim(found) or pd.isna(found):
        raise InvalidArgument(f"method returns {found!r:.60} for {series.name!r}; one value that is there is expected.")
    return found


def _put(series: pd.Series, values: dict[int, Any]) -> pd.Series:
    """Return a column with values at some positions."""
    if not values:
        return series
    wider = _wider(series, [*values.values()]).copy()
    try:
        wider.iloc[list(values)] = list(values.values())
    except (TypeError, ValueError) as error:
        told = f"{series.name!r} of dtype {series.dtype} cannot hold what method returns"
        raise InvalidArgument(f"{told} ({error}); values of the column are expected.") from error
    return wider


def _wider(series: pd.Series, values: Sequence[Any]) -> pd.Series:
    """Return a column in a dtype that holds values: Python's numbers as pandas' own, and doubles where they are."""
    numbers = all(isinstance(value, float) for value in values)
    plain = column_kind(series)[1] if numbers and series.dtype == object and series.notna().any() else series
    if numbers and pd.api.types.is_integer_dtype(plain.dtype) and any(value % 1 for value in values):
        return plain.astype("float64[pyarrow]" if isinstance(plain.dtype, pd.ArrowDtype) else "Float64")
    return plain
