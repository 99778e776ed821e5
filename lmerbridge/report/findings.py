"""A case with its verdict, its evidence, its numbers and the code that shows them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lmerbridge.parity import Case, CaseResult, Comparison, Evidence, QuantityRow
from lmerbridge.report.heatmap import ORDER, Cell, gap_text, verdict_cell
from lmerbridge.report.outcome import GLYPHS, SEVERITY, Level, fails, stage_level
from lmerbridge.report.quantities import UNITS, column_of, in_tolerances, row_level
from lmerbridge.report.wording import identifier, pair, short
from lmerbridge.results import Fit


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
    """What one stage found, and how bad it is."""

    evidence: Evidence
    level: Level
    glyph: str


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One result of the suite, whatever the verdict, and the words that a reader meets beside its numbers.

    Attributes
    ----------
    result : CaseResult
        What was found; ``case`` and ``comparison`` are its parts.
    anchor : str
        Unique in the report.
    data, criterion : str
        ``data`` names package, data set and rows; ``criterion`` is ``REML``, ``ML`` or
        such as ``binomial(probit), Laplace``.
    cell : Cell
        The verdict's level, glyph, word and reason.
    fails : bool
        Whether the engine under test fails here.
    evidence : tuple of Statement
        What the stages found, the cause of the verdict left out: the reason tells it.
    said : tuple of (engine, text)
        What each engine said of its own convergence, and every warning and message.
    gap_short, gap_text : str
        The largest gap, and all of them in a clause.
    beside : tuple of str
        What the differences are to be seen against: lme4's own optimizers, and other definitions.
    quantities : tuple of Quantity
        All that were compared.
    differing : tuple of Quantity
        Those that do not agree, as tables print them.
    worst : tuple of Quantity
        Of those the one of each kind furthest beyond its tolerance; `more` says how many are left out.
    """

    result: CaseResult
    anchor: str
    data: str
    criterion: str
    cell: Cell
    fails: bool
    evidence: tuple[Statement, ...]
    said: tuple[tuple[str, str], ...]
    gap_short: str
    gap_text: str
    beside: tuple[str, ...]
    quantities: tuple[Quantity, ...]
    differing: tuple[Quantity, ...]
    worst: tuple[Quantity, ...]
    more: str

    @property
    def case(self) -> Case:
        """The case of the suite."""
        return self.result.case

    @property
    def comparison(self) -> Comparison:
        """How the two engines compared."""
        return self.result.comparison


def finding(result: CaseResult) -> Finding:
    """Describe one result of the suite."""
    case, c = result.case, result.comparison
    quantities = tuple(_quantity(row, c) for row in c.rows)
    differing = tuple(q for q in quantities if q.level != "ok")
    worst = _furthest(differing)
    more = len(differing) - len(worst)
    return Finding(
        result=result,
        anchor=anchor(result),
        data=f"{case.package}::{case.dataset}" + (f", rows {case.rows}" if case.rows else ""),
        criterion=_criterion(case, c),
        cell=verdict_cell(c),
        fails=fails(c),
        evidence=tuple(_statement(e, c) for e in sorted(c.evidence, key=_place) if e != c.cause),
        said=(*_claims(c.reference, c.reference_fit), *_claims(c.candidate, c.candidate_fit)),
        gap_short=short(largest_gap(c)) if c.judged else "",
        gap_text=gap_text(c),
        beside=tuple(c.beside()),
        quantities=quantities,
        differing=differing,
        worst=worst,
        more=f"{more} more of the same kinds are in parity.json" if more else "",
    )


def _criterion(case: Case, comparison: Comparison) -> str:
    """How the model is fitted, and of a generalized one what is distributed how."""
    if case.family:
        return f"{case.family}, {case.method}"
    return "REML" if comparison.reml else "ML"


def _furthest(quantities: tuple[Quantity, ...]) -> tuple[Quantity, ...]:
    """Return of each kind the quantity that is furthest beyond its tolerance."""
    ranked = sorted(quantities, key=lambda q: (ORDER.index(q.level), in_tolerances(q.row)))
    worst = {column_of(q.row): q for q in ranked}
    return tuple(q for q in quantities if worst[column_of(q.row)] is q)


def anchor(result: CaseResult) -> str:
    """Return the place of a result's evidence in the report."""
    return identifier(f"{result.comparison.candidate}/{result.case.name}")


def badness(result: CaseResult) -> tuple[int, float, str, str]:
    """Return a sort key that puts the worst first: the verdict, then the gap, then the name."""
    c = result.comparison
    gap = largest_gap(c)
    return SEVERITY.index(c.verdict), -gap if math.isfinite(gap) else math.inf, result.case.name, c.candidate


def largest_gap(comparison: Comparison) -> float:
    """Return the larger of the engines' gaps, or NaN where there is none."""
    return max((g for g in comparison.gap.values() if not math.isnan(g)), default=math.nan)


def _place(evidence: Evidence) -> bool:
    """Return a sort key that puts the trial of the reference first, and the other stages as they come."""
    return evidence.stage != "reference"


def _statement(evidence: Evidence, comparison: Comparison) -> Statement:
    level = stage_level(evidence, comparison)
    return Statement(evidence, level, GLYPHS[level])


def _claims(engine: str, fit: Fit | None) -> list[tuple[str, str]]:
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
