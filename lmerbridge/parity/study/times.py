"""What a fit costs: CPU time of each engine over lme4's, on the same models, by turns."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from statistics import median
from typing import Any

import numpy as np

from lmerbridge.engines import find, fit_with, with_design
from lmerbridge.errors import SetupError
from lmerbridge.inputs import Spec
from lmerbridge.parity import cases, process
from lmerbridge.parity.study.cpu import cpu_seconds
from lmerbridge.parity.study.plan import REFERENCE, StudyPlan

MODELS = (  # few rows and many, an intercept, slopes, crossed and nested factors; ML, which every engine has
    *("dyestuff/ML", "sleepstudy_slopes/ML", "penicillin/ML", "pastes_nested/ML"),
    *("orthodont_slopes/ML", "dietox_intercept/ML", "mathachieve/ML", "many_rows_1/ML"),
)
TURNS = 5
LONG = 5.0  # CPU seconds; who takes more has one turn


@dataclass(frozen=True)
class Time:
    """What one engine takes for one model.

    Attributes
    ----------
    case, engine : str
    seconds : float
        Median of the turns, or NaN where it gave no fit.
    turns : int
    """

    case: str
    engine: str
    seconds: float
    turns: int


def take_times(plan: StudyPlan) -> Iterator[list[Time]]:
    """Yield the times of every engine, model by model: the engines take turns, and lme4 is one of them."""
    for case in plan.picked(cases.pick(name)[0] for name in MODELS):
        taken: dict[str, list[float]] = {name: [] for name in plan.everyone}
        for name in plan.everyone:  # once to warm up, and to see who can
            taken[name].append(_take(case, name, plan.timeout))
        able = [name for name, (first,) in taken.items() if first < LONG]
        taken |= {name: [] for name in able}
        for _ in range(TURNS):
            for name in able:
                taken[name].append(_take(case, name, plan.timeout))
        yield [_time(case.name, name, found) for name, found in taken.items()]


def time_table(times: Sequence[Time], order: Sequence[str]) -> list[dict[str, Any]]:
    """Return for each engine the quartiles, over the models that it fits, of its time over lme4's."""
    lme4 = {t.case: t.seconds for t in times if t.engine == REFERENCE}
    found = list[dict[str, Any]]()
    for engine in order:
        own = {t.case: t.seconds / lme4[t.case] for t in times if t.engine == engine and math.isfinite(t.seconds)}
        values = [ratio for ratio in own.values() if math.isfinite(ratio)]
        if values:
            low, middle, high = (float(np.quantile(values, q)) for q in (0.25, 0.5, 0.75))
            found.append({"engine": engine, "models": len(values), "low": low, "median": middle, "high": high})
    return found


def times_summary(times: Sequence[Time], order: Sequence[str]) -> dict[str, Any]:
    """Return the times as plain values, with their table; NaN is None."""
    rows = [asdict(t) | {"seconds": t.seconds if math.isfinite(t.seconds) else None} for t in times]
    models = list(dict.fromkeys(t.case for t in times))
    return {"models": models, "table": time_table(times, order), "times": rows}


def times_of(told: Mapping[str, Any]) -> list[Time]:
    """Return the times that a summary was made of."""
    return [
        Time(**each | {"seconds": math.nan if each["seconds"] is None else each["seconds"]}) for each in told["times"]
    ]


def _time(case: str, engine: str, found: Sequence[float]) -> Time:
    finite = [seconds for seconds in found if math.isfinite(seconds)]
    return Time(case, engine, median(finite) if finite else math.nan, len(finite))


def _take(case: cases.Case, engine: str, timeout: float | None) -> float:
    try:
        seconds: float = process.call_apart(fit_seconds, case, engine, seconds=timeout)
    except SetupError:
        raise
    except Exception:  # an engine is anybody's code, and takes no time for what it cannot do
        return math.nan
    return seconds


def fit_seconds(case: cases.Case, name: str) -> float:
    """Return the CPU seconds of one fit by an engine, from the data to its answer, here and in R."""
    engine, spec = find(name), _spec(case, name)
    return cpu_seconds(lambda: fit_with(engine, spec))


@lru_cache(maxsize=16)  # the engines of one case take turns
def _spec(case: cases.Case, name: str) -> Spec:
    spec = case.spec()
    return with_design(find(name), spec, lambda: fit_with(find(REFERENCE), spec).design())
