"""Parts between and within groups are datawizard's, and models of them are plm's and lme4's."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmerbridge import demean, lmer, load_dataset
from lmerbridge.errors import InvalidArgument, MissingColumns, UnfitData

CASES = json.loads(Path(__file__).parents[1].joinpath("cases", "prepare.json").read_text(encoding="utf-8"))
PARTS = {"rtol": 1e-12, "atol": 1e-13}  # R sums means in long doubles, and a difference of two loses digits
MODELS = {  # of the high school and beyond data, by the name of the script
    "parted": "mAch ~ ses_within + ses_between + (1 | school)",
    "contextual": "mAch ~ ses + ses_between + (1 | school)",
    "plain": "mAch ~ ses + (1 | school)",
}


def schools(holes):
    """The data, with the script's holes."""
    raw = load_dataset("MathAchieve", "nlme")
    frame = pd.DataFrame({"mAch": raw["MathAch"], "ses": raw["SES"], "school": raw["School"].astype(str)})
    if holes:
        frame.loc[frame.index[::7], "mAch"] = np.nan
        frame.loc[frame.index[2::11], "ses"] = np.nan
    return frame


def some(values):
    return values.to_numpy(float)[::97]


@pytest.mark.parametrize("name", ["hsb", "holes"])
def test_parts_are_over_the_rows_that_a_fit_uses_and_the_fits_are_lme4_s(name):
    expected, frame = CASES[name], schools(name == "holes")
    parted = demean(frame, "ses", "school", formula=MODELS["parted"])
    used = parted.frame[parted.rows & frame["ses"].notna()]
    assert len(used) == expected["rows"]
    for column, values in expected["parts"].items():
        np.testing.assert_allclose(some(used[column]), values, **PARTS)
    for model, formula in MODELS.items():
        fit = lmer(formula, parted.frame, na_action="omit")
        assert list(fit.fixef.index) == expected[model]["term"]
        np.testing.assert_allclose(fit.fixef, expected[model]["estimate"], rtol=1e-7)  # an optimizer ends there
        np.testing.assert_allclose(fit.coefficients["std_error"], expected[model]["se"], rtol=1e-6)


def test_the_slopes_of_the_high_school_data_are_those_published():
    fit = lmer(MODELS["parted"], demean(schools(holes=False), "ses", "school").frame)
    assert fit.fixef[["ses_within", "ses_between"]].to_list() == pytest.approx([2.19117196502, 5.86617380833], rel=1e-8)
    fit = lmer(MODELS["contextual"], demean(schools(holes=False), "ses", "school").frame)
    assert fit.fixef["ses_between"] == pytest.approx(5.86617380833 - 2.19117196502, rel=1e-8)


def test_without_a_model_a_mean_is_over_the_rows_that_have_the_variable():
    found = demean(schools(holes=True), "ses", "school").frame
    for column, values in CASES["own"].items():
        np.testing.assert_allclose(some(found[column]), np.array(values, float), **PARTS)


def test_the_mean_is_over_rows_used_and_not_over_all():
    frame = pd.DataFrame({"g": list("aab"), "x": [1.0, 3.0, 5.0], "y": [1.0, None, 2.0]})
    assert demean(frame, "x", "g")["x_between"].to_list() == [2, 2, 5]
    for how in ({"complete": "y"}, {"complete": ["y"]}, {"formula": "y ~ x_within + x_between + (1 | g)"}):
        found = demean(frame, "x", "g", **how)
        assert found["x_between"].to_list() == [1, 1, 5]
        assert found["x_within"].to_list() == [0, 2, 0]
        assert found.rows.tolist() == [True, False, True]
        assert found.means["rows"].tolist() == [1, 1]


def test_factors_are_parted_level_by_level_as_by_datawizard():
    iris = load_dataset("iris").assign(id=[1 + i % 4 for i in range(150)])
    iris["binary"] = pd.Categorical.from_codes([(i * 7) % 3 % 2 for i in range(1, 151)], ["n", "y"])
    found = demean(iris, ["Sepal.Length", "binary", "Species"], "id")
    assert {*found.between, *found.within} == {*CASES["iris"]}
    for column, values in CASES["iris"].items():
        np.testing.assert_allclose(some(found[column]), values, **PARTS)


