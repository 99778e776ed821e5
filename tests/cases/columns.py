"""What becomes of every dtype in each role: the table, and the data it is tried on.

A case makes a column of sleepstudy's Days (0 to 9, each eighteen times), and says what the model is then:
``NUMBERS``, the model of the same numbers as float64; ``LEVELS``, that of the ten levels; ``ORDERED``, that of ten
ordered ones; ``LOGICAL``, that of Days > 4 as numpy's booleans; ``TWO_LEVELS``, that of its two levels; or the error,
as a part of its text. A column of dates or times stands for its days or seconds.
"""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa

NUMBERS, LEVELS, ORDERED, LOGICAL, TWO_LEVELS = "numbers", "levels", "ordered", "logical", "two levels"
DAY = 86400.0
START = dt.date(2024, 3, 30)  # a weekend on which Oslo's clocks change
MIDNIGHT = dt.datetime(2024, 3, 30)
DAYS_BEFORE = (START - dt.date(1970, 1, 1)).days
RESPONSE = "a response must be numbers"


@dataclass(frozen=True)
class Case:
    """A dtype, and the verdict on it in each role.

    Attributes
    ----------
    make : callable
        Days, a Series of float64, -> the column.
    covariate, response, group : str
        A model, or a part of the error's text.
    label : callable
        Day -> the label of its level as a group.
    numbers : callable
        Day -> the number that R sees.
    """

    make: object
    covariate: str
    response: str
    group: str = LEVELS
    label: object = str
    numbers: object = float


def numeric(make):
    return Case(make, NUMBERS, NUMBERS)


def logical(make):
    return Case(make, LOGICAL, LOGICAL, TWO_LEVELS, lambda day: "TRUE" if day > 4 else "FALSE")


def text(make, label=lambda day: f"d{day}"):
    return Case(make, LEVELS, RESPONSE, LEVELS, label)


def ordered(make):
    return Case(make, ORDERED, RESPONSE, LEVELS, lambda day: f"d{day}")


def refused(make, why):
    return Case(make, why, why, why)


def dates(make):
    return Case(make, NUMBERS, RESPONSE, LEVELS, lambda day: str(day_of(day)), lambda day: float(DAYS_BEFORE + day))


def instants(make, suffix="", behind=lambda day: 0.0):
    label = lambda day: f"{START + dt.timedelta(day)} 00:00:00{suffix}"  # noqa: E731  # ISO
    return Case(make, NUMBERS, RESPONSE, LEVELS, label, lambda day: (DAYS_BEFORE + day) * DAY - behind(day))


def durations(make):
    return Case(make, NUMBERS, RESPONSE, LEVELS, lambda day: f"{day} days 00:00:00", lambda day: day * DAY)


def astype(dtype):
    return lambda days: days.astype(dtype)


def arrow(kind, convert=lambda day: day):
    return lambda days: pd.Series([convert(int(d)) for d in days], dtype=pd.ArrowDtype(kind))


def objects(convert):
    return lambda days: pd.Series([convert(int(d)) for d in days], dtype=object)


def stamps(days):
    return pd.Series([pd.Timestamp(START) + pd.Timedelta(days=int(d)) for d in days])


def names(days):
    return [f"d{int(d)}" for d in days]


def categories(convert, **how):
    order = [convert(day) for day in range(10)]
    return lambda days: pd.Series(pd.Categorical([convert(int(d)) for d in days], order, **how))


def encoded(days, ordered=False):
    codes = pa.array(days.astype("int8"))
    dictionary = pa.DictionaryArray.from_arrays(codes, pa.array([f"d{day}" for day in range(10)]), ordered=ordered)
    return pd.Series(dictionary, dtype=pd.ArrowDtype(dictionary.type))


def strided(days):
    return pd.DataFrame(np.column_stack([days, days]))[1]


def read_only(days):
    values = days.to_numpy(copy=True)
    values.flags.writeable = False
    return pd.Series(values, copy=False)


def offset(days):
    return stamps(days).dt.tz_localize("+01:30")


def oslo(days):
    return stamps(days).dt.tz_localize("Europe/Oslo")


