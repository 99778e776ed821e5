"""One run of the suite, described: all that a report says is computed, rounded and decided here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, TypeAlias

from lmerbridge.inputs import check_signature
from lmerbridge.parity import CaseResult, Rate, Stale, SuiteRun, Verdict, definitions
from lmerbridge.report.digits import Panel, digit_panels
from lmerbridge.report.findings import Finding, anchor, badness, finding
from lmerbridge.report.forest import EffectShift, forest
from lmerbridge.report.headline import (
    NOTHING_COMPARED,
    Card,
    Headline,
    Model,
    ReferenceLine,
    VerdictCount,
    card,
    headline,
    lead,
    reference_line,
)
from lmerbridge.report.heatmap import Heatmap, heatmap, plain
from lmerbridge.report.ladder import Ladder, ladder
from lmerbridge.report.outcome import GLYPHS, LEVELS, SEVERITY
from lmerbridge.report.parts import TITLES, ModelPart, model_part
from lmerbridge.report.wording import short

if TYPE_CHECKING:
    from lmerbridge.parity import DigitRow

IN_SUMMARY = 40  # findings
IN_FULL = 10  # of those, with their evidence in Markdown, which GitHub cuts at 1 MB
NOT_COVERED = (Verdict.NOT_EXPRESSIBLE, Verdict.TOO_LARGE)


@dataclass(frozen=True)
class LimitRow:
    """What was asked of a quantity, and why."""

    quantity: str
    measure: str
    limit: float
    text: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Report:
    """A parity run as its readers meet it.

    Attributes
    ----------
    lead : str
        The first sentence: how many engines reproduce the reference.
    inputs : str
        What the run was computed with, in short: versions, and lmerbridge's commit with its day. The same inputs have
        the same sentence, on whatever day they ran.
    sentence : str
        The lead, then the sentences of all engines under test and of the reference.
    parts : tuple of ModelPart
        What there is of linear models, and of generalized ones.
    engines : tuple of Headline
        One for each engine under test and mode, the best first, those of generalized models after those of linear ones.
    cards : tuple of Card
        One for each engine with its modes, in the same order.
    references : tuple of ReferenceLine
        One for each reference.
    heatmaps : tuple of Heatmap
        One for each of the engines, in their order.
    ladder : Ladder or None
        That of the first part.
    forest : tuple of EffectShift
        Of the worst findings the fixed effect that differs most.
    digits : tuple of Panel
        Correct digits against exact values; empty where none were given.
    findings, agreements, not_covered : tuple of Finding
        Every result in one of them; the worst first.
    refused : tuple of Finding
        Those not covered, without the engines that refuse every model of a kind.
    remarks : tuple of Finding
        The agreements of which there is more to tell than their row of the heatmap does.
    summary : tuple of Finding
        The worst findings, as many as a summary of limited size shows; `summary_note` says of how many. What two modes
        of an engine have in common is there once.
    known : tuple of Finding
        Those that an entry of the ledger of known differences explains.
    stale : tuple of Stale
        Entries of the ledger that do not hold; each fails the run.
    planted : tuple of (fault, planted, caught)
        Faults planted on purpose, to see that the referee would notice; empty where none were.
    rates : tuple of (Rate, text)
        On simulated data, how often each engine is right by kind of data, and the interval in words; empty where the
        run has none.
    since : tuple of str
        What has changed since an older run; empty where none was given.
    legend : tuple of (glyph, level, meaning)
    words : tuple of str
        Of the verdicts that occur, the worst first.
    verdict_words : tuple of VerdictCount
        What each verdict means, the worst first; their numbers are those of one engine.
    definitions : tuple of (name, text)
        The entries of the definition table that the results need.
    tolerances : tuple of LimitRow
    provenance : tuple of (name, value) pairs
    """

    lead: str
    inputs: str
    sentence: str
    parts: tuple[ModelPart, ...]
    engines: tuple[Headline, ...]
    cards: tuple[Card, ...]
    references: tuple[ReferenceLine, ...]
    heatmaps: tuple[Heatmap, ...]
    ladder: Ladder | None
    forest: tuple[EffectShift, ...]
    digits: tuple[Panel, ...]
    findings: tuple[Finding, ...]
    summary: tuple[Finding, ...]
    summary_note: str
    agreements: tuple[Finding, ...]
    remarks: tuple[Finding, ...]
    not_covered: tuple[Finding, ...]
    refused: tuple[Finding, ...]
    known: tuple[Finding, ...]
    stale: tuple[Stale, ...]
    planted: tuple[tuple[str, int, int], ...]
    legend: tuple[tuple[str, str, str], ...]
    words: tuple[str, ...]
    verdict_words: tuple[VerdictCount, ...]
    definitions: tuple[tuple[str, str], ...]
    tolerances: tuple[LimitRow, ...]
    provenance: tuple[tuple[str, str], ...]
    rates: tuple[tuple[Rate, str], ...] = ()
    since: tuple[str, ...] = ()

    @property
    def told(self) -> tuple[Finding, ...]:
        """The findings whose evidence stands in a summary too."""
        return self.summary[:IN_FULL]

    @property
    def others(self) -> tuple[Finding, ...]:
        """The findings that are not in the summary."""
        told = {f.anchor for f in self.summary}
        return tuple(f for f in self.findings if f.anchor not in told)

    @property
    def exit_code(self) -> int:
        """0 where the engines agree, 1 where one disagrees, 2 where one could be compared on no case."""
        compared = {engine.engine for engine in self.engines if engine.word != NOTHING_COMPARED}
        if not compared or any(engine.engine not in compared for engine in self.engines):
            return 2
        missed = any(caught < planted for _, planted, caught in self.planted)
        return int(missed or bool(self.stale) or any(f.fails for f in self.findings))

    @property
    def planted_sentence(self) -> str:
        """How many faults were planted on purpose, and how many were caught."""
        return f"{sum(n for _, n, _ in self.planted)} planted, {sum(c for _, _, c in self.planted)} caught."


@check_signature
def describe(run: SuiteRun, digits: Iterable[DigitRow] = ()) -> Report:
    """Describe a run.

    Parameters
    ----------
    run : SuiteRun
    digits : iterable of DigitRow
        What `lmerbridge.parity.accuracy.score` gave, if it was asked.

    Returns
    -------
    Report
        The same for the same run, whenever and wherever it is made.
    """
    found = {model: [r for r in run.results if r.case.model == model] for model in TITLES}
    several = bool(found["generalized"])
    modes = {model: _modes(results, run, model, model * several) for model, results in found.items() if results}
    parts = tuple(_part(run, model, each, several) for model, each in modes.items())
    every = [mode for each in modes.values() for mode in each]
    headlines = tuple(h for h, _ in every)
    references = tuple(line for part in parts for line in part.references)
    ordered = sorted(run.results, key=badness)
    described = [(r.comparison.verdict, finding(r)) for r in ordered]
    findings = tuple(f for v, f in described if not v.agrees and v not in NOT_COVERED)
    once = _unrepeated(findings)
    counts = {c.word: c for h in headlines for c in h.counts}
    summary = once[:IN_SUMMARY]
    not_covered = tuple(f for v, f in described if v in NOT_COVERED)
    left = {(unfit.candidate, unfit.model) for part in parts for unfit in part.unfit}
    return Report(
        lead=lead(headlines),
        inputs=_inputs(dict(run.provenance)),
        sentence=" ".join([lead(headlines), *(h.sentence for h in headlines), *(r.sentence for r in references)]),
        parts=parts,
        engines=headlines,
        cards=tuple(card([m for m in every if m[0].name == name]) for name in dict.fromkeys(h.name for h in headlines)),
        references=references,
        heatmaps=tuple(_heatmap(results) for _, results in every),
        ladder=parts[0].ladder if parts else None,
        forest=forest(once),
        digits=digit_panels(digits),
        findings=findings,
        summary=summary,
        summary_note=f"The {len(summary)} worst of {len(findings)} findings." if len(findings) > len(summary) else "",
        agreements=tuple(f for v, f in described if v.agrees),
        remarks=tuple(f for r, (v, f) in zip(ordered, described, strict=True) if v.agrees and not plain(r.comparison)),
        not_covered=not_covered,
        refused=tuple(f for f in not_covered if (f.comparison.candidate, f.case.model) not in left),
        known=tuple(f for _, f in described if f.comparison.known),
        stale=run.stale,
        planted=run.planted,
        legend=tuple((GLYPHS[level], level, text) for level, text in LEVELS.items()),
        words=tuple(dict.fromkeys(f.cell.text for _, f in described)),
        verdict_words=tuple(sorted(counts.values(), key=lambda c: SEVERITY.index(Verdict(c.verdict)))),
        definitions=_definitions(run),
        tolerances=tuple(LimitRow(q, m, limit, short(limit), why) for q, m, limit, why in run.tolerances),
        provenance=run.provenance,
        rates=_rates(run.rates),
    )


def _modes(results: Sequence[CaseResult], run: SuiteRun, model: Model, told_of: str) -> list[Mode]:
    """Describe each engine with each of its references, the best first."""
    versions = _versions(run)
    groups = _by(results, "candidate", "reference")
    return _best_first([(headline([r.comparison for r in rs], versions, model, told_of), rs) for rs in groups])


def _versions(run: SuiteRun) -> dict[str, str]:
    """Return versions by the names of packages, and of engines that have given a fit of any kind of model."""
    fits = {r.comparison.candidate: r.comparison.candidate_fit for r in run.results if r.comparison.candidate_fit}
    return dict(run.provenance) | {name: fit.provenance.version for name, fit in fits.items() if fit}


def _part(run: SuiteRun, model: Model, modes: Sequence[Mode], several: bool) -> ModelPart:
    results = [result for _, each in modes for result in each]
    cases = [r for r in run.results if r.case.model == model]
    kinds = {r.case.kind for r in results}
    order = [name for r in run.results for name in (r.comparison.reference, r.comparison.candidate)]
    return model_part(
        model,
        TITLES[model] * several,
        [(h, _heatmap(each), each) for h, each in modes],
        tuple(reference_line(rs, dict(run.provenance), model * several) for rs in _by(results, "reference")),
        ladder(cases, _gap_limits(run), order),
        _rates(rate for rate in run.rates if rate.kind in kinds),
    )


def _heatmap(results: Sequence[CaseResult]) -> Heatmap:
    return heatmap([(r.case.name, anchor(r), r.comparison) for r in results])


def _rates(found: Iterable[Rate]) -> tuple[tuple[Rate, str], ...]:
    return tuple((rate, f"{rate.low:.2f} to {rate.high:.2f}") for rate in found)


def _unrepeated(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Return the findings without those that another mode of the engine has had on the same case."""
    first: dict[tuple[str, str, Verdict], Finding] = {}
    for f in findings:
        first.setdefault((f.comparison.candidate.split("[")[0], f.case.name, f.comparison.verdict), f)
    return tuple(first.values())


