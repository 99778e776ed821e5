"""The report says what the run found, the same way every time, whoever reads it."""

import json
import math
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import date

import jsonschema
import numpy as np
import pandas as pd
import pytest
from jinja2 import UndefinedError
from markupsafe import escape

from lmerbridge.errors import InvalidArgument
from lmerbridge.parity.accuracy import DigitRow
from lmerbridge.parity.cases import Case
from lmerbridge.parity.evidence import Evidence, Judged, Line
from lmerbridge.parity.ledger import Stale
from lmerbridge.parity.quantities import QuantityRow
from lmerbridge.parity.suite import CaseResult, SuiteRun
from lmerbridge.parity.verdict import Comparison, Known, Verdict
from lmerbridge.parity.words import Code, sentence
from lmerbridge.report import describe, html, json_text, junit, markdown, schema_text, write
from lmerbridge.report.outcome import GLYPHS
from lmerbridge.report.render import _environment
from lmerbridge.results.covariance import Array
from lmerbridge.results.fit import Condition, Fit, LogLik, Provenance
from lmerbridge.results.varcorr import CovarianceBlock, VarCorr

NAN = math.nan
REASONS = {
    Verdict.SAME_OPTIMUM: "both are at the optimum and every number agrees",
    Verdict.LOOSE_STOP: "statsmodels stopped 3.1e-04 deviance units above the optimum",
    Verdict.OTHER_OPTIMUM: "statsmodels stopped 9.2e+01 deviance units above the optimum that lme4 found",
    Verdict.BOTH_SHORT: "both stopped above the optimum, statsmodels 9.2e+01 deviance units",
    Verdict.FAULTY_REPORT: "se[Days] comes of an information matrix that is not positive definite",
    Verdict.REFERENCE_FAULTY: "The reference is at fault: lme4 differs in sigma by 1.0e-01",
    Verdict.OTHER_DEFINITION: "same optimum; se[Days] is another definition: se_joint_information",
    Verdict.OTHER_OBJECTIVE: "statsmodels optimises ML where lme4 optimises REML",
    Verdict.SPEC_MISMATCH: "statsmodels used 179 rows, lme4 180",
    Verdict.UNEXPLAINED: "same optimum, yet sd[Subject.Days] differs by 1.0e-02 without a known cause",
    Verdict.NOT_EXPRESSIBLE: "MixedLM has no correlated slope on a second grouping factor",
    Verdict.TOO_LARGE: "Z has 73421 columns in one group; the limit is 2000",
    Verdict.ENGINE_FAILED: "statsmodels raised LinAlgError: Singular matrix",
}


def fit(engine="statsmodels", version="0.15.0", converged=True, warnings=(), beta=(251.405, 10.467)) -> Fit:
    estimates: Array = np.array(beta)
    block = CovarianceBlock.from_covariance(
        "Subject", "Subject", ("(Intercept)", "Days"), np.array([[612.1, 9.6], [9.6, 35.07]])
    )
    return Fit(
        engine=engine,
        formula="Reaction ~ Days + (Days | Subject)",
        reml=True,
        terms=("(Intercept)", "Days"),
        beta=estimates,
        covariance=np.diag([46.6, 2.39]),
        varcorr=VarCorr((block,), 25.59),
        modes=(),
        theta=np.array([0.967, 0.015, 0.231]),
        sigma=25.59,
        loglik=LogLik(-871.81, df=6, nobs=180, reml=True),
        criterion=1743.63,
        fitted_values=np.zeros(2),
        residual_values=np.zeros(2),
        rows=np.arange(2),
        index=pd.RangeIndex(2),
        rows_dropped=0,
        singular=False,
        converged=converged,
        conditions=tuple(Condition("warning", text, ("ConvergenceWarning",)) for text in warnings),
        provenance=Provenance(engine, version),
    )


def quantity(
    name="fixef[Days]", reference=10.467, by=1e-9, tolerance=1e-4, measure="in_se", definition=""
) -> QuantityRow:
    candidate, size = reference * (1 + by), abs(reference * by)
    in_se = size / 1.546 if name.startswith("fixef") else NAN
    shown = {"abs": size, "rel": abs(by), "in_se": in_se}[measure]
    return QuantityRow(
        name, reference, candidate, size, abs(by), in_se, shown, tolerance, measure, shown <= tolerance, definition
    )


def quantities(by=1e-9) -> tuple[QuantityRow, ...]:
    return (
        quantity("fixef[(Intercept)]", 251.405, by / 40),
        quantity("fixef[Days]", 10.467, by),
        quantity("se[(Intercept)]", 6.8246, by, 1e-3, "rel"),
        quantity("se[Days]", 1.5458, by * 2, 1e-3, "rel"),
        quantity("sd[Subject.(Intercept)]", 24.74, by * 900, 1e-3, "rel"),
        quantity("var[Subject.(Intercept)]", 612.1, by * 1800, 2e-3, "rel"),
        quantity("cor[Subject.(Intercept),Days]", 0.0656, by * 700, 1e-3, "rel"),
        quantity("sigma", 25.592, by * 30, 1e-3, "rel"),
        quantity("logLik", -871.8141, by * 1e-3, 1e-6, "abs"),
        QuantityRow("AIC", 1755.628, NAN, NAN, NAN, NAN, NAN, 1e-6, "abs", False, "AIC under REML"),
    )


def evidence(verdict: Verdict) -> tuple[Evidence, ...]:
    names = {"reference": "lme4", "candidate": "statsmodels"}
    data = Evidence(Code.SAME_DATA, {"rows": 180, "dropped": 0})
    if verdict is Verdict.SPEC_MISMATCH:
        rows = {"only_reference": 1, "only_candidate": 0, "rows_differing": {}}
        data = Evidence(Code.OTHER_DATA, names | rows)
    space = {"columns": 2, "same_columns": True, "dropped": (), "random": ("((Intercept), Days | Subject)",)}
    objective = Evidence(Code.SAME_OBJECTIVE, {"candidate": "statsmodels", "difference": 1e-12})
    if verdict is Verdict.OTHER_OBJECTIVE:
        constant = {"reported": 1751.9, "common": 1743.6, "difference": 8.3, "constant": "other_method"}
        objective = Evidence(Code.OTHER_OBJECTIVE, names | constant | {"method": "REML"})
    at = {"minimum": 1743.6282722, "marks": ()}
    optimum = Evidence(Code.SAME_OPTIMUM, at | {"reach": 1e-8})
    if verdict in (Verdict.OTHER_OPTIMUM, Verdict.LOOSE_STOP):
        gaps = {"worse": "statsmodels", "gap": 92.4, "converged": True, "better": "lme4", "better_gap": 2e-12}
        optimum = Evidence(Code.STOPPED_ABOVE, at | gaps)
    return data, Evidence(Code.SAME_SPACE, space), objective, optimum


