"""The first screen: for each engine under test one sentence, a light, the counts, what it means for use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from lmerbridge.parity import Comparison, Verdict
from lmerbridge.report.meaning import meaning
from lmerbridge.report.outcome import GLYPHS, NOT_RECORDED, WORDS, Level, Words, fails, reference_at_fault, words_of
from lmerbridge.report.wording import count_phrase
from lmerbridge.results import Fit

Light = Literal["green", "amber", "red"]
NOTHING_COMPARED = "Nothing compared"

Fault = Literal["", "reference", "recording"]  # whose it is, where it is not the candidate's
CLAUSES: tuple[tuple[Verdict, Fault, str, str], ...] = (  # verdict, whose fault, one, many
    (Verdict.OTHER_OPTIMUM, "", "{n} stops short of the optimum", "{n} stop short of the optimum"),
    (Verdict.BOTH_SHORT, "", "on {n} both stop short", "on {n} both stop short"),
    (Verdict.FAULTY_REPORT, "", "{n} has a faulty report", "{n} have a faulty report"),
    (Verdict.REFERENCE_FAULTY, "", "on {n} REF itself is faulty", "on {n} REF itself is faulty"),
    (Verdict.OTHER_OBJECTIVE, "", "{n} has another objective", "{n} have another objective"),
    (Verdict.SPEC_MISMATCH, "", "{n} is of another model", "{n} are of another model"),
    (Verdict.ENGINE_FAILED, "", "{n} fails", "{n} fail"),
    (Verdict.TOO_LARGE, "", "{n} is too large", "{n} are too large"),
    (Verdict.NOT_EXPRESSIBLE, "", "{n} cannot be expressed", "{n} cannot be expressed"),
    (Verdict.OTHER_OPTIMUM, "reference", "on {n} REF itself stops short", "on {n} REF itself stops short"),
    (Verdict.ENGINE_FAILED, "reference", "on {n} REF itself fails", "on {n} REF itself fails"),
    (Verdict.ENGINE_FAILED, "recording", "{n} is not recorded", "{n} are not recorded"),
)


@dataclass(frozen=True)
class VerdictCount:
    """How many comparisons got one verdict."""

    verdict: str
    word: str
    level: Level
    glyph: str
    number: int
    meaning: str


@dataclass(frozen=True)
class Headline:
    """What the first screen says of one engine under test.

    Attributes
    ----------
    engine, reference : str
        Names with versions, e.g. ``statsmodels 0.15.0``.
    sentence : str
    light : {"green", "amber", "red"}
        Red where a comparison fails or none could be made; amber where none fails and not all agree fully.
    word, glyph : str
        The light for readers who see no colour.
    counts : tuple of VerdictCount
        The worst verdict first; only those that occur.
    meaning : tuple of str
        What it means for use, a sentence each.
    """

    engine: str
    reference: str
    sentence: str
    light: Light
    word: str
    glyph: str
    counts: tuple[VerdictCount, ...]
    meaning: tuple[str, ...]


def headline(comparisons: Sequence[Comparison], versions: Mapping[str, str]) -> Headline:
    """Describe what the comparisons of one engine with one reference say together.

    Parameters
    ----------
    comparisons : sequence of Comparison
        At least one; all of the same two engines.
    versions : mapping of engine or package name to version
    """
    candidate = _with_version(comparisons[0].candidate, [c.candidate_fit for c in comparisons], versions)
    reference = _with_version(comparisons[0].reference, [c.reference_fit for c in comparisons], versions)
    light, word = _light(comparisons)
    return Headline(
        candidate,
        reference,
        _sentence(comparisons, candidate, reference),
        light,
        word,
        {"green": GLYPHS["ok"], "amber": "!", "red": GLYPHS["bad"]}[light],
        _counts(comparisons),
        meaning(comparisons),
    )


def _with_version(engine: str, fits: Sequence[Fit | None], versions: Mapping[str, str]) -> str:
    package = engine.split("[")[0]
    told = [fit.provenance.version for fit in fits if fit]
    version = next(iter(told), versions.get(engine, versions.get(package, "")))
    return f"{engine} {version}".strip()


def _sentence(comparisons: Sequence[Comparison], candidate: str, reference: str) -> str:
    agreeing, total = sum(c.verdict.agrees for c in comparisons), len(comparisons)
    start = f"{candidate} reproduces {reference} on {_share(agreeing, total)}"
    if agreeing == total:
        return start + "."
    tally = Counter((c.verdict, _fault(c)) for c in comparisons)
    name = comparisons[0].reference
    clauses = [
        count_phrase(tally[verdict, fault], one, many).replace("REF", name)
        for verdict, fault, one, many in CLAUSES
        if tally[verdict, fault]
    ]
    unexplained = tally[Verdict.UNEXPLAINED, ""] or "none"
    clauses.append(f"{unexplained} unexplained")
    return f"{start}; {', '.join(clauses)}."


def _share(agreeing: int, total: int) -> str:
    if agreeing == total:
        return "the only fit" if total == 1 else f"all {total} fits"
    return f"{agreeing or 'none'} of {count_phrase(total, '{n} fit', '{n} fits')}"


def _light(comparisons: Sequence[Comparison]) -> tuple[Light, str]:
    if not any(c.verdict.compared for c in comparisons):
        return "red", NOTHING_COMPARED
    if any(fails(c) for c in comparisons):
        return "red", "Disagrees"
    plain = (Verdict.SAME_OPTIMUM, Verdict.OTHER_DEFINITION)
    return ("green", "Agrees") if all(c.verdict in plain for c in comparisons) else ("amber", "Agrees, with remarks")


def _counts(comparisons: Sequence[Comparison]) -> tuple[VerdictCount, ...]:
    tally = Counter((c.verdict, _fault(c)) for c in comparisons)
    reference = comparisons[0].reference
    faults: tuple[Fault, ...] = ("", "reference")
    told: dict[tuple[Verdict, Fault], Words] = {
        (verdict, fault): replace(words, word=f"{words.word} of {reference}", level="note") if fault else words
        for fault in faults
        for verdict, words in WORDS.items()
    }
    told[Verdict.ENGINE_FAILED, "recording"] = NOT_RECORDED
    return tuple(
        VerdictCount(str(key[0]), words.word, words.level, GLYPHS[words.level], tally[key], words.meaning)
        for key, words in told.items()
        if tally[key]
    )


def _fault(comparison: Comparison) -> Fault:
    if words_of(comparison) is NOT_RECORDED:
        return "recording"
    return "reference" if reference_at_fault(comparison) else ""
