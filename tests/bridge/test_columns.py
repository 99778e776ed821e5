"""What R is to see of a column's values: the edges of each kind. Which dtype is of which kind: test_dtypes.py."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from lmerbridge.bridge.to_r.columns import check_names, encode_column, encode_table
from lmerbridge.bridge.wire import ClassVector, Factor, Logical
from lmerbridge.errors import InputError, InvalidArgument, MissingColumns, UnsupportedColumn
from lmerbridge.formula.formula import parse

NAN = np.nan
DAY = 86400.0


def objects(*values):
    return pd.Series(values, dtype=object)


def arrow(kind, *values):
    return pd.Series(values, dtype=pd.ArrowDtype(kind))


def categories(values, levels, **how):
    return pd.Series(pd.Categorical(values, levels, **how))


def times(unit, *values):
    return pd.Series(np.array(values, f"datetime64[{unit}]"))


NUMBERS = {  # column -> float64
    "float64": (pd.Series([1.5, NAN, -0.0]), [1.5, NAN, -0.0]),
    "float32, widened": (pd.Series([0.1, NAN], dtype="float32"), [float(np.float32(0.1)), NAN]),
    "Float64": (pd.Series([1.5, None], dtype="Float64"), [1.5, NAN]),
    "int64": (pd.Series([1, -(2**31), 2**53]), [1.0, -(2.0**31), 2.0**53]),
    "uint64": (pd.Series([2**53], dtype="uint64"), [2.0**53]),
    "Int64": (pd.Series([-(2**53), None], dtype="Int64"), [-(2.0**53), NAN]),
    "int64[pyarrow]": (arrow(pa.int64(), 2**53, None), [2.0**53, NAN]),
    "double[pyarrow]": (arrow(pa.float64(), 0.5, None), [0.5, NAN]),
    "all missing": (pd.Series([None, None], dtype="Int64"), [NAN, NAN]),
    "sparse": (pd.Series(pd.arrays.SparseArray([0.0, 2.5, NAN])), [0.0, 2.5, NAN]),
    "a sum beyond doubles": (pd.Series([1.7e308, 1.7e308]), [1.7e308, 1.7e308]),
    "objects, missing": (objects(1, 1.5, None, NAN, pd.NA, pd.NaT), [1.0, 1.5, NAN, NAN, NAN, NAN]),
    "objects, Decimal": (objects(Decimal("0.10"), None), [0.1, NAN]),
    "decimal128": (arrow(pa.decimal128(18, 15), Decimal("0.123456789012345"), None), [0.123456789012345, NAN]),
}
TIMES = {  # column -> numbers, classes, attributes
    "naive": (times("ns", "1970-01-02", "NaT"), [DAY, NAN], {"tzone": ""}),
    "before 1970": (times("us", "1969-12-31T12:00:00.5"), [-DAY / 2 + 0.5], {"tzone": ""}),
    "beyond 64 bits of ns": (times("s", "0001-01-01", "9999-12-31"), [-719162 * DAY, 2932896 * DAY], {"tzone": ""}),
    "DST fold": (
        pd.Series(pd.to_datetime([1_698_537_600, 1_698_541_200], unit="s", utc=True).tz_convert("Europe/Oslo")),
        [1_698_537_600.0, 1_698_541_200.0],
        {"tzone": "Europe/Oslo"},
    ),
    "fixed offset": (
        objects(dt.datetime(1970, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=-1)))),
        [3600.0],
        {"tzone": "UTC"},
    ),
    "several offsets": (
        objects(*(dt.datetime(1970, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=h))) for h in (-1, 1))),
        [3600.0, -3600.0],
        {"tzone": "UTC"},
    ),
    "date": (objects(dt.date(1, 1, 1), None, dt.date(9999, 12, 31)), [-719162.0, NAN, 2932896.0], {}),
    "duration": (pd.Series(pd.to_timedelta(["-0.25s", None])), [-0.25, NAN], {"units": "secs"}),
}
LOGICALS = {  # column -> codes
    "bool": (pd.Series([True, False]), [1, 0]),
    "boolean": (pd.Series([True, None, False], dtype="boolean"), [1, -1, 0]),
    "bool[pyarrow]": (arrow(pa.bool_(), True, None), [1, -1]),
    "objects": (objects(True, np.False_, None, NAN), [1, 0, -1, -1]),
}
FACTORS = {  # column -> codes, labels
    "str": (pd.Series(["b", "a", None], dtype="str"), [1, 0, -1], ["a", "b"]),
    "string": (pd.Series(["b", pd.NA], dtype="string"), [0, -1], ["b"]),
    "string[pyarrow]": (arrow(pa.string(), "b", None, "a"), [1, -1, 0], ["a", "b"]),
    "objects": (objects("b", "a", None, NAN), [1, 0, -1, -1], ["a", "b"]),
    "code points": (
        pd.Series(["ä", "z", "Z", "a", "_", "\U0001f600", "\ufb01"]),
        [4, 3, 0, 2, 1, 6, 5],
        [*"Z_azäﬁ😀"],
    ),
    "empty string": (pd.Series(["", "a"]), [0, 1], ["", "a"]),
    "category": (categories(["lo", "hi", None], ["lo", "hi", "never"]), [0, 1, -1], ["lo", "hi", "never"]),
    "category of bool": (categories([True, False], [False, True]), [1, 0], ["False", "True"]),
}
GROUPS = {  # columns that only group -> codes, labels
    "int64": (pd.Series([100_000, 2, 10, 2]), [2, 0, 1, 0], ["2", "10", "100000"]),
    "int64 beyond doubles": (pd.Series([2**53 + 1, 2**53]), [1, 0], [str(2**53), str(2**53 + 1)]),
    "Int64": (pd.Series([2**53 + 1, None, 1], dtype="Int64"), [1, -1, 0], ["1", str(2**53 + 1)]),
    "int64[pyarrow]": (arrow(pa.int64(), 2**53 + 1, None, 1), [1, -1, 0], ["1", str(2**53 + 1)]),
    "objects, beyond 64 bits": (objects(2**70, None, 1), [1, -1, 0], ["1", str(2**70)]),
    "whole floats": (pd.Series([100_000.0, NAN, -2.0]), [1, -1, 0], ["-2", "100000"]),
    "floats": (pd.Series([0.1 + 0.2, 1e-4, 100_000.0]), [1, 0, 2], ["1e-04", "0.3", "100000"]),
    "bool": (pd.Series([True, None, False], dtype="boolean"), [1, -1, 0], ["FALSE", "TRUE"]),
    "date": (objects(dt.date(2024, 1, 10), None, dt.date(2024, 1, 9)), [1, -1, 0], ["2024-01-09", "2024-01-10"]),
    "DST fold": (TIMES["DST fold"][0], [0, 1], ["2023-10-29 02:00:00+02:00", "2023-10-29 02:00:00+01:00"]),
    "duration": (pd.Series(pd.to_timedelta(["2D", "1h"])), [1, 0], ["0 days 01:00:00", "2 days 00:00:00"]),
}
UNSUPPORTED = {  # column, role -> part of the remedy
    "int64 beyond doubles": (pd.Series([2**53 + 1]), "covariate", r"beyond 2\*\*53"),
    "Int64 beyond doubles": (pd.Series([2**53 + 1, None], dtype="Int64"), "response", r"beyond 2\*\*53"),
    "huge integers": (objects(2**70, 1), "covariate", r"beyond 2\*\*53"),
    "an integer a double would round": (objects(2**53 + 1, 0.5), "covariate", r"beyond 2\*\*53"),
    "a Decimal a double would round": (objects(Decimal("0.12345678901234567890")), "covariate", "more digits"),
    "seconds a double would round": (times("s", 2**60), "covariate", "a double of seconds"),
    "NUL": (objects("a\0b"), "covariate", "NUL"),
    "lone surrogate": (objects("\ud800"), "group", "surrogate"),
    "NUL in a category": (categories(["a\0"], ["a\0"]), "covariate", "NUL"),
    "categories of one text": (categories([1, "1"], [1, "1"]), "covariate", "same text"),
    "floats of one text": (pd.Series([0.3, 0.1 + 0.2]), "group", "same text"),
}


def named(cases):
    return pytest.mark.parametrize("case", cases.values(), ids=cases.keys())


@named(NUMBERS)
def test_numbers_become_doubles(case):
    series, expected = case
    found = encode_column(series)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(np.signbit(found[found == 0]), np.signbit(np.array(expected)[found == 0]))


@named(TIMES)
def test_times_become_days_or_seconds_with_their_class(case):
    series, expected, attributes = case
    found = encode_column(series)
    classes = {"tzone": ("POSIXct", "POSIXt"), "units": ("difftime",)}
    assert isinstance(found, ClassVector)
    assert found.classes == next((classes[name] for name in attributes), ("Date",))
    assert found.attributes == attributes
    np.testing.assert_array_equal(found.values, expected)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_a_moment_is_the_same_double_in_every_unit(unit):
    series = times("s", "2262-04-11T23:47:16", "1677-09-21T00:12:44", "2024-02-29T12:34:56").astype(
        f"datetime64[{unit}]"
    )
    assert encode_column(series).values.tolist() == [9223372036.0, -9223372036.0, 1709210096.0]


@named(LOGICALS)
def test_logicals_stay_logical(case):
    series, expected = case
    found = encode_column(series)
    assert isinstance(found, Logical)
    assert found.codes.tolist() == expected


def is_factor(found, codes, labels, ordered=False):
    assert isinstance(found, Factor)
    assert (found.codes.tolist(), list(found.labels), found.ordered) == (codes, labels, ordered)
    assert found.codes.dtype == np.int32


@named(FACTORS)
def test_texts_and_categories_become_factors(case):
    series, codes, labels = case
    is_factor(encode_column(series), codes, labels)
    is_factor(encode_column(series, "group"), codes, labels)


def test_an_ordered_category_stays_ordered():
    is_factor(encode_column(categories(["lo"], ["lo", "hi"], ordered=True)), [0], ["lo", "hi"], ordered=True)


@named(GROUPS)
def test_what_only_groups_becomes_a_factor_in_the_order_of_its_values(case):
    series, codes, labels = case
    is_factor(encode_column(series, "group"), codes, labels)


@named(UNSUPPORTED)
def test_what_has_no_faithful_form_is_an_error_with_a_remedy(case):
    series, role, remedy = case
    with pytest.raises(UnsupportedColumn, match=f"^column 'dose' of dtype .*{remedy}"):
        encode_column(series.rename("dose"), role)


@pytest.mark.parametrize("kind", ["float64", "Float64", "float32", object])
def test_an_infinite_number_names_its_column_and_row(kind):
    series = pd.Series([1, NAN, -np.inf, np.inf], index=list("abcd"), name="dose").astype(kind)
    with pytest.raises(InputError, match=r"'dose' is infinite in 2 rows, first in row 'c'"):
        encode_column(series)


def test_only_the_columns_named_travel():
    frame = pd.DataFrame({"y": [1.0], "x": [1], "unused": [1j]})
    found = encode_table(frame, parse("y ~ 1 + (1 | x)"))
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
        encode_table(pd.DataFrame({"y": [], "g": []}), parse("y ~ 1 + (1 | g)"))


def test_a_column_is_copied_or_sent_as_it_is_and_never_changed():
    frame = pd.DataFrame({"y": [1.0, NAN], "g": pd.Categorical(["a", "b"])})
    before = frame.copy()
    encode_table(frame, parse("y ~ 1 + (1 | g)"))
    pd.testing.assert_frame_equal(frame, before)


class Folded(str):
    """A text that equals all that differ from it in case only."""

    __slots__ = ()

    def __eq__(self, other):
        return self.lower() == other.lower()

    def __hash__(self):
        return hash(self.lower())


@pytest.mark.parametrize("missing", [None, NAN, pd.NA, pd.NaT])
def test_a_text_is_what_it_reads_whatever_is_missing_beside_it_and_whatever_it_calls_equal(missing):
    for make in (str, np.str_, Folded):
        factor = encode_column(objects(make("b"), missing, make("a"), make("B"), missing, make("b")))
        assert (factor.codes.tolist(), list(factor.labels)) == ([2, -1, 1, 0, -1, 2], ["B", "a", "b"])
