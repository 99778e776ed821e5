"""What the fits come to: outcomes with intervals, gaps, digits, by block, by kind and by engine."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

import numpy as np

from lmerbridge.parity import DigitRow, Tally, kind_of, tally, wilson_interval
from lmerbridge.parity.study.fits import REFERENCES, StudyFits
from lmerbridge.parity.study.plan import BLOCKS
from lmerbridge.parity.study.rows import Row

KINDS = ("simulated", "scales", "small")  # blocks that are told by kind
QUANTILES = {"q50": 0.5, "q90": 0.9, "q99": 0.99, "largest": 1.0}
DECADES = 4  # a digit of a share or an interval's end that is kept: 1e-4
Each = TypeVar("Each")


def count_by_block(fits: StudyFits) -> list[dict[str, Any]]:
    """Count outcomes by block and engine, blocks and engines in the order of the study."""
    return [_count(rows, block=block, engine=engine) for (block, engine), rows in _by_engine(fits)]


def count_linear(fits: StudyFits) -> list[dict[str, Any]]:
    """Count outcomes of each engine over all linear blocks."""
    linear = [row for row in fits.rows if row.block != "glmm"]
    groups = _groups(linear, lambda row: row.engine)
    return [_count(groups[engine], engine=engine) for engine in engine_order(fits) if engine in groups]


def count_by_kind(fits: StudyFits) -> list[dict[str, Any]]:
    """Count outcomes by block, kind and engine, of the blocks that have kinds."""
    found = list[dict[str, Any]]()
    for (block, engine), rows in _by_engine(fits):
        if block in KINDS:
            groups = _groups(rows, lambda row: row.kind)
            found += [_count(each, block=block, kind=kind, engine=engine) for kind, each in groups.items()]
    return found


def gap_quantiles(fits: StudyFits, limit: float) -> list[dict[str, Any]]:
    """Return quantiles of the gaps of each engine, of linear and of generalized models, and the share above a limit."""
    found = list[dict[str, Any]]()
    for model in ("linear", "generalized"):
        rows = [r for r in fits.rows if (r.block == "glmm") == (model == "generalized") and not math.isnan(r.gap)]
        groups = _groups(rows, lambda row: row.engine)
        for engine in (name for name in engine_order(fits) if name in groups):
            gaps = sorted(row.gap for row in groups[engine])
            above = sum(gap > limit for gap in gaps)
            low, high = wilson_interval(above, len(gaps))
            quantiles = {name: _quantile(gaps, q) for name, q in QUANTILES.items()}
            found.append(
                {"model": model, "engine": engine, "fits": len(gaps), "above": above}
                | {"low": _short(low), "high": _short(high)}
                | quantiles
            )
    return found


def digit_quantiles(digits: Iterable[DigitRow], order: Sequence[str]) -> list[dict[str, Any]]:
    """Return how many digits are right at worst and in the middle, and how many suffice, by engine and quantity."""
    groups = _groups(digits, lambda row: (row.engine, kind_of(row.quantity)))
    kinds = list(dict.fromkeys(kind for _, kind in groups))
    found = list[dict[str, Any]]()
    for engine, kind in ((engine, kind) for engine in order for kind in kinds if (engine, kind) in groups):
        rows = groups[engine, kind]
        given = sorted(max(row.digits, 0.0) for row in rows if not math.isnan(row.digits))
        worst = {"worst": _quantile(given, 0.0), "quarter": _quantile(given, 0.25), "median": _quantile(given, 0.5)}
        enough = sum(row.enough for row in rows)
        found.append(
            {"engine": engine, "kind": kind, "numbers": len(rows), "given": len(given), "enough": enough} | worst
        )
    return found


def printed_by_engine(fits: StudyFits) -> list[dict[str, Any]]:
    """Count the printed numbers that each engine reproduces, of those of the models that it fits."""
    groups = _groups(fits.printed, lambda each: each.engine)
    return [
        {"engine": engine, "models": sum(p.compared > 0 for p in groups[engine])}
        | {name: sum(getattr(p, name) for p in groups[engine]) for name in ("compared", "reproduced")}
        for engine in engine_order(fits)
        if engine in groups
    ]


def engine_order(fits: StudyFits) -> list[str]:
    """Return the engines, the most often right of the linear models that it takes on first."""
    groups = _groups((row for row in fits.rows if row.block != "glmm"), lambda row: row.engine)

    def rank(name: str) -> tuple[bool, float, int]:
        counted = tally(row.outcome for row in groups.get(name, ()))
        return name == REFERENCES[1], -share_right(counted), -taken(counted)

    return sorted({row.engine for row in fits.rows}, key=lambda name: (*rank(name), name))


def taken(counted: Tally) -> int:
    """How many fits an engine took on: it gave an answer, or failed at it."""
    return counted.judged - counted.refuses


def share_right(counted: Tally) -> float:
    """Share of the fits that an engine took on in which it is right, by its own approximation at least."""
    return (counted.right + counted.otherwise) / taken(counted) if taken(counted) else 0.0


def _count(rows: Sequence[Row], **names: str) -> dict[str, Any]:
    counted = tally(row.outcome for row in rows)
    right, of = counted.right + counted.otherwise, taken(counted)
    low, high = wilson_interval(right, of) if of else (math.nan, math.nan)
    ends = {"share": share_right(counted) if of else math.nan, "low": low, "high": high}
    said = sum(row.converged for row in rows)
    return names | asdict(counted) | {"fits": len(rows), "taken": of, "converged": said} | _shortened(ends)


def _by_engine(fits: StudyFits) -> list[tuple[tuple[str, str], list[Row]]]:
    groups = _groups(fits.rows, lambda row: (row.block, row.engine))
    order = [(block, engine) for block in BLOCKS for engine in engine_order(fits)]
    return [(key, groups[key]) for key in order if key in groups]


def _groups(each: Iterable[Each], key: Callable[[Each], Hashable]) -> dict[Any, list[Each]]:
    found: dict[Any, list[Each]] = {}
    for one in each:
        found.setdefault(key(one), []).append(one)
    return found


def _quantile(values: Sequence[float], q: float) -> float:
    """Return one of the values, the smallest that so many are not above."""
    return float(np.quantile(values, q, method="inverted_cdf")) if values else math.nan


def _shortened(numbers: Mapping[str, float]) -> dict[str, float]:
    return {name: _short(value) for name, value in numbers.items()}


def _short(value: float) -> float:
    return round(value, DECADES)
