"""A line of the bench: what was measured, against what, and how it came out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Self

from tests.bench.cpu import Ratio


@dataclass(frozen=True)
class Row:
    """One bar and what was measured; ``at_least`` turns the bar round."""

    what: str
    bar: float
    measured: float
    unit: str = ""
    at_least: bool = False
    detail: str = ""

    @classmethod
    def of(cls, what: str, bar: float, ratio: Ratio) -> Self:
        """Give what two sides took, by pairs."""
        return cls(what, bar, ratio.median, detail=str(ratio))

    @property
    def met(self) -> bool:
        """Whether the bar is met."""
        return self.measured >= self.bar if self.at_least else self.measured <= self.bar


def seconds(call: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def medians(repeats: int, *sides: Callable[[], float]) -> list[float]:
    """Median of what each side tells; they take turns, so that all meet the same load."""
    runs = [[side() for side in sides] for _ in range(repeats)]
    return [median(column) for column in zip(*runs, strict=True)]
