"""The first screen: for each engine one sentence, badges, the counts, what it means for use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from lmerbridge.parity import CaseResult, Comparison, Verdict
from lmerbridge.report.meaning import meaning
from lmerbridge.report.outcome import GLYPHS, NOT_RECORDED, WORDS, Level, Words, fails, reference_at_fault, words_of
from lmerbridge.report.tally import Tally, candidate_outcome, reference_tally, tally
from lmerbridge.report.wording import count_phrase, enumeration
from lmerbridge.results import Fit

Light = Literal["green", "amber", "red"]
LIGHTS: tuple[Light, ...] = ("green", "amber", "red")  # the worst last
NOTHING_COMPARED = "Nothing compared"

Fault = Literal["", "reference", "recording"]  # whose it is, where it is not the candidate's


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
class Badge:
    """One thing that a card says at once: that the engine is wrong and that it fails are two."""

    level: Level
    glyph: str
    word: str


@dataclass(frozen=True)
class Headline:
    """What the first screen says of one engine under test.

    Attributes
    ----------
    name : str
        Of the engine without its mode: ``statsmodels`` of ``statsmodels[shared]``.
    engine, reference : str
        Names with versions, e.g. ``statsmodels 0.15.0``.
    sentence : str
    light : {"green", "amber", "red"}
        Red where a comparison fails or none could be made; amber where none fails and not all agree fully.
    badges : tuple of Badge
        The light for readers who see no colour.
    counts : tuple of VerdictCount
        The worst verdict first; only those that occur.
    tally : Tally
    meaning : tuple of str
        What it means for use, a sentence each.
    """

    name: str
    engine: str
    reference: str
    sentence: str
    light: Light
    badges: tuple[Badge, ...]
    counts: tuple[VerdictCount, ...]
    tally: Tally
    meaning: tuple[str, ...]

    @property
    def glyph(self) -> str:
        """That of the first badge."""
        return self.badges[0].glyph

    @property
    def word(self) -> str:
        """That of the first badge."""
        return self.badges[0].word


@dataclass(frozen=True)
class Card:
    """An engine and its modes, on one card.

    Attributes
    ----------
    light : {"green", "amber", "red"}
        The worst of its modes.
    modes : tuple of Headline
        The best first; one that has the same verdict as the first on every case is in `alike` only.
    alike : str
        The sentence that names those.
    """

    light: Light
    modes: tuple[Headline, ...]
    alike: str


@dataclass(frozen=True)
class ReferenceLine:
    """What the first screen says of a reference: its own stops short are not the failures of others."""

    engine: str
    sentence: str
    tally: Tally


def headline(comparisons: Sequence[Comparison], versions: Mapping[str, str]) -> Headline:
    """Describe what the comparisons of one engine with one reference say together.

    Parameters
    ----------
    comparisons : sequence of Comparison
        At least one; all of the same two engines.
    versions : mapping of engine or package name to version
    """
    candidate = _with_version(comparisons[0].candidate, [c.candidate_fit for c in comparisons], versions)
    told = tally(map(candidate_outcome, comparisons))
    light = _light(comparisons)
    return Headline(
        comparisons[0].candidate.split("[")[0],
        candidate,
        _reference_name(comparisons, versions),
        f"{candidate}: {told}.",
        light,
        _badges(comparisons, told, light),
        _counts(comparisons),
        told,
        meaning(comparisons),
    )


def card(modes: Sequence[tuple[Headline, Sequence[CaseResult]]]) -> Card:
    """Describe an engine in each of its modes, given with their results."""
    verdicts = [{r.case.name: r.comparison.verdict for r in results} for _, results in modes]
    alike = [told == verdicts[0] for told in verdicts]
    same = [h.engine for (h, _), is_same in zip(modes[1:], alike[1:], strict=True) if is_same]
    has = count_phrase(len(same), "has", "have")
    return Card(
        max((h.light for h, _ in modes), key=LIGHTS.index),
        tuple(h for i, (h, _) in enumerate(modes) if not i or not alike[i]),
        f"{enumeration(same)} {has} the same verdict on every fit." if same else "",
    )


def reference_line(results: Sequence[CaseResult], versions: Mapping[str, str]) -> ReferenceLine:
    """Describe what all comparisons with one reference say of it."""
    told = reference_tally((r.case.name, r.comparison) for r in results)
    name = _reference_name([r.comparison for r in results], versions)
    return ReferenceLine(name, f"{name}, the reference: {told}.", told)


def lead(headlines: Sequence[Headline]) -> str:
    """Return the first sentence of a report: how many engines, whatever their modes, give the reference's answers."""
    if not headlines:
        return "No fit was compared."
    differing = {h.name for h in headlines if not h.tally.reproduces}
    names = {h.name for h in headlines}
    engines = count_phrase(len(names), "{n} engine reproduces", "{n} engines reproduce")
    return f"{len(names - differing)} of {engines} {enumeration(sorted({h.reference for h in headlines}))}."


def _reference_name(comparisons: Sequence[Comparison], versions: Mapping[str, str]) -> str:
    return _with_version(comparisons[0].reference, [c.reference_fit for c in comparisons], versions)


def _with_version(engine: str, fits: Sequence[Fit | None], versions: Mapping[str, str]) -> str:
    package = engine.split("[")[0]
    told = [fit.provenance.version for fit in fits if fit]
    version = next(iter(told), versions.get(engine, versions.get(package, "")))
    return f"{engine} {version}".strip()


def _light(comparisons: Sequence[Comparison]) -> Light:
    if not any(c.verdict.compared for c in comparisons) or any(fails(c) for c in comparisons):
        return "red"
    plain = (Verdict.SAME_OPTIMUM, Verdict.OTHER_DEFINITION)
    return "green" if all(c.verdict in plain for c in comparisons) else "amber"


def _badges(comparisons: Sequence[Comparison], told: Tally, light: Light) -> tuple[Badge, ...]:
    """Return what is amiss, each on its own: a wrong answer is another disease than none."""
    how: Level = "bad" if light == "red" else "note"
    amiss: tuple[tuple[Level, str, object], ...] = (
        (how, NOTHING_COMPARED, not any(c.verdict.compared for c in comparisons)),
        (how, f"Wrong on {told.wrong}", told.wrong),
        ("missing", f"Fails on {told.fails}", told.fails),
        (how, "Faulty reference", any(c.verdict is Verdict.REFERENCE_FAULTY for c in comparisons)),
    )
    found = tuple(Badge(level, GLYPHS[level], word) for level, word, is_so in amiss if is_so)
    agrees = Badge("ok", GLYPHS["ok"], "Agrees") if light == "green" else Badge("note", "!", "Agrees, with remarks")
    return found or (agrees,)


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
