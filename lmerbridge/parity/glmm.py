"""The log-likelihood of generalized linear mixed models, without R.

Laplace's approximation with the weights of either definition in its log determinant, expected as lme4's or observed as
TMB's, and adaptive quadrature. All constants of the densities are included.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from lmerbridge.errors import EngineFailed, InvalidArgument
from lmerbridge.parity.descent import Slope, curvature, descend
from lmerbridge.parity.loadings import Pattern
from lmerbridge.parity.modes import Mode, Search, Weights, slopes
from lmerbridge.parity.quadrature import Quadrature
from lmerbridge.parity.sparse import rms
from lmerbridge.parity.threads import one_thread
from lmerbridge.results import Array, Design, Family, covariance
from lmerbridge.results.glm import Response, start


class Point(NamedTuple):
    """Parameters of a generalized linear mixed model.

    Attributes
    ----------
    theta : ndarray
        Factors of the random effects' covariances, on the scale of the linear predictor: no dispersion multiplies them.
    beta : ndarray, shape (p,)
    shape : float or None
        Shape of a negative binomial or dispersion; None where the family has neither.
    """

    theta: Array
    beta: Array
    shape: float | None = None


@dataclass(frozen=True, eq=False)
class GlmmSolution:
    """What follows from a point.

    Attributes
    ----------
    value : float
        Minus twice the log-likelihood, all constants included.
    saturated : float
        Log-likelihood of the saturated model, which lme4 leaves out where ``nAGQ > 1``.
    point : Point
    eta, fitted : ndarray, shape (n,)
        Linear predictors and means at the conditional modes.
    deviance_residuals : ndarray, shape (n,)
    modes : tuple of ndarray, shape (levels, terms)
        Conditional modes of each random term.
    covariance : ndarray, shape (p, p)
        Of the fixed effects at given theta, by the expected weights: lme4's ``vcov(fit, use.hessian = FALSE)``.
    """

    value: float
    saturated: float
    point: Point
    eta: Array
    fitted: Array
    deviance_residuals: Array
    modes: tuple[Array, ...]
    covariance: Array


class Glmm:
    """Minus twice the log-likelihood of one design, as a function of theta, beta and the shape.

    Parameters
    ----------
    design : Design
        ``x`` of full column rank; of a binomial, ``y`` has the proportions and ``weights`` the trials.
    family : Family
    n_agq : int, default 1
        Nodes of quadrature, 1 for Laplace's approximation. 0 is lme4's: the fixed effects are the mode of the joint
        density at given theta, so that a beta that is given is where their search starts.
    weights : {"expected", "observed"}
        Weights of the log determinant.

    Raises
    ------
    InvalidArgument
        ``n_agq`` is above 1 and there is more than one scalar random term.
    """

    def __init__(self, design: Design, family: Family, *, n_agq: int = 1, weights: Weights = "expected") -> None:
        if n_agq > 1 and design.widths != (1,):
            told = f"there are terms of {', '.join(map(str, design.widths))} columns"
            raise InvalidArgument(f"n_agq is {n_agq}, which needs a single scalar random term; {told}.")
        self.design, self.family, self.n_agq, self.weights = design, family, n_agq, weights
        self._pattern = Pattern(design)

    @property
    def shaped(self) -> bool:
        """Whether the family has a shape or a dispersion."""
        return self.family.has_scale or self.family.theta is not None

    @one_thread()
    def __call__(self, theta: Array, beta: Array, shape: float | None = None) -> float:
        """Value in deviance units, infinite where there is none.

        Parameters
        ----------
        theta, beta : ndarray
        shape : float, optional
            The default is the family's own, if it has one.
        """
        search, mode = self._mode(Point(theta, beta, shape))
        return self._value(search, mode)

    @one_thread()
    def mode(self, theta: Array, beta: Array, shape: float | None = None) -> Mode:
        """Conditional mode of the random effects.

        Raises
        ------
        EngineFailed
            The likelihood is zero or undefined at this point.
        """
        _, mode = self._mode(Point(theta, beta, shape))
        if mode is None:
            raise EngineFailed(f"{self.family} has no density at theta = {theta}, beta = {beta}, shape = {shape}.")
        return mode

    @one_thread()
    def at(self, theta: Array, beta: Array, shape: float | None = None) -> GlmmSolution:
        """Everything that follows from a point.

        Raises
        ------
        EngineFailed
            The likelihood is zero or undefined there.
        """
        mode = self.mode(theta, beta, shape)
        response = mode.response
        return GlmmSolution(
            value=self(theta, mode.beta, shape),
            saturated=response.saturated,
            point=Point(np.asarray(theta, float), mode.beta, self._shape(shape) if self.shaped else None),
            eta=response.eta,
            fitted=response.mean,
            deviance_residuals=response.deviance_residuals,
            modes=mode.loadings.modes(mode.u),
            covariance=mode.fixed_covariance(response.expected, mode.expected),
        )

    @one_thread()
    def slope(self, theta: Array, beta: Array, shape: float | None = None) -> tuple[float, Array]:
        """Value and exact derivatives by beta, theta and the shape, if the family has one.

        Where ``n_agq`` is 0 the value is no function of beta, whose derivatives are zero.
        """
        return self._slope(Point(theta, beta, shape))

    def _slope(self, point: Point) -> tuple[float, Array]:
        search, mode = self._mode(point)
        value = self._value(search, mode)
        if mode is None or not np.isfinite(value):
            return np.inf, np.full(len(point.beta) + len(point.theta) + self.shaped, np.nan)
        if self.n_agq > 1:
            return value, Quadrature(search, mode, self.weights, self.n_agq).slope(self.shaped)
        return value, self._laplace_slope(mode)

    @one_thread()
    def polish(self, theta: Array, beta: Array, shape: float | None = None) -> tuple[Point, float]:
        """Minimize from a start to rounding level, jointly in theta, beta and a shape that is given.

        Parameters
        ----------
        theta, beta : ndarray
        shape : float, optional
            Where none is given, a negative binomial keeps the shape of its family.

        Returns
        -------
        point : Point
            The diagonals of theta's factors are not negative.
        value : float
        """
        begin = Point(np.asarray(theta, float), np.asarray(beta, float), shape)
        units = self._units(begin)
        x, value, _ = descend(self._along(begin, units), np.zeros(units.shape[1]))
        found = self._moved(begin, units @ x)
        mode = self.mode(*found)
        return Point(self._signed(found.theta), mode.beta, found.shape), value

    @one_thread()
    def optimum(self) -> tuple[Point, float]:
        """The lowest point of polishes from all starts."""
        ends = [self.polish(*begin) for begin in self.starts]
        return min(ends, key=lambda end: end[1])

    @property
    def starts(self) -> list[Point]:
        """Points to start from: small, middling and large random effects, each with the fixed effects of its mode."""
        diagonal = covariance.join([np.eye(k) for k in self.design.widths])
        return [self.start(size * diagonal / self._scale) for size in (1.0, 0.2, 3.0)]

    @one_thread()
    def start(self, theta: Array) -> Point:
        """Return a point with fixed effects that suit a theta: those of ``nAGQ = 0``."""
        shape = self.family.theta if self.family.theta is not None else 1.0 if self.shaped else None
        _, mode = self._free_mode(Point(theta, np.zeros(self.design.x.shape[1]), shape))
        if self.family.has_scale and mode is not None:
            shape = float(mode.response.deviance.mean())
        beta = np.zeros(self.design.x.shape[1]) if mode is None else mode.beta
        return Point(theta, beta, shape)

    @one_thread()
    def hessian(self, theta: Array, beta: Array, shape: float | None = None) -> Array:
        """Second derivatives of half the value by beta, theta and the logarithm of a shape that is given."""
        begin = Point(np.asarray(theta, float), np.asarray(beta, float), shape)
        units = self._units(begin)
        along = self._along(begin, units)
        rough = curvature(along, np.zeros(units.shape[1]))
        units = units / np.sqrt(np.maximum(np.abs(np.diag(rough)) / 2, 1e-6))
        inverse = np.linalg.pinv(units)
        fine = curvature(self._along(begin, units), np.zeros(units.shape[1]), 1e-2)
        return inverse.T @ fine @ inverse / 2

    def joint_covariance(self, theta: Array, beta: Array, shape: float | None = None) -> Array:
        """Covariance of the fixed effects from the inverse of the joint second derivatives, NaN where it has none."""
        p = len(beta)
        joint = self.hessian(theta, beta, shape)
        size = np.sqrt(np.abs(np.diag(joint)))
        scaled = joint / np.outer(size, size)
        if not np.isfinite(scaled).all() or np.linalg.eigvalsh(scaled)[0] <= 0:
            return np.full((p, p), np.nan)
        inverse: Array = np.linalg.inv(scaled)[:p, :p] / np.outer(size[:p], size[:p])
        return inverse

    @cached_property
    def _scale(self) -> Array:
        """For each theta, the root mean square of the column of Z it scales."""
        return covariance.join([np.tril(np.repeat(s[:, None], len(s), 1)) for s in map(rms, self.design.random)])

    def _shape(self, shape: float | None) -> float:
        given = shape if shape is not None else self.family.theta
        if given is None and self.family.has_scale:
            raise InvalidArgument(f"shape is None; {self.family} needs a dispersion, a positive number.")
        return 1.0 if given is None else given

    def _search(self, point: Point, free: bool) -> Search:
        shape = self._shape(point.shape)

        def respond(eta: Array) -> Response:
            return Response(self.family, self.design.y, self.design.weights, eta, shape)

        return Search(self._pattern.at(point.theta), respond, free)

    def _mode(self, point: Point) -> tuple[Search, Mode | None]:
        if self.n_agq == 0:
            return self._free_mode(point)
        search = self._search(point, False)
        mode = search.point(np.asarray(point.beta, float), np.zeros(self._pattern.q))
        if not np.isfinite(mode.half):
            mode = search.leap(self._near, mode.beta)
        return search, search.climb(mode) if np.isfinite(mode.half) else None

    def _free_mode(self, point: Point) -> tuple[Search, Mode | None]:
        search = self._search(point, True)
        mode = search.leap(self._near, np.zeros_like(point.beta))
        if not np.isfinite(mode.half):
            mode = search.point(np.asarray(point.beta, float), np.zeros(self._pattern.q))
        return search, search.climb(mode) if np.isfinite(mode.half) else None

    @cached_property
    def _near(self) -> Array:
        return start(self.family, self.design.y, self.design.weights)

    def _value(self, search: Search, mode: Mode | None) -> float:
        if mode is None:
            return np.inf
        if self.n_agq > 1:
            return Quadrature(search, mode, self.weights, self.n_agq).value
        factor = mode.factor(self.weights)
        return 2 * mode.half + factor.log_det if factor.definite else np.inf

    def _laplace_slope(self, mode: Mode) -> Array:
        response, inverse = mode.response, mode.factor(self.weights).inverse
        p, weights = self.design.x.shape[1], getattr(response, self.weights)
        _, direct, eta = slopes(mode, self.weights, self.shaped)
        spread = mode.loadings.spread(inverse)
        slope = -2 * (response.score @ direct)
        slope += (spread * getattr(response, f"{self.weights}_slope")) @ eta
        slope[p : p + len(mode.loadings.theta)] += mode.loadings.traces(inverse, weights)
        if self.shaped:
            by_shape = response.by_shape
            slope[-1] += spread @ by_shape[2 if self.weights == "observed" else 3] - 2 * by_shape[0].sum()
        return self._inner(mode, slope, eta) if self.n_agq == 0 else slope

    def _inner(self, mode: Mode, slope: Array, eta: Array) -> Array:
        """Return the derivatives where the fixed effects follow theta and the shape."""
        x, p = self.design.x, self.design.x.shape[1]
        pull = x.T @ (mode.response.observed[:, None] * eta)
        if self.shaped:
            pull[:, -1] -= x.T @ mode.response.by_shape[1]
        moved = -np.linalg.solve(pull[:, :p], pull[:, p:])
        return np.concatenate([np.zeros(p), slope[p:] + slope[:p] @ moved])

    def _units(self, point: Point) -> Array:
        """Return directions to search in, of about one standard error each: shape (p + K + 1, k)."""
        p = len(point.beta)
        mode = self.mode(*point)
        spread = mode.fixed_covariance(mode.response.expected, mode.expected)
        try:
            root = np.linalg.cholesky(spread)
        except np.linalg.LinAlgError:
            root = np.linalg.inv(np.linalg.qr(self.design.x).R)
        shape = [[[1.0]]] if point.shape is not None else []
        blocks = [root[:, : p if self.n_agq else 0], np.diag(1 / self._scale), *map(np.array, shape)]
        rows = np.cumsum([0, *(len(block) for block in blocks)])
        columns = np.cumsum([0, *(block.shape[1] for block in blocks)])
        units = np.zeros((rows[-1], columns[-1]))
        for i, block in enumerate(blocks):
            units[rows[i] : rows[i + 1], columns[i] : columns[i + 1]] = block
        return units

    def _moved(self, point: Point, step: Array) -> Point:
        p, k = len(point.beta), len(point.theta)
        shape = None if point.shape is None else point.shape * float(np.exp(step[-1]))
        return Point(point.theta + step[p : p + k], point.beta + step[:p], shape)

    def _along(self, begin: Point, units: Array) -> Slope:
        def along(x: Array) -> tuple[float, Array]:
            point = self._moved(begin, units @ x)
            value, slope = self._slope(point)
            if point.shape is not None:
                slope[-1] *= point.shape
            return value, units.T @ slope[: len(units)]

        return along

    def _signed(self, theta: Array) -> Array:
        factors = covariance.split(theta, self.design.widths)
        return covariance.join([factor * np.where(np.diag(factor) < 0, -1.0, 1.0) for factor in factors])
