"""The observed information: against central differences, against what engines invert, and where it is none."""

import numpy as np
import pytest

from lmerbridge import Verdict, compare, lmer
from lmerbridge.engines import find
from lmerbridge.inputs import Spec
from lmerbridge.parity import information as module
from lmerbridge.parity.information import information
from lmerbridge.parity.pinned import se_difference
from lmerbridge.parity.sparse import Objective
from tests import simulated

SLOPES = "Reaction ~ Days + (Days | Subject)"
STEP = 1e-4


def differences(function, at):
    """Gradient and Hessian by central differences."""
    steps = STEP * np.maximum(np.abs(at), 1.0)
    moves = np.diag(steps)
    first = np.array([function(at + a) - function(at - a) for a in moves]) / 2 / steps
    second = [[function(at + a + b) - function(at + a - b) - function(at - a + b) + function(at - a - b) for b in moves]
              for a in moves]  # fmt: skip
    return first, np.array(second) / 4 / np.outer(steps, steps)


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize(
    ("formula", "name", "options"),
    [
        (SLOPES, "sleepstudy", {}),
        (SLOPES, "sleepstudy", {"weights": np.tile([0.5, 1.0, 2.0], 60), "offset": np.tile([-9.0, 0.0, 9.0], 60)}),
        ("strength ~ 1 + (1 | batch) + (1 | batch:cask)", "Pastes", {}),
        ("diameter ~ 1 + (1 | plate) + (1 | sample)", "Penicillin", {}),
    ],
)
def test_derivatives_are_those_of_the_criterion_with_beta_and_sigma_held(datasets, formula, name, options, reml):
    fit = lmer(formula, datasets(name), reml=reml, **options)
    objective, p = Objective(fit.design(), reml), len(fit.beta)

    def half(at):
        beta, theta, variance = at[:p], at[p:-1], at[-1]
        return (objective(theta) + objective.excess(theta, beta, np.sqrt(variance))) / 2

    at = np.concatenate([fit.beta + 0.1, 1.1 * fit.theta, [1.2 * fit.sigma**2]])
    found = information(objective, at[p:-1], at[:p], np.sqrt(at[-1])).by("theta")
    gradient, hessian = differences(half, at)
    scale = np.sqrt(np.abs(np.diag(found.matrix)))
    assert np.abs((found.gradient - gradient) / scale).max() < 1e-6  # the error of differences of step 1e-4
    assert np.abs((found.matrix - hessian) / np.outer(scale, scale)).max() < 1e-5


def test_the_information_is_the_same_from_slabs_of_any_width(datasets, monkeypatch):
    fit = lmer("strength ~ 1 + (1 | batch) + (1 | batch:cask)", datasets("Pastes"))
    objective = Objective(fit.design(), reml=True)
    whole = information(objective, fit.theta, fit.beta).matrix
    monkeypatch.setattr(module, "SLAB", 3)
    np.testing.assert_allclose(information(objective, fit.theta, fit.beta).matrix, whole, rtol=1e-12)  # rounding


@pytest.mark.parametrize("parameters", ["relative covariances", "covariances", "theta", "log sd, correlation"])
def test_at_the_optimum_the_fixed_effects_have_one_covariance_whatever_the_parameters(fits, parameters):
    """A change of parameters has no second-order part where the gradient is zero."""
    fit = fits(SLOPES, "sleepstudy")
    found = information(Objective(fit.design(), reml=True), fit.theta, fit.beta)
    np.testing.assert_allclose(found.by(parameters).fixed, found.fixed, rtol=1e-4)  # the gradient at lme4's own stop


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(30))
def test_the_covariance_of_statsmodels_is_this_inverse_wherever_it_stops(seed):
    """Also on the boundary, off the optimum, and where the matrix is not positive definite."""
    fit = find("statsmodels").fit(Spec(formula=simulated.FORMULA, data=simulated.uneven(seed)))
    found = information(Objective(fit.design(), reml=True), fit.theta, fit.beta)
    assert se_difference(fit.covariance, found.fixed) < 1e-5  # rounding of an inverse near the boundary


@pytest.mark.slow
def test_errors_of_an_indefinite_matrix_are_a_faulty_report_and_nothing_stays_unexplained():
    results = [compare(simulated.FORMULA, simulated.uneven(seed)) for seed in range(40)]
    verdicts = {result.verdict for result in results}
    assert Verdict.UNEXPLAINED not in verdicts
    faulty = [result for result in results if result.verdict is Verdict.FAULTY_REPORT]
    assert faulty
    for result in faulty:
        assert (result.worse, "not positive definite" in result.reason) == ("statsmodels", True)
        fit = result.candidate_fit
        objective = Objective(result.reference_fit.design(), reml=True)
        assert not information(objective, fit.theta, fit.beta).definite
