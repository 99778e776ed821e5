"""Any frame that goes to R arrives as R would have made it, and comes back as it was; what cannot go is our error."""

import datetime as dt
import socket
import subprocess
import sys
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from lmerbridge import lmer
from lmerbridge.bridge.from_r.frame import frame_from_r
from lmerbridge.bridge.host import environment
from lmerbridge.bridge.to_r.columns import encode_column
from lmerbridge.bridge.wire import Channel, Table, pack
from lmerbridge.errors import InputError
from tests.chance import examples, generator

EPOCH = dt.datetime(1970, 1, 1)
SECOND = dt.timedelta(seconds=1)
MICROSECOND = dt.timedelta(microseconds=1)
ROWS = 5
NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=6)
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=4)


@dataclass(frozen=True)
class Column:
    """A column, R's source of it, and what it is when it comes back."""

    series: pd.Series
    source: str
    back: object


def r_text(text):
    return '"' + "".join(c if c.isascii() and c.isalnum() else f"\\U{{{ord(c):x}}}" for c in text) + '"'


def r_vector(values, write, missing):
    return f"c({', '.join(missing if value is None else write(value) for value in values)})"


def r_doubles(values):
    return r_vector(values, lambda value: float(value).hex(), "NaN")


def r_factor(values, levels, ordered=False):
    codes = r_vector(values, lambda value: f"{levels.index(value) + 1}L", "NA_integer_")
    classes = 'c("ordered", "factor")' if ordered else '"factor"'
    return f"structure({codes}, levels = {r_vector(levels, r_text, '')}, class = {classes})"


def r_frame(columns):
    parts = ", ".join(c.source for c in columns.values())
    names = r_vector(columns, r_text, "")
    return f'structure(list({parts}), names = {names}, row.names = c(NA, -{ROWS}L), class = "data.frame")'


def series(values, dtype):
    """A column of a dtype; of numpy's where there is no other."""
    return pd.Series(values, dtype=dtype)


def values_of(strategy, least=0):
    """Some rows, each with a value or none; at least so many with one."""
    there = lambda values: sum(value is not None for value in values) >= least  # noqa: E731
    return st.lists(strategy | st.none(), min_size=ROWS, max_size=ROWS).filter(there)


@st.composite
def doubles(draw):
    dtypes = ["float64", "Float64", "double[pyarrow]", object]
    values, dtype = draw(values_of(st.floats(allow_nan=False, allow_infinity=False), 1)), draw(st.sampled_from(dtypes))
    back = np.array([np.nan if value is None else value for value in values], np.float64)
    return Column(series(values, dtype), r_doubles(values), back)


@st.composite
def integers(draw):
    dtypes = ["Int64", "int64[pyarrow]", object]
    values, dtype = draw(values_of(st.integers(-(2**53), 2**53), 1)), draw(st.sampled_from(dtypes))
    back = np.array([np.nan if value is None else value for value in values], np.float64)
    return Column(series(values, dtype), r_doubles(values), back)


@st.composite
def logicals(draw):
    values, dtype = draw(values_of(st.booleans(), 1)), draw(st.sampled_from(["boolean", "bool[pyarrow]", object]))
    source = r_vector(values, lambda value: str(value).upper(), "NA")
    return Column(series(values, dtype), source, pd.array(values, dtype="boolean" if None in values else "bool"))


@st.composite
def texts(draw):
    dtypes = ["str", "string[python]", pd.ArrowDtype(pa.string()), pd.ArrowDtype(pa.string_view()), object]
    values, dtype = draw(values_of(TEXT, 1)), draw(st.sampled_from(dtypes))
    levels = sorted({value for value in values if value is not None})
    return Column(series(values, dtype), r_factor(values, levels), pd.Categorical(values, levels))


