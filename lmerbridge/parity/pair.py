"""Two fits of one model under one objective: everything the referee decides on."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from lmerbridge.errors import EngineFailed, InvalidArgument
from lmerbridge.inputs import Spec
from lmerbridge.models import KeptFit
from lmerbridge.parity import align, sparse
from lmerbridge.parity import criterion as criteria
from lmerbridge.parity.joint import Joint
from lmerbridge.parity.quantities import Comparer, QuantityRow
from lmerbridge.parity.surface import Attribution, Surface
from lmerbridge.parity.tolerances import ZERO_SD, ToleranceProfile
from lmerbridge.parity.words import AT_LIMIT, Code
from lmerbridge.results import Array, Design, Fit, LogLik, covariance

T = TypeVar("T")
SURFACES: dict[str, type[Surface]] = {"Objective": sparse.Objective, "Joint": Joint}  # of a kind, by its name there
LOST = 1e-4  # no more than this is forgiven to the rounding of a covariance near its boundary
BETWEEN = 1e-2  # nor to the rounding of the objective itself: lme4's code and ours differ where x is in units of 1e+-6
BESIDE, LEVEL = 0.01, 1e-6  # units of the linear predictor, and of the deviance: an answer in the basin of an end
NEAR = 2.0  # times a limit: nlme's gap on carrots/ML is 7.2e-7 or 1.24e-6 by the processor, the limit 1e-6
PERFECT = 1e-8  # a sigma this small beside the response is rounding, and the likelihood has no maximum


@dataclass(frozen=True, eq=False)
class Side:
    """One of the two fits, in the reference's words.

    Attributes
    ----------
    name : str
    fit : Fit
    order : ndarray of int
        Where the fit keeps each row of the reference.
    untold : tuple of str
        What of it the engine has no number for, and says so.
    """

    name: str
    fit: Fit
    order: NDArray[np.intp]
    untold: tuple[str, ...]


class Trial:
    """Two fits before the referee.

    Parameters
    ----------
    reference, candidate : Fit
        The reference must give its design.
    names : (str, str)
        What reports call the two.
    profile : ToleranceProfile
    shared : dict, optional
        Where what is the reference's alone is kept: given to every candidate's trial, it is computed once for all.
    spec : Spec, optional
        What was fitted, where the reference's fit does not have it: a generalized model's nodes are told there.

    Raises
    ------
    InvalidArgument
        Both have one name.
    EngineFailed
        The reference keeps its design to itself, or its fit has no likelihood to compare.
    """

    def __init__(
        self,
        reference: Fit,
        candidate: Fit,
        names: tuple[str, str],
        profile: ToleranceProfile,
        shared: dict[str, Any] | None = None,
        spec: Spec | None = None,
    ) -> None:
        if names[0] == names[1]:
            raise InvalidArgument(f"both engines are named {names[0]!r}; two different names are expected.")
        self.reference, self.names, self.profile = whole(reference), names, profile.of(reference.kind.objective)
        self._shared = {} if shared is None else shared
        self.spec: Spec | None = spec or getattr(reference, "spec", None)
        self.design = self.once("design", lambda: _usable(reference, names[0]))
        self.as_given = whole(candidate)
        self.other: Design | None = candidate.design()

    def once(self, name: str, compute: Callable[[], T]) -> T:
        """Return what is the reference's alone by the limits of this profile, computed by its first trial."""
        key = f"{name} {self.profile.name}"
        if key not in self._shared:
            self._shared[key] = compute()
        value: T = self._shared[key]
        return value

    @cached_property
    def order(self) -> NDArray[np.intp]:
        """Where the candidate keeps each row of the reference."""
        sorter = np.argsort(self.as_given.rows)
        return sorter[np.searchsorted(self.as_given.rows, self.reference.rows, sorter=sorter)]

    @cached_property
    def sides(self) -> tuple[Side, Side]:
        """The reference and the candidate."""
        reference, p = self.reference, len(self.reference.terms)
        told = align.restate(reference, self.design, self._blocks, align.Recoding(np.eye(p), 0.0)) or reference
        here = np.arange(len(reference.rows))
        first = Side(self.names[0], told, here, _untold(reference, True))
        return first, Side(self.names[1], self.candidate, self.order, self.untold)

    @property
    def untold(self) -> tuple[str, ...]:
        """What the candidate has no number for, and says so."""
        return _untold(self.as_given, self.recoding.same_columns)

    @property
    def _blocks(self) -> list[str]:
        return [block.name for block in self.reference.varcorr]

    @cached_property
    def recoding(self) -> align.Recoding:
        """How the candidate's fixed part is written in the reference's."""
        if self.other is None:
            return align.recoding_by_name(self.design.terms, self.as_given.terms)
        return align.recoding(self.design.x, self.other.x[self.order])

    @cached_property
    def restatement(self) -> Fit | None:
        """The candidate in the reference's words, or None where its terms have no counterparts."""
        if not self.recoding.distance <= self.profile.space:
            return None
        return align.restate(self.as_given, self.design, self._blocks, self.recoding)

    @property
    def candidate(self) -> Fit:
        """The candidate, in the reference's words where it can be said in them."""
        return self.restatement or self.as_given

    @property
    def defect(self) -> Code | None:
        """What makes the candidate's answer no point of the objective, or None."""
        fit = self.candidate
        if fit.theta.shape != self.reference.theta.shape or not np.all(np.isfinite(fit.theta)):
            return Code.NO_THETA
        if not np.all(np.isfinite(self.thetas)):
            return Code.NO_ESTIMATE
        return None if np.isfinite(fit.criterion) else Code.NO_CRITERION

    @property
    def thetas(self) -> Array:
        """Both answers as points of the objective: theta in the reference's order, and what is not profiled out."""
        return np.array([self.objective.point(self.reference), self.objective.point(self.candidate)])

    @cached_property
    def objective(self) -> Surface:
        """The objective on the reference's design, which needs no R."""
        return self.once("objective", self._surface)

    def _surface(self) -> Surface:
        return SURFACES[self.reference.kind.objective].of(self.reference, self.design, getattr(self.spec, "n_agq", 1))

    @property
    def linear(self) -> sparse.Objective:
        """The objective of a linear model, as what it is."""
        return cast(sparse.Objective, self.objective)

    @cached_property
    def criterion(self) -> criteria.Criterion:
        """The common objective: lme4's own where there is an R."""
        return self.once("criterion", lambda: criteria.Remembered(self._common()))

    def _common(self) -> criteria.Criterion:
        fit = self.reference
        if not (isinstance(fit, KeptFit) and fit.kind.criterion):
            return criteria.SparseCriterion(self.objective)
        in_r: Callable[[KeptFit, Surface], criteria.Criterion] = getattr(criteria, fit.kind.criterion)
        return in_r(fit, self.objective)

    @cached_property
    def reference_value(self) -> float:
        """The objective at the reference's point, everything else profiled out."""
        return float(self._values_about(self.objective.point(self.reference))[0])

    @cached_property
    def profile_values(self) -> Array:
        """The objective at both engines' points, everything else profiled out."""
        return np.array([self.reference_value, self._values_about(self.thetas[1])[0]])

    @cached_property
    def answers(self) -> Array:
        """The objective at both engines' answers.

        An answer is its theta, with beta and sigma profiled out. The candidate's beta and sigma are held too where they
        are not the best for its theta and its own criterion counts them.
        """
        reference, profiled = self.profile_values
        reported, held = self.candidate.criterion, profiled + self._excess
        close = abs(reported - held) <= self.rounding < abs(reported - profiled)
        return np.array([reference, held if close else profiled])

    @property
    def _excess(self) -> float:
        fit = self.candidate
        if not (np.all(np.isfinite(fit.beta)) and fit.sigma > 0):
            return 0.0
        return self.objective.excess(fit.theta, fit.beta, fit.sigma)

    @cached_property
    def rounding(self) -> float:
        """How far two right values of the objective may lie apart at the candidate's point."""
        return self.rounding_at(self.thetas[1], float(self.profile_values[1]))

    def rounding_at(self, theta: Array, value: float) -> float:
        """How far two right values of the objective may lie apart at a point, where it has a value."""
        lost = min(self.lost(theta) * abs(value), LOST) if self.reference.kind.linear else 0.0
        between = min(BETWEEN, abs(value - self.objective(theta)))
        return max(self.profile.objective.bound(value), 10 * self._noise_at(theta), lost, between)

    def lost(self, theta: Array) -> float:
        """Relative rounding of an engine that inverts a covariance: the largest condition, each column by its size."""
        factors = covariance.split(theta, self.design.widths)
        scaled = [sparse.rms(term)[:, None] * t for term, t in zip(self.design.random, factors, strict=True)]
        condition = max((float(np.linalg.cond(t)) ** 2 for t in scaled if np.any(t)), default=1.0)
        return min(float(np.finfo(float).eps) * condition, LOST)

    @cached_property
    def minimum(self) -> float:
        """The lowest value found by either engine, or by a polish from them or from the criterion's own starts."""
        starts = np.array([self.objective.point(self.reference), *self.criterion.starts()])  # the same for every one
        ends, lowest = self.criterion.minima(starts)
        away = np.max(np.abs(ends - self.thetas[1]) * self.objective.scale, axis=1)
        beside = (away < BESIDE) & (np.abs(lowest - self.profile_values[1]) < LEVEL)
        if not beside.any():
            lowest = np.append(lowest, self.criterion.minima(self.thetas[1:])[1])
        return float(min(*self.profile_values, *lowest))

    @cached_property
    def reading(self) -> Attribution:
        """The objective that the candidate's own criterion is of."""
        return self.objective.read(self.candidate, self.rounding)

    def surface_of(self, side: Side) -> Surface:
        """The objective under which a side's numbers are held."""
        return self.objective if side.name == self.names[0] else self.reading.surface

    @cached_property
    def own_values(self) -> Array:
        """The candidate's own objective at its answer, and the lowest value of it that is known."""
        if self.reading.surface is self.objective:
            return np.array([self.answers[1], self.minimum])
        own, points = criteria.SparseCriterion(self.reading.surface), self.thetas[::-1]
        values = own.values(points)
        return np.array([values[0], min(*values, *own.minima(points)[1])])

    @cached_property
    def noise(self) -> float:
        """Rounding error of the objective at the better theta, in deviance units."""
        return self._noise_at(self.thetas[int(np.argmin(self.profile_values))])

    def _noise_at(self, theta: Array) -> float:
        values = self._values_about(theta)
        return float(max(np.ptp(values), 8 * np.finfo(float).eps * abs(values[0])))

    def _values_about(self, theta: Array) -> Array:
        """The objective at a point, and at two that differ from it by rounding: one question, and one call of R."""
        return self.criterion.values(np.array([theta, theta * (1 + 1e-9), theta * (1 - 1e-9)]))

    @cached_property
    def gap(self) -> dict[str, float]:
        """For each engine, deviance units above the minimum of the objective that is its own."""
        above = float(self.answers[0]) - self.minimum, float(np.subtract(*self.own_values))
        return dict(zip(self.names, above, strict=True))

    @property
    def worse(self) -> str | None:
        """The engine that stopped further above the minimum, and by more than rounding explains, or None."""
        if math.isnan(self.gap[self.names[1]]):
            return self.names[1]
        name = max(self.gap, key=lambda engine: self.gap[engine])
        return None if self.gap[name] <= self.noise + self.profile.same else name

    @cached_property
    def marks(self) -> tuple[str, ...]:
        """``boundary`` where a variance is zero or a correlation one on either side, ``flat``, and ``at a limit``."""
        diagonal = self.objective.lower == 0
        units = np.abs(self.thetas[:, diagonal]) * self.objective.scale[diagonal]
        found = {"boundary": bool((units < ZERO_SD).any()), "flat": self._flat, AT_LIMIT: self._at_limit}
        return tuple(mark for mark, present in found.items() if present)

    @property
    def _at_limit(self) -> bool:
        """Whether a gap or a difference lies so near its limit that another processor may give another verdict."""
        limits = self.noise + self.profile.same, self.profile.loose
        pairs = [(gap, limit) for gap in self.gap.values() for limit in limits]
        differences = [(row.difference, row.tolerance) for row in self.rows if row.tolerance > 0]
        worst = max(differences, key=lambda pair: pair[0] / pair[1] if pair[0] < math.inf else 0.0, default=(0.0, 1.0))
        return any(limit / NEAR < size < limit * NEAR for size, limit in (*pairs, worst))

    @property
    def _flat(self) -> bool:
        """Whether the line between two different thetas stays within a hundredth of a deviance unit."""
        a, b = self.thetas
        if np.allclose(a, b, rtol=0.01, atol=0.01 * float(np.abs(a).max(initial=0.0))):
            return False
        line = self.criterion.values(np.array([a + t * (b - a) for t in np.linspace(0, 1, 11)]))
        return bool(line.max() - self.minimum < self.profile.flat)

    @cached_property
    def solution(self) -> sparse.Solution:
        """Everything the common code makes of the candidate's theta, of a linear model."""
        return self.linear.at(self.thetas[1])

    @cached_property
    def rows(self) -> tuple[QuantityRow, ...]:
        """Every quantity of both fits, side by side."""
        return Comparer(self.reference, self.candidate, self.profile, self.units).rows()

    @property
    def units(self) -> dict[str, float]:
        """For each ``group.term`` what a unit of its standard deviation moves in the linear predictor."""
        varcorr = self.reference.varcorr
        return {
            name: float(unit)
            for block, term in zip(varcorr, self.design.random, strict=True)
            for name, unit in zip(varcorr.names_in(block), sparse.rms(term), strict=True)
        }


