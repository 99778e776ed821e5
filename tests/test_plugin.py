"""The pytest plugin, in a pytest of its own, as a third party uses it."""

import json
import re
import subprocess
import sys

import pytest

from lmerbridge import parametrize_parity
from lmerbridge.errors import InvalidArgument

pytestmark = pytest.mark.slow

THREE_LINES = """
import lmerbridge

@lmerbridge.parametrize_parity(engine="statsmodels", cases="pastes_*/ML")
def test_parity(comparison): ...
"""
LEDGERS = """
@lmerbridge.parametrize_parity(engine="statsmodels", cases="pastes_crossed/ML", expected="known.toml")
def test_ledger(comparison): ...

@lmerbridge.parametrize_parity(engine="statsmodels", cases="pastes_crossed/ML", expected="expired.toml")
def test_expired(comparison): ...
"""
EXPECTED = """
import lmerbridge
from lmerbridge.engines.statsmodels import Statsmodels
from lmerbridge.parity.cases import Case, pick

class Mine(Statsmodels):
    name = "mine"

def parity(cases, **options):
    return lmerbridge.parametrize_parity(engine=Mine(), cases=cases, **options)

@parity("pastes_crossed/ML", expected={"pastes_crossed/ML": "other_optimum"})
def test_expected(comparison): assert False, "the test's own body runs where engines agree"

@parity("pastes_nested/ML", expected={"pastes_nested/ML": "other_optimum"})
def test_now_agrees(comparison): ...

@parity("pastes_crossed/ML", expected={"pastes_crossed/ML": "unexplained"})
def test_another_finding(comparison): ...

@parity("carrots/ML")
def test_not_expressible(comparison): ...

@parity([Case("own", "sleepstudy", "lme4", "Reaction ~ Days + (1 | Subject)", True)])
def test_own(comparison): assert comparison.gap["mine"] < 1e-6 and comparison.candidate == "mine"
"""
OPTIONS = ("-p", "no:cacheprovider", "-W", "error", "-rA", "--strict-markers", "-n", "2", "--dist", "loadfile")
OWN = ("pastes_crossed/ML", "pastes_nested/ML", "carrots/ML", "own")  # the cases of the engine of its own
LEDGER = """
[[known]]
case = "pastes_crossed/ML"
engine = "statsmodels"
verdict = "other_optimum"
reason = "it stops early"
link = "https://example.org/1"
expires = {day}
"""


def outcomes(printed):
    """Return what became of each test, by its name."""
    told = re.findall(
        r"^(PASSED|FAILED|XFAIL|SKIPPED|ERROR) (?:\[1\] )?(\S+)(?: - (.*)|: (.*))?$", printed, re.MULTILINE
    )
    return {name.partition("::")[2]: outcome for outcome, name, *_ in told}


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The exit code, what was printed, and the report's folder, of all tests above in two processes."""
    folder = tmp_path_factory.mktemp("plugin")
    (folder / "test_named.py").write_text(THREE_LINES + LEDGERS)
    (folder / "test_mine.py").write_text(EXPECTED)
    (folder / "known.toml").write_text(LEDGER.format(day="9999-12-31"))
    (folder / "expired.toml").write_text(LEDGER.format(day="2026-11-20"))
    command = [sys.executable, "-m", "pytest", *OPTIONS, "--parity-report", "report"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, folder / "report"


def test_three_lines_make_a_test_of_each_case_that_fails_where_the_engine_disagrees(ran):
    code, printed, _ = ran
    assert code == 1
    assert {name: outcome for name, outcome in outcomes(printed).items() if name.startswith("test_parity")} == {
        "test_parity[pastes_nested/ML]": "PASSED",
        "test_parity[pastes_implicit/ML]": "PASSED",
        "test_parity[pastes_crossed/ML]": "FAILED",
    }


def test_a_failure_tells_the_evidence_and_how_to_see_it_and_no_traceback(ran):
    _, printed, _ = ran
    assert "other_optimum: statsmodels stopped 0.289 deviance" in printed
    assert "Same model space: 1 fixed effect in the same columns" in printed
    assert "result = compare('strength ~ 1 + (1 | batch) + (1 | cask)'" in printed
    assert "pyfuncitem" not in printed


def test_the_report_has_the_results_of_every_process(ran):
    *_, report = ran
    assert sorted(path.name for path in report.iterdir()) == [f"parity.{end}" for end in ("html", "json", "md", "xml")]
    results = json.loads((report / "parity.json").read_text())["results"]
    assert {r["case"] for r in results if r["candidate"] == "mine"} == {*OWN}
    assert {r["case"]: r["verdict"] for r in results if r["candidate"] == "statsmodels"} == {
        "pastes_nested/ML": "same_optimum",
        "pastes_implicit/ML": "same_optimum",
        "pastes_crossed/ML": "other_optimum",
    }


@pytest.mark.parametrize(
    ("test", "outcome", "words"),
    [
        ("test_expected[pastes_crossed/ML]", "XFAIL", "other_optimum, as expected: the test says so"),
        ("test_now_agrees[pastes_nested/ML]", "FAILED", "it now agrees: same_optimum"),
        ("test_another_finding[pastes_crossed/ML]", "FAILED", "it is now another finding: other_optimum"),
        ("test_ledger[pastes_crossed/ML]", "XFAIL", "other_optimum, as expected: it stops early"),
        ("test_expired[pastes_crossed/ML]", "FAILED", "it expired on 2026-11-20"),
        ("test_own[own]", "PASSED", ""),
    ],
)
def test_what_is_expected_is_an_expected_failure_and_anything_else_fails(test, outcome, words, ran):
    code, printed, _ = ran
    assert code == 1
    assert outcomes(printed)[test] == outcome
    assert words in printed


def test_a_case_the_engine_has_no_form_for_is_skipped_with_the_reason(ran):
    _, printed, _ = ran
    assert re.search(r"^SKIPPED \[1\] .*: not_expressible: \S+", printed, re.MULTILINE)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"cases": "nosuch"}, "no case matches 'nosuch'"),
        (
            {"cases": "rail/*", "expected": {"rali/ML": "other_optimum"}},
            "expected names rali/ML; the cases are rail/REML",
        ),
        ({"cases": "rail/*", "expected": {"rail/ML": "fine"}}, "expected has 'fine'; one of loose_stop"),
        ({"cases": "rail/*", "expected": "nosuch.toml"}, "the ledger nosuch.toml cannot be read"),
    ],
)
def test_what_is_misspelt_is_an_error_where_it_stands(options, words):
    with pytest.raises(InvalidArgument, match=re.escape(words)):
        parametrize_parity(engine="statsmodels", **options)


def test_pytest_loads_nothing_more_where_nobody_uses_the_plugin():
    script = (
        "import sys, pytest; before = {*sys.modules}; import lmerbridge.plugin; "
        "added = {name.partition('.')[0] for name in {*sys.modules} - before}; print(*added - sys.stdlib_module_names)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert {*done.stdout.split()} == {"lazy_loader", "lmerbridge"}
