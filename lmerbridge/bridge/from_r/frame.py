"""R's data frame, described as a flat list, as a pandas one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

NA_INTEGER = -(2**31)
EPOCH = dt.date(1970, 1, 1)
SECONDS = {"secs": 1, "mins": 60, "hours": 3600, "days": 86400, "weeks": 604800}
TEXT = pd.Series([""]).dtype  # pandas' own for text, also where no value or none that is there shows it
Values: TypeAlias = "NDArray[Any] | list[str | None]"


def frame_from_r(described: Mapping[str, Any]) -> pd.DataFrame:
    """Return the frame of a flat list that R's ``describe_frame`` made.

    Factors become categoricals with R's levels in R's order, Dates `datetime.date` objects, POSIXct datetimes of
    microseconds, difftime timedeltas; integers and logical values are nullable where one is missing. Row names that
    R did not number itself become the index. A column of nothing but R's ``NA``, which is logical only because R has
    no other word for what is missing, becomes numbers that are missing: a table's dtypes do not depend on its data.
    """
    names, kinds = described["column.name"], described["column.kind"]
    columns = [
        _column(kind, described[f"values.{i}"], described[f"detail.{i}"]) for i, kind in enumerate(kinds, start=1)
    ]
    labels = described["row.name"]
    index = pd.Index(labels) if len(labels) else pd.RangeIndex(described["rows"][0])
    frame = pd.DataFrame(dict(enumerate(columns)), index=index)
    return frame.set_axis(pd.Index(names, dtype=object), axis=1)


def _column(kind: str, values: Any, detail: Sequence[str]) -> Any:  # noqa: ANN401  # whatever pandas takes
    match kind:
        case "factor" | "ordered":
            codes = np.where(values == NA_INTEGER, 0, values) - 1
            return pd.Categorical.from_codes(codes, pd.Index(detail), ordered=kind == "ordered")
        case "logical" if len(values) and (values == NA_INTEGER).all():
            return np.full(len(values), np.nan)
        case "logical" | "integer" if (values == NA_INTEGER).any():
            nullable = pd.array(values, dtype="Int32")
            nullable[values == NA_INTEGER] = pd.NA
            return nullable.astype("boolean") if kind == "logical" else nullable
        case "logical":
            return values.astype(bool)
        case "date":
            return np.array([None if np.isnan(day) else EPOCH + dt.timedelta(day) for day in values], dtype=object)
        case "datetime":
            naive = pd.DatetimeIndex(_microseconds(values).view("datetime64[us]"))
            return naive.tz_localize("UTC").tz_convert(detail[0]) if detail[0] else naive
        case "difftime":
            return _microseconds(values * SECONDS[detail[0]]).view("timedelta64[us]")
    return pd.Series(values, dtype=TEXT).array if isinstance(values, list) else values


def _microseconds(seconds: NDArray[np.float64]) -> NDArray[np.int64]:
    """Count microseconds, rounded apart from the whole seconds, which leave a double few digits for them."""
    missing = np.isnan(seconds)
    there = np.where(missing, 0, seconds)
    whole = np.floor(there)
    counts = whole.astype(np.int64) * 10**6 + np.round((there - whole) * 1e6).astype(np.int64)
    return np.where(missing, np.iinfo(np.int64).min, counts)
