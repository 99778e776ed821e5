"""The log-likelihood of generalized models: against R at given points, against integrals, and its minimum."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize

from lmerbridge import glmer, lmer, load_dataset
from lmerbridge.bridge import lme4_version
from lmerbridge.errors import EngineFailed, InvalidArgument
from lmerbridge.parity.glmm import Glmm
from lmerbridge.parity.sparse import Objective
from lmerbridge.results import Design, Family
from lmerbridge.results.glm import Response
from lmerbridge.setup.compat import parse_version
from tests import generalized

CASES = json.loads((Path(__file__).parents[1] / "cases" / "glmm_objective.json").read_text())
MODELS = CASES["models"]
WITH_LME4 = [name for name, model in MODELS.items() if "tight" in model]
WITH_TMB = [name for name in MODELS if name != "root"]  # by mu = eta**2 glmmTMB's steps cross zero, to another mode
pytestmark = pytest.mark.filterwarnings(
    "ignore::lmerbridge.errors.ConvergenceWarning", "ignore::lmerbridge.errors.DispersionFamilyWarning"
)


def numbered(values):
    """A factor whose levels are numbers, in their order as in R."""
    return pd.Categorical(values, categories=sorted(set(values), key=int))


def frame(name):
    if name.startswith("contraception"):
        data = pd.DataFrame(CASES["frames"]["contraception"])
        return data.assign(
            district=numbered(data["district"]), **{c: data[c].astype("category") for c in ("urban", "livch")}
        )
    if name in ("logit", "probit", "cloglog"):
        data = load_dataset("cbpp")
        return data.assign(prop=data["incidence"] / data["size"])
    if name in ("verbagg", "bacteria"):
        return load_dataset(*{"verbagg": ("VerbAgg", "lme4"), "bacteria": ("bacteria", "MASS")}[name])
    if name == "epil":
        data = pd.DataFrame(CASES["frames"]["epil"])  # MASS has changed them since
        return data.assign(row=numbered(data["row"]), subject=numbered(data["subject"]))
    if name in ("gamma", "gaussian_log"):
        return load_dataset("sleepstudy")
    data = load_dataset("grouseticks")
    return data.assign(height=(data["HEIGHT"] - data["HEIGHT"].mean()) / data["HEIGHT"].std())


def family(name):
    model = MODELS[name]
    return (
        Family("negative.binomial", "log", model["shape"])
        if name == "negative_binomial"
        else Family(model["family"], model["link"])
    )


@cache
def design(name):
    """The design of a model, which lme4 makes of the formula."""
    options = {"weights": "size"} if name in ("logit", "probit", "cloglog") else {}
    return glmer(MODELS[name]["formula"], frame(name), family(name), n_agq=0, **options).design()


@cache
def objective(name, weights="expected", n_agq=1):
    return Glmm(design(name), family(name), n_agq=n_agq, weights=weights)


def points(name):
    """Theta, beta and, of a family with a scale, the dispersion: at glmmTMB's optimum and beside it."""
    shape = MODELS[name]["shape"] if family(name).has_scale else None
    return [(np.atleast_1d(p["theta"]), np.array(p["beta"]), shape) for p in MODELS[name]["points"]]


# A value of several thousand is rounded at 1e-12; a Gamma's log gammas cancel in TMB, at a shape of 100.
TMB = {"gamma": 1e-10}


@pytest.mark.parametrize("name", WITH_TMB)
def test_with_observed_weights_it_is_glmmtmbs_likelihood_at_any_point(name):
    ours = [objective(name, "observed")(*point) for point in points(name)]
    np.testing.assert_allclose(ours, MODELS[name]["glmmTMB"]["at"], rtol=0, atol=TMB.get(name, 2e-11))


@pytest.mark.parametrize("name", WITH_LME4)
def test_with_expected_weights_it_is_lme4s_likelihood_at_any_point(name):
    """lme4's PIRLS has no small residual to stop at, but a change of the penalized deviance that is rounding.

    That is of the second order in the modes, and the log determinant of the first: 1e-14 leaves it 1e-7 off.
    """
    ours = [objective(name)(*point) for point in points(name)]
    np.testing.assert_allclose(ours, MODELS[name]["tight"]["at"], rtol=0, atol=2e-6)


