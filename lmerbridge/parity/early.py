"""What lme4 makes of a point where its inner iterations stop early, as by default they do.

``lme4::glmer`` stops them where the penalized deviance changes by less than ``tolPwrss``, and takes the determinant of
the last weights but one. So its value, the second derivatives of it and the modes are not those of the objective.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np

from lmerbridge.parity.glmm import Glmm
from lmerbridge.parity.modes import Mode
from lmerbridge.results import Array

DEFAULT = 1e-7  # of glmerControl(tolPwrss)
STEP = 1e-4  # of lme4's second differences


class Early:
    """lme4's criterion at a tolerance of its inner iterations.

    Parameters
    ----------
    model : Glmm
    theta, beta : ndarray
    shape : float or None
    tolerance : float
    """

    def __init__(self, model: Glmm, theta: Array, beta: Array, shape: float | None, tolerance: float) -> None:
        self._model, self._theta, self._beta, self._shape, self._tolerance = model, theta, beta, shape, tolerance

    @cached_property
    def value(self) -> float:
        """The criterion, infinite where the iterations fail."""
        return self._at(np.concatenate([self._theta, self._beta]))

    def _at(self, x: Array) -> float:
        k = len(self._theta)
        return self._model.stop_early(x[:k], x[k:], self._shape, tolerance=self._tolerance)

    @cached_property
    def mode(self) -> Mode | None:
        """Where the iterations stop, None where they fail."""
        return self._model.stop(self._theta, self._beta, self._shape, tolerance=self._tolerance)

    @cached_property
    def covariance(self) -> Array:
        """Covariance of the fixed effects as lme4 has it: from second differences of the criterion."""
        hessian = second_differences(self._at, np.concatenate([self._theta, self._beta]))
        k = len(self._theta)
        try:
            return np.asarray(2 * np.linalg.inv(hessian)[k:, k:])
        except np.linalg.LinAlgError:
            return np.full((len(self._beta), len(self._beta)), np.nan)


def second_differences(value: Callable[[Array], float], at: Array) -> Array:
    """Second derivatives by central differences, as ``lme4:::deriv12`` takes them."""
    moves, middle = STEP * np.eye(len(at)), value(at)
    found = np.empty((len(at), len(at)))
    for i, a in enumerate(moves):
        found[i, i] = (value(at + a) - 2 * middle + value(at - a)) / STEP**2
        for j, b in enumerate(moves[:i]):
            cross = value(at + a + b) - value(at + a - b) - value(at - a + b) + value(at - a - b)
            found[i, j] = found[j, i] = cross / (2 * STEP) ** 2
    return found
