"""Functions in cubic pieces, as R's splines package makes them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lmerbridge.bridge import build, host, notices
from lmerbridge.results import Array, shown


@shown()
@dataclass(frozen=True, eq=False, repr=False)
class Spline:
    """A function in cubic pieces: R's ``polySpline``.

    Attributes
    ----------
    knots : ndarray, shape (k,)
        Empty where there is no such function, as back from zeta of a profile that is not monotonic; it gives NaN then.
    coefficients : ndarray, shape (k, 4)
        Of the powers 0 to 3 of the distance from the knot below.
    natural : bool
        Whether it goes on as a straight line beyond the knots; else it is NaN there.
    """

    knots: Array
    coefficients: Array
    natural: bool

    def __bool__(self) -> bool:
        return len(self.knots) > 0

    def __call__(self, x: float | Array) -> Array:
        """Return its values, an array of the shape of ``x``."""
        at = np.asarray(x, np.float64)
        if not self:
            return np.full(at.shape, np.nan)
        piece = np.clip(np.searchsorted(self.knots, at) - 1, 0, len(self.knots) - 2)
        inside = (self.knots[0] <= at) & (at <= self.knots[-1])
        return np.where(inside, self._piece(piece, at), self._beyond(at))

    def _piece(self, piece: NDArray[np.intp], at: Array) -> Array:
        distance = at - self.knots[piece]
        constant, first, second, third = np.moveaxis(self.coefficients[piece], -1, 0)
        value: Array = ((third * distance + second) * distance + first) * distance + constant
        return value

    def _beyond(self, at: Array) -> Array:
        if not self.natural:
            return np.full(at.shape, np.nan)
        end = np.where(at < self.knots[0], 0, -1)
        line: Array = self.coefficients[end, 0] + self.coefficients[end, 1] * (at - self.knots[end])
        return line


@dataclass(frozen=True)
class Pieces:
    """R's description of a spline, its coefficients column by column."""

    knots: Array
    coefficients: Array
    natural: bool

    def spline(self) -> Spline:
        """Return the function."""
        return Spline(self.knots, self.coefficients.reshape(-1, 4, order="F"), self.natural)


@dataclass(frozen=True)
class SplinePair:
    """R's description of a spline and its inverse."""

    forward: Pieces
    backward: Pieces


def interpolate(parameter: Array, zeta: Array) -> tuple[Spline, Spline]:
    """Return the splines from parameter to zeta and back through points of a profile, as lme4 makes them."""
    reply = host.call("interpolated", parameter=parameter, zeta=zeta)
    found = build(SplinePair, notices.values_of(reply))
    return found.forward.spline(), found.backward.spline()
