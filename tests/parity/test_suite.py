"""The suite: its table of cases, running them, and the scripts that reproduce a finding."""

import json
import subprocess
import sys
from collections import Counter

import jsonschema
import numpy as np
import pytest

from lmerbridge import Verdict, lmer
from lmerbridge.engines import find
from lmerbridge.errors import InvalidArgument
from lmerbridge.parity import cases, process, suite
from lmerbridge.parity.cases import Case
from lmerbridge.report.description import describe
from lmerbridge.report.machine import schema_text
from lmerbridge.report.render import html, json_text, markdown

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
    assert [case.name for case in cases.pick("penicillin/*")] == ["penicillin/REML", "penicillin/ML"]
    with pytest.raises(InvalidArgument, match="no case matches 'nosuch'"):
        cases.pick("nosuch")


@pytest.mark.slow
def test_results_come_case_by_case_and_candidate_by_candidate(results):
    told = [(r.case.name, r.comparison.candidate) for group in results for r in group]
    assert told == [(case.name, name) for case in FEW for name in ("statsmodels", "statsmodels[shared]")]


@pytest.mark.slow
def test_two_processes_give_the_same_report_bytes_as_one(results):
    again = list(suite.run_cases(FEW, ["statsmodels", "statsmodels[shared]"], jobs=2))
    one, two = (describe(suite.collect(r)) for r in (results, again))
    assert html(one) == html(two)
    assert json_text(one) == json_text(two)


@pytest.mark.slow
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


@pytest.mark.slow
def test_the_r_script_of_a_finding_shows_the_finding_on_its_own(short_stop):
    run = subprocess.run(["Rscript", "--vanilla", "-e", short_stop.r_code], capture_output=True, text=True, check=True)
    shown = float(run.stdout.split()[-1])
    gap = short_stop.comparison.gap
    assert shown == pytest.approx(gap["statsmodels"] - gap["lme4"], abs=1e-6)  # R prints 7 digits


@pytest.mark.slow
def test_the_python_script_of_a_finding_shows_the_finding_on_its_own(short_stop):
    run = subprocess.run([sys.executable, "-c", short_stop.python_code], capture_output=True, text=True, check=True)
    assert run.stdout.startswith(short_stop.comparison.explain())


@pytest.mark.parametrize("case", FEW[::2], ids=lambda case: case.name)
def test_rows_of_a_case_have_labels_of_their_own(case):
    assert case.data().index.is_unique


@pytest.mark.slow
def test_rows_of_a_query_reach_the_r_script():
    case = next(case for case in cases.suite() if case.name == "sleepstudy_two_thirds/REML")
    fit = find("lme4").fit(case.spec())
    ((result,),) = suite.run_cases([case], ["statsmodels"])
    script = result.r_code.splitlines()
    script.append("cat('\\ncriterion', sprintf('%a', REMLcrit(m)))")
    run = subprocess.run(["Rscript", "--vanilla", "-e", "\n".join(script)], capture_output=True, text=True, check=True)
    shown = float.fromhex(run.stdout.rpartition("criterion")[2].strip())
    assert shown == pytest.approx(fit.criterion, rel=1e-12)  # addresses are random there: the last digits may move


def test_the_suite_goes_where_engines_break():
    features = {feature for case in cases.suite() for feature in case.features}
    hard = {"weights", "offset", "contrasts", "large mean", "scale", "two rows a group", "near singular", "three bars"}
    assert features >= hard | {"crossed slopes", "20,000 rows"}
    kinds = Counter(case.kind for case in cases.suite() if case.block == "simulated")
    assert len(kinds) >= 10
    assert {case.block for case in cases.suite() if not case.kind} == {"real"}
    assert all(kinds[kind] >= 6 for kind in kinds if kind != "many_rows")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["weighted_1", "cbpp_weights", "sleepstudy_offset", "machines_sum"])
