"""One fit of one engine, as the study counts it: from the referee's verdict, or from the file that a report left."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

from lmerbridge.parity import (
    OUTCOMES,
    CaseResult,
    Code,
    Comparison,
    Evidence,
    Judged,
    Outcome,
    Verdict,
    candidate_outcome,
    reference_outcome,
)

GAP_DIGITS = 3  # of a gap or a difference: what a reader compares, and what stays the same from run to run
SMALL = 1e-4  # of the residual variance: a standard deviation of a hundredth of sigma
NO_FIT = "gave no fit"
CONVERGED = "said that it converged"


@dataclass(frozen=True)
class Row:
    """One fit of one engine.

    Attributes
    ----------
    block, kind, case, engine : str
        ``kind`` is the part of the block that the case belongs to, or "".
    outcome : Outcome
        What it is for its user.
    converged : bool
        Whether the engine says that it converged.
    gap : float
        Deviance units above the best optimum known, or NaN.
    fixef, var : float
        Largest absolute difference of a fixed effect, and largest relative one of a variance, from the reference's; NaN
        where they were not compared. A variance counts as `SMALL` of the residual's at least, so that zeros compare.
    """

    block: str
    kind: str
    case: str
    engine: str
    outcome: Outcome
    converged: bool
    gap: float = math.nan
    fixef: float = math.nan
    var: float = math.nan


def worst(rows: Iterable[Row]) -> list[Row]:
    """Return one row per case and engine, the worst that any comparison says of it, in the order of first sight."""
    found: dict[tuple[str, str, str], Row] = {}
    for row in rows:
        key = row.block, row.case, row.engine
        found[key] = _worse(found[key], row) if key in found else row
    return list(found.values())


def _worse(a: Row, b: Row) -> Row:
    outcome = max(a.outcome, b.outcome, key=OUTCOMES.index)
    gaps = [row.gap for row in (a, b) if not math.isnan(row.gap)]
    return replace(a, outcome=outcome, converged=a.converged or b.converged, gap=max(gaps, default=math.nan))


def rows_of(comparison: Comparison, block: str, kind: str, case: str) -> Iterator[Row]:
    """Yield what a comparison says of the engine under test, then of the reference."""
    c = comparison
    numbers = _differences({row.quantity: (row.reference, row.candidate) for row in c.rows})
    yield Row(block, kind, case, c.candidate, candidate_outcome(c), _converged(c.candidate_fit), _gap(c, 1), **numbers)
    yield Row(block, kind, case, c.reference, reference_outcome(c), _converged(c.reference_fit), _gap(c, 0))


def rows_of_result(result: CaseResult, block: str) -> Iterator[Row]:
    """Yield the rows of one result of a run."""
    return rows_of(result.comparison, block, result.case.kind, result.case.name)


def rows_of_report(report: Mapping[str, Any], engines: Iterable[str]) -> Iterator[Row]:
    """Yield the rows of some engines, and of their references, from what ``parity.json`` holds."""
    wanted = set(engines)
    for result in report["results"]:
        if result["candidate"] in wanted:
            kind = result["case"].rpartition("/")[0].rpartition("_")[0] if result["block"] == "simulated" else ""
            yield from rows_of(_comparison(result), block_of(result["model"], kind), kind, result["case"])


def block_of(model: str, kind: str) -> str:
    """Return the block that a case of the suite belongs to."""
    if model == "generalized":
        return "glmm"
    return "simulated" if kind else "real"


def _comparison(result: Mapping[str, Any]) -> Comparison:
    """Return as much of a comparison as its outcome is read from."""
    names = result["reference"], result["candidate"]
    fits = [_fit([text for engine, text in result["said"] if engine == name]) for name in names]
    gap = {name: math.nan if value is None else value for name, value in result["gap"].items() if name != "null"}
    given: Any = dict(zip(("reference_fit", "candidate_fit"), fits, strict=True))
    return Comparison(
        formula=result["formula"],
        reml=result["criterion"] == "REML",
        reference=names[0],
        candidate=names[1],
        verdict=Verdict(result["verdict"]),
        cause=_evidence(result["cause"]),
        judged=Judged(gap=gap, worse=result["worse"] or None, minimum=math.nan, noise=math.nan),
        rows=tuple(_quantities(result["quantities"])),
        evidence=tuple(_evidence(each) for each in (result["cause"], *result["evidence"])),
        **given,
    )


def _evidence(found: Mapping[str, Any]) -> Evidence:
    return Evidence(Code[found["code"].upper()], found["figures"])


def _quantities(columns: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the quantities with the numbers of both engines, NaN where one has none."""
    for name, *values in zip(columns["quantity"], columns["reference"], columns["candidate"], strict=True):
        a, b = (math.nan if value is None else value for value in values)
        yield SimpleNamespace(quantity=name, reference=a, candidate=b)


def _differences(pairs: Mapping[str, tuple[float, float]]) -> dict[str, float]:
    least = SMALL * pairs.get("sigma2", (1.0, 1.0))[0]
    fixed = [abs(b - a) for name, (a, b) in pairs.items() if name.startswith("fixef[")]
    variances = [abs(b - a) / max(abs(a), least) for name, (a, b) in pairs.items() if name.startswith("var[")]
    return {"fixef": _largest(fixed), "var": _largest(variances)}


def _fit(said: list[str]) -> Any:  # noqa: ANN401  # as much of a fit as its outcome is read from
    """Return what an engine said of its fit, or None where it gave none."""
    if said == [NO_FIT]:
        return None
    kinds = [text.partition(":")[0] for text in said[1:]]
    conditions = tuple(SimpleNamespace(kind=kind) for kind in kinds)
    return SimpleNamespace(converged=said[0].startswith(CONVERGED), conditions=conditions)


def _converged(fit: Any) -> bool:  # noqa: ANN401  # a fit, or what is known of one
    return fit is not None and bool(fit.converged)


def _gap(c: Comparison, place: int) -> float:
    return _short(c.gap.get((c.reference, c.candidate)[place], math.nan))


def _largest(values: Iterable[float]) -> float:
    return _short(max((value for value in values if not math.isnan(value)), default=math.nan))


def _short(value: float) -> float:
    return float(f"{value:.{GAP_DIGITS}g}")
