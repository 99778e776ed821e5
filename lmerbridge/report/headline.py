"""The first screen: for each engine one sentence, badges, the counts, what it means for use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from lmerbridge.parity import (
    CaseResult,
    Comparison,
    Tally,
    Verdict,
    candidate_outcome,
    reference_at_fault,
    reference_tally,
    tally,
)
from lmerbridge.report.meaning import meaning
from lmerbridge.report.outcome import GLYPHS, NOT_RECORDED, WORDS, Level, Words, fails, words_of
from lmerbridge.report.wording import count_phrase, enumeration
from lmerbridge.results import Fit

Model = Literal["linear", "generalized"]
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
    model : {"linear", "generalized"}
        The kind of model that all this is of.
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
    model: Model = "linear"

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
        The best first, those of generalized models last. One that has the same verdict as the first of its kind of
        model on every case is in `alike` only, one that refuses all models of a kind in `unfit` only.
    alike, unfit : str
        The sentences that name those, or "".
    """

    light: Light
    modes: tuple[Headline, ...]
    alike: str
    unfit: str = ""


@dataclass(frozen=True)
class ReferenceLine:
    """What the first screen says of a reference: its own stops short are not the failures of others."""

    engine: str
    sentence: str
    tally: Tally


def headline(
    comparisons: Sequence[Comparison], versions: Mapping[str, str], model: Model = "linear", told_of: str = ""
) -> Headline:
    """Describe what the comparisons of one engine with one reference say together.

    Parameters
    ----------
    comparisons : sequence of Comparison
        At least one; all of the same two engines, on models of one kind.
    versions : mapping of engine or package name to version
    model : {"linear", "generalized"}
    told_of : str
        The kind of model in the sentence, where it is to be named.
    """
    candidate = _with_version(comparisons[0].candidate, [c.candidate_fit for c in comparisons], versions)
    told = tally(map(candidate_outcome, comparisons))
    light = _light(comparisons)
    return Headline(
        comparisons[0].candidate.split("[")[0],
        candidate,
        _reference_name(comparisons, versions),
        f"{candidate}: {told.told(told_of)}.",
        light,
        _badges(comparisons, told, light),
        _counts(comparisons),
        told,
        meaning(comparisons),
        model,
    )


def card(modes: Sequence[tuple[Headline, Sequence[CaseResult]]]) -> Card:
    """Describe an engine in each of its modes, given with their results."""
    fitting = [mode for mode in modes if not mode[0].tally.unfit] or modes
    verdicts = [{r.case.name: r.comparison.verdict for r in results} for _, results in fitting]
    first: dict[Model, dict[str, Verdict]] = {}
    for (h, _), told in zip(fitting, verdicts, strict=True):
        first.setdefault(h.model, told)
    alike = [
        told is not first[h.model] and told == first[h.model] for (h, _), told in zip(fitting, verdicts, strict=True)
    ]
    same = [h for (h, _), is_same in zip(fitting, alike, strict=True) if is_same]
    return Card(
        max((h.light for h, _ in fitting), key=LIGHTS.index),
        tuple(h for (h, _), is_same in zip(fitting, alike, strict=True) if not is_same),
        _alike(same, len(first) > 1),
        unfit_sentence([h for h, _ in modes if h.tally.unfit]) if fitting != modes else "",
    )


def _alike(same: Sequence[Headline], several: bool) -> str:
    """Name the modes with the same verdicts as another, by the kind of model where there are several."""
    told = []
    for model in dict.fromkeys(h.model for h in same):
        names = [h.engine for h in same if h.model == model]
        has = count_phrase(len(names), "has", "have")
        told.append(f"{enumeration(names)} {has} the same verdict on every {f'{model} ' * several}fit.")
    return " ".join(told)


def unfit_sentence(headlines: Sequence[Headline]) -> str:
    """Name the engines that refuse every model of a kind, or return ""."""
    told = []
    for model in dict.fromkeys(h.model for h in headlines):
        names = [h.engine for h in headlines if h.model == model]
        told.append(f"{enumeration(names)} {count_phrase(len(names), 'fits', 'fit')} no {model} model.")
    return " ".join(told)


def reference_line(results: Sequence[CaseResult], versions: Mapping[str, str], told_of: str = "") -> ReferenceLine:
    """Describe what all comparisons with one reference say of it."""
    told = reference_tally((r.case.name, r.comparison) for r in results)
    name = _reference_name([r.comparison for r in results], versions)
    return ReferenceLine(name, f"{name}, the reference: {told.told(told_of)}.", told)


def lead(headlines: Sequence[Headline]) -> str:
    """Return the first sentence of a report: how many engines, whatever their modes, give the reference's answers.

    Engines that refuse every generalized model do not count among those of generalized models.
    """
    if not headlines:
        return "No fit was compared."
    linear = [h for h in headlines if h.model == "linear"]
    generalized = [h for h in headlines if h.model == "generalized" and not h.tally.unfit]
    if not linear:
        generalized = generalized or list(headlines)
        return f"{_reproduce(generalized)} on generalized models."
    if not generalized:
        return f"{_reproduce(linear)}."
    right, all_of_them = _counts_of(generalized)
    return f"{_reproduce(linear)} on linear models, {right} of {all_of_them} on generalized ones."


def _reproduce(headlines: Sequence[Headline]) -> str:
    right, all_of_them = _counts_of(headlines)
    engines = count_phrase(all_of_them, "{n} engine reproduces", "{n} engines reproduce")
    return f"{right} of {engines} {enumeration(sorted({h.reference for h in headlines}))}"


def _counts_of(headlines: Sequence[Headline]) -> tuple[int, int]:
    names, differing = {h.name for h in headlines}, {h.name for h in headlines if not h.tally.reproduces}
    return len(names - differing), len(names)


def _reference_name(comparisons: Sequence[Comparison], versions: Mapping[str, str]) -> str:
    return _with_version(comparisons[0].reference, [c.reference_fit for c in comparisons], versions)


def _with_version(engine: str, fits: Sequence[Fit | None], versions: Mapping[str, str]) -> str:
    package = engine.split("[")[0]
    told = [fit.provenance.version for fit in fits if fit]
    version = next(iter(told), versions.get(engine, versions.get(package, "")))
    return f"{engine} {version}".strip()


def _light(comparisons: Sequence[Comparison]) -> Light:
    failing = (c for c in comparisons if fails(c) and candidate_outcome(c) != "otherwise")
    if not any(c.verdict.compared for c in comparisons) or any(failing):
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
        ("note", f"Approximates otherwise on {told.otherwise}", told.otherwise),
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
