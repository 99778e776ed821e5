"""The report for programs: JSON by a versioned schema, `parity.schema.json`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from lmerbridge.parity.quantities import QuantityRow
from lmerbridge.parity.verdict import Known, Line, Native
from lmerbridge.report.description import Report
from lmerbridge.report.findings import Finding
from lmerbridge.report.headline import Headline

SCHEMA = 1


def json_text(report: Report) -> str:
    """Return the report as JSON, every number to the last bit.

    Returns
    -------
    str
        An object with ``"schema": 1``. A float is its shortest decimal form that reads back to the same
        bits. What is not finite is null, and ``"null"`` beside it maps the field's name to the reason.
    """
    data = {
        "schema": SCHEMA,
        "sentence": report.sentence,
        "engines": [_engine(engine) for engine in report.engines],
        "results": [_result(f) for f in (*report.findings, *report.agreements, *report.not_covered)],
        "planted": [{"fault": name, "planted": n, "caught": caught} for name, n, caught in report.planted],
        "stale": [{"entry": _known(entry.entry), "why": entry.why} for entry in report.stale],
        "definitions": [{"name": name, "text": text} for name, text in report.definitions],
        "tolerances": [
            {"quantity": t.quantity, "measure": t.measure, "limit": t.limit, "reason": t.reason}
            for t in report.tolerances
        ],
        "provenance": [list(pair) for pair in report.provenance],
    }
    return json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def schema_text() -> str:
    """Return the JSON Schema of `json_text`."""
    return files(__package__).joinpath("parity.schema.json").read_text(encoding="utf-8")


def _engine(engine: Headline) -> dict[str, Any]:
    return {
        "engine": engine.engine,
        "reference": engine.reference,
        "sentence": engine.sentence,
        "light": engine.light,
        "counts": [{"verdict": c.verdict, "word": c.word, "number": c.number} for c in engine.counts],
        "meaning": engine.meaning,
    }


def _result(f: Finding) -> dict[str, Any]:
    no_objective = "no common objective could be evaluated"
    return {
        "case": f.case,
        "data": f.data,
        "formula": f.formula,
        "criterion": f.criterion,
        "features": f.features,
        "reference": f.reference,
        "candidate": f.candidate,
        "verdict": f.verdict,
        "reason": f.cell.tooltip,
        "fails": f.fails,
        "known": f.known and _known(f.known),
        "worse": f.worse,
        "gap": _finite({engine: (gap, no_objective) for engine, gap in f.gap}),
        "objective": _finite({"minimum": (f.minimum, no_objective), "noise": (f.noise, no_objective)}),
        "optimizers": _finite({name: (gap, no_objective) for name, gap in f.optimizers}),
        "native": [_native(row) for row in f.native],
        "lines": [_line(line) for line in f.lines],
        "marks": f.marks,
        "definitions": f.definitions,
        "evidence": [{"stage": e.stage, "agrees": e.level == "ok", "text": e.text} for e in f.evidence],
        "said": [list(pair) for pair in f.said],
        "quantities": [_quantity(q.row, f) for q in f.quantities],
        "r_code": f.r_code,
        "python_code": f.python_code,
    }


def _native(row: Native) -> dict[str, Any]:
    none = "there is no such number"
    numbers = {name: (getattr(row, name), none) for name in ("reference", "native", "corrected")}
    return {"quantity": row.quantity} | _finite(numbers)


def _known(entry: Known) -> dict[str, str]:
    return {name: str(getattr(entry, name)) for name in Known.__dataclass_fields__}


def _line(line: Line) -> dict[str, Any]:
    words = {name: getattr(line, name) for name in ("along", "reference", "candidate", "at")}
    return words | {"above": [x if math.isfinite(x) else None for x in line.above]}


def _quantity(row: QuantityRow, f: Finding) -> dict[str, Any]:
    numbers = {
        "reference": (row.reference, f"{f.reference} gives no finite number"),
        "candidate": (row.candidate, f"{f.candidate} gives no finite number"),
        "abs": (row.abs, "there are not two finite numbers"),
        "rel": (row.rel, "the reference is zero, or there are not two finite numbers"),
        "in_se": (row.in_se, "not a fixed effect, or there is no standard error"),
        "tolerance": (row.tolerance, "no tolerance is set"),
        "spread": (row.spread, "lme4's optimizers give none"),
    }
    words = {name: getattr(row, name) for name in ("quantity", "measure", "agrees", "definition")}
    return _finite(numbers) | words


def _finite(numbers: Mapping[str, tuple[float, str]]) -> dict[str, Any]:
    """Return the numbers; one that JSON has no form for is null, and its reason is under ``"null"``."""
    values: dict[str, Any] = {k: float(x) if math.isfinite(x) else None for k, (x, _) in numbers.items()}
    reasons = {k: reason for k, (_, reason) in numbers.items() if values[k] is None}
    return values | ({"null": reasons} if reasons else {})
