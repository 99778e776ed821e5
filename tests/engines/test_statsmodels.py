"""statsmodels as an engine: the model lme4 fits, in lme4's words."""

import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

from lmerbridge.engines.statsmodels import Statsmodels, StatsmodelsShared
from lmerbridge.errors import EngineFailed, InvalidArgument, MissingColumns, NotExpressible, TooLarge, UnsafeFormula
from lmerbridge.inputs.spec import Spec
from lmerbridge.results.covariance import split
from lmerbridge.translate.mixedlm import independent

CASES = json.loads(Path(__file__).parents[1].joinpath("cases", "statsmodels.json").read_text(encoding="utf-8"))
FRAMES = {
    **dict.fromkeys(("nested", "nested_in_the_data_only"), "Pastes"),
    "crossed": "Penicillin",
    "interaction_group": "cake",
    "correlated_and_inner": "Oats",
    "factor_slopes": "Machines",
    **dict.fromkeys(("numeric_by_factor", "slopes_within_levels", "intercepts_only"), "Orthodont"),
}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "offset_argument": {"offset": "o"},
    "subset": {"subset": "l"},
    "sum_contrasts": {"contrasts": {"f": "contr.sum"}},
    "helmert_contrasts": {"contrasts": {"f": "contr.helmert"}},
}
EXACT = 1e-9  # relative; the same arithmetic in another order
DEVIANCE = 1e-4  # where statsmodels' optimizer may stop: `agree` in the default profile
SE = 0.02  # joint observed information against lme4's: 1.7e-2 apart at most
SD = 2e-3  # half the digits of the deviance, in units of sigma
MODES = 5e-3  # likewise, in conditional standard deviations of order sigma


