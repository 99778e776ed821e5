"""The ledger of known differences, a TOML file.

::

    [[known]]
    case = "pastes_crossed/ML"
    engine = "statsmodels"
    quantity = "se"              # optional: a name such as "se[Days]", or all of its kind
    verdict = "other_optimum"
    reason = "MixedLM stops early where a variance is small"
    link = "https://github.com/statsmodels/statsmodels/issues/10239"
    expires = 2027-06-30         # the last day on which the entry holds
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeAlias

from lmerbridge.engines import find
from lmerbridge.errors import InvalidArgument
from lmerbridge.inputs import document, words
from lmerbridge.parity import cases
from lmerbridge.parity.quantities import QuantityRow
from lmerbridge.parity.verdict import Comparison, Known, Verdict

FIELDS: dict[str, type] = {  # of an entry
    "case": str,
    "engine": str,
    "verdict": str,
    "reason": str,
    "link": str,
    "expires": date,
    "quantity": str,
}
OPTIONAL = "quantity"
VERDICTS = [str(verdict) for verdict in Verdict if verdict is not Verdict.SAME_OPTIMUM]
CaseComparisons: TypeAlias = Mapping[tuple[str, str], Comparison]  # by case and engine under test


def load_ledger(path: Path) -> tuple[Known, ...]:
    """Read a ledger.

    Raises
    ------
    InvalidArgument
        It cannot be read, or an entry is not one: the message says which and what is wrong with it.
    """
    with document(path, "the ledger") as text:
        table = tomllib.loads(text)
        tables = table.get("known", [])
        if set(table) - {"known"} or not (isinstance(tables, list) and all(isinstance(t, dict) for t in tables)):
            raise InvalidArgument(f"it has {', '.join(table)}; [[known]] tables are expected.")
    entries = [_entry(given, f"entry {number} of {path}") for number, given in enumerate(tables, 1)]
    return _distinct(entries, path)


def _entry(given: Mapping[str, Any], where: str) -> Known:
    if faults := list(_faults(given)):
        raise InvalidArgument(f"{where}: {'; '.join(faults)}.")
    return Known(**{**given, "verdict": Verdict(given["verdict"])})


def _faults(given: Mapping[str, Any]) -> Iterator[str]:
    """Yield a clause for each thing that is wrong with an entry."""
    for name in given.keys() - FIELDS:
        yield f"it has {words(name)}; {', '.join(FIELDS)} are expected"
    for name, kind in FIELDS.items():
        value = given.get(name)
        if name not in given:
            if name != OPTIONAL:
                yield f"it lacks {name!r}"
        elif type(value) is not kind or value == "":
            yield f"{name!r} is {words(value)}; {'a date such as 2027-06-30' if kind is date else 'a text'} is expected"
        elif name == "verdict" and value not in VERDICTS:
            yield f"'verdict' is {words(value)}; one of {', '.join(VERDICTS)} is expected"


def _distinct(entries: Sequence[Known], path: Path) -> tuple[Known, ...]:
    seen: set[tuple[str, str, str]] = set()
    for number, entry in enumerate(entries, 1):
        key = entry.case, entry.engine, entry.quantity
        if key in seen:
            raise InvalidArgument(f"entry {number} of {path}: another one is about {entry}; one is expected.")
        seen.add(key)
    return tuple(entries)


def expectations(verdicts: Mapping[str, str], engine: str) -> tuple[Known, ...]:
    """Return entries without an end for the verdicts, by case, that an engine is expected to get."""
    if wrong := [verdict for verdict in verdicts.values() if verdict not in VERDICTS]:
        raise InvalidArgument(f"expected has {', '.join(map(repr, wrong))}; one of {', '.join(VERDICTS)} is.")
    return tuple(
        Known(case=case, engine=engine, verdict=Verdict(verdict), reason="the test says so", link="", expires=date.max)
        for case, verdict in verdicts.items()
    )


def select(entries: Sequence[Known], chosen: Collection[str], engines: Collection[str]) -> tuple[Known, ...]:
    """Return the entries that a run can hold against what it finds.

    Those about a case of the suite, or an installed engine, that the run leaves out on purpose are left out too. An
    entry about anything else stays, so that a misspelt name is found.
    """
    left_out = {case.name for case in cases.every_case()} - {*chosen}
    return tuple(e for e in entries if e.case not in left_out and (e.engine in engines or not _is_installed(e.engine)))


def _is_installed(engine: str) -> bool:
    try:
        find(engine)
    except InvalidArgument:
        return False
    return True


@dataclass(frozen=True)
class Stale:
    """An entry that no longer holds, and why."""

    entry: Known
    why: str

    def __str__(self) -> str:
        return f"{self.entry}: {self.why}"


@dataclass(frozen=True)
class Reading:
    """A ledger held against a run.

    Attributes
    ----------
    known : dict of (case, engine) to Known
        The findings that an entry explains.
    stale : tuple of Stale
        Entries that fail the run.
    """

    known: dict[tuple[str, str], Known]
    stale: tuple[Stale, ...]


def hold(entries: Sequence[Known], found: CaseComparisons, today: date) -> Reading:
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
    known = {key: first for key, c in found.items() if (first := _explanation(holding, key, c))}
    return Reading(known, tuple(Stale(*pair) for pair in stale.items()))


def _staleness(entry: Known, found: CaseComparisons, today: date) -> str:
    """Return why an entry does not hold, or ""."""
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


def _explanation(entries: Sequence[Known], key: tuple[str, str], comparison: Comparison) -> Known | None:
    """Return the entry that explains a finding, or the first of those that do so quantity by quantity."""
    mine = [entry for entry in entries if (entry.case, entry.engine) == key]
    whole = [entry for entry in mine if not entry.quantity]
    explained = all(any(entry.covers(row.quantity) for entry in mine) for row in _beyond(comparison))
    return next(iter(whole or (mine if explained else [])), None)


def _beyond(comparison: Comparison) -> list[QuantityRow]:
    return [row for row in comparison.rows if not row.agrees and not row.definition]
