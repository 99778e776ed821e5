"""The report for programs: JSON by a versioned schema, `parity.schema.json`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.resources import files
from typing import Any

from lmerbridge.parity import Evidence, Known, Line, Native, QuantityRow, Tally
from lmerbridge.report.description import Report
from lmerbridge.report.findings import Finding
from lmerbridge.report.headline import Headline
from lmerbridge.text import clean_json

SCHEMA = 2
OLDER = (1,)  # schemas in which the cases, verdicts and gaps have the same names
NULL = {  # of quantities: why a number is null
    "reference": "the reference gives no finite number",
    "candidate": "the engine under test gives no finite number",
    "difference": "there are not two finite numbers, or no unit to measure it in",
    "tolerance": "no tolerance is set",
    "spread": "lme4's optimizers give none",
}


def json_text(report: Report) -> str:
    """Return the report as JSON, every number to the last bit.

    Returns
    -------
    str
        An object with ``"schema": 2``. A float is its shortest decimal form that reads back to the same
        bits. What is not finite is null, and ``"null"`` beside it maps the field's name to the reason. The quantities
        of a result are columns of one length, as `pandas.DataFrame` takes them; why one is null stands once, at the
        top.
    """
    data = {
        "schema": SCHEMA,
        "lead": report.lead,
        "inputs": report.inputs,
        "sentence": report.sentence,
        "null": NULL,
        "references": [
            {"engine": r.engine, "sentence": r.sentence, "tally": _tally(r.tally)} for r in report.references
        ],
        "engines": [_engine(engine) for engine in report.engines],
        "unfit": [
            {"engine": u.engine, "model": u.model, "fits": u.fits, "reason": u.reason}
            for part in report.parts
            for u in part.unfit
        ],
        "results": [_result(f) for f in (*report.findings, *report.agreements, *report.not_covered)],
        "planted": [{"fault": name, "planted": n, "caught": caught} for name, n, caught in report.planted],
        "rates": [asdict(rate) for rate, _ in report.rates],
        "stale": [{"entry": _entry(entry.entry), "why": entry.why} for entry in report.stale],
        "definitions": [{"name": name, "text": text} for name, text in report.definitions],
        "tolerances": [
            {"quantity": t.quantity, "measure": t.measure, "limit": t.limit, "reason": t.reason}
            for t in report.tolerances
        ],
        "provenance": [list(pair) for pair in report.provenance],
    }
    return clean_json(layout(data)) + "\n"


LINES = 4  # containers deep; what lies deeper stands on one line, as a column or a piece of evidence does


def layout(value: Any, depth: int = 1) -> str:  # noqa: ANN401  # whatever JSON has
    """Return JSON in lines that a diff can tell apart, and no more of them than that."""
    if depth > LINES or not value or not isinstance(value, dict | list | tuple):
        return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    named = isinstance(value, dict)
    members = [(f"{json.dumps(name)}: ", value[name]) for name in sorted(value)] if named else [("", x) for x in value]
    lines = [f"\n{' ' * depth}{name}{layout(member, depth + 1)}" for name, member in members]
    start, end = "{}" if named else "[]"
    return f"{start}{','.join(lines)}\n{' ' * (depth - 1)}{end}"


def schema_text() -> str:
    """Return the JSON Schema of `json_text`."""
    return files(__package__).joinpath("parity.schema.json").read_text(encoding="utf-8")


def _engine(engine: Headline) -> dict[str, Any]:
    return {
        "engine": engine.engine,
        "model": engine.model,
        "reference": engine.reference,
        "sentence": engine.sentence,
        "light": engine.light,
        "tally": _tally(engine.tally),
        "counts": [{"verdict": c.verdict, "word": c.word, "number": c.number} for c in engine.counts],
        "meaning": engine.meaning,
    }


def _tally(tally: Tally) -> dict[str, int]:
    return {name: number for name, number in asdict(tally).items() if number or name != "otherwise"}


NO_OBJECTIVE = "no common objective could be evaluated"


def _result(f: Finding) -> dict[str, Any]:
    case, c = f.case, f.comparison
    return {
        "case": case.name,
        "data": f.data,
        "formula": c.formula,
        "criterion": case.method if case.family else f.criterion,
        "model": case.model,
        "family": case.family,
        "n_agq": case.n_agq,
        "features": case.features,
        "block": case.block,
        "reference": c.reference,
        "candidate": c.candidate,
        "verdict": c.verdict,
        "reason": c.reason,
        "cause": _evidence(c.cause),
        "fails": f.fails,
        "known": c.known and _entry(c.known),
        "worse": c.worse or "",
        "gap": _gaps(c.gap),
        "objective": _gaps({"minimum": c.minimum, "noise": c.noise}),
        "optimizers": _gaps(c.optimizers),
        "native": [_native(row) for row in c.native],
        "lines": [_line(line) for line in c.lines],
        "marks": c.marks,
        "definitions": c.definitions,
        "evidence": [_evidence(s.evidence) for s in f.evidence],
        "said": [list(pair) for pair in f.said],
        "quantities": _quantities(c.rows),
        "r_code": f.result.r_code,
        "python_code": f.result.python_code,
    }


def _gaps(values: Mapping[str, float]) -> dict[str, Any]:
    return _finite({name: (value, NO_OBJECTIVE) for name, value in values.items()})


def _evidence(found: Evidence) -> dict[str, Any]:
    return {
        "stage": found.stage,
        "code": found.code,
        "agrees": found.agrees,
        "figures": _figures(found.figures),
        "text": found.text,
    }


def _figures(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return figures, and the tables among them, as `_finite` does numbers."""
    numbers = {name: (value, f"it is {value}") for name, value in figures.items() if isinstance(value, float)}
    others = {name: value for name, value in figures.items() if name not in numbers}
    tables = {name: _figures(value) for name, value in others.items() if isinstance(value, Mapping)}
    return _finite(numbers) | others | tables


def _native(row: Native) -> dict[str, Any]:
    none = "there is no such number"
    numbers = {name: (getattr(row, name), none) for name in ("reference", "native", "corrected")}
    return {"quantity": row.quantity} | _finite(numbers)


def _entry(entry: Known) -> dict[str, str]:
    return {name: str(getattr(entry, name)) for name in Known.__dataclass_fields__}


def _line(line: Line) -> dict[str, Any]:
    words = {name: getattr(line, name) for name in ("along", "reference", "candidate", "at")}
    return words | {"above": [x if math.isfinite(x) else None for x in line.above]}


def _quantities(rows: Sequence[QuantityRow]) -> dict[str, list[Any]]:
    numbers = {name: [float(x) if math.isfinite(x := getattr(row, name)) else None for row in rows] for name in NULL}
    words = {name: [getattr(row, name) for row in rows] for name in ("quantity", "measure", "agrees", "definition")}
    return numbers | words


def _finite(numbers: Mapping[str, tuple[float, str]]) -> dict[str, Any]:
    """Return the numbers in a form that JSON has.

    One that is not finite is null, and the object under ``"null"`` has the reason.
    """
    values: dict[str, Any] = {k: float(x) if math.isfinite(x) else None for k, (x, _) in numbers.items()}
    reasons = {k: reason for k, (_, reason) in numbers.items() if values[k] is None}
    return values | ({"null": reasons} if reasons else {})
