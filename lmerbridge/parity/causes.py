"""Why an engine's criterion is another at its own estimates: the models and constants that give its number."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from lmerbridge.parity.misreadings import other_designs
from lmerbridge.parity.pair import Trial
from lmerbridge.parity.sparse import Objective

LOG_2PI = math.log(2 * math.pi)


def cause(trial: Trial) -> str:
    """Name what makes the candidate's criterion differ from the common objective at its own theta, or "".

    A cause is a criterion of another model, or a constant that some packages leave out, whose value is the candidate's
    number, and one that is no larger than rounding is none. Where there is none, a difference may be as small as what
    sums of squares about zero lose, of a response or covariates whose mean is large, and a constant may be there beside
    it. Of a generalized model the objective itself finds it: see `Joint.read`.
    """
    if not trial.reference.kind.linear:
        return trial.reading.cause
    reported, common, rounding = trial.candidate.criterion, float(trial.profile_values[1]), 10 * trial.rounding
    constants, off, lost = dict(_constants(trial)), reported - common, _lost_digits(trial)
    exact = (name for name, size in {**constants, **dict(_other_models(trial))}.items() if _is(off, size, rounding))
    near = (name for name, size in constants.items() if _is(off, size, lost))
    return next(exact, "lost_digits" if rounding < abs(off) <= lost else next(near, ""))


def _is(off: float, size: float, rounding: float) -> bool:
    """Whether a difference is of a size, which is more than rounding."""
    return abs(size) > rounding >= abs(off - size)


def _lost_digits(trial: Trial) -> float:
    """What a criterion loses whose residual sum of squares is a difference of sums of squares about zero."""
    design, solution = trial.design, trial.solution
    sizes = np.maximum(np.abs(design.y), np.abs(design.x) @ np.abs(solution.beta))
    lost = 10 * float(np.finfo(float).eps) * float(design.weights @ sizes**2)  # some ten operations, each rounded
    return lost / solution.sigma**2


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
    for name, design in other_designs(trial.design):
        yield name, Objective(design, reml)(theta) - own
