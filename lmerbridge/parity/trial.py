"""Two fits of one model under one objective: everything the referee decides on."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lmerbridge.covariance import Array
from lmerbridge.design import Design
from lmerbridge.errors import EngineFailed
from lmerbridge.lmm import LmerFit
from lmerbridge.parity import align
from lmerbridge.parity.criterion import Criterion, Lme4Criterion, SparseCriterion
from lmerbridge.parity.objective import Objective, Solution
from lmerbridge.parity.tolerances import Profile
from lmerbridge.results import Fit

BOUNDARY = 1e-4  # lme4's tolerance for a singular fit: a diagonal of theta, relative to its unit


class Trial:
    """Two fits before the referee.

    Parameters
    ----------
    reference, candidate : Fit
        The reference must give its design.
    names : (str, str)
        What reports call the two.
    profile : Profile

    Raises
    ------
    EngineFailed
        The reference keeps its design to itself.
    """

    def __init__(self, reference: Fit, candidate: Fit, names: tuple[str, str], profile: Profile) -> None:
        design = reference.design()
        if design is None:
            raise EngineFailed(f"{names[0]} gives no design matrices, so it cannot be the reference.")
        self.reference, self.candidate, self.names, self.profile = reference, candidate, names, profile
        self.design: Design = design
        self.other: Design | None = candidate.design()

    @cached_property
    def order(self) -> NDArray[np.intp]:
        """Where the candidate keeps each row of the reference."""
        sorter = np.argsort(self.candidate.rows)
        return sorter[np.searchsorted(self.candidate.rows, self.reference.rows, sorter=sorter)]

    @cached_property
    def coding(self) -> align.Coding:
        """How the candidate's fixed part is written in the reference's."""
        if self.other is None:
            return align.coding_by_name(self.design.terms, self.candidate.terms)
        return align.coding(self.design.x, self.other.x[self.order])

    @cached_property
    def candidate_theta(self) -> Array | None:
        """The candidate's theta in the reference's order, or None where a term has no counterpart."""
        return align.theta_of(self.candidate, self.design)

    @property
    def finite(self) -> bool:
        """Whether the candidate's theta is made of numbers."""
        theta = self.candidate_theta
        return theta is not None and bool(np.all(np.isfinite(theta)))

    @cached_property
    def thetas(self) -> Array:
        """Both engines' theta in the reference's order, shape (2, ntheta)."""
        if self.candidate_theta is None:
            raise EngineFailed(f"the random terms of {self.names[1]} have no counterpart in {self.names[0]}.")
        return np.array([self.reference.theta, self.candidate_theta])

    @cached_property
    def objective(self) -> Objective:
        """The sparse objective on the reference's design, which needs no R."""
        return Objective(self.design, self.reference.reml)

    @cached_property
    def criterion(self) -> Criterion:
        """The common objective: lme4's own where there is an R."""
        fit = self.reference
        return Lme4Criterion(fit) if isinstance(fit, LmerFit) else SparseCriterion(self.objective)

    @cached_property
    def at(self) -> Array:
        """The objective at both engines' answers.

        An answer is its theta, with everything else profiled out. Only where the candidate's own criterion is
        that of its beta and sigma, which are not the best for its theta, are they held too.
        """
        reference, profiled = self.criterion.values(self.thetas)
        held = profiled + self._excess
        close = abs(self.reported - held) <= self.profile.objective.bound(profiled) < abs(self.reported - profiled)
        return np.array([reference, held if close else profiled])

    @property
    def reported(self) -> float:
        """The candidate's own criterion, in the reference's coding of X."""
        shift = 2 * self.coding.log_det if self.reference.reml else 0.0
        return self.candidate.criterion - shift

    @property
    def _excess(self) -> float:
        beta = self.coding.transform @ self.candidate.beta
        if not (np.all(np.isfinite(beta)) and self.candidate.sigma > 0):
            return 0.0
        return self.objective.excess(self.thetas[1], beta, self.candidate.sigma)

    @cached_property
    def minimum(self) -> float:
        """The lowest value found by either engine, or by a polish from them or from the criterion's own starts."""
        starts = np.array([*self.thetas, *self.criterion.starts()])
        return float(min(*self.at, *self.criterion.minima(starts)[1]))

    @cached_property
    def noise(self) -> float:
        """Rounding error of the objective at the better theta, in deviance units."""
        theta = self.thetas[int(np.argmin(self.at))]
        values = self.criterion.values(np.array([theta, theta * (1 + 1e-9), theta * (1 - 1e-9)]))
        return float(max(np.ptp(values), 8 * np.finfo(float).eps * abs(values[0])))

    @cached_property
    def gap(self) -> dict[str, float]:
        """For each engine, deviance units above the minimum."""
        return {name: float(value) - self.minimum for name, value in zip(self.names, self.at, strict=True)}

    @property
    def worse(self) -> str | None:
        """The engine that stopped further above the minimum than rounding explains, or None.

        An engine under test that is beyond the limit of a loose stop answers for it, whatever the reference did.
        """
        if self.gap[self.names[1]] > self.profile.loose:
            return self.names[1]
        name = max(self.gap, key=lambda engine: self.gap[engine])
        return name if self.gap[name] > self.noise + self.profile.same else None

    @cached_property
    def marks(self) -> tuple[str, ...]:
        """``boundary`` where a variance is zero or a correlation one on either side, and ``flat``."""
        diagonal = self.objective.lower == 0
        units = np.abs(self.thetas[:, diagonal]) * self.objective.scale[diagonal]
        found = {"boundary": bool((units < BOUNDARY).any()), "flat": self._flat}
        return tuple(mark for mark, present in found.items() if present)

    @property
    def _flat(self) -> bool:
        """Whether the line between two different thetas stays within a hundredth of a deviance unit."""
        a, b = self.thetas
        if np.allclose(a, b, rtol=0.01, atol=0.01 * float(np.abs(a).max(initial=0.0))):
            return False
        line = self.criterion.values(np.array([a + t * (b - a) for t in np.linspace(0, 1, 11)]))
        return bool(line.max() - self.minimum < self.profile.flat)

    @cached_property
    def solution(self) -> Solution:
        """Everything the common code makes of the candidate's theta."""
        return self.objective.at(self.thetas[1])
