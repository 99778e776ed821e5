"""Adaptive Gauss-Hermite quadrature of a model with one scalar random term.

The nodes of each level stand about its conditional mode, in units of the standard deviation there (Pinheiro and Bates
1995; Pinheiro and Chao 2006). One node gives Laplace's approximation.
"""

from __future__ import annotations

import numpy as np
from numpy.polynomial.hermite_e import hermegauss

from lmerbridge.parity.modes import Mode, Search, Weights, slopes
from lmerbridge.results import Array


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
    """

    def __init__(self, search: Search, mode: Mode, weights: Weights, nodes: int) -> None:
        self._search, self._mode, self._weights = search, mode, weights
        self._nodes, mass = hermegauss(nodes)
        self._log_mass = np.log(mass / np.sqrt(2 * np.pi))
        self._level, self._half = mode.loadings.pattern.column, mode.loadings.values
        self._information = 1 + self._by_level(self._half**2 * getattr(mode.response, weights))
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
        return np.bincount(self._level, values, len(self._mode.u))

    def slope(self, shaped: bool) -> Array:
        """Derivatives of the value by the fixed effects, theta, and the shape if there is one."""
        logs, points = self._logs
        share = np.exp(logs - logs.max(axis=0))
        share /= share.sum(axis=0)
        du, _, _ = slopes(self._mode, self._weights, shaped)
        log_sd = self._log_sd_slope(shaped)
        total = log_sd.sum(axis=0)
        x, move = self._mode.loadings.pattern.design.x, self._mode.loadings.pattern.slopes[0]
        for point, node, part in zip(points, self._nodes, share, strict=True):
            pull = np.where(part[self._level] > 0, part[self._level] * point.response.score, 0.0)
            shift = du + node * self._sd[:, None] * log_sd
            total += (self._by_level(pull * self._half) - part * point.u) @ shift
            total[: x.shape[1]] += x.T @ pull
            total[x.shape[1]] += pull @ (move * point.u[self._level])
            if shaped:
                total[-1] += part[self._level] @ point.response.by_shape[0]
        return -2 * total

    def _log_sd_slope(self, shaped: bool) -> Array:
        """Derivatives of the logarithm of each level's standard deviation."""
        mode, response = self._mode, self._mode.response
        _, _, eta = slopes(mode, self._weights, shaped)
        change = (self._half**2 * getattr(response, f"{self._weights}_slope"))[:, None] * eta
        p = mode.loadings.pattern.design.x.shape[1]
        change[:, p] += 2 * self._half * mode.loadings.pattern.slopes[0] * getattr(response, self._weights)
        if shaped:
            change[:, -1] += self._half**2 * response.by_shape[2 if self._weights == "observed" else 3]
        by_level = np.column_stack([self._by_level(column) for column in change.T])
        return -by_level / (2 * self._information[:, None])
