"""Differences that somebody has looked into: such a finding does not fail a run, and one that is no more does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from lmerbridge.parity.quantities import kind_of
from lmerbridge.parity.verdict import Comparison, QuantityRow, Verdict


@dataclass(frozen=True, kw_only=True)
class Known:
    """A difference somebody has looked into.

    Attributes
    ----------
    case, engine : str
        Of the finding: one case, one engine under test.
    verdict : Verdict
    reason, link : str
        Why it differs, and where that is told.
    expires : date
        The last day on which the entry holds.
    quantity : str
        A name such as ``se[Days]``, or all of its kind, such as ``se``; "" is the whole finding. A finding is known by
        its quantities only where all that are beyond tolerance are.
    """

    case: str
    engine: str
    verdict: Verdict
    reason: str
    link: str
    expires: date
    quantity: str = ""

    def __str__(self) -> str:
        of = f", {self.quantity}" if self.quantity else ""
        return f"{self.case}, {self.engine}{of}: {self.verdict}"

    def covers(self, quantity: str) -> bool:
        """Whether the entry speaks of a quantity."""
        return self.quantity in ("", quantity, kind_of(quantity))


@dataclass(frozen=True)
class Stale:
    """An entry that no longer holds, and why."""

    entry: Known
    why: str

    def __str__(self) -> str:
        return f"{self.entry}: {self.why}"


Key = tuple[str, str]  # case, engine under test


@dataclass(frozen=True)
class Reading:
    """What a ledger says of a run.

    Attributes
    ----------
    known : dict of (case, engine) to Known
        The findings that an entry explains.
    stale : tuple of Stale
        Entries that fail the run.
    """

    known: dict[Key, Known]
    stale: tuple[Stale, ...]


def read(entries: Sequence[Known], found: Mapping[Key, Comparison], today: date) -> Reading:
    """Hold a ledger against what a run found.

    Parameters
    ----------
    entries : sequence of Known
    found : mapping of (case, engine) to Comparison
        Everything that was run.
    today : date
    """
    stale = {entry: why for entry in entries if (why := _staleness(entry, found, today))}
    holding = [entry for entry in entries if entry not in stale]
    known = {key: first for key, c in found.items() if (first := _explaining(holding, key, c))}
    return Reading(known, tuple(Stale(*pair) for pair in stale.items()))


def _staleness(entry: Known, found: Mapping[Key, Comparison], today: date) -> str:
    comparison = found.get((entry.case, entry.engine))
    if comparison is None:
        return "it matches nothing: no such case was run with this engine."
    if comparison.verdict is not entry.verdict:
        now = "now agrees" if comparison.verdict.agrees else "is now another finding"
        return f"it {now}: {comparison.verdict}."
    if entry.quantity and not any(entry.covers(row.quantity) for row in _beyond(comparison)):
        return f"it now agrees: {entry.quantity} is within tolerance, or no quantity of the case."
    if entry.expires < today:
        return f"it expired on {entry.expires}; look again, then mend it or set another date."
    return ""


def _explaining(entries: Sequence[Known], key: Key, comparison: Comparison) -> Known | None:
    """Return the entry that explains a finding, or the first of those that do so quantity by quantity."""
    mine = [entry for entry in entries if (entry.case, entry.engine) == key]
    whole = [entry for entry in mine if not entry.quantity]
    explained = all(any(entry.covers(row.quantity) for entry in mine) for row in _beyond(comparison))
    return next(iter(whole or (mine if explained else [])), None)


def _beyond(comparison: Comparison) -> list[QuantityRow]:
    return [row for row in comparison.rows if not row.agrees and not row.definition]
