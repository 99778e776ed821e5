"""Models side by side: against performance and R's anova (tests/cases/performance.R), and which lies within which."""

import json
import pickle
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2

from lmerbridge import compare_models, lmer, load_dataset
from lmerbridge.bridge.session import lme4_has, lme4_version
from lmerbridge.errors import InvalidArgument
from tests.models.test_variances import MODELS, fitted

RECORDED = json.loads((Path(__file__).parents[1] / "cases" / "performance.json").read_text())
# by the lme4 of the recording the optimum is the same but for the order of sums; another ends some 1e-5 of theta away
CLOSE = {"rel": 1e-9} if lme4_version() == RECORDED["made_with"]["lme4"] else {"rel": 1e-5}
SLEEP = load_dataset("sleepstudy").assign(
    f=np.resize(list("abc"), 180),
    D=lambda d: 1e5 * d["Days"],
    g=np.repeat(list("uvwxyz"), 30),
    w=lambda d: 1.0 + d["Days"] % 3,
    same=lambda d: "s" + d["Subject"].astype(str),
)


@cache
def fit_of(right, weights=None, reml=True):
    """A model of sleepstudy, fitted once."""
    return lmer(f"Reaction ~ {right}", SLEEP, weights=weights, reml=reml)


def ladder(**options):
    return compare_models(fitted("null"), fitted("line"), fitted("slopes"), names=["m0", "m1", "m2"], **options)


def test_the_ladder_is_that_of_r():
    frame = ladder().frame
    for column in ("chisq", "df", "p_value"):
        theirs = [np.nan if value is None else value for value in RECORDED["ladder"][column]]
        assert np.allclose(frame[column], theirs, rtol=1e-6, equal_nan=True)  # a difference of two near numbers
    assert list(frame["npar"]) == [3, 4, 6]
    assert frame["weight"].sum() == pytest.approx(1)
    assert frame.loc["m1", "weight"] == pytest.approx(np.exp((frame.loc["m2", "aic"] - frame.loc["m1", "aic"]) / 2))
    assert list(frame["reference"]) == ["", "chi2(1)", "chi2(2)"]
    assert 2 * np.diff(frame["loglik"]) == pytest.approx(frame["chisq"].iloc[1:])


@pytest.mark.parametrize("model", MODELS)
def test_numbers_of_a_model_are_those_of_r(model):
    fit, theirs = fitted(model), RECORDED["models"][model]
    frame = compare_models(a=fit, b=fit).frame
    for row in ("a", "b"):
        for name in ("aic", "bic", "loglik"):
            assert frame.loc[row, name] == pytest.approx(theirs["refit"][name], **CLOSE)
        assert frame.loc[row, "sigma"] == pytest.approx(theirs["performance"]["sigma"], **CLOSE)
        assert frame.loc[row, "rmse"] == pytest.approx(theirs["performance"]["rmse"], **CLOSE)
    assert frame["refitted"].all() == (model != "by_ml")
    assert frame.loc["b", "reason"] == "both models have as many parameters"
    assert frame.loc["a", "icc"] == fit.icc().adjusted


@pytest.mark.parametrize("model", MODELS)
def test_without_refits_criteria_are_those_of_performance(model):
    """performance's AIC by ML of a fit by REML is of the estimates by REML, at which the likelihood is not maximal."""
    theirs = RECORDED["models"][model]["performance"]
    frame = compare_models(a=fitted(model), b=fitted(model), refit=False).frame
    assert frame.loc["a", "aic"] == pytest.approx(theirs["aic"], **CLOSE)
    assert frame.loc["a", "bic"] == pytest.approx(theirs["bic"], **CLOSE)
    assert not frame["refitted"].any()


