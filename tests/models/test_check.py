"""Checks of a fit are R's numbers, and each says what it can tell."""

import pickle

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from scipy import stats

mpl.use("agg")
import matplotlib.pyplot as plt

from lmerbridge import lmer, load_dataset
from lmerbridge.models.diagnose import assumptions
from tests.models.checked import NAMES, RECORDED, checked
from tests.oracle import fitted, plain

EVERY = pytest.mark.parametrize("name", NAMES)
FIT = 1e-4  # another release of lme4 or its optimizer ends at another theta, by up to 1e-6 of it: p-values of residuals
SAME = 1e-9  # one algorithm on the same numbers


@pytest.fixture(scope="module")
def checks():
    return {name: checked(name).check(seed=1) for name in NAMES}


def row(found, check, of):
    (test,) = [test for test in found.tests if (test.check, test.of) == (check, of)]
    return test


def hold(test, recorded, rel=FIT):
    """Hold a test against what R recorded, None for one that is not defined."""
    if recorded is None:
        assert np.isnan(test.statistic)
        assert test.finding.startswith("Not computed")
        return
    for name, value in recorded.items():
        assert getattr(test, name) == pytest.approx(value, rel=rel), name


@EVERY
def test_the_normality_of_residuals_and_of_each_random_effect_is_r_s(name, checks):
    recorded = RECORDED["models"][name]
    hold(row(checks[name], "normality", "residuals"), recorded["residuals"])
    assert recorded["effects"]
    for of, effect in recorded["effects"].items():
        hold(row(checks[name], "normality", of), effect)


@EVERY
def test_the_variance_by_group_is_that_of_levene_s_test_of_car(name, checks):
    for group, recorded in RECORDED["models"][name]["by_group"].items():
        hold(row(checks[name], "equal variance", f"residuals by {group}"), recorded)


@EVERY
def test_the_variance_along_the_fit_is_the_score_test(name, checks):
    test = row(checks[name], "constant variance", "residuals by fitted values")
    hold(test, RECORDED["models"][name]["breusch_pagan"])


@EVERY
def test_outliers_are_those_of_performance(name, checks):
    recorded = RECORDED["models"][name]["outliers"]
    assert checks[name].cook_limit == pytest.approx(recorded["limit"], rel=SAME)
    assert checks[name].outliers.index.tolist() == recorded["rows"]
    told = row(checks[name], "outliers", "rows")
    assert told.statistic == checks[name].cooks_distance.max()
    assert all(str(label) in told.finding for label in recorded["rows"][:10])


@EVERY
def test_variance_inflation_is_that_of_car(name, checks):
    recorded, found = RECORDED["models"][name]["inflation"], checks[name].inflation
    if recorded is None:
        assert found.empty
        assert "collinearity" not in set(checks[name].frame.check)
        return
    assert list(found.index) == recorded["term"]
    assert found["df"].tolist() == recorded["df"]
    np.testing.assert_allclose(found["gvif"], recorded["gvif"], rtol=1e-6)  # a ratio of determinants
    assert checks[name].frame.query("check == 'collinearity'").statistic.tolist() == found["gvif"].tolist()


def test_interactions_come_with_a_warning_of_their_inflation(checks):
    told = {name: [t.finding for t in found.tests if t.check == "collinearity"] for name, found in checks.items()}
    assert all("interactions" in finding for name in ("cake", "orthodont") for finding in told[name])
    assert told["carrots"]
    assert not any("interactions" in finding for finding in told["carrots"])


@pytest.mark.parametrize("name", ["sleepstudy", "cake"])
def test_r_s_own_test_gives_the_same_number_here(name, checks):
    ours = row(checks[name], "normality", "residuals")
    w, p = plain(checked(name), "unlist(stats::shapiro.test(resid(m, scaled = TRUE))[1:2], use.names = FALSE)")
    assert (ours.statistic, ours.p_value) == (
        pytest.approx(w, rel=SAME),
        pytest.approx(p, rel=1e-6),
    )  # scipy's is AS R94


def test_shapiro_is_not_computed_where_it_is_not_defined():
    for n in (2, 5001):
        test = assumptions.normality("residuals", np.random.default_rng(1).normal(size=n))
        assert np.isnan(test.statistic)
        assert f"defined for 3 to 5000 values, here {n}" in test.finding
    assert "all values are one" in assumptions.normality("effects", np.zeros(6)).finding


def test_what_a_test_cannot_tell_is_said():
    rng = np.random.default_rng(1)
    assert "weak evidence" in assumptions.normality("effects", rng.normal(size=18)).finding
    assert "too small to matter" in assumptions.normality("residuals", rng.standard_t(4, 4000)).finding
    grouped = assumptions.equal_variance("g", rng.normal(size=30), np.repeat(np.arange(12), [2] * 6 + [3] * 6))
    assert "6 groups of fewer than 3 rows left out" in grouped.finding
    assert (grouped.df, grouped.df2) == (5, 12)
    assert "two groups" in assumptions.equal_variance("g", rng.normal(size=6), np.repeat([0, 1, 2], 2)).finding


