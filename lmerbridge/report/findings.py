"""A case with its verdict, its evidence, its numbers and the code that shows them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from lmerbridge.parity.quantities import QuantityRow
from lmerbridge.parity.suite import CaseResult
from lmerbridge.parity.verdict import Comparison, Evidence, Known, Line, Native
from lmerbridge.report.heatmap import ORDER, Cell, gap_text, verdict_cell
from lmerbridge.report.outcome import GLYPHS, SEVERITY, Level, fails, stage_level
from lmerbridge.report.quantities import UNITS, in_tolerances, kind, row_level
from lmerbridge.report.wording import pair, short
from lmerbridge.results.fit import Fit


@dataclass(frozen=True)
class Quantity:
    """One quantity: the numbers as computed, and the words a table prints."""

    row: QuantityRow
    level: Level
    glyph: str
    reference: str
    candidate: str
    difference: str
    spread: str
    tolerance: str


@dataclass(frozen=True)
class Statement:
    """What one stage found."""

    stage: str
    level: Level
    glyph: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One case of one engine under test, whatever the verdict.

    Attributes
    ----------
    anchor : str
        Unique in the report.
    case, formula, data, criterion : str
        ``data`` names package, data set and rows; ``criterion`` is ``REML`` or ``ML``.
    features : tuple of str
    reference, candidate : str
        Names of the engines.
    verdict : str
    cell : Cell
        The verdict's level, glyph, word and reason.
    fails : bool
        Whether the engine under test fails here.
    known : Known or None
        The entry of the ledger because of which it does not.
    evidence : tuple of Statement
    said : tuple of (engine, text)
        What each engine said of its own convergence, and every warning and message.
    gap : tuple of (engine, float)
        Deviance units above the best optimum known.
    gap_short, gap_text : str
        The largest gap, and all of them in a clause.
    worse : str
        The engine at fault, or "".
    minimum, noise : float
    beside : tuple of str
        What the differences are to be seen against: lme4's own optimizers, and other definitions.
    optimizers : tuple of (name, gap)
    native : tuple of Native
    lines : tuple of Line
        The objective between the two answers, where one ends clearly above the optimum.
    marks, definitions : tuple of str
    quantities : tuple of Quantity
        All that were compared.
    differing : tuple of Quantity
        Those that do not agree, as tables print them.
    worst : tuple of Quantity
        Of those the one of each kind furthest beyond its tolerance; `more` says how many are left out.
    r_code, python_code : str
    """

    anchor: str
    case: str
    formula: str
    data: str
    criterion: str
    features: tuple[str, ...]
    reference: str
    candidate: str
    verdict: str
    cell: Cell
    fails: bool
    known: Known | None
    evidence: tuple[Statement, ...]
    said: tuple[tuple[str, str], ...]
    gap: tuple[tuple[str, float], ...]
    gap_short: str
    gap_text: str
    worse: str
    minimum: float
    noise: float
    beside: tuple[str, ...]
    optimizers: tuple[tuple[str, float], ...]
    native: tuple[Native, ...]
    lines: tuple[Line, ...]
    marks: tuple[str, ...]
    definitions: tuple[str, ...]
    quantities: tuple[Quantity, ...]
    differing: tuple[Quantity, ...]
    worst: tuple[Quantity, ...]
    more: str
    r_code: str
    python_code: str


def finding(result: CaseResult) -> Finding:
    """Describe one result of the suite."""
    case, c = result.case, result.comparison
    quantities = tuple(_quantity(row, c) for row in c.rows)
    differing = tuple(q for q in quantities if q.level != "ok")
    worst = _furthest(differing)
    more = len(differing) - len(worst)
    return Finding(
        anchor=anchor(result),
        case=case.name,
        formula=c.formula,
        data=f"{case.package}::{case.dataset}" + (f", rows {case.rows}" if case.rows else ""),
        criterion="REML" if c.reml else "ML",
        features=case.features,
        reference=c.reference,
        candidate=c.candidate,
        verdict=str(c.verdict),
        cell=verdict_cell(c),
        fails=fails(c),
        known=c.known,
        evidence=tuple(_statement(e, c) for e in c.evidence if e.text != c.reason),
        said=(*_said(c.reference, c.reference_fit), *_said(c.candidate, c.candidate_fit)),
        gap=tuple(sorted(c.gap.items())),
        gap_short=short(largest_gap(c)) if c.gap else "",
        gap_text=gap_text(c),
        worse=c.worse or "",
        minimum=c.minimum,
        noise=c.noise,
        beside=tuple(c.beside()),
        optimizers=tuple(sorted(c.optimizers.items())),
        native=c.native,
        lines=c.lines,
        marks=c.marks,
        definitions=c.definitions,
        quantities=quantities,
        differing=differing,
        worst=worst,
        more=f"{more} more of the same kinds are in parity.json" if more else "",
        r_code=result.r_code,
        python_code=result.python_code,
    )


def _furthest(quantities: tuple[Quantity, ...]) -> tuple[Quantity, ...]:
    """Return of each kind the quantity that is furthest beyond its tolerance."""
    ranked = sorted(quantities, key=lambda q: (ORDER.index(q.level), in_tolerances(q.row)))
    worst = {kind(q.row): q for q in ranked}
    return tuple(q for q in quantities if worst[kind(q.row)] is q)


def anchor(result: CaseResult) -> str:
    """Return the place of a result's evidence in the report."""
    return re.sub(r"\s+", "_", f"{result.comparison.candidate}/{result.case.name}")


def badness(result: CaseResult) -> tuple[int, float, str, str]:
    """Return a sort key that puts the worst first: the verdict, then the gap, then the name."""
    c = result.comparison
    gap = largest_gap(c)
    return SEVERITY.index(c.verdict), -gap if math.isfinite(gap) else math.inf, result.case.name, c.candidate


def largest_gap(comparison: Comparison) -> float:
    """Return the larger of the engines' gaps; NaN where there is none."""
    return max((g for g in comparison.gap.values() if not math.isnan(g)), default=math.nan)


def _statement(evidence: Evidence, comparison: Comparison) -> Statement:
    level = stage_level(evidence, comparison)
    return Statement(evidence.stage, level, GLYPHS[level], evidence.text)


def _said(engine: str, fit: Fit | None) -> list[tuple[str, str]]:
    if fit is None:
        return [(engine, "gave no fit")]
    claim = "said that it converged" if fit.converged else "did not say that it converged"
    singular = ", singular" if fit.singular else ""
    unwarned = "" if fit.conditions else ", without a warning"
    return [(engine, claim + singular + unwarned)] + [(engine, f"{c.kind}: {c.text}") for c in fit.conditions]


def _quantity(row: QuantityRow, comparison: Comparison) -> Quantity:
    level = row_level(row, comparison)
    gap = short(row.difference) + UNITS[row.measure]
    spread = short(row.spread) if math.isfinite(row.spread) else ""
    numbers = pair(row.reference, row.candidate)
    return Quantity(row, level, GLYPHS[level], *numbers, gap, spread, short(row.tolerance))
