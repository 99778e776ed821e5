"""Ratios of CPU time of all processes at work: this one, R's and whatever else it has started."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median, quantiles


@dataclass(frozen=True)
class Ratio:
    """What one side takes over what the other does, pair by pair.

    Attributes
    ----------
    median, low, high : float
        Of the pairs' ratios, with their quartiles.
    ours, theirs : float
        Median seconds of each side.
    pairs : int
    """

    median: float
    low: float
    high: float
    ours: float
    theirs: float
    pairs: int

    def __str__(self) -> str:
        spread = f"quartiles {self.low:.3g} to {self.high:.3g} of {self.pairs}"
        return f"{1e3 * self.ours:.3g} ms against {1e3 * self.theirs:.3g} ms; {spread}"


def ratio(repeats: int, ours: Callable[[], float], theirs: Callable[[], float], *, warm: int = 1) -> Ratio:
    """Compare what two sides tell, each the seconds of its work: they take turns, and the first place in turns too."""
    for side in (ours, theirs) * warm:
        side()
    runs = [_pair(ours, theirs, swap=bool(i % 2)) for i in range(repeats)]
    each = [a / b for a, b in runs]
    low, _, high = quantiles(each, n=4, method="inclusive") if len(each) > 1 else each * 3
    return Ratio(median(each), low, high, *(median(side) for side in zip(*runs, strict=True)), repeats)


def _pair(ours: Callable[[], float], theirs: Callable[[], float], *, swap: bool) -> tuple[float, float]:
    if swap:
        second = theirs()
        return ours(), second
    return ours(), theirs()
