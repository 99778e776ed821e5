"""JUnit XML and JSON are what CI servers and programs are told they are."""

import json
import math
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import date

import jsonschema
import pytest

from lmerbridge.parity.evidence import Evidence, Line
from lmerbridge.parity.ledger import Stale
from lmerbridge.parity.quantities import QuantityRow
from lmerbridge.parity.suite import SuiteRun
from lmerbridge.parity.verdict import Known, Verdict
from lmerbridge.parity.words import Code
from lmerbridge.report import describe, json_text, junit, schema_text
from tests.report.test_report import comparison, every_verdict, result, run

ENTRY = Known(
    case="a/ML",
    engine="statsmodels",
    verdict=Verdict.OTHER_OPTIMUM,
    reason="it stops early",
    link="https://example.org/1",
    expires=date(2027, 6, 30),
)
SCHEMA = json.loads(schema_text())


def everything() -> SuiteRun:
    """Every verdict, a known difference with its line, an entry that does not hold, and a number that is none."""
    line = Line("g.x", 0.5, 1.0, (0.5, 1.0), (0.0, math.nan))
    row = QuantityRow("sigma", 25.6, math.nan, math.nan, math.nan, math.nan, math.nan, 1e-3, "rel", False)
    odd = [
        result("a/ML", comparison(Verdict.OTHER_OPTIMUM, gap=math.nan, known=ENTRY, lines=(line,))),
        result("b/ML", comparison(Verdict.UNEXPLAINED, rows=(row,))),
    ]
    return replace(run(*every_verdict().results, *odd), stale=(Stale(ENTRY, "it now agrees."),))


def suites(report):
    return {suite.get("name"): suite for suite in ET.fromstring(junit(report)).iter("testsuite")}


def test_a_known_difference_is_skipped_with_its_reason_link_and_last_day():
    (case,) = [c for c in suites(describe(everything()))["statsmodels"] if c.get("name") == "a/ML"]
    (told,) = case
    assert (told.tag, told.get("type")) == ("skipped", "other_optimum")
    assert told.get("message") == "known until 2027-06-30: it stops early (https://example.org/1)"


def test_an_entry_of_the_ledger_that_does_not_hold_is_a_failure_in_a_suite_of_its_own():
    (case,) = suites(describe(everything()))["ledger"]
    assert case.get("name") == "a/ML, statsmodels: other_optimum"
    assert [(told.tag, told.get("message")) for told in case] == [("failure", "it now agrees.")]
    assert list(suites(describe(every_verdict()))) == ["statsmodels"]


def test_the_counts_of_the_whole_are_those_of_its_suites():
    report = describe(everything())
    root = ET.fromstring(junit(report))
    for name in ("tests", "failures", "errors", "skipped"):
        assert int(root.attrib[name]) == sum(int(suite.attrib[name]) for suite in suites(report).values())
    assert [suite.get("tests") for suite in suites(report).values()] == ["15", "1"]


def test_junit_fails_exactly_where_the_run_does():
    agreeing, known = result("b"), result("a/ML", comparison(Verdict.OTHER_OPTIMUM, known=ENTRY))
    failing, uncompared = result("a", verdict=Verdict.OTHER_OPTIMUM), result("a", verdict=Verdict.NOT_EXPRESSIBLE)
    for given, code in ({(agreeing, known): 0, (failing, agreeing): 1, (uncompared,): 2}).items():
        report = describe(run(*given))
        root = ET.fromstring(junit(report))
        assert report.exit_code == code
        assert int(root.attrib["failures"]) + int(root.attrib["errors"]) == min(code, 1)


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ({"statsmodels": Verdict.SAME_OPTIMUM}, 0),
        ({"statsmodels": Verdict.LOOSE_STOP}, 0),
        *(({"statsmodels": verdict}, 1) for verdict in (Verdict.UNEXPLAINED, Verdict.SPEC_MISMATCH)),
        *(({"statsmodels": verdict}, 1) for verdict in (Verdict.OTHER_OBJECTIVE, Verdict.OTHER_OPTIMUM)),
        ({"statsmodels": Verdict.NOT_EXPRESSIBLE}, 2),
        ({"statsmodels": Verdict.ENGINE_FAILED}, 2),
        ({"statsmodels": Verdict.SAME_OPTIMUM, "other": Verdict.NOT_EXPRESSIBLE}, 2),
        ({"statsmodels": Verdict.OTHER_OPTIMUM, "other": Verdict.TOO_LARGE}, 2),
        ({}, 2),
    ],
)
def test_a_run_fails_by_its_verdicts_and_an_engine_never_compared_never_looks_like_agreement(verdicts, code):
    results = [result("a", told=comparison(verdict, engine)) for engine, verdict in verdicts.items()]
    assert describe(run(*results)).exit_code == code


def validate(data):
    jsonschema.validate(data, SCHEMA, jsonschema.Draft202012Validator, format_checker=jsonschema.FormatChecker())


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert set(SCHEMA["$defs"]["verdict"]["enum"]) == set(Verdict)
    assert set(SCHEMA["$defs"]["evidence"]["properties"]["code"]["enum"]) == set(Code)


FIGURES = {  # one of each form that figures have
    Code.OTHER_DATA: {"reference": "a", "candidate": "b", "rows_differing": {"y": 3}, "dropped": (1, 2)},
    Code.OTHER_SPACE: {"candidate": "b", "reference": "a", "terms_differing": ({"group": "g", "in": "rows"},)},
    Code.FLAGS_DIFFER: {"candidate": "b", "gap": math.nan, "remarks": {"converged": False, "single": True}},
    Code.SOUND_REFERENCE: {"reference": "a"},
}


@pytest.mark.parametrize("code", FIGURES)
def test_evidence_of_every_form_keeps_to_the_schema(code):
    told = comparison(evidence=(Evidence(code, FIGURES[code]),))
    validate(json.loads(json_text(describe(run(result(told=told))))))


def test_every_report_keeps_to_the_schema():
    for given in (everything(), run()):
        validate(json.loads(json_text(describe(given))))


def with_cause(data, **changes):
    first = data["results"][0]
    return data | {"results": [first | {"cause": first["cause"] | changes}]}


BREACHES = {  # what is done to a report that the schema must refuse
    "a name too many": lambda data: data | {"extra": 1},
    "a name too few": lambda data: {name: value for name, value in data.items() if name != "stale"},
    "another version": lambda data: data | {"schema": 1},
    "a verdict there is not": lambda data: data | {"results": [data["results"][0] | {"verdict": "fine"}]},
    "a gap as text": lambda data: data | {"results": [data["results"][0] | {"gap": {"lme4": "0.1"}}]},
    "a number left out": lambda data: data | {"results": [data["results"][0] | {"objective": {"noise": 1.0}}]},
    "a quantity without a name": lambda data: (
        data | {"results": [data["results"][0] | {"quantities": {"quantity": ["sigma"]}}]}
    ),
    "a quantity that is a record": lambda data: data | {"results": [data["results"][0] | {"quantities": [{}]}]},
    "a code there is not": lambda data: with_cause(data, code="fine"),
    "a figure without a form": lambda data: with_cause(data, figures={"gap": [0.1]}),
    "a day that is none": lambda data: (
        data | {"stale": [{**data["stale"][0], "entry": data["stale"][0]["entry"] | {"expires": "soon"}}]}
    ),
}


@pytest.mark.parametrize("breach", BREACHES)
def test_the_schema_refuses_what_is_no_report(breach):
    data = json.loads(json_text(describe(everything())))
    with pytest.raises(jsonschema.ValidationError):
        validate(BREACHES[breach](data))
