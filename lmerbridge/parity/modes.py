"""Conditional modes of the random effects of a generalized linear mixed model.

They maximize the joint density of the response and the spherical random effects ``u`` (Bates, Maechler, Bolker, Walker
2015; Pinheiro and Chao 2006), here by Newton's method to rounding level, where lme4's PIRLS stops at its ``tolPwrss``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np

from lmerbridge.parity.loadings import Factor, Loadings
from lmerbridge.results import Array
from lmerbridge.results.glm import Response

Weights: TypeAlias = Literal["expected", "observed"]
STEPS, HALVINGS = 200, 60
CLOSE = 1e-14  # a squared distance to the mode in standard errors: Newton's next step leaves rounding
CLOSER = 1e-26  # the same of a step that converges linearly
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

    @cached_property
    def observed(self) -> Factor:
        """Factor of the second derivatives by u."""
        return self.loadings.factor(self.response.observed)

    @cached_property
    def expected(self) -> Factor:
        """Factor of their expectation."""
        return self.loadings.factor(self.response.expected)

    def factor(self, weights: Weights) -> Factor:
        """Return the factor of a definition."""
        return self.observed if weights == "observed" else self.expected

    def fixed_covariance(self, weights: Array, factor: Factor) -> Array:
        """Covariance of the fixed effects at given theta, ``(X'WX - X'WZL A^-1 L'Z'WX)^-1``."""
        x = self.loadings.pattern.design.x
        b = self.loadings.transposed @ (weights[:, None] * x)
        return np.linalg.inv(x.T @ (weights[:, None] * x) - b.T @ factor.solve(b))


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

    def climb(self, mode: Mode) -> Mode:
        """Go on to the mode from a point of positive density."""
        for _ in range(STEPS):
            weights, factor = mode.response.observed, mode.observed
            if newton := factor.definite and self._definite(weights, factor):
                step = self._step(mode, weights, factor)
            elif mode.expected.definite:
                step = self._step(mode, mode.response.expected, mode.expected)
            else:
                return mode
            decrement = self._gain(mode, step)
            reached = self._along(mode, step)
            if reached is None:
                return mode
            mode = reached
            if decrement <= (CLOSE if newton else CLOSER):
                return mode
        return mode

    def leap(self, eta: Array, beta: Array) -> Mode:
        """Take one step of reweighted least squares from linear predictors that need not be the model's."""
        near = self._respond(eta)
        base = self.point(beta, np.zeros(self._loadings.matrix.shape[1]))
        pull = near.score + near.expected * (eta - base.response.eta)
        factor = self._loadings.factor(near.expected)
        if not (factor.definite and np.isfinite(pull).all()):
            return base
        return self._moved(base, self._step(base, near.expected, factor, pull), 1.0)

    def _definite(self, weights: Array, factor: Factor) -> bool:
        if not self._free:
            return True
        return bool(np.linalg.eigvalsh(self._schur(weights, factor)[1])[0] > 0)

    def _schur(self, weights: Array, factor: Factor) -> tuple[Array, Array, Array]:
        wx = weights[:, None] * self._design.x
        b = self._loadings.transposed @ wx
        ab = factor.solve(b)
        return b, self._design.x.T @ wx - b.T @ ab, ab

    def _step(self, mode: Mode, weights: Array, factor: Factor, score: Array | None = None) -> tuple[Array, Array]:
        """Return the step in beta and u."""
        score = mode.response.score if score is None else score
        gu = self._loadings.transposed @ score - mode.u
        if not self._free:
            return np.zeros_like(mode.beta), factor.solve(gu)
        b, schur, ab = self._schur(weights, factor)
        move = np.linalg.lstsq(schur, self._design.x.T @ score - ab.T @ gu, rcond=1e-14)[0]
        return move, factor.solve(gu - b @ move)

    def _gain(self, mode: Mode, step: tuple[Array, Array]) -> float:
        score = mode.response.score
        gain = step[1] @ (self._loadings.transposed @ score - mode.u)
        return float(gain + (step[0] @ (self._design.x.T @ score) if self._free else 0.0))

    def _moved(self, mode: Mode, step: tuple[Array, Array], size: float) -> Mode:
        return self.point(mode.beta + size * step[0], mode.u + size * step[1])

    def _along(self, mode: Mode, step: tuple[Array, Array]) -> Mode | None:
        """Return the first point along the step, halved as often as needed, that is not lower."""
        limit = mode.half + NOISE * (1 + abs(mode.half)) if np.isfinite(mode.half) else np.finfo(float).max
        size = 1.0
        for _ in range(HALVINGS):
            reached = self._moved(mode, step, size)
            if reached.half <= limit:
                return reached
            size /= 2
        return None


def slopes(mode: Mode, weights: Weights, shaped: bool) -> tuple[Array, Array, Array]:
    """Derivatives of the mode, of the linear predictor there and of the log determinant's diagonal.

    Returns
    -------
    du : ndarray, shape (q, k)
        Derivatives of ``u`` by the fixed effects, theta, and the shape if there is one.
    direct : ndarray, shape (n, k)
        Derivatives of the linear predictor while ``u`` is held.
    eta : ndarray, shape (n, k)
        Derivatives of the linear predictor.
    """
    loadings, response = mode.loadings, mode.response
    x = loadings.pattern.design.x
    moved = [move @ mode.u for move in loadings.moves]
    direct = np.column_stack([x, *moved, *([np.zeros(len(x))] if shaped else [])])
    right = -(loadings.transposed @ (response.observed[:, None] * direct))
    p = x.shape[1]
    for k, move in enumerate(loadings.moves):
        right[:, p + k] += move.T @ response.score
    if shaped:
        right[:, -1] += loadings.transposed @ response.by_shape[1]
    du = mode.observed.solve(right)
    return du, direct, direct + loadings.matrix @ du
