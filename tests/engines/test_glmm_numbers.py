"""Generalized models by each engine: its log-likelihood by its own definition, and its estimates."""

import math

import numpy as np
import pytest

from lmerbridge.bridge.session import lme4_version
from lmerbridge.parity.glmm import Glmm
from lmerbridge.results import Family
from lmerbridge.setup.compat import Range
from tests.engines.glmms import fit_of, spec_of
from tests.exact import bits_of, numbers, plain_numbers

EXACT = "gpboost[cholesky]"
MENDED = lme4_version() in Range("2.1-0")  # its inner iterations converge, and quadrature has all constants
EXPECTED, OBSERVED = ("lme4[tight]", "mixedlm", "interlace"), ("glmmTMB", "glmm", EXACT)
# Log-likelihoods by Laplace's approximation with expected and with observed second derivatives of the density, all
# constants in them: the converged ones of lme4 and of glmmTMB, which an independent program in numpy has to 1e-8.
LOGLIK = {
    "logit": (-92.026281865, -92.026281865),  # a canonical link has one of them
    "ticks": (-890.271330087, -890.271330087),
    "probit": (-92.621223315, -92.583337703),
    "cloglog": (-91.802037821, -91.758002018),
    "shape": (-889.971893145, -890.203497438),
    "estimated shape": (-889.971893142, -890.203497435),
    "gamma": (math.nan, -883.578336699),
}
NEAR = {  # how far an engine's log-likelihood may lie off
    "lme4[tight]": 3e-6 if MENDED else 3e-7,  # Nelder and Mead's simplex ends where the likelihood has 8 digits
    "mixedlm": 1e-8,
    "interlace": 1e-8,
    "glmmTMB": 2e-7,  # nlminb ends where a relative 1e-10 is left
    "glmm": 1e-8,
    EXACT: 2e-4,  # it stops where its likelihood changes by less than 1e-6 of its value
}
ESTIMATES = {  # model: intercept and theta by expected weights, and by observed ones
    "logit": (((-1.398532,), (0.6422614,)), ((-1.398532,), (0.6422614,))),
    "probit": (((-0.835477,), (0.337992,)), ((-0.831849,), (0.338635,))),
    "cloglog": (((-1.525981,), (0.586687,)), ((-1.532096,), (0.585898,))),
    "ticks": (((0.372782,), (0.541509, 0.750034, 0.528720)),) * 2,
    "shape": (((0.528547,), (0.901034,)), ((0.567370,), (0.900307,))),
    "estimated shape": (((0.528538,), (0.901050,)), ((0.567369,), (0.900308,))),
    "gamma": (((math.nan,), (math.nan,)), ((5.533945,), (0.124587,))),
}
DIGITS = {"lme4[tight]": 4e-5, "glmmTMB": 1e-4, EXACT: 1e-3}  # the root of what NEAR leaves, of an estimate; else 2e-5
LACK = {  # model, engine: what its package cannot fit; what is said of it stands in test_glmm_refusals.py
    *(("probit", "interlace"), ("cloglog", "interlace"), ("cloglog", EXACT), ("shape", "glmm"), ("shape", EXACT)),
    *(("estimated shape", "mixedlm"), ("estimated shape", "interlace"), ("gamma", "mixedlm"), ("gamma", "interlace")),
    ("gamma", "lme4[tight]"),  # its likelihood of a family with a dispersion is none
}
FITTED = [
    pytest.param(model, engine, marks=[pytest.mark.slow] * (engine in ("mixedlm", "interlace")), id=f"{model}-{engine}")
    for model in LOGLIK
    for engine in (*EXPECTED, *OBSERVED)
    if (model, engine) not in LACK
]
DEFAULTS = {"logit": -92.026566390, "ticks": -890.271353493, "estimated shape": -889.972022921}  # by glmer before 2.1


@pytest.mark.parametrize(("model", "engine"), FITTED)
def test_an_engine_has_the_likelihood_of_its_definition_and_its_estimates(model, engine):
    fit, which = fit_of(model, engine), engine in OBSERVED
    assert float(fit.loglik) == pytest.approx(LOGLIK[model][which], abs=NEAR[engine])
    (intercept,), theta = ESTIMATES[model][which]
    assert fit.beta[0] == pytest.approx(intercept, abs=DIGITS.get(engine, 2e-5))
    np.testing.assert_allclose(fit.theta, theta, atol=DIGITS.get(engine, 2e-5))
    assert (fit.engine, fit.kind, fit.reml) == (engine, spec_of(model).kind, False)


@pytest.mark.parametrize(("model", "engine"), FITTED)
def test_what_an_engine_reports_is_the_common_objective_at_its_own_estimates(model, engine):
    fit = fit_of(model, engine)
    of = Family(fit.kind.family, fit.kind.link, None if math.isnan(fit.nb_theta) else fit.nb_theta)
    shape = None if math.isnan(fit.nb_theta) else fit.nb_theta
    objective = Glmm(fit.design(), of, weights="observed" if engine in OBSERVED else "expected")
    own = fit.sigma**2 if model == "gamma" else shape
    value = objective(fit.theta, fit.beta, own)
    assert fit.criterion == pytest.approx(value, abs=1e-4 if engine == EXACT else 5e-6)  # left by inner iterations
    solution = objective.at(fit.theta, fit.beta, own)
    np.testing.assert_allclose(fit.fitted_values, solution.fitted, rtol=2e-3)
    np.testing.assert_allclose(fit.residual_values, solution.deviance_residuals, atol=5e-3)


