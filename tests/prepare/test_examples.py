"""Analyses as a reader begins them: cars, people's heights, pupils in classes, prepared, fitted and refused rightly."""

import numpy as np
import pandas as pd
import pytest

from lmerbridge import code_levels, demean, explain_formula, group_summary, impute, lmer, load_dataset, standardize
from lmerbridge.errors import UnfitData


def test_miles_per_gallon_by_horsepower_and_transmission():
    cars = load_dataset("mtcars")
    assert group_summary(cars, "am").frame.loc["am", ["levels", "rows"]].to_list() == [2, 32]
    fit = lmer("mpg ~ hp + (1 | am)", cars)
    assert fit.fixef["hp"] == pytest.approx(-0.059279, abs=5e-7)  # as many digits as are known of it
    assert fit.varcorr.frame["sdcor"].to_list() == pytest.approx([3.652549, 2.909196], abs=5e-7)
    assert fit.sigma == pytest.approx(2.909196, abs=5e-7)


def people(repeats):
    rng = np.random.default_rng(1)
    person = np.repeat([f"p{i}" for i in range(10)], repeats)
    height = np.repeat(rng.normal(170, 10, 10), repeats) + rng.normal(0, 1, 10 * repeats)
    weight = 0.9 * height - 90 + np.repeat(rng.normal(0, 5, 10), repeats) + rng.normal(0, 2, 10 * repeats)
    return pd.DataFrame({"person": person, "height": height, "weight": weight})


def test_ten_persons_measured_once_are_refused_and_measured_thrice_fit():
    formula = "weight ~ height + (1 | person)"
    once = explain_formula(formula, people(1))
    assert "group by what repeats" in once.refusals[0]
    with pytest.raises(UnfitData, match="group by what repeats"):
        lmer(formula, people(1))
    assert explain_formula(formula, people(3)).refusals == ()
    assert lmer(formula, people(3)).fixef["height"] == pytest.approx(0.9, abs=0.4)


def pupils():
    """Six schools of three classes, whose labels repeat, four times of measurement, and gaps."""
    rng = np.random.default_rng(2)
    cells = pd.MultiIndex.from_product([list("ABCDEF"), [1, 2, 3], range(6), range(4)])
    data = cells.to_frame(index=False, name=["school", "class", "pupil", "time"])
    unit = data.groupby(["school", "class"]).ngroup()
    data["score"] = 50 + rng.normal(0, 5, 18)[unit] + (2 + rng.normal(0, 1, 18)[unit]) * data["time"]
    data["score"] += rng.normal(0, 3, len(data))
    data["hours"] = rng.normal(5, 1, len(data)) + rng.normal(0, 1, 18)[unit]
    data.loc[data.index[::29], "hours"] = np.nan
    return data


def test_scores_by_time_and_class_from_a_messy_table_to_a_fit():
    raw = pupils()
    summary = group_summary(raw, ["school", "class"])
    assert summary.pairs["labels_repeat"].to_list() == [True]
    coded = code_levels(raw, ["school", "class"], name="unit")
    assert group_summary(coded.frame, ["school", "unit"]).pairs["relation"].to_list() == ["nested"]
    filled = impute(coded.frame, "hours", "unit")
    assert len(filled.filled) == raw["hours"].isna().sum()
    parted = demean(filled.frame, "hours", "unit")
    formula = "score ~ time + hours_within + hours_between + (time | unit)"
    told = explain_formula(formula, parted.frame)
    fit = lmer(formula, standardize(parted.frame, list(parted.within)).frame)
    assert told.npar == fit.npar == 8
    assert fit.fixef["time"] == pytest.approx(2, abs=0.8)
    assert fit.ngrps["unit"] == 18
