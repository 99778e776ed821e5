"""Minus twice the log-likelihood of a generalized model over its points: theta, the fixed effects, and a shape.

A candidate's criterion may be of another objective than the reference's: with other weights in the determinant of
Laplace's approximation, by other nodes, of a design that it has read in another way, or less a constant. Each is a
`Joint` of its own here, so that it is named only where it gives the candidate's number at the candidate's answer.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import cast, get_args

import numpy as np
from scipy.special import gammaln

from lmerbridge.errors import LmerBridgeError
from lmerbridge.parity.chart import GlmmPoint
from lmerbridge.parity.definitions import named
from lmerbridge.parity.early import DEFAULT, Early
from lmerbridge.parity.glmm import Glmm, GlmmSolution
from lmerbridge.parity.misreadings import other_designs
from lmerbridge.parity.sparse import rms
from lmerbridge.parity.steps import StepCovariance
from lmerbridge.parity.surface import Attribution
from lmerbridge.results import Array, Design, Family, Fit, covariance
from lmerbridge.results.family import MADE
from lmerbridge.results.glm import Weights

NODES = (1, 2, 3, 5, 7, 9, 10, 11, 15, 20, 25)  # that a candidate may have used where it was asked for others
BESIDE, NEAR = 1e-6, 0.05  # deviance units, and units of the linear predictor: no basin of its own
INNER = 1e-3  # in standard errors: fixed effects that are those of n_agq = 0
PIRLS = named("pirls_tolerance")
LEFT, ROUNDING = 0.2, 1e-6  # of a difference, and deviance units: the end of lme4's first stage has few digits
SHAPED = "fit_glmer_nb"  # the function of R by which a shape is estimated


def tolerance_of(fit: Fit) -> float:
    """Return the relative change at which lme4's inner iterations stopped, as its engine tells it."""
    return float(dict(fit.provenance.versions).get("tolPwrss", DEFAULT))


