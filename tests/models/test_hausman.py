"""Fixed or random effects: Mundlak's and Hausman's tests against plm and lme4, and what they refuse."""

import json
from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2
from statsmodels.datasets import grunfeld

from lmerbridge import hausman, lmer, load_dataset, mundlak_test
from lmerbridge.errors import InvalidArgument, UnfitData
from tests.oracle import fitted

BY_PLM = json.loads((Path(__file__).parents[1] / "cases" / "hausman.json").read_text())  # by hausman.R beside it
METHODS = ["swar", "walhus", "amemiya", "nerlove"]
CLOSE = 1e-5  # of REML: theta has half the digits of the deviance, and the statistic is flat in it
SAME = 1e-8  # of formulas without an optimizer: the difference of two covariances loses digits


def firms():
    """Grunfeld's ten firms as plm has them: statsmodels has an eleventh."""
    data = grunfeld.load_pandas().data
    return data[data["firm"] != "American Steel"].astype({"firm": str}).reset_index(drop=True)


@pytest.fixture(scope="module")
def models():
    data, pupils = firms(), load_dataset("MathAchieve", "nlme")
    unbalanced = data.drop(data.index[(data["firm"] == "General Motors") & (data["year"] < 1943)])
    return {
        "grunfeld": lmer("invest ~ value + capital + (1 | firm)", data),
        "unbalanced": lmer("invest ~ value + capital + (1 | firm)", unbalanced),
        "pupils": lmer("MathAch ~ SES + (1 | School)", pupils),
        "constants": lmer("MathAch ~ SES + Minority + Sex + MEANSES + (1 | School)", pupils),
    }


@pytest.mark.parametrize("name", BY_PLM["models"])
def test_the_regression_test_is_that_by_hand(models, name):
    test, theirs = mundlak_test(models[name]), BY_PLM["models"][name]["mundlak"]
    assert test.statistic == pytest.approx(theirs["statistic"], rel=CLOSE)
    assert test.df == theirs["df"]
    assert test.p_value == pytest.approx(chi2.sf(theirs["statistic"], theirs["df"]), rel=1e-4)
    np.testing.assert_allclose(test.frame["estimate"], theirs["estimate"], rtol=1e-5)
    assert test.fit.nobs == models[name].nobs
    np.testing.assert_allclose(test.frame["statistic"], test.frame["estimate"] / test.frame["std_error"])
    if test.df == 1:
        assert test.frame["p_value"].item() == pytest.approx(test.p_value, rel=1e-9)  # z squared is chi-squared


def test_of_grunfelds_data_it_is_plms_and_the_published_one(models):
    test = mundlak_test(models["grunfeld"])
    assert test.statistic == pytest.approx(BY_PLM["grunfeld_aux"], rel=CLOSE)
    assert (test.statistic, test.p_value) == pytest.approx((2.13136620379, 0.344492450928), rel=CLOSE)
    assert test.frame["term"].tolist() == ["value_between", "capital_between"]
    assert str(test).startswith("<Mundlak's test of means by firm: chi-squared 2.131, df 2, p 0.3445>\n")
    with pytest.raises(FrozenInstanceError):
        test.df = 3


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", BY_PLM["models"])
def test_the_classic_statistic_is_plms_by_each_of_its_methods(models, name, method):
    theirs = BY_PLM["models"][name]["methods"][method]
    if theirs is None:
        with pytest.raises(
            InvalidArgument, match="has no form for what is constant in each 'School', such as 'MEANSES'"
        ):
            hausman(models[name], method=method)
        return
    if not theirs["definite"]:  # plm takes the absolute value
        with pytest.raises(UnfitData, match=r"not positive definite.*is no chi-squared"):
            hausman(models[name], method=method)
        return
    test = hausman(models[name], method=method)
    assert test.statistic == pytest.approx(theirs["statistic"], rel=SAME)
    np.testing.assert_allclose(test.frame["random"], theirs["random"], rtol=1e-10)
    assert test.p_value == pytest.approx(chi2.sf(test.statistic, test.df), rel=1e-12)


def test_by_reml_and_by_ml_it_is_of_the_fit_itself(models):
    fit = models["grunfeld"]
    test = hausman(fit)
    assert (test.method, test.df) == ("reml", 2)
    assert test.statistic == pytest.approx(1.791663472, rel=CLOSE)
    by_ml = hausman(fit.refit_ml(), method="ml")
    assert by_ml.statistic == pytest.approx(hausman(fit, method="ml").statistic, rel=CLOSE)
    assert hausman(fit.refit_ml()).statistic == pytest.approx(test.statistic, rel=CLOSE)
    assert "random effects by reml" in str(test)


def test_the_within_estimator_is_least_squares_on_the_levels(models):
    fit = models["constants"]
    data, test = fit.spec.data, hausman(fit, method="nerlove")
    dummies = pd.get_dummies(data["School"].astype(str), dtype=float).to_numpy()
    x = fit.fixed_design(data)[test.frame["term"]].to_numpy()
    beta = np.linalg.lstsq(np.hstack([x, dummies]), data["MathAch"].to_numpy(), rcond=None)[0]
    np.testing.assert_allclose(test.frame["within"], beta[: x.shape[1]], rtol=1e-9)


