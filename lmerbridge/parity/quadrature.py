"""Adaptive Gauss-Hermite quadrature of a model with one scalar random term.

The nodes of each level stand about its conditional mode, in units of the standard deviation there (Pinheiro and Bates
1995; Pinheiro and Chao 2006). One node gives Laplace's approximation.
"""

from __future__ import annotations

import numpy as np
from numpy.polynomial.hermite_e import hermegauss

from lmerbridge.parity.loadings import add_up
from lmerbridge.parity.modes import Mode, Search, Slopes, slopes
from lmerbridge.results import Array
from lmerbridge.results.glm import Weights


class Quadrature:
    """The integral of the joint density about a mode.

    Parameters
    ----------
    search : Search
        Evaluates other points than the mode.
    mode : Mode
    weights : {"expected", "observed"}
        Of the standard deviation about the mode.
    nodes : int
    values : ndarray, shape (n,), optional
        The weights themselves, where they are not the mode's.
    """

    def __init__(self, search: Search, mode: Mode, weights: Weights, nodes: int, values: Array | None = None) -> None:
        self._search, self._mode, self._weights = search, mode, weights
        self._nodes, mass = hermegauss(nodes)
        self._log_mass = np.log(mass / np.sqrt(2 * np.pi))
        self._level, self._half = mode.loadings.pattern.column, mode.loadings.values
        values = mode.response.weight(weights) if values is None else values
        self._information = 1 + self._by_level(self._half**2 * values)
        self._sd = 1 / np.sqrt(self._information)

    @property
    def value(self) -> float:
        """Minus twice the log-likelihood."""
        if not (self._information > 0).all():
            return np.inf
        logs, _ = self._logs
        most = logs.max(axis=0)
        levels = most + np.log(np.exp(logs - most).sum(axis=0)) + np.log(self._sd)
        return float(-2 * levels.sum())

    @property
    def _logs(self) -> tuple[Array, list[Mode]]:
        points = [self._search.point(self._mode.beta, self._mode.u + self._sd * node) for node in self._nodes]
        logs = [self._by_level(point.response.log_density) - point.u**2 / 2 for point in points]
        found: Array = np.array(logs) + (self._nodes**2 / 2 + self._log_mass)[:, None]
        return np.where(np.isnan(found), -np.inf, found), points

    def _by_level(self, values: Array) -> Array:
        return add_up(self._level, values, len(self._mode.u))

    def slope(self, shaped: bool) -> Array:
        """Derivatives of the value by the fixed effects, theta, and the shape if there is one."""
        logs, points = self._logs
        share = np.exp(logs - logs.max(axis=0))
        share /= share.sum(axis=0)
        moved = slopes(self._mode, shaped)
        log_sd = self._log_sd_slope(moved, shaped)
        total = log_sd.sum(axis=0)
        x, move = self._mode.loadings.pattern.design.x, self._mode.loadings.pattern.slopes[0]
        for point, node, part in zip(points, self._nodes, share, strict=True):
            pull = np.where(part[self._level] > 0, part[self._level] * point.response.score, 0.0)
            shift = moved.u + node * self._sd[:, None] * log_sd
            total += (self._by_level(pull * self._half) - part * point.u) @ shift
            total[: x.shape[1]] += x.T @ pull
            total[x.shape[1]] += pull @ (move * point.u[self._level])
            if shaped:
                total[-1] += part[self._level] @ point.response.density_by_shape
        found: Array = -2 * total
        return found

    def _log_sd_slope(self, moved: Slopes, shaped: bool) -> Array:
        """Derivatives of the logarithm of each level's standard deviation."""
        mode, response = self._mode, self._mode.response
        change = (self._half**2 * response.weight_slope(self._weights))[:, None] * moved.eta
        p = mode.loadings.pattern.design.x.shape[1]
        change[:, p] += 2 * self._half * mode.loadings.pattern.slopes[0] * response.weight(self._weights)
        if shaped:
            change[:, -1] += self._half**2 * response.weight_by_shape(self._weights)
        by_level = np.column_stack([self._by_level(column) for column in change.T])
        return -by_level / (2 * self._information[:, None])
