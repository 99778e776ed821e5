"""Correct digits of each engine against exact values, by kind of quantity."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lmerbridge.parity import kind_of

if TYPE_CHECKING:
    from lmerbridge.parity import DigitRow


@dataclass(frozen=True)
class Score:
    """Correct digits of one engine, one number per case.

    It is the engine's worst in the case, and 0 where it gives none.

    Attributes
    ----------
    engine : str
    digits : tuple of float
    text : str
        The worst of all, marked where a case has fewer digits than it should.
    """

    engine: str
    digits: tuple[float, ...]
    text: str


@dataclass(frozen=True)
class Panel:
    """One kind of quantity."""

    kind: str
    scores: tuple[Score, ...]


def digit_panels(rows: Iterable[DigitRow]) -> tuple[Panel, ...]:
    """Arrange the rows of `lmerbridge.parity.accuracy.score` by kind of quantity and engine."""
    found: dict[str, dict[str, list[DigitRow]]] = {}
    for row in rows:
        found.setdefault(kind_of(row.quantity), {}).setdefault(row.engine, []).append(row)
    return tuple(Panel(kind, tuple(map(_score, engines.values()))) for kind, engines in found.items())


def _score(rows: list[DigitRow]) -> Score:
    worst: dict[str, float] = {}
    for row in rows:
        digits = 0.0 if math.isnan(row.digits) else max(row.digits, 0.0)
        worst[row.case] = min(digits, worst.get(row.case, math.inf))
    lowest = f"{min(worst.values()):.1f}"
    return Score(rows[0].engine, tuple(worst.values()), lowest if all(r.enough for r in rows) else f"{lowest} ✗")