def test_weights_count_in_means_and_in_the_within_estimator():
    data = firms()
    data["w"] = np.resize([1, 2, 3], len(data))
    fit = lmer("invest ~ value + capital + (1 | firm)", data, weights="w")
    test = hausman(fit)
    centred = {
        name: data[name] - data["firm"].map((data["w"] * data[name]).groupby(data["firm"]).sum() / weight)
        for weight in [data.groupby("firm")["w"].sum()]
        for name in ("invest", "value", "capital")
    }
    root = np.sqrt(data["w"].to_numpy())
    x = np.column_stack([centred["value"], centred["capital"]]) * root[:, None]
    beta = np.linalg.lstsq(x, centred["invest"].to_numpy() * root, rcond=None)[0]
    np.testing.assert_allclose(test.frame["within"], beta, rtol=1e-9)
    with_means = mundlak_test(fit).fit
    np.testing.assert_allclose(with_means.fixef[["value", "capital"]], beta, rtol=1e-6)  # within is within
    with pytest.raises(InvalidArgument, match="method is 'swar', which has no weights"):
        hausman(fit, method="swar")


def test_slopes_several_groups_and_odd_names_are_no_obstacle():
    data = firms().assign(region=lambda frame: frame["firm"].str[0]).rename(columns={"value": "the value"})
    data.loc[3, "capital"] = np.nan
    fit = lmer(
        "invest ~ poly(`the value`, 2) * region + capital + (capital | firm) + (1 | year)",
        data.assign(region=np.where(data["firm"].isin(["IBM", "Chrysler", "Goodyear", "US Steel"]), "a", "b")),
        na_action="omit",
        subset=data["year"] > 1936,
    )
    with pytest.raises(InvalidArgument, match="group is None; one of 'year', 'firm' is expected"):
        mundlak_test(fit)
    test = mundlak_test(fit, group="firm")
    assert test.left_out[-1] == "regionb"
    assert test.frame["term"].iloc[0] == "poly(`the value`, 2)1_between"
    assert test.df == len(test.frame) == 5
    assert test.fit.nobs == fit.nobs


@pytest.mark.parametrize(
    "formula",
    [
        "Reaction ~ Days + (Days | Subject)",
        "Reaction ~ Days + (1 | Subject)",
        "Reaction ~ 1 + (1 | Subject)",
        "Reaction ~ f + (1 | Subject)",
    ],
)
def test_where_means_say_nothing_there_is_no_test(formula):
    data = load_dataset("sleepstudy").assign(f=lambda frame: np.where(frame["Subject"].astype(int) < 340, "a", "b"))
    with pytest.raises(UnfitData, match="nothing to test"):
        mundlak_test(lmer(formula, data))
    if "(1 |" in formula:
        for method in ("reml", *METHODS):
            with pytest.raises(UnfitData, match="nothing to test"):
                hausman(lmer(formula, data), method=method)


def test_means_that_differ_by_rounding_alone_are_none():
    """Of poly() in balanced data the means of all levels are zero, but for rounding."""
    fit = lmer("angle ~ poly(temp, 2) + (1 | replicate)", load_dataset("cake"))
    for test in (mundlak_test, hausman):
        with pytest.raises(UnfitData, match="nothing to test"):
            test(fit)
    data = load_dataset("Orthodont", "nlme").assign(z=np.random.default_rng(1).normal(size=108))
    fit = lmer("distance ~ poly(age, 2) * Sex + z + (age | Subject)", data)
    assert mundlak_test(fit).frame["term"].tolist() == ["z_between"]


def test_a_balanced_predictor_is_left_out_beside_another():
    data = load_dataset("sleepstudy").assign(z=np.random.default_rng(1).normal(size=180))
    fit = lmer("Reaction ~ Days + z + (1 | Subject)", data)
    test = hausman(fit, method="swar")
    assert (test.df, test.left_out) == (1, ("Days",))
    assert test.frame["term"].tolist() == ["z"] == [mundlak_test(fit).frame["term"].item().removesuffix("_between")]
    assert str(test).endswith("Not compared: Days")


def test_a_name_that_is_taken_is_not_taken_again(models):
    data = firms().assign(value_between=1.5)
    data["value_between"] += np.arange(200)
    test = mundlak_test(lmer("invest ~ value + value_between + (1 | firm)", data))
    assert test.frame["term"].iloc[0] == "value_between_"


def test_what_the_classic_test_has_no_form_for_is_refused(models):
    for name in ("sleepstudy", "pastes", "penicillin"):
        with pytest.raises(InvalidArgument, match=r"not one random intercept.*mundlak_test\(fit\) takes any"):
            hausman(fitted(name))
    with pytest.raises(InvalidArgument, match="method is 'stata'; one of 'reml', 'ml', 'swar'"):
        hausman(models["grunfeld"], method="stata")
    with pytest.raises(InvalidArgument, match="fit is a int; a fit of lmer is expected"):
        hausman(1)
    with pytest.raises(UnfitData, match="no predictor varies within the levels of 'Batch' and has means"):
        hausman(lmer("Yield ~ 1 + (1 | Batch)", load_dataset("Dyestuff")))
    no_intercept = lmer("invest ~ 0 + value + (1 | firm)", firms())
    with pytest.raises(InvalidArgument, match="takes an intercept"):
        hausman(no_intercept, method="swar")
    assert hausman(no_intercept).df == 1