@pytest.mark.parametrize("name", WITH_TMB)
def test_glmmtmbs_optimum_is_the_minimum_of_observed_weights(name):
    theirs, ours = MODELS[name]["glmmTMB"], objective(name, "observed")
    point, value = ours.polish(*points(name)[0])
    assert -1e-10 < theirs["value"] - value < 1e-7  # nlminb stops by a relative change of 1e-10
    np.testing.assert_allclose(point.theta, theirs["theta"], atol=1e-3 if name == "slopes" else 2e-5)  # nearly singular
    np.testing.assert_allclose(point.beta, theirs["beta"], atol=5e-5)
    se = np.sqrt(np.diag(ours.joint_covariance(*point)))
    np.testing.assert_allclose(se, theirs["se"], rtol=1e-3)  # its Hessian has steps of 1e-3, whatever the units


@pytest.mark.parametrize("name", ["logit", "probit", "cloglog", "bacteria", "negative_binomial", "offset"])
def test_where_steps_of_a_thousandth_suit_the_units_glmmtmbs_standard_errors_are_met(name):
    found = objective(name, "observed").joint_covariance(*points(name)[0])
    np.testing.assert_allclose(np.sqrt(np.diag(found)), MODELS[name]["glmmTMB"]["se"], rtol=1e-6)


@pytest.mark.parametrize("name", WITH_LME4)
def test_lme4s_optimum_is_the_minimum_of_expected_weights(name):
    theirs, ours = MODELS[name]["tight"], objective(name)
    point, value = ours.polish(*points(name)[0])
    assert -1e-6 < theirs["value"] - value < 1e-5  # bobyqa on a function with noise of 1e-7
    np.testing.assert_allclose(point.theta, theirs["theta"], atol=1e-4)
    np.testing.assert_allclose(point.beta, theirs["beta"], atol=1e-3)


@pytest.mark.parametrize("name", WITH_LME4)
def test_what_follows_from_lme4s_point_is_lme4s(name):
    theirs = MODELS[name]["tight"]
    found = objective(name).at(np.atleast_1d(theirs["theta"]), np.array(theirs["beta"]))
    np.testing.assert_allclose(
        np.sqrt(np.diag(found.covariance)), theirs["se_rx"], rtol=1e-7
    )  # by PIRLS's last weights
    np.testing.assert_allclose(np.concatenate([m[:5, 0] for m in found.modes]), theirs["modes"], atol=1e-6)
    np.testing.assert_allclose(found.deviance_residuals[:5], theirs["residuals"], atol=1e-6)


@pytest.mark.parametrize("name", WITH_LME4)
def test_what_lme4_reports_by_default_is_what_pirls_leaves_where_it_stops(name):
    theirs = MODELS[name]["default"]
    point = np.atleast_1d(theirs["theta"]), np.array(theirs["beta"])
    off = theirs["value"] - objective(name)(*point)
    left = theirs["value"] - objective(name).stop_early(*point)
    assert abs(left) <= max(abs(off) / 20, 2e-6)  # glmer's first stage ends a little beside the optimum


CBPP = {  # logLik of all constants, SD and intercept: glmmTMB and lme4 by tolPwrss of 1e-12 agree to these digits
    ("logit", "expected"): (-92.026281865, 0.6422615, -1.3985321),
    ("logit", "observed"): (-92.026281865, 0.6422615, -1.3985321),
    ("probit", "expected"): (-92.621223315, None, None),
    ("probit", "observed"): (-92.583337703, None, None),
}


@pytest.mark.parametrize(("name", "weights"), CBPP)
def test_cbpp_by_laplace(name, weights):
    loglik, sd, intercept = CBPP[name, weights]
    point, value = objective(name, weights).optimum()
    assert -value / 2 == pytest.approx(loglik, abs=1e-9)
    if sd is not None:
        assert point.theta[0] == pytest.approx(sd, abs=1e-7)
        assert point.beta[0] == pytest.approx(intercept, abs=1e-7)


@pytest.mark.parametrize("n_agq", [2, 5, 9, 15, 25, 50, 100])
def test_cbpp_by_quadrature_is_lme4s_less_the_saturated_model(n_agq):
    theirs, ours = CASES["agq"][str(n_agq)], objective("logit", n_agq=n_agq)
    point, value = ours.optimum()
    saturated = ours.at(*point).saturated
    assert saturated == pytest.approx(-41.97835377, abs=1e-8)  # the binomial densities at the observed shares
    assert value + 2 * saturated == pytest.approx(theirs["value"], abs=1e-7)
    assert point.theta[0] == pytest.approx(theirs["theta"], abs=1e-5)
    np.testing.assert_allclose(point.beta, theirs["beta"], atol=1e-4)


def test_cbpp_by_no_quadrature_is_lme4s_first_stage():
    theirs, ours = CASES["agq"]["0"], objective("logit", n_agq=0)
    point, value = ours.optimum()
    assert value == pytest.approx(theirs["value"], abs=1e-7)
    np.testing.assert_allclose([*point.theta, *point.beta], [theirs["theta"], *theirs["beta"]], atol=1e-6)
    anywhere = ours(point.theta, np.zeros(4))
    assert anywhere == pytest.approx(value, abs=1e-12)  # the fixed effects follow from theta


