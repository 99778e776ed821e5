"""Responses of a bootstrap: R's in blocks of any size, or each from a stream of its own."""

import pickle
from functools import cache

import numpy as np
import pytest
from scipy.stats import kstest

from lmerbridge import glmer, lmer, load_dataset
from lmerbridge.models.resample import draws
from lmerbridge.models.resample.draws import Draws
from lmerbridge.models.resample.streams import stream
from tests.oracle import fitted, plain, same_bits

SEED, NSIM = 20, 12
CUTS = [(0, 1), (1, 6), (6, 7), (7, 12)]
WITH_STREAMS = """
  before <- .Random.seed
  RNGkind("L'Ecuyer-CMRG", "Inversion", "Rejection")
  set.seed(%d)
  for (i in seq_len(%d)) assign(".Random.seed", parallel::nextRNGStream(.Random.seed), globalenv())
  found <- {%s}
  assign(".Random.seed", before, globalenv())
  found
"""


@cache
def model(name):
    match name:
        case "weights":
            data = load_dataset("sleepstudy").assign(w=np.tile([1.0, 4.0, 0.25], 60))
            return lmer("Reaction ~ Days + (Days | Subject)", data, weights="w")
        case "two columns":
            formula = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
            return glmer(formula, load_dataset("cbpp"), family="binomial")
        case "categories":
            data = load_dataset("Contraception", "mlmRev").iloc[:500]
            return glmer("use ~ age + (1 | district)", data, family="binomial")
        case "counts":
            return glmer("TICKS ~ YEAR + (1 | BROOD)", load_dataset("grouseticks"), family="poisson")
    return fitted(name)


CALLS = {
    "sleepstudy": {},
    "cake": {"re_form": "NULL"},
    "pastes": {"re_form": "~ (1 | batch)"},
    "penicillin": {"type": "semiparametric"},
    "weights": {},
    "two columns": {},
    "categories": {},
    "counts": {},
}


@pytest.mark.parametrize("rng", ["bootMer", "streams"])
@pytest.mark.parametrize("name", CALLS)
def test_a_block_holds_the_responses_that_it_has_where_all_are_drawn_at_once(name, rng):
    fit = model(name)
    whole = Draws(fit, NSIM, SEED, rng, **CALLS[name])[np.arange(NSIM)]
    assert whole.shape == (NSIM, fit.nobs)
    assert len({row.tobytes() for row in whole}) == NSIM
    cut = Draws(fit, NSIM, SEED, rng, **CALLS[name])
    assert np.array_equal(np.vstack([cut[np.arange(*each)] for each in CUTS]), whole)
    assert np.array_equal(cut[np.arange(4, 6)], whole[4:6])  # further back than it was
    again = pickle.loads(pickle.dumps(cut))
    assert all(np.array_equal(again.one(i), whole[i]) for i in (9, 10, 2, 11))


@pytest.mark.parametrize("name", ["sleepstudy", "two columns", "counts"])
@pytest.mark.parametrize("number", [0, 1, 7])
def test_a_replicate_of_streams_is_rs_simulate_at_that_stream(name, number):
    fit = model(name)
    ours = Draws(fit, NSIM, SEED, "streams")[np.arange(number, number + 1)]
    theirs = plain(fit, WITH_STREAMS % (SEED, number, "as.double(as.matrix(simulate(m, 1)[[1L]])[, 1L])"))
    assert same_bits(ours.T, theirs)


@pytest.mark.parametrize("number", [0, 1, 2, 1000])
def test_a_stream_is_that_of_rs_package_parallel(number):
    fit = fitted("sleepstudy")
    first = Draws(fit, 1, SEED, "streams").first
    theirs = plain(fit, WITH_STREAMS % (SEED, number, "as.double(.Random.seed)"))
    assert np.array_equal(stream(first, number), theirs)


def test_responses_from_streams_have_the_moments_of_the_model_and_are_independent():
    fit, n = fitted("sleepstudy"), 4000
    drawn = Draws(fit, n, SEED, "streams")[np.arange(n)]
    design = fit.design()
    block = fit.varcorr["Subject"].covariance
    z = design.z.toarray()
    covariance = z @ np.kron(np.eye(18), block) @ z.T + fit.sigma**2 * np.eye(fit.nobs)
    mean, sd = design.x @ fit.beta, np.sqrt(np.diag(covariance))
    # Of 180 normal deviates the largest lies beyond 4.5 in one of a thousand samples, and so for variances.
    assert (abs(drawn.mean(axis=0) - mean) / sd).max() < 4.5 / np.sqrt(n)
    assert abs(drawn.var(axis=0) / sd**2 - 1).max() < 4.5 * np.sqrt(2 / n)
    white = np.linalg.solve(np.linalg.cholesky(covariance), (drawn - mean).T).T
    assert kstest(white.ravel(), "norm").pvalue > 0.001
    for lag in (1, 2, 1000):
        assert abs((white[lag:] * white[:-lag]).mean()) < 4.5 / np.sqrt(white[lag:].size)


@pytest.mark.slow
def test_estimates_from_streams_are_distributed_as_those_of_bootmer():
    fit = pickle.loads(pickle.dumps(fitted("penicillin")))
    one, other = (fit.bootstrap(nsim=400, seed=SEED, rng=rng).t for rng in ("bootMer", "streams"))
    for name in one:
        assert kstest(one[name], other[name]).pvalue > 0.001, name


@pytest.mark.parametrize("rng", ["bootMer", "streams"])
@pytest.mark.parametrize("name", ["sleepstudy", "two columns"])
def test_replicates_and_their_responses_do_not_depend_on_the_size_of_a_block(name, rng, monkeypatch):
    found = []
    for size in (1, 3 * 8 * model(name).nobs, 1 << 23):
        monkeypatch.setattr(draws, "BYTES", size)
        fit = pickle.loads(pickle.dumps(model(name)))
        boot = fit.bootstrap(lambda r: [*r.theta, *r.response[::7]], 7, seed=SEED, rng=rng)
        found.append(boot.t.to_numpy().tobytes() + boot.replicates.criterion.tobytes())
    assert len(set(found)) == 1


@pytest.mark.parametrize("rng", ["bootMer", "streams"])
def test_no_more_than_a_block_is_drawn_at_once(rng, monkeypatch):
    fit, sizes = pickle.loads(pickle.dumps(fitted("pastes"))), []
    monkeypatch.setattr(draws, "BYTES", 5 * 8 * fit.nobs)
    ask = draws.ask
    monkeypatch.setattr(draws, "ask", lambda *given, n, **named: sizes.append(n) or ask(*given, n=n, **named))
    fit.bootstrap(lambda r: r.response[0], 33, seed=SEED, rng=rng)
    assert max(sizes) == 5
    assert sum(sizes) >= 66  # drawn to refit, and for the statistic
