"""Columns are scaled by constants that are kept, applied to new data and undone."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmerbridge import load_dataset, standardize
from lmerbridge.errors import InvalidArgument, MissingColumns, UnfitData

R = json.loads(Path(__file__).parents[1].joinpath("cases", "prepare.json").read_text(encoding="utf-8"))["scaled"]
CLOSE = {"rtol": 1e-12, "atol": 1e-13}  # R sums means in long doubles


def test_scales_are_r_s(sleepstudy):
    np.testing.assert_allclose(standardize(sleepstudy, "Days")["Days"], R["sd"], **CLOSE)
    robust = standardize(sleepstudy, "Reaction", center="median", scale="mad")
    np.testing.assert_allclose(robust["Reaction"], R["mad"], **CLOSE)
    np.testing.assert_allclose(standardize(sleepstudy, "Reaction", "Subject")["Reaction"], R["by"], **CLOSE)
    half = standardize(sleepstudy, "Days", scale="2sd")["Days"]
    np.testing.assert_allclose(2 * half, R["sd"], **CLOSE)


def test_constants_are_applied_to_new_data_and_undone(sleepstudy):
    found = standardize(sleepstudy, ["Days", "Reaction"], suffix="_z")
    assert [*found.frame] == [*sleepstudy, "Days_z", "Reaction_z"]
    new = pd.DataFrame({"Days": [0, 4.5], "Reaction": [300.0, None]})
    assert found.apply(new)["Days_z"].to_list() == pytest.approx([-4.5 / found.constants["scale"][0], 0])
    assert found.apply(new)["Reaction_z"].isna().to_list() == [False, True]
    assert [*found.undo()] == [*sleepstudy]
    np.testing.assert_allclose(found.undo()["Reaction"], sleepstudy["Reaction"], rtol=1e-14)


def test_levels_have_constants_of_their_own_and_a_new_level_is_refused():
    frame = pd.DataFrame({"g": ["a:b", "a:b", "a", "a"], "h": ["c", "c", "b:c", "b:c"], "x": [1.0, 3.0, 10.0, 30.0]})
    found = standardize(frame, "x", ["g", "h"])
    assert found.constants["center"].to_list() == [20, 2]
    assert found.constants["level"].is_unique, "a:b:c is two levels"
    assert found.apply(pl.DataFrame({"g": ["a"], "h": ["b:c"], "x": [20]}))["x"].to_list() == [0]
    with pytest.raises(InvalidArgument, match=r"no constants for 2 levels .* leave its rows out"):
        found.apply(frame.assign(h="z"))
    assert np.isnan(found.apply(frame.assign(h=[None, "c", "b:c", "b:c"]))["x"][0])


def test_what_does_not_vary_has_no_scale():
    frame = pd.DataFrame({"g": list("aab"), "x": [1.0, 2.0, 3.0], "c": [5.0] * 3, "t": list("xyz")})
    with pytest.raises(UnfitData, match="'c' has no two values from which"):
        standardize(frame, "c")
    with pytest.raises(UnfitData, match=r"in 1 level of 'g' \('b'\)"):
        standardize(frame, "x", "g")
    assert standardize(frame, "c", scale="none")["c"].to_list() == [0, 0, 0]
    with pytest.raises(InvalidArgument, match=r"'t' of dtype .* holds none"):
        standardize(frame, "t")
    with pytest.raises(InvalidArgument, match="groups and is to be standardized"):
        standardize(frame, "x", "x")
    with pytest.raises(MissingColumns):
        standardize(frame, "x").apply(frame[["g"]])
    with pytest.raises(InvalidArgument, match="has 'x_z' already"):
        standardize(frame.assign(x_z=1), "x", suffix="_z")


def test_a_scaled_predictor_has_the_fit_of_the_raw_one(fits, sleepstudy):
    from lmerbridge import lmer

    scaled = standardize(sleepstudy, "Days")
    fit = lmer("Reaction ~ Days + (1 | Subject)", scaled.frame)
    raw = fits("Reaction ~ Days + (1 | Subject)", "sleepstudy")
    assert fit.fixef["Days"] / scaled.constants["scale"][0] == pytest.approx(raw.fixef["Days"], rel=1e-8)


@pytest.mark.slow
@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20), st.sampled_from(["mean", "median", "none"]))
def test_undo_brings_back_what_was_there(values, center):
    frame = pd.DataFrame({"x": values})
    if np.ptp(values) < 1e-3:
        return
    found = standardize(frame, "x", center=center)
    np.testing.assert_allclose(found.undo()["x"], values, rtol=1e-9, atol=1e-6)
    assert found["x"].std() == pytest.approx(1)
    assert found.apply(frame)["x"].equals(found["x"])


def test_integers_of_r_s_data_sets_are_scaled():
    assert standardize(load_dataset("ChickWeight"), "Time")["Time"].mean() == pytest.approx(0, abs=1e-12)
