"""Two runs compared: what is new, worse, mended, and what cannot be compared."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lmerbridge.cli import app
from lmerbridge.parity.verdict import Verdict
from lmerbridge.report.diff import BADNESS

REPORT = Path(__file__).parents[2] / "reports" / "parity.json"
FINE = {"verdict": "same_optimum", "fails": False, "gap": 1e-12}
LOOSE = {"verdict": "loose_stop", "fails": False, "gap": 5e-3}
SHORT = {"verdict": "other_optimum", "fails": True, "gap": 2.0}
FAR = SHORT | {"gap": 90.0}
KNOWN = SHORT | {"fails": False, "known": {"reason": "told"}}
LME4 = SHORT | {"fails": False}  # lme4 stopped short
FAILED = {"verdict": "engine_failed", "fails": True, "gap": None}
LME4_FAILED = FAILED | {"fails": False}
ODD = {"verdict": "unexplained", "fails": True, "gap": 1e-12}
NONE = {"verdict": "not_expressible", "fails": False, "gap": None}

CHANGES = {  # before and after: what became of it
    "unchanged": [
        (FINE, FINE | {"gap": 3e-9}),
        (SHORT, SHORT | {"gap": 2.1}),
        (SHORT, KNOWN),
        (NONE, NONE),
        (LME4, FINE),
    ],
    "new": [(FINE, SHORT), (None, SHORT), (None, KNOWN), (NONE, FAILED), (LME4, SHORT), (FINE, KNOWN)],
    "worse": [
        (FINE, LOOSE),
        (SHORT, ODD),
        (SHORT, FAR),
        (FINE, NONE),
        (KNOWN, FAR),
        (FINE, LME4_FAILED),
        (FAILED, ODD),
    ],
    "mended": [(SHORT, FINE), (ODD, LOOSE), (KNOWN, FINE), (FAILED, LME4)],
    "better": [(LOOSE, FINE), (FAR, SHORT), (ODD, SHORT), (NONE, FINE), (SHORT, NONE)],
    "added": [(None, FINE), (None, NONE)],
    "gone": [(FINE, None), (SHORT, None)],
}
PAIRS = [(change, *pair) for change, pairs in CHANGES.items() for pair in pairs]


def run(folder, name, *answers, schema=2, **provenance):
    """Write the JSON of a run whose cases have these answers; one of None was not run."""
    results = [
        {"case": f"case{i}", "candidate": "statsmodels", "reference": "lme4", "known": None}
        | answer
        | {"gap": {} if answer["gap"] is None else {"lme4": 0.0, "statsmodels": answer["gap"]}}
        for i, answer in enumerate(answers)
        if answer
    ]
    path = folder / name
    path.write_text(json.dumps({"schema": schema, "results": results, "provenance": [*provenance.items()]}))
    return path


def diff(*paths):
    done = CliRunner().invoke(app, ["diff", *map(str, paths)])
    return done.exit_code, done.output


@pytest.mark.parametrize(("change", "old", "new"), PAIRS)
def test_what_became_of_a_case_has_a_name_and_an_exit_code(change, old, new, tmp_path):
    code, told = diff(run(tmp_path, "old", FINE, old), run(tmp_path, "new", FINE, new))
    assert code == (change in ("new", "worse"))
    counts = {name: int(number) for number, name in (part.split() for part in told.splitlines()[-1].split(", "))}
    assert {name: n for name, n in counts.items() if n} == (
        {"unchanged": 2} if change == "unchanged" else {"unchanged": 1, change: 1}
    )
    assert [line.split(":")[0] for line in told.splitlines()[:-1]] == [change] * (change != "unchanged")


def test_a_change_is_told_in_one_line_the_failing_first(tmp_path):
    code, told = diff(run(tmp_path, "old", FINE, FAR, FINE), run(tmp_path, "new", LOOSE, FINE, SHORT))
    assert (code, told.splitlines()) == (
        1,
        [
            "new: case2, statsmodels: same_optimum (gap 1e-12) -> other_optimum (gap 2)",
            "worse: case0, statsmodels: same_optimum (gap 1e-12) -> loose_stop (gap 0.005)",
            "mended: case1, statsmodels: other_optimum (gap 90) -> same_optimum (gap 1e-12)",
            "1 new, 1 worse, 1 mended, 0 better, 0 added, 0 gone, 0 unchanged",
        ],
    )


def test_a_run_of_the_older_schema_is_read(tmp_path):
    code, told = diff(run(tmp_path, "old", FINE, FAR, schema=1), run(tmp_path, "new", SHORT, FINE))
    assert (code, told.splitlines()[-1]) == (
        1,
        "1 new, 0 worse, 1 mended, 0 better, 0 added, 0 gone, 0 unchanged",
    )


def test_what_the_runs_were_computed_with_is_told_where_it_differs(tmp_path):
    versions = [{"lme4": "1.1-31", "R": "4.2.2"}, {"lme4": "2.0-1", "R": "4.2.2", "BLAS": "OpenBLAS"}]
    _, told = diff(*(run(tmp_path, name, FINE, **given) for name, given in zip(("old", "new"), versions, strict=True)))
    assert told.splitlines()[:-1] == ["lme4: 1.1-31 -> 2.0-1", "BLAS: none -> OpenBLAS"]


def test_another_processors_code_is_named_with_what_it_may_change(tmp_path):
    kernels = [{"BLAS kernel": name} for name in ("Haswell", "SkylakeX")]
    code, told = diff(*(run(tmp_path, name, FINE, **given) for name, given in zip("ab", kernels, strict=True)))
    assert (code, told.splitlines()[:2]) == (
        0,
        [
            "BLAS kernel: Haswell -> SkylakeX",
            "Another processor's code gives other last bits: a verdict at a limit may change with it.",
        ],
    )


def test_every_verdict_has_a_rank():
    assert sorted(BADNESS) == sorted(Verdict)


def test_the_committed_report_does_not_differ_from_itself():
    code, told = diff(REPORT, REPORT)
    number = len(json.loads(REPORT.read_text())["results"])
    assert (code, told) == (0, f"0 new, 0 worse, 0 mended, 0 better, 0 added, 0 gone, {number} unchanged\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "cannot be read: No such file or directory"),
        ("<html>", "new.json cannot be read: Expecting value: line 1"),
        ("[]", "new.json: it is a list of 0; an object is expected"),
        ('{"schema": 7}', "has schema 7; 2, or an older run's 1, is expected"),
        ('{"schema": 2}', "new.json: it lacks 'results'"),
        ('{"schema": 1, "results": [3], "provenance": []}', "new.json: results[0] is 3; an object is expected"),
        ('{"schema": 1, "results": [], "provenance": []}', "the two runs have no case of the same engines in common"),
    ],
)
def test_what_cannot_be_compared_is_exit_code_2_and_one_sentence(text, words, tmp_path):
    if text:
        (tmp_path / "new.json").write_text(text)
    code, told = diff(run(tmp_path, "old.json", FINE), tmp_path / "new.json")
    assert code == 2
    assert words in told
    assert "Traceback" not in told