def test_without_refits_of_fits_by_reml_there_is_no_test_and_of_others_there_is():
    by_reml = ladder(refit=False)
    assert by_reml.frame["chisq"].isna().all()
    assert "likelihoods at estimates by REML are not maximal" in by_reml.frame.loc["m1", "reason"]
    small, large = fit_of("1 + (1 | Subject)", reml=False), fit_of("Days + (1 | Subject)", reml=False)
    first, second = (compare_models(small, large, refit=refit) for refit in (True, False))
    assert first.frame.equals(second.frame)
    assert "by maximum likelihood" not in str(first)


NESTED = {  # a model, a larger one, how many of its variances are zero in the first; None where neither is within
    "a fixed effect": ("1 + (1 | Subject)", "Days + (1 | Subject)", 0),
    "a slope": ("Days + (1 | Subject)", "Days + (Days | Subject)", 1),
    "a slope on its own": ("Days + (1 | Subject)", "Days + (Days || Subject)", 1),
    "a slope before the intercept": ("Days + (0 + Days | Subject)", "Days + (Days | Subject)", 1),
    "a correlation": ("Days + (Days || Subject)", "Days + (Days | Subject)", 0),
    "a slope and a fixed effect": ("1 + (1 | Subject)", "Days + (Days | Subject)", 1),
    "two slopes": ("Days + (1 | Subject)", "poly(Days, 2) + (poly(Days, 2) | Subject)", 2),
    "a second slope": ("Days + (Days | Subject)", "poly(Days, 2) + (poly(Days, 2) | Subject)", 1),
    "a slope and a factor": ("Days + (1 | Subject)", "Days + (Days || Subject) + (1 | g)", 2),
    "a coarser factor": ("Days + (1 | Subject)", "Days + (1 | Subject) + (1 | g)", 1),
    "a finer factor": ("Days + (1 | g)", "Days + (1 | Subject) + (1 | g)", 1),
    "an interaction": ("Days + (1 | Subject)", "Days + (1 | Subject) + (1 | Subject:f)", 1),
    "a factor's slopes": ("Days + (1 | Subject)", "Days + (f | Subject)", 2),
    "an interaction in slopes": ("Days + (1 | Subject) + (1 | Subject:f)", "Days + (0 + f | Subject)", 0),
    "another unit": ("Days + (1 | Subject)", "D + (D | Subject)", 1),
    "other labels": ("Days + (1 | same)", "Days + (Days | Subject)", 1),
    "no intercept": ("0 + (1 | Subject)", "1 + (1 | Subject)", 0),
    "another predictor": ("f + (1 | Subject)", "Days + (Days | Subject)", None),
    "another factor": ("Days + (1 | g)", "Days + (Days | Subject)", None),
    "a polynomial without its line": ("Days + (1 | Subject)", "I(Days^2) + (Days | Subject)", None),
    "a correlation of another slope": ("Days + (Days | Subject)", "Days + f + (f || Subject)", None),
}


@pytest.mark.parametrize("case", NESTED)
@pytest.mark.parametrize("turned", [False, True])
def test_a_likelihood_ratio_is_of_nested_models_whichever_comes_first(case, turned):
    small, large, zero = NESTED[case]
    fits = [fit_of(small), fit_of(large)][:: -1 if turned else 1]
    found = compare_models(*fits, names=["a", "b"])
    row = found.frame.loc["b"]
    if zero is None:
        assert np.isnan(row[["chisq", "df", "p_value"]].astype(float)).all()
        assert row["reason"] == "neither model is seen to lie within the other"
        assert f"b: no test, as {row['reason']}." in found.notes
    else:
        assert row["reason"] in (
            "",
            "the larger model's likelihood is below the smaller's: its optimizer stopped short",
        )
        assert row["p_value"] == pytest.approx(chi2.sf(row["chisq"], row["df"]))
        assert row["df"] == abs(np.diff(found.frame["npar"]).item())
        assert any("on its boundary" in note for note in found.notes) == (zero > 0)
    assert np.isfinite(found.frame["aic"]).all()


