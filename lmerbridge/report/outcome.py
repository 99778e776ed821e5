"""What a verdict means to a reader: its word, its level, whether it fails the run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lmerbridge.parity import Comparison, Evidence, Verdict, reference_at_fault

Level = Literal["ok", "note", "bad", "missing", "na"]

GLYPHS: dict[Level, str] = {"ok": "✓", "note": "≈", "bad": "✗", "missing": "∅", "na": "·"}
LEVELS: dict[Level, str] = {
    "ok": "agrees",
    "note": "differs, and the cause is harmless or named",
    "bad": "differs beyond tolerance",
    "missing": "an engine gives no number, which is never a pass",
    "na": "not part of this model, or not compared",
}


@dataclass(frozen=True)
class Words:
    """How a verdict is told: its word, its level, its meaning."""

    word: str
    level: Level
    meaning: str


WORDS: dict[Verdict, Words] = {  # the worst first: the order of the findings
    Verdict.UNEXPLAINED: Words("unexplained", "bad", "a difference without a known cause"),
    Verdict.REFERENCE_FAULTY: Words("faulty reference", "bad", "the reference does not report what its theta gives"),
    Verdict.SPEC_MISMATCH: Words("other model", "bad", "rows, response or model space differ"),
    Verdict.OTHER_OBJECTIVE: Words("other objective", "bad", "the engines optimise different functions"),
    Verdict.FAULTY_REPORT: Words("faulty report", "bad", "a number that is none, and how the engine came to it"),
    Verdict.BOTH_SHORT: Words("both stop short", "bad", "both engines stopped clearly above the best optimum known"),
    Verdict.OTHER_OPTIMUM: Words("other optimum", "bad", "an engine stopped clearly above the best optimum known"),
    Verdict.ENGINE_FAILED: Words("engine failed", "bad", "an engine raised an error or gave nothing usable"),
    Verdict.LOOSE_STOP: Words("loose stop", "note", "an engine stopped a little above the optimum"),
    Verdict.OTHER_DEFINITION: Words("other definition", "note", "same optimum; a named definition differs"),
    Verdict.SAME_OPTIMUM: Words("same optimum", "ok", "same model, same objective, same optimum, same numbers"),
    Verdict.TOO_LARGE: Words("too large", "na", "beyond a size limit; not compared"),
    Verdict.NOT_EXPRESSIBLE: Words("not expressible", "na", "the engine has no form for this model"),
}
NOT_RECORDED = Words("not recorded", "na", "the recording that is the reference has no such model")
SEVERITY = list(WORDS)


def words_of(comparison: Comparison) -> Words:
    """Return how a verdict is told: a recording that lacks a model has not failed."""
    return NOT_RECORDED if comparison.cause.code == "not_recorded" else WORDS[comparison.verdict]


def stage_level(evidence: Evidence, comparison: Comparison) -> Level:
    """Return the level of a stage: where it differs, the verdict says whether that is harmful."""
    if evidence.agrees:
        return "ok"
    remark = evidence.stage == "flags" or (evidence.stage == "pinned" and bool(comparison.definitions))
    return "note" if remark or comparison.verdict.agrees or reference_at_fault(comparison) else "bad"


def fails(comparison: Comparison) -> bool:
    """Whether the engine under test fails on this comparison."""
    harmless = reference_at_fault(comparison) or comparison.known is not None
    return WORDS[comparison.verdict].level == "bad" and not harmless


def level(comparison: Comparison) -> Level:
    """Return the level of a verdict.

    A known difference, or a fault of the reference, is a note.
    """
    given = words_of(comparison).level
    return "note" if given == "bad" and not fails(comparison) else given