def comparison(
    verdict=Verdict.SAME_OPTIMUM, candidate="statsmodels", gap=1e-8, worse=None, by=1e-9, lines=(), **changes
) -> Comparison:
    judged = Judged(
        gap={"lme4": 2e-12, candidate: gap},
        worse=worse or (candidate if not verdict.agrees else None),
        minimum=1743.6282722,
        noise=2e-12,
        lines=lines,
    )
    reason = changes.pop("reason", REASONS[verdict].replace("statsmodels", candidate))
    told = Comparison(
        formula="Reaction ~ Days + (Days | Subject)",
        reml=True,
        reference="lme4",
        candidate=candidate,
        verdict=verdict,
        cause=Evidence(Code.NO_FIT, {"message": reason}),
        judged=judged if verdict.compared else None,
        rows=quantities(by) if verdict.compared else (),
        evidence=evidence(verdict) if verdict.compared else (),
        definitions=("se_joint_information",) if verdict is Verdict.OTHER_DEFINITION else (),
        reference_fit=None if worse == "lme4" and not verdict.compared else fit("lme4", "1.1-31"),
        candidate_fit=fit(candidate) if verdict.compared else None,
    )
    return replace(told, **changes)


def result(name="sleepstudy_slopes/REML", told=None, **options) -> CaseResult:
    case = Case(name, "sleepstudy", "lme4", "Reaction ~ Days + (Days | Subject)", True, features=("slope",))
    r_code = "fit <- lme4::lmer(Reaction ~ Days + (Days | Subject), lme4::sleepstudy)\nprint(logLik(fit))"
    python_code = (
        "from statsmodels.regression.mixed_linear_model import MixedLM\n"
        'model = MixedLM.from_formula("Reaction ~ Days", data, groups="Subject", re_formula="1 + Days")\n'
        "print(-2 * model.fit(reml=True).llf)"
    )
    return CaseResult(case, told or comparison(**options), r_code, python_code)


def run(*results: CaseResult) -> SuiteRun:
    provenance = (("lme4", "1.1-31"), ("statsmodels", "0.15.0"), ("R", "4.2.2"))
    tolerances = (
        ("gap: same_optimum", "deviance units", 1e-6, "zeta 0.001: mature engines reach 2e-7"),
        ("gap: loose_stop", "deviance units", 1e-2, "zeta 0.1; above it the engine stopped short"),
        ("fixef", "in_se", 1e-4, "largest honest difference 9e-5"),
    )
    return SuiteRun(tuple(results), provenance, tolerances)


def every_verdict() -> SuiteRun:
    return run(*(result(f"case_{v}", verdict=v, gap=92.4 if not v.agrees else 1e-8) for v in Verdict))


def pictured() -> SuiteRun:
    """Every verdict, one of them with the objective between the two answers."""
    ways = (-0.5, 0.0, 0.5, 1.0, 1.5)
    lines = (
        Line("", 0.0, 1.0, ways, (70.0, 0.0, 40.0, 92.4, NAN)),
        Line("Subject.Days", 0.231, 0.0, (0.3, 0.231, 0.0), (1.0, 0.0, 80.0)),
    )
    far = result("far", comparison(Verdict.OTHER_OPTIMUM, gap=92.4, lines=lines))
    return run(*every_verdict().results, far)


EXACT = (
    DigitRow("rail", "lme4", "fixef[a]", 13.2, 7.0),
    DigitRow("rail", "lme4", "fixef[b]", 12.0, 7.0),
    DigitRow("oats", "lme4", "fixef[a]", 14.0, 7.0),
    DigitRow("rail", "statsmodels", "fixef[a]", 6.5, 7.0),
    DigitRow("rail", "lme4", "sigma", 15.0, 4.5),
    DigitRow("rail", "statsmodels", "sigma", NAN, 4.5),
)
PAGE_COLOURS = ("soft", "line", "bg", "panel", "s0", "s1")


def sentences(*results: CaseResult) -> list[str]:
    report = describe(run(*results))
    return [h.sentence for h in (*report.engines, *report.references)]


AGREE = [result(f"agrees{i}") for i in range(3)]
LOUD = {"candidate_fit": fit(warnings=("not at a maximum",))}


def stopped(name, gap=92.4, verdict=Verdict.OTHER_OPTIMUM, **changes) -> CaseResult:
    return result(name, comparison(verdict, gap=gap, **changes))


HEADLINES = {  # what is found beside three fits that agree: what is said of the engine, and of lme4
    "3 of 3; wrong with a warning 0; wrong in silence 0; refuses 0": ([], "3 of 3; {0}"),
    "3 of 4; wrong with a warning 0; wrong in silence 1; refuses 0": ([stopped("a")], "4 of 4; {0}"),
    "3 of 5; wrong with a warning 1; wrong in silence 1; refuses 0": (
        [stopped("a"), stopped("b", **LOUD)],
        "5 of 5; {0}",
    ),
    "4 of 4; wrong with a warning 0; wrong in silence 0; refuses 0": (
        [stopped("a", 0.0, worse="lme4")],
        "3 of 4; wrong with a warning 0; wrong in silence 1; refuses 0",
    ),
    "3 of 4; wrong with a warning 1; wrong in silence 0; refuses 0": (
        [stopped("a", verdict=Verdict.BOTH_SHORT, worse="lme4", **LOUD)],
        "3 of 4; wrong with a warning 0; wrong in silence 1; refuses 0",
    ),
    "3 of 5; wrong with a warning 0; wrong in silence 1; refuses 1": (
        [result("a", verdict=Verdict.UNEXPLAINED), result("b", verdict=Verdict.NOT_EXPRESSIBLE)],
        "4 of 4; {0}; not judged 1",
    ),
    "3 of 4; wrong with a warning 0; wrong in silence 0; refuses 0; fails 1": (
        [result("a", verdict=Verdict.ENGINE_FAILED)],
        "3 of 3; {0}; not judged 1",
    ),
    "3 of 3; wrong with a warning 0; wrong in silence 0; refuses 0; not judged 1": (
        [stopped("a", verdict=Verdict.REFERENCE_FAULTY)],
        "3 of 4; wrong with a warning 0; wrong in silence 1; refuses 0",
    ),
}


