"""One objective for both engines: lme4's own where R is there and has one, the sparse one elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from lmerbridge.bridge import notices
from lmerbridge.models import KeptFit
from lmerbridge.models.extract import objective
from lmerbridge.parity.surface import Surface
from lmerbridge.results import Array


class Criterion(Protocol):
    """The criterion as a function of a point: see `Surface`."""

    def values(self, points: Array) -> Array:
        """Values at points, shape (npoints, nelements) -> (npoints,)."""
        ...

    def minima(self, starts: Array) -> tuple[Array, Array]:
        """End points of a minimization from each start, and the values there."""
        ...

    def starts(self) -> Array:
        """Points worth starting from besides the engines' own, shape (nstarts, nelements)."""
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

    def __init__(self, fit: KeptFit, surface: Surface) -> None:
        self._fit, self._surface = fit, surface

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
        return ends if structured else np.vstack([ends, self._surface.starts])


class SparseCriterion:
    """The objective that needs no R, with its own polish."""

    def __init__(self, surface: Surface) -> None:
        self._surface = surface

    def values(self, points: Array) -> Array:
        """Evaluate the objective."""
        return np.array([self._surface(point) for point in points])

    def minima(self, starts: Array) -> tuple[Array, Array]:
        """Polish without R."""
        ends = [self._surface.polish(start) for start in starts]
        return np.array([point for point, _ in ends]), np.array([value for _, value in ends])

    def starts(self) -> Array:
        """Give lme4's default start, and points in the model's units."""
        return np.vstack([self._surface.default, self._surface.starts])