@pytest.mark.parametrize("nested", [True, False])
def test_several_groups_have_a_part_each(nested):
    pastes = load_dataset("Pastes").assign(x=np.arange(1, 61) ** 1.5)
    for by in [["batch", "cask"], "batch/cask"] if nested else [["batch", "cask"]]:
        found = demean(pastes, "x", by, nested=None if isinstance(by, str) else nested)
        assert found.nested == nested
        assert list(found.between) == ["x_batch_between", "x_cask_between"]
        for column, values in CASES["nested" if nested else "crossed"].items():
            np.testing.assert_allclose(found[column], values, rtol=1e-11, atol=1e-11)


def test_the_labels_tell_whether_groups_are_nested():
    pastes = load_dataset("Pastes").assign(x=np.arange(1, 61) ** 1.5)
    found = demean(pastes, "x", ["batch", "sample"])
    assert found.nested
    assert "of nested groups" in str(found)
    np.testing.assert_allclose(found["x_sample_between"], CASES["nested"]["x_cask_between"], rtol=1e-11, atol=1e-11)
    assert "of crossed groups" in str(demean(pastes, "x", ["batch", "cask"]))
    with pytest.raises(
        InvalidArgument, match="'sample' is nested in 'batch'; name factors that are nested, the outermost"
    ):
        demean(pastes, "x", ["sample", "batch"])
    with pytest.raises(InvalidArgument, match="say nested=True or False"):
        demean(pastes, "x", ["batch", "sample", "cask"])
    assert not demean(pastes, "x", ["sample", "batch"], nested=False).nested


def test_balanced_within_coefficients_are_plm_s():
    firms = pd.DataFrame({name: CASES["grunfeld"][name] for name in ("firm", "year", "inv", "value", "capital")})
    parted = demean(firms, ["value", "capital"], "firm")
    fixed = " + ".join([*parted.within, *parted.between])
    fit = lmer(f"inv ~ {fixed} + (1 | firm)", parted.frame)
    assert fit.fixef[list(parted.within)].to_list() == pytest.approx(CASES["grunfeld"]["within"], rel=1e-9)
    assert CASES["grunfeld"]["within"] == pytest.approx([0.110123804121, 0.3100653413], rel=1e-10)


ROWS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from([1, 2]), st.none() | st.floats(-1e6, 1e6)),
    min_size=1,
    max_size=30,
)


@pytest.mark.slow
@given(ROWS)
def test_the_parts_sum_to_the_variable_and_what_is_within_has_a_mean_of_zero(rows):
    frame = pd.DataFrame(rows, columns=["g", "h", "x"]).astype({"x": float})
    if frame["x"].isna().all():
        with pytest.raises(UnfitData, match="no row has a value of 'x'"):
            demean(frame, "x", "g")
        return
    one, two = demean(frame, "x", "g"), demean(frame, "x", "g/h")
    for found in (one, two):
        total = found.frame[[*found.between, *found.within]].sum(axis=1, skipna=False)
        np.testing.assert_allclose(total, frame["x"], rtol=1e-9, atol=1e-8)
        assert found.frame[list(frame)].equals(frame)
    assert one["x_within"].groupby(frame["g"]).mean().abs().max() <= 1e-8
    assert one["x_between"].groupby(frame["g"]).nunique().max() == 1


def test_a_level_without_a_row_that_is_used_has_no_part():
    frame = pd.DataFrame({"g": ["a", "b", None], "x": [1.0, None, 2.0]})
    found = demean(frame, "x", "g").frame
    assert found["x_between"].isna().tolist() == found["x_within"].isna().tolist() == [False, True, True]


def test_what_cannot_be_parted_is_told():
    frame = pd.DataFrame(
        {"g": ["a", "b"], "x": [1.0, 2.0], "x_within": [1, 2], "d": pd.to_datetime(["2020-01-01"] * 2)}
    )
    with pytest.raises(InvalidArgument, match="has 'x_within' already; rename it, or give suffix"):
        demean(frame, "x", "g")
    assert demean(frame, "x", "g", suffix_within="_w").within == ("x_w",)
    with pytest.raises(InvalidArgument, match=r"takes columns of numbers, and 'd' of dtype datetime64.* holds none"):
        demean(frame, "d", "g")
    with pytest.raises(InvalidArgument, match="two of the new columns have one name"):
        demean(frame, "x", "g", suffix_within="_a", suffix_between="_a")
    with pytest.raises(MissingColumns, match="'z'"):
        demean(frame.drop(columns="x_within"), "x", "g", formula="z ~ x_within + (1 | g)")
    with pytest.raises(MissingColumns, match="select names 'X'"):
        demean(frame, "X", "g")
    with pytest.raises(InvalidArgument, match=r"is text, of which .* are numbers"):
        demean(pd.DataFrame({"g": list("aabb"), "x": ["1", "2", ".", "3"]}), "x", "g")
