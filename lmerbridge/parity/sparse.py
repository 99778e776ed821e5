"""lme4's profiled deviance and REML criterion as a function of theta, without R.

Penalized least squares with the sparse matrix ``Z Lambda(theta)`` (Bates, Maechler, Bolker, Walker 2015,
sections 3.2 to 3.4); it needs no inverse of a covariance, so it holds at theta = 0 as well.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.optimize import Bounds, minimize
from scipy.sparse.linalg import SuperLU, splu

from lmerbridge.parity.surface import Attribution
from lmerbridge.results import Array, Design, Fit, RandomTerm, covariance


@dataclass(frozen=True, eq=False)
class Solution:
    """What follows from theta alone.

    Attributes
    ----------
    value : float
        Profiled deviance or REML criterion.
    beta : ndarray, shape (p,)
    sigma : float
    covariance : ndarray, shape (p, p)
        ``sigma**2 (X' V^-1 X)^-1``, lme4's covariance of ``beta``.
    modes : tuple of ndarray, shape (levels, terms)
        Conditional modes of each random term.
    fitted : ndarray, shape (n,)
    """

    value: float
    beta: Array
    sigma: float
    covariance: Array
    modes: tuple[Array, ...]
    fitted: Array


class Objective:
    """The criterion of one design as a function of theta.

    Parameters
    ----------
    design : Design
        ``x`` of full column rank.
    reml : bool
    """

    def __init__(self, design: Design, reml: bool) -> None:
        self.design, self.reml = design, reml
        root = np.sqrt(design.weights)
        self._q, self._r = np.linalg.qr(design.x * root[:, None])
        self._y = (design.y - design.offset) * root
        self._z = sp.csc_array(sp.diags_array(root) @ design.z)
        self._ztz = sp.csc_array(self._z.T @ self._z)
        self._ztq = self._z.T @ self._q
        self._log_weights = float(np.log(design.weights).sum())
        self._known: dict[bytes, Solution] = {}

    @classmethod
    def of(cls, fit: Fit, design: Design, n_agq: int = 1) -> Objective:
        """The criterion of a fit."""
        return cls(design, fit.reml)

    def point(self, fit: Fit) -> Array:
        """Theta, in which everything else is profiled out."""
        return fit.theta

    def read(self, fit: Fit, rounding: float) -> Attribution:
        """Every answer is judged by this criterion: another method, or a constant, moves no gap."""
        return Attribution(self)

    def __call__(self, theta: Array) -> float:
        """Value of the criterion, in deviance units."""
        known = self._known.get(np.asarray(theta, float).tobytes())
        return known.value if known else self._solve(theta)[0]

    def at(self, theta: Array) -> Solution:
        """Everything that follows from theta, computed once for each theta."""
        key = np.asarray(theta, float).tobytes()
        if key not in self._known:
            self._known[key] = self._solution(theta)
        return self._known[key]

    def _solution(self, theta: Array) -> Solution:
        value, gamma, u, lam, pwrss, chol = self._solve(theta)
        design = self.design
        sigma = math.sqrt(pwrss / self.denominator)
        inverse = solve_triangular(self._r, np.eye(len(gamma)))
        b = lam @ u
        return Solution(
            value=value,
            beta=inverse @ gamma,
            sigma=sigma,
            covariance=sigma**2 * inverse @ cho_solve(chol, inverse.T),
            modes=self._by_term(b),
            fitted=design.x @ (inverse @ gamma) + design.z @ b + design.offset,
        )

    def effects(self, theta: Array, beta: Array) -> tuple[tuple[Array, ...], Array]:
        """Conditional modes, term by term, and fitted values at theta and given fixed effects."""
        lam, design = self.factor(theta), self.design
        a = splu_spd(sp.csc_array(lam.T @ self._ztz @ lam + sp.eye_array(lam.shape[0])))
        residual = self._y - self._q @ (self._r @ beta)
        b = lam @ a.solve(lam.T @ (self._z.T @ residual))
        return self._by_term(b), design.x @ beta + design.z @ b + design.offset

    def residual_df(self, theta: Array) -> float:
        """The trace of what makes residuals of the weighted response at theta: n less the effective df of the fit."""
        half = sp.csc_array(self._z @ self.factor(theta))
        n, q = half.shape
        a = splu_spd(sp.csc_array(half.T @ half + sp.eye_array(q)))
        vq = self._q - half @ a.solve(np.ascontiguousarray(half.T @ self._q))
        fixed = np.trace(np.linalg.solve(self._q.T @ vq, vq.T @ vq))
        return float(n - q + np.trace(a.solve(np.eye(q))) - fixed)

    def excess(self, theta: Array, beta: Array, sigma: float) -> float:
        """How much the criterion grows at theta when beta and sigma are given instead of profiled out.

        Parameters
        ----------
        theta, beta : ndarray
        sigma : float

        Returns
        -------
        float
            Deviance units, not negative but for rounding.
        """
        best, m = self.at(theta), self.denominator
        step = beta - best.beta
        ratio = (best.sigma / sigma) ** 2
        quadratic = float(step @ np.linalg.solve(best.covariance, step))
        return m * (ratio - 1 - math.log(ratio)) + ratio * quadratic

    def polish(self, start: Array) -> tuple[Array, float]:
        """Minimize from a start to rounding level (COBYQA), each theta scaled by what it moves."""
        scale, lower = self.scale, self.lower
        best = np.maximum(start, lower) * scale
        bounds = Bounds(lower * scale, np.inf)
        for radius in (0.2, 0.002):
            options = {"initial_tr_radius": radius, "final_tr_radius": 1e-9}
            found = minimize(  # type: ignore[call-overload]  # the stubs do not know COBYQA's options
                lambda p: self(p / scale), best, method="COBYQA", bounds=bounds, options=options
            )
            best = found.x
        return best / scale, float(found.fun)

    @cached_property
    def lower(self) -> Array:
        """Lower bounds of theta: 0 on the diagonals."""
        factors = [np.where(np.eye(k, dtype=bool), 0.0, -np.inf) for k in self.design.widths]
        return covariance.join(factors)

    @cached_property
    def scale(self) -> Array:
        """For each theta, the root mean square of the column of Z it scales."""
        return covariance.join([np.tril(np.repeat(s[:, None], len(s), 1)) for s in map(rms, self.design.random)])

    @property
    def default(self) -> Array:
        """lme4's default start."""
        return np.where(self.lower == 0, 1.0, 0.0)

    @property
    def starts(self) -> Array:
        """Points to start from, each theta by what it moves: effects of the residual's size, and nearly one effect."""
        diagonal = self.lower == 0
        leaning = [0.01 * diagonal + size * ~diagonal for size in (-3.0, -0.3, 0.3, 3.0) if not diagonal.all()]
        return np.array([diagonal, *leaning]) / self.scale

    @property
    def denominator(self) -> int:
        """What sigma squared is a mean of: n squares, or n - p by REML."""
        n, p = self.design.x.shape
        return int(n - p if self.reml else n)

    def _solve(self, theta: Array) -> tuple[float, Array, Array, sp.csc_array, float, tuple[Array, bool]]:
        lam = self.factor(theta)
        a = splu_spd(sp.csc_array(lam.T @ self._ztz @ lam + sp.eye_array(lam.shape[0])))
        lztq = lam.T @ self._ztq
        cq = a.solve(np.ascontiguousarray(lztq))
        rest = self._q - self._z @ (lam @ cq)
        chol = cho_factor(rest.T @ rest + cq.T @ cq)  # I - Q'ZL A^-1 L'Z'Q as a sum of squares: nothing cancels
        gamma, u = np.zeros(self._q.shape[1]), np.zeros(lam.shape[0])
        for _ in range(2):  # the second pass refines the first by its own residual
            residual = self._y - self._q @ gamma - self._z @ (lam @ u)
            cu = a.solve(lam.T @ (self._z.T @ residual) - u)
            step = cho_solve(chol, self._q.T @ residual - lztq.T @ cu)
            gamma, u = gamma + step, u + cu - cq @ step
        residual = self._y - self._q @ gamma - self._z @ (lam @ u)
        pwrss = float(residual @ residual + u @ u)
        value = self._value(pwrss, _log_det(a), chol)
        return value, gamma, u, lam, pwrss, chol

    def _value(self, pwrss: float, log_det: float, chol: tuple[Array, bool]) -> float:
        m = self.denominator
        value = log_det - self._log_weights + m * (1 + math.log(2 * math.pi * pwrss / m))
        if self.reml:
            diagonals = np.abs(np.diag(chol[0])) * np.abs(np.diag(self._r))
            value += 2 * float(np.log(diagonals).sum())
        return value

    def factor(self, theta: Array) -> sp.csc_array:
        """The relative covariance factor of all conditional modes, shape (q, q)."""
        places, pattern = self._pattern
        entries = np.append(np.asarray(theta, float), 0.0)[places]
        return sp.csc_array((entries, pattern.indices, pattern.indptr), shape=pattern.shape)

    @cached_property
    def _pattern(self) -> tuple[NDArray[np.intp], sp.csc_array]:
        """Where the factor has entries, column by column, and the place in theta of each, -1 of a zero."""
        numbers = np.arange(len(self.lower), dtype=np.float64) + 1
        blocks = [
            sp.kron(sp.eye_array(len(term.levels)), sp.csc_array(of_one))
            for term, of_one in zip(self.design.random, covariance.split(numbers, self.design.widths), strict=True)
        ]
        pattern = sp.csc_array(sp.block_diag(blocks, format="csc"))
        return pattern.data.astype(np.intp) - 1, pattern

    def _by_term(self, b: Array) -> tuple[Array, ...]:
        ends = np.cumsum([term.z.shape[1] for term in self.design.random])
        parts = np.split(b, ends[:-1])
        return tuple(part.reshape(-1, term.width) for part, term in zip(parts, self.design.random, strict=True))


def splu_spd(a: sp.csc_array) -> SuperLU:
    """Factor a symmetric positive definite matrix, fill kept low and no pivot off the diagonal."""
    return splu(a, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})


def _log_det(factors: SuperLU) -> float:
    return float(np.log(np.abs(factors.U.diagonal())).sum())


def rms(term: RandomTerm) -> Array:
    """Root mean square of each of a term's columns over the rows: what a unit of its SD moves."""
    z, k = term.z, term.width
    squares = np.asarray(z.multiply(z).sum(axis=0)).reshape(-1, k).sum(axis=0)
    rms: Array = np.maximum(np.sqrt(squares / z.shape[0]), np.finfo(float).eps)
    return rms
