"""The observed information of fixed effects, covariances and residual variance, by exact derivatives.

In units of the residual variance the response has the covariance ``V = W^-1 + Z C Z'``. ``V`` is linear in the relative
covariances ``C``, so the second derivatives of the criterion are traces and quadratic forms, and exist where a variance
is zero too (Lindstrom and Bates 1988; Searle, Casella, McCulloch 1992, section 6.6).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np
import scipy.sparse as sp

from lmerbridge.parity.sparse import Objective, splu_spd
from lmerbridge.results import Array, Design, covariance

SLAB = 512  # columns of Z'V^-1 Z at a time, which bounds the memory where there are many levels
STEP = 1e-4  # of the differences of a change of parameters, relative: it is a smooth function, and costs nothing


@dataclass(frozen=True, eq=False)
class Information:
    """First and second derivatives of half the criterion at one point.

    Attributes
    ----------
    widths : tuple of int
        Columns of each random term.
    point : ndarray, shape (K + 1,)
        Relative covariances, term by term the lower triangle column by column, and the residual variance.
    gradient : ndarray, shape (p + K + 1,)
        With respect to the ``p`` fixed effects, and then to the point.
    matrix : ndarray, shape (p + K + 1, p + K + 1)
        Second derivatives.
    """

    widths: tuple[int, ...]
    point: Array
    gradient: Array
    matrix: Array

    @property
    def p(self) -> int:
        """The number of fixed effects."""
        return len(self.gradient) - len(self.point)

    @property
    def definite(self) -> bool:
        """Whether the matrix is positive definite, as an information is."""
        scaled = self.matrix / np.outer(self._size, self._size)
        return bool(np.all(np.isfinite(scaled)) and np.linalg.eigvalsh(scaled)[0] > 0)

    @property
    def inverse(self) -> Array:
        """The covariance matrix that the information stands for, NaN where it has no inverse."""
        units = np.outer(self._size, self._size)
        try:
            with np.errstate(divide="ignore", invalid="ignore"):  # a parameter of which nothing is known
                inverse: Array = np.linalg.inv(self.matrix / units) / units
        except np.linalg.LinAlgError:
            return np.full_like(self.matrix, np.nan)
        return inverse

    @cached_property
    def _size(self) -> Array:
        return np.sqrt(np.abs(np.diag(self.matrix)))

    @property
    def fixed(self) -> Array:
        """Covariance of the fixed effects, shape (p, p)."""
        return self.inverse[: self.p, : self.p]

    def by(self, parameters: str) -> Information:
        """Write the derivatives in other variance parameters.

        Parameters
        ----------
        parameters : {"relative covariances", "covariances", "theta", "log sd, correlation"}
        """
        if parameters == "relative covariances":
            return self
        write, read = PARAMETERS[parameters]
        with np.errstate(divide="ignore", invalid="ignore"):  # a variance of zero has no logarithm
            point = write(self.point, self.widths)
            first, second = derivatives(lambda values: read(values, self.widths), point)
        p = self.p
        move = np.eye(p + len(point))
        move[p:, p:] = first
        matrix = move.T @ self.matrix @ move
        matrix[p:, p:] += np.tensordot(self.gradient[p:], second, axes=1)
        return replace(self, point=point, gradient=move.T @ self.gradient, matrix=matrix)


def information(objective: Objective, theta: Array, beta: Array, sigma: float | None = None) -> Information:
    """Differentiate half the criterion at given estimates.

    Parameters
    ----------
    objective : Objective
    theta : ndarray
    beta : ndarray, shape (p,)
    sigma : float, optional
        The default is the best for theta and beta.

    Returns
    -------
    Information
        In relative covariances.
    """
    design, root = objective.design, np.sqrt(objective.design.weights)
    x, y, z = design.x * root[:, None], (design.y - design.offset) * root, sp.csc_array(sp.diags_array(root) @ design.z)
    marginal = Marginal(z, objective.factor(theta))
    m, vx, vr = objective.denominator, marginal.solve(x), marginal.solve(y - x @ beta)
    q, a, b = float((y - x @ beta) @ vr), x.T @ vx, x.T @ vr
    s = q / m if sigma is None else sigma**2
    moved = np.array([move @ (z.T @ vr) for move in _moves(design)])
    slopes, cross = moved @ (z.T @ vr), moved @ (z.T @ vx)
    traces, mixed, quadratic = _traces(marginal, design, moved, (z.T @ vx, a) if objective.reml else None)
    gradient = np.concatenate([-b / s, (traces - slopes / s) / 2, [(m / s - q / s**2) / 2]])
    matrix = np.block(
        [
            [a / s, cross.T / s, b[:, None] / s**2],
            [cross / s, quadratic / s - mixed / 2, slopes[:, None] / s**2 / 2],
            [b[None, :] / s**2, slopes[None, :] / s**2 / 2, np.array([[q / s**3 - m / s**2 / 2]])],
        ]
    )
    relative = covariance.join([t @ t.T for t in covariance.split(theta, design.widths)])
    return Information(design.widths, np.append(relative, s), gradient, matrix)


class Marginal:
    """The covariance of the weighted response in units of the residual variance, ``V = I + Z L L' Z'``.

    Parameters
    ----------
    z : csc_array, shape (n, q)
        Weighted.
    factor : csc_array, shape (q, q)
        ``L``, the relative factor.
    """

    def __init__(self, z: sp.csc_array, factor: sp.csc_array) -> None:
        self._half, self._squares = sp.csc_array(z @ factor), sp.csc_array(z.T @ z)
        self._across = sp.csc_array(factor.T @ self._squares)
        self._inner = splu_spd(sp.csc_array(factor.T @ self._squares @ factor + sp.eye_array(factor.shape[0])))

    def solve(self, right: Array) -> Array:
        """``V^-1`` times one column or several."""
        inner: Array = right - self._half @ self._inner.solve(np.ascontiguousarray(self._half.T @ right))
        return inner

    def columns(self, place: slice) -> Array:
        """Some columns of ``Z' V^-1 Z``, dense."""
        across = self._inner.solve(self._across[:, place].toarray())
        columns: Array = self._squares[:, place].toarray() - self._across.T @ across
        return columns