def test_the_shape_of_a_negative_binomial_is_found_with_the_rest():
    theirs = CASES["shaped"]
    point, value = Glmm(design("negative_binomial"), family("negative_binomial"), weights="observed").optimum()
    assert value == pytest.approx(theirs["value"], abs=1e-8)
    assert point.shape == pytest.approx(theirs["shape"], rel=1e-5)
    np.testing.assert_allclose(point.beta, theirs["beta"], atol=1e-5)


# --- Against integrals


def by_quad(design, family, theta, beta):
    """Minus twice the log-likelihood of one scalar term, each group's integral by scipy."""
    z, level, total = design.random[0].z.tocsr().data, design.random[0].z.tocsr().indices, 0.0
    fixed = design.x @ beta + design.offset
    for group in np.unique(level):
        rows = level == group

        def log_joint(u, rows=rows):
            eta = fixed[rows] + theta * z[rows] * u
            return Response(family, design.y[rows], design.weights[rows], eta).log_density.sum() - u**2 / 2

        top = max(log_joint(u) for u in np.linspace(-4, 4, 81))
        area = sum(quad(lambda u: np.exp(log_joint(u) - top), a, a + 2, epsabs=1e-13)[0] for a in range(-10, 10, 2))  # noqa: B023  # called here
        total += top + np.log(area / np.sqrt(2 * np.pi))
    return -2 * total


@pytest.mark.parametrize("weights", ["expected", "observed"])
@pytest.mark.parametrize("name", ["binary", "trials", "probit", "cloglog", "counts"])
def test_many_nodes_are_the_integral(name, weights):
    made, family = generalized.model(name, "intercepts", 3)
    ours = Glmm(made, family, n_agq=40, weights=weights)
    theta, beta = np.array([0.8]), np.array([0.3, 0.1])
    assert ours(theta, beta) == pytest.approx(by_quad(made, family, 0.8, beta), abs=1e-8)  # 40 nodes, as quad's limit


def test_more_trials_bring_laplaces_approximation_of_a_slope_to_the_integral():
    """Its error is of the order of one over the trials of a group (Tierney and Kadane 1986)."""
    family, x, hits = Family("binomial"), np.linspace(-1.0, 1.0, 5), np.array([0.2, 0.6, 0.4, 0.8, 0.6])
    both, nodes = np.column_stack([np.ones(5), x]), np.linspace(-7, 7, 281)
    u = np.array(np.meshgrid(nodes, nodes)).reshape(2, -1)
    eta = (both @ [0.2, 0.3])[:, None] + both @ np.array([[0.7, 0.0], [0.2, 0.5]]) @ u
    errors = []
    for trials in (20.0, 200.0):
        density = Response(family, np.repeat(hits, u.shape[1]), np.full(eta.size, trials), eta.ravel()).log_density
        logs = density.reshape(eta.shape).sum(axis=0) - (u**2).sum(axis=0) / 2
        exact = -2 * np.log(np.exp(logs).sum() * (nodes[1] - nodes[0]) ** 2 / (2 * np.pi))
        group = generalized.term("g", np.zeros(5, int), both)
        one = Design(("(Intercept)", "x"), both, hits, np.full(5, trials), np.zeros(5), np.arange(5), (group,))
        errors.append(Glmm(one, family)(np.array([0.7, 0.2, 0.5]), np.array([0.2, 0.3])) - exact)
    assert 1e-3 < abs(errors[0]) < 0.1
    assert 5 < errors[0] / errors[1] < 15  # of ten times as many trials


@pytest.mark.parametrize("kind", generalized.KINDS)
@pytest.mark.parametrize("name", ["probit", "counts", "overdispersed", "Gamma"])
def test_it_is_the_dense_approximation_by_definition(name, kind):
    """The mode by another minimizer, and second derivatives of the density by their own formula."""
    made, family = generalized.model(name, kind, 5)
    ours = Glmm(made, family, weights="observed")
    point = ours.start(np.where(np.arange(len(ours.starts[0].theta)) % 2, 0.3, 0.6))
    lam, z = Objective(made, False).factor(point.theta), made.z
    fixed = made.x @ point.beta

    def respond(u):
        return Response(family, made.y, made.weights, fixed + z @ (lam @ u), point.shape or 1.0)

    def half(u):
        response = respond(u)
        return -response.log_density.sum() + u @ u / 2, u - lam.T @ (z.T @ response.score)

    found = minimize(half, np.zeros(z.shape[1]), jac=True, method="BFGS", options={"gtol": 1e-10, "maxiter": 2000})
    zl = (z @ lam).toarray()
    hessian = zl.T @ (respond(found.x).observed[:, None] * zl) + np.eye(z.shape[1])
    assert ours(*point) == pytest.approx(2 * found.fun + np.linalg.slogdet(hessian)[1], rel=1e-8)  # BFGS's own limit


