"""How far lme4's own optimizers end apart: the noise that a difference between engines is to be seen against."""

from __future__ import annotations

import math
from functools import partial

from lmerbridge.models import LmerFit
from lmerbridge.models.extract import objective
from lmerbridge.parity.at_theta import fit_at_theta
from lmerbridge.parity.pair import Trial
from lmerbridge.parity.quantities import Comparer
from lmerbridge.results import Array


def optimizer_gaps(trial: Trial) -> dict[str, float]:
    """Return for each of lme4's optimizers what its end lies above the minimum.

    A reference other than lme4 has none.
    """
    if not isinstance(trial.reference, LmerFit):
        return {}
    optima = objective.optima(trial.reference)
    return {name: float(value) - trial.minimum for name, value in zip(optima.optimizer, optima.value, strict=True)}


def spread(trial: Trial) -> dict[str, float]:
    """Return for each quantity the largest difference of an end of lme4's optimizers from lme4's fit.

    It is in the unit of the quantity's tolerance. An end that is itself above the limit of a loose stop is no noise but
    a failure, and does not count.
    """
    if not isinstance(trial.reference, LmerFit):
        return {}
    found: dict[str, float] = {}
    ends = objective.optima(trial.reference).theta
    for theta, (name, gap) in zip(ends, optimizer_gaps(trial).items(), strict=True):
        if gap <= trial.profile.loose:
            for quantity, size in trial.once(f"end of {name}", partial(_differences, trial, theta)).items():
                found[quantity] = max(found.get(quantity, 0.0), size)
    return found


def _differences(trial: Trial, theta: Array) -> dict[str, float]:
    """How far each quantity at a theta lies from the reference's, where that is a number."""
    fit = fit_at_theta(trial.reference, trial.design, theta, trial.linear.at(theta))
    rows = Comparer(trial.reference, fit, trial.profile, trial.units).rows()
    return {row.quantity: row.difference for row in rows if math.isfinite(row.difference)}
