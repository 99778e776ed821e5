"""Numbers that R gives of generalized and nonlinear fits, recorded by ``tests/cases/glmm_numbers.R`` beside them."""

import json
from pathlib import Path

import numpy as np
import pytest

from lmerbridge import glmer, load_dataset, nlmer
from lmerbridge.bridge.session import lme4_version
from lmerbridge.errors import SeparationWarning

R = json.loads((Path(__file__).parents[1] / "cases" / "glmm_numbers.json").read_text())
RECORDED = "1.1.31" in R["made_with"] and lme4_version() == "1.1-31"
CLOSE = (
    1e-6 if RECORDED else 2e-3
)  # crossed fits end elsewhere by addresses; another lme4 ends its inner steps elsewhere
ROUGH = 1e-6 if RECORDED else 5e-2  # second differences of that noise, and sums over what is estimated by it
COWS = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
GROWTH = "circumference ~ SSlogis(age, Asym, xmid, scal) ~ Asym | Tree"

pytestmark = pytest.mark.filterwarnings("ignore::lmerbridge.errors.LmerBridgeWarning")


@pytest.fixture(scope="module")
def cows():
    return glmer(COWS, load_dataset("cbpp"), "binomial")


def close(ours, theirs, tolerance):
    np.testing.assert_allclose(np.ravel(np.asarray(ours), order="F"), theirs, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("link", R["link"])
def test_the_likelihood_by_each_link(link):
    close(glmer(COWS, load_dataset("cbpp"), f"binomial({link})").loglik, R["link"][link], 1e-5)


def test_standard_errors_by_the_hessian_and_without(cows):
    close(np.sqrt(np.diag(cows.vcov)), R["std_error"]["hessian"], ROUGH)
    close(np.sqrt(np.diag(cows.vcov_of(use_hessian=False))), R["std_error"]["RX"], ROUGH)


def test_predictions_with_the_herds_and_without(cows):
    close(cows.predict(type="response"), R["predict"]["response"], CLOSE)
    close(cows.predict(type="response", re_form="~0"), R["predict"]["population"], CLOSE)


@pytest.mark.parametrize("type", R["residuals"])
def test_residuals_of_four_types(cows, type):
    close(cows.resid(type), R["residuals"][type], 10 * CLOSE)  # a difference: digits go


def test_wald_s_limits(cows):
    close(cows.confint("beta_", method="Wald")[["conf_low", "conf_high"]], R["wald"], ROUGH)


def test_leverage_and_cook_s_distance(cows):
    close(cows.hatvalues(), R["leverage"]["hat"], ROUGH)
    close(cows.cooks_distance(), R["leverage"]["cook"], ROUGH)


def test_quadrature_with_its_constant_is_of_the_whole_density():
    cbpp = load_dataset("cbpp")
    nodes = glmer(COWS, cbpp, "binomial", n_agq=25).loglik
    if nodes.constant:  # lme4 before 2.1 leaves it out
        close(nodes, R["quadrature"]["AGQ25"], 1e-6)
        close(nodes.constant, R["quadrature"]["saturated"], 1e-10)  # no estimate is in it
    close(nodes + nodes.constant, -91.983369, 1e-6)  # an own quadrature's, of the whole density
    close(glmer(COWS, cbpp, "binomial", n_agq=0).loglik, R["quadrature"]["fast"], 1e-6)


def test_an_offset_is_in_the_fitted_means():
    data = load_dataset("cbpp")
    fit = glmer("incidence ~ period + (1 | herd)", data, "poisson", offset=np.log(data["size"]))
    close(fit.fitted, R["offset"], CLOSE)


def test_a_dispersion_family_is_as_lme4_has_it():
    if not RECORDED:
        pytest.skip("lme4 changes this family from version to version")
    fit = glmer("Reaction ~ Days + (1 | Subject)", load_dataset("sleepstudy"), "Gamma(log)")
    close([fit.loglik, *fit.theta, fit.sigma], R["gamma"], CLOSE)


def test_ticks_on_chicks():
    formula = "TICKS ~ YEAR + scale(HEIGHT) + (1 | BROOD) + (1 | INDEX) + (1 | LOCATION)"
    fit = glmer(formula, load_dataset("grouseticks"), "poisson")
    close([fit.loglik, *fit.theta], R["grouseticks"], 1e-4 if RECORDED else CLOSE)


def test_contraception_by_district():
    formula = "use ~ age + I(age^2) + urban + livch + (1 | district)"
    fit = glmer(formula, load_dataset("Contraception", "mlmRev"), "binomial")
    close([fit.loglik, *fit.beta], R["contraception"], 1e-4 if RECORDED else CLOSE)


def test_verbal_aggression_by_the_fast_approximation():
    formula = "r2 ~ Anger + Gender + btype + situ + (1 | id) + (1 | item)"
    fit = glmer(formula, load_dataset("VerbAgg"), "binomial", n_agq=0)
    close([fit.loglik, *fit.beta], R["verbagg"], 1e-4 if RECORDED else CLOSE)


def test_outcomes_that_a_column_parts():
    data = load_dataset("cbpp").assign(apart=lambda d: d["period"] == "4")
    data["y"] = (data["incidence"] > 0) & ~data["apart"]
    with pytest.warns(SeparationWarning, match=f"certain in {R['separation']['certain']} rows"):
        fit = glmer("y ~ apart + (1 | herd)", data, "binomial")
    close([fit.beta[0], fit.std_errors[0]], [R["separation"]["beta"][0], R["separation"]["std_error"][0]], CLOSE)
    for ours, theirs in ((fit.beta, R["separation"]["beta"]), (fit.std_errors, R["separation"]["std_error"])):
        assert abs(ours[1]) > abs(theirs[1]) ** 0.5  # no end: where an optimizer stops is no number


@pytest.mark.parametrize("name", R["allFit"])
def test_the_end_of_each_optimizer(cows, name):
    fit = cows.all_fit([name], start_from_mle=False).fits[name]  # as lme4 before 1.1-38
    close([fit.loglik, *fit.beta, *fit.theta], R["allFit"][name], CLOSE)


@pytest.mark.parametrize("name", R["orange"])
def test_growing_trees(name):
    start = {"Asym": 200, "xmid": 725, "scal": 350}
    fit = nlmer(GROWTH, load_dataset("Orange", "datasets"), start=start, n_agq=int(name == "laplace"))
    close([*fit.beta, fit.loglik, fit.sigma], R["orange"][name], CLOSE)


def test_a_drug_s_elimination():
    formula = "conc ~ SSfol(Dose, Time, lKe, lKa, lCl) ~ lCl | Subject"
    fit = nlmer(formula, load_dataset("Theoph", "datasets"), start={"lKe": -2.5, "lKa": 0.5, "lCl": -3})
    close([*fit.beta, fit.loglik, fit.sigma], R["theoph"], CLOSE)
