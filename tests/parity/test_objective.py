"""The sparse objective against lme4's own, and against published values."""

import json
from pathlib import Path

import numpy as np
import pytest

from lmerbridge import lmer
from lmerbridge.engines import find
from lmerbridge.inputs.spec import Spec
from lmerbridge.parity import tolerances
from lmerbridge.parity.cases import suite
from lmerbridge.parity.information import information
from lmerbridge.parity.judge import judge
from lmerbridge.parity.pair import Trial
from lmerbridge.parity.sparse import Objective
from tests import simulated

PUBLISHED = json.loads((Path(__file__).parents[1] / "reference" / "published.json").read_text())
AT_THETA = [row for row in PUBLISHED if row["quantity"].startswith("dev_at_theta")]
AGREE = 1e-9  # relative: both round a sum of n terms, and neither forms X'X of a badly scaled X


@pytest.fixture(scope="module")
def both():
    """For a case: lme4's fit and the sparse objective on its design, made once for all points."""
    made = {}

    def get(case):
        if case.name not in made:
            fit = lmer(case.formula, case.data(), reml=case.reml)
            made[case.name] = fit, Objective(fit.design(), case.reml)
        return made[case.name]

    return get


@pytest.mark.slow
@pytest.mark.parametrize("case", suite(), ids=lambda case: case.name)
def test_both_objectives_agree_at_the_optimum_off_it_and_at_zero(case, both):
    fit, objective = both(case)
    default = np.where(objective.lower == 0, 1.0, 0.0)
    points = np.array(
        [fit.theta, default / objective.scale, 0.7 * fit.theta + 0.2 * default / objective.scale, 0 * fit.theta]
    )
    theirs = fit.deviance_at(points)
    ours = np.array([objective(theta) for theta in points])
    np.testing.assert_allclose(ours, theirs, rtol=AGREE)


@pytest.mark.slow
@pytest.mark.parametrize("row", AT_THETA, ids=lambda row: row["id"])
def test_published_values_at_given_thetas_are_met_to_their_printed_digits(row, datasets):
    theta = np.array([float(v) for v in row["quantity"].partition("[")[2][:-1].split(",")])
    fit = lmer(row["formula"], datasets(row["dataset"], row["r_package"]), reml=row["reml"])
    objective = Objective(fit.design(), row["reml"])
    printed = 10.0 ** (1 - row["digits"]) * 5  # five units of the last printed digit, relative
    np.testing.assert_allclose([objective(theta), fit.deviance_at(theta)[0]], row["value"], rtol=max(printed, 1e-14))


def test_it_gives_lme4s_estimates_at_lme4s_theta(fits):
    fit = fits("Reaction ~ Days + (Days | Subject)", "sleepstudy")
    held = Objective(fit.design(), reml=True).at(fit.theta)
    np.testing.assert_allclose(held.beta, fit.beta, rtol=1e-12)  # linear algebra only
    np.testing.assert_allclose(held.sigma, fit.sigma, rtol=1e-12)
    np.testing.assert_allclose(held.covariance, fit.covariance, rtol=1e-11)
    np.testing.assert_allclose(held.fitted, fit.fitted_values, rtol=1e-11)
    np.testing.assert_allclose(held.modes[0], fit.modes[0].modes, atol=1e-9)


def test_weights_and_offset_count(datasets):
    data = datasets("sleepstudy")
    data["w"] = 0.5 + data["Days"] / 9
    data["o"] = 3.0 * data["Days"] ** 2
    for reml in (True, False):
        fit = lmer("Reaction ~ Days + (Days | Subject)", data, reml=reml, weights="w", offset="o")
        objective = Objective(fit.design(), reml)
        assert objective(fit.theta) == pytest.approx(fit.criterion, rel=1e-12)
        np.testing.assert_allclose(objective.at(fit.theta).fitted, fit.fitted_values, rtol=1e-10)


def test_its_own_polish_finds_lme4s_optimum_from_a_bad_start(fits):
    fit = fits("Reaction ~ Days + (Days | Subject)", "sleepstudy", reml=False)
    objective = Objective(fit.design(), reml=False)
    theta, value = objective.polish(np.array([5.0, -3.0, 4.0]))
    assert value <= fit.criterion + 1e-9  # rounding of a sum of 180 terms
    np.testing.assert_allclose(theta, fit.theta, atol=1e-3)  # half the digits of the deviance


