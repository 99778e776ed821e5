"""A comparison reads as before, whether its fits could be judged or not."""

import math
import pickle
from dataclasses import fields, replace

import pytest

from lmerbridge.parity.evidence import Evidence, Judged, Line, Native
from lmerbridge.parity.verdict import Verdict
from lmerbridge.parity.words import Code
from tests.report.test_report import comparison

JUDGED = Judged(
    gap={"lme4": 0.5, "statsmodels": 0.0},
    worse="lme4",
    minimum=12.0,
    noise=1e-12,
    marks=("flat",),
    theta=(0.5,),
    optimizers={"bobyqa": 0.25},
    native=(Native("se[a]", 1.0, 2.0, 1.5),),
    lines=(Line("", 0.0, 1.0, (0.0, 1.0), (0.0, 0.5)),),
)
NONE = {
    "gap": {},
    "worse": None,
    "minimum": math.nan,
    "noise": math.nan,
    "marks": (),
    "theta": (),
    "optimizers": {},
    "native": (),
    "lines": (),
}


@pytest.mark.parametrize("name", [field.name for field in fields(Judged)])
def test_what_was_judged_is_read_from_the_comparison(name):
    given, attribute = comparison(), "candidate_theta" if name == "theta" else name
    assert getattr(replace(given, judged=JUDGED), attribute) == getattr(JUDGED, name)
    assert getattr(replace(given, judged=None), attribute) == pytest.approx(NONE[name], nan_ok=True)


def test_a_reference_that_gave_no_fit_is_at_fault():
    failed = comparison(Verdict.ENGINE_FAILED)
    assert failed.worse is None
    assert replace(failed, reference_fit=None).worse == "lme4"


def test_an_explanation_has_the_cause_first_and_once_and_what_stands_beside():
    (first, *others) = comparison().evidence
    told = replace(comparison(), cause=others[-1], judged=JUDGED)
    lines = told.explain().splitlines()
    assert lines[0] == f"same_optimum: {others[-1].text}" == f"same_optimum: {told.reason}"
    assert lines[1:4] == [first.text, *(e.text for e in others[:-1])]
    assert lines[4:] == [
        "lme4's own optimizers end above the best optimum known by: bobyqa 2.5e-01.",
        "se[a]: statsmodels prints 2; by the definition of lme4 its fit gives 1.5, and lme4 1.",
    ]
    close = replace(JUDGED, optimizers={}, native=(Native("se[a]", 1.0, 1.0, 1.000001),))
    assert list(replace(told, judged=close).beside()) == []  # one number by both definitions


def test_a_comparison_of_another_process_has_the_same_evidence():
    cause = Evidence(Code.OTHER_REPORT, {"candidate": "statsmodels", "differences": {"beta": math.nan}})
    given = replace(comparison(Verdict.UNEXPLAINED), cause=cause, evidence=(cause,))
    again = pickle.loads(pickle.dumps(given))
    assert again.explain() == given.explain() == f"unexplained: {cause.text}"
    assert (again.cause.code, again.cause.stage, again.cause.agrees) == (Code.OTHER_REPORT, "pinned", False)
