"""The criterion along two ways through theta: what lies between two answers that are not the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lmerbridge.parity.evidence import Line
from lmerbridge.results import Array, triangle

if TYPE_CHECKING:
    from lmerbridge.parity.pair import Trial
    from lmerbridge.results import Design

BETWEEN, OUTSIDE = 21, 10  # points from one answer to the other, and beyond each of them
BEYOND = 0.5  # of the distance between the answers, to be seen on either side of them


def lines(trial: Trial) -> tuple[Line, ...]:
    """Evaluate the line through both answers, and the slice along the element of theta that differs most.

    Returns
    -------
    tuple of Line
        Empty where no engine ends clearly above the optimum, or the two answers are the same point.
    """
    a, b = trial.thetas
    apart = np.abs(b - a) * trial.objective.scale
    if max(trial.gap.values()) <= trial.profile.loose or not apart.any():
        return ()
    worst, better = int(np.argmax(apart)), trial.thetas[int(np.argmin(trial.profile_values))]
    held = np.array([better, better])
    held[:, worst] = a[worst], b[worst]
    name = [*theta_names(trial.design), *trial.design.terms, "shape"][worst]
    return _line(trial, "", a, b, (0.0, 1.0)), _line(trial, name, held[0], held[1], (float(a[worst]), float(b[worst])))


def theta_names(design: Design) -> list[str]:
    """Name the elements of theta as lme4 does: ``group.term`` on a diagonal, ``group.row.column`` below it."""
    return [
        f"{term.group}.{term.terms[row]}" + (f".{term.terms[column]}" if row != column else "")
        for term in design.random
        for row, column in zip(*triangle(term.width), strict=True)
    ]


def _line(trial: Trial, along: str, a: Array, b: Array, ends: tuple[float, float]) -> Line:
    ways = _ways(*_reach(trial.objective.lower, a, b))
    values = trial.criterion.values(a + ways[:, None] * (b - a)) - trial.minimum
    at = ends[0] + ways * (ends[1] - ends[0])
    above = np.where(np.isfinite(values), values, np.nan)
    return Line(along, *ends, tuple(map(float, at)), tuple(map(float, above)))


def _ways(first: float, last: float) -> Array:
    """Points from first to last, both answers among them."""
    parts = (np.linspace(first, 0, OUTSIDE + 1), np.linspace(0, 1, BETWEEN), np.linspace(1, last, OUTSIDE + 1))
    ways: Array = np.unique(np.concatenate(parts))
    return ways


def _reach(lower: Array, a: Array, b: Array) -> tuple[float, float]:
    """How far the line from a to b goes on beyond both before an element of theta falls below its bound."""
    step = b - a
    with np.errstate(divide="ignore", invalid="ignore"):
        exits = np.where(np.isfinite(lower) & (step != 0), (lower - a) / step, np.nan)
    before, after = exits[step > 0], exits[step < 0]
    first, last = np.fmax.reduce(before, initial=-BEYOND), np.fmin.reduce(after, initial=1 + BEYOND)
    return min(float(first), 0.0), max(float(last), 1.0)