def oslo_case():
    """Midnights in Oslo: one hour before UTC's to begin with, two from the second day's change on."""
    case = instants(oslo, "", lambda day: 3600.0 if day < 2 else 7200.0)
    label = lambda day: f"{START + dt.timedelta(day)} 00:00:00{'+01:00' if day < 2 else '+02:00'}"  # noqa: E731
    return Case(case.make, case.covariate, case.response, case.group, label, case.numbers)


def day_of(day):
    return START + dt.timedelta(day)


def over_four(dtype):
    return lambda days: (days > 4).astype(dtype)


INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
CASES = {
    **{dtype: numeric(astype(dtype)) for dtype in INTEGERS},
    **{dtype: numeric(astype(dtype)) for dtype in (name.replace("int", "Int").replace("u", "U") for name in INTEGERS)},
    **{f"{dtype}[pyarrow]": numeric(astype(f"{dtype}[pyarrow]")) for dtype in INTEGERS},
    **{dtype: numeric(astype(dtype)) for dtype in ("float16", "float32", "float64", "Float32", "Float64")},
    **{f"{kind}[pyarrow]": numeric(astype(f"{kind}[pyarrow]")) for kind in ("float", "double")},
    "halffloat[pyarrow]": numeric(arrow(pa.float16(), np.float16)),
    "decimal128[pyarrow]": numeric(arrow(pa.decimal128(5, 2), Decimal)),
    "big-endian": numeric(astype(">f8")),
    "strided": numeric(strided),
    "read-only": numeric(read_only),
    "Sparse[float]": numeric(lambda days: days.astype("Sparse[float64]")),
    "Sparse[int]": numeric(lambda days: days.astype("int64").astype("Sparse[int64]")),
    "objects: int": numeric(objects(int)),
    "objects: float": numeric(objects(float)),
    "objects: int and float": numeric(objects(lambda day: day if day % 2 else float(day))),
    "objects: numpy's": numeric(objects(lambda day: np.int8(day) if day % 2 else np.float32(day))),
    "objects: Decimal": numeric(objects(Decimal)),
    "bool": logical(lambda days: days > 4),
    "boolean": logical(over_four("boolean")),
    "bool[pyarrow]": logical(over_four("bool[pyarrow]")),
    "Sparse[bool]": logical(over_four("Sparse[bool]")),
    "objects: bool": logical(over_four(object)),
    "str": text(lambda days: pd.Series(names(days))),
    "string[python]": text(lambda days: pd.Series(names(days), dtype="string[python]")),
    "string[pyarrow]": text(lambda days: pd.Series(names(days), dtype="string[pyarrow]")),
    "ArrowDtype(string)": text(lambda days: pd.Series(names(days), dtype=pd.ArrowDtype(pa.string()))),
    "ArrowDtype(large_string)": text(lambda days: pd.Series(names(days), dtype=pd.ArrowDtype(pa.large_string()))),
    "ArrowDtype(string_view)": text(lambda days: pd.Series(names(days), dtype=pd.ArrowDtype(pa.string_view()))),
    "objects: str": text(lambda days: pd.Series(names(days), dtype=object)),
    "category of str": text(categories(lambda day: f"d{day}")),
    "category of int": text(categories(int), str),
    "category of float": text(categories(float), lambda day: f"{day}.0"),
    "category of interval": text(categories(lambda day: pd.Interval(day, day + 1)), lambda day: f"({day}, {day + 1}]"),
    "category of date": text(categories(day_of), lambda day: str(day_of(day))),
    "category, a level unused": text(lambda days: categories(lambda day: f"d{day}")(days).cat.add_categories("never")),
    "category of bool": Case(over_four("category"), TWO_LEVELS, RESPONSE, TWO_LEVELS, lambda day: str(day > 4)),
    "dictionary[pyarrow]": text(encoded),
    "ordered category": ordered(categories(lambda day: f"d{day}", ordered=True)),
    "ordered dictionary[pyarrow]": ordered(lambda days: encoded(days, ordered=True)),
    "date32[pyarrow]": dates(arrow(pa.date32(), day_of)),
    "date64[pyarrow]": dates(arrow(pa.date64(), day_of)),
    "objects: date": dates(objects(day_of)),
    "datetime64[s]": instants(lambda days: stamps(days).astype("datetime64[s]")),
    "datetime64[ms]": instants(lambda days: stamps(days).astype("datetime64[ms]")),
    "datetime64[us]": instants(lambda days: stamps(days).astype("datetime64[us]")),
    "datetime64[ns]": instants(lambda days: stamps(days).astype("datetime64[ns]")),
    "datetime64[us, UTC]": instants(lambda days: stamps(days).dt.tz_localize("UTC"), "+00:00"),
    "datetime64, fixed offset": instants(offset, "+01:30", lambda day: 5400.0),
    "datetime64, Oslo": oslo_case(),
    "timestamp[pyarrow]": instants(arrow(pa.timestamp("ms"), lambda day: MIDNIGHT + dt.timedelta(day))),
    "timestamp[pyarrow, UTC]": instants(
        arrow(pa.timestamp("ns", "UTC"), lambda day: (MIDNIGHT + dt.timedelta(day)).replace(tzinfo=dt.UTC)), "+00:00"
    ),
    "objects: datetime": instants(objects(lambda day: MIDNIGHT + dt.timedelta(day))),
    "objects: datetime, aware": instants(
        objects(lambda day: (MIDNIGHT + dt.timedelta(day)).replace(tzinfo=dt.UTC)), "+00:00"
    ),
    "objects: datetime64": instants(objects(lambda day: np.datetime64(START + dt.timedelta(day)))),
    "timedelta64[ns]": durations(lambda days: pd.to_timedelta(days, unit="D").astype("timedelta64[ns]")),
    "timedelta64[s]": durations(lambda days: pd.to_timedelta(days, unit="D").astype("timedelta64[s]")),
    "duration[pyarrow]": durations(arrow(pa.duration("us"), dt.timedelta)),
    "objects: timedelta": durations(objects(dt.timedelta)),
    "longdouble": refused(astype(np.longdouble), "more digits than a double"),
    "complex128": refused(astype(complex), "its modulus"),
    "period": refused(lambda days: stamps(days).dt.to_period("D"), "to_timestamp"),
    "interval": refused(lambda days: pd.Series(pd.arrays.IntervalArray.from_arrays(days, days + 1)), "midpoints"),
    "binary[pyarrow]": refused(arrow(pa.binary(), lambda day: bytes([day])), "decode it"),
    "list[pyarrow]": refused(arrow(pa.list_(pa.int8()), lambda day: [day]), "make it numbers"),
    "struct[pyarrow]": refused(arrow(pa.struct([("a", pa.int8())]), lambda day: {"a": day}), "make it numbers"),
    "time32[pyarrow]": refused(arrow(pa.time32("s"), dt.time), "make it numbers"),
    "null[pyarrow]": refused(arrow(pa.null(), lambda day: None), "no value at all"),
    "objects: None": refused(objects(lambda day: None), "no value at all"),
    "objects: complex": refused(objects(complex), "its modulus"),
    "objects: bytes": refused(objects(lambda day: bytes([day])), "decode it"),
    "objects: lists": refused(objects(lambda day: [day]), "make it numbers"),
    "objects: arrays": refused(objects(lambda day: np.array([day])), "make it numbers"),
    "objects: longdouble": refused(objects(lambda day: np.longdouble(day) / 3), "beyond|more digits"),
    "objects: int and str": refused(objects(lambda day: str(day) if day == 5 else day), "row 5 holds '5', a str"),
    "objects: bool and int": refused(objects(lambda day: day or True), "row 1 holds 1, a int"),
    "objects: date and datetime": refused(
        objects(lambda day: START if day else MIDNIGHT), r"row 0 holds datetime.*, and row 1 holds datetime.date"
    ),
    "objects: naive and aware": refused(
        objects(lambda day: MIDNIGHT if day else MIDNIGHT.replace(tzinfo=dt.UTC)), "some have none"
    ),
}
