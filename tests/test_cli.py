"""The command line, run as a user runs it."""

import csv
import io
import json
import os
import pty
import re
import subprocess
import sys
from importlib.metadata import version

import pytest
from typer.testing import CliRunner

from lmerbridge import doctor, lmer
from lmerbridge.cli import app
from lmerbridge.engines import names
from lmerbridge.parity import planted
from lmerbridge.parity.verdict import Verdict
from lmerbridge.setup import shell

KNOWN = """
[[known]]
case = "{case}"
engine = "statsmodels"
verdict = "other_optimum"
reason = "it stops early"
link = "https://example.org/1"
expires = 9999-12-31
"""


@pytest.fixture(scope="module")
def run():
    def command(*arguments, cwd=None):
        return subprocess.run(
            [sys.executable, "-m", "lmerbridge", *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=cwd,
            check=False,
        )

    return command


@pytest.fixture(scope="module")
def files(sleepstudy, tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    data = sleepstudy.copy()
    data["Subject"] = data["Subject"].astype(str)
    data.loc[[3, 7], "Reaction"] = float("nan")
    data.to_csv(folder / "sleep.csv", index=False)
    data.to_parquet(folder / "sleep.parquet")
    (folder / "sleep.txt").write_text("no table")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sleep.csv", "sleep.parquet"])
def test_fit_prints_rs_summary_and_the_rows_left_out(run, files, name):
    done = run("fit", "Reaction ~ Days + (Days | Subject)", files / name)
    assert done.returncode == 0, done.stderr
    assert "Linear mixed model fit by REML" in done.stdout
    assert "Number of obs: 178, groups:  Subject, 18" in done.stdout
    assert done.stderr.startswith("RowsLeftOutWarning: 2 of 180 rows lack a value ('Reaction' in 2)")


def test_fit_by_ml_says_so(run, files):
    done = run("fit", "Reaction ~ Days + (1 | Subject)", files / "sleep.csv", "--ml")
    assert "fit by maximum likelihood" in done.stdout


@pytest.mark.parametrize(
    ("formula", "name", "words"),
    [
        ("Reaction ~ dose + (1 | Subject)", "sleep.csv", "MissingColumns: the formula names 'dose'"),
        ("Reaction ~ system('ls') + (1 | Subject)", "sleep.csv", "UnsafeFormula"),
        ("Reaction ~ Days + (1 | Subject)", "sleep.txt", "InvalidArgument: sleep.txt ends in '.txt'"),
    ],
)
def test_an_error_of_the_users_is_one_sentence_and_exit_code_2(run, files, formula, name, words):
    done = run("fit", formula, files / name)
    assert done.returncode == 2
    assert words in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_fit_reads_what_it_is_told_and_prints_the_form_it_is_asked_for(run, sleepstudy, tmp_path):
    formula, path = "Reaction ~ Days + (Days | Subject)", tmp_path / "schlaf.csv"
    sleepstudy.to_csv(path, index=False, sep=";", decimal=",")
    assert "it looks like --sep ';'" in run("fit", formula, path).stderr
    assert "it looks like --decimal ," in run("fit", formula, path, "--sep", ";").stderr
    options = ("fit", formula, path, "--sep", ";", "--decimal", ",", "--ddf", "Satterthwaite", "--format")
    text, table, records, latex = (run(*options, how).stdout for how in ("text", "csv", "json", "latex"))
    assert "\n   Data: schlaf.csv\n" in text
    assert "Satterthwaite's method" in text
    fit = lmer(formula, sleepstudy.astype({"Subject": str})).tidy(ddf_method="Satterthwaite")
    told = list(csv.DictReader(io.StringIO(table)))
    for column in ("estimate", "std_error", "df", "p_value"):
        assert [float(row[column]) for row in told[:2]] == fit[column].tolist()[:2]
        assert [row[column] for row in json.loads(records)][:2] == fit[column].tolist()[:2]
    assert json.loads(records)[2]["p_value"] is None
    assert latex.startswith("\\begin{tabular}")
    assert "251.405 & 6.8246" in latex
    assert "--format is 'pdf'; text, csv, json, latex are expected" in run(*options, "pdf").stderr


@pytest.mark.slow
def test_parity_writes_four_renderings_and_exits_1_where_engines_disagree(run, tmp_path):
    done = run("parity", "--case", "pastes_*/ML", "--engine", "statsmodels", "--out", tmp_path)
    assert done.returncode == 1, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"parity.{end}" for end in ("html", "json", "md", "xml")
    ]
    results = json.loads((tmp_path / "parity.json").read_text())["results"]
    assert {r["case"]: r["verdict"] for r in results} == {
        "pastes_nested/ML": "same_optimum",
        "pastes_implicit/ML": "same_optimum",
        "pastes_crossed/ML": "other_optimum",
    }


@pytest.mark.slow
def test_parity_exits_0_where_they_agree_and_2_where_nothing_was_compared(run, tmp_path):
    assert run("parity", "--case", "penicillin/REML", "--out", tmp_path).returncode == 0
    assert run("parity", "--case", "carrots/REML", "--out", tmp_path).returncode == 2
    assert run("parity", "--case", "nosuch", "--out", tmp_path).returncode == 2


@pytest.mark.slow
def test_parity_holds_a_ledger_against_the_run_and_writes_the_formats_asked_for(run, tmp_path):
    ledger = tmp_path / "known.toml"
    ledger.write_text("".join(KNOWN.format(case=f"{name}/ML") for name in ("pastes_crossed", "pastes_nested", "rail")))
    options = ("--case", "pastes_*/ML", "--engine", "statsmodels", "--format", "json,junit")
    done = run("parity", *options, "--ledger", ledger, "--out", tmp_path / "out")
    assert done.returncode == 1, done.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"parity.json", "parity.xml"}
    told = " ".join(done.stdout.split())
    assert "✗ ledger: pastes_nested/ML, statsmodels: other_optimum: it now agrees: same_optimum." in told
    assert "Ledger: 1 known, 1 of 2 entries do not hold, 1 of cases or engines not run." in told
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_planted_faults_stand_in_every_rendering_and_one_that_is_missed_fails(tmp_path, monkeypatch):
    sound = planted.Fault("nothing at all", lambda ground: ground.sound, Verdict.UNEXPLAINED, "")
    options = ["parity", "--engine", "nlme", "--case", "rail/REML", "--planted", "--out", str(tmp_path)]
    for faults, told, status in (
        ((sound,), "5 planted, 0 caught.", 1),
        (planted.FAULTS[-1:], "5 planted, 5 caught.", 0),
    ):
        monkeypatch.setattr(planted, "FAULTS", faults)
        done = CliRunner().invoke(app, options)
        assert done.exit_code == status, done.output
        assert told in done.output
        for name in ("parity.html", "parity.md"):
            assert told in (tmp_path / name).read_text(encoding="utf-8")
    (row,) = json.loads((tmp_path / "parity.json").read_text())["planted"]
    assert row == {"fault": planted.FAULTS[-1].name, "planted": 5, "caught": 5}


