"""What kind of values a pandas column holds, whichever of pandas' many dtypes it has.

The dtype gives the kind, and the type of every value where they are Python objects. Nothing is guessed from a text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.extensions import ExtensionArray
from pandas.api.types import infer_dtype

from lmerbridge.errors import InputError, UnfitData, UnsupportedColumn

Kind: TypeAlias = Literal["integer", "number", "logical", "text", "category", "date", "instant", "duration"]
Typed: TypeAlias = "tuple[Kind, pd.Series]"

LETTERS: dict[str, Kind] = {  # of numpy's dtypes, and of pandas' own
    **dict.fromkeys("iu", "integer"),
    "f": "number",
    "b": "logical",
    "M": "instant",
    "m": "duration",
}
TYPES: tuple[tuple[tuple[type, ...], str], ...] = (  # of Python objects; the first that fits
    ((bool, np.bool_), "logical"),
    ((timedelta, np.timedelta64), "duration"),
    ((int, np.integer), "integer"),
    ((float, np.floating), "number"),
    ((Decimal,), "decimal"),
    ((str,), "text"),
    ((datetime, np.datetime64), "instant"),
    ((date,), "date"),
)
PLAIN_NUMBER = r"\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?\s*"
NUMBER = rf"{PLAIN_NUMBER}|\s*[-+]?[$€£]?\s*(?:\d{{1,3}}(?:[.,' ]\d{{3}})+|\d+)(?:[.,]\d+)?\s*[%€$£]?\s*"
SAMPLE = 200  # values that are looked at before all are
PLAIN_TEXT = frozenset((str, float, type(None), type(pd.NA)))  # of which infer_dtype sees a float that is a number
INT64 = 2**63
INEXACT = "it has integers beyond 2**53, which a double cannot hold; rescale it"
ROUND = 'it has more digits than a double holds; round it with .astype("float64")'
REMEDIES = {  # what there is to do about a type that has no kind
    "complex": "use its real and imaginary parts, or its modulus",
    "bytes": "decode it to text, with .str.decode",
    "binary": "decode it to text",
    "period": "use .dt.to_timestamp(), or .astype(str) for a factor",
    "interval": "use its midpoints, or .astype(str) for a factor",
}
OTHERWISE = "make it numbers, strings or a categorical"


def column_kind(series: pd.Series) -> Typed:
    """Return what a column holds, and the column in a dtype that is made for it.

    Returns
    -------
    kind : str
        "category", "integer", "number", "logical", "text", "date", "instant" or "duration".
    series : Series
        The same values; dates as datetimes, Python objects as what they are.

    Raises
    ------
    UnsupportedColumn
        R has nothing for such values, or they are of several kinds.
    """
    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return "category", series
    if isinstance(dtype, pd.SparseDtype):
        return column_kind(_with_values(series, np.asarray(series)))
    if isinstance(dtype, pd.ArrowDtype):
        return _arrow(series, dtype)
    if isinstance(dtype, pd.StringDtype):
        return "text", series
    if isinstance(dtype, np.dtype) and dtype.kind == "O":
        return _objects(series)
    if isinstance(dtype, np.dtype) and not dtype.isnative:
        return column_kind(series.astype(dtype.newbyteorder("=")))
    if dtype.kind in LETTERS:
        return LETTERS[dtype.kind], series
    raise _refusal(series, str(dtype))


def describe_numbers(series: pd.Series, *, mixed: bool = False) -> str:
    """Describe a column of text most of whose values are numbers, and return "" for any other.

    Plain numbers throughout are meant as text where they repeat as the levels of a factor do, or where ``mixed``.

    Examples
    --------
    >>> describe_numbers(pd.Series(["1", "2.5", ".", "3"], name="x"))
    "'x' is text, of which 3 of 4 values are numbers; the first that is none is '.' in row 2"
    >>> describe_numbers(pd.Series(["1", "2"] * 9, name="dose")), describe_numbers(pd.Series(["a", "1"], name="x"))
    ('', '')
    """
    if isinstance(series.dtype, np.dtype) and series.dtype.kind != "O":
        return ""
    there = series.dropna()
    kind, values = column_kind(there) if len(there) else ("category", there)
    if kind != "text":
        return ""
    values = values.astype(object)
    if not _are_numbers(values.iloc[:: max(1, len(values) // SAMPLE)]):
        return ""
    plain = values.str.fullmatch(PLAIN_NUMBER).to_numpy(bool)
    if not _are_numbers(values) or (plain.all() and (mixed or 2 * values.nunique() <= len(values))):
        return ""
    told = f"{series.name!r} is text, of which {plain.sum()} of {len(values)} values are numbers"
    if plain.all():
        return told
    (row,) = values.index[~plain][:1].tolist()
    return f"{told}; the first that is none is {values[~plain].iloc[0]!r:.40} in row {row!r}"


def _are_numbers(values: pd.Series) -> bool:
    """Whether more than half of some texts are numbers, however they are written."""
    return bool(len(values)) and float(values.str.fullmatch(NUMBER).mean()) > 0.5


def _refusal(series: pd.Series, text: str) -> InputError:
    if text == "null":
        return UnfitData(f"column {series.name!r} of dtype {series.dtype} holds no value at all; leave it out.")
    remedy = next((remedy for word, remedy in REMEDIES.items() if text.startswith(word)), OTHERWISE)
    return UnsupportedColumn(series.name, series.dtype, remedy)


def _arrow(series: pd.Series, dtype: pd.ArrowDtype) -> Typed:
    import pyarrow as pa  # there is such a column, hence pyarrow

    arrow, types = dtype.pyarrow_dtype, pa.types
    if types.is_date(arrow):
        return "date", series.astype("datetime64[s]")
    if types.is_timestamp(arrow) or types.is_duration(arrow):
        return LETTERS[dtype.kind], _with_values(series, pa.array(series).to_pandas().array)
    if types.is_dictionary(arrow):
        return column_kind(_with_values(series, _categorical(_one_chunk(series))))
    if types.is_string_view(arrow):
        return "text", _with_values(series, pa.array(series).cast(pa.large_string()).to_pandas().array)
    if types.is_string(arrow) or types.is_large_string(arrow):
        return "text", series
    if types.is_decimal(arrow):
        return _objects(series.astype(object))
    if types.is_float16(arrow):
        return "number", series.astype("Float32")
    if dtype.kind in LETTERS and types.is_primitive(arrow):
        return LETTERS[dtype.kind], series
    raise _refusal(series, str(arrow))


def _one_chunk(series: pd.Series) -> Any:  # noqa: ANN401  # pyarrow has no types
    import pyarrow as pa

    coded = pa.array(series)
    return coded.combine_chunks() if isinstance(coded, pa.ChunkedArray) else coded


def _categorical(coded: Any) -> ExtensionArray:  # noqa: ANN401
    """Return an Arrow dictionary as a categorical, also where its dictionary holds the missing value, or no other."""
    there = coded.dictionary.is_valid().to_numpy(zero_copy_only=False)
    if len(there) and there.all():
        plain: ExtensionArray = coded.to_pandas().array
        return plain
    codes = coded.indices.fill_null(-1).to_numpy()
    places = np.append(np.where(there, np.cumsum(there) - 1, -1), -1)[codes]  # the last is what -1 finds
    values = coded.dictionary.drop_null().to_pandas() if there.any() else []
    return pd.Categorical.from_codes(places, pd.Index(values), ordered=coded.type.ordered)


def _with_values(series: pd.Series, values: Any) -> pd.Series:  # noqa: ANN401  # any array of pandas
    again: pd.Series = pd.Series(values, series.index, values.dtype, series.name)  # in no dtype that pandas infers
    return again


def _objects(series: pd.Series) -> Typed:
    if _is_plain_text(series):
        return "text", series
    there = _present(series)
    present = series[there]
    types_there = set(map(type, present.to_numpy()))  # a Series is iterated much more slowly
    words = {cls: next((word for types, word in TYPES if issubclass(cls, types)), "") for cls in types_there}
    if not words:
        raise _refusal(series, "null")
    found = set(words.values()) - ({"integer"} if "number" in words.values() else set())
    if len(found) > 1 or "" in found:
        raise _mixture_refusal(present, words)
    (word,) = found
    try:
        kind, array = ARRAYS[word](present)
    except (ValueError, OverflowError) as error:
        raise UnsupportedColumn(series.name, series.dtype, str(error) or OTHERWISE) from error
    places = np.where(there, np.cumsum(there) - 1, -1)
    return kind, _with_values(series, array.take(places, allow_fill=True))


def _is_plain_text(series: pd.Series) -> bool:
    """Whether each value is a `str` or missing, without a look at one after another in Python.

    pandas sees what is no text at the speed of C, but takes a subclass for a `str`.
    """
    values = series.to_numpy()
    types = set(map(type, values))
    return types == {str} or (str in types <= PLAIN_TEXT and infer_dtype(values, skipna=True) == "string")


def _present(series: pd.Series) -> NDArray[np.bool_]:
    try:
        return series.notna().to_numpy()
    except ArithmeticError:
        raise UnsupportedColumn(series.name, series.dtype, "it holds a signalling NaN; set it to None") from None


def _mixture_refusal(present: pd.Series, words: dict[type, str]) -> InputError:
    """Return the error that names the first row of another kind, or the type that R has nothing for."""
    types = list(map(type, present))
    if len(set(words.values())) == 1:
        return _refusal(present, types[0].__name__)
    odd = next(i for i, cls in enumerate(types) if words[cls] != words[types[0]])
    rows = present.index[[0, odd]].tolist()
    told = [
        f"row {row!r} holds {present.iloc[i]!r:.40}, a {types[i].__name__}"
        for row, i in zip(rows, (0, odd), strict=True)
    ]
    return UnsupportedColumn(present.name, present.dtype, f"{told[0]}, and {told[1]}; make it one kind")


def _logical(present: pd.Series) -> tuple[Kind, ExtensionArray]:
    return "logical", pd.array(list(map(bool, present)), dtype="boolean")


def _integers(present: pd.Series) -> tuple[Kind, ExtensionArray]:
    values = list(map(int, present))
    fits = min(values) >= -INT64 and max(values) < INT64
    return "integer", pd.array(values, dtype="Int64" if fits else object)


def _numbers(present: pd.Series) -> tuple[Kind, ExtensionArray]:
    return _doubles(present, float, INEXACT)


def _decimals(present: pd.Series) -> tuple[Kind, ExtensionArray]:
    return _doubles(present, lambda value: Decimal(repr(value)), ROUND)


def _doubles(present: pd.Series, back: Callable[[float], object], remedy: str) -> tuple[Kind, ExtensionArray]:
    """Return doubles that equal the values when they are read back."""
    values = list(map(float, present))
    if any(back(double) != value for double, value in zip(values, present, strict=True)):
        raise ValueError(remedy)
    return "number", pd.array(values, dtype="Float64")


def _texts(present: pd.Series) -> tuple[Kind, ExtensionArray]:
    return "text", pd.array([str.__str__(text) for text in present], dtype=object)


def _dates(present: pd.Series) -> tuple[Kind, ExtensionArray]:
    return "date", pd.array(np.array(list(present), "datetime64[D]").astype("datetime64[s]"))


def _instants(present: pd.Series) -> tuple[Kind, ExtensionArray]:
    """Return datetimes in the time zone they share, or in UTC where they have several."""
    zones = [getattr(value, "tzinfo", None) for value in present]
    if None in zones:
        if any(zones):
            raise ValueError("some of its datetimes have a time zone and some have none; give all of them one")
        return "instant", pd.to_datetime(list(present)).array
    utc = pd.to_datetime(list(present), utc=True)
    return "instant", (utc.tz_convert(zones[0]) if _same(zones) else utc).array


def _same(zones: Iterable[object]) -> bool:
    return len(set(map(str, zones))) == 1


def _durations(present: pd.Series) -> tuple[Kind, ExtensionArray]:
    return "duration", pd.to_timedelta(list(present)).array


ARRAYS: dict[str, Callable[[pd.Series], tuple[Kind, ExtensionArray]]] = {
    "logical": _logical,
    "integer": _integers,
    "number": _numbers,
    "decimal": _decimals,
    "text": _texts,
    "date": _dates,
    "instant": _instants,
    "duration": _durations,
}
