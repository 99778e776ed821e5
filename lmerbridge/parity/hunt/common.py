"""A cheap reference of small linear models, which needs no R: the lowest value of the criterion from many starts."""

from __future__ import annotations

from typing import cast

import numpy as np

from lmerbridge.engines import Engine, Plain, PlainEngine, PlainEstimates, fit_with, with_design
from lmerbridge.inputs import Spec
from lmerbridge.parity import at_theta, pair, sparse
from lmerbridge.parity.hunt.dense import Dense
from lmerbridge.results import Array, Design, Fit


class ManyStarts(PlainEngine):
    """lme4's estimates by the referee's own code."""

    name = "many starts"
    package = "lmerbridge"

    def fit(self, spec: Spec) -> Fit:
        """Fit the model: see `lmerbridge.engines.Engine`."""
        fit = super().fit(spec)
        design = cast(Design, fit.design())
        theta, _ = Dense(design, fit.reml).minimum()
        return at_theta.fit_at_theta(fit, design, theta, sparse.Objective(design, fit.reml).at(theta))

    def design(self, spec: Spec) -> Design | None:
        """Return the model as matrices, coded as R does."""
        return super().fit(spec).design()

    def estimate(self, model: Plain) -> PlainEstimates:
        """Return the form of a fit, whose numbers `fit` puts in."""
        p = model.x.shape[1]
        return PlainEstimates(
            beta=np.zeros(p),
            covariance=np.eye(p),
            loglik=0.0,
            covariances=[np.zeros((b.width, b.width)) for b in model.blocks],
            modes=[np.zeros((len(b.levels), b.width)) for b in model.blocks],
            fitted=np.zeros(len(model.frame.rows)),
            converged=True,
        )


def fit_by(engine: Engine, spec: Spec) -> Fit:
    """Fit a model with an engine, one that takes a reference's design on a design coded as R does."""
    return fit_with(engine, with_design(engine, spec, lambda: ManyStarts().design(spec)))


class CheapTrial(pair.Trial):
    """Two fits, whose common objective is minimized from the two alone: the reference had many starts."""

    def _common(self) -> DenseCriterion:
        return DenseCriterion(Dense(self.design, self.reference.reml))


class DenseCriterion:
    """The criterion of a small design: see `lmerbridge.parity.criterion.Criterion`."""

    def __init__(self, dense: Dense) -> None:
        self._dense = dense

    def values(self, points: Array) -> Array:
        """Values at points."""
        return np.array([self._dense(point) for point in points])

    def minima(self, starts: Array) -> tuple[Array, Array]:
        """End points of a minimization from each start, and the values there."""
        ends = [self._dense.descend(start) for start in starts]
        return np.array([point for point, _ in ends]), np.array([value for _, value in ends])

    def starts(self) -> Array:
        """No points beside the engines' own."""
        return np.empty((0, len(self._dense.lower)))