def _gap_limits(run: SuiteRun) -> list[tuple[str, float]]:
    named = [(quantity.partition("gap: ")[2], limit) for quantity, _, limit, _ in run.tolerances]
    return [(name.replace("_", " "), limit) for name, limit in named if name]


def _definitions(run: SuiteRun) -> tuple[tuple[str, str], ...]:
    needed = {name for r in run.results for name in (*r.comparison.definitions, *_in_rows(r))}
    return tuple((entry.name, entry.text) for entry in definitions() if entry.name in needed)


def _in_rows(result: CaseResult) -> set[str]:
    return {row.definition for row in result.comparison.rows}


def _by(results: Sequence[CaseResult], *names: str) -> list[list[CaseResult]]:
    """Return the results in groups that have these engines in common."""

    def engines(r: CaseResult) -> tuple[str, ...]:
        return tuple(getattr(r.comparison, name) for name in names)

    return [list(group) for _, group in groupby(sorted(results, key=engines), key=engines)]


Mode: TypeAlias = tuple[Headline, list[CaseResult]]


def _best_first(modes: list[Mode]) -> list[Mode]:
    """Return the modes with those of one engine together, each engine at the place of its best."""
    ranked = sorted(modes, key=lambda mode: mode[0].tally.rank)
    places = {h.name: place for place, (h, _) in reversed(list(enumerate(ranked)))}
    return sorted(ranked, key=lambda mode: places[mode[0].name])


def _inputs(versions: Mapping[str, str]) -> str:
    names = [name for name in ("lmerbridge", "commit", "Python", "R", "lme4", "BLAS kernel") if versions.get(name)]
    return ", ".join(f"{name} {versions[name]}" for name in names)
