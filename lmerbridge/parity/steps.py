"""Second derivatives as TMB takes them where it is asked for standard errors: by differences over steps of one size.

``TMB::sdreport`` calls ``stats::optimHess``, whose steps are 1e-3 of each parameter whatever its unit: fixed effects,
logarithms of standard deviations, elements of the correlations' roots, and the logarithm of a shape.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from lmerbridge.parity.chart import GlmmPoint
from lmerbridge.parity.glmm import Glmm
from lmerbridge.parity.information import PARAMETERS, derivatives
from lmerbridge.results import Array, covariance

SIZE = 1e-3  # ndeps of stats::optimHess


class StepCovariance:
    """The covariance of the fixed effects by such differences.

    Parameters
    ----------
    model : Glmm
    point : GlmmPoint
    """

    def __init__(self, model: Glmm, point: GlmmPoint) -> None:
        self._model, self._p, self._k = model, len(point.beta), len(point.theta)
        write, self._read = PARAMETERS["log sd, correlation"]
        widths = model.design.widths
        relative = covariance.join([t @ t.T for t in covariance.split(point.theta, widths)])
        with np.errstate(all="ignore"):  # a variance of zero has no logarithm
            values = write(np.append(relative, 1.0), widths)[:-1]
            shape = [] if point.shape is None else [np.log(point.shape)]
        self._at = np.concatenate([point.beta, values, shape])

    @cached_property
    def covariance(self) -> Array:
        """The inverse's block of the fixed effects, NaN where there is none."""
        p = self._p
        if not np.all(np.isfinite(self._at)):
            return np.full((p, p), np.nan)
        moves = SIZE * np.eye(len(self._at))
        rough = np.array([(self._slope(self._at + a) - self._slope(self._at - a)) / (2 * SIZE) for a in moves])
        try:
            return np.asarray(np.linalg.inv((rough + rough.T) / 4)[:p, :p])
        except np.linalg.LinAlgError:
            return np.full((p, p), np.nan)

    def _theta(self, values: Array) -> Array:
        widths = self._model.design.widths
        return PARAMETERS["theta"][0](self._read(np.append(values, 0.0), widths), widths)[:-1]

    def _slope(self, x: Array) -> Array:
        """Derivatives of the criterion."""
        p, k = self._p, self._k
        values, shape = x[p : p + k], None if len(x) == p + k else float(np.exp(x[-1]))
        _, slope = self._model.slope(self._theta(values), x[:p], shape)
        first, _ = derivatives(self._theta, values)
        rest = [] if shape is None else [slope[-1] * shape]
        return np.concatenate([slope[:p], first.T @ slope[p : p + k], rest])
