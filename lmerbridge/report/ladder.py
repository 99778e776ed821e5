"""The picture: how far each engine stops above the best optimum known, case by case."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from lmerbridge.parity import CaseResult
from lmerbridge.report.findings import anchor
from lmerbridge.report.wording import short
from lmerbridge.results import Fit

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 900, 300, 64, 12, 14, 34
FLOOR = -12  # decades; what lies below is drawn on it
BESIDE = 7  # between the marks of one case, where there is room
SHAPES = ("circle", "square", "triangle", "diamond", "down", "bar", "hexagon", "tower")

Said = Literal["converged", "not"]


@dataclass(frozen=True)
class Point:
    """One engine on one case.

    ``said`` is its own claim, and ``tooltip`` appears when the mark is touched. ``anchor`` is the place of its
    evidence, or "" where its gap is below the lowest limit.
    """

    x: float
    y: float
    shape: str
    series: int
    said: Said
    anchor: str
    tooltip: str


@dataclass(frozen=True)
class Rule:
    """A horizontal line with its label."""

    y: float
    text: str


@dataclass(frozen=True)
class Ladder:
    """The picture, in the units of an SVG of ``width`` by ``height``.

    ``label`` says in words what the picture shows.
    """

    width: int
    height: int
    left: int
    right: int
    bottom: int
    ticks: tuple[Rule, ...]
    limits: tuple[Rule, ...]
    legend: tuple[tuple[str, str, int], ...]
    points: tuple[Point, ...]
    label: str


@dataclass(frozen=True)
class _Gap:
    case: str
    engine: str
    gap: float
    fit: Fit | None
    anchor: str


def ladder(
    results: Sequence[CaseResult], limits: Sequence[tuple[str, float]], order_of: Sequence[str] = ()
) -> Ladder | None:
    """Describe the picture, or return None where no gap is known.

    The mark of an engine is that of its place among `order_of`, so that it has the same in several pictures.
    """
    gaps = _gaps(results)
    if not gaps:
        return None
    worst: dict[str, float] = {}
    for g in gaps:
        worst[g.case] = max(g.gap, worst.get(g.case, 0.0))
    order = {case: i for i, case in enumerate(sorted(worst, key=lambda c: (worst[c], c)))}
    top = max(1, math.ceil(_decade(max(worst.values()))))
    marks = list(dict.fromkeys([*order_of, *(g.engine for g in gaps)]))
    engines = [engine for engine in marks if any(g.engine == engine for g in gaps)]
    aside = _aside(engines, len(order))
    told = min((limit for _, limit in limits), default=0.0)
    return Ladder(
        WIDTH,
        HEIGHT,
        LEFT,
        WIDTH - RIGHT,
        HEIGHT - BOTTOM,
        tuple(_ticks(top)),
        tuple(Rule(_y(_decade(limit), top), f"{name} up to {short(limit)}") for name, limit in limits),
        tuple((engine, *_series(marks.index(engine))) for engine in engines),
        tuple(_point(g, order[g.case], len(order), marks.index(g.engine), aside[g.engine], top, told) for g in gaps),
        f"Gap to the best optimum known, {len(order)} cases sorted by their largest gap, from "
        f"{short(min(worst.values()))} to {short(max(worst.values()))} deviance units.",
    )


def _gaps(results: Sequence[CaseResult]) -> list[_Gap]:
    """Return one gap per engine and case.

    The reference meets several engines on a case, and has a gap against each. The largest is kept.
    """
    found: dict[tuple[str, str], _Gap] = {}
    for result in results:
        c = result.comparison
        for engine, fit in ((c.reference, c.reference_fit), (c.candidate, c.candidate_fit)):
            gap = c.gap.get(engine, math.nan)
            known = found.get((result.case.name, engine))
            if math.isfinite(gap) and (known is None or gap > known.gap):
                found[result.case.name, engine] = _Gap(result.case.name, engine, gap, fit, anchor(result))
    return list(found.values())


def _decade(gap: float) -> float:
    return max(FLOOR, math.log10(gap)) if gap > 0 else FLOOR


def _y(decade: float, top: int) -> float:
    return round(TOP + (top - decade) / (top - FLOOR) * (HEIGHT - TOP - BOTTOM), 1)


def _ticks(top: int) -> Iterator[Rule]:
    for decade in range(FLOOR, top + 1, 2):
        yield Rule(_y(decade, top), f"≤ 1e{decade}" if decade == FLOOR else short(10.0**decade))


def _aside(engines: Sequence[str], cases: int) -> dict[str, float]:
    """Return how far each engine's marks stand beside the middle of a case.

    The unit is the width of a case. No mark hides another.
    """
    step = min(0.7 / len(engines), BESIDE * cases / (WIDTH - LEFT - RIGHT))
    return {engine: (i - (len(engines) - 1) / 2) * step for i, engine in enumerate(engines)}


def _series(i: int) -> tuple[str, int]:
    return SHAPES[i % len(SHAPES)], i % len(SHAPES)


def _point(gap: _Gap, place: int, cases: int, series: int, aside: float, top: int, told: float) -> Point:
    said: Said = "converged" if gap.fit is not None and gap.fit.converged else "not"
    claim = "said converged" if said == "converged" else "did not say converged"
    return Point(
        round(LEFT + (place + 0.5 + aside) / cases * (WIDTH - LEFT - RIGHT), 1),
        _y(_decade(gap.gap), top),
        *_series(series),
        said,
        gap.anchor if gap.gap > told else "",
        f"{gap.case}: {gap.engine} {short(gap.gap)} above the optimum, {claim}",
    )
