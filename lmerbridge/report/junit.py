"""The report as JUnit XML, for a CI server's list of tests."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as ET

from lmerbridge.parity import Stale, Verdict
from lmerbridge.report.description import Report
from lmerbridge.report.findings import Finding
from lmerbridge.text import clean


def junit(report: Report) -> str:
    """Return the report as JUnit XML: a suite for each engine under test, a test for each case.

    Returns
    -------
    str
        A verdict that fails is a failure, or an error where an engine gave no fit; a case that was not compared, or a
        difference that is known, is skipped, with the reason. An entry of the ledger that does not hold is a failure
        in a suite of its own.
    """
    findings = (*report.findings, *report.agreements, *report.not_covered)
    root = ET.Element("testsuites", name="lmerbridge parity")
    for engine in dict.fromkeys(heatmap.engine for heatmap in report.heatmaps):
        _suite(root, engine, sorted((f for f in findings if f.comparison.candidate == engine), key=_name))
    if report.stale:
        _ledger(root, report.stale)
    _total(root)
    for element in root.iter():
        element.text = clean(element.text or "")
        element.attrib = {name: clean(value) for name, value in element.attrib.items()}
    ET.indent(root, " ")
    text = ET.tostring(root, encoding="unicode", xml_declaration=False)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + text + "\n"


def _name(f: Finding) -> str:
    return f.case.name


def _suite(root: ET.Element, engine: str, findings: Sequence[Finding]) -> None:
    suite = ET.SubElement(root, "testsuite", name=engine)
    for f in findings:
        test = ET.SubElement(suite, "testcase", classname=engine, name=f.case.name)
        if outcome := _outcome(f):
            told = ET.SubElement(test, outcome, message=_message(f), type=f.comparison.verdict)
            told.text = "\n".join([f.gap_text, *(s.evidence.text for s in f.evidence), *map(" ".join, f.said)])
    if not any(f.comparison.verdict.compared for f in findings):
        test = ET.SubElement(suite, "testcase", classname=engine, name="any case")
        ET.SubElement(test, "error", message=f"{engine} could be compared on no case.", type="not_compared")
    _total(suite)


def _message(f: Finding) -> str:
    known = f.comparison.known
    return f"known until {known.expires}: {known.reason} ({known.link})" if known else f.comparison.reason


def _ledger(root: ET.Element, stale: Sequence[Stale]) -> None:
    suite = ET.SubElement(root, "testsuite", name="ledger")
    for entry in stale:
        test = ET.SubElement(suite, "testcase", classname="ledger", name=str(entry.entry))
        ET.SubElement(test, "failure", message=entry.why, type="stale")
    _total(suite)


def _outcome(f: Finding) -> str:
    verdict = f.comparison.verdict
    if f.comparison.known or verdict in (Verdict.NOT_EXPRESSIBLE, Verdict.TOO_LARGE):
        return "skipped"
    if verdict is Verdict.ENGINE_FAILED:
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
