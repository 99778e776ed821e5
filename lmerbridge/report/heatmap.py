"""Cases by quantities: one glance for each engine under test."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lmerbridge.parity import AT_LIMIT, Comparison, QuantityRow, Verdict, reference_at_fault
from lmerbridge.report.outcome import GLYPHS, Level, level, stage_level, words_of
from lmerbridge.report.quantities import KINDS, column_of, in_tolerances, row_level, tooltip
from lmerbridge.report.wording import short

STAGE_COLUMNS = {
    "reference": "reference",
    "rows": "rows",
    "model_space": "model",
    "objective": "objective",
    "optimum": "gap",
    "pinned": "pinned",
    "flags": "flags",
}


@dataclass(frozen=True)
class Cell:
    """One kind of quantity in one case: a glyph and the largest difference, the numbers behind it."""

    level: Level
    glyph: str
    text: str
    tooltip: str


@dataclass(frozen=True)
class CaseRow:
    """One case of a heatmap.

    ``anchor`` is where its evidence is: the row itself where it is `plain`.
    """

    case: str
    anchor: str
    level: Level
    plain: bool
    verdict: Cell
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Heatmap:
    """The cases of one engine under test: ``rows[i].cells[j]`` belongs to ``columns[j]``."""

    engine: str
    reference: str
    columns: tuple[str, ...]
    rows: tuple[CaseRow, ...]

    @property
    def wrong(self) -> tuple[CaseRow, ...]:
        """The rows in which an engine is wrong."""
        return tuple(row for row in self.rows if row.level == "bad")

    @property
    def others(self) -> dict[str, list[str]]:
        """The cases of the other rows, by their verdicts."""
        found: dict[str, list[str]] = {}
        for row in self.rows:
            if row.level != "bad":
                found.setdefault(f"{row.verdict.glyph} {row.verdict.text}", []).append(row.case)
        return found


def heatmap(cases: Sequence[tuple[str, str, Comparison]]) -> Heatmap:
    """Describe the (case, anchor, comparison) triples of one engine."""
    first = cases[0][2]
    kinds = list(dict.fromkeys(KINDS.values()))
    seen = {column_of(row) for _, _, c in cases for row in c.rows}
    columns = [k for k in kinds if k in seen] + sorted(seen - set(kinds))
    rows = tuple(
        CaseRow(case, anchor, level(c), plain(c), verdict_cell(c), (*_stages(c), *_kinds(c, columns)))
        for case, anchor, c in cases
    )
    return Heatmap(first.candidate, first.reference, (*STAGE_COLUMNS.values(), *columns), rows)


def plain(comparison: Comparison) -> bool:
    """Whether there is nothing to tell beyond the row: the same optimum, no limit near, all numbers and flags agree."""
    return (
        comparison.verdict is Verdict.SAME_OPTIMUM
        and AT_LIMIT not in comparison.marks
        and all(row.agrees for row in comparison.rows)
        and not any(e.stage == "flags" and not e.agrees for e in comparison.evidence)
    )


def verdict_cell(comparison: Comparison) -> Cell:
    """Return the verdict as a cell."""
    how = level(comparison)
    near = f", {AT_LIMIT}" if AT_LIMIT in comparison.marks else ""
    return Cell(how, GLYPHS[how], words_of(comparison).word + near, comparison.reason)


def _stages(comparison: Comparison) -> list[Cell]:
    return [_gap(comparison) if s == "optimum" else _stage(s, comparison) for s in STAGE_COLUMNS]


def _stage(stage: str, comparison: Comparison) -> Cell:
    found = next((e for e in comparison.evidence if e.stage == stage), None)
    if found is None:
        return _absent()
    how = stage_level(found, comparison)
    return Cell(how, GLYPHS[how], "", found.text)


def _absent() -> Cell:
    return Cell("na", GLYPHS["na"], "", "not part of this model, or not reached")


def _gap(comparison: Comparison) -> Cell:
    if not comparison.gap:
        return _absent()
    engine = comparison.reference if reference_at_fault(comparison) else comparison.candidate
    gap = comparison.gap.get(engine, math.nan)
    above = comparison.verdict in (Verdict.LOOSE_STOP, Verdict.OTHER_OPTIMUM, Verdict.BOTH_SHORT)
    how: Level = "missing" if math.isnan(gap) else level(comparison) if above else "ok"
    named = f"{engine} {short(gap)}" if engine == comparison.reference else short(gap)
    return Cell(how, GLYPHS[how], named, gap_text(comparison))


def gap_text(comparison: Comparison) -> str:
    """Return how far each engine is above the best optimum known, as a clause."""
    if not comparison.gap:
        return "no common objective could be evaluated"
    engines = ", ".join(f"{engine} {short(gap)}" for engine, gap in sorted(comparison.gap.items()))
    return f"{engines} deviance units above the best optimum known; rounding noise {short(comparison.noise)}"


def _kinds(comparison: Comparison, columns: Sequence[str]) -> list[Cell]:
    rows = {column: [r for r in comparison.rows if column_of(r) == column] for column in columns}
    return [_kind(comparison, rows[column]) if rows[column] else _absent() for column in columns]


ORDER: tuple[Level, ...] = ("na", "ok", "note", "missing", "bad")


def _kind(comparison: Comparison, rows: Sequence[QuantityRow]) -> Cell:
    worst = max(rows, key=lambda r: (ORDER.index(row_level(r, comparison)), in_tolerances(r)))
    how = row_level(worst, comparison)
    return Cell(how, GLYPHS[how], short(worst.difference), tooltip(worst, comparison))