@pytest.mark.parametrize("said", HEADLINES)
def test_the_headline_counts_what_a_user_needs_and_the_reference_has_its_own_line(said):
    others, reference = HEADLINES[said]
    none = "wrong with a warning 0; wrong in silence 0; refuses 0"
    assert sentences(*AGREE, *others) == [
        f"statsmodels 0.15.0: right on {said}.",
        f"lme4 1.1-31, the reference: right on {reference.format(none)}.",
    ]


def test_an_empty_run_says_that_no_fit_was_compared():
    assert describe(run()).sentence == "No fit was compared."


def test_a_reference_that_gives_no_fit_is_not_the_candidate_s_failure():
    failed = comparison(Verdict.ENGINE_FAILED, worse="lme4")
    lacking = replace(failed, cause=Evidence(Code.NOT_RECORDED, {"message": "no such model"}))
    assert sentences(*AGREE, result("a", failed), result("b", lacking)) == [
        "statsmodels 0.15.0: right on 3 of 3; wrong with a warning 0; wrong in silence 0; refuses 0; not judged 2.",
        "lme4 1.1-31, the reference: right on 3 of 4; wrong with a warning 0; wrong in silence 0; refuses 0; fails 1; "
        "not judged 1.",
    ]


def test_a_fit_that_the_reference_lost_to_one_engine_counts_once():
    pair = [stopped("a", 0.0, worse="lme4"), stopped("a", 0.0, worse="lme4", candidate="nlme")]
    assert sentences(*pair)[-1].startswith("lme4 1.1-31, the reference: right on 0 of 1; ")
    better = [stopped("a", 0.0, worse="lme4"), result("a", candidate="nlme")]  # that could not see it
    assert sentences(*better)[-1].startswith("lme4 1.1-31, the reference: right on 0 of 1; ")


def test_the_headline_accounts_for_every_fit():
    (engine,) = describe(every_verdict()).engines
    told = engine.tally
    assert told.judged + told.unjudged == len(Verdict)
    assert (told.right, told.wrong, told.fails, told.refuses, told.unjudged) == (3, 6, 1, 2, 1)
    assert engine.sentence == f"statsmodels 0.15.0: {told}."
    assert [int(number) for number in re.findall(r" (\d+)(?=[; ]|\.$)", engine.sentence)] == [3, 12, 0, 6, 2, 1, 1]


@pytest.mark.parametrize("verdict", Verdict)
@pytest.mark.parametrize("loud", [False, True])
def test_a_wrong_answer_is_silent_exactly_where_the_engine_claims_to_have_converged_and_warns_of_nothing(verdict, loud):
    told = comparison(verdict, **(LOUD if loud and verdict.compared else {}))
    (engine,) = describe(run(result(told=told))).engines
    wrong = verdict.compared and not verdict.agrees and verdict is not Verdict.REFERENCE_FAULTY
    assert (engine.tally.warned, engine.tally.silent) == (wrong and loud, wrong and not loud)


def test_the_first_line_says_how_many_engines_reproduce_the_reference_and_the_best_comes_first():
    names = {"worst": Verdict.OTHER_OPTIMUM, "crashes": Verdict.ENGINE_FAILED, "best": Verdict.SAME_OPTIMUM}
    others = [result("a", candidate=name, verdict=verdict) for name, verdict in names.items()]
    fine = [result(x, candidate=name) for name in (*names, "refuses") for x in "bc"]
    short = [result("a", candidate="refuses", verdict=Verdict.NOT_EXPRESSIBLE)]
    report = describe(run(*others, *fine, *short))
    assert report.lead == "2 of 4 engines reproduce lme4 1.1-31."
    assert [h.name for h in report.engines] == ["best", "refuses", "crashes", "worst"]
    assert [h.engine for h in report.heatmaps] == ["best", "refuses", "crashes", "worst"]
    for text in (html(report), markdown(report), json_text(report)):
        assert report.lead in text
    assert describe(run(*AGREE)).lead == "1 of 1 engine reproduces lme4 1.1-31."


def test_a_crash_and_a_wrong_answer_are_two_badges():
    report = describe(run(*AGREE, result("a", verdict=Verdict.ENGINE_FAILED), stopped("b")))
    (engine,) = report.engines
    assert [(b.level, b.word) for b in engine.badges] == [("bad", "Wrong on 1"), ("missing", "Fails on 1")]
    assert [f.comparison.verdict for f in report.findings] == ["other_optimum", "engine_failed"]


def test_an_engine_and_its_modes_have_one_card():
    modes = [(name, x) for name in ("statsmodels", "statsmodels[shared]", "statsmodels[bfgs]") for x in "ab"]
    given = [result(x, candidate=name) for name, x in modes]
    given[-1] = stopped("b", candidate="statsmodels[bfgs]")
    report = describe(run(*given, result("a", candidate="nlme")))
    assert [[h.name for h in c.modes] for c in report.cards] == [["nlme"], ["statsmodels"] * 2]
    assert report.cards[1].alike == "statsmodels[shared] 0.15.0 has the same verdict on every fit."
    assert [c.light for c in report.cards] == ["green", "red"]
    assert report.lead == "1 of 2 engines reproduce lme4 1.1-31."
    assert html(report).count('<section class="engine ') == 2


