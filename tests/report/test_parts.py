"""Linear and generalized models stand apart in every form of the report."""

import json
import xml.etree.ElementTree as ET
from dataclasses import replace

import jsonschema
import pytest

from lmerbridge.parity.cases import Case
from lmerbridge.parity.evidence import Evidence
from lmerbridge.parity.outcomes import candidate_outcome
from lmerbridge.parity.verdict import Verdict
from lmerbridge.parity.words import Code
from lmerbridge.report import describe, html, json_text, junit, markdown, schema_text
from tests.report.test_report import comparison, every_verdict, result, run

REFUSED = "nlme has Gaussian responses only"
OTHER = {"reported": 185.1667, "common": 185.2444, "difference": -0.0777, "candidate": "glmmTMB", "method": "ML"}


def generalized(name, verdict=Verdict.SAME_OPTIMUM, candidate="glmmTMB", n_agq=1, **changes):
    """A result on a generalized model, whatever its numbers."""
    told = replace(comparison(verdict, candidate, **changes), reference="lme4[tight]", reml=False)
    formula = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
    case = Case(name, "cbpp", "lme4", formula, False, family="binomial(probit)", n_agq=n_agq)
    return replace(result(name, told), case=case)


def approximate(name="cbpp_probit/Laplace", **figures):
    """A result whose engine approximates the likelihood by other weights."""
    found = generalized(name, Verdict.OTHER_OBJECTIVE)
    cause = Evidence(Code.OTHER_OBJECTIVE, OTHER | {"constant": "laplace_weights observed"} | figures)
    beyond = Evidence(Code.SOME_BEYOND, {"quantities": ["logLik"]})
    return replace(found, comparison=replace(found.comparison, cause=cause, evidence=(cause, beyond)))


@pytest.fixture(scope="module")
def both():
    """Two engines on linear models, of which one refuses every generalized one."""
    return describe(
        run(
            result("sleepstudy_slopes/REML", candidate="glmmTMB"),
            result("sleepstudy_slopes/REML", candidate="nlme"),
            result("rail/REML", comparison(Verdict.OTHER_OPTIMUM, "nlme", gap=92.4)),
            generalized("cbpp/Laplace"),
            approximate(),
            generalized("epil/AGQ9", Verdict.UNEXPLAINED, "mixedlm", n_agq=9),
            generalized("cbpp/Laplace", Verdict.NOT_EXPRESSIBLE, "nlme", reason=REFUSED),
            generalized("epil/AGQ9", Verdict.NOT_EXPRESSIBLE, "nlme", n_agq=9, reason=REFUSED),
        )
    )


def test_the_lead_counts_both_kinds_and_leaves_out_who_fits_none(both):
    assert both.lead == "1 of 2 engines reproduce lme4 1.1-31 on linear models, 0 of 2 on generalized ones."


def test_each_part_has_its_own_engines_references_and_heatmaps(both):
    linear, other = both.parts
    assert [part.title for part in both.parts] == ["Linear models", "Generalized models"]
    assert [h.name for h in linear.engines] == ["glmmTMB", "nlme"]
    assert [h.name for h in other.engines] == ["glmmTMB", "mixedlm"]
    assert [line.engine.split()[0] for line in other.references] == ["lme4[tight]"]
    assert [h.engine for h in other.heatmaps] == ["glmmTMB", "mixedlm"]
    assert [row.case for row in other.heatmaps[0].rows] == ["cbpp/Laplace", "cbpp_probit/Laplace"]
    assert [(u.engine.split()[0], u.fits, u.reason) for u in other.unfit] == [("nlme", 2, REFUSED)]
    assert linear.unfit == ()


def test_a_card_says_what_an_engine_does_not_fit_at_all(both):
    cards = {card.modes[0].name: card for card in both.cards}
    assert cards["nlme"].unfit.startswith("nlme")
    assert cards["nlme"].unfit.endswith("fits no generalized model.")
    assert [h.model for h in cards["nlme"].modes] == ["linear"]
    assert [h.model for h in cards["glmmTMB"].modes] == ["linear", "generalized"]
    assert "right on 1 of 2 generalized" in cards["glmmTMB"].modes[1].sentence


