"""Remedies find the optimum that a fit missed, say what was wrong, and what a simpler model costs."""

import pickle
import warnings
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from lmerbridge import LmerControl, LmerFit, lmer, load_dataset
from lmerbridge.errors import InvalidArgument, MissingColumns, TimedOut, UnfitData
from lmerbridge.models.change import scaling, simpler
from tests.models.checked import RECORDED, checked

pytestmark = pytest.mark.slow  # each fit is followed by ten
R = RECORDED["remedies"]
OPTIMUM = 1e-5  # of a criterion: optimizers stop within it of one another
LOWER = 1e-3  # a criterion may be so much lower than R's recorded one, which another optimizer missed
SCALES = {  # the case, what the column is made of Days, whether its own columns hold the digits
    "1e5": (lambda days: days * 1e5, True),
    "1e-5": (lambda days: days * 1e-5, True),
    "+3e6": (lambda days: days + 3e6, False),
    "+1000": (lambda days: days + 1000, True),
}


def quietly(formula, data, **given):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return lmer(formula, data, **given)


def on_scale(case, formula="Reaction ~ D + (D | Subject)", **given):
    return quietly(formula, load_dataset("sleepstudy").assign(D=lambda data: SCALES[case][0](data.Days)), **given)


def tried(fit, optimizers=("bobyqa", "nlminbwrap"), **given):
    """The remedies of a fit, which give no warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return fit.remedies(list(optimizers), **given)


@pytest.fixture(scope="module")
def scaled():
    return {case: tried(on_scale(case)) for case in SCALES}


@pytest.mark.parametrize("case", SCALES)
def test_the_optimum_is_found_on_any_scale(case, scaled):
    found, fit = scaled[case], on_scale(case)
    jacobian = 2 * np.log(fit.spec.data.D.std())
    assert found.lowest == pytest.approx(R["scaled"] + jacobian, abs=OPTIMUM)
    assert found.scaled.criterion == pytest.approx(R["scaled"] + jacobian, abs=OPTIMUM)
    assert found.exact == SCALES[case][1]
    assert isinstance(found.best, LmerFit)
    assert ("`scaling`" in found.explain()) == (not found.exact)
    assert not found.truly_singular


@pytest.mark.parametrize("case", SCALES)
def test_estimates_are_mapped_back_to_the_units_of_the_data(case, scaled):
    own, found = checked("sleepstudy"), scaled[case].mapped
    days = np.arange(10.0)
    (shift, unit) = np.polynomial.polynomial.polyfit(days, SCALES[case][0](days), 1)
    to_d = np.array([[1, -shift / unit], [0, 1 / unit]])  # of the coefficients of Days
    np.testing.assert_allclose(found.fixef, to_d @ own.beta, rtol=1e-6)  # the optimizer's digits
    np.testing.assert_allclose(found.vcov, to_d @ own.covariance @ to_d.T, rtol=1e-4)
    np.testing.assert_allclose(found.varcorr["Subject"].cov, to_d @ own.varcorr["Subject"].cov @ to_d.T, rtol=1e-3)
    assert found.varcorr.residual_sd == pytest.approx(own.sigma, rel=1e-5)
    if scaled[case].exact:
        np.testing.assert_allclose(scaled[case].best.beta, found.fixef, rtol=1e-6)


def test_the_case_of_a_column_of_large_numbers_is_told_in_words(scaled):
    found = scaled["1e5"]
    assert found.best.criterion == pytest.approx(1766.65412336, abs=OPTIMUM)
    assert found.gap == pytest.approx(found.fitted.criterion - found.lowest)
    text = found.explain()
    if found.fitted.criterion > 1800:  # where this lme4's default stops
        assert found.fitted.criterion == pytest.approx(R["unscaled"], abs=LOWER)
        assert "stopped 38.4558 above the optimum" in text
        assert "are not to be used" in text
    assert not found.scaled.singular
    assert ("lme4 calls the fit singular, and the model is not" in text) == found.fitted.singular
    assert ("artefact of scale" in text) == (found.fitted.singular and found.best.singular)


def test_the_best_fit_has_all_verbs(scaled):
    best = scaled["1e5"].best
    new = pd.DataFrame({"D": [0.0, 1e6], "Subject": ["308", "308"]})
    own = checked("sleepstudy").predict(new.assign(Days=new.D / 1e5))
    np.testing.assert_allclose(best.predict(new), own, rtol=1e-4)
    assert best.update("Reaction ~ 1 + (1 | Subject)").nobs == 180
    centred = scaled["+3e6"]
    moved = centred.scaling.apply(new.assign(D=new.D / 1e5 + 3e6))
    np.testing.assert_allclose(centred.best.predict(moved), own, rtol=1e-4)


def test_the_best_fit_is_on_scaled_columns_where_no_other_reaches_the_optimum(scaled):
    found = scaled["1e5"]
    kept = tuple(trial for trial in found.trials if trial.remedy in ("as fitted", "centre and scale"))
    fewer = replace(found, trials=kept)
    assert fewer.best is found.scaled.fit
    assert "No fit on the columns as they are reaches it. `best` is therefore the fit on the columns" in fewer.explain()
    assert replace(found, trials=kept[:1]).best is found.fitted.fit


def test_a_column_is_not_centred_where_that_makes_another_model():
    found = tried(on_scale("1e5", "Reaction ~ D + (D || Subject)"))
    assert found.scaling.frame.loc["D", "center"] == 0
    days = checked("double_bar").criterion
    assert found.lowest == pytest.approx(days + 2 * np.log(1e5), abs=OPTIMUM)
    data = load_dataset("sleepstudy").assign(D=lambda data: data.Days * 1e5, x=lambda data: np.arange(180) % 7 + 100.0)
    mixed = tried(quietly("Reaction ~ D + x + (0 + D | Subject)", data))
    assert mixed.scaling.frame["center"].eq(0).to_dict() == {"D": True, "x": False}
    assert np.isfinite(mixed.scaled.criterion)


def test_columns_that_cannot_be_scaled_stay_as_they_are():
    data = load_dataset("sleepstudy").assign(
        whole=lambda data: data.Days.astype("Int64"),
        flag=lambda data: data.Days > 4,
        w=1.0,
        level=lambda data: data.Days,
    )
    fit = quietly("log(Reaction) ~ whole + flag + log(Days + 1) + factor(level) + I(w * 2) + (whole | Subject)", data)
    assert list(scaling.numeric_scaling(fit.spec, fit.rows).frame.index) == ["whole"]  # w has one value
    weighted = quietly("Reaction ~ Days + (1 | Subject)", data.assign(Days=data.Days + 1), weights="Days")
    assert scaling.numeric_scaling(weighted.spec, weighted.rows).frame.empty
    assert weighted.remedies(["bobyqa"]).scaled is None


@pytest.mark.parametrize("reml", [True, False])
def test_the_criterion_on_scaled_columns_is_that_of_the_data(reml):
    data = load_dataset("sleepstudy").assign(x=lambda data: np.sin(np.arange(180)) * 50 + 7)
    data.loc[5, "x"] = np.nan
    formula = "Reaction ~ x * Days + I(x^2) + (Days + x | Subject)"
    fit = quietly(formula, data.dropna(), reml=reml, weights=np.linspace(1, 2, 179))
    found = tried(fit)
    theta = found.mapped.theta
    assert found.digits_lost < 1e-6
    assert fit.deviance_at(theta)[0] == pytest.approx(found.scaled.criterion, abs=1e-6)


def test_a_fit_that_is_fine_has_nothing_to_mend():
    for name in ("sleepstudy", "penicillin", "pastes", "cake", "orthodont"):
        fit = checked(name)
        found = tried(fit)
        assert found.best is fit
        assert found.explain().startswith("Nothing to mend: "), name
        assert found.gap < OPTIMUM


def test_a_fit_that_is_singular_is_not_mended_and_its_simpler_model_costs_nothing():
    fit = checked("singular")
    found = tried(fit)
    assert found.best is fit
    text = found.explain()
    assert "The fit is singular, and nothing mends it" in text
    assert "Of 1 principal component of the random effects of Batch, 0 above zero." in text
    assert "without (1 | Batch): no random term is left: it costs nothing" in text
    (step,) = found.steps
    assert step.criterion == pytest.approx(R["linear"], abs=1e-8)
    assert (step.chisq, step.p_value) == (pytest.approx(0, abs=1e-8), pytest.approx(1))
    assert found.simplest is None


def test_the_ladder_is_r_s_likelihood_ratio_tests():
    found = tried(checked("sleepstudy"))
    for step, recorded in zip(found.steps, (R["without_correlations"], R["without_slope"]), strict=True):
        assert step.chisq == pytest.approx(recorded["chisq"], abs=OPTIMUM)
        assert step.p_value == pytest.approx(recorded["p_value"], rel=1e-4)
        assert step.df == 1
    assert found.simplest.formula == "Reaction ~ Days + (1 | Subject) + (0 + Days | Subject)"
    crossed = tried(checked("penicillin"))
    assert [step.criterion for step in crossed.steps] == [pytest.approx(R["no_plate"], abs=OPTIMUM)]
    assert len(tried(checked("sleepstudy"), alpha=0.9).steps) == 2
    assert tried(checked("sleepstudy"), alpha=0.9).simplest is None


@pytest.mark.parametrize(
    ("formula", "steps"),
    [
        (
            "y ~ x + (1 + x * z | g)",
            ["(1 | g) + (0 + x | g) + (0 + z | g) + (0 + x:z | g)", "(1 | g) + (0 + x | g) + (0 + z | g)"],
        ),
        ("y ~ x + (f | g)", ["(1 | g)", None]),
        ("y ~ x + (0 + f | g)", ["(1 | g)", None]),
        ("y ~ x + (f || g)", ["(0 + f | g)", "(1 | g)"]),
        ("y ~ x + (1 | g) + (z | g:f)", ["(1 | g) + (1 | g:f) + (0 + z | g:f)", "(1 | g) + (1 | g:f)"]),
        ("y ~ x + (`a b` | g)", ["(1 | g) + (0 + `a b` | g)", "(1 | g)"]),
        ("y ~ x + (poly(x, 2) | g)", ["(1 | g) + (0 + poly(x, 2) | g)", "(1 | g)"]),
        ("y ~ 0 + x + offset(z) + (1 | g:f) + (x || g)", ["", ""]),
    ],
)
def test_simpler_models_are_steps_of_the_random_part(formula, steps):
    rng = np.random.default_rng(1)
    data = pd.DataFrame(rng.normal(size=(240, 4)), columns=["y", "x", "z", "a b"])
    data = data.assign(g=np.repeat([f"g{i}" for i in range(20)], 12), f=np.tile(list("abc"), 80))
    data["y"] += rng.normal(size=20).repeat(12) * 2
    data.loc[7, ["x", "a b"]] = np.nan
    if "poly" in formula:
        data = data.fillna(0)
    fit = quietly(formula, data, na_action="exclude")
    found = tried(fit)
    assert all(step.fit is None or step.fit.nobs == fit.nobs for step in found.steps)  # whatever a term left out lacks
    for step, random in zip(found.steps, steps, strict=False):
        if random:
            assert step.remedy.endswith(f" + {random}"), step.remedy
    npar = [fit.npar, *(step.npar for step in found.steps)]
    assert all(later < earlier for earlier, later in pairwise(npar))
    assert found.steps[-1].p_value < 0.05  # the intercepts are there, or a slope by chance


@pytest.mark.parametrize("case", SCALES)
def test_simpler_models_are_tested_on_any_scale(case, scaled):
    whole = R["without_correlations"]["chisq"] + R["without_slope"]["chisq"]
    steps = {step.remedy.partition(":")[0]: step for step in scaled[case].steps}
    alone, last = steps["without (D | Subject)"], steps["without correlations"]
    before = scaled[case].best_trial if last.p_value < 0.05 else last
    assert alone.criterion - scaled[case].lowest == pytest.approx(whole, abs=1e-3)
    assert alone.chisq == pytest.approx(alone.criterion - before.criterion)
    assert alone.p_value < 1e-8


def test_a_simpler_model_is_fitted_to_the_same_rows():
    data = load_dataset("sleepstudy").assign(z=lambda data: np.sin(np.arange(180)))
    data.loc[[3, 60], "z"] = np.nan
    found = tried(quietly("Reaction ~ Days + (z | Subject)", data, na_action="omit"))
    whole = quietly("Reaction ~ Days + (1 | Subject)", data.drop(index=[3, 60]))
    assert found.steps[1].fit.formula == whole.formula
    assert found.steps[1].criterion == pytest.approx(whole.criterion, abs=OPTIMUM)
    assert found.steps[1].fit.nobs == 178


def test_simpler_models_are_found_by_the_columns_that_they_still_have():
    rng = np.random.default_rng(7)
    data = pd.DataFrame({"x": rng.normal(size=300) * 50 + 1000, "n": np.arange(300) % 5, "g": np.repeat(range(30), 10)})
    slopes = rng.normal(size=(30, 2))[data.g]
    data["y"] = rng.normal(size=300) + slopes[:, 0] + (data.x - 1000) / 50 * slopes[:, 1]
    found = tried(quietly("y ~ x + (x + n | g)", data))
    assert found.gap > 1
    assert found.steps[0].fit is not None
    with pytest.raises(MissingColumns, match="scaling names 'n'"):
        found.scaling.apply(data[["x"]])


def test_components_are_told_apart_by_their_names():
    rng = np.random.default_rng(3)
    data = pd.DataFrame(rng.normal(size=(400, 3)), columns=["y", "x", "xb"])
    data = data.assign(
        g=np.repeat(range(40), 10).astype(str), f=np.tile(["a", "b"], 200), f2=np.repeat(["a", "b", "b", "a"], 100)
    )
    data = data.assign(odd=np.where(data.f == "a", "z:v", "w"), f2=rng.permutation(data.f2))
    effects = rng.normal(size=40).repeat(10)
    data["y"] += data.x * effects * 3 + data.xb * effects[::-1] + effects
    fit = quietly("y ~ 1 + (0 + x | g) + (0 + xb | g) + (1 | f2)", data)
    blocks = {bar.lhs: block.terms for bar, block in simpler._pairs(fit, fit.spec.parsed)}
    assert sorted(blocks.values()) == [("(Intercept)",), ("x",), ("xb",)]
    assert simpler.smallest_component(fit, fit.spec.parsed, fit.design()).name in ("(xb | g)", "(1 | f2)")
    fit = quietly("y ~ 1 + (0 + f | g) + (0 + f2 | g)", data)
    pairs = [block.terms for _, block in simpler._pairs(fit, fit.spec.parsed)]
    assert pairs == [("fa", "fb"), ("f2a", "f2b")]
    fit = quietly("y ~ 1 + (odd | g) + (x | g)", data)
    assert len(simpler.without_correlations(fit, fit.spec.parsed)) == 3  # a term that cannot be told stays
    component = simpler.smallest_component(fit, fit.spec.parsed, fit.design())
    assert len(simpler.without_component(fit.spec.parsed, component)) >= 1
    assert tried(fit).steps


def test_a_component_of_zero_goes_before_a_smaller_one():
    fit = checked("sleepstudy")
    component = simpler.smallest_component(fit, fit.spec.parsed, fit.design())
    assert component.name == "(Days | Subject)"
    assert simpler.without_component(fit.spec.parsed, component)[0].group_name == "Subject"


def test_warnings_that_are_false_alarms_are_named_so():
    control = LmerControl(check_conv_grad="warning", optimizer="nloptwrap", opt_ctrl={"maxeval": 25})
    fit = quietly("distance ~ age * Sex + (age | Subject)", load_dataset("Orthodont", "nlme"), control=control)
    found = tried(fit)
    if found.fitted.messages and not fit.converged:
        assert ("false alarms" in found.explain()) == (found.gap <= 1e-3)
    assert found.best_trial.criterion - found.lowest <= 1e-3


def test_a_trial_that_fails_is_in_the_table_with_its_reason():
    fit = quietly("Yield ~ 1 + (1 | Batch)", load_dataset("Dyestuff2"))
    stopped = fit.update(control={"check.conv.singular": "ignore", "optimizer": None, "optCtrl": {}})
    found = tried(stopped)
    assert found.lowest == pytest.approx(fit.criterion)
    assert found.frame.criterion.notna().all()
    strict = quietly(
        "Reaction ~ Days + (Days | Subject)", load_dataset("sleepstudy"), control={"optCtrl": {"maxeval": 5}}
    )
    assert tried(strict).gap >= 0


def test_the_table_has_a_row_per_trial(scaled):
    frame = scaled["1e5"].frame
    assert list(frame.columns) == [
        *("remedy", "npar", "criterion", "gap", "converged", "singular", "messages", "chisq", "df", "p_value")
    ]
    assert frame.remedy.tolist()[:7] == [
        *("as fitted", "restart at the end", "tighter tolerances", "optimizer bobyqa", "optimizer nlminbwrap"),
        *("centre and scale", "start at the scaled optimum"),
    ]
    assert frame.gap.iloc[:7].min() == 0
    assert "very different scales" in frame.messages[0] or "singular" in frame.messages[0]
    assert all(trial.seconds > 0 for trial in scaled["1e5"].trials[1:])


def test_the_result_reads_in_text_and_html_and_survives_pickling(scaled):
    found = pickle.loads(pickle.dumps(scaled["1e5"]))
    assert str(found) == str(scaled["1e5"])
    assert found.best.predict().shape == (180,)
    assert repr(found).startswith("<remedies: 7 fits, 2 simpler models; gap ")
    assert "<table" in found._repr_html_()


def test_what_is_asked_is_checked():
    fit = checked("sleepstudy")
    with pytest.raises(InvalidArgument, match="optimizers is"):
        fit.remedies(["nonsense"])
    with pytest.raises(TimedOut):
        fit.remedies(timeout=1e-3)


def test_a_fit_without_a_criterion_has_no_remedies():
    weights = np.where(np.arange(180) % 9 == 0, 0.0, 1.0)
    fit = lmer("Reaction ~ Days + (1 | Subject)", load_dataset("sleepstudy"), weights=weights)
    with pytest.raises(UnfitData, match=r"criterion of the fit is inf.*leave them out with subset="):
        fit.remedies()


def test_a_simpler_model_is_named_as_a_formula_has_it():
    data = load_dataset("sleepstudy").rename(columns={"Days": "the days", "Subject": "if"})
    found = lmer("Reaction ~ `the days` + (`the days` | `if`)", data).remedies(["bobyqa"])
    assert any(step.remedy.startswith("without (`the days` | `if`):") for step in found.steps)
