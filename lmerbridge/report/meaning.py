"""What a tally of verdicts means to who wants to use the engine."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lmerbridge.parity import AT_LIMIT, Comparison, Verdict, is_silent, reference_at_fault, title
from lmerbridge.report.outcome import fails
from lmerbridge.report.wording import count_phrase, enumeration, short


def meaning(comparisons: Sequence[Comparison]) -> tuple[str, ...]:
    """Return what the comparisons of one engine with one reference mean for use, a sentence each."""
    told = (say(comparisons) for say in (_use, _distance, _short, _definitions, _reference, _at_limit, _not_compared))
    return tuple(filter(None, told))


def _use(comparisons: Sequence[Comparison]) -> str:
    names = comparisons[0].candidate, comparisons[0].reference
    if not any(c.verdict.agrees for c in comparisons):
        return "Nothing here supports the use of {} in place of {}.".format(*names)
    if any(fails(c) for c in comparisons):
        return "Check {} against {} before its numbers are used: below are models on which it differs.".format(*names)
    return "{} may stand in for {} on models like those that agree.".format(*names)


def _distance(comparisons: Sequence[Comparison]) -> str:
    agreeing = [c for c in comparisons if c.verdict.agrees]
    shifts = [row.in_se for c in agreeing for row in c.rows if not math.isnan(row.in_se)]
    if not shifts:
        return ""
    return f"Where they agree, no fixed effect differs by more than {short(max(shifts))} standard errors."


def _short(comparisons: Sequence[Comparison]) -> str:
    stopped = [c for c in comparisons if c.verdict is Verdict.OTHER_OPTIMUM and fails(c)]
    if not stopped:
        return ""
    gap = max((c.gap.get(c.candidate, math.nan) for c in stopped), key=lambda g: (not math.isnan(g), g))
    silent = sum(c.candidate_fit is not None and is_silent(c.candidate_fit) for c in stopped)
    return (
        f"Of {count_phrase(len(stopped), 'the {n} fit that stops', 'the {n} fits that stop')} short, "
        f"{silent or 'none'} said converged without a warning; the worst ends {short(gap)} deviance units "
        "above the best optimum known."
    )


def _definitions(comparisons: Sequence[Comparison]) -> str:
    by_name = sorted({title(name) for c in comparisons for name in c.definitions})
    number = sum(bool(c.definitions) for c in comparisons)
    if not by_name:
        return ""
    fits = count_phrase(number, "{n} fit", "{n} fits")
    return f"On {fits} a number differs by definition, not by error, as told below: {enumeration(by_name)}."


def _reference(comparisons: Sequence[Comparison]) -> str:
    number = sum(c.verdict is Verdict.OTHER_OPTIMUM and reference_at_fault(c) for c in comparisons)
    if not number:
        return ""
    fits = count_phrase(number, "{n} fit", "{n} fits")
    return f"On {fits} it is {comparisons[0].reference} that stopped short, and its numbers that are off."


def _at_limit(comparisons: Sequence[Comparison]) -> str:
    number = sum(AT_LIMIT in c.marks for c in comparisons)
    if not number:
        return ""
    fits = count_phrase(number, "{n} fit", "{n} fits")
    return f"On {fits} the verdict is {AT_LIMIT}: another processor may turn it."


def _not_compared(comparisons: Sequence[Comparison]) -> str:
    number = sum(not c.verdict.compared for c in comparisons)
    return (
        count_phrase(number, "{n} fit was", "{n} fits were") + " not compared; the reasons are below." if number else ""
    )
