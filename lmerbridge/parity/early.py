"""What lme4's criterion is where its inner iterations stop early, as by default they do.

``lme4::glmer`` begins each evaluation at the linear predictor that its first stage ended with, solves for the random
effects by reweighted least squares until the penalized deviance changes by less than ``tolPwrss``, and then takes the
determinant of the last weights but one. So its value, and the second derivatives of it, are not those of the mode.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property

import numpy as np

from lmerbridge.parity.glmm import Glmm, Point
from lmerbridge.parity.modes import Mode
from lmerbridge.results import Array

DEFAULT = 1e-7  # of glmerControl(tolPwrss)
STEP = 1e-4  # of lme4's second differences
ITERATIONS = 100


class Early:
    """lme4's criterion by Laplace's approximation, at a tolerance of its inner iterations.

    Parameters
    ----------
    model : Glmm
    near : Point
        From which the first stage is followed to its end.
    tolerance : float
    """

    def __init__(self, model: Glmm, near: Point, tolerance: float = DEFAULT) -> None:
        self._model, self._near, self.tolerance = model, near, tolerance

    @cached_property
    def _begin(self) -> Array:
        """Linear predictor at the end of the first stage, in which the fixed effects follow theta."""
        first = Glmm(self._model.design, self._model.family, n_agq=0)
        return first.mode(*first.polish(*self._near)[0]).response.eta

    def stop(self, point: Point) -> tuple[Mode, float]:
        """Where the iterations stop, and the log determinant of the weights before the last step."""
        search = self._model._search(point, False)
        eta, before, log_det = self._begin, math.inf, math.nan
        for _ in range(ITERATIONS):
            log_det = search._loadings.factor(search._respond(eta).expected).log_det
            mode = search.leap(eta, point.beta)
            penalized = float(mode.response.deviance.sum() + mode.u @ mode.u)
            if abs(before - penalized) < self.tolerance * abs(penalized):
                break
            eta, before = mode.response.eta, penalized
        return mode, log_det

    def __call__(self, point: Point) -> float:
        """Value of the criterion."""
        mode, log_det = self.stop(point)
        return 2 * mode.half + log_det

    def covariance(self, point: Point) -> Array:
        """Covariance of the fixed effects as lme4 has it: from second differences of the criterion."""
        k = len(point.theta)

        def value(x: Array) -> float:
            return self(Point(x[:k], x[k:], point.shape))

        hessian = second_differences(value, np.concatenate([point.theta, point.beta]))
        return 2 * np.linalg.inv(hessian)[k:, k:]


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