@pytest.mark.slow
def test_parity_says_what_it_does_after_the_last_case_and_how_often_each_engine_is_right(tmp_path):
    options = ["parity", "--engine", "nlme", "--case", "rail/REML", "--format", "json,md", "--out", str(tmp_path)]
    done = CliRunner().invoke(app, options)
    assert done.exit_code == 0, done.output
    after = done.output.partition("1/1")[2]
    assert "writing json, md" in after
    assert "known exactly" not in after  # unless it is asked for
    told = [line.strip() for line in after.splitlines()]
    assert any(line.startswith("1 of 1 engine reproduce") for line in told)
    for start in ("✓ nlme", "lme4"):
        (line,) = (line for line in told if line.startswith(start))
        assert ": right on 1 of 1;" in line


@pytest.mark.slow
def test_a_report_says_what_has_changed_since_an_older_run(tmp_path):
    options = ["parity", "--engine", "nlme", "--case", "rail/*", "--out", str(tmp_path)]
    assert CliRunner().invoke(app, options).exit_code == 0
    older = json.loads((tmp_path / "parity.json").read_text())
    older["results"][0] |= {"verdict": "unexplained", "fails": True}
    (tmp_path / "older.json").write_text(json.dumps(older))
    done = CliRunner().invoke(app, [*options, "--since", str(tmp_path / "older.json")])
    assert done.exit_code == 0, done.output
    for name in ("parity.html", "parity.md"):
        assert "1 mended, 0 better, 0 added, 0 gone, 1 unchanged" in (tmp_path / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--profile", "lenient"), "InvalidArgument: the profile is 'lenient'; one of default, strict, screening"),
        (("--since", "nosuch.json"), "InvalidArgument: nosuch.json cannot be read"),
        (("--format", "json,pdf"), "InvalidArgument: formats has ['pdf']; html, md, json, junit are expected"),
        (("--templates", "nosuch"), "InvalidArgument: nosuch holds none of the templates finding.html.jinja"),
        (("--ledger", "nosuch.toml"), "InvalidArgument: the ledger nosuch.toml cannot be read"),
        (("--engine", "nosuch"), "InvalidArgument: no engine 'nosuch' is installed"),
        (("--engine", "statsmodel"), "no engine 'statsmodel' is installed. Did you mean 'statsmodels'"),
        (("--engine", "nlme", "--engine", "glmmtmb"), "Did you mean 'glmmTMB' or 'glmm'?"),
        (("--reference", "lme"), "Did you mean 'nlme' or 'lme4'?"),
        (("--planted", "--engine", "statsmodel"), "Did you mean 'statsmodels'"),
        (("--case", "sleepstudy_slope/*"), "of the 270 there are. Did you mean 'sleepstudy_slopes/*' or"),
        (("--case", "nothing*"), "no case matches 'nothing*' of the 270 there are. 'sleepstudy*' matches some."),
        (("--backend", "nosuch"), "InvalidArgument: the backend is 'nosuch'; dask://HOST:PORT or one of loky"),
        (("--backend", "dask://nowhere"), "InvalidArgument: dask://nowhere cannot be reached"),
        (("--timeout", "0"), "Invalid value for '--timeout'"),
    ],
)
def test_parity_refuses_a_wrong_option_before_it_fits_anything(options, words, tmp_path):
    done = CliRunner().invoke(app, ["parity", "--out", str(tmp_path), *options])
    assert done.exit_code == 2
    assert words in " ".join(done.output.replace("│", "").split())
    assert len(done.output) < 700
    assert "cases" not in done.output.replace("cases of", "")  # no bar before the error
    assert not [*tmp_path.iterdir()]


