"""How close is close enough: limits with their reasons, read from data."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import Any

from lmerbridge.errors import InvalidArgument

ZERO_SD = 1e-4  # of sigma; below it a standard deviation counts as zero on both sides


@dataclass(frozen=True)
class Tolerance:
    """One limit: see the head of ``tolerances.toml`` for the measures."""

    measure: str
    limit: float
    reason: str
    relative: float = 0.0

    def bound(self, value: float) -> float:
        """Limit for a reference value, in the unit of the measure."""
        return max(self.limit, self.relative * abs(value)) if math.isfinite(value) else self.limit


@dataclass(frozen=True)
class ToleranceProfile:
    """All limits of one profile, and what it is for."""

    name: str
    reason: str
    same: float
    loose: float
    flat: float
    objective: Tolerance
    space: float
    quantities: dict[str, Tolerance]
    pinned: dict[str, Tolerance]
    generalized: dict[str, Tolerance] = field(default_factory=dict)

    def of(self, objective: str) -> ToleranceProfile:
        """Return the limits for a kind of model, by the name of its objective."""
        if objective != "Joint":
            return self
        criteria = {kind: t for kind, t in self.generalized.items() if kind in self.quantities and t.measure == "abs"}
        held = {kind: t for kind, t in self.generalized.items() if t.measure == "pinned"}
        return replace(
            self,
            objective=self.generalized["objective"],
            quantities=self.quantities | criteria,
            pinned=self.pinned | held,
        )

    def rows(self) -> tuple[tuple[str, str, float, str], ...]:
        """Quantity, measure, limit and reason of every limit, for a report."""
        gap = (
            ("gap: same_optimum", "deviance units", self.same, "zeta 0.001: mature engines reach 2e-7"),
            ("gap: loose_stop", "deviance units", self.loose, "zeta 0.1; above it the optimum is another"),
        )
        compared = [(kind, t.measure, t.limit, t.reason) for kind, t in self.quantities.items()]
        held = [(f"pinned {kind}", t.measure, t.limit, t.reason) for kind, t in self.pinned.items()]
        held += [
            (f"{'pinned ' * (t.measure == 'pinned')}{kind}, generalized", t.measure, t.limit, t.reason)
            for kind, t in self.generalized.items()
        ]
        objective = ("objective", self.objective.measure, self.objective.limit, self.objective.reason)
        return (*gap, objective, *compared, *held)


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads(files(__package__).joinpath("tolerances.toml").read_text())


def profiles() -> tuple[str, ...]:
    """Names of the profiles."""
    return tuple(_data()["profile"])


def default() -> ToleranceProfile:
    """Return the profile ``default``."""
    return profile("default")


def profile(name: str) -> ToleranceProfile:
    """Return a profile by its name.

    Raises
    ------
    InvalidArgument
        There is none of that name.

    Examples
    --------
    >>> [profile(name).quantities["fixef"].limit for name in profiles()]
    [0.0001, 1e-05, 0.001]
    """
    if not isinstance(name, str) or name not in profiles():
        raise InvalidArgument(f"the profile is {name!r}; one of {', '.join(profiles())} is expected.")
    return _profile(name)


@cache
def _profile(name: str) -> ToleranceProfile:
    data = _data()
    own, objective = data["profile"][name], data["objective"]
    compared, held = own.get("quantities", 1.0), own.get("pinned", 1.0)
    return ToleranceProfile(
        name=name,
        reason=own["reason"],
        **own.get("gap", data["gap"]),
        objective=Tolerance("abs", objective["abs"], objective["reason"], objective["relative"]),
        space=data["space"]["limit"],
        quantities={
            kind: Tolerance(
                row["measure"], row["limit"] * compared, row["reason"], row.get("relative", 0.0) * max(compared, 1.0)
            )
            for row in data["quantity"]
            for kind in row["kinds"]
        },
        pinned=_pinned(data["pinned"], held),
        generalized=_pinned(data["generalized"], held)
        | {
            kind: Tolerance("abs", row["limit"] * max(compared, 1.0), row["reason"], objective["relative"])
            for row in data["generalized_criterion"]
            for kind in row["kinds"]
        },
    )


def _pinned(rows: list[dict[str, Any]], factor: float) -> dict[str, Tolerance]:
    return {row["quantity"]: Tolerance("pinned", row["limit"] * factor, row["reason"]) for row in rows}
