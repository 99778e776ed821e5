"""One objective for both engines: lme4's own where R is there, the sparse one where it is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from lmerbridge.bridge import notices
from lmerbridge.models import KeptFit
from lmerbridge.models.extract import objective
from lmerbridge.parity.sparse import Objective
from lmerbridge.results import Array


class Criterion(Protocol):
    """Profiled deviance or REML criterion as a function of theta."""

    def values(self, points: Array) -> Array:
        """Values at points, shape (npoints, ntheta) -> (npoints,)."""
        ...

    def minima(self, starts: Array) -> tuple[Array, Array]:
        """End points of a minimization from each start, and the values there."""
        ...

    def starts(self) -> Array:
        """Points worth starting from besides the engines' own, shape (nstarts, ntheta)."""
        ...


class Remembered:
    """A criterion that is asked the same question once only.

    Parameters
    ----------
    criterion : Criterion
    """

    def __init__(self, criterion: Criterion) -> None:
        self._criterion = criterion
        self._known: dict[tuple[str, bytes], Any] = {}

    def values(self, points: Array) -> Array:
        """Values at points."""
        values: Array = self._once("values", points, self._criterion.values)
        return values

    def minima(self, starts: Array) -> tuple[Array, Array]:
        """End points of a minimization from each start, and the values there."""
        ends: tuple[Array, Array] = self._once("minima", starts, self._criterion.minima)
        return ends

    def starts(self) -> Array:
        """Points worth starting from."""
        return self._criterion.starts()

    def _once(self, what: str, points: Array, ask: Callable[[Array], Any]) -> Any:  # noqa: ANN401  # what is asked
        key = what, np.asarray(points, float).tobytes()
        if key not in self._known:
            self._known[key] = ask(points)
        return self._known[key]


class Lme4Criterion:
    """lme4's own deviance function, in R, polished by minqa's bobyqa."""

    def __init__(self, fit: KeptFit) -> None:
        self._fit = fit

    def values(self, points: Array) -> Array:
        """Evaluate lme4's ``devFunOnly`` function."""
        with notices.gather():  # what R says of the model it has said of the fit
            return objective.deviance_at(self._fit, points)

    def minima(self, starts: Array) -> tuple[Array, Array]:
        """Polish in R."""
        with notices.gather():
            return objective.polish(self._fit, starts)

    def starts(self) -> Array:
        """Give the ends of lme4's optimizers, and points in the model's units: small designs have several basins."""
        ends = objective.optima(self._fit).theta
        structured = any(block.kind != "us" for block in self._fit.varcorr)  # not every theta is one of its own
        return ends if structured else np.vstack([ends, Objective(objective.design(self._fit), self._fit.reml).starts])


class SparseCriterion:
    """The objective that needs no R, polished by scipy's COBYQA."""

    def __init__(self, objective: Objective) -> None:
        self._objective = objective

    def values(self, points: Array) -> Array:
        """Evaluate `Objective`."""
        return np.array([self._objective(theta) for theta in points])

    def minima(self, starts: Array) -> tuple[Array, Array]:
        """Polish with scipy."""
        ends = [self._objective.polish(start) for start in starts]
        return np.array([theta for theta, _ in ends]), np.array([value for _, value in ends])

    def starts(self) -> Array:
        """Give lme4's default start, and points in the model's units."""
        return np.vstack([np.where(self._objective.lower == 0, 1.0, 0.0), self._objective.starts])
