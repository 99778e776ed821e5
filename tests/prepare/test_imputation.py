"""Missing values are filled level by level; every fill is recorded, and what is there stays."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmerbridge import impute
from lmerbridge.errors import InvalidArgument, LmerBridgeError, MissingColumns, MissingValues

GAPS = pd.DataFrame(
    {
        "g": list("aaabbbc"),
        "x": [1.0, None, 4.0, 5.0, 5.0, None, 9.0],
        "n": pd.array([1, 2, None, 4, None, 4, 0], dtype="Int64"),
        "t": ["u", None, "u", "v", "w", None, "z"],
        "f": pd.Categorical(["lo", "hi", None, None, "hi", "hi", "lo"], categories=["lo", "hi"], ordered=True),
        "b": pd.array([True, True, None, None, False, False, True], dtype="boolean"),
        "d": pd.to_datetime(["2020-01-01", None, "2020-01-03", "2020-02-01", "2020-02-01", None, "2020-03-01"]),
    },
    index=[10, 11, 12, 13, 14, 15, 10],
)
NUMERIC = ["x", "n", "d"]


def test_a_value_is_its_level_s_mean_and_is_recorded():
    found = impute(GAPS, NUMERIC, "g")
    assert found["x"].to_list() == [1, 2.5, 4, 5, 5, 5, 9]
    assert found["n"].to_list() == [1, 2, 1.5, 4, 4, 4, 0]
    assert found["d"].dt.day.to_list() == [1, 2, 3, 1, 1, 1, 1]
    told = found.filled.set_index(["column", "position"])
    assert told.loc[("x", 1), ["row", "level", "value", "observed", "source"]].to_list() == [11, "a", 2.5, 2, "level"]
    assert len(told) == 6
    assert list(found.frame.index) == list(GAPS.index)
    assert GAPS["x"].isna().sum() == 2, "the frame given stays as it is"


def test_a_mean_that_is_whole_keeps_whole_numbers():
    found = impute(GAPS[["g", "n"]].drop(12), "n", "g")
    assert found["n"].dtype == "Int64"
    assert found["n"].iloc[3] == 4


def test_the_mode_is_for_every_kind_and_of_several_the_first():
    found = impute(GAPS, ["x", "n", "t", "f", "b", "d"], "g", "mode").frame
    assert found["t"].to_list() == ["u", "u", "u", "v", "w", "v", "z"]
    assert found["x"].to_list() == [1, 1, 4, 5, 5, 5, 9]
    assert found["f"].to_list() == ["lo", "hi", "lo", "hi", "hi", "hi", "lo"]
    assert found.dtypes.equals(GAPS.dtypes)


def test_a_function_is_given_a_level_s_values():
    assert impute(GAPS, "x", "g", lambda values: values.max())["x"].to_list() == [1, 4, 4, 5, 5, 5, 9]
    for wrong in (lambda values: None, lambda values: values, lambda values: np.nan):
        with pytest.raises(InvalidArgument, match="method returns"):
            impute(GAPS, "x", "g", wrong)
    with pytest.raises(InvalidArgument, match="cannot hold what method returns"):
        impute(GAPS, "f", "g", lambda values: "middling")


def test_a_level_without_a_value_is_refused_or_told():
    frame = pd.DataFrame({"g": ["a", "a", "b", None, "c"], "x": [1.0, 3.0, None, None, 8.0]})
    with pytest.raises(MissingValues, match=r"'x' .* in 1 level of 'g' \('b'\) and in rows without a value of 'g'"):
        impute(frame, "x", "g")
    whole = impute(frame, "x", "g", fallback="overall")
    assert whole["x"].to_list() == [1, 3, 4, 4, 8]
    assert whole.filled[["source", "observed"]].values.tolist() == [["overall", 3]] * 2
    left = impute(frame, "x", "g", fallback="leave")
    assert left.frame.equals(frame)
    assert left.left["row"].to_list() == [2, 3]
    assert left.left["level"].fillna("none").to_list() == ["b", "none"]
    assert "2 values left missing" in str(left)
    with pytest.raises(MissingValues, match="no value in any row"):
        impute(frame.assign(x=np.nan), "x", "g", fallback="overall")


def test_several_columns_group():
    frame = pd.DataFrame({"g": list("aabb"), "h": list("uvuv"), "x": [1.0, 2.0, 3.0, 4.0]}).loc[[0, 1, 2, 3, 0]]
    frame.iloc[4, 2] = np.nan
    assert impute(frame, "x", ["g", "h"])["x"].to_list() == [1, 2, 3, 4, 1]


@pytest.mark.parametrize("column", ["t", "f", "b"])
@pytest.mark.parametrize("method", ["mean", "median"])
def test_what_has_no_mean_is_told(column, method):
    with pytest.raises(InvalidArgument, match="method='mode' is expected"):
        impute(GAPS, column, "g", method)


def test_a_column_does_not_group_and_get_filled():
    with pytest.raises(InvalidArgument, match="groups and is to be filled"):
        impute(GAPS, ["x", "g"], "g")
    with pytest.raises(MissingColumns, match="columns names 'X'"):
        impute(GAPS, "X", "g")


def test_frames_of_polars_are_taken_and_whole_numbers_that_a_double_does_not_hold_stay():
    found = impute(pl.DataFrame({"g": ["a", "a", "a"], "n": [1, 2, None]}), "n", "g").frame
    assert isinstance(found, pd.DataFrame)
    assert found["n"].to_list() == [1, 2, 1.5]
    big = pd.DataFrame({"g": list("aabb"), "n": pd.array([1, None, 2**60 + 1, 2**60 + 1], dtype="Int64")})
    with pytest.raises(LmerBridgeError, match="beyond 2"):
        impute(big, "n", "g")
    assert impute(big, "n", "g", "mode")["n"].to_list() == [1, 1, 2**60 + 1, 2**60 + 1]


VALUES = st.lists(st.tuples(st.sampled_from("abc"), st.none() | st.integers(-9, 9)), min_size=1, max_size=25)


@pytest.mark.slow
@given(VALUES, st.sampled_from(["mean", "median", "mode"]), st.sampled_from(["float64", "Int64", "float32", "object"]))
def test_what_is_there_stays_and_what_is_filled_is_recorded(rows, method, dtype):
    frame = pd.DataFrame({"g": [g for g, _ in rows], "x": pd.Series([x for _, x in rows], dtype=dtype)})
    found = impute(frame, "x", "g", method, fallback="leave")
    there = frame["x"].notna()
    assert (found.frame.loc[there, "x"].astype(float) == frame.loc[there, "x"].astype(float)).all()
    assert sorted([*found.filled["position"], *found.left["position"]]) == list(np.flatnonzero(~there))
    assert found.frame["x"].isna().sum() == len(found.left)
    means = frame["x"].astype(float).groupby(frame["g"]).agg(method if method != "mode" else lambda x: x.mode().get(0))
    for row in found.filled.to_dict("records"):
        assert float(row["value"]) == pytest.approx(means[row["level"]], rel=1e-6 if dtype == "float32" else 1e-12)
        assert float(found.frame["x"].iloc[row["position"]]) == float(row["value"])