@st.composite
def categories(draw):
    levels, ordered = draw(st.lists(TEXT, unique=True, min_size=1, max_size=4)), draw(st.booleans())
    values = draw(values_of(st.sampled_from(levels)))
    made = pd.Categorical(values, pd.Index(levels, dtype="str"), ordered=ordered)
    return Column(pd.Series(made), r_factor(values, levels, ordered), made)


@st.composite
def dates(draw):
    values, dtype = draw(values_of(st.dates(), 1)), draw(st.sampled_from([pd.ArrowDtype(pa.date32()), object]))
    days = [None if value is None else (value - EPOCH.date()).days for value in values]
    return Column(series(values, dtype), f'structure({r_doubles(days)}, class = "Date")', np.array(values, object))


@st.composite
def instants(draw):
    zone = draw(st.sampled_from([None, "UTC", "Europe/Oslo", "America/New_York"]))
    moments = st.datetimes(dt.datetime(1800, 1, 1), dt.datetime(2200, 1, 1))
    values = draw(values_of(moments))
    elapsed = [None if value is None else divmod(value - EPOCH, SECOND) for value in values]
    seconds = [None if e is None else e[0] + (e[1] // MICROSECOND) / 1e6 for e in elapsed]
    utc = pd.Series(pd.DatetimeIndex(values, dtype="datetime64[us]"))
    made = utc if zone is None else utc.dt.tz_localize("UTC").dt.tz_convert(zone)
    arrow = made.astype(pd.ArrowDtype(pa.timestamp("us", zone))) if draw(st.booleans()) else made
    source = f'structure({r_doubles(seconds)}, class = c("POSIXct", "POSIXt"), tzone = "{zone or ""}")'
    return Column(arrow, source, made)


@st.composite
def durations(draw):
    values = draw(values_of(st.timedeltas(dt.timedelta(-36500), dt.timedelta(36500))))
    elapsed = [None if value is None else divmod(value, SECOND) for value in values]
    seconds = [None if e is None else e[0] + (e[1] // MICROSECOND) / 1e6 for e in elapsed]
    made = pd.Series(pd.TimedeltaIndex(values, dtype="timedelta64[us]"))
    return Column(made, f'structure({r_doubles(seconds)}, class = "difftime", units = "secs")', made)


ANY = st.one_of(doubles(), integers(), logicals(), texts(), categories(), dates(), instants(), durations())
FRAMES = st.dictionaries(NAMES, ANY, min_size=1, max_size=4)


@pytest.fixture(scope="module")
def judge():
    """Ask R whether a table is identical to what its own source makes."""
    ours, theirs = socket.socketpair()
    with theirs:
        command = [sys.executable, "-m", "tests.reference_worker", str(theirs.fileno())]
        process = subprocess.Popen(command, pass_fds=[theirs.fileno()], env=environment())
    channel = Channel(ours)

    def ask(table, source):
        channel.send({"table": table, "source": source})
        return channel.receive()

    yield ask
    channel.close()
    assert process.wait(10) == 0


@examples(150)
@given(FRAMES)
def test_a_frame_arrives_as_r_itself_would_make_it_and_comes_back_as_it_was(judge, columns):
    sent = Table({name: encode_column(c.series) for name, c in columns.items()}, ROWS)
    verdict = judge(sent, r_frame(columns))
    assert verdict["identical"]
    assert verdict["owned"]
    expected = pd.DataFrame({i: c.back for i, c in enumerate(columns.values())})
    found = frame_from_r(verdict["frame"])
    assert list(found.columns) == list(columns)
    pd.testing.assert_frame_equal(found.set_axis(range(len(columns)), axis=1), expected, rtol=0, atol=0)


def test_the_judge_would_notice_one_bit(judge):
    table = Table({"x": np.full(ROWS, 0.1)}, ROWS)
    source = lambda value: r_frame({"x": Column(None, r_doubles([value] * ROWS), None)})  # noqa: E731
    assert judge(table, source(0.1))["identical"]
    assert not judge(table, source(np.nextafter(0.1, 1)))["identical"]


LOSSLESS = (
    "float64",
    "float32",
    "Float64",
    "Int64",
    "Int8",
    "int64[pyarrow]",
    "double[pyarrow]",
    "Sparse[float64]",
    object,
)
TEXTUAL = (
    "str",
    "string[python]",
    pd.ArrowDtype(pa.large_string()),
    pd.ArrowDtype(pa.string_view()),
    "category",
    object,
)
N = 24
NOISE = generator(7).normal(size=N)
PLAIN = [f"g{i % 4}" for i in range(N)]


def outcome(frame):
    """The bits of a fit, or the class of our error."""
    try:
        fit = lmer("y ~ x + (1 | g)", frame)
    except InputError as error:
        return type(error)
    return tuple(np.asarray(part).tobytes() for part in (fit.criterion, fit.fixef, fit.fitted)), fit.rows.tolist()


@pytest.mark.slow
@examples(60)
@given(
    st.lists(st.integers(0, 9) | st.none(), min_size=N, max_size=N),
    st.lists(st.booleans(), min_size=N, max_size=N),
    st.sampled_from(LOSSLESS),
    st.sampled_from(TEXTUAL),
    st.sampled_from([pd.DataFrame, pl.from_pandas, pa.Table.from_pandas]),
)
def test_the_same_values_in_any_lossless_dtype_give_the_same_bits(numbers, ungrouped, number, text, library):
    assume(library is pd.DataFrame or number != "Sparse[float64]")
    x = pd.Series(numbers, dtype="float64")
    g = pd.Series([None if no else label for no, label in zip(ungrouped, PLAIN, strict=True)], dtype="str")
    y = pd.Series(x.fillna(0) + NOISE)
    plain = outcome(pd.DataFrame({"y": y, "x": x, "g": g}))
    assert outcome(library(pd.DataFrame({"y": y, "x": series(numbers, number), "g": g.astype(text)}))) == plain


OBJECTS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.decimals(),
    st.fractions(),
    st.complex_numbers(),
    st.text(max_size=3),
    st.binary(max_size=3),
    st.dates(),
    st.times(),
    st.datetimes(timezones=st.none() | st.timezones()),
    st.timedeltas(),
    st.lists(st.integers(), max_size=2),
    st.sampled_from(
        [pd.NA, pd.NaT, np.nan, Decimal("sNaN"), pd.Period("2024"), pd.Interval(0, 1), np.array([1, 2]), {}]
    ),
    npst.scalar_dtypes().flatmap(npst.from_dtype),
)
KINDS_OF_OBJECT = st.lists(OBJECTS, min_size=1, max_size=4)


def categorical(values):
    """A categorical of whatever is hashable among the values."""
    hashable = [value for value in values if not isinstance(value, list | dict | np.ndarray | Decimal)]
    return pd.Series(pd.Categorical(pd.Series(hashable, dtype=object)))


def pandas_makes(values, make=pd.Series):
    """Whether pandas makes a column of values; to sort them it may compare a fraction with an int8, and overflow."""
    try:
        make(values)
    except (TypeError, ValueError, OverflowError):
        return False
    return True


PANDAS_COLUMNS = st.one_of(
    KINDS_OF_OBJECT.map(lambda values: pd.Series(values, dtype=object)),
    OBJECTS.map(lambda value: pd.Series([value, None, value], dtype=object)),
    KINDS_OF_OBJECT.filter(lambda values: pandas_makes(values, categorical)).map(categorical),
    npst.scalar_dtypes().flatmap(lambda dtype: npst.arrays(dtype, 3)).filter(pandas_makes).map(pd.Series),
)


@pytest.mark.slow
@examples(400)
@given(PANDAS_COLUMNS, st.sampled_from(["covariate", "response", "group"]))
def test_nothing_but_our_errors_is_raised_whatever_a_column_holds(series, role):
    try:
        value = encode_column(series, role)
    except InputError:
        return
    pack(value, [])
