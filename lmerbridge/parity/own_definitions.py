"""Numbers that an engine prints by another definition than lme4's, beside what it would print by lme4's."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from lmerbridge.parity.evidence import Native
from lmerbridge.parity.information import information
from lmerbridge.parity.pair import Trial
from lmerbridge.parity.sparse import Objective
from lmerbridge.results import Fit


def natives(trial: Trial) -> tuple[Native, ...]:
    """Return what the candidate defines in its own way, by both definitions."""
    return (*_standard_errors(trial), *_others(trial))


def _standard_errors(trial: Trial) -> Iterator[Native]:
    reference, candidate = trial.reference, trial.candidate
    given = candidate.covariance_given_theta
    if given is None or given is candidate.covariance:
        return
    with np.errstate(invalid="ignore"):  # a variance below zero has no root, and NaN says so
        corrected = np.sqrt(np.diag(given))
    columns = (reference.terms, reference.std_errors, candidate.std_errors, corrected)
    for term, *numbers in zip(*columns, strict=True):
        yield Native(f"se[{term}]", *map(float, numbers))


def _others(trial: Trial) -> Iterator[Native]:
    reference, candidate = trial.reference, trial.candidate
    if not candidate.native:
        return
    ours, theirs = reference.quantities(), candidate.quantities()
    if reference.kind.linear:  # of a linear model alone
        ours |= trial.once("variances", lambda: variance_errors(trial.linear, reference))
        theirs |= variance_errors(trial.linear, candidate)
    for name, value in candidate.native.items():
        yield Native(name, ours.get(name, math.nan), value, theirs.get(name, math.nan))


def variance_errors(objective: Objective, fit: Fit) -> dict[str, float]:
    """Asymptotic standard errors of the variances, by name. A variance of zero has none."""
    found = information(objective, fit.theta, fit.beta, fit.sigma).by("covariances")
    diagonal = np.append(objective.lower == 0, False)
    errors = np.diag(found.inverse)[found.p :][diagonal]
    if not (np.all(errors > 0) and np.all(found.point[diagonal] > 0)):
        return {}
    names = [f"var_se[{name}]" for block in fit.varcorr for name in fit.varcorr.names_in(block)]
    return dict(zip(names, map(float, np.sqrt(errors)), strict=True))