@pytest.mark.parametrize("case", [case for case, (*_, zero) in NESTED.items() if zero is not None])
def test_on_the_boundary_p_is_of_a_mixture_where_it_is_known(case):
    small, large, zero = NESTED[case]
    if zero > 1:
        with pytest.raises(InvalidArgument, match=f"'a' and 'b' .* {zero} variances of zero.*pb_modcomp"):
            compare_models(fit_of(small), fit_of(large), names=["a", "b"], boundary=True)
        return
    found = compare_models(fit_of(small), fit_of(large), names=["a", "b"], boundary=True)
    row, df = found.frame.loc["b"], found.frame.loc["b", "df"]
    upper = [chi2.sf(row["chisq"], df - 1) if df > 1 else float(row["chisq"] == 0), chi2.sf(row["chisq"], df)]
    assert row["p_value"] == pytest.approx(np.mean(upper) if zero else upper[1])
    assert row["reference"] == (f"0.5 chi2({df - 1:.0f}) + 0.5 chi2({df:.0f})" if zero else f"chi2({df:.0f})")
    assert any("one variance is zero" in note for note in found.notes) == bool(zero)


def test_where_a_further_variance_is_estimated_as_zero_p_of_the_mixture_is_one():
    data = load_dataset("Dyestuff").assign(two=np.tile(list("abc"), 10))
    data["Yield"] -= data.groupby("two")["Yield"].transform("mean")
    small, large = (lmer(f"Yield ~ 1 + (1 | Batch){more}", data, reml=False) for more in ("", " + (1 | two)"))
    row = compare_models(small, large, boundary=True).frame.iloc[1]
    assert row["reference"] == "0.5 chi2(0) + 0.5 chi2(1)"
    assert row["chisq"] == pytest.approx(0, abs=1e-6)
    assert row["p_value"] == pytest.approx(1 if row["chisq"] == 0 else 0.5, abs=1e-3)


@pytest.mark.slow
def test_p_values_on_the_boundary_are_as_often_small_as_they_say():
    """Of 200 data sets without a slope, a tenth have p below 0.1, within three binomial standard errors (0.064)."""
    line, slopes = fit_of("Days + (1 | Subject)", reml=False), fit_of("Days + (Days | Subject)", reml=False)
    drawn = line.simulate(200, seed=2)
    found = [
        compare_models(line.refit(drawn[name]), slopes.refit(drawn[name]), names=["a", "b"], boundary=True).frame
        for name in drawn
    ]
    assert np.mean([frame.loc["b", "p_value"] < 0.1 for frame in found]) == pytest.approx(0.1, abs=0.064)


def test_a_weighted_ladder_is_nested_too():
    frame = compare_models(fit_of("Days + (1 | Subject)", "w"), fit_of("Days + (Days | Subject)", "w")).frame
    assert frame["chisq"].iloc[1] > 0
    assert frame["df"].iloc[1] == 2


def test_missing_rows_do_not_count():
    data = SLEEP.assign(Reaction=SLEEP["Reaction"].mask(SLEEP["Days"] == 4))
    fits = [lmer(f"Reaction ~ {right}", data, weights="w", na_action=how) for right in RIGHTS for how in HOW]
    frame = compare_models(*fits).frame
    assert list(frame["df"].iloc[2::2]) == [1, 2]
    assert np.allclose(frame["rmse"].iloc[::2], frame["rmse"].iloc[1::2])


def test_rows_of_weight_zero_have_no_likelihood():
    fits = [lmer(f"Reaction ~ {right}", SLEEP.assign(w=SLEEP["w"] - 1), weights="w") for right in RIGHTS]
    found = compare_models(*fits)
    assert found.frame["chisq"].isna().all()
    assert "rows of weight zero have no finite likelihood" in found.frame["reason"].iloc[1]
    assert found.frame["icc"].between(0, 1).all()  # lme4 cannot optimize there, and stays near its start


HOW = ("omit", "exclude")
RIGHTS = ("1 + (1 | Subject)", "Days + (1 | Subject)", "Days + (Days | Subject)")


