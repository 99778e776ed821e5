"""The fixed effects that differ most, in standard errors."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from lmerbridge.report.findings import Finding
from lmerbridge.report.wording import brief, short

SHOWN = 16
ROOM = 44  # letters of a label, beside the number


@dataclass(frozen=True)
class EffectShift:
    """One fixed effect of one case and engine, in units of the reference's standard error.

    Attributes
    ----------
    label, anchor, text : str
    shift : float
        The candidate's estimate less the reference's.
    half : float
        The candidate's own standard error; 0 where it gives none.
    """

    label: str
    anchor: str
    text: str
    shift: float
    half: float


def forest(findings: Iterable[Finding]) -> tuple[EffectShift, ...]:
    """Describe the largest difference of each finding, the worst first, as many as a picture holds."""
    effects = [effect for f in findings if (effect := _worst(f))]
    return tuple(sorted(effects, key=lambda e: (-abs(e.shift), e.label))[:SHOWN])


def _worst(f: Finding) -> EffectShift | None:
    effects = [q.row for q in f.quantities if math.isfinite(q.row.in_se)]
    if not effects:
        return None
    row = max(effects, key=lambda r: r.in_se)
    term = row.quantity.removeprefix("fixef")
    shift = math.copysign(row.in_se, row.candidate - row.reference)
    label = f"{f.comparison.candidate}, {f.case.name}, {term[1:-1]}"
    return EffectShift(brief(label, ROOM), f.anchor, f"{short(row.in_se)} SE", shift, _half(f, term))


def _half(f: Finding, term: str) -> float:
    own = next((q.row for q in f.quantities if q.row.quantity == f"se{term}"), None)
    ratio = own.candidate / own.reference if own and own.reference else math.nan
    return ratio if math.isfinite(ratio) else 0.0
