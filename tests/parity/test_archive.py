"""Results on disk: what has changed is judged again, and what has not is the same bytes."""

import os
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from lmerbridge.parity import archive, cases, process, suite
from lmerbridge.parity.archive import Archive
from lmerbridge.report.description import describe
from lmerbridge.report.machine import json_text
from lmerbridge.report.render import html

CASES = cases.pick("dyestuff2/*")
NAMES = ["statsmodels", "nlme"]
KEY = "0" * 64


def rendered(run):
    report = describe(suite.collect(list(run)))
    return html(report), json_text(report)


def no_calls(*_, **__):
    raise AssertionError("an engine was asked")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept")
    list(suite.run_cases(CASES, NAMES, cache=folder))
    return folder


@pytest.mark.slow
def test_a_run_of_kept_results_asks_no_engine_and_gives_the_same_report_bytes(folder, monkeypatch):
    fresh = rendered(suite.run_cases(CASES, NAMES))
    monkeypatch.setattr(process, "call_apart", no_calls)
    assert rendered(suite.run_cases(CASES, NAMES, cache=folder)) == fresh


@pytest.mark.slow
def test_only_what_is_new_is_judged(folder, monkeypatch):
    judged = []
    call = suite.run_case
    monkeypatch.setattr(suite, "run_case", lambda case, names, *how: judged.append(names) or call(case, names, *how))
    run = list(suite.run_cases(CASES, [NAMES[0], "mixedlm", NAMES[1]], cache=folder))
    assert [r.comparison.candidate for r in run[0]] == [NAMES[0], "mixedlm", NAMES[1]]
    assert judged == [("mixedlm",)] * len(CASES)


@pytest.mark.slow
def test_kept_files_that_are_cut_overwritten_or_of_another_key_are_computed_again(folder, monkeypatch):
    kept = {path: path.read_bytes() for path in folder.iterdir()}
    spoil = [lambda b: b[: len(b) // 2], lambda b: b[:-9] + bytes([b[-9] ^ 1]) + b[-8:], lambda _: b""]
    wanted = rendered(suite.run_cases(CASES, NAMES, cache=folder))
    for path, change in zip(sorted(kept), [*spoil, lambda _: kept[min(kept)]], strict=False):
        path.write_bytes(change(kept[path]))
    assert rendered(suite.run_cases(CASES, NAMES, cache=folder)) == wanted
    monkeypatch.setattr(process, "call_apart", no_calls)
    assert rendered(suite.run_cases(CASES, NAMES, cache=folder)) == wanted  # they are mended


CHANGES = {
    "formula": {"formula": "Yield ~ 1 + (1 | Batch) "},
    "criterion": {"reml": False},
    "rows": {"rows": "Yield > 0"},
    "weights": {"weights": "Yield"},
    "offset": {"offset": "Yield"},
    "contrasts": {"contrasts": (("Batch", "contr.sum"),)},
    "data": {"dataset": "Dyestuff"},
}


def key_of(case=CASES[0], name="statsmodels", reference="lme4", profile="default"):
    (keys,) = archive.keys([case], [name], reference, profile)
    return keys[name]


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_each_part_of_a_case_is_in_its_key(change):
    assert key_of(replace(CASES[0], **change)) != key_of()


def test_engine_reference_limits_and_surroundings_are_in_the_key(monkeypatch):
    found = {key_of(), key_of(name="mixedlm"), key_of(reference="lme4[bobyqa]"), key_of(profile="strict")}
    for what in ("_surroundings", "_source"):
        monkeypatch.setattr(archive, what, lambda *_: "other")
        found.add(key_of())
    assert len(found) == 6


def test_this_packages_files_and_installed_versions_are_in_the_surroundings(monkeypatch, tmp_path):
    compute = archive._surroundings.__wrapped__
    here = compute()
    (tmp_path / "module.py").write_text("x = 1")
    for name, value in {"ROOT": tmp_path, "distributions": list, "_of_r": lambda: ["R 9.9"]}.items():
        with monkeypatch.context() as changed:
            changed.setattr(archive, name, value)
            assert compute() != here, name
    assert compute() == here


@pytest.mark.slow
def test_another_process_finds_the_same_key():
    code = (
        "from lmerbridge.parity import archive, cases;"
        "print(*next(archive.keys(cases.pick('dyestuff2/REML'), ['statsmodels'], 'lme4', 'default')).values())"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == [key_of()]


def test_what_was_put_comes_back_and_nothing_else(tmp_path):
    kept = Archive(tmp_path / "new")
    assert kept.get(KEY) is None
    kept.put(KEY, {"a": 1.5})
    assert kept.get(KEY) == {"a": 1.5}
    (tmp_path / "new" / KEY).rename(tmp_path / "new" / ("1" * 64))
    assert kept.get("1" * 64) is None


def test_a_file_of_another_user_is_not_read(tmp_path, monkeypatch):
    kept = Archive(tmp_path)
    kept.put(KEY, 1)
    monkeypatch.setattr(os, "getuid", lambda: -1)
    assert kept.get(KEY) is None


def test_a_folder_that_cannot_be_written_costs_the_cache_only(tmp_path):
    (tmp_path / "file").write_text("")
    kept = Archive(tmp_path / "file" / "folder")
    kept.put(KEY, 1)
    assert kept.get(KEY) is None
    kept.sweep()


def test_what_nobody_asked_for_in_a_long_time_is_removed(tmp_path):
    kept = Archive(tmp_path)
    kept.put(KEY, 1)
    kept.sweep()
    assert kept.get(KEY) == 1
    old = time.time() - archive.UNUSED - 10
    os.utime(tmp_path / KEY, (old, old))
    kept.sweep()
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_result_that_a_time_limit_cut_short_is_not_kept(tmp_path, monkeypatch):
    call = process.call_apart

    def late(function, *arguments, seconds=None):
        if function is suite._judge_here:
            raise suite.EngineFailed("late")
        return call(function, *arguments, seconds=seconds)

    monkeypatch.setattr(process, "call_apart", late)
    ((result,),) = suite.run_cases(CASES[:1], ["nlme"], cache=tmp_path)
    assert result.cut_short
    assert not list(tmp_path.iterdir())
