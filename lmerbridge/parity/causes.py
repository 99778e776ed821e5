"""Why an engine's criterion is another at its own estimates: the models and constants that give its number."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from lmerbridge.parity.pair import Trial
from lmerbridge.parity.sparse import Objective
from lmerbridge.results import Array, Design, RandomTerm

LOG_2PI = math.log(2 * math.pi)


def cause(trial: Trial) -> str:
    """Name what makes the candidate's criterion differ from the common objective at its own theta, or "".

    A cause is a criterion of another model, or a constant that some packages leave out, whose value is the candidate's
    number, and one that is no larger than rounding is none. Where there is none, a difference may be as small as what
    sums of squares about zero lose, of a response whose mean is large.
    """
    reported, common, rounding = trial.candidate.criterion, float(trial.profile_values[1]), 10 * trial.rounding
    found = {**dict(_constants(trial)), **dict(_other_models(trial))}
    named = (name for name, size in found.items() if abs(size) > rounding >= abs(common + size - reported))
    return next(named, "lost_digits" if rounding < abs(reported - common) <= _lost_digits(trial) else "")


def _lost_digits(trial: Trial) -> float:
    """What a criterion loses whose residual sum of squares is a difference of sums of squares about zero."""
    y, weights, sigma = trial.design.y, trial.design.weights, trial.solution.sigma
    lost = 10 * float(np.finfo(float).eps) * float(weights @ y**2)  # some ten operations, each with its rounding
    return lost / sigma**2


def _constants(trial: Trial) -> Iterator[tuple[str, float]]:
    n, p = trial.design.x.shape
    sizes = {
        "log_det_xx": 2 * float(np.log(np.abs(np.diag(np.linalg.qr(trial.design.x, mode="r")))).sum()),
        "p_log_2pi": p * LOG_2PI,
        "p1_log_2pi": (p - 1) * LOG_2PI,
        "n_log_2pi": n * LOG_2PI,
        "sum_log_weights": float(np.log(trial.design.weights).sum()),
        "log_det_t": 2 * _coding(trial),
    }
    for name, size in sizes.items():
        yield name, size
        yield f"-{name}", -size


def _coding(trial: Trial) -> float:
    """Half the difference of the log determinants of beta's covariance: ``log|T|`` of another coding under REML."""
    if not trial.reference.reml:
        return 0.0
    (_, its), (_, ours) = (np.linalg.slogdet(c) for c in (trial.candidate.covariance, trial.solution.covariance))
    return float(its - ours) / 2


def _other_models(trial: Trial) -> Iterator[tuple[str, float]]:
    """Yield by how much other models lie above this one, both by one code: a part that is not there moves nothing."""
    theta, reml = trial.thetas[1], trial.reference.reml
    own = trial.objective(theta)
    yield "other_method", Objective(trial.design, not reml)(theta) - own
    for name, design in _designs(trial.design):
        yield name, Objective(design, reml)(theta) - own


def _designs(design: Design) -> Iterator[tuple[str, Design]]:
    """Yield the designs of an engine that reads one part of the model in another way."""
    w = design.weights
    yield "weights_ignored", replace(design, weights=np.ones_like(w))
    yield "weights_squared", replace(design, weights=w**2)
    yield "weights_inverse", replace(design, weights=1 / w)
    yield "weights_rescaled", replace(design, weights=w / w.mean())
    yield "offset_ignored", replace(design, offset=np.zeros_like(design.offset))
    yield "offset_twice", replace(design, offset=2 * design.offset)
    covariates = {name: column for name, column in zip(design.terms, design.x.T, strict=True) if not _indicates(column)}
    for name, column in covariates.items():
        yield f"centred {name}", _rescaled(design, {name: (float(column.mean()), 1.0)})
        yield f"standardized {name}", _rescaled(design, {name: (float(column.mean()), float(column.std(ddof=1)))})
    if len(covariates) > 1:
        every = {name: (float(column.mean()), float(column.std(ddof=1))) for name, column in covariates.items()}
        yield "centred", _rescaled(design, {name: (mean, 1.0) for name, (mean, _) in every.items()})
        yield "standardized", _rescaled(design, every)


def _indicates(column: Array) -> bool:
    return bool(np.isin(column, (-1.0, 0.0, 1.0)).all())


def _rescaled(design: Design, units: Mapping[str, tuple[float, float]]) -> Design:
    """The design with covariates less a mean and over a scale, in the random terms too.

    A shift leaves the space and the determinant of the fixed part as they are, so only the scale counts there.
    """
    scales = [math.prod(units.get(part, (0.0, 1.0))[1] for part in name.split(":")) for name in design.terms]
    random = tuple(replace(term, z=term.z @ _change(term, units)) for term in design.random)
    return replace(design, x=design.x / scales, random=random)


def _change(term: RandomTerm, units: Mapping[str, tuple[float, float]]) -> sp.csc_array:
    """What turns the columns of a term into the columns of rescaled covariates, level by level."""
    change = np.eye(term.width)
    for place, name in enumerate(term.terms):
        mean, scale = units.get(name, (0.0, 1.0))
        change[place, place] /= scale
        if name in units and "(Intercept)" in term.terms:
            change[term.terms.index("(Intercept)"), place] = -mean / scale
    return sp.csc_array(sp.kron(sp.eye_array(len(term.levels)), change))