def _moves(design: Design) -> list[sp.csr_array]:
    """Return for each relative covariance what a unit of it adds to the covariance of all conditional modes."""
    sizes = [term.z.shape[1] for term in design.random]
    found = []
    for place, term in enumerate(design.random):
        for i, j in zip(*covariance.triangle(term.width), strict=True):
            unit = np.zeros((term.width, term.width))
            unit[i, j] = unit[j, i] = 1.0
            blocks = [sp.csr_array((size, size)) for size in sizes]
            blocks[place] = sp.csr_array(sp.kron(sp.eye_array(len(term.levels)), unit))
            found.append(sp.csr_array(sp.block_diag(blocks)))
    return found


def _traces(
    marginal: Marginal, design: Design, moved: Array, fixed: tuple[Array, Array] | None
) -> tuple[Array, Array, Array]:
    """Return the traces of each move and of each pair of moves, and the quadratic forms of pairs.

    ``fixed`` is ``Z' V^-1 X`` and ``X' V^-1 X`` under REML, whose traces are of ``P`` and not of ``V^-1``.
    """
    moves = _moves(design)
    one, two, forms = np.zeros(len(moves)), *np.zeros((2, len(moves), len(moves)))
    for place in _slabs(design):
        slab = marginal.columns(place)
        forms += moved @ slab @ moved[:, place].T
        if fixed is not None:
            slab -= fixed[0] @ np.linalg.solve(fixed[1], fixed[0][place].T)
        left = np.array([move @ slab for move in moves])
        right = np.array([slab @ move[place, place] for move in moves])
        one += [float(move[:, place].multiply(slab).sum()) for move in moves]
        two += np.einsum("kij,lij->kl", left, right)
    return one, two, forms


def _slabs(design: Design) -> Iterator[slice]:
    """Cut the columns of Z into pieces of whole levels of one term."""
    start = 0
    for term in design.random:
        end, step = start + term.z.shape[1], max(SLAB // term.width, 1) * term.width
        yield from (slice(at, min(at + step, end)) for at in range(start, end, step))
        start = end


Parameters: TypeAlias = Callable[[Array, tuple[int, ...]], Array]


def _to_theta(point: Array, widths: tuple[int, ...]) -> Array:
    return np.append(covariance.join([covariance.lower_root(c) for c in _matrices(point, widths)]), point[-1])


def _of_theta(values: Array, widths: tuple[int, ...]) -> Array:
    return np.append(covariance.join([t @ t.T for t in covariance.split(values[:-1], widths)]), values[-1])


def _to_absolute(point: Array, widths: tuple[int, ...]) -> Array:
    return np.append(point[:-1] * point[-1], point[-1])


def _of_absolute(values: Array, widths: tuple[int, ...]) -> Array:
    return np.append(values[:-1] / values[-1], values[-1])


def _to_log_sd(point: Array, widths: tuple[int, ...]) -> Array:
    """Log standard deviations, and a root of the correlations with ones on its diagonal, as glmmTMB has them."""
    parts = []
    for relative in _matrices(point, widths):
        sd, corr = covariance.correlation(relative * point[-1])
        root = covariance.lower_root(corr) if np.all(np.isfinite(corr)) else np.full_like(corr, np.nan)
        below = root / np.diag(root)[:, None]
        parts.append(np.tril(below, -1) + np.diag(np.log(sd)))
    return np.append(covariance.join(parts), np.log(point[-1]) / 2)


def _of_log_sd(values: Array, widths: tuple[int, ...]) -> Array:
    variance, parts = np.exp(2 * values[-1]), []
    for part in covariance.split(values[:-1], widths):
        root = np.tril(part, -1) + np.eye(len(part))
        root = np.exp(np.diag(part))[:, None] * root / np.linalg.norm(root, axis=1)[:, None]
        parts.append(root @ root.T / variance)
    return np.append(covariance.join(parts), variance)


PARAMETERS: dict[str, tuple[Parameters, Parameters]] = {
    "theta": (_to_theta, _of_theta),
    "covariances": (_to_absolute, _of_absolute),
    "log sd, correlation": (_to_log_sd, _of_log_sd),
}


def _matrices(point: Array, widths: tuple[int, ...]) -> list[Array]:
    return [c + np.tril(c, -1).T for c in covariance.split(point[:-1], widths)]


def derivatives(function: Callable[[Array], Array], at: Array) -> tuple[Array, Array]:
    """First and second derivatives of a vector of functions, by central differences: (m, k) and (m, k, k)."""
    steps = STEP * np.maximum(np.abs(at), 1.0)
    moves = np.diag(steps)
    first = np.array([(function(at + a) - function(at - a)) / 2 for a in moves]).T / steps
    second = np.array(
        [
            [function(at + a + b) - function(at + a - b) - function(at - a + b) + function(at - a - b) for b in moves]
            for a in moves
        ]
    )
    return first, np.moveaxis(second, 2, 0) / (4 * np.outer(steps, steps))