def test_unequal_variances_are_seen_and_equal_ones_are_not():
    rng = np.random.default_rng(2)
    codes, fitted_values = np.repeat(np.arange(10), 40), rng.normal(size=400)
    even = rng.normal(size=400)
    assert assumptions.equal_variance("g", even, codes).p_value > 0.05
    assert assumptions.equal_variance("g", even * (1 + codes), codes).p_value < 1e-6
    assert assumptions.constant_variance(even, fitted_values).p_value > 0.05
    assert assumptions.constant_variance(even * np.exp(fitted_values), fitted_values).p_value < 1e-6


def test_the_score_test_keeps_its_level():
    rng = np.random.default_rng(3)
    p = [assumptions.constant_variance(rng.normal(size=200), rng.normal(size=200)).p_value for _ in range(500)]
    assert 0.02 < np.mean(np.array(p) < 0.05) < 0.09  # of 0.05, five standard errors about


def test_rows_that_are_left_out_keep_their_places():
    data = load_dataset("sleepstudy")
    data = data.assign(Reaction=data.Reaction.where(data.index != 3)).set_index(np.arange(1000, 1180))
    found = lmer("Reaction ~ Days + (Days | Subject)", data, na_action="exclude", subset=np.arange(180) != 9).check()
    whole = lmer("Reaction ~ Days + (Days | Subject)", data.drop(index=[1003, 1009])).check()
    pd.testing.assert_frame_equal(found.frame, whole.frame)
    assert len(found.cooks_distance) == 179  # the subset, and in it the row that lacks a value
    assert found.outliers.equals(whole.outliers)
    assert {1056, 1059} <= set(found.outliers.index)
    plt.close(found.plot(nsim=2)[0].figure)


def test_a_model_without_fixed_effects_or_intercept_is_checked():
    sleepstudy = load_dataset("sleepstudy")
    none = lmer("Reaction ~ 0 + (1 | Subject)", sleepstudy).check()
    assert "outliers" not in set(none.frame.check)
    without = lmer("Reaction ~ 0 + Days + half + (1 | Subject)", sleepstudy.assign(half=sleepstudy.index % 2)).check()
    assert "Without an intercept" in row(without, "collinearity", "Days").finding
    for found in (none, without):
        plt.close(found.plot(nsim=2)[0].figure)


@pytest.mark.parametrize(
    ("name", "panels"), [("sleepstudy", 8), ("penicillin", 8), ("cake", 8), ("singular", 7), ("double_bar", 8)]
)
def test_the_panel_has_a_plot_per_check(name, panels, checks):
    found = checks[name].plot(nsim=3)
    titles = [ax.get_title() for ax in found]
    assert len(titles) == len(set(titles)) == panels
    assert sum(title.startswith("Q-Q: ") for title in titles) == 1 + len(RECORDED["models"][name]["effects"])
    assert any(title.startswith("Collinearity") for title in titles) == (not checks[name].inflation.empty)
    residuals = np.sort(fitted(name).resid(scaled=True)) if name == "sleepstudy" else None
    if residuals is not None:
        assert np.array_equal(found[0].collections[0].get_offsets()[:, 1], residuals)
        assert [text.get_text() for text in found[4].texts] == ["59", "56", "7", "130"]
    plt.close(found[0].figure)


@pytest.mark.slow
def test_the_panel_takes_axes_and_the_seed_draws_the_same(checks):
    axes = plt.subplots(2, 4)[1]
    lines = [checks["sleepstudy"].plot(axes, nsim=2)[5].lines[0].get_ydata() for _ in range(2)]
    assert np.array_equal(*lines)
    plt.close("all")


def test_the_table_reads_in_text_and_html_and_survives_pickling(checks):
    found = pickle.loads(pickle.dumps(checks["sleepstudy"]))
    pd.testing.assert_frame_equal(found.frame, checks["sleepstudy"].frame)
    assert repr(found) == "<check: 6 checks, 3 with evidence against, 4 outliers>"
    assert "Shapiro-Wilk: 0.9015, p 1.408e-09" in str(found)
    assert "<table" in found._repr_html_()
    assert list(found.frame.columns) == ["check", "of", "method", "statistic", "df", "df2", "p_value", "finding"]


def test_rows_of_weight_zero_have_no_residual_to_test():
    """Their Pearson residuals are zeros, which are no draws of a normal distribution."""
    weights = np.where(np.arange(180) % 9 == 0, 0.0, 1.0)
    fit = lmer("Reaction ~ Days + (1 | Subject)", load_dataset("sleepstudy"), weights=weights)
    found = fit.check().frame
    values = fit.resid("pearson", scaled=True)[weights > 0]
    assert found.loc[0, "statistic"] == pytest.approx(stats.shapiro(values).statistic, rel=1e-12)
    assert found.set_index("check").loc["equal variance", "df2"] == 160 - 18