@dataclass(frozen=True, eq=False)
class Joint:
    """The criterion of one design, family and approximation.

    Attributes
    ----------
    design : Design
    family : Family
    near : ndarray
        The reference's answer, from which polishes start as well.
    n_agq : int
    weights : {"expected", "observed"}
        Of the determinant.
    estimated : bool
        Whether the last element of a point is a shape, or a dispersion.
    saturated : bool
        Whether the log-likelihood of the saturated model is left out, as lme4 does by quadrature.
    """

    design: Design
    family: Family
    near: Array
    n_agq: int = 1
    weights: Weights = "expected"
    estimated: bool = False
    saturated: bool = False

    @classmethod
    def of(cls, fit: Fit, design: Design, n_agq: int = 1) -> Joint:
        """The criterion of a reference, by whichever weights give its number; lme4's are the expected ones.

        The fixed effects of ``n_agq = 0`` are judged by Laplace's approximation.
        """
        kind = fit.kind
        estimated = kind.fit == SHAPED or bool(kind.scale(1.0))
        shape = fit.nb_theta if kind.family == "negative.binomial" else None
        found = cls(
            design,
            Family(kind.family, kind.link, shape),
            near=np.empty(0),
            n_agq=max(n_agq, 1),
            estimated=estimated,
        )
        found = replace(found, near=found.point(fit))
        off, other = (abs(each._value(found.near) - fit.criterion) for each in (found, found._turned))
        return found._turned if other < LEFT * off and off > ROUNDING else found

    @cached_property
    def model(self) -> Glmm:
        """The log-likelihood."""
        return Glmm(self.design, self.family, n_agq=self.n_agq, weights=self.weights)

    def point(self, fit: Fit) -> Array:
        """Theta on the scale of the linear predictor, the fixed effects, and a shape or dispersion."""
        shape = [fit.sigma**2 if self.family.has_scale else fit.nb_theta] if self.estimated else []
        return np.concatenate([fit.theta * self.scale_of(fit), fit.beta, shape])

    def scale_of(self, fit: Fit) -> float:
        """What a fit's theta is times on the scale of the linear predictor: sigma where lme4 estimates a dispersion."""
        if not self.family.has_scale:
            return 1.0
        factors = covariance.split(fit.theta, self.design.widths)
        same = all(np.allclose(b.covariance, t @ t.T, rtol=1e-4) for b, t in zip(fit.varcorr, factors, strict=True))
        return 1.0 if same else fit.sigma

    def parts(self, point: Array) -> GlmmPoint:
        """Theta, the fixed effects and the shape of a point."""
        k = len(self._theta_scale)
        theta, beta = point[:k], point[k : k + self.design.x.shape[1]]
        return GlmmPoint(theta, beta, float(point[-1]) if self.estimated else None)

    def __call__(self, point: Array) -> float:
        """Value of the criterion, NaN where there is none."""
        parts = self.parts(point)
        if not (np.all(np.isfinite(point)) and (parts.shape is None or parts.shape > 0)):
            return math.nan
        value = self.model(*parts)
        return value + self._left_out(parts) if math.isfinite(value) else math.nan

    def _left_out(self, parts: GlmmPoint) -> float:
        return 2 * self.model.at(*parts).saturated if self.saturated else 0.0

    def at(self, point: Array) -> GlmmSolution:
        """Everything that follows from a point."""
        return self.model.at(*self.parts(point))

    def sd(self, point: Array) -> Array:
        """Standard deviation of each response given the random effects."""
        sd: Array = self.model.mode(*self.parts(point)).response.sd.copy()
        sd[~(sd > 0)] = 1.0
        return sd

    def errors(self, point: Array, by: str) -> Array:
        """Covariance of the fixed effects by a definition of standard errors, NaN where it has none.

        Parameters
        ----------
        point : ndarray
        by : str
            ``borne_out_by`` of an entry of ``definitions.toml``.
        """
        key = by, point.tobytes()
        if key not in self._errors:
            self._errors[key] = self._errors_by(by, point)
        return self._errors[key]

    @cached_property
    def _errors(self) -> dict[tuple[str, bytes], Array]:
        return {}

    def _errors_by(self, by: str, point: Array) -> Array:
        parts = self.parts(point)
        if by == "joint, in steps":
            return StepCovariance(self._with_shape(parts), parts).covariance
        weights = re.fullmatch("given theta, (.*)", by)
        if weights is None:
            held = parts._replace(shape=None) if by == "joint given shape" else parts
            if held.shape is None and self.family.has_scale:
                return np.full((len(parts.beta), len(parts.beta)), np.nan)
            return self._with_shape(parts).joint_covariance(*held)
        mode = self.model.mode(*parts)
        kind = cast(Weights, weights[1])
        return mode.fixed_covariance(mode.response.weight(kind), mode.factor(kind))

    def _with_shape(self, parts: GlmmPoint) -> Glmm:
        """The log-likelihood with the shape of a point as that of its family."""
        if parts.shape is None or self.family.has_scale:
            return self.model
        return replace(self, family=replace(self.family, theta=parts.shape)).model

    def excess(self, theta: Array, beta: Array, sigma: float) -> float:
        """Nothing: a point leaves nothing out."""
        return 0.0

    def polish(self, start: Array) -> tuple[Array, float]:
        """Minimize from a start to rounding level; a start beside a known end leads there."""
        if math.isnan(value := self(start)):
            return start, value
        if end := self._end_beside(start, value):
            return end
        found = self._whole(self.model.polish(*self.parts(start), known=self._leads_to_known)[0])
        lowest = self(found)
        if end := self._end_beside(found, lowest):
            return end
        self._ends.append((found, lowest))
        return self._ends[-1]

    def _leads_to_known(self, parts: GlmmPoint) -> bool:
        point = self._whole(parts)
        return bool(self._ends) and self._end_beside(point, self(point)) is not None

    def _end_beside(self, point: Array, value: float) -> tuple[Array, float] | None:
        """Return the known end in whose basin a point of some value lies, if there is one."""
        for end, lowest in self._ends:
            if abs(value - lowest) < BESIDE and np.max(np.abs(point - end) * self.scale) < NEAR:
                return end, lowest
        return None

    @cached_property
    def _ends(self) -> list[tuple[Array, float]]:
        return []

    def _whole(self, point: GlmmPoint) -> Array:
        return np.concatenate([point.theta, point.beta, [point.shape or math.nan] if self.estimated else []])

    @cached_property
    def lower(self) -> Array:
        """Lower bounds: 0 on the diagonals of theta's factors."""
        diagonal = covariance.join([np.eye(k) for k in self.design.widths]) == 1
        rest = np.full(self.design.x.shape[1] + int(self.estimated), -np.inf)
        return np.concatenate([np.where(diagonal, 0.0, -np.inf), rest])

    @cached_property
    def scale(self) -> Array:
        """For each element, what a unit of it moves in the linear predictor; 1 for a shape."""
        fixed = np.sqrt(np.mean(self.design.x**2, axis=0))
        return np.concatenate([self._theta_scale, fixed, np.ones(int(self.estimated))])

    @cached_property
    def _theta_scale(self) -> Array:
        return covariance.join([np.tril(np.repeat(s[:, None], len(s), 1)) for s in map(rms, self.design.random)])

    @property
    def default(self) -> Array:
        """Random effects of the size of one in the linear predictor, and the fixed effects that suit them."""
        first: Array = self._starts[0]
        return first

    @property
    def starts(self) -> Array:
        """Smaller and larger random effects."""
        return self._starts[1:]

    @cached_property
    def _starts(self) -> Array:
        return np.array([self._whole(start) for start in self.model.starts])

    def read(self, fit: Fit, rounding: float) -> Attribution:
        """Find the objective that a candidate's criterion is of, or this one where none gives its number."""
        point, limit = self.point(fit), 10 * rounding
        common = self(point)
        off = fit.criterion - common
        if abs(off) <= rounding:
            return Attribution(self, "n_agq 0" if self._inner(point) else "")
        for name, size in self.constants(point):
            if abs(size) > limit >= abs(off - size):
                return Attribution(self, f"{name}, n_agq 0" if self._inner(point) else name)
        if self._stops_early(fit, off):
            return Attribution(self, f"pirls_tolerance {tolerance_of(fit):g}")
        for name, other in self._others():
            value = other._value(point)
            if abs(fit.criterion - value) <= limit < abs(value - common):
                return Attribution(other, name)
        return Attribution(self, "other_mode" if self._has_other_mode(fit, limit) else "")

    def early(self, fit: Fit) -> Early:
        """What lme4 makes of a fit's point."""
        key = tolerance_of(fit), self.point(fit).tobytes()
        if key not in self._early:
            self._early[key] = Early(self.model, *self.parts(self.point(fit)), key[0])
        return self._early[key]

    @cached_property
    def _early(self) -> dict[tuple[float, bytes], Early]:
        return {}

    def _stops_early(self, fit: Fit, off: float) -> bool:
        """Whether a criterion of lme4 is what its inner iterations leave where they stop, or they leave as much."""
        if not PIRLS.covers(fit.engine, "logLik"):
            return False
        point = self.point(fit)
        moved = self.early(fit).value + self._left_out(self.parts(point)) - self(point)
        return abs(off - moved) <= max(LEFT * abs(off), ROUNDING) or ROUNDING < abs(off) <= 2 * abs(moved)

    def _has_other_mode(self, fit: Fit, limit: float) -> bool:
        """Whether a criterion is that of the modes a fit reports, where the density has several."""
        parts = self.parts(self.point(fit))
        factors = covariance.split(parts.theta, self.design.widths)
        u = [(np.linalg.pinv(t) @ its.modes.T).T.ravel() for t, its in zip(factors, fit.modes, strict=True)]
        mode = self.model.mode(*parts, near=np.concatenate(u))
        values = [2 * mode.half + mode.factor(weights).log_det for weights in get_args(Weights)]
        common, near = self(self.point(fit)), min(values, key=lambda value: abs(fit.criterion - value))
        return self.n_agq == 1 and abs(fit.criterion - near) <= limit < abs(near - common)

    def _value(self, point: Array) -> float:
        """Value at a point that need not be one of this design, link or family."""
        try:
            with np.errstate(all="ignore"):
                return self(point)
        except (LmerBridgeError, np.linalg.LinAlgError, ValueError):
            return math.nan

    def _inner(self, point: Array) -> bool:
        """Whether the fixed effects are those of ``n_agq = 0`` at their theta, and not the best there."""
        parts = self.parts(point)
        inner = Glmm(self.design, self.family, n_agq=0).at(*parts)
        se = np.sqrt(np.diag(inner.covariance))
        if not np.max(np.abs(parts.beta - inner.point.beta) / se) <= INNER:
            return False
        slope = self.model.slope(*parts)[1][: len(se)]
        return bool(np.max(np.abs(slope) * se) > 10 * INNER)

    def constants(self, point: Array) -> Iterator[tuple[str, float]]:
        """Yield constants that some packages leave out, of the criterion."""
        y, w = self.design.y, self.design.weights
        n, q = self.design.z.shape
        sizes = {
            "saturated": 2 * self.at(point).saturated,
            "q_log_2pi": q * math.log(2 * math.pi),
            "n_log_2pi": n * math.log(2 * math.pi),
        }
        if self.family.name == "binomial":
            sizes["binomial_coefficients"] = 2 * float(
                (gammaln(w + 1) - gammaln(w * y + 1) - gammaln(w * (1 - y) + 1)).sum()
            )
        elif self.family.name in ("poisson", "negative.binomial"):
            sizes["log_factorials"] = -2 * float((w * gammaln(y + 1)).sum())
        for name, size in sizes.items():
            yield name, size
            yield f"-{name}", -size

    def _others(self) -> Iterator[tuple[str, Joint]]:
        """Yield other objectives, the nearest first."""
        approximations = [*self._approximations()]
        yield from approximations
        for name, design in self._designs():
            yield from self._both(name, replace(self, design=design))
        for link in MADE:
            if link != self.family.link:
                family = Family(self.family.name, link, self.family.theta)
                yield from self._both(f"link {link}", replace(self, family=family))
        if self.family.name == "negative.binomial" and not self.estimated:
            yield from self._both("family poisson", replace(self, family=Family("poisson", self.family.link)))

    def _both(self, name: str, other: Joint) -> Iterator[tuple[str, Joint]]:
        """Yield another model with either weights in its determinant."""
        yield name, other
        weights = other._turned
        yield f"{name}, laplace_weights {weights.weights}", weights

    @property
    def _turned(self) -> Joint:
        return replace(self, weights="observed" if self.weights == "expected" else "expected")

    def _approximations(self) -> Iterator[tuple[str, Joint]]:
        yield f"laplace_weights {self._turned.weights}", self._turned
        scalar = self.design.widths == (1,)
        for nodes in NODES if scalar else (1,):
            if nodes != self.n_agq:
                whole = replace(self, n_agq=nodes, saturated=False)
                yield f"n_agq {nodes}", whole
                if nodes > 1:
                    yield f"n_agq {nodes}, saturated", replace(whole, saturated=True)

    def _designs(self) -> Iterator[tuple[str, Design]]:
        yield from other_designs(self.design, shift=True)
        if self.family.name == "binomial":
            yield "swapped", replace(self.design, y=1 - self.design.y)