def test_the_schema_is_printed():
    assert json.loads(CliRunner().invoke(app, ["schema"]).output)["title"] == "Parity report of lmerbridge"


@pytest.mark.slow
def test_doctor_tells_a_program_the_same_as_json(run):
    diagnosis = json.loads(run("doctor", "--json").stdout)
    found = {check["name"]: check for check in diagnosis["checks"]}
    assert diagnosis["ok"] is all(check["ok"] for check in diagnosis["checks"])
    assert found["fit"]["found"] == "sleepstudy's REML criterion is 1743.628"
    assert found["lme4"]["status"] in ("ok", "advice")


def test_the_version_is_told(run):
    assert run("--version").stdout.strip() == version("lmerbridge")


@pytest.mark.parametrize("arguments", [["doctor"], ["doctor", "--json"]])
@pytest.mark.parametrize(("well", "status"), [(True, 0), (False, 1)])
def test_doctor_exits_1_where_something_is_wrong(well, status, arguments, monkeypatch):
    checks = doctor.Check("R", "4.5.0"), doctor.Check("lme4", "", well, "" if well else "not installed", "install it")
    monkeypatch.setattr(doctor, "examine", lambda: doctor.Diagnosis(checks))
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == status
    assert ("not installed" in done.stdout) is not well


@pytest.mark.slow
def test_doctor_says_what_it_found(run):
    done = run("doctor")
    assert done.returncode == 0, done.stdout
    assert "lme4" in done.stdout


def test_help_names_the_engines_whole_the_defaults_and_a_sentence_per_command(run):
    told = run("parity", "--help").stdout
    for engine in names():
        assert re.search(rf"[ :]{re.escape(engine)}[,.]", told), engine
    assert "[default: (statsmodels and statsmodels[shared])]" in " ".join(told.split()).replace("- ", "-")
    assert "<bool>" not in told
    assert "..." not in run("--help").stdout.partition("Commands:")[2]  # no sentence is cut


