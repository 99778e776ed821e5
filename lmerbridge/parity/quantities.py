"""Two fits side by side, quantity by quantity."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from lmerbridge.parity.definitions import lookup
from lmerbridge.parity.tolerances import ZERO_SD, Tolerance, ToleranceProfile
from lmerbridge.results import Fit

UNKNOWN = Tolerance("rel", 0.0, "no limit is set for this kind")


def kind_of(quantity: str) -> str:
    """Return the part of a quantity's name before the bracket.

    Examples
    --------
    >>> kind_of("sd[Subject.Days]")
    'sd'
    """
    return quantity.partition("[")[0]


@dataclass(frozen=True)
class QuantityRow:
    """One quantity, as each engine gives it.

    Attributes
    ----------
    quantity : str
        Its name in `Fit.quantities`.
    reference, candidate : float
        NaN where an engine lacks it.
    abs, rel : float
        Absolute difference, and the same over the reference's magnitude.
    in_se : float
        For fixed effects the difference in the reference's standard errors, else NaN.
    difference, tolerance : float
        In the unit of ``measure``: what was found and what is allowed.
    measure : str
        Which difference the tolerance bounds: ``abs``, ``rel``, ``in_se``, ``fisher_z`` (Fisher's z) or ``sd`` (over
        the product of two standard deviations).
    agrees : bool
        False for anything missing or NaN.
    definition : str
        Name of the entry of the definition table that accounts for a difference, or "".
    spread : float
        In the same unit, how far lme4's own optimizers end apart; NaN where that is not known.
    """

    quantity: str
    reference: float
    candidate: float
    abs: float
    rel: float
    in_se: float
    difference: float
    tolerance: float
    measure: str
    agrees: bool
    definition: str = ""
    spread: float = math.nan


class Comparer:
    """Every quantity of two fits, side by side.

    A quantity that a fit lacks, or that is NaN, does not agree.

    Parameters
    ----------
    reference, candidate : Fit
        In one language: see `align.restate`.
    profile : ToleranceProfile
    units : mapping
        For each ``group.term`` what a unit of its standard deviation moves in the linear predictor.
    """

    def __init__(self, reference: Fit, candidate: Fit, profile: ToleranceProfile, units: Mapping[str, float]) -> None:
        self._ours, self._theirs = reference.quantities(), candidate.quantities()
        self._pairs, self._units = reference.varcorr.pairs(), units
        self._zero = ZERO_SD * reference.sigma
        self._engine, self._profile = candidate.engine, profile

    def rows(self) -> tuple[QuantityRow, ...]:
        """Compare the reference's quantities in their order, then what only the candidate has."""
        names = [*self._ours, *(name for name in self._theirs if name not in self._ours)]
        return tuple(self._row(name) for name in names)

    def _row(self, name: str) -> QuantityRow:
        kind, a, b = kind_of(name), self._ours.get(name, math.nan), self._theirs.get(name, math.nan)
        tolerance = self._profile.quantities.get(kind, UNKNOWN)
        measures = self._measures(name, a, b)
        bound = tolerance.bound(a)
        difference = 0.0 if self._both_zero(kind, name, a, b) else measures[tolerance.measure]
        agrees = difference <= bound
        known = "" if agrees else self._zero_definition(kind, name)
        seen = (measures["abs"], measures["rel"], measures["in_se"])
        return QuantityRow(name, a, b, *seen, difference, bound, tolerance.measure, agrees, known)

    def _zero_definition(self, kind: str, name: str) -> str:
        """Name of the definition by which a correlation with a variance of zero is no number, or ""."""
        entry = lookup(self._engine, kind) if kind == "cor" and self._touches_zero(name) else None
        return entry.name if entry else ""

    def _measures(self, name: str, a: float, b: float) -> dict[str, float]:
        differ = abs(b - a)
        scale = self._ours.get(name.replace("fixef", "se", 1), math.nan) if name.startswith("fixef[") else math.nan
        product = math.prod(self._ours[f"sd[{term}]"] for term in self._pairs.get(name[3:], ())) or math.nan
        return {
            "abs": differ,
            "rel": ratio(differ, abs(a)),
            "in_se": ratio(differ, scale),
            "fisher_z": _fisher(a, b),
            "sd": ratio(differ, product),
        }

    def _touches_zero(self, name: str) -> bool:
        sds = [f"sd[{term}]" for term in self._pairs.get(name[3:], ())]
        return any(self._is_zero(sd, fit.get(sd, math.nan)) for sd in sds for fit in (self._ours, self._theirs))

    def _both_zero(self, kind: str, name: str, a: float, b: float) -> bool:
        return kind in ("sd", "var") and self._is_zero(name, a) and self._is_zero(name, b)

    def _is_zero(self, name: str, value: float) -> bool:
        """Whether a standard deviation or variance moves the linear predictor by nothing to speak of."""
        kind, term = name[:-1].split("[", 1)
        sd = math.sqrt(value) if kind == "var" and value > 0 else value
        return sd * self._units.get(term, math.nan) < self._zero


def ratio(part: float, whole: float) -> float:
    """Divide, with a result where the divisor is zero.

    Zero over zero is zero, and any other number over zero is infinite.
    """
    if whole:
        return part / whole
    return 0.0 if part == 0 else math.nan if math.isnan(part) else math.inf


def _fisher(a: float, b: float) -> float:
    if not (abs(a) <= 1 + 1e-9 and abs(b) <= 1 + 1e-9):
        return math.nan
    edge = 1 - 1e-12  # z is infinite at 1
    first, second = (math.atanh(max(-edge, min(edge, r))) for r in (a, b))
    return abs(first - second)