def test_refusals_of_a_whole_kind_are_told_once_and_counted_in_the_machine_s_forms(both):
    assert both.refused == ()
    assert len(both.not_covered) == 2
    assert html(both).count(REFUSED) == markdown(both).count(REFUSED) == 1
    data = json.loads(json_text(both))
    jsonschema.validate(data, json.loads(schema_text()))
    assert [(u["fits"], u["model"]) for u in data["unfit"]] == [(2, "generalized")]
    found = [(r["model"], r["family"], r["n_agq"], r["criterion"]) for r in data["results"] if r["case"] == "epil/AGQ9"]
    assert set(found) == {("generalized", "binomial(probit)", 9, "AGQ9")}
    suite = ET.fromstring(junit(both)).findall("testsuite[@name='nlme']")
    assert [each.get("tests") for each in suite] == ["4"]


def test_an_engine_that_refuses_one_kind_only_does_not_end_the_run_as_not_compared(both):
    assert both.exit_code == 1
    alone = describe(run(result(candidate="nlme"), generalized("cbpp/Laplace", Verdict.NOT_EXPRESSIBLE, "nlme")))
    assert alone.exit_code == 0
    nothing = describe(run(generalized("cbpp/Laplace", Verdict.NOT_EXPRESSIBLE, "nlme")))
    assert nothing.exit_code == 2


def test_another_approximation_at_its_optimum_is_neither_right_nor_wrong():
    assert candidate_outcome(approximate().comparison) == "otherwise"
    assert candidate_outcome(approximate(constant="pirls_tolerance 1e-07").comparison) == "silent"
    assert candidate_outcome(approximate(constant="laplace_weights observed, saturated").comparison) == "silent"
    short = approximate().comparison
    stopped = {"gap": 1e-5, "worse": "glmmTMB", "minimum": 1.0, "converged": True, "better_gap": 0.0, "marks": ()}
    for gap, outcome in ((1e-5, "otherwise"), (92.4, "silent")):
        evidence = (*short.evidence, Evidence(Code.STOPPED_ABOVE, stopped | {"gap": gap, "better": "lme4"}))
        assert candidate_outcome(replace(short, evidence=evidence)) == outcome


def test_it_is_counted_in_a_column_and_a_badge_of_its_own(both):
    (told, _) = both.parts[1].engines
    assert (told.tally.right, told.tally.otherwise, told.light) == (1, 1, "amber")
    assert [badge.word for badge in told.badges] == ["Approximates otherwise on 1"]
    assert "by another approximation 1" in told.sentence
    (engine,) = (e for e in json.loads(json_text(both))["engines"] if "otherwise" in e["tally"])
    assert (engine["model"], engine["tally"]["otherwise"]) == ("generalized", 1)


def test_a_page_has_both_tables_and_one_picture_of_gaps_for_each(both):
    page = html(both)
    assert page.count('<table class="tally">') == page.count('<svg class="ladder"') == 2
    assert page.count('id="circle"') == 1
    text = markdown(both)
    assert text.index("## Linear models") < text.index("## Generalized models") < text.index("## Findings")


def test_a_report_of_one_kind_has_no_headings_of_kinds():
    (part,) = describe(every_verdict()).parts
    assert part.title == ""
    report = describe(run(generalized("cbpp/Laplace")))
    (only,) = report.parts
    assert (only.model, only.title) == ("generalized", "Generalized models")
    assert report.lead == "1 of 1 engine reproduces lme4[tight] 1.1-31 on generalized models."


def test_an_engine_has_the_same_mark_in_both_pictures(both):
    marks = [{engine: (shape, series) for engine, shape, series in part.ladder.legend} for part in both.parts]
    assert marks[0]["glmmTMB"] == marks[1]["glmmTMB"]