def test_setup_shows_what_it_would_run_and_runs_it_only_after_a_yes(monkeypatch, capfd):
    broken = doctor.Check("lme4", "", False, "not installed", "echo it ran; exit 3")
    note = doctor.Check("pbkrtest", "", True, "not installed", "echo a note")
    monkeypatch.setattr(shell, "check_parts", lambda load: (broken, note))
    monkeypatch.setattr(shell, "DOCTOR", [sys.executable, "-c", "print('doctor')"])
    for options, status, told in (
        (["--dry-run"], 1, "echo it ran; exit 3\n"),
        ([], 1, "echo it ran; exit 3\nNothing was run; `lmerbridge setup --yes` runs it.\n"),
        (["--yes"], 3, "echo it ran; exit 3\nit ran\nThe command ended with 3; above is what it said.\n"),
        (["--all", "--dry-run"], 1, "echo it ran; exit 3 &&\necho a note\n"),
    ):
        done = CliRunner().invoke(app, ["setup", *options])
        assert (done.exit_code, sorted((done.output + capfd.readouterr().out).splitlines())) == (
            status,
            sorted(told.splitlines()),
        )


@pytest.mark.parametrize(("answer", "status"), [("y\n", 0), ("\n", 1), ("n\n", 1)])
def test_setup_asks_at_a_terminal(answer, status, monkeypatch, capfd):
    monkeypatch.setattr(shell, "check_parts", lambda load: (doctor.Check("R", "", False, "missing", "true"),))
    monkeypatch.setattr(shell, "DOCTOR", [sys.executable, "-c", "print('looks again')"])
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    assert shell.set_up() == status
    assert ("looks again" in capfd.readouterr().out) is (status == 0)


def test_setup_of_a_machine_that_is_well_only_looks_again(monkeypatch, capfd):
    monkeypatch.setattr(shell, "check_parts", lambda load: (doctor.Check("R", "4.5.0"),))
    monkeypatch.setattr(shell, "DOCTOR", [sys.executable, "-c", "print('doctor')"])
    assert (shell.set_up(yes=True), capfd.readouterr().out) == (0, "doctor\n")


def test_a_variable_of_the_users_shell_is_left_to_the_user(monkeypatch, capfd):
    monkeypatch.setattr(shell, "check_parts", lambda load: (doctor.Check("R", "", False, "no R", "unset R_HOME"),))
    assert shell.set_up(yes=True) == 1
    assert "your own shell" in capfd.readouterr().out


SENTENCE = "a sentence of many words " * 8
SAY = f"""
from lmerbridge.cli import console
console.print_text({SENTENCE!r})
console.print_table([("what it is", "n"), ({SENTENCE!r}, "1")])
"""


def test_a_sentence_is_one_line_in_a_pipe_and_whole_words_in_a_terminal():
    piped = subprocess.run([sys.executable, "-c", SAY], capture_output=True, text=True, check=True)
    assert [line.rstrip() for line in piped.stdout.splitlines() if "many" in line] == [
        SENTENCE.rstrip(),
        f"{SENTENCE.rstrip()}   1",
    ]
    ours, theirs = pty.openpty()
    subprocess.run([sys.executable, "-c", SAY], stdout=theirs, check=True, env=os.environ | {"COLUMNS": "50"})
    os.close(theirs)
    lines = re.sub(r"\x1b\[\d*m", "", os.read(ours, 1 << 16).decode()).splitlines()
    os.close(ours)
    assert max(map(len, lines)) <= 50
    assert " ".join(SENTENCE.split()) in " ".join(" ".join(lines).split())


@pytest.mark.parametrize("command", ["hunt", "parity", "study"])
def test_help_of_a_command_that_takes_an_engine_names_all(command):
    told = CliRunner().invoke(app, [command, "--help"]).output
    assert not [name for name in names() if not re.search(rf"[ :]{re.escape(name)}[,.]", told)]
    assert max(map(len, told.splitlines())) <= 80
