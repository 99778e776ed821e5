"""The criterion of a small linear model with its gradient, and the lowest value from many starts, without R.

Each random term is written in columns that are orthonormal over the rows, so that neither a scale nor a mean of a
covariate makes the search harder.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr, solve_triangular
from scipy.linalg.lapack import dpotrf, dpotri, dpotrs
from scipy.optimize import minimize

from lmerbridge.results import Array, Design, covariance

WORST = 1e10  # where a covariance is no longer positive definite by rounding
OPTIONS = {"maxiter": 200, "ftol": 1e-14, "gtol": 1e-7}
ESCAPES, AWAY, FALL = 4, 0.1, 1e-9  # how often, in units of the residual, and by how many deviance units at least
PERFECT = 1e-14  # of the response's own sum of squares: the model fits without residual


@dataclass(frozen=True, eq=False)
class Dense:
    """Profiled deviance or REML criterion of a design, as `lmerbridge.parity.sparse.Objective` has it.

    Attributes
    ----------
    design : Design
        ``x`` of full column rank.
    reml : bool
    """

    design: Design
    reml: bool

    @cached_property
    def _fixed(self) -> tuple[Array, Array, float]:
        """Orthonormal columns of X, what they leave of the response, of length 1, and what the criterion adds."""
        root = np.sqrt(self.design.weights)
        q, r = np.linalg.qr(self.design.x * root[:, None])
        y = (self.design.y - self.design.offset) * root
        rest = y - q @ (q.T @ y)
        rest -= q @ (q.T @ rest)
        size = max(float(np.linalg.norm(rest)), np.finfo(float).tiny)
        constant = 2 * self.denominator * np.log(size) - 2 * np.log(root).sum()
        return q, rest / size, float(constant + self.reml * 2 * np.log(np.abs(np.diag(r))).sum())

    @cached_property
    def _terms(self) -> list[tuple[Array, Array, Array]]:
        """Of each random term its columns, orthonormal, which rows share a level, and what the columns are times."""
        found, root, n = [], np.sqrt(self.design.weights), len(self.design.y)
        for term in self.design.random:
            by_level = np.asarray(term.z.todense()).reshape(n, len(term.levels), term.width)
            columns, used = by_level.sum(axis=1), np.abs(by_level).max(axis=2) > 0
            r = np.linalg.qr(columns)[1] / np.sqrt(n)
            z = solve_triangular(r.T, (columns * root[:, None]).T, lower=True).T
            found.append((z, (used @ used.T.astype(float)), r))
        return found

    @property
    def denominator(self) -> int:
        """What sigma squared is a mean of."""
        n, p = self.design.x.shape
        return int(n - p if self.reml else n)

    def __call__(self, theta: Array) -> float:
        """Value at lme4's theta."""
        return self._slope(self.inward(theta))[0]

    def inward(self, theta: Array) -> Array:
        """Write lme4's theta for the orthonormal columns."""
        pairs = zip(self._terms, covariance.split(np.asarray(theta, float), self.design.widths), strict=True)
        return covariance.join([_lower(r @ factor) for (*_, r), factor in pairs])

    def outward(self, theta: Array) -> Array:
        """Write a theta of the orthonormal columns as lme4's."""
        pairs = zip(self._terms, covariance.split(theta, self.design.widths), strict=True)
        return covariance.join([_lower(solve_triangular(r, factor)) for (*_, r), factor in pairs])

    def minimum(self) -> tuple[Array, float]:
        """Return lme4's theta with the lowest value found from many starts, and the value."""
        theta, value = min(map(self._descend, self._starts), key=lambda end: end[1])
        return self.outward(theta), value

    def descend(self, theta: Array) -> tuple[Array, float]:
        """Return lme4's theta where a minimization from a theta ends, and the value."""
        end, value = self._descend(self.inward(theta))
        return self.outward(end), value

    def _descend(self, point: Array) -> tuple[Array, float]:
        """Minimize, and go on from a saddle: where a variance is zero no gradient tells that the criterion falls."""
        bounds = [(0.0, None) if low else (None, None) for low in self._diagonal]
        for _ in range(ESCAPES):
            end = minimize(self._slope, point, jac=True, method="L-BFGS-B", bounds=bounds, options=OPTIONS)  # type: ignore[call-overload]  # the stubs want literal options
            zeros = np.flatnonzero(self._diagonal & (end.x < AWAY))
            sides = [np.where(np.arange(len(end.x)) == zero, AWAY, end.x) for zero in zeros]
            point = min(sides, key=lambda side: self._slope(side)[0], default=end.x)
            if not self._slope(point)[0] < end.fun - FALL:
                break
        return end.x, float(end.fun)

    @cached_property
    def lower(self) -> Array:
        """Lower bounds of theta."""
        return np.where(self._diagonal, 0.0, -np.inf)

    @cached_property
    def _diagonal(self) -> NDArray[np.bool_]:
        return np.asarray(covariance.join([np.eye(k) for k in self.design.widths]) > 0)

    @property
    def _starts(self) -> list[Array]:
        """Points to start from: even effects of several sizes, nearly one effect, and one that is large."""
        diagonal = self._diagonal.astype(float)
        even = [size * diagonal for size in (1.0, 6.0)]
        leaning = [0.05 * diagonal + side * (1 - diagonal) for side in (-1.0, 1.0)]
        single = [0.2 * diagonal + 5.0 * one for one in np.diag(diagonal)[self._diagonal]]
        return [*even, *leaning * int(not self._diagonal.all()), *single * int(len(single) > 1)]

    def _slope(self, theta: Array) -> tuple[float, Array]:
        """Value and gradient at a theta of the orthonormal columns."""
        (q, y, constant), m = self._fixed, self.denominator
        factors = covariance.split(theta, self.design.widths)
        halves = [z @ factor for (z, *_), factor in zip(self._terms, factors, strict=True)]
        v = np.eye(len(y)) + sum((half @ half.T) * same for half, (_, same, _) in zip(halves, self._terms, strict=True))
        root, failed = dpotrf(v, lower=1)
        if failed:
            return WORST, np.zeros_like(theta)
        half = np.tril(dpotri(root, lower=1)[0])
        project = half + half.T - np.diag(np.diag(half))
        vq = project @ q
        inner, failed = dpotrf(q.T @ vq, lower=1)
        if failed:
            return WORST, np.zeros_like(theta)
        shrunk = vq @ dpotrs(inner, vq.T, lower=1)[0]
        py = project @ y - shrunk @ y
        rss = max(float(y @ py), PERFECT)
        value = 2 * np.log(np.diag(root)).sum() + constant + m * (1 + np.log(2 * np.pi * rss / m))
        if self.reml:
            value += 2 * np.log(np.diag(inner)).sum()
            project -= shrunk
        project -= (m / rss) * np.outer(py, py)
        slopes = [2 * z.T @ (project * same) @ half for half, (z, same, _) in zip(halves, self._terms, strict=True)]
        return float(value), covariance.join(slopes)


def _lower(matrix: Array) -> Array:
    """The lower triangular matrix with a diagonal not below zero that has the same product with its transpose."""
    (upper,) = qr(matrix.T, mode="r", check_finite=False)
    return np.tril(upper.T * np.where(np.diag(upper) < 0, -1.0, 1.0))