def test_what_two_modes_of_an_engine_have_in_common_is_told_in_full_once():
    modes = ("statsmodels", "statsmodels[shared]")
    report = describe(run(*(stopped(x, candidate=name) for name in modes for x in "ab")))
    assert [f.anchor for f in report.summary] == ["statsmodels/a", "statsmodels/b"]
    assert [f.anchor for f in report.others] == ["statsmodels[shared]/a", "statsmodels[shared]/b"]
    assert report.summary_note == "The 2 worst of 4 findings."
    places = re.findall(r'<details id="([^"]*)" class="finding"', html(report))
    assert sorted(places) == sorted(f.anchor for f in report.findings)


def test_a_remark_of_the_flags_stage_and_the_trial_of_the_reference_are_in_the_evidence():
    flags = Evidence(Code.FLAGS_DIFFER, {"candidate": "statsmodels", "gap": 1e-8, "remarks": {"converged": False}})
    sound = Evidence(Code.SOUND_REFERENCE, {"reference": "lme4"})
    told = comparison(evidence=(*evidence(Verdict.SAME_OPTIMUM), flags, sound), rows=quantities()[:-1])
    report = describe(run(result(told=told), result("b", comparison(rows=quantities()[:-1]))))
    assert [f.case.name for f in report.remarks] == ["sleepstudy_slopes/REML"]
    stages = [(e.evidence.stage, e.level) for e in report.remarks[0].evidence]
    assert (stages[0], stages[-1]) == (("reference", "ok"), ("flags", "note"))
    assert "A remark: statsmodels says that it did not converge" in html(report)
    (row, _) = report.heatmaps[0].rows
    shown = dict(zip(report.heatmaps[0].columns, row.cells, strict=True))
    assert (shown["reference"].level, shown["flags"].level) == ("ok", "note")


def test_nothing_is_told_by_hovering_alone():
    text = html(describe(pictured(), EXACT))
    assert " title=" not in text
    assert set(re.findall(r"<title>([^<]*)</title>", text.partition("</head>")[0])) == {
        "lmerbridge parity: 0 of 1 engine reproduces lme4 1.1-31."
    }
    for word in {c.meaning for h in describe(pictured()).engines for c in h.counts}:
        assert f"<dd>{word}</dd>" in text


def test_the_report_says_what_it_was_computed_with_and_the_same_inputs_say_the_same():
    facts = (("lmerbridge", "0.1.0"), ("commit", "123456789abc of 2026-11-27"), ("BLAS kernel", "Haswell"))
    report = describe(replace(run(result()), provenance=facts))
    assert report.inputs == "lmerbridge 0.1.0, commit 123456789abc of 2026-11-27, BLAS kernel Haswell"
    assert report.inputs in html(report)
    assert report.inputs in markdown(report)
    assert describe(run(result())).inputs == "R 4.2.2, lme4 1.1-31"


def test_markdown_of_600_results_is_short_enough_for_the_summary_of_a_job():
    verdicts = [Verdict.SAME_OPTIMUM] * 8 + [Verdict.OTHER_OPTIMUM, Verdict.LOOSE_STOP]
    rows = quantities()[:-1]
    long = [result(f"case_{i}/REML", comparison(v, gap=0.5, rows=rows)) for i, v in enumerate(verdicts * 60)]
    text = markdown(describe(run(*long)))
    assert len(text.encode()) < 100_000
    assert len(text.splitlines()) < 700


@pytest.mark.parametrize(
    ("verdict", "worse", "light"),
    [
        (Verdict.SAME_OPTIMUM, None, "green"),
        (Verdict.OTHER_DEFINITION, None, "green"),
        (Verdict.LOOSE_STOP, None, "amber"),
        (Verdict.OTHER_OPTIMUM, "lme4", "amber"),
        (Verdict.ENGINE_FAILED, "lme4", "amber"),
        (Verdict.NOT_EXPRESSIBLE, None, "amber"),
        (Verdict.TOO_LARGE, None, "amber"),
        (Verdict.OTHER_OPTIMUM, None, "red"),
        (Verdict.ENGINE_FAILED, None, "red"),
        (Verdict.OTHER_OBJECTIVE, None, "red"),
        (Verdict.SPEC_MISMATCH, None, "red"),
        (Verdict.UNEXPLAINED, None, "red"),
    ],
)
def test_the_light_is_red_exactly_where_the_engine_under_test_fails(verdict, worse, light):
    report = describe(run(*AGREE, result("a", verdict=verdict, worse=worse)))
    assert report.engines[0].light == light
    assert ("<failure" in junit(report) or "<error" in junit(report)) == (light == "red" or verdict == "engine_failed")


def test_a_run_that_compared_nothing_never_looks_like_agreement():
    (engine,) = describe(run(result(verdict=Verdict.NOT_EXPRESSIBLE))).engines
    assert (engine.light, engine.word) == ("red", "Nothing compared")
    assert "Nothing here supports" in engine.meaning[0]


def test_every_engine_under_test_has_its_own_sentence_light_and_heatmap():
    report = describe(run(result(), result(candidate="statsmodels[shared]", verdict=Verdict.UNEXPLAINED)))
    assert [(e.engine, e.light) for e in report.engines] == [
        ("statsmodels 0.15.0", "green"),
        ("statsmodels[shared] 0.15.0", "red"),
    ]
    assert [h.engine for h in report.heatmaps] == ["statsmodels", "statsmodels[shared]"]
    assert report.sentence.count(": right on ") == 3  # lme4's is the third


def test_a_version_comes_from_the_provenance_where_there_is_no_fit():
    lone = result(told=comparison(Verdict.NOT_EXPRESSIBLE, reference_fit=None, candidate="statsmodels[shared]"))
    assert describe(run(lone)).engines[0].engine == "statsmodels[shared] 0.15.0"


def test_the_meaning_tells_who_stopped_short_in_silence():
    loud = comparison(Verdict.OTHER_OPTIMUM, gap=3.0, candidate_fit=fit(warnings=("not at a maximum",)))
    report = describe(run(*AGREE, result("a", verdict=Verdict.OTHER_OPTIMUM, gap=92.4), result("b", loud)))
    assert (
        "Of the 2 fits that stop short, 1 said converged without a warning; "
        "the worst ends 92 deviance units above the best optimum known." in report.engines[0].meaning
    )