@pytest.mark.parametrize(("model", "reported"), DEFAULTS.items())
def test_glmer_by_default_reports_a_likelihood_that_its_estimates_do_not_have_before_lme4_2(model, reported):
    default, tight = fit_of(model, "lme4"), fit_of(model, "lme4[tight]")
    short = float(tight.loglik) - float(default.loglik)
    if MENDED:
        assert short < 2e-5
    else:
        assert short > 1e-5
        assert float(default.loglik) == pytest.approx(reported, abs=1e-6)
    np.testing.assert_allclose(default.beta, tight.beta, atol=1e-3)


def test_standard_errors_of_default_glmer_are_up_to_a_percent_too_small_before_lme4_2():
    default, tight, tmb = (fit_of("logit", engine).std_errors for engine in ("lme4", "lme4[tight]", "glmmTMB"))
    small = np.zeros(4) if MENDED else np.array([0.0054, 0.0115, 0.0118, 0.0128])
    np.testing.assert_allclose(tight / default - 1, small, atol=1e-5 if MENDED else 1e-3)
    np.testing.assert_allclose(tight, tmb, rtol=1e-5)


@pytest.mark.parametrize(("model", "call"), [
    ("logit", "cbind(incidence, size - incidence) ~ period + (1 | herd), d, binomial"),
    ("probit", "cbind(incidence, size - incidence) ~ period + (1 | herd), d, binomial('probit')"),
    ("ticks", "TICKS ~ YEAR + scale(HEIGHT) + (1 | BROOD) + (1 | INDEX) + (1 | LOCATION), d, poisson"),
    ("nine nodes", "cbind(incidence, size - incidence) ~ period + (1 | herd), d, binomial, nAGQ = 9"),
])  # fmt: skip
def test_tight_numbers_are_the_bits_of_glmer_with_the_tolerance_that_is_told(model, call, tmp_path):
    fit = fit_of(model, "lme4[tight]")
    told = dict(fit.provenance.versions)["tolPwrss"]
    calls = {"m": (spec_of(model).data, f"glmer({call}, control = glmerControl(tolPwrss = {told}))")}
    plain = {name: values for name, values in plain_numbers(calls, tmp_path)["m"].items() if name in numbers(fit)}
    assert bits_of(numbers(fit)) == bits_of(plain)


def test_by_quadrature_three_engines_have_one_optimum_and_lme4_left_a_constant_out():
    lme4 = fit_of("nine nodes", "lme4[tight]")
    assert float(lme4.loglik) + lme4.loglik.constant == pytest.approx(-91.983371796, abs=1e-6)
    assert lme4.loglik.constant == pytest.approx(0 if MENDED else -41.97835377, abs=1e-8)
    for engine in ("mixedlm", "glmm"):
        assert float(fit_of("nine nodes", engine).loglik) == pytest.approx(-91.983371796, abs=1e-8)
    interlace = fit_of("nine nodes", "interlace")
    assert interlace.beta[0] == pytest.approx(fit_of("no node", "lme4[tight]").beta[0], abs=2e-3)  # not the optimum's
    assert interlace.loglik < -92.01


def test_lme_python_sells_the_estimates_of_no_node_as_laplaces_without_the_saturated_model():
    none, sold = fit_of("no node", "lme4[tight]"), fit_of("logit", "lme-python")
    np.testing.assert_allclose(sold.beta, none.beta, atol=1e-5)
    np.testing.assert_allclose(sold.theta, none.theta, atol=1e-5)
    assert float(sold.loglik) - 41.97835377 == pytest.approx(float(none.loglik), abs=1e-6)
    assert float(sold.loglik) - 41.97835377 < LOGLIK["logit"][0] - 0.02


def test_gpboosts_default_likelihood_of_several_terms_is_an_approximation():
    default, exact = fit_of("ticks", "gpboost"), fit_of("ticks", EXACT)
    assert float(exact.loglik) == pytest.approx(LOGLIK["ticks"][1], abs=NEAR[EXACT])
    assert abs(float(default.loglik) - float(exact.loglik)) > 0.1


@pytest.mark.parametrize("engine", ["glmmTMB", "glmm", EXACT])
def test_a_shape_that_is_estimated_is_told_and_counted(engine):
    fit = fit_of("estimated shape", engine)
    assert fit.nb_theta == pytest.approx(3.3064, abs=3e-3)
    assert (fit.npar, fit.sigma) == (6, 1.0)


def test_glmmtmb_holds_a_known_shape_and_does_not_count_it():
    fit = fit_of("shape", "glmmTMB")
    assert fit.nb_theta == pytest.approx(3.3064, rel=1e-12)
    assert (fit.npar, fit_of("shape", "lme4[tight]").npar) == (5, 6)


@pytest.mark.parametrize("engine", ["glmmTMB", "glmm", EXACT])
def test_theta_of_a_family_with_a_dispersion_is_on_the_scale_of_the_link(engine):
    fit = fit_of("gamma", engine)
    assert fit.sigma == pytest.approx(0.09664, abs=1e-4)
    np.testing.assert_allclose(fit.theta, [block.stddev[0] for block in fit.varcorr])
    assert fit.npar == 4
