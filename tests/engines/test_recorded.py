"""Recordings: lme4's answers in a file, and a referee that needs no R."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from lmerbridge import Verdict, cli, compare, load_dataset
from lmerbridge.engines import find
from lmerbridge.engines.recorded import digest
from lmerbridge.errors import EngineFailed, InvalidArgument, NotExpressible, SetupError
from lmerbridge.parity import cases, recording, suite
from lmerbridge.parity.compare import no_fit
from lmerbridge.parity.reproduce import r_code
from lmerbridge.report import describe, html, markdown

WITHOUT_R = "[dp]*[fd]*"  # dyestuff, dyestuff2, pastes_nested, pastes_crossed: statsmodels gets one of the eight wrong
OTHERS = ("penicillin/*", "sleepstudy_two_thirds/REML", "sleepstudy_polynomial/REML", "ham/REML", "dietox_strings/ML")
CHOSEN = [case for pattern in (WITHOUT_R, *OTHERS) for case in cases.pick(pattern)]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("recorded") / "lme4.json"
    recording.write_recording(recording.record_cases(CHOSEN), path)
    return path


@pytest.fixture(scope="module")
def recorded(file):
    return find(f"recorded:{file}")


@pytest.fixture
def changed(file, tmp_path):
    """The recording with something else in it and a digest of that, as an engine."""

    def make(change):
        content = json.loads(file.read_text())
        change(content)
        content["digest"] = digest(content)
        path = tmp_path / "changed.json"
        path.write_text(json.dumps(content))
        return find(f"recorded:{path}")

    return make


def described(content, formula, method="REML"):
    (model,) = (m for m in content["models"] if m["formula"] == formula)
    return model["fits"][method]["described"]


@pytest.mark.slow
@pytest.mark.parametrize("case", CHOSEN, ids=lambda case: case.name)
def test_a_recording_gives_the_bits_that_were_recorded(case, recorded):
    made, read = find("lme4").fit(case.spec()), recorded.fit(case.spec(recorded.load_dataset))
    pd.testing.assert_series_equal(pd.Series(made.quantities()), pd.Series(read.quantities()), check_exact=True)
    for name in ("theta", "covariance", "fitted_values", "residual_values", "rows"):
        np.testing.assert_array_equal(getattr(made, name), getattr(read, name))
    for mine, its in zip(made.modes, read.modes, strict=True):
        pd.testing.assert_frame_equal(mine.frame, its.frame, check_exact=True)
    assert (made.terms, made.conditions, made.singular) == (read.terms, read.conditions, read.singular)
    assert made.provenance == read.provenance
    np.testing.assert_array_equal(made.design().x, read.design().x)
    assert (made.design().z != read.design().z).nnz == 0
    assert made.fitted.index.equals(read.fitted.index)


@pytest.mark.parametrize("case", {(c.dataset, c.package): c for c in CHOSEN}.values(), ids=lambda case: case.dataset)
def test_a_recording_has_the_data_sets_of_its_cases(case, recorded):
    read = recorded.load_dataset(case.dataset, case.package)
    made = load_dataset(case.dataset, case.package)
    pd.testing.assert_frame_equal(read, made, check_exact=True, check_index_type="equiv", check_column_type=False)


def test_each_data_set_and_each_design_is_kept_once(recorded):
    assert len(recorded.content["data"]) == len({(case.dataset, case.package) for case in CHOSEN})
    (model,) = (m for m in recorded.content["models"] if "penicillin/ML" in m["cases"])
    assert (model["cases"], sorted(model["fits"])) == (["penicillin/REML", "penicillin/ML"], ["ML", "REML"])


def test_what_a_last_bit_depends_on_is_kept(recorded):
    assert recorded.content["engine"] == "lme4"
    assert {"R", "lme4", "BLAS", "LAPACK", "platform"} <= recorded.content["versions"].keys()
    assert described(recorded.content, "diameter ~ 1 + (1 | plate) + (1 | sample)")["optimizer"] == ["nloptwrap"]


@pytest.fixture(scope="module")
def with_r():
    results = suite.run_cases(cases.pick(WITHOUT_R), ["statsmodels"])
    return {r.case.name: r.comparison for group in results for r in group}


@pytest.mark.slow
def test_a_python_engine_is_judged_without_r_as_with_it(file, with_r, tmp_path):
    command = [sys.executable, "-m", "lmerbridge", "parity", "--engine", "statsmodels", "--case", WITHOUT_R]
    command += ["--reference", f"recorded:{file}", "--out", str(tmp_path), "--format", "json"]
    environment = {"HOME": os.environ["HOME"], "PATH": str(tmp_path), "R_HOME": str(tmp_path / "no")}
    environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)
    assert done.returncode == 1, done.stderr  # statsmodels stops early on pastes_crossed
    report = json.loads((tmp_path / "parity.json").read_text())
    without = {c["case"]: c for c in report["results"]}
    assert len(without) == 8
    assert {name: c["verdict"] for name, c in without.items()} == {n: str(c.verdict) for n, c in with_r.items()}
    for name, comparison in with_r.items():
        # two programs and two optimizers: a gap is known to the limit within which two optima are one
        assert without[name]["gap"]["statsmodels"] == pytest.approx(comparison.gap["statsmodels"], abs=1e-6), name
    assert dict(map(tuple, report["provenance"]))["lme4"] == with_r["dyestuff/ML"].reference_fit.provenance.version


def test_without_r_there_is_none_to_fall_back_to(tmp_path):
    environment = {"HOME": os.environ["HOME"], "PATH": str(tmp_path), "R_HOME": str(tmp_path / "no")}
    code = "from lmerbridge import load_dataset; load_dataset('sleepstudy')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert "SetupError" in done.stderr


@pytest.mark.slow
def test_where_neither_r_nor_the_recording_has_a_case_the_report_says_so(recorded, monkeypatch):
    def no_r():
        raise SetupError("no R")

    monkeypatch.setattr(suite, "session_facts", no_r)
    results = list(suite.run_cases(cases.pick("milk_barley/ML"), ["statsmodels"], reference=recorded.name))
    run = suite.collect(results)
    (result,) = run.results
    assert f"{recorded.name} has no data set nlme/Milk" in result.comparison.reason
    assert (result.comparison.verdict, result.comparison.worse) == (Verdict.ENGINE_FAILED, recorded.name)
    assert "lme4" not in dict(run.provenance)
    report = describe(run)
    assert report.exit_code == 2
    assert report.sentence.endswith("refuses 0; not judged 1.")
    assert [count.word for count in report.engines[0].counts] == ["not recorded"]
    assert report.words == ("not recorded",)
    assert "itself fails" not in markdown(report) + html(report)


def test_a_model_the_recording_lacks_is_not_expressible(recorded):
    (case,) = cases.pick("rail/ML")
    with pytest.raises(NotExpressible, match=r"has no fit of travel ~ 1 \+ \(1 \| Rail\) by ML"):
        recorded.fit(case.spec())
    with pytest.raises(NotExpressible, match="has no data set nlme/Rail; it has lme4/"):
        case.spec(recorded.load_dataset)
    (twice,) = cases.pick("ham/ML")
    with pytest.raises(NotExpressible, match="by ML"):
        recorded.fit(twice.spec())


CHANGES = {  # of the data that a recording was made of
    "a number": lambda d: d.assign(diameter=d["diameter"].where(d.index != 3, np.nextafter(d["diameter"], 0))),
    "rows in another order": lambda d: d.iloc[::-1],
    "a level of another name": lambda d: d.assign(plate=d["plate"].cat.rename_categories({"a": "A"})),
    "levels that are ordered": lambda d: d.assign(plate=d["plate"].cat.as_ordered()),
    "a row less": lambda d: d.iloc[1:],
    "levels in another order": lambda d: d.assign(
        plate=d["plate"].cat.reorder_categories(list("xwvutsrqponmlkjihgfedcba"))
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_data_are_an_error_that_says_so(change, recorded):
    data = CHANGES[change](load_dataset("Penicillin"))
    (case,) = cases.pick("penicillin/ML")
    with pytest.raises(EngineFailed, match=r"the data has changed: recorded:.* has diameter ~ .* with the hash"):
        recorded.fit(case.spec(lambda *_: data))


def test_a_column_the_model_does_not_use_may_change(recorded):
    (case,) = cases.pick("penicillin/ML")
    data = load_dataset("Penicillin").assign(other=1)
    assert recorded.fit(case.spec(lambda *_: data)).criterion == recorded.fit(case.spec()).criterion


def test_the_data_of_a_recording_cannot_be_changed_unseen(changed):
    def shift(content):
        content["data"]["lme4/Penicillin"]["columns"]["diameter"]["values"][0] += 1

    (case,) = cases.pick("penicillin/ML")
    other = changed(shift)
    with pytest.raises(EngineFailed, match="the data has changed"):
        other.fit(case.spec(other.load_dataset))


def test_a_recording_written_anew_is_read_anew(changed):
    (case,) = cases.pick("penicillin/ML")
    method = {"formula": case.formula, "method": "ML"}
    first = changed(lambda content: None)
    again = changed(lambda content: described(content, **method)["beta"].__setitem__(0, 1.0))
    assert first.name == again.name
    assert (first.fit(case.spec()).beta[0], again.fit(case.spec()).beta[0]) == (pytest.approx(22.97, abs=0.01), 1.0)


def test_two_recordings_are_judged_against_each_other(recorded, tmp_path):
    path = tmp_path / "bobyqa.json"
    (case,) = cases.pick("penicillin/REML")
    recording.write_recording(recording.record_cases([case], "lme4[bobyqa]"), path)
    other = find(f"recorded:{path}")
    result = compare(case.formula, case.data(recorded.load_dataset), reference=recorded, candidate=other)
    assert (result.verdict, result.reference, result.candidate) == (Verdict.SAME_OPTIMUM, recorded.name, other.name)
    assert result.candidate_fit.provenance.optimizer == "bobyqa"
    assert all(row.agrees for row in result.rows)


FAULTS = {  # what is changed in a recorded reply: the verdict it gets
    "beta": Verdict.UNEXPLAINED,
    "covariance": Verdict.UNEXPLAINED,
    "block.stddev": Verdict.UNEXPLAINED,
    "criterion": Verdict.OTHER_OBJECTIVE,
    "theta": Verdict.OTHER_OBJECTIVE,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_a_number_changed_in_a_recording_is_noticed(name, recorded, changed):
    def perturb(content):
        described(content, "diameter ~ 1 + (1 | plate) + (1 | sample)")[name][0] *= 1.01

    (case,) = cases.pick("penicillin/REML")
    result = compare(case.formula, case.data(recorded.load_dataset), reference=recorded, candidate=changed(perturb))
    assert result.verdict is FAULTS[name]


def test_a_recording_that_lacks_a_number_of_today_says_to_record_again(changed):
    def forget(content):
        del described(content, "diameter ~ 1 + (1 | plate) + (1 | sample)")["converged"]

    with pytest.raises(InvalidArgument, match=r"numbers of another release \(.*converged\); record it again"):
        changed(forget)


@pytest.mark.parametrize("source", ["exact", "published"])
def test_a_shipped_recording_holds_single_numbers_and_fits_nothing(source):
    (case,) = cases.pick("dyestuff/ML")
    with pytest.raises(NotExpressible, match=f"recorded:{source} holds single numbers and no whole fit"):
        find(f"recorded:{source}").fit(case.spec())


def test_a_file_that_is_no_recording_is_an_error(tmp_path):
    path = tmp_path / "x.json"
    with pytest.raises(InvalidArgument, match="cannot be read"):
        find(f"recorded:{path}")
    path.write_text("[]")
    with pytest.raises(InvalidArgument, match="`lmerbridge record --out FILE` writes one"):
        find(f"recorded:{path}")


def test_the_r_script_of_a_finding_names_the_rows_without_loading_the_data(recorded):
    (case,) = cases.pick("sleepstudy_two_thirds/REML")
    fit = recorded.fit(case.spec(recorded.load_dataset))
    told = no_fit(case, (recorded.name, "other"), Verdict.ENGINE_FAILED, "it failed", fit)
    elsewhere = replace(case, dataset="of no package")
    assert "d <- d[c(1, 3:4, 6:7," in r_code(elsewhere, told)
    lost = no_fit(case, (recorded.name, "other"), Verdict.ENGINE_FAILED, "it failed", None)
    assert "# the rows that pandas picks by index % 3 != 1" in r_code(elsewhere, lost)


@pytest.mark.slow
def test_the_python_script_of_a_finding_takes_the_data_of_the_recording(recorded, capsys):
    (case,) = cases.pick("dyestuff2/REML")
    result = suite.run_here(case, find("statsmodels"), recorded.name)
    assert f"data = find({recorded.name!r}).load_dataset('Dyestuff2', 'lme4')" in result.python_code
    exec(compile(result.python_code, "finding.py", "exec"), {})
    assert capsys.readouterr().out.startswith(result.comparison.explain())


def test_only_lme4_is_recorded():
    with pytest.raises(InvalidArgument, match="statsmodels cannot be recorded"):
        recording.record_cases(cases.pick("dyestuff/ML"), "statsmodels")


def test_the_command_writes_the_same_bytes_twice(tmp_path):
    paths = [tmp_path / "one.json", tmp_path / "two.json"]
    for path in paths:
        done = CliRunner().invoke(cli.app, ["record", "--out", str(path), "--case", "dyestuff/*"])
        assert done.exit_code == 0, done.output
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_recording_that_cannot_be_written_is_told(tmp_path):
    done = CliRunner().invoke(cli.app, ["record", "--out", str(tmp_path), "--case", "dyestuff/ML"])
    assert done.exit_code == 2
    assert "cannot be written: Is a directory" in done.output
