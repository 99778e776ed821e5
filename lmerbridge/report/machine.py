"""The report for programs: versioned JSON and JUnit XML."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree as ET

from lmerbridge.parity.verdict import QuantityRow, Verdict
from lmerbridge.report.description import Report
from lmerbridge.report.findings import Finding
from lmerbridge.report.headline import Headline

SCHEMA = 1
NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


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
        "definitions": [{"name": name, "text": text} for name, text in report.definitions],
        "tolerances": [
            {"quantity": t.quantity, "measure": t.measure, "limit": t.limit, "reason": t.reason}
            for t in report.tolerances
        ],
        "provenance": [list(pair) for pair in report.provenance],
    }
    return json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


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
        "worse": f.worse,
        "gap": _finite({engine: (gap, no_objective) for engine, gap in f.gap}),
        "objective": _finite({"minimum": (f.minimum, no_objective), "noise": (f.noise, no_objective)}),
        "marks": f.marks,
        "definitions": f.definitions,
        "evidence": [{"stage": e.stage, "agrees": e.level == "ok", "text": e.text} for e in f.evidence],
        "said": [list(pair) for pair in f.said],
        "quantities": [_quantity(q.row, f) for q in f.quantities],
        "r_code": f.r_code,
        "python_code": f.python_code,
    }


def _quantity(row: QuantityRow, f: Finding) -> dict[str, Any]:
    numbers = {
        "reference": (row.reference, f"{f.reference} gives no finite number"),
        "candidate": (row.candidate, f"{f.candidate} gives no finite number"),
        "abs": (row.abs, "there are not two finite numbers"),
        "rel": (row.rel, "the reference is zero, or there are not two finite numbers"),
        "in_se": (row.in_se, "not a fixed effect, or there is no standard error"),
        "tolerance": (row.tolerance, "no tolerance is set"),
    }
    words = {name: getattr(row, name) for name in ("quantity", "measure", "agrees", "definition")}
    return _finite(numbers) | words


def _finite(numbers: Mapping[str, tuple[float, str]]) -> dict[str, Any]:
    """Return the numbers; one that JSON has no form for is null, and its reason is under ``"null"``."""
    values: dict[str, Any] = {k: float(x) if math.isfinite(x) else None for k, (x, _) in numbers.items()}
    reasons = {k: reason for k, (_, reason) in numbers.items() if values[k] is None}
    return values | ({"null": reasons} if reasons else {})


def junit(report: Report) -> str:
    """Return the report as JUnit XML: a suite for each engine under test, a test for each case.

    Returns
    -------
    str
        A verdict that fails is a failure, or an error where an engine gave no fit; a case that was not
        compared is skipped, with the reason.
    """
    findings = (*report.findings, *report.agreements, *report.not_covered)
    root = ET.Element("testsuites", name="lmerbridge parity")
    for heatmap in report.heatmaps:
        _suite(root, heatmap.engine, sorted((f for f in findings if f.candidate == heatmap.engine), key=_name))
    _total(root)
    ET.indent(root, " ")
    text = ET.tostring(root, encoding="unicode", xml_declaration=False)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + NOT_IN_XML.sub("\ufffd", text) + "\n"


def _name(f: Finding) -> str:
    return f.case


def _suite(root: ET.Element, engine: str, findings: Sequence[Finding]) -> None:
    suite = ET.SubElement(root, "testsuite", name=engine)
    for f in findings:
        test = ET.SubElement(suite, "testcase", classname=engine, name=f.case)
        if outcome := _outcome(f):
            told = ET.SubElement(test, outcome, message=f.cell.tooltip, type=f.verdict)
            told.text = "\n".join([f.gap_text, *(e.text for e in f.evidence), *map(" ".join, f.said)])
    _total(suite)


def _outcome(f: Finding) -> str:
    if f.verdict in (Verdict.NOT_EXPRESSIBLE, Verdict.TOO_LARGE):
        return "skipped"
    if f.verdict == Verdict.ENGINE_FAILED:
        return "error"
    return "failure" if f.fails else ""


def _total(element: ET.Element) -> None:
    """Write the counts that JUnit's readers expect on a suite."""
    for attribute, tag in {
        "tests": "testcase",
        "failures": "failure",
        "errors": "error",
        "skipped": "skipped",
    }.items():
        element.set(attribute, str(len(element.findall(f".//{tag}"))))