def test_the_meaning_tells_the_largest_difference_in_standard_errors_among_those_that_agree():
    far = result("b", verdict=Verdict.OTHER_OPTIMUM, by=0.5)
    told = describe(run(result("a", by=3e-6), far)).engines[0].meaning
    assert (
        "Where they agree, no fixed effect differs by more than 2e-5 standard errors." in told
    )  # 3e-6 x 10.467 / 1.546


def test_findings_come_worst_first_and_every_result_has_one_place():
    close, far = (result(n, verdict=Verdict.OTHER_OPTIMUM, gap=g) for n, g in (("close", 0.02), ("far", 92.4)))
    report = describe(run(close, far, *every_verdict().results))
    order = [f.case.name for f in report.findings]
    assert order[:3] == ["case_unexplained", "case_reference_faulty", "case_spec_mismatch"]
    assert order.index("far") < order.index("close")
    assert {f.comparison.verdict for f in report.agreements} == {"same_optimum", "loose_stop", "other_definition"}
    assert {f.comparison.verdict for f in report.not_covered} == {"not_expressible", "too_large"}
    places = [f.anchor for f in (*report.findings, *report.agreements, *report.not_covered)]
    assert len(set(places)) == len(places) == len(Verdict) + 2


def cells(told: Comparison) -> dict[str, tuple[str, str]]:
    (heatmap,) = describe(run(result(told=told))).heatmaps
    return {column: (c.level, c.text) for column, c in zip(heatmap.columns, heatmap.rows[0].cells, strict=True)}


def test_a_cell_shows_the_largest_difference_in_the_measure_its_tolerance_bounds():
    shown = cells(comparison(by=1e-9))
    assert shown["fixef"] == ("ok", "7e-9")  # 1e-9 x 10.467 in standard errors of 1.546
    assert shown["se"] == ("ok", "2e-9")
    assert shown["gap"] == ("ok", "1e-8")
    assert shown["rows"] == ("ok", "")


def test_a_missing_number_is_never_shown_as_agreement():
    absent = QuantityRow("sigma", 25.6, NAN, NAN, NAN, NAN, NAN, 1e-3, "rel", False)
    assert cells(comparison(rows=(quantity("sigma", 1.0, 0.0, 1e-3, "rel"), absent)))["sigma"] == (
        "missing",
        "none",
    )


def test_a_named_definition_is_a_note_and_an_unnamed_difference_is_not():
    named = quantity("se[Days]", 1.5, 0.01, 1e-6, "rel", "se_joint_information")
    assert cells(comparison(Verdict.UNEXPLAINED, rows=(named,)))["se"] == ("note", "0.01")
    assert cells(comparison(Verdict.UNEXPLAINED, rows=(replace(named, definition=""),)))["se"] == (
        "bad",
        "0.01",
    )


def test_a_fault_of_the_reference_is_not_painted_as_the_candidates():
    told = comparison(Verdict.OTHER_OPTIMUM, gap=1e-12, worse="lme4", by=0.01)
    told = replace(told, judged=replace(told.judged, gap={"lme4": 0.5, "statsmodels": 1e-12}))
    shown = cells(told)
    assert shown["gap"] == ("note", "lme4 0.5")
    assert shown["sd"][0] == "note"


def test_a_cell_shows_the_difference_that_the_tolerance_bounds():
    row = QuantityRow("cor[g.a,b]", 0.9, 0.99, 0.09, 0.1, NAN, 1.175, 1e-3, "fisher_z", False)
    assert cells(comparison(Verdict.UNEXPLAINED, rows=(row,)))["cor"] == ("bad", "1.2")


@pytest.mark.parametrize(
    ("verdict", "worse", "level"),
    [
        (Verdict.LOOSE_STOP, None, "note"),
        (Verdict.OTHER_OPTIMUM, "lme4", "note"),
        (Verdict.OTHER_OPTIMUM, None, "bad"),
    ],
)
def test_a_stage_that_differs_is_as_bad_as_the_verdict(verdict, worse, level):
    report = describe(run(result(verdict=verdict, worse=worse)))
    (finding,) = (*report.findings, *report.agreements)
    assert {e.evidence.stage: e.level for e in finding.evidence}["optimum"] == level


def test_a_definition_that_was_needed_is_told_in_full():
    report = describe(run(result(verdict=Verdict.OTHER_DEFINITION)))
    assert [name for name, _ in report.definitions] == ["se_joint_information"]
    assert "joint observed information" in html(report)
    assert describe(run(result())).definitions == ()


def test_the_picture_draws_the_limits_of_the_gap():
    ladder = describe(run(result())).ladder
    assert ladder is not None
    assert [line.text for line in ladder.limits] == ["same optimum up to 1e-6", "loose stop up to 0.01"]


def test_numbers_are_printed_to_the_digit_where_they_part():
    row = quantity("fixef[Days]", 10.467285959596, 1e-9, 1e-12)
    (finding,) = describe(run(result(told=comparison(Verdict.UNEXPLAINED, rows=(row,))))).findings
    assert (finding.differing[0].reference, finding.differing[0].candidate) == ("10.46728596", "10.46728597")


def test_the_picture_puts_a_larger_gap_higher_and_says_who_claimed_convergence():
    quiet = result("quiet", verdict=Verdict.OTHER_OPTIMUM, gap=92.4)
    open_mark = result("open", comparison(Verdict.OTHER_OPTIMUM, gap=0.5, candidate_fit=fit(converged=False)))
    ladder = describe(run(*AGREE, quiet, open_mark)).ladder
    assert ladder is not None
    points = {p.tooltip.split(":")[0]: p for p in ladder.points if p.series == 1}
    assert points["quiet"].y < points["open"].y < points["agrees0"].y
    assert points["quiet"].x > points["open"].x > points["agrees0"].x
    assert (points["quiet"].said, points["open"].said) == ("converged", "not")


