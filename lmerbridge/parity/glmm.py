"""The log-likelihood of generalized linear mixed models, without R.

Laplace's approximation with the weights of either definition in its log determinant, expected as lme4's or observed as
TMB's, and adaptive quadrature. All constants of the densities are included.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from lmerbridge.errors import EngineFailed, InvalidArgument
from lmerbridge.parity.chart import Chart, GlmmPoint
from lmerbridge.parity.descent import NOISE, curvature, descend, rough_curvature
from lmerbridge.parity.loadings import Pattern
from lmerbridge.parity.modes import Mode, Search, slopes
from lmerbridge.parity.quadrature import Quadrature
from lmerbridge.parity.sparse import rms
from lmerbridge.parity.threads import one_thread
from lmerbridge.results import Array, Design, Family, covariance
from lmerbridge.results.glm import Response, Weights, start

UNDEFINED = "the likelihood of {} is zero or undefined at {}."
SMALL = 1e-3  # a diagonal of theta in units of its column, below which zero is tried


@dataclass(frozen=True, eq=False)
class GlmmSolution:
    """What follows from a point.

    Attributes
    ----------
    value : float
        Minus twice the log-likelihood, all constants included.
    saturated : float
        Log-likelihood of the saturated model, which lme4 leaves out where ``nAGQ > 1``.
    point : GlmmPoint
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
    point: GlmmPoint
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
        density at given theta, so that a beta that is given is not read.
    weights : {"expected", "observed"}
        Weights of the log determinant.

    Raises
    ------
    InvalidArgument
        ``n_agq`` is above 1 and there is more than one scalar random term.
    """

    def __init__(self, design: Design, family: Family, *, n_agq: int = 1, weights: Weights = "expected") -> None:
        if n_agq > 1 and design.widths != (1,):
            told = f"the random terms have {', '.join(map(str, design.widths))} columns"
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
        return self._value(*self._mode(_point(theta, beta, shape)))

    @one_thread()
    def at(self, theta: Array, beta: Array, shape: float | None = None) -> GlmmSolution:
        """Everything that follows from a point.

        Raises
        ------
        EngineFailed
            The likelihood is zero or undefined there.
        """
        search, mode = self._defined(_point(theta, beta, shape))
        response = mode.response
        return GlmmSolution(
            value=self._value(search, mode),
            saturated=response.saturated,
            point=_point(theta, mode.beta, response.shape if self.shaped else None),
            eta=response.eta,
            fitted=response.mean,
            deviance_residuals=response.deviance_residuals,
            modes=mode.loadings.modes(mode.u),
            covariance=mode.fixed_covariance(response.expected, mode.expected),
        )

    @one_thread()
    def mode(self, theta: Array, beta: Array, shape: float | None = None, *, near: Array | None = None) -> Mode:
        """Return the conditional mode, or the one that a search from given spherical effects ends in.

        Raises
        ------
        EngineFailed
            The likelihood is zero or undefined there.
        """
        point = _point(theta, beta, shape)
        if near is None:
            return self._defined(point)[1]
        search = self._search(point, self.n_agq == 0)
        begin = search.point(point.beta, near)
        mode = search.climb(begin) if np.isfinite(begin.half) else None
        if mode is None:
            raise EngineFailed(UNDEFINED.format(self.family, point))
        return mode

    @one_thread()
    def profiled(self, theta: Array, beta: Array) -> float:
        """Value that lme4 before 2.0 has for a family with a dispersion, by Laplace's approximation.

        The modes are those of a dispersion of one, as is the log determinant; the densities have the mean deviance
        for it. Two is added, for R's ``aic`` of these families counts the dispersion.

        Parameters
        ----------
        theta : ndarray
            lme4's, which are in units of the root of the dispersion in its ``VarCorr`` alone.
        beta : ndarray

        Returns
        -------
        float
            In deviance units; minus twice lme4's ``logLik``.
        """
        mode = self._defined(_point(theta, beta, 1.0))[1]
        response = mode.response
        count = len(response.y) if self.family.name == "gaussian" else response.weights.sum()
        density = replace(response, shape=float(response.deviance.sum() / count)).log_density.sum()
        return float(mode.u @ mode.u - 2 * density + mode.factor("expected").log_det + 2)

    def stop(self, theta: Array, beta: Array, shape: float | None = None, *, tolerance: float = 1e-7) -> Mode | None:
        """Return where lme4's PIRLS stops, as `stop_early` has it, None where it fails."""
        found = self._stop(_point(theta, beta, shape), tolerance, None)[1]
        return None if found is None else found[0]

    def _stop(self, point: GlmmPoint, tolerance: float, eta: Array | None) -> tuple[Search, tuple[Mode, Array] | None]:
        search = self._search(point, self.n_agq == 0)
        return search, search.stop_early(self.first_stage if eta is None else eta, point.beta, tolerance)

    @one_thread()
    def slope(self, theta: Array, beta: Array, shape: float | None = None) -> tuple[float, Array]:
        """Value and exact derivatives by beta, theta and the shape, if the family has one.

        Where ``n_agq`` is 0 the value is no function of beta, whose derivatives are zero. They are NaN where the
        value is infinite.
        """
        return self._slope(_point(theta, beta, shape))

    @one_thread()
    def stop_early(
        self,
        theta: Array,
        beta: Array,
        shape: float | None = None,
        *,
        tolerance: float = 1e-7,
        eta: Array | None = None,
    ) -> float:
        """Value that lme4's PIRLS reports, which stops as its ``tolPwrss`` tells it to.

        Parameters
        ----------
        theta, beta : ndarray
        shape : float, optional
        tolerance : float
            lme4's ``tolPwrss``.
        eta : ndarray, shape (n,), optional
            Linear predictors that it starts from. The default is `first_stage`.

        Returns
        -------
        float
            In deviance units, all constants included; infinite where PIRLS fails. The expected weights are lme4's,
            whatever the weights here are.
        """
        search, found = self._stop(_point(theta, beta, shape), tolerance, eta)
        if found is None:
            return np.inf
        mode, weights = found
        if self.n_agq > 1:
            return Quadrature(search, mode, "expected", self.n_agq, weights).value
        return 2 * mode.half + mode.loadings.factor(weights).log_det

    @cached_property
    def first_stage(self) -> Array:
        """Linear predictors that each of glmer's evaluations starts from.

        They are those at the optimum for ``nAGQ = 0``, and where this is what is optimized, at its first theta.
        """
        first = Glmm(self.design, self.family, n_agq=0)
        unit = covariance.join([np.eye(k) for k in self.design.widths])
        point = first.start(unit) if self.n_agq == 0 else first.optimum()[0]
        return first.at(*point).eta

    @one_thread()
    def polish(
        self,
        theta: Array,
        beta: Array,
        shape: float | None = None,
        known: Callable[[GlmmPoint], bool] = lambda point: False,
    ) -> tuple[GlmmPoint, float]:
        """Minimize from a start to rounding level, jointly in theta, beta and a shape that is given.

        Parameters
        ----------
        theta, beta : ndarray
        shape : float, optional
            Where none is given, a negative binomial keeps the shape of its family.
        known : function of a GlmmPoint
            Whether a minimum that is known lies beside the point, so that the last steps need not be taken.

        Returns
        -------
        point : GlmmPoint
            The diagonals of theta's factors are not negative.
        value : float

        Raises
        ------
        EngineFailed
            The likelihood is zero or undefined at the start.
        """
        begin = _point(theta, beta, shape)
        search, mode = self._mode(begin)
        if mode is None or not self._value(search, mode) < np.inf:
            raise EngineFailed(UNDEFINED.format(self.family, begin))
        chart = self._chart(begin, mode)
        x, value = descend(chart.along(self._slope), chart.zero, lambda x, value: known(chart.point(x)))
        found = chart.point(x)
        point = found._replace(theta=self._settled(found, value))
        return point._replace(beta=self._defined(point)[1].beta), self._value(*self._mode(point))

    @one_thread()
    def optimum(self) -> tuple[GlmmPoint, float]:
        """The lowest point of polishes from all starts.

        Raises
        ------
        EngineFailed
            The likelihood is zero or undefined at all of them.
        """
        return min((self.polish(*begin) for begin in self.starts), key=lambda end: end[1])

    @cached_property
    def starts(self) -> list[GlmmPoint]:
        """Points to start from: middling, small and large random effects, each with fixed effects that suit it.

        Where the likelihood is undefined at all of them, as may be by a link of a bounded mean, they are tiny.
        """
        diagonal = covariance.join([np.eye(k) for k in self.design.widths])
        points = [self.start(size * diagonal * self._units) for size in (1.0, 0.2, 3.0)]
        return [point for point in points if self(*point) < np.inf] or [self.start(0.01 * diagonal * self._units)]

    @one_thread()
    def start(self, theta: Array) -> GlmmPoint:
        """Return a point with fixed effects that suit a theta, those of ``nAGQ = 0``, and a shape that suits them."""
        shape = 1.0 if self.family.has_scale else self.family.theta
        _, mode = self._mode(_point(theta, np.zeros(self.design.x.shape[1]), shape), free=True)
        if mode is not None and self.family.has_scale:
            shape = float(mode.response.deviance.mean())
        return _point(theta, np.zeros(self.design.x.shape[1]) if mode is None else mode.beta, shape)

    @one_thread()
    def hessian(self, theta: Array, beta: Array, shape: float | None = None) -> Array:
        """Second derivatives of half the value by beta, theta and the logarithm of a shape that is given."""
        point = _point(theta, beta, shape)
        mode = self._defined(point)[1]
        chart = self._chart(point, mode)
        along = chart.along(partial(self._slope, begin=mode))
        chart.rescale(rough_curvature(along, chart.zero, along(chart.zero)[1]))
        found = curvature(along, chart.zero, FINE)
        back = np.linalg.pinv(chart.units)
        return back.T @ found @ back / 2

    def joint_covariance(self, theta: Array, beta: Array, shape: float | None = None) -> Array:
        """Covariance of the fixed effects from the inverse of the joint second derivatives, NaN where it has none."""
        joint, p = self.hessian(theta, beta, shape), len(beta)
        size = np.sqrt(np.abs(np.diag(joint)))
        scaled = joint / np.outer(size, size)
        if not np.isfinite(scaled).all() or np.linalg.eigvalsh(scaled)[0] <= 0:
            return np.full((p, p), np.nan)
        inverse: Array = np.linalg.inv(scaled)[:p, :p] / np.outer(size[:p], size[:p])
        return inverse

    @cached_property
    def _units(self) -> Array:
        """Of each theta, the size by which the column of Z that it scales moves a row by one."""
        return covariance.join([np.tril(np.repeat(1 / s[:, None], len(s), 1)) for s in map(rms, self.design.random)])

    @cached_property
    def _near(self) -> Array:
        return start(self.family, self.design.y, self.design.weights)

    def _search(self, point: GlmmPoint, free: bool) -> Search:
        shape = self.family.theta if point.shape is None else point.shape
        if self.family.has_scale and shape is None:
            raise InvalidArgument(f"shape is None; {self.family} needs its dispersion, a positive number.")

        def respond(eta: Array) -> Response:
            return Response(self.family, self.design.y, self.design.weights, eta, 1.0 if shape is None else shape)

        return Search(self._pattern.at(point.theta), respond, free)

    def _mode(self, point: GlmmPoint, free: bool = False, begin: Mode | None = None) -> tuple[Search, Mode | None]:
        search = self._search(point, free or self.n_agq == 0)
        mode = search.point(point.beta, begin.u) if begin else search.near(self._near, point.beta)
        return search, search.climb(mode) if np.isfinite(mode.half) else None

    def _defined(self, point: GlmmPoint) -> tuple[Search, Mode]:
        search, mode = self._mode(point)
        if mode is None:
            raise EngineFailed(UNDEFINED.format(self.family, point))
        return search, mode

    def _value(self, search: Search, mode: Mode | None) -> float:
        if mode is None:
            return np.inf
        if self.n_agq > 1:
            return Quadrature(search, mode, self.weights, self.n_agq).value
        factor = mode.factor(self.weights)
        return 2 * mode.half + factor.log_det if factor.definite else np.inf

    def _slope(self, point: GlmmPoint, begin: Mode | None = None) -> tuple[float, Array]:
        search, mode = self._mode(point, begin=begin)
        value = self._value(search, mode)
        if mode is None or not np.isfinite(value) or not mode.observed.definite:
            return value, np.full(len(point.beta) + len(point.theta) + self.shaped, np.nan)
        if self.n_agq > 1:
            return value, Quadrature(search, mode, self.weights, self.n_agq).slope(self.shaped)
        return value, self._laplace_slope(mode)

    def _laplace_slope(self, mode: Mode) -> Array:
        response, inverse = mode.response, mode.factor(self.weights).inverse
        p, k = len(mode.beta), len(mode.loadings.theta)
        moved = slopes(mode, self.shaped)
        spread = mode.loadings.spread(inverse)
        slope = -2 * (response.score @ moved.direct)
        slope += (spread * response.weight_slope(self.weights)) @ moved.eta
        slope[p : p + k] += mode.loadings.traces(inverse, response.weight(self.weights))
        if self.shaped:
            slope[-1] += spread @ response.weight_by_shape(self.weights) - 2 * response.density_by_shape.sum()
        return self._inner(mode, slope, moved.eta) if self.n_agq == 0 else slope

    def _inner(self, mode: Mode, slope: Array, eta: Array) -> Array:
        """Return the derivatives where the fixed effects follow theta and the shape."""
        x, p = self.design.x, len(mode.beta)
        pull = x.T @ (mode.response.observed[:, None] * eta)
        if self.shaped:
            pull[:, -1] -= x.T @ mode.response.score_by_shape
        moved = -np.linalg.solve(pull[:, :p], pull[:, p:])
        return np.concatenate([np.zeros(p), slope[p:] + slope[:p] @ moved])

    def _chart(self, point: GlmmPoint, mode: Mode) -> Chart:
        spread = mode.fixed_covariance(mode.response.expected, mode.expected)
        return Chart(point, spread, self._units, follows=self.n_agq == 0)

    def _settled(self, point: GlmmPoint, value: float) -> Array:
        """Return theta with diagonals that are not negative, and zero where that is no worse."""
        factors = covariance.split(point.theta, self.design.widths)
        theta = covariance.join([factor * np.where(np.diag(factor) < 0, -1.0, 1.0) for factor in factors])
        diagonal = covariance.join([np.eye(k) for k in self.design.widths])
        for place in np.flatnonzero(diagonal * (theta < SMALL * self._units)):
            zero = np.where(np.arange(len(theta)) == place, 0.0, theta)
            if self._value(*self._mode(point._replace(theta=zero))) <= value + NOISE * abs(value):
                theta = zero
        return theta


FINE = 1e-2  # of the differences of a Hessian, in units of one curvature


def _point(theta: Array, beta: Array, shape: float | None) -> GlmmPoint:
    return GlmmPoint(np.asarray(theta, float), np.asarray(beta, float), shape)
