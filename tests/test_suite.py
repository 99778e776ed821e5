"""The suite: its table of cases, running them, and the scripts that reproduce a finding."""

import subprocess
import sys

import numpy as np
import pytest

from lmerbridge import Verdict, lmer
from lmerbridge.engines import find
from lmerbridge.errors import InvalidArgument
from lmerbridge.parity import cases, suite
from lmerbridge.parity.cases import Case
from lmerbridge.report.description import describe
from lmerbridge.report.render import html, json_text

FEW = tuple(case for case in cases.suite() if case.name.split("/")[0] in ("dyestuff2", "pastes_crossed", "carrots"))


@pytest.fixture(scope="module")
def results():
    return list(suite.run_cases(FEW, ["statsmodels", "statsmodels[shared]"]))


def test_the_table_has_at_least_thirty_models_by_both_criteria_on_data_of_every_source():
    models = {case.name.rpartition("/")[0] for case in cases.suite()}
    assert len(models) >= 30
    assert len(cases.suite()) == 2 * len(models)
    assert {case.package for case in cases.suite()} >= {"lme4", "nlme", "MASS", "pbkrtest", "lmerTest", "statsmodels"}


def test_names_of_cases_are_unique_and_globs_pick_them():
    names = [case.name for case in cases.suite()]
    assert len(set(names)) == len(names)
    assert [case.name for case in cases.matching("penicillin/*")] == ["penicillin/REML", "penicillin/ML"]
    with pytest.raises(InvalidArgument, match="no case matches 'nosuch'"):
        cases.matching("nosuch")


def test_results_come_case_by_case_and_candidate_by_candidate(results):
    told = [(r.case.name, r.comparison.candidate) for group in results for r in group]
    assert told == [(case.name, name) for case in FEW for name in ("statsmodels", "statsmodels[shared]")]


def test_two_processes_give_the_same_report_bytes_as_one(results):
    again = list(suite.run_cases(FEW, ["statsmodels", "statsmodels[shared]"], jobs=2))
    one, two = (describe(suite.collect(r)) for r in (results, again))
    assert html(one) == html(two)
    assert json_text(one) == json_text(two)


def test_a_case_lme4_cannot_fit_costs_itself_only():
    bad = Case("bad", "sleepstudy", "lme4", "Reaction ~ Days + (1 | Reaction)", True)
    ((failed,), (fine,)) = suite.run_cases([bad, FEW[0]], ["statsmodels"])
    assert failed.comparison.verdict is Verdict.ENGINE_FAILED
    assert "a level of its own in each of its 180 rows" in failed.comparison.reason
    assert fine.comparison.verdict.compared


@pytest.fixture(scope="module")
def short_stop():
    """A finding: pastes_crossed by ML, where statsmodels stops short."""
    case = next(case for case in cases.suite() if case.name == "pastes_crossed/ML")
    ((result,),) = suite.run_cases([case], ["statsmodels"])
    assert result.comparison.verdict is Verdict.OTHER_OPTIMUM
    return result


def test_the_r_script_of_a_finding_shows_the_finding_on_its_own(short_stop):
    run = subprocess.run(["Rscript", "--vanilla", "-e", short_stop.r_code], capture_output=True, text=True, check=True)
    shown = float(run.stdout.split()[-1])
    gap = short_stop.comparison.gap
    assert shown == pytest.approx(gap["statsmodels"] - gap["lme4"], abs=1e-6)  # R prints 7 digits


def test_the_python_script_of_a_finding_shows_the_finding_on_its_own(short_stop):
    run = subprocess.run([sys.executable, "-c", short_stop.python_code], capture_output=True, text=True, check=True)
    assert run.stdout.startswith(short_stop.comparison.explain())


@pytest.mark.parametrize("case", FEW[::2], ids=lambda case: case.name)
def test_rows_of_a_case_have_labels_of_their_own(case):
    assert case.data().index.is_unique


def test_rows_of_a_query_reach_the_r_script():
    case = next(case for case in cases.suite() if case.name == "sleepstudy_two_thirds/REML")
    fit = find("lme4").fit(case.spec())
    ((result,),) = suite.run_cases([case], ["statsmodels"])
    script = result.r_code.splitlines()
    script.append("cat('\\ncriterion', sprintf('%a', REMLcrit(m)))")
    run = subprocess.run(["Rscript", "--vanilla", "-e", "\n".join(script)], capture_output=True, text=True, check=True)
    shown = float.fromhex(run.stdout.rpartition("criterion")[2].strip())
    assert shown == pytest.approx(fit.criterion, rel=1e-12)  # addresses are random there: the last digits may move


def test_every_case_has_data_that_lme4_can_fit_and_rows_that_are_counted():
    for case in cases.suite()[::2]:
        fit = lmer(case.formula, case.data(), reml=case.reml)
        assert fit.nobs + fit.rows_dropped == len(case.data()), case.name
        assert np.isfinite(fit.criterion), case.name