def test_there_is_no_picture_where_no_gap_is_known():
    report = describe(run(result(verdict=Verdict.ENGINE_FAILED)))
    assert report.ladder is None
    assert "<h2>How far" not in html(report)


def test_a_gap_of_zero_and_one_below_the_floor_lie_on_the_floor():
    ladder = describe(run(result("a", gap=0.0), result("b", gap=1e-15))).ladder
    assert ladder is not None
    assert len({p.y for p in ladder.points if p.series == 1}) == 1


@pytest.mark.parametrize("render", [html, markdown, json_text, junit])
def test_the_same_run_gives_the_same_bytes(render):
    assert render(describe(pictured(), EXACT)) == render(describe(pictured(), EXACT))


def drawn(text: str) -> list[str]:
    """The pictures that matplotlib drew."""
    return [svg for svg in re.findall(r"<svg.*?</svg>", text, re.DOTALL) if 'class="' not in svg[:80]]


def test_a_finding_above_tolerance_shows_the_line_through_both_answers_and_a_slice():
    text = html(describe(pictured()))
    labels = re.findall('aria-label="(Deviance[^"]*)"', text)
    assert labels[0].endswith("on the line through both answers: lme4 0, statsmodels 92.")
    assert labels[1].endswith("along theta Subject.Days: lme4 0, statsmodels 80.")
    assert len(labels) == 2


def test_a_picture_takes_its_colours_and_letters_from_the_page():
    pictures = drawn(html(describe(pictured(), EXACT)))
    assert len(pictures) == 2 + 1 + 2  # the lines, the forest, the digits of two quantities
    for svg in pictures:
        colours = re.findall(r"(?:fill|stroke):([^;\"]+)", svg)
        assert set(colours) <= {"none", "currentColor", *(f"var(--{name})" for name in PAGE_COLOURS)}
        assert not re.search("font|<style|#0|metadata|\\d{4}-\\d\\d-\\d\\d", svg)


def test_the_forest_shows_of_each_finding_the_effect_that_differs_most_in_standard_errors():
    far = comparison(Verdict.OTHER_OPTIMUM, rows=quantities(by=0.1))
    effects = describe(run(result("near", verdict=Verdict.OTHER_OPTIMUM), result("far", far), *AGREE)).forest
    assert [e.label for e in effects] == ["statsmodels, far, Days", "statsmodels, near, Days"]
    assert effects[0].shift == pytest.approx(0.1 * 10.467 / 1.546)
    assert effects[0].half == pytest.approx(1.2)  # its standard error is 20 % larger


def test_a_forest_of_any_reach_can_be_drawn():
    for by in (1e-12, 1.0, 1e6):
        wide = comparison(Verdict.OTHER_OPTIMUM, rows=quantities(by=by))
        assert "differences" in drawn(html(describe(run(result(told=wide)))))[0].lower()


def test_digits_are_told_at_their_worst_and_a_missing_number_has_none():
    labels = re.findall('aria-label="(Correct[^"]*)"', html(describe(pictured(), EXACT)))
    assert labels == [
        "Correct digits of fixef at worst: lme4 12.0, statsmodels 6.5 ✗.",
        "Correct digits of sigma at worst: lme4 15.0, statsmodels 0.0 ✗.",
    ]
    assert describe(run(), EXACT).digits[0].scores[0].digits == (12.0, 14.0)  # of each case its worst
    assert 'id="digits"' not in html(describe(pictured()))


def test_a_user_s_template_takes_the_place_of_the_one_of_its_name(tmp_path):
    ours = '{% extends "lmerbridge/parity.html.jinja" %}{% block header %}<h1>Ours</h1>{% endblock %}'
    (tmp_path / "parity.html.jinja").write_text(ours)
    (path,) = write(describe(every_verdict()), tmp_path / "out", ["html"], templates=tmp_path)
    assert "<h1>Ours</h1>" in path.read_text()
    assert 'id="findings"' in path.read_text()
    assert "<h1>Ours</h1>" not in html(describe(every_verdict()))


def test_a_folder_without_any_template_of_ours_is_an_error(tmp_path):
    (tmp_path / "parity.html").touch()
    with pytest.raises(InvalidArgument, match=r"holds none of the templates .*parity\.html\.jinja"):
        html(describe(every_verdict()), tmp_path)


def test_a_known_difference_is_told_with_its_expiry_and_an_entry_that_does_not_hold_too():
    entry = Known(
        case="a",
        engine="statsmodels",
        verdict=Verdict.OTHER_OPTIMUM,
        reason="stops early",
        link="#10239",
        expires=date(2027, 1, 31),
    )
    told = result("a", comparison(Verdict.OTHER_OPTIMUM, known=entry))
    text = html(describe(replace(run(told), stale=(Stale(replace(entry, case="gone"), "it matches nothing"),))))
    known = re.search('<section id="known">.*?</section>', text, re.DOTALL)
    assert known is not None
    for word in ("stops early", "#10239", "2027-01-31", "does not hold", "gone", "it matches nothing"):
        assert word in known[0]
    assert '<section id="known">' not in html(describe(every_verdict()))


HOSTILE = "<script>alert('x')</script> | `tick` & \x07 ]]> {{ 7*7 }}"


def hostile() -> SuiteRun:
    case = Case(HOSTILE, "d", "p", HOSTILE, True)
    told = comparison(Verdict.UNEXPLAINED, reason=HOSTILE, formula=HOSTILE, candidate_fit=fit(warnings=(HOSTILE,)))
    return run(CaseResult(case, told, "x <- '```'", "<b>"))


def test_a_hostile_name_is_text_in_every_format():
    report = describe(hostile())
    assert "<script>alert" not in html(report)
    assert "&lt;script&gt;alert" in html(report)
    assert "{{ 7*7 }}" in html(report)
    assert "<script>" not in markdown(report)
    assert json.loads(json_text(report))["results"][0]["case"] == HOSTILE
    failure = ET.fromstring(junit(report)).find(".//testcase")
    assert failure is not None
    assert failure.get("name") == HOSTILE.replace("\x07", "\ufffd")