def test_held_estimates_cost_what_the_full_likelihood_says(fits):
    """Against -2 log-likelihood written out with the dense covariance matrix."""
    fit = fits("Reaction ~ Days + (Days | Subject)", "sleepstudy", reml=False)
    design, beta, sigma = fit.design(), fit.beta + np.array([5.0, -1.0]), 1.2 * fit.sigma
    root = np.kron(np.eye(18), [[fit.theta[0], 0], [fit.theta[1], fit.theta[2]]])
    half = design.z.toarray() @ root
    v = sigma**2 * (np.eye(180) + half @ half.T)
    residual = design.y - design.x @ beta
    dense = 180 * np.log(2 * np.pi) + np.linalg.slogdet(v)[1] + residual @ np.linalg.solve(v, residual)
    objective = Objective(design, reml=False)
    held = objective(fit.theta) + objective.excess(fit.theta, beta, sigma)
    assert held == pytest.approx(dense, rel=1e-12)  # rounding of a dense solve


@pytest.mark.slow
def test_joint_information_gives_statsmodels_covariance(sleepstudy):
    """An independent computation of statsmodels' definition: our derivatives against its own."""
    fit = find("statsmodels").fit(Spec(formula="Reaction ~ Days + (Days | Subject)", data=sleepstudy[::2]))
    found = information(Objective(fit.design(), reml=True), fit.theta, fit.beta)
    assert found.definite
    np.testing.assert_allclose(found.fixed, fit.covariance, rtol=1e-9)  # linear algebra only


def test_nothing_cancels_at_a_large_theta(datasets):
    """A variance ratio of 1e6 against the same model fitted as fixed effects: D is linear in log theta there."""
    fit = lmer("Yield ~ 1 + (1 | Batch)", datasets("Dyestuff"))
    objective = Objective(fit.design(), reml=True)
    values = [objective(np.array([theta])) for theta in (1e5, 1e6, 1e7)]
    # REML: 6 log|A| - log|X'V^-1 X| grows by (6 - 1) 2 log 10 a decade
    np.testing.assert_allclose(np.diff(values), 10 * np.log(10), rtol=1e-8)


def test_effects_at_the_best_fixed_effects_are_those_of_theta_alone_and_move_with_them(fits):
    fit = fits("Reaction ~ Days + (Days | Subject)", "sleepstudy")
    objective = Objective(fit.design(), reml=True)
    held = objective.at(fit.theta)
    modes, fitted = objective.effects(fit.theta, held.beta)
    np.testing.assert_allclose(fitted, held.fitted, rtol=1e-11)  # linear algebra only
    np.testing.assert_allclose(modes[0], held.modes[0], atol=1e-9)
    beta = held.beta + np.array([10.0, 0.0])
    modes, fitted = objective.effects(fit.theta, beta)
    assert np.all(modes[0][:, 0] < held.modes[0][:, 0])  # a higher line leaves less above it
    design = fit.design()
    np.testing.assert_allclose(fitted, design.x @ beta + design.z @ modes[0].ravel(), rtol=1e-12)


OPTIMA = {  # by tests/cases/optimum.R, plain R from many starts; lme4's own optimizers all end above
    "slopes 1422": 601.1778776449937,
    "slopes 1993": 222.48905164342483,
    "units 1008": -1338.8908576251215,
}


@pytest.mark.parametrize("name", OPTIMA)
def test_the_best_optimum_known_is_found_where_all_of_lme4s_optimizers_end_in_another_basin(name):
    kind, seed = name.split()
    of_slopes = Spec(formula=simulated.FORMULA, data=simulated.uneven(int(seed)))
    spec = of_slopes if kind == "slopes" else simulated.of_kind(kind, int(seed))
    fit = find("lme4[bobyqa]").fit(spec)
    assert fit.criterion > OPTIMA[name] + 5e-3
    found = judge(Trial(fit, fit.numbers(), ("a", "b"), tolerances.default()))
    assert found.gap["a"] == pytest.approx(fit.criterion - OPTIMA[name], abs=1e-4)  # two codes of x in units of 1e6
