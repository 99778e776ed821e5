"""Coordinates in which a log-likelihood is about as curved in each direction."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.linalg import block_diag

from lmerbridge.results import Array


class GlmmPoint(NamedTuple):
    """Parameters of a generalized linear mixed model.

    Attributes
    ----------
    theta : ndarray
        Factors of the random effects' covariances, on the scale of the linear predictor: no dispersion multiplies them.
    beta : ndarray, shape (p,)
    shape : float or None
        Shape of a negative binomial, or dispersion; None where the family has neither, or it is held.
    """

    theta: Array
    beta: Array
    shape: float | None = None


class Chart:
    """Linear coordinates of beta, theta and the logarithm of the shape about a point.

    Parameters
    ----------
    origin : GlmmPoint
    spread : ndarray, shape (p, p)
        Covariance of beta, near enough.
    theta_units : ndarray
        What of each theta is a unit.
    follows : bool
        Whether beta follows from theta, so that it has no coordinates.
    """

    def __init__(self, origin: GlmmPoint, spread: Array, theta_units: Array, follows: bool) -> None:
        self.origin = origin
        beta = np.zeros((len(spread), 0)) if follows else _root(spread)
        shape = np.ones((0, 0) if origin.shape is None else (1, 1))
        self.units: Array = block_diag(beta, np.diag(theta_units), shape)

    @property
    def zero(self) -> Array:
        """Coordinates of the origin."""
        return np.zeros(self.units.shape[1])

    def point(self, x: Array) -> GlmmPoint:
        """Return the point at given coordinates."""
        theta, beta, shape = self.origin
        step = self.units @ x
        p, k = len(beta), len(theta)
        moved = None if shape is None else shape * float(np.exp(np.clip(step[-1], -STEEP, STEEP)))
        return GlmmPoint(theta + step[p : p + k], beta + step[:p], moved)

    def along(self, slope: Callable[[GlmmPoint], tuple[float, Array]]) -> Callable[[Array], tuple[float, Array]]:
        """Return a function of coordinates from one of points, whose derivatives are by beta, theta and the shape."""

        def function(x: Array) -> tuple[float, Array]:
            point = self.point(x)
            value, derivatives = slope(point)
            if point.shape is not None:
                derivatives = np.append(derivatives[:-1], derivatives[-1] * point.shape)
            return value, self.units.T @ derivatives[: len(self.units)]

        return function

    def rescale(self, curvature: Array) -> None:
        """Change the units to those in which a curvature is one."""
        sizes = np.sqrt(np.maximum(np.abs(np.diag(curvature)), LEAST))
        self.units = (self.units / sizes).astype(float)


STEEP = 100.0  # of a logarithm
LEAST = 1e-6  # curvature, that units do not grow without limit where there is none


def _root(spread: Array) -> Array:
    try:
        root = np.linalg.cholesky(spread).astype(float)
    except np.linalg.LinAlgError:
        return np.eye(len(spread))
    return root if np.isfinite(root).all() else np.eye(len(spread))