def whole(fit: Fit) -> Fit:
    """Return a fit with the whole log-likelihood, where it says which constant it leaves out: see `LogLik`."""
    old = fit.loglik
    if not (isinstance(old, LogLik) and old.constant):
        return fit
    loglik = LogLik(old + old.constant, old.df, old.nobs, old.reml)
    return replace(fit, loglik=loglik, criterion=fit.criterion - 2 * old.constant)


def _untold(fit: Fit, same_columns: bool) -> tuple[str, ...]:
    """What standard errors alone leave open; they tell nothing of those in another coding."""
    if not fit.only_std_errors or len(fit.beta) == 1:
        return ()
    return ("vcov",) if same_columns else ("se", "vcov")


def _usable(reference: Fit, name: str) -> Design:
    design = reference.design()
    if design is None:
        raise EngineFailed(f"{name} gives no design matrices, so it cannot be the reference.")
    if not np.all(design.weights > 0):
        raise EngineFailed("a weight is zero, and the likelihood of such a row is not defined; leave the row out.")
    residual = reference.sigma if reference.kind.linear else math.inf  # of a linear model alone it is one
    if not residual > PERFECT * float(np.abs(design.y).max()):
        raise EngineFailed("the model fits without residual, and its likelihood has no maximum to compare.")
    return design
