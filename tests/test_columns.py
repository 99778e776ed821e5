"""What each kind of pandas column is in R's eyes, and what has no form there."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from lmerbridge.bridge.columns import NA_INTEGER, check_names, column, frame_from_r, table
from lmerbridge.bridge.wire import Factor
from lmerbridge.errors import InputError, InvalidArgument, MissingColumns, UnsupportedColumn

NAN = np.nan
NA = NA_INTEGER
DAY = 86400.0


def objects(*values):
    return pd.Series(values, dtype=object)


def arrow(kind, *values):
    return pd.Series(values, dtype=pd.ArrowDtype(kind))


def categories(values, levels, **how):
    return pd.Series(pd.Categorical(values, levels, **how))


NUMBERS = {  # column -> float64
    "float64": (pd.Series([1.5, NAN, -0.0]), [1.5, NAN, -0.0]),
    "float32": (pd.Series([0.1, NAN], dtype="float32"), [float(np.float32(0.1)), NAN]),
    "Float64": (pd.Series([1.5, None], dtype="Float64"), [1.5, NAN]),
    "Float32": (pd.Series([0.5, None], dtype="Float32"), [0.5, NAN]),
    "int64": (pd.Series([1, -(2**31), 2**53]), [1.0, -(2.0**31), 2.0**53]),
    "int8": (pd.Series([1, -128], dtype="int8"), [1.0, -128.0]),
    "uint64": (pd.Series([2**53], dtype="uint64"), [2.0**53]),
    "Int64": (pd.Series([1, None], dtype="Int64"), [1.0, NAN]),
    "double[pyarrow]": (arrow(pa.float64(), 0.5, None), [0.5, NAN]),
    "int64[pyarrow]": (arrow(pa.int64(), 5, None), [5.0, NAN]),
    "sparse": (pd.Series(pd.arrays.SparseArray([0.0, 2.5, NAN])), [0.0, 2.5, NAN]),
    "objects, integers": (objects(1, np.int64(2), None), [1.0, 2.0, NAN]),
    "objects, floats": (objects(1.5, NAN, pd.NA), [1.5, NAN, NAN]),
    "objects, both": (objects(1, 1.5, None), [1.0, 1.5, NAN]),
    "datetime": (pd.Series([pd.Timestamp("1970-01-02"), pd.NaT]), [DAY, NAN]),
    "datetime, DST fold": (
        pd.to_datetime(pd.Series([1_698_537_600, 1_698_541_200]), unit="s", utc=True).dt.tz_convert("Europe/Oslo"),
        [1_698_537_600.0, 1_698_541_200.0],
    ),
    "datetime, before 1970": (pd.Series([pd.Timestamp("1969-12-31T12:00:00.5")]), [-DAY / 2 + 0.5]),
    "timestamp[pyarrow]": (arrow(pa.timestamp("s"), dt.datetime(1970, 1, 2), None), [DAY, NAN]),
}
LOGICALS = {  # column -> bool, or int32 where one is missing
    "bool": (pd.Series([True, False]), [True, False]),
    "boolean": (pd.Series([True, False], dtype="boolean"), [True, False]),
    "boolean, missing": (pd.Series([True, None, False], dtype="boolean"), [1, NA, 0]),
    "bool[pyarrow]": (arrow(pa.bool_(), True, None), [1, NA]),
    "objects": (objects(True, np.False_), [True, False]),
    "objects, missing": (objects(True, None, False), [1, NA, 0]),
}
FACTORS = {  # column -> codes, labels
    "str": (pd.Series(["b", "a", None], dtype="str"), [1, 0, -1], ["a", "b"]),
    "string": (pd.Series(["b", pd.NA], dtype="string"), [0, -1], ["b"]),
    "string[pyarrow]": (arrow(pa.string(), "b", None, "a"), [1, -1, 0], ["a", "b"]),
    "objects": (objects("b", "a", None, NAN), [1, 0, -1, -1], ["a", "b"]),
    "code points": (pd.Series(["ä", "z", "Z", "a", "_"]), [4, 3, 0, 2, 1], ["Z", "_", "a", "z", "ä"]),
    "empty string": (pd.Series(["", "a"]), [0, 1], ["", "a"]),
    "category": (categories(["lo", "hi", None], ["lo", "hi", "never"]), [0, 1, -1], ["lo", "hi", "never"]),
    "category of int": (categories([10, 2], [10, 2]), [0, 1], ["10", "2"]),
    "category of bool": (categories([True, False], [False, True]), [1, 0], ["False", "True"]),
}
GROUPS = {  # integer columns that only group -> codes, labels
    "int64": (pd.Series([100_000, 2, 10, 2]), [2, 0, 1, 0], ["2", "10", "100000"]),
    "int64 beyond doubles": (pd.Series([2**53 + 1, 2**53]), [1, 0], [str(2**53), str(2**53 + 1)]),
    "Int64": (pd.Series([2, None, 1], dtype="Int64"), [1, -1, 0], ["1", "2"]),
    "objects": (objects(2, None, 1), [1, -1, 0], ["1", "2"]),
}
UNSUPPORTED = {  # column -> part of the remedy
    "complex": (pd.Series([1j]), "modulus"),
    "timedelta": (pd.Series([pd.Timedelta(1)]), "total_seconds"),
    "period": (pd.Series(pd.period_range("2020", periods=2, freq="D")), "convert it"),
    "interval": (pd.Series(pd.interval_range(0, 2)), "convert it"),
    "date[pyarrow]": (arrow(pa.date32(), dt.date(2020, 1, 1)), "convert it"),
    "dictionary[pyarrow]": (arrow(pa.dictionary(pa.int32(), pa.string()), "a"), "convert it"),
    "int64 beyond doubles": (pd.Series([2**53 + 1]), r"beyond 2\*\*53"),
    "longdouble": (pd.Series([1], dtype=np.longdouble), "astype"),
    "objects: int and str": (objects(1, "a"), "mixed-integer objects"),
    "objects: bool and int": (objects(True, 1), "mixed-integer objects"),
    "objects: bool and float": (objects(True, 1.5), "mixed objects"),
    "objects: Decimal": (objects(Decimal(1)), "decimal objects"),
    "objects: date": (objects(dt.date(2020, 1, 1)), "date objects"),
    "objects: lists": (objects([1], [2]), "mixed objects"),
    "objects: bytes": (objects(b"a"), "bytes objects"),
    "objects: huge integers": (objects(2**70, 1), r"beyond 2\*\*53"),
    "objects: an integer a double would round": (objects(2**53 + 1, 0.5), r"beyond 2\*\*53"),
    "objects: nothing": (objects(None, None), "no value at all"),
    "NUL": (objects("a\0b"), "NUL"),
    "lone surrogate": (objects("\ud800"), "surrogate"),
    "NUL in a category": (categories(["a\0"], ["a\0"]), "NUL"),
    "categories of one text": (categories([1, "1"], [1, "1"]), "same text"),
}


def named(cases):
    return pytest.mark.parametrize("case", cases.values(), ids=cases.keys())


@named(NUMBERS)
def test_numbers_become_doubles(case):
    series, expected = case
    found = column(series)
    assert found.dtype == np.float64
    assert found.tobytes() == np.array(expected).tobytes() or np.isnan(expected).any()
    np.testing.assert_array_equal(found, expected)


@named(LOGICALS)
def test_logicals_stay_logical(case):
    series, expected = case
    found = column(series)
    assert found.dtype == (np.int32 if NA in expected else np.bool_)
    np.testing.assert_array_equal(found, expected)


def is_factor(found, codes, labels, ordered=False):
    assert isinstance(found, Factor)
    assert (found.codes.tolist(), list(found.labels), found.ordered) == (codes, labels, ordered)
    assert found.codes.dtype == np.int32


@named(FACTORS)
def test_texts_and_categories_become_factors(case):
    series, codes, labels = case
    is_factor(column(series), codes, labels)
    is_factor(column(series, grouping=True), codes, labels)


def test_an_ordered_category_stays_ordered():
    is_factor(column(categories(["lo"], ["lo", "hi"], ordered=True)), [0], ["lo", "hi"], ordered=True)


@named(GROUPS)
def test_integers_that_only_group_become_factors_in_numeric_order(case):
    series, codes, labels = case
    is_factor(column(series, grouping=True), codes, labels)


@named(UNSUPPORTED)
def test_what_has_no_faithful_form_is_an_error_with_a_remedy(case):
    series, remedy = case
    with pytest.raises(UnsupportedColumn, match=f"^column 'dose' of dtype .*{remedy}"):
        column(series.rename("dose"))


@pytest.mark.parametrize("kind", ["float64", "Float64", "float32", object])
def test_an_infinite_number_names_its_column_and_row(kind):
    series = pd.Series([1, NAN, -np.inf, np.inf], index=list("abcd"), name="dose").astype(kind)
    with pytest.raises(InputError, match=r"'dose' is infinite in 2 rows, first in row 'c'"):
        column(series)


def test_only_the_columns_named_travel():
    frame = pd.DataFrame({"y": [1.0], "x": [1], "unused": [1j]})
    found = table(frame, ["y", "x"], [])
    assert (list(found.columns), found.rows) == (["y", "x"], 1)


def test_a_missing_column_is_named_along_with_those_there_are():
    with pytest.raises(MissingColumns, match=r"names 'z', 'w', .* its columns are 'y', 'x', 3\."):
        check_names(pd.DataFrame({"y": [1], "x": [1], 3: [1]}), ["y", "z", "w"])


@pytest.mark.parametrize("name", ["", "a\0b", "\udc80", "..1", ".weights", ".offset", ".subset"])
def test_a_name_that_r_cannot_hold_or_that_we_use_is_an_error(name):
    with pytest.raises(InvalidArgument, match="rename it"):
        check_names(pd.DataFrame([[1]], columns=pd.Index([name], dtype=object)), [name])


def test_a_duplicate_column_is_an_error_only_where_it_is_named():
    frame = pd.DataFrame([[1, 2, 3]], columns=["y", "x", "x"])
    check_names(frame, ["y"])
    with pytest.raises(InvalidArgument, match="2 columns named 'x'"):
        check_names(frame, ["y", "x"])


def test_nested_column_names_are_an_error():
    with pytest.raises(InvalidArgument, match="MultiIndex"):
        check_names(pd.DataFrame({("a", "b"): [1]}), ["a"])


def test_a_frame_without_rows_is_an_error():
    with pytest.raises(InvalidArgument, match="no rows"):
        table(pd.DataFrame({"y": []}), ["y"], [])


def test_a_column_is_copied_or_sent_as_it_is_and_never_changed():
    frame = pd.DataFrame({"y": [1.0, NAN], "g": pd.Categorical(["a", "b"])})
    before = frame.copy()
    table(frame, ["y", "g"], ["g"])
    pd.testing.assert_frame_equal(frame, before)


def test_columns_come_back_from_r_in_their_kinds():
    kinds = ["double", "integer", "integer", "logical", "logical", "factor", "ordered", "character"]
    integers = lambda *values: np.array(values, np.int32)  # noqa: E731  # R's integers
    vectors = [
        np.array([1.5, NAN]),
        integers(1, 2),
        integers(1, NA),
        integers(1, 0),
        integers(0, NA),
        integers(2, NA),
        integers(1, 2),
        ["a", None],
    ]
    levels = [[], [], [], [], [], ["u", "v"], ["lo", "hi"], []]
    values = {"column.name": list("abcdefgh"), "column.kind": kinds}
    values |= {f"values.{i}": v for i, v in enumerate(vectors, 1)}
    values |= {f"levels.{i}": v for i, v in enumerate(levels, 1)}
    expected = pd.DataFrame(
        {
            "a": [1.5, NAN],
            "b": integers(1, 2),
            "c": pd.array([1, None], dtype="Int32"),
            "d": [True, False],
            "e": pd.array([False, None], dtype="boolean"),
            "f": pd.Categorical(["v", None], ["u", "v"]),
            "g": pd.Categorical(["lo", "hi"], ["lo", "hi"], ordered=True),
            "h": ["a", None],
        }
    )
    pd.testing.assert_frame_equal(frame_from_r(values), expected)