@pytest.mark.parametrize("name", ["$a$b", r"$\bad$", "\x07 & <b>", "变量", "#060606"])
def test_any_name_can_stand_in_a_picture(name):
    named = replace(pictured().results[-1], case=Case(name, "d", "p", name, True))
    (forest, *_) = drawn(html(describe(run(named))))
    assert f"statsmodels, {escape(name)}, Days".replace("\x07", "\ufffd") in forest


def test_code_is_pasteable_from_markdown_as_it_stands():
    text = markdown(describe(hostile()))
    assert "````r\nx <- '```'\n````" in text
    assert "\n<b>\n" in text


def test_a_pipe_in_a_name_does_not_split_a_markdown_table():
    (line,) = [row for row in markdown(describe(hostile())).splitlines() if row.startswith("| &lt;script")]
    assert len(re.findall(r"(?<!\\)\|", line)) == 2 + 2 + len(describe(hostile()).heatmaps[0].columns) - 1


def test_a_verdict_at_a_limit_is_shown_as_such_in_page_markdown_and_json():
    near, sure = (result(name, comparison(gap=1e-7, rows=quantities()[:-1])) for name in ("near", "sure"))
    judged = replace(near.comparison.judged, marks=("at a limit",))
    report = describe(run(replace(near, comparison=replace(near.comparison, judged=judged)), sure))
    assert "near" in [f.case.name for f in report.remarks]
    assert "On 1 fit the verdict is at a limit: another processor may turn it." in report.engines[0].meaning
    assert html(report).count("same optimum, at a limit") >= 1
    assert "- ✓ same optimum, at a limit: near." in markdown(report)
    assert "- ✓ same optimum: sure." in markdown(report)
    assert {r["case"]: r["marks"] for r in json.loads(json_text(report))["results"]} == {
        "near": ["at a limit"],
        "sure": [],
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{% for %}", "line 1 of parity.md.jinja: TemplateSyntaxError"),
        ("{{ report.nothing }}", "parity.md.jinja: UndefinedError"),
        ("{{ report.__class__.__mro__ }}", "SecurityError: access to attribute '__class__'"),
        ("{{ report.engines.__init__.__globals__ }}", "SecurityError"),
        ("{% include 'parity.md.jinja' %}", "RecursionError"),
        ("{{ 1 / 0 }}", "ZeroDivisionError"),
        ("{% include '../../etc/passwd' %}", "TemplateNotFound"),
        ("{% for i in range(10 ** 9) %}{% endfor %}", "OverflowError: Range too big"),
    ],
)
def test_a_template_of_others_reaches_the_report_alone_and_its_errors_are_told(text, told, tmp_path):
    (tmp_path / "parity.md.jinja").write_text(text)
    with pytest.raises(InvalidArgument, match=rf"a template of {tmp_path} cannot be filled: .*{told}"):
        write(describe(every_verdict()), tmp_path / "out", ["md"], templates=tmp_path)
    assert not (tmp_path / "out").exists()


def test_a_template_that_names_what_the_report_lacks_is_an_error():
    with pytest.raises(UndefinedError, match="verdicts"):
        _environment().from_string("{{ report.verdicts }}").render(report=describe(every_verdict()))


def test_html_fetches_nothing_and_every_link_in_it_has_a_target():
    text = html(describe(pictured(), EXACT))
    assert not re.search(r"<(link|img|iframe|object|embed|source|video|audio)\b|@import|url\((?!#)|\bsrc=", text)
    places = re.findall(r'\bid="([^"]*)"', text)
    links = re.findall(r'\bhref="([^"]*)"', text) + [f"#{place}" for place in re.findall(r"url\(#([^)]*)\)", text)]
    assert links
    assert all(link.startswith("#") and link[1:] in places for link in links)
    assert len(set(places)) == len(places)


def test_a_row_of_which_there_is_no_more_to_tell_is_its_own_evidence():
    text = html(describe(run(result("plain", comparison(rows=quantities()[:-1])), result("other"))))
    assert '<tr class="ok" id="statsmodels/plain"' in text
    assert '<details id="statsmodels/plain"' not in text
    assert '<details id="statsmodels/other"' in text


def test_every_row_of_the_heatmap_leads_to_its_evidence_in_one_click():
    text = html(describe(every_verdict()))
    for verdict in Verdict:
        assert f'<th scope="row"><a href="#statsmodels/case_{verdict}">' in text
        assert f'<details id="statsmodels/case_{verdict}"' in text


def test_no_level_is_told_by_colour_alone():
    maps = re.findall(r'<table class="heatmap">.*?</table>', html(describe(every_verdict())), re.DOTALL)
    cells = re.findall(r'<td(?: class="(note|bad|missing|na)")?[^>]*>(.)', "".join(maps))
    assert {level for level, _ in cells} == {"", "note", "bad", "na"}
    assert all(glyph == GLYPHS[level or "ok"] for level, glyph in cells)


def test_json_reads_back_to_the_same_bits():
    awkward = 0.1 + 0.2
    row = QuantityRow(
        "sigma", awkward, math.nextafter(awkward, 1), 5e-324, math.inf, NAN, 5e-324, math.inf, "rel", True
    )
    (read,) = json.loads(json_text(describe(run(result(told=comparison(rows=(row,)))))))["results"]
    sigma = read["quantities"]
    assert (sigma["reference"], sigma["candidate"], sigma["difference"]) == (
        [awkward],
        [math.nextafter(awkward, 1)],
        [5e-324],
    )
    assert (sigma["quantity"], sigma["tolerance"], sigma["agrees"]) == (["sigma"], [None], [True])
    assert read["objective"] == {"minimum": 1743.6282722, "noise": 2e-12}
    assert read["gap"] == {"lme4": 2e-12, "statsmodels": 1e-8}


def test_json_gives_null_and_the_reason_for_what_is_not_finite():
    data = json.loads(
        json_text(describe(run(result(), result("b", verdict=Verdict.ENGINE_FAILED)))),
        parse_constant=pytest.fail,
    )
    failed, agreed = data["results"]
    columns = agreed["quantities"]
    assert columns["candidate"][columns["quantity"].index("AIC")] is None
    assert data["null"]["candidate"] == "the engine under test gives no finite number"
    assert {name for name, column in columns.items() if None in column} <= data["null"].keys()
    assert failed["objective"]["null"]["minimum"] == "no common objective could be evaluated"
    assert data["schema"] == 2