def test_of_a_linear_model_it_is_the_deviance(datasets):
    """Laplace's approximation is exact there, and a dispersion does not multiply theta."""
    data = datasets("sleepstudy").assign(w=np.tile([0.5, 1.0, 2.0], 60), o=np.tile([0.0, 5.0], 90))
    fit = lmer("Reaction ~ Days + (Days | Subject)", data, reml=False, weights="w", offset="o")
    ours = Glmm(fit.design(), Family("gaussian"))
    point, value = ours.polish(fit.theta * fit.sigma, fit.beta, fit.sigma**2)
    linear = Objective(fit.design(), False)
    theirs = linear.at(point.theta / np.sqrt(point.shape))
    assert value == pytest.approx(theirs.value, abs=1e-9)
    assert value == pytest.approx(linear.polish(fit.theta)[1], abs=1e-6)  # COBYQA's is a little above it
    np.testing.assert_allclose([*point.beta, point.shape], [*theirs.beta, theirs.sigma**2], rtol=1e-8)
    np.testing.assert_allclose(ours.at(*point).covariance, theirs.covariance, rtol=1e-8)
    np.testing.assert_allclose(ours.at(*point).modes[0], theirs.modes[0], atol=1e-8)


# --- Derivatives


def by_steps(function, point):
    """Derivatives by beta, theta and shape, of the fourth order."""
    theta, beta, shape = point
    x = np.concatenate([beta, theta, [] if shape is None else [shape]])
    p, k = len(beta), len(theta)

    def at(x):
        return function(x[p : p + k], x[:p], x[-1] if shape is not None else None)

    moves = 1e-4 * np.eye(len(x))
    near, far = (np.array([at(x + i * move) - at(x - i * move) for move in moves]) for i in (1, 2))
    return (8 * near - far) / 12e-4


@pytest.mark.parametrize("weights", ["expected", "observed"])
@pytest.mark.parametrize("kind", generalized.KINDS)
@pytest.mark.parametrize("name", generalized.FAMILIES)
def test_slopes_are_exact(name, kind, weights):
    made, family = generalized.model(name, kind, 7, scales=(0, 0))
    for n_agq in (0, 1, 4) if kind == "intercepts" else (0, 1):
        ours = Glmm(made, family, n_agq=n_agq, weights=weights)
        begin = ours.start(np.where(np.arange(len(ours.starts[0].theta)) % 2, 0.3, 0.6))
        point = begin._replace(beta=begin.beta + 0.1)
        slope = ours.slope(*point)[1]
        np.testing.assert_allclose(slope, by_steps(ours, point), rtol=1e-6, atol=1e-6 * (1 + np.abs(slope).max()))


def test_the_hessian_is_that_of_half_the_value():
    ours = objective("negative_binomial", "observed")
    theta, beta, _ = points("negative_binomial")[1]
    joint = ours.hessian(theta, beta, 2.0)
    steps = []
    for place in range(len(beta) + 2):
        ends = []
        for side in (1e-5, -1e-5):
            move = np.where(np.arange(len(beta) + 2) == place, side, 0.0)
            slope = ours.slope(theta + move[-2:-1], beta + move[:-2], 2.0 * np.exp(move[-1]))[1]
            ends.append(slope * np.append(np.ones(len(slope) - 1), 2.0 * np.exp(move[-1])))
        steps.append((ends[0] - ends[1]) / 4e-5)
    np.testing.assert_allclose(joint, steps, rtol=1e-5, atol=1e-5 * np.abs(joint).max())  # the steps', not ours


# --- Minima


