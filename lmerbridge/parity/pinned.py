"""Stage 4: what the candidate reports against the common code held at its own theta."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from lmerbridge.parity.definitions import Definition, lookup
from lmerbridge.parity.evidence import Evidence
from lmerbridge.parity.pair import Trial
from lmerbridge.parity.sparse import rms
from lmerbridge.parity.tolerances import ZERO_SD
from lmerbridge.parity.verdict import Ruling, Verdict
from lmerbridge.parity.words import Code
from lmerbridge.results import Array, covariance


def same_report(trial: Trial) -> Ruling:
    """Stage 4: the candidate's report against the common code held at the candidate's theta."""
    sizes = _differences(trial)
    over = {what: size for what, size in sizes.items() if not size <= trial.profile.pinned[what].limit}
    if not over:
        return Ruling(Evidence(Code.SAME_REPORT, {"candidate": trial.names[1]}))
    accounted = {what: entry.name for what in over if (entry := _definition(trial, what))}
    figures = {"candidate": trial.names[1], "differences": over, "definitions": tuple(accounted.values())}
    if len(accounted) < len(over):
        return Ruling(Evidence(Code.OTHER_REPORT, figures), Verdict.UNEXPLAINED, tuple(accounted.items()))
    if all(size <= trial.profile.quantities[what].limit for what, size in over.items()):
        return Ruling(Evidence(Code.DEFINED_WITHIN, figures), None, tuple(accounted.items()))
    return Ruling(Evidence(Code.DEFINED_BEYOND, figures), Verdict.OTHER_DEFINITION, tuple(accounted.items()))


def _differences(trial: Trial) -> dict[str, float]:
    """Size up each reported quantity against the common code at the same theta, in the unit of its limit."""
    held, fit = trial.solution, trial.candidate
    se = np.sqrt(np.diag(held.covariance))
    own_modes, own_fitted = trial.objective.effects(trial.thetas[1], fit.beta)  # theirs, so that beta counts once
    modes = [np.abs(its.modes - mine).max() for its, mine in zip(fit.modes, own_modes, strict=True)]
    npar = len(fit.beta) + len(fit.theta) + 1
    counted = (fit.loglik.df, fit.loglik.nobs) == (npar, len(fit.rows))
    return {
        "beta": float(np.max(np.abs(fit.beta - held.beta) / se)),
        "sigma": abs(fit.sigma / held.sigma - 1),
        "se": se_difference(fit.covariance, held.covariance),
        "varcorr": max(_block_differences(trial)),
        "fitted": float(np.abs(fit.fitted_values[trial.order] - own_fitted).max()) / held.sigma,
        "ranef": float(np.max(modes)) / held.sigma,
        "logLik": abs(2 * float(fit.loglik) + fit.criterion),
        "df": 0.0 if counted else math.inf,
    }


def _block_differences(trial: Trial) -> Iterator[float]:
    """Reported covariances, SDs and correlations against ``sigma^2 T T'``, in SDs no smaller than a zero's."""
    fit = trial.candidate
    factors = covariance.split(trial.thetas[1], trial.design.widths)
    for term, t, block in zip(trial.design.random, factors, fit.varcorr, strict=True):
        right = fit.sigma**2 * t @ t.T
        floor = ZERO_SD * fit.sigma / rms(term)
        sd = np.maximum(np.sqrt(np.diag(right)), floor)
        yield float(np.max(np.abs(block.covariance - right) / np.outer(sd, sd)))
        yield float(np.max(np.abs(block.stddev - np.sqrt(np.diag(right))) / sd))
        real = np.outer(sd > floor, sd > floor)
        yield float(np.max(np.abs(block.correlation - right / np.outer(sd, sd)), where=real, initial=0.0))


def se_difference(mine: Array, its: Array) -> float:
    """Largest relative difference of the standard errors of two covariance matrices."""
    with np.errstate(invalid="ignore"):  # a negative variance is NaN, which is beyond any limit
        return float(np.max(np.abs(np.sqrt(np.diag(mine)) / np.sqrt(np.diag(its)) - 1)))


def _definition(trial: Trial, what: str) -> Definition | None:
    """The definition that accounts for a pinned difference, where the common code bears it out."""
    entry = lookup(trial.names[1], what)
    if entry is None or entry.borne_out_by != "joint_information":
        return None
    joint = trial.objective.joint_covariance(trial.thetas[1])
    limit = trial.profile.quantities["se"].limit
    if joint is not None:
        return entry if se_difference(trial.candidate.covariance, joint) <= limit else None
    given = trial.candidate.covariance_given_theta  # on the boundary there is no joint information to compute
    held = given is not None and se_difference(given, trial.solution.covariance) <= limit
    return entry if held else None
