"""Tests of simulated residuals, which are uniform from 0 to 1 where the model is right."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lmerbridge.models.diagnose.assumptions import ALPHA, FEW, Test
from lmerbridge.results import Array

DECIMALS = 1e-6  # R's tolerance of the limiting distribution
EXACT = 100  # values from which R's ks.test takes the limiting distribution


def shares(observed: Array, drawn: Array, seed: int) -> Array:
    """Return the share of simulations below each observation, randomized where some are equal to it.

    Parameters
    ----------
    observed : ndarray, shape (n,)
    drawn : ndarray, shape (n, nsim)
    seed : int
        Of the uniform numbers that place an observation among its equals.
    """
    below: Array = (drawn < observed[:, None]).mean(axis=1)
    equal: Array = (drawn == observed[:, None]).mean(axis=1)
    if not equal.any():
        return below
    place: Array = np.random.default_rng(abs(seed)).uniform(size=len(observed))
    return below + equal * place


def outside(observed: Array, drawn: Array) -> NDArray[np.bool_]:
    """Whether each observation is below or above all of its simulations."""
    beyond: NDArray[np.bool_] = (observed < drawn.min(axis=1)) | (observed > drawn.max(axis=1))
    return beyond


def uniformity(of: str, values: Array, caution: str = "") -> Test:
    """Test values for a uniform distribution by Kolmogorov and Smirnov's D, as R's ``ks.test(u, "punif")``."""
    from scipy.stats import kstest  # slow to load

    exact = len(values) < EXACT and len(np.unique(values)) == len(values)
    found = kstest(values, "uniform", method="exact" if exact else "asymp")
    p = float(found.pvalue) if exact else limiting(float(found.statistic) * np.sqrt(len(values)))
    few = f"With {len(values)} values only gross departures show." if p >= ALPHA and len(values) <= FEW else ""
    finding = " ".join(filter(None, (_word(p), few, caution)))
    return Test("uniformity", of, "Kolmogorov-Smirnov", float(found.statistic), p_value=p, finding=finding)


def limiting(x: float) -> float:
    """Return the upper tail of Kolmogorov's distribution to R's six decimals, by R's own sums, for the same digits.

    Examples
    --------
    >>> round(limiting(0.8460749), 9), limiting(0.0)
    (0.471302093, 1.0)
    """
    if x < 1:
        return 1 - float(np.exp(-(np.pi**2) / 8 / x**2) * np.sqrt(2 * np.pi) / x) if x > 0 else 1.0
    terms = 2 * np.exp(-2 * x**2 * np.arange(1, 100) ** 2.0)
    count = int((terms > DECIMALS).sum()) + 1  # the first that is too small is added still
    return float(terms[:count] @ (-1.0) ** np.arange(count))


def dispersion(observed: Array, drawn: Array, predicted: Array, caution: str = "") -> Test:
    """Test the variance about the prediction against that of the simulations, as DHARMa's ``testDispersion``."""
    own, theirs = float(np.var(observed - predicted, ddof=1)), np.var(drawn - predicted[:, None], axis=0, ddof=1)
    ratio, p = own / float(theirs.mean()), _two_sided(own, theirs)
    told = f"The response varies {ratio:.3g} times as much as simulated."
    finding = " ".join(filter(None, (_word(p), told, caution)))
    return Test("dispersion", "response about its prediction", "simulation", ratio, p_value=p, finding=finding)


def outlying(count: int, n: int, nsim: int) -> Test:
    """Test the number of observations outside all simulations, as DHARMa's ``testOutliers`` by the binomial."""
    from scipy.stats import binomtest  # slow to load

    share = 2 / (nsim + 1)
    p = float(binomtest(count, n, share).pvalue)
    are = "is" if count == 1 else "are"
    finding = f"{_word(p)} {count} of {n} rows {are} outside all {nsim} simulations, {n * share:.3g} are expected."
    return Test("outliers", "rows", "binomial", count, p_value=p, finding=finding)


def zeros(observed: Array, drawn: Array) -> Test:
    """Test the number of zeros against that of the simulations, as DHARMa's ``testZeroInflation``."""
    own, theirs = float((observed == 0).sum()), (drawn == 0).sum(axis=0).astype(float)
    p, mean = _two_sided(own, theirs), float(theirs.mean())
    finding = f"{_word(p)} {own:.0f} zeros; a simulation has {mean:.3g} on average."
    return Test("zero inflation", "zeros", "simulation", own / mean if mean else np.nan, p_value=p, finding=finding)


def _two_sided(observed: float, drawn: Array) -> float:
    """Return twice the smaller share of simulations beyond what is observed, that one counted among them."""
    n = len(drawn) + 1
    smaller = min(int((drawn <= observed).sum()), int((drawn >= observed).sum()))
    return min(1.0, 2 * (smaller + 1) / n)


def _word(p: float) -> str:
    return "Evidence against the model." if p < ALPHA else "No evidence against the model."