@pytest.mark.parametrize("seed", range(30))
def test_no_other_start_ends_lower_and_nothing_slopes_where_it_ends(seed):
    made, family = generalized.model(list(generalized.FAMILIES)[seed % 7], generalized.KINDS[seed // 7 % 4], seed)
    ours = Glmm(made, family, weights=("expected", "observed")[seed % 2])
    best, value = ours.optimum()
    rng = np.random.default_rng(seed)
    for _ in range(5):
        theta = best.theta * rng.uniform(0.3, 2, len(best.theta)) + rng.uniform(0, 0.3) * ours.starts[0].theta
        end = ours.polish(theta, best.beta + rng.normal(0, 0.2, 2), best.shape)[1]
        assert end > value - 1e-9
    scale = np.concatenate(
        [1 / np.sqrt(np.diag(ours.at(*best).covariance)), 1 + best.theta, [] if best.shape is None else [1.0]]
    )
    assert np.abs(ours.slope(*best)[1] / scale).max() < 1e-8  # of a value of some hundreds, whose rounding is 1e-13


def test_a_variance_of_zero_is_zero_to_the_bit_and_a_start_at_zero_leaves_it():
    made, family = generalized.model("trials", "crossed", 17)
    point, _ = Glmm(made, family).optimum()
    assert (point.theta == 0).any()
    assert not np.signbit(point.theta[np.array([True, False, True, True])]).any()
    ours = objective("logit")
    stuck, _ = ours.polish(np.zeros(1), points("logit")[0][1])
    assert stuck.theta[0] == pytest.approx(0.6422615, abs=1e-7)


def test_separated_data_end_far_out_with_a_finite_value():
    made, _ = generalized.model("binary", "intercepts", 1)
    split = Design(
        made.terms, made.x, (made.x[:, 1] > 0).astype(float), made.weights, made.offset, made.rows, made.random
    )
    for link in ("logit", "probit", "cloglog"):
        ours = Glmm(split, Family("binomial", link))
        assert 0 <= ours(np.array([2.0]), np.array([0.0, 1e3])) < 100
        assert ours(np.array([2.0]), np.array([0.0, -1e3])) > 1e3
        assert ours.polish(*ours.starts[0])[1] < 1e-3


def test_counts_of_millions_and_of_nothing_are_fitted():
    made, family = generalized.model("counts", "slopes", 2)
    group = made.random[0].z[:, ::2] @ np.arange(len(made.random[0].levels))
    y = np.where(group % 3 == 0, 0.0, np.where(group % 3 == 1, 2e6, made.y))
    wild = Design(made.terms, made.x, y, made.weights, made.offset, made.rows, made.random)
    ours = Glmm(wild, family)
    point, value = ours.optimum()
    assert np.isfinite(value)
    assert ours.at(*point).fitted[group % 3 == 1].sum() == pytest.approx(y[group % 3 == 1].sum(), rel=0.01)
    assert np.isfinite(ours(point.theta, np.array([30.0, 0.0])))  # the modes are far from there


# --- What is not defined


def test_quadrature_needs_one_scalar_term():
    for kind in ("slopes", "crossed", "rows"):
        made, family = generalized.model("counts", kind, 1)
        with pytest.raises(InvalidArgument, match="n_agq is 5, which needs a single scalar random term"):
            Glmm(made, family, n_agq=5)


def test_a_mean_out_of_range_has_an_infinite_value_and_is_refused_as_a_start():
    made, family = generalized.model(Family("binomial", "log"), "intercepts", 1, base=-1.5, spread=(0.05, 0.1))
    ours = Glmm(made, family)
    far = np.array([0.1]), np.array([3.0, 0.0])
    assert ours(*far) == np.inf
    for refuse in (ours.at, ours.polish):
        with pytest.raises(EngineFailed, match="likelihood of binomial\\(log\\) is zero or undefined at"):
            refuse(*far)
    assert np.isfinite(ours.optimum()[1])


def test_a_dispersion_must_be_given():
    made, family = generalized.model("Gamma", "intercepts", 1)
    with pytest.raises(InvalidArgument, match=r"shape is None; Gamma\(log\) needs its dispersion"):
        Glmm(made, family)(np.array([1.0]), np.zeros(2))


def test_pirls_that_fails_reports_no_value():
    made, family = generalized.model(Family("poisson", "identity"), "intercepts", 1, base=2.0)
    assert Glmm(made, family).stop_early(np.array([0.5]), np.array([-9.0, 0.0]), eta=made.y + 1) == np.inf


@pytest.mark.parametrize("family", [Family("Gamma", "log"), Family("Gamma"), Family("gaussian", "log")], ids=str)
def test_lme4s_criterion_of_a_dispersion_is_computed(sleepstudy, family):
    if parse_version(lme4_version()) >= (2,):
        pytest.skip("lme4 2.0 has another")
    fit = glmer("Reaction ~ Days + (1 | Subject)", sleepstudy, family)
    ours = Glmm(fit.design(), family)
    assert ours.profiled(fit.theta, fit.beta) == pytest.approx(fit.criterion, abs=1e-3)  # PIRLS stops at 1e-7 of 2000
    joint = ours.optimum()[1]
    assert abs(joint - fit.criterion) > 10  # another criterion altogether