def test_weights_offset_and_contrasts_of_a_case_reach_the_engines_and_both_scripts(name, tmp_path):
    case = next(case for case in cases.suite() if case.name == f"{name}/REML")
    case.data().to_csv(tmp_path / f"{name}.csv", index=False)
    spec = case.spec()
    fit = lmer(
        case.formula, case.data(), weights=spec.weights, offset=spec.offset, contrasts=dict(case.contrasts) or None
    )
    result = suite.run_here(case, find("nlme"))
    assert result.comparison.verdict is Verdict.SAME_OPTIMUM
    script = result.r_code + "cat('\ncriterion', sprintf('%a', REMLcrit(m)))"
    run = subprocess.run(
        ["Rscript", "--vanilla", "-e", script], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert float.fromhex(run.stdout.rpartition("criterion")[2].strip()) == pytest.approx(fit.criterion, rel=1e-10)
    for argument in ("weights", "offset"):
        assert (f"{argument}={getattr(case, argument)!r}" in result.python_code) == bool(getattr(case, argument))
    assert ("contrasts={'Machine': 'contr.sum'}" in result.python_code) == bool(case.contrasts)


@pytest.mark.slow
def test_what_candidates_share_changes_no_number_whatever_their_order():
    """A case's design, objective and optima are computed by the first candidate's trial."""
    case = next(case for case in cases.suite() if case.name == "pastes_crossed/ML")
    names = ["statsmodels", "mixedlm", "nlme"]

    def judged(*names):
        vars(process._local).pop("process", None)  # a new one has nothing to share yet
        return [r for group in suite.run_cases([case], names) for r in group]

    one, two, alone = judged(*names), judged(*names[::-1]), [r for name in names for r in judged(name)]
    texts = [[json_text(describe(suite.collect([(r,)]))) for r in results] for results in (one, two[::-1], alone)]
    assert texts[0] == texts[1] == texts[2]


@pytest.mark.slow
def test_every_case_has_data_that_lme4_can_fit_and_rows_that_are_counted():
    for case in cases.suite()[::2]:
        fit = lmer(case.formula, case.data(), reml=case.reml)
        assert fit.nobs + fit.rows_dropped == len(case.data()), case.name
        assert np.isfinite(fit.criterion), case.name


FAULTY = """
import ctypes, os, time
from lmerbridge.engines.statsmodels import Statsmodels

class Faulty(Statsmodels):
    def fit(self, spec):
        return self.fault() if len(spec.data) == 30 and "Batch" in spec.formula else super().fit(spec)

class Segfault(Faulty):
    name = "segfault"
    def fault(self):
        ctypes.string_at(0)

class Hangs(Faulty):
    name = "hangs"
    def fault(self):
        while True:
            time.sleep(60)
"""


@pytest.fixture
def faulty(tmp_path, monkeypatch):
    """Engines of somebody else's package that end on Dyestuff, each in its own way."""
    (tmp_path / "faulty.py").write_text(FAULTY)
    (tmp_path / "faulty-1.dist-info").mkdir()
    points = "".join(f"{name} = faulty:{name.capitalize()}\n" for name in ("segfault", "hangs"))
    (tmp_path / "faulty-1.dist-info" / "entry_points.txt").write_text(f"[lmerbridge.engines]\n{points}")
    (tmp_path / "faulty-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: faulty\nVersion: 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delattr(process._local, "process", raising=False)  # it started before this package came


@pytest.mark.slow
@pytest.mark.usefixtures("faulty")
def test_an_engine_that_crashes_or_hangs_costs_its_own_case_only():
    bad, fine = (case for case in cases.suite() if case.name in ("dyestuff/REML", "rail/REML"))
    told = [r.comparison for group in suite.run_cases([fine, bad], ["segfault", "statsmodels"]) for r in group]
    assert [c.verdict == "same_optimum" for c in told] == [True, True, False, True]
    assert (told[2].verdict, told[2].worse) == ("engine_failed", None)
    assert told[2].reason == "segfault: it ended the process it ran in, by SIGSEGV."
    assert told[2].reference_fit.criterion == told[3].reference_fit.criterion
    ((hangs,),) = suite.run_cases([bad], ["hangs"], timeout=3)  # the reference is fitted by now
    assert hangs.comparison.verdict == "engine_failed"
    assert hangs.comparison.reason == "hangs: stopped after the time limit of 3 s."


def test_an_engine_nobody_offers_is_an_error_before_any_fit():
    with pytest.raises(InvalidArgument, match="no engine 'nosuch' is installed"):
        next(suite.run_cases(FEW, ["nosuch"]))


GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")


@pytest.fixture
def checkout(tmp_path):
    """A repository with code and a report, and what commits a change of one of its files."""
    files = {"lmerbridge/a.py": "1", "r/R/a.R": "1", "reports/parity.json": "1"}

    def commit(name):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(path.read_text() + "1" if path.exists() else files[name])
        for words in (("add", "."), ("commit", "-q", "-m", name)):
            subprocess.run([*GIT, *words], cwd=tmp_path, check=True)
        return suite._commit(tmp_path / "lmerbridge")

    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    for name in files:
        commit(name)
    return commit


def test_the_commit_of_a_report_is_the_last_that_changed_code_so_that_the_same_code_gives_the_same_report(
    checkout, tmp_path
):
    code = checkout("lmerbridge/a.py")
    assert code["commit"].split(" of ")[1].count("-") == 2
    assert checkout("reports/parity.json") == code
    assert checkout("r/R/a.R") != code
    (tmp_path / "lmerbridge" / "a.py").write_text("mine")
    assert suite._commit(tmp_path / "lmerbridge")["commit"].endswith(", and changes not committed")


def test_a_package_in_no_checkout_has_no_commit(tmp_path, monkeypatch):
    (tmp_path / "site" / "lmerbridge").mkdir(parents=True)
    assert suite._commit(tmp_path / "site" / "lmerbridge") == {}
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)  # one that holds it, and does not know it
    assert suite._commit(tmp_path / "site" / "lmerbridge") == {}
    monkeypatch.setenv("PATH", "")  # and no git
    assert suite._commit(tmp_path / "site" / "lmerbridge") == {}


@pytest.mark.slow
def test_rates_on_simulated_data_stand_in_each_rendering_apart_from_the_real_cases():
    chosen = [*cases.pick("crossed_1/*"), *cases.pick("dyestuff2/ML")]
    run = suite.collect(list(suite.run_cases(chosen, ["mixedlm"])))
    assert [(r.engine, r.kind, r.right, r.fits) for r in run.rates] == [
        ("lme4", "crossed", 2, 2),
        ("mixedlm", "crossed", 2, 2),
    ]
    report = describe(run)
    told = json.loads(json_text(report))
    jsonschema.validate(told["rates"], json.loads(schema_text())["properties"]["rates"])
    assert {r["case"]: r["block"] for r in told["results"]} == {
        "crossed_1/REML": "simulated",
        "crossed_1/ML": "simulated",
        "dyestuff2/ML": "real",
    }
    assert [r["right"] for r in told["rates"]] == [2, 2]
    assert "| mixedlm | crossed | 2 | 2 | 0.34 to 1.00 |" in markdown(report)
    assert "<td>0.34 to 1.00</td>" in html(report)