def test_structures_are_nested_where_their_covariances_are():
    if not lme4_has("structured_covariance"):
        pytest.skip("lme4 is older than 2.0-1")
    line, slopes = fit_of("Days + (1 | Subject)"), fit_of("Days + (Days | Subject)")
    diagonal = fit_of("Days + diag(Days | Subject)")
    assert compare_models(line, diagonal, boundary=True).frame["reference"].iloc[1] == "0.5 chi2(0) + 0.5 chi2(1)"
    assert compare_models(diagonal, slopes, boundary=True).frame["reference"].iloc[1] == "chi2(1)"
    by_day = fit_of("f + ar1(0 + f | Subject)")
    more = fit_of("Days + f + ar1(0 + f | Subject)")
    assert compare_models(by_day, more).frame["reference"].iloc[1] == "chi2(1)"
    assert "neither" in compare_models(fit_of("f + (1 | Subject)"), by_day).frame["reason"].iloc[1]


SMALLER = SLEEP.iloc[5:]
UNLIKE = {  # what makes two fits others, and what the error says
    "rows": (lambda: lmer("Reaction ~ Days + (1 | Subject)", SMALLER), "of 180 and 175 rows.*dropna"),
    "response": (lambda: lmer("log(Reaction) ~ Days + (1 | Subject)", SLEEP), "differ in the response"),
    "order": (lambda: lmer("Reaction ~ Days + (1 | Subject)", SLEEP.iloc[::-1]), "differ in the response; .*one order"),
    "weights": (lambda: fit_of("Days + (1 | Subject)", "w"), "differ in the weights"),
    "offset": (lambda: lmer("Reaction ~ Days + (1 | Subject)", SLEEP, offset="w"), "differ in the offset"),
}


@pytest.mark.parametrize("what", UNLIKE)
def test_fits_of_other_data_are_refused(what):
    other, told = UNLIKE[what]
    with pytest.raises(InvalidArgument, match=f"'a' and 'b' .*({told})"):
        compare_models(a=fit_of("Days + (1 | Subject)"), b=other())


WRONG = {
    "nothing": (lambda fit: compare_models(), "given 0 fits; two fits or more"),
    "one": (compare_models, "given 1 fit; two"),
    "a frame": (lambda fit: compare_models(fit, SLEEP), "given a DataFrame; fits of lmer"),
    "a formula": (lambda fit: compare_models(fit, "y ~ x"), "given a str; fits of lmer"),
    "an unknown option": (lambda fit: compare_models(fit, fit, boundry=True), "given a bool"),
    "too few names": (lambda fit: compare_models(fit, fit, names=["a"]), "2 different names"),
    "one name twice": (lambda fit: compare_models(fit, fit, names=["a", "a"]), "2 different names"),
    "a name": (lambda fit: compare_models(fit, fit, names="a"), "2 different names"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_call_is_refused(case):
    call, told = WRONG[case]
    with pytest.raises(InvalidArgument, match=told):
        call(fit_of("Days + (1 | Subject)"))


def test_models_go_by_names_keywords_or_formulas():
    small, large = fit_of("1 + (1 | Subject)"), fit_of("Days + (1 | Subject)")
    assert list(compare_models(small, large).frame.index) == [small.formula, large.formula]
    assert list(compare_models(small, slope=large).frame.index) == [small.formula, "slope"]
    assert list(compare_models(small, large, names=("x", "y")).frame.index) == ["x", "y"]
    assert list(compare_models(small, small).frame.index) == [f"{small.formula} [{i}]" for i in (1, 2)]


def test_the_result_is_frozen_and_shows_its_table():
    found = ladder()
    text, html = str(found), found._repr_html_()
    assert text.splitlines()[0].split()[:5] == ["npar", "AIC", "(ML)", "BIC", "(ML)"]
    assert "AIC, BIC and likelihood of all models are by maximum likelihood, of their refits." in text
    assert "<table" in html
    assert pickle.loads(pickle.dumps(found)).frame.equals(found.frame)
    assert isinstance(found.frame, pd.DataFrame)
    with pytest.raises(AttributeError):
        found.boundary = True