@pytest.fixture(scope="module")
def frames(datasets):
    added = pd.DataFrame(CASES["added"])
    added["l"] = added["l"].astype(bool)
    sleepstudy = pd.concat([datasets("sleepstudy"), added], axis=1)
    sleepstudy["stage"] = pd.Categorical((sleepstudy["Days"] // 3).astype(int), ordered=True)
    return lambda name: datasets(FRAMES[name]) if name in FRAMES else sleepstudy


@pytest.fixture(scope="module")
def fitted(frames):
    made = {}

    def fit(name):
        if name not in made:
            case = CASES["models"][name]
            spec = Spec(formula=case["formula"], data=frames(name), reml=case["reml"], **ARGUMENTS.get(name, {}))
            made[name] = Statsmodels().fit(spec), case, spec
        return made[name]

    return fit


@pytest.fixture(params=CASES["models"])
def both(request, fitted):
    fit, case, _ = fitted(request.param)
    return fit, case


def test_terms_have_rs_names_in_rs_order(both):
    fit, case = both
    assert list(fit.terms) == case["terms"]
    assert list(fit.dropped_terms) == case["dropped"]


def test_columns_of_x_are_rs(both):
    fit, case = both
    weights = np.arange(1, fit.nobs + 1)
    scale = np.abs(fit._design.x).T @ weights
    np.testing.assert_allclose((weights @ fit._design.x) / scale, case["x_sums"] / scale, atol=EXACT)


def test_the_criterion_stops_within_tolerance_of_lme4s(both):
    fit, case = both
    assert fit.criterion == pytest.approx(case["criterion"], abs=DEVIANCE)
    assert fit.npar == case["df"]
    assert fit.nobs == case["nobs"]


def test_fixed_effects_are_lme4s(both):
    fit, case = both
    np.testing.assert_allclose((fit.beta - case["beta"]) / case["se"], 0, atol=1e-3)  # sqrt of DEVIANCE at worst
    np.testing.assert_allclose(fit.std_errors, case["se"], rtol=SE)


def test_variances_have_lme4s_names_and_values(both):
    fit, case = both
    names = zip(case["group"], case["term1"], case["term2"], strict=True)
    assert [(r.group, r.term1, r.term2) for r in fit.varcorr.frame.replace({np.nan: None}).itertuples()] == list(names)
    assert [block.name for block in fit.varcorr] == case["blocks"]
    values = fit.varcorr.frame["vcov"].to_numpy()
    scale = np.array(case["vcov"])[-1]
    root = np.sign(values) * np.sqrt(np.abs(values) / scale)
    expected = np.sign(case["vcov"]) * np.sqrt(np.abs(case["vcov"]) / scale)
    np.testing.assert_allclose(root, expected, rtol=SD, atol=SD * 10)


def test_theta_fills_the_factors_of_the_covariances(both):
    fit, _ = both
    widths = [len(block.terms) for block in fit.varcorr]
    for block, root in zip(fit.varcorr, split(fit.theta, widths), strict=True):
        np.testing.assert_allclose(fit.sigma**2 * root @ root.T, block.covariance, rtol=1e-9, atol=1e-12)


def test_modes_have_lme4s_levels_and_values(both):
    fit, case = both
    assert {m.group: list(m.levels) for m in fit.modes} == case["levels"]
    for m in fit.modes:
        weights = np.arange(1, len(m.levels) + 1)
        expected = pd.Series(case["modes"][m.group], index=case["mode_terms"][m.group])
        assert list(m.terms) == list(expected.index)
        found = weights @ m.modes
        np.testing.assert_allclose(found / weights.sum(), expected / weights.sum(), atol=MODES * fit.sigma)


def test_fitted_values_are_lme4s_offset_included(both):
    fit, case = both
    np.testing.assert_allclose(fit.fitted_values[:5], case["fitted"], atol=MODES * fit.sigma)


def test_fitted_and_residual_values_add_up_to_the_response(both):
    fit, _ = both
    np.testing.assert_allclose(fit.fitted_values + fit.residual_values, fit._design.y, rtol=1e-12)


def test_the_design_it_tells_gives_its_fitted_values(both):
    fit, _ = both
    design = fit._design
    effects = [
        fit.ranef[term.group][list(term.terms)].to_numpy().ravel() for term in design.random
    ]  # level by level, as the columns of z
    predicted = design.x @ fit.beta + design.z @ np.concatenate(effects) + design.offset
    np.testing.assert_allclose(predicted, fit.fitted_values, rtol=1e-9, atol=1e-9 * fit.sigma)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES["models"])
def test_the_shared_design_gives_the_same_fit(fitted, name):
    fit, _, spec = fitted(name)
    shared = StatsmodelsShared().fit(replace(spec, design=fit._design))
    assert shared.terms == fit.terms
    assert shared.criterion == pytest.approx(fit.criterion, abs=DEVIANCE)
    assert shared.varcorr.quantities().keys() == fit.varcorr.quantities().keys()
    assert {m.group: m.levels for m in shared.modes} == {m.group: m.levels for m in fit.modes}
    np.testing.assert_allclose(shared.fitted_values, fit.fitted_values, atol=MODES * fit.sigma)


@pytest.mark.slow
def test_the_numbers_are_those_of_the_call_a_user_would_write(datasets):
    dietox = datasets("dietox", "statsmodels")
    fit = Statsmodels().fit(Spec(formula="Weight ~ Time + (Time | Pig)", data=dietox))
    with warnings.catch_warnings(action="ignore"):
        own = smf.mixedlm("Weight ~ Time", dietox, groups="Pig", re_formula="~Time").fit()
    assert float(fit.loglik) == own.llf
    np.testing.assert_array_equal(fit.std_errors, own.bse_fe)
    np.testing.assert_array_equal(fit.varcorr["Pig"].covariance, own.cov_re)
    assert fit.converged == own.converged
    assert any("Retrying MixedLM" in c.text and c.classes == ("ConvergenceWarning",) for c in fit.conditions)
    assert fit.provenance.optimizer.startswith("bfgs, then lbfgs")


def test_rows_are_positions_whatever_the_index(frames):
    data = frames("missing_values").set_index(np.full(180, 7))
    spec = Spec(
        formula="Reaction ~ third + (1 | Subject)",
        data=data,
        subset=np.arange(180) >= 11,
        na_action="exclude",
    )
    fit = Statsmodels().fit(spec)
    missing = np.flatnonzero(data["third"].isna())
    assert fit.rows_dropped == np.sum(missing >= 11)
    np.testing.assert_array_equal(fit.rows, np.setdiff1d(np.arange(11, 180), missing))
    np.testing.assert_array_equal(fit._padded_rows, np.arange(11, 180))
    assert np.isnan(fit.residuals.to_numpy()[missing[missing >= 11] - 11]).all()


def test_a_missing_value_fails_where_it_must(frames):
    spec = Spec(formula="Reaction ~ third + (1 | Subject)", data=frames("missing_values"), na_action="fail")
    with pytest.raises(InvalidArgument, match=r"16 of 180 rows lack a value"):
        Statsmodels().fit(spec)


@pytest.mark.parametrize(
    ("formula", "arguments", "reason"),
    [
        ("Reaction ~ Days + (Days | Subject)", {"weights": "o"}, "no weights"),
        ("Reaction ~ Days + (Days | Subject)", {"start": [1.0]}, "start is an argument of lme4"),
        ("Reaction ~ Days + (Days | Subject)", {"control": {"optimizer": "bobyqa"}}, "control is an"),
        ("Reaction ~ Days + (Days | Subject) + (1 | f)", {}, "crossed factor Subject"),
        ("Reaction ~ Days + (1 | site) + (Days | Subject)", {}, r"\(Intercept\), Days.* Subject"),
        ("Reaction ~ Days + (f | Subject) + (0 + Days + o | Subject)", {}, "a second time on Subject"),
        ("Reaction ~ f + (1 | Subject)", {"contrasts": {"f": "contr.SAS"}}, "contr.SAS"),
        ("Reaction ~ cut(Days, 3) + (1 | Subject)", {}, r"cut\(Days, 3\) has no counterpart"),
        ("Reaction ~ I(f + 1) + (1 | Subject)", {}, "arithmetic on a factor"),
    ],
)
def test_what_mixedlm_has_no_form_for_is_told(frames, formula, arguments, reason):
    with pytest.raises(NotExpressible, match=reason):
        Statsmodels().fit(Spec(formula=formula, data=frames("slopes").astype({"f": "category"}), **arguments))


def test_a_crossed_model_too_large_for_dense_matrices_is_refused_before_it_is_built():
    i = np.arange(20_000)
    data = pd.DataFrame({"y": np.sin(i), "a": i % 2003, "b": i % 1009})
    with pytest.raises(TooLarge, match=r"482 MB and about 5\d\d s"):
        Statsmodels().fit(Spec(formula="y ~ 1 + (1 | a) + (1 | b)", data=data))


def test_the_inputs_errors_are_not_the_engines(frames):
    data = frames("slopes")
    with pytest.raises(MissingColumns, match="'dose'"):
        Statsmodels().fit(Spec(formula="Reaction ~ dose + (1 | Subject)", data=data))
    with pytest.raises(UnsafeFormula):
        Statsmodels().fit(Spec(formula="Reaction ~ I(exec('1')) + (1 | Subject)", data=data))
    with pytest.raises(InvalidArgument, match="design is None"):
        StatsmodelsShared().fit(Spec(formula="Reaction ~ Days + (1 | Subject)", data=data))


def test_an_error_of_statsmodels_has_our_name_and_its_text(frames):
    data = frames("slopes").assign(Reaction=np.tile(np.arange(90.0), 2) * 1e200)
    with pytest.raises(EngineFailed, match="LinAlgError") as caught:
        Statsmodels().fit(Spec(formula="Reaction ~ Days + (1 | Subject)", data=data))
    assert isinstance(caught.value.__cause__, np.linalg.LinAlgError)


def test_columns_that_depend_on_earlier_ones_are_found():
    x = np.column_stack([np.ones(5), np.arange(5.0), 3 * np.arange(5.0) - 1, np.arange(5.0) ** 2, np.zeros(5)])
    assert independent(x) == [0, 1, 3]
    assert independent(x + 1e-5 * np.eye(5)) == [0, 1, 2, 3, 4]
