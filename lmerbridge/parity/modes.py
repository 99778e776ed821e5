"""Conditional modes of the random effects of a generalized linear mixed model.

They maximize the joint density of the response and the spherical random effects ``u`` (Bates, Maechler, Bolker, Walker
2015; Pinheiro and Chao 2006), here by Newton's method to rounding level, where lme4's PIRLS stops at its ``tolPwrss``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from lmerbridge.parity.loadings import Loadings, Triangle
from lmerbridge.results import Array
from lmerbridge.results.glm import Response, Weights

STEPS, HALVINGS = 200, 250  # of one search, both
LEAPS = 20  # towards a point of positive density
PIRLS_STEPS, PIRLS_HALVINGS = 100, 20  # lme4's
CLOSE = 1e-14  # a squared distance to the mode in standard errors: Newton's next step leaves rounding
CLOSER = 1e-26  # the same of a step that converges linearly
STUCK = 1e-8  # the same, above which a search that can go no further has met the end of the mean's range
NOISE = 1e-12  # of a sum of log densities, relative: no step is judged by less


@dataclass(frozen=True, eq=False)
class Mode:
    """Where the joint density is highest, or a point on the way there.

    Attributes
    ----------
    loadings : Loadings
    u : ndarray, shape (q,)
        Spherical random effects.
    beta : ndarray, shape (p,)
    response : Response
    """

    loadings: Loadings
    u: Array
    beta: Array
    response: Response

    @cached_property
    def half(self) -> float:
        """Half the penalized deviance with all constants, infinite where the density is zero or undefined."""
        value = -float(self.response.log_density.sum()) + float(self.u @ self.u) / 2
        return value if np.isfinite(value) else np.inf

    @property
    def penalized(self) -> float:
        """Penalized deviance, infinite where the density is zero or undefined."""
        value = float(self.response.deviance.sum() / self.response.dispersion + self.u @ self.u)
        return value if np.isfinite(value) else np.inf

    @cached_property
    def observed(self) -> Triangle:
        """Factor of the second derivatives by u."""
        return self.loadings.factor(self.response.observed)

    @cached_property
    def expected(self) -> Triangle:
        """Factor of their expectation."""
        return self.loadings.factor(self.response.expected)

    def factor(self, weights: Weights) -> Triangle:
        """Return the factor of a definition."""
        return self.observed if weights == "observed" else self.expected

    def fixed_covariance(self, weights: Array, factor: Triangle) -> Array:
        """Covariance of the fixed effects at given theta, ``(X'WX - X'WZL A^-1 L'Z'WX)^-1``."""
        x = self.loadings.pattern.design.x
        b = self.loadings.transposed @ (weights[:, None] * x)
        information: Array = x.T @ (weights[:, None] * x) - b.T @ factor.solve(b)
        return np.linalg.inv(information).astype(float, copy=False)


class Search:
    """Newton's search for the modes of one design at one theta.

    Parameters
    ----------
    loadings : Loadings
    respond : function of linear predictors
        Makes the Response of them.
    free : bool
        Whether the fixed effects are searched for as well.
    """

    def __init__(self, loadings: Loadings, respond: Callable[[Array], Response], free: bool = False) -> None:
        self._loadings, self._respond, self._free = loadings, respond, free
        self._design = loadings.pattern.design

    def point(self, beta: Array, u: Array) -> Mode:
        """Evaluate given effects."""
        eta = self._design.x @ beta + self._design.offset + self._loadings.matrix @ u
        return Mode(self._loadings, u, beta, self._respond(eta))

    def near(self, eta: Array, beta: Array) -> Mode:
        """Return a point of positive density if one is found: no random effects, or a least squares fit.

        Parameters
        ----------
        eta : ndarray, shape (n,)
            Linear predictors that suit each row's response, whatever the model.
        beta : ndarray, shape (p,)
        """
        mode = self._leap(beta, eta) if self._free else self.point(beta, self._zero)
        for _ in range(LEAPS):
            if np.isfinite(mode.half):
                break
            inside = np.isfinite(mode.response.log_density)
            mode = self._leap(beta, np.where(inside, mode.response.eta, eta))
        return mode

    def climb(self, mode: Mode) -> Mode | None:
        """Go on to the mode from a point of positive density, None where there is none inside the range of the mean."""
        left = HALVINGS
        for _ in range(STEPS):
            weights, factor = mode.response.observed, mode.observed
            newton = factor.definite and self._definite(weights, factor)
            if not newton:
                weights, factor = mode.response.expected, mode.expected
            if not factor.definite:
                return None
            score = mode.response.score
            step = self._step(mode.u, score, weights, factor)
            decrement = step[1] @ (self._loadings.transposed @ score - mode.u) + step[0] @ (self._design.x.T @ score)
            mode, spent = self._along(mode, step, left)
            left -= spent
            if decrement <= (CLOSE if newton else CLOSER):
                return mode
            if not left:
                break
        return mode if decrement <= STUCK else None

    def stop_early(self, eta: Array, beta: Array, tolerance: float) -> tuple[Mode, Array] | None:
        """Iterate as lme4's PIRLS does, from given linear predictors until the penalized deviance hardly changes.

        Returns
        -------
        mode : Mode
            Where it stops.
        weights : ndarray, shape (n,)
            Expected weights one step before, of which lme4 takes the log determinant; None where PIRLS fails.
        """
        mode, before = self.point(beta, self._zero), np.inf
        for _ in range(PIRLS_STEPS):
            last, weights = mode, self._respond(eta).expected
            mode = self._leap(beta, eta)
            if abs(before - mode.penalized) < tolerance * abs(mode.penalized):
                return mode, weights
            for _ in range(PIRLS_HALVINGS):
                if mode.penalized <= before:
                    break
                mode = self.point((last.beta + mode.beta) / 2, (last.u + mode.u) / 2)
            if not mode.penalized - before <= tolerance:
                return None
            before, eta = mode.penalized, mode.response.eta
        return None

    @property
    def _zero(self) -> Array:
        return np.zeros(self._loadings.pattern.q)

    def _leap(self, beta: Array, eta: Array) -> Mode:
        """Take one step of reweighted least squares from linear predictors that need not be the model's."""
        near, base = self._respond(eta), self.point(beta, self._zero)
        factor = self._loadings.factor(near.expected)
        if not (factor.definite and np.isfinite(near.score).all()):
            return base
        pull = near.score + near.expected * (eta - base.response.eta)
        return self._moved(base, self._step(base.u, pull, near.expected, factor), 1.0)

    def _definite(self, weights: Array, factor: Triangle) -> bool:
        if not self._free:
            return True
        return bool(np.linalg.eigvalsh(self._schur(weights, factor)[1])[0] > 0)

    def _schur(self, weights: Array, factor: Triangle) -> tuple[Array, Array, Array]:
        wx = weights[:, None] * self._design.x
        b = self._loadings.transposed @ wx
        ab = factor.solve(b)
        return b, self._design.x.T @ wx - b.T @ ab, ab

    def _step(self, u: Array, score: Array, weights: Array, factor: Triangle) -> tuple[Array, Array]:
        """Return the step in beta and u."""
        pull = self._loadings.transposed @ score - u
        if not self._free:
            return np.zeros(self._design.x.shape[1]), factor.solve(pull)
        b, schur, ab = self._schur(weights, factor)
        move: Array = np.linalg.lstsq(schur, self._design.x.T @ score - ab.T @ pull, rcond=1e-14)[0].astype(float)
        return move, factor.solve(pull - b @ move)

    def _moved(self, mode: Mode, step: tuple[Array, Array], size: float) -> Mode:
        return self.point(mode.beta + size * step[0], mode.u + size * step[1])

    def _along(self, mode: Mode, step: tuple[Array, Array], most: int) -> tuple[Mode, int]:
        """Return the first point along the step that is not lower, and how often the step was halved for it."""
        limit = mode.half + NOISE * (1 + abs(mode.half))
        for halvings in range(most):
            reached = self._moved(mode, step, 0.5**halvings)
            if reached.half <= limit:
                return reached, halvings
        return mode, most


class Slopes(NamedTuple):
    """Derivatives at a mode by the fixed effects, theta, and the shape if there is one.

    Attributes
    ----------
    u : ndarray, shape (q, k)
    direct : ndarray, shape (n, k)
        Of the linear predictor while ``u`` is held.
    eta : ndarray, shape (n, k)
        Of the linear predictor while ``u`` follows.
    """

    u: Array
    direct: Array
    eta: Array


def slopes(mode: Mode, shaped: bool) -> Slopes:
    """Derive a mode by the parameters."""
    loadings, response = mode.loadings, mode.response
    x = loadings.pattern.design.x
    moved = [move @ mode.u for move in loadings.moves]
    direct = np.column_stack([x, *moved, *([np.zeros(len(x))] if shaped else [])])
    right = -(loadings.transposed @ (response.observed[:, None] * direct))
    for place, move in enumerate(loadings.moves, x.shape[1]):
        right[:, place] += move.T @ response.score
    if shaped:
        right[:, -1] += loadings.transposed @ response.score_by_shape
    u = mode.observed.solve(right)
    return Slopes(u, direct, direct + loadings.matrix @ u)
