import tempfile

import pytest

from lmerbridge.bridge import host
from lmerbridge.errors import SetupError
from lmerbridge.setup import installation
from lmerbridge.setup.compat import parse_version
from lmerbridge.setup.installation import ask_r, find_rscript, rinterface_is_compiled, rinterface_version


@pytest.fixture(scope="module")
def facts():
    return ask_r(["lme4", "Matrix", "nosuchpackage"])


def test_the_r_that_is_asked_is_the_one_that_the_worker_runs(facts):
    session = host.call("session_facts").values
    running = dict(zip(session["name"], session["value"], strict=True))
    for name in ("R", "lme4", "Matrix"):
        assert parse_version(facts[name]) == parse_version(running[name])


def test_a_package_that_is_missing_has_an_empty_version(facts):
    assert facts["nosuchpackage"] == ""


def test_the_worker_s_locale_is_the_one_that_was_asked_for(facts, monkeypatch):
    monkeypatch.setenv("LC_ALL", "C")
    assert ask_r([])["UTF8"] == facts["UTF8"] == "TRUE"


def test_a_profile_in_the_working_directory_is_not_run(tmp_path, monkeypatch):
    (tmp_path / ".Rprofile").write_text('cat("R\\t0.0\\n"); R.version <- list(major = 0, minor = 0)')
    monkeypatch.chdir(tmp_path)
    assert ask_r([])["R"] != "0.0"


def test_r_home_comes_before_the_path(monkeypatch, facts):
    monkeypatch.setenv("R_HOME", facts["home"])
    monkeypatch.setenv("PATH", "")
    assert find_rscript().startswith(facts["home"])


def test_no_r_at_all_is_a_setup_error(monkeypatch, tmp_path):
    monkeypatch.delenv("R_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SetupError, match=r"^There is no R on the PATH\.$"):
        ask_r([])


def test_the_rpy2_beside_us_has_a_version_and_was_compiled():
    assert rinterface_version().startswith("3.")
    assert rinterface_is_compiled()


def test_an_r_that_dies_while_it_is_asked_leaves_no_files(tmp_path, monkeypatch):
    dying = tmp_path / "Rscript"
    dying.write_text(f"#!/bin/sh\nexec {find_rscript()} --vanilla -e 'tools::pskill(Sys.getpid(), 9)'\n")
    dying.chmod(0o755)
    monkeypatch.setattr(installation, "find_rscript", lambda: str(dying))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with pytest.raises(SetupError, match="R does not run"):
        ask_r(["lme4"])
    assert list(tmp_path.iterdir()) == [dying]
