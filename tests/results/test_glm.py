"""Densities against scipy.stats, and all derivatives against differences."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lmerbridge.results import Family, links
from lmerbridge.results.glm import Response, start
from tests import chance

BINOMIAL = ("logit", "probit", "cauchit", "cloglog", "log", "identity", "sqrt")
POSITIVE = ("log", "sqrt", "identity", "inverse", "1/mu^2")
PAIRS = [
    *(("binomial", link) for link in BINOMIAL),
    *((name, link) for name in ("poisson", "negative.binomial", "Gamma", "inverse.gaussian") for link in POSITIVE),
    *(("gaussian", link) for link in ("identity", "log", "inverse")),
]
SHAPED = [pair for pair in PAIRS if pair[0] not in ("binomial", "poisson")]


def family(name, link):
    return Family(name, link, 2.0 if name == "negative.binomial" else None)


def predictors(name, link, rng, n=8):
    """Linear predictors whose means are inside the range of the family."""
    mean = rng.uniform(0.05, 0.95, n) if name == "binomial" else rng.uniform(0.3, 4.0, n)
    return links.predictor(link, mean)


def values(name, rng, n=8):
    """Responses and weights."""
    weights = rng.integers(1, 9, n).astype(float)
    if name == "binomial":
        return rng.binomial(weights.astype(int), 0.4) / weights, weights
    return (
        rng.integers(0, 6, n).astype(float) if name in ("poisson", "negative.binomial") else rng.uniform(0.2, 4, n)
    ), weights


def responses(name, link, seed):
    """A function of linear predictors and a shape, and a place where it is defined."""
    rng = chance.generator(seed)
    y, weights = values(name, rng)
    return lambda eta, shape: Response(family(name, link), y, weights, eta, shape), predictors(name, link, rng)


def difference(function, at, step=1e-4):
    """First derivative by differences of the fourth order."""
    near, far = (function(at + k * step) - function(at - k * step) for k in (1, 2))
    return (8 * near - far) / (12 * step)


@pytest.mark.parametrize(("name", "link"), PAIRS)
def test_derivatives_by_the_linear_predictor_are_those_of_the_density(name, link):
    respond, eta = responses(name, link, 1)
    one = respond(eta, 0.7)
    for function, slope in [
        ("log_density", one.score),
        ("score", -one.observed),
        ("observed", one.observed_slope),
        ("expected", one.expected_slope),
    ]:
        by_steps = difference(lambda at, function=function: getattr(respond(at, 0.7), function), eta)
        np.testing.assert_allclose(
            slope, by_steps, rtol=1e-6, atol=1e-6 * np.abs(by_steps).max() + 1e-9
        )  # steps have 8 digits


@pytest.mark.parametrize(("name", "link"), SHAPED)
def test_derivatives_by_the_shape_are_those_of_the_density(name, link):
    respond, eta = responses(name, link, 2)
    one = respond(eta, 0.7)
    for function, slope in [
        ("log_density", one.density_by_shape),
        ("score", one.score_by_shape),
        ("observed", one.weight_by_shape("observed")),
        ("expected", one.weight_by_shape("expected")),
    ]:
        by_steps = difference(lambda shape, function=function: getattr(respond(eta, shape), function), 0.7)
        np.testing.assert_allclose(slope, by_steps, rtol=1e-6, atol=1e-8 * np.abs(slope).max())


@pytest.mark.parametrize(("name", "link"), PAIRS)
def test_the_expected_weight_is_the_observed_one_of_a_response_at_its_mean(name, link):
    respond, eta = responses(name, link, 3)
    one = respond(eta, 0.7)
    at_mean = Response(one.family, one.mean, one.weights, eta, 0.7)
    np.testing.assert_allclose(at_mean.observed, one.expected, rtol=1e-9)  # y - mean is rounding, and not zero


REFERENCE = {
    "binomial": lambda y, w, mean, shape: stats.binom.logpmf(np.round(y * w), w, mean),
    "poisson": lambda y, w, mean, shape: w * stats.poisson.logpmf(y, mean),
    "negative.binomial": lambda y, w, mean, shape: w * stats.nbinom.logpmf(y, shape, shape / (shape + mean)),
    "Gamma": lambda y, w, mean, shape: w * stats.gamma.logpdf(y, 1 / shape, scale=mean * shape),
    "inverse.gaussian": lambda y, w, mean, shape: w * stats.invgauss.logpdf(y, mean * shape, scale=1 / shape),
    "gaussian": lambda y, w, mean, shape: stats.norm.logpdf(y, mean, np.sqrt(shape / w)),
}


@pytest.mark.parametrize(("name", "link"), PAIRS)
@given(seed=st.integers(0, 10_000), shape=st.floats(0.01, 100.0))
@chance.examples(20)
def test_densities_are_those_of_scipy_with_all_constants(name, link, seed, shape):
    respond, eta = responses(name, link, seed)
    one = respond(eta, shape)
    theirs = REFERENCE[name](one.y, one.weights, one.mean, shape)
    np.testing.assert_allclose(one.log_density, theirs, rtol=1e-9, atol=1e-9)  # scipy's log gammas cancel


@pytest.mark.parametrize(("name", "link"), PAIRS)
def test_half_the_deviance_is_what_the_density_lacks_of_the_saturated_one(name, link):
    respond, eta = responses(name, link, 4)
    one = respond(eta, 0.7)
    inner = np.full(8, 0.5) if name == "binomial" else one.y + (one.y == 0)  # a mean of zero has no linear predictor
    at_y = Response(one.family, inner, one.weights, links.predictor(link, inner), 0.7)
    at_mean = Response(one.family, inner, one.weights, eta, 0.7)
    assert at_y.deviance.max() < 1e-14
    np.testing.assert_allclose(at_mean.saturated, at_y.log_density.sum(), rtol=1e-12)
    assert (np.sign(at_mean.deviance_residuals) == np.sign(inner - at_mean.mean)).all()


@pytest.mark.parametrize("name", ["poisson", "negative.binomial", "binomial"])
def test_a_count_of_zero_and_a_share_of_one_have_a_density_however_far_out(name):
    eta = np.array([-800.0, -40.0, 0.0, 40.0])
    for link in ("logit", "probit", "cloglog", "cauchit") if name == "binomial" else ("log",):
        zeros = Response(family(name, link), np.zeros(4), np.ones(4), eta, 2.0)
        assert np.isfinite(zeros.log_density).all()
        assert np.isfinite(zeros.score).all()
        assert np.isfinite(zeros.observed).all()
    ones = Response(Family("binomial"), np.ones(4), np.ones(4), -eta)
    np.testing.assert_allclose(ones.log_density, np.array([0, 0, np.log(0.5), -40.0]), atol=1e-15)


@pytest.mark.parametrize("link", ["logit", "probit", "cauchit", "cloglog"])
def test_tails_keep_their_digits(link):
    """The logarithm of one less the mean is that of the mean at the other end, or known in closed form."""
    eta = np.linspace(-30, 3, 12)
    low = links.log_mean(link, eta)
    np.testing.assert_allclose(low[1], difference(lambda at: links.log_mean(link, at)[0], eta), rtol=1e-6, atol=1e-11)
    np.testing.assert_allclose(low[2], difference(lambda at: links.log_mean(link, at)[1], eta), rtol=1e-6, atol=1e-11)
    both = np.exp(links.log_mean(link, eta)[0]) + np.exp(links.log_complement(link, eta)[0])
    np.testing.assert_allclose(both, 1.0, rtol=1e-14)


def test_a_negative_binomial_of_a_large_shape_is_a_poisson():
    y, eta = np.array([0.0, 3.0, 50.0]), np.array([0.5, 1.0, 4.0])
    limit = Response(Family("poisson"), y, np.ones(3), eta)
    for shape in (1e8, 1e12):
        near = Response(family("negative.binomial", "log"), y, np.ones(3), eta, shape)
        np.testing.assert_allclose(near.log_density, limit.log_density, atol=2e3 / shape)  # of the order y**2 / shape


def test_means_out_of_range_have_no_density():
    binomial = Response(Family("binomial", "log"), np.array([1.0, 0.0]), np.ones(2), np.array([0.1, 0.1]))
    poisson = Response(Family("poisson", "identity"), np.array([1.0, 0.0]), np.ones(2), np.array([-0.1, -0.1]))
    gamma = Response(Family("Gamma"), np.ones(2), np.ones(2), np.array([-1.0, 0.0]), 0.5)
    for response in (binomial, poisson, gamma):
        assert not np.isfinite(response.log_density).any()


@pytest.mark.parametrize(("name", "link"), PAIRS)
def test_the_predictors_to_start_from_have_a_density(name, link):
    y, weights = values(name, chance.generator(5))
    eta = start(family(name, link), y, weights)
    assert np.isfinite(Response(family(name, link), y, weights, eta, 0.7).log_density).all()
