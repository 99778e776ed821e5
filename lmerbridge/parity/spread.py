"""How far lme4's own optimizers end apart: the noise that a difference between engines is to be seen against."""

from __future__ import annotations

import math

import numpy as np

from lmerbridge.models import LmerFit
from lmerbridge.models.extract import objective
from lmerbridge.parity.at_theta import fit_at_theta
from lmerbridge.parity.pair import Trial
from lmerbridge.parity.quantities import Comparer


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
    gaps = list(optimizer_gaps(trial).values())
    near = objective.optima(trial.reference).theta[np.array(gaps) <= trial.profile.loose]
    found: dict[str, float] = {}
    for theta in near:
        fit = fit_at_theta(trial.reference, trial.design, theta, trial.objective.at(theta))
        for row in Comparer(trial.reference, fit, trial.profile, trial.units).rows():
            if math.isfinite(row.difference):
                found[row.quantity] = max(found.get(row.quantity, 0.0), row.difference)
    return found