def test_json_holds_the_objective_between_two_answers():
    data = json.loads(json_text(describe(pictured())), parse_constant=pytest.fail)
    jsonschema.validate(data, json.loads(schema_text()))
    (far,) = [r for r in data["results"] if r["case"] == "far"]
    line, part = far["lines"]
    assert (line["along"], line["reference"], line["candidate"]) == ("", 0.0, 1.0)
    assert line["above"] == [70.0, 0.0, 40.0, 92.4, None]
    assert (part["along"], part["at"]) == ("Subject.Days", [0.3, 0.231, 0.0])
    assert [r["lines"] for r in data["results"] if r["case"] != "far"] == [[]] * len(Verdict)


def test_json_has_the_code_and_the_figures_of_every_sentence():
    data = json.loads(json_text(describe(every_verdict())))
    stopped = next(r for r in data["results"] if r["verdict"] == "other_optimum")
    optimum = next(e for e in stopped["evidence"] if e["stage"] == "optimum")
    assert (optimum["code"], optimum["agrees"]) == ("stopped_above", False)
    assert optimum["figures"]["gap"] == 92.4
    for told in (e for r in data["results"] for e in (*r["evidence"], r["cause"])):
        assert told["text"] == sentence(Code(told["code"]), told["figures"])
    assert all(r["reason"] == r["cause"]["text"] for r in data["results"])


def test_json_tells_the_cause_once_and_gives_null_for_a_figure_that_is_not_finite():
    cause = Evidence(Code.OTHER_REPORT, {"candidate": "statsmodels", "differences": {"df": math.inf, "beta": NAN}})
    told = replace(comparison(Verdict.UNEXPLAINED), cause=cause, evidence=(*evidence(Verdict.UNEXPLAINED), cause))
    (read,) = json.loads(json_text(describe(run(result(told=told)))), parse_constant=pytest.fail)["results"]
    assert [e["stage"] for e in read["evidence"]] == ["rows", "model_space", "objective", "optimum"]
    sizes = read["cause"]["figures"]["differences"]
    assert sizes == {"df": None, "beta": None, "null": {"df": "it is inf", "beta": "it is nan"}}
    words = "fixed effects by nan, and no known definition accounts for it."
    assert (
        read["reason"] == f"At the same theta statsmodels differs in the number of parameters or rows by inf, {words}"
    )


def test_json_counts_a_fault_of_the_reference_apart():
    given = run(result("a", verdict=Verdict.OTHER_OPTIMUM), result("b", verdict=Verdict.OTHER_OPTIMUM, worse="lme4"))
    counts = json.loads(json_text(describe(given)))["engines"][0]["counts"]
    assert [(c["word"], c["number"]) for c in counts] == [("other optimum", 1), ("other optimum of lme4", 1)]


def test_json_holds_every_result_quantity_and_sentence():
    given = every_verdict()
    data = json.loads(json_text(describe(given)))
    assert {r["verdict"] for r in data["results"]} == set(Verdict)
    columns = {r["case"]: r["quantities"] for r in data["results"]}
    for r in given.results:
        frame = pd.DataFrame(columns[r.case.name])  # columns of one length
        assert [row["quantity"] for row in frame.to_dict("records")] == [row.quantity for row in r.comparison.rows]
        for name in ("measure", "agrees", "definition"):
            assert frame[name].to_list() == [getattr(row, name) for row in r.comparison.rows]
        for name in ("reference", "candidate", "difference", "tolerance", "spread"):
            assert frame[name].to_numpy(float) == pytest.approx(
                r.comparison.frame[name].to_numpy(float), 0, 0, nan_ok=True
            )
    assert data["sentence"] == describe(given).sentence


def test_json_has_one_line_a_column_and_counts_by_name():
    text = json_text(describe(every_verdict()))
    data = json.loads(text)
    columns = data["results"][0]["quantities"]
    for name, column in columns.items():
        assert f'"{name}": {json.dumps(column, separators=(",", ":"))}' in text
    (engine,) = data["engines"]
    assert engine["tally"] == {"right": 3, "warned": 0, "silent": 6, "fails": 1, "refuses": 2, "unjudged": 1}
    assert [r["tally"]["silent"] for r in data["references"]] == [2]


def test_json_is_not_much_larger_than_what_it_tells():
    text = json_text(describe(pictured()))
    told = json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":"))
    assert len(text) < 1.15 * len(told)


def test_junit_counts_are_those_of_its_testcases():
    suite = ET.fromstring(junit(describe(every_verdict()))).find("testsuite")
    assert suite is not None
    counts = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "13", "failures": "7", "errors": "1", "skipped": "2"}
    skipped = {e.get("type"): e.get("message") for e in suite.iter("skipped")}
    assert skipped["not_expressible"] == REASONS[Verdict.NOT_EXPRESSIBLE]
    assert {e.get("type") for e in suite.iter("error")} == {"engine_failed"}


def test_write_writes_the_formats_asked_for(tmp_path):
    report = describe(every_verdict())
    assert [p.name for p in write(report, tmp_path / "new")] == [
        "parity.html",
        "parity.md",
        "parity.json",
        "parity.xml",
    ]
    (only,) = write(report, tmp_path, ["json"])
    assert only.read_bytes() == json_text(report).encode()
    with pytest.raises(InvalidArgument, match="pdf"):
        write(report, tmp_path, ["pdf"])


def test_a_report_of_600_results_is_under_a_megabyte():
    verdicts = [Verdict.SAME_OPTIMUM] * 8 + [Verdict.OTHER_OPTIMUM, Verdict.LOOSE_STOP]
    long = [result(f"case_{i}/REML", verdict=v, gap=0.5) for i, v in enumerate(verdicts * 60)]
    report = describe(run(*long))
    sizes = [len(render(report).encode()) for render in (html, markdown)]
    assert max(sizes) < 1_000_000
