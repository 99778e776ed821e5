import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lmerbridge import doctor
from lmerbridge.doctor import Diagnosis, commands, examine, fit_check
from lmerbridge.errors import SetupError
from lmerbridge.setup import checks
from lmerbridge.setup.checks import (
    Check,
    blas_check,
    lme4_check,
    locale_check,
    optional_check,
    r_check,
    rpy2_check,
)

NAMES = ["R", "lme4", "lmerTest", "pbkrtest", "emmeans", "BLAS", "locale", "rpy2-rinterface", "fit"]
PROGRAM = """
import json, sys
from lmerbridge.doctor import examine, render
diagnosis = examine()
print(render(diagnosis), file=sys.stderr)
print(json.dumps(diagnosis.as_dict()))
"""
LIBRARIES = [  # what extSoftVersion()[["BLAS"]] says, and whether it is an optimised one
    ("/usr/lib/x86_64-linux-gnu/openblas-serial/libblas.so.3", True),
    ("/usr/lib/x86_64-linux-gnu/blas/libblas.so.3.11.0", False),
    ("/usr/lib64/R/lib/libRblas.so", False),
    ("/usr/lib64/libflexiblas.so.3.4", True),
    ("/opt/conda/lib/libopenblasp-r0.3.28.so", True),
    ("/Library/Frameworks/R.framework/Versions/4.5/Resources/lib/libRblas.vecLib.dylib", True),
    ("/Library/Frameworks/R.framework/Versions/4.5/Resources/lib/libRblas.0.dylib", False),
    ("", True),  # unknown: nothing to advise
]


def examined(tmp_path: Path, **environment: str) -> tuple[dict[str, Any], str]:
    """Examine in a process of its own, where no program is on the path."""
    inherited = {name: value for name, value in os.environ.items() if name not in ("R_HOME", "CONDA_PREFIX")}
    answer = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=inherited | {"PATH": str(tmp_path)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout), answer.stderr


@pytest.fixture(scope="module")
def here():
    return examine()


def test_a_machine_that_runs_these_tests_is_well(here):
    assert here.ok, commands(here)


def test_the_model_of_the_manual_page_is_fitted_and_its_criterion_shown(here):
    assert here.checks[-1].found == "sleepstudy's REML criterion is 1743.628"  # print(lmer(...)) in lme4's paper


@pytest.mark.slow
def test_the_same_checks_are_made_in_the_same_order_with_an_r_and_without(here, tmp_path):
    found, _ = examined(tmp_path)
    assert [check.name for check in here.checks] == NAMES
    assert [check["name"] for check in found["checks"]] == NAMES


@pytest.mark.slow
def test_without_an_r_the_finding_is_that_and_the_command_that_installs_it(tmp_path):
    (tmp_path / "apt-get").touch(mode=0o755)
    found, table = examined(tmp_path)
    r = found["checks"][0]
    assert found["ok"] is False
    assert r["problem"] == "There is no R on the PATH."
    sudo = "" if os.geteuid() == 0 else "sudo "
    assert r["remedy"] == f"{sudo}apt-get install --no-install-recommends r-base-core"
    assert "There is no R on the PATH." in table


def test_without_an_r_all_that_could_be_better_is_installed_with_it(monkeypatch):
    monkeypatch.delenv("R_HOME", raising=False)
    monkeypatch.setattr(checks, "remedy", lambda *parts: f"install {' '.join(parts)}")
    found = checks.without_r("There is no R on the PATH.")
    wrong = checks.mend(check for check in found if not check.ok).splitlines()[0]
    everything = checks.mend(check for check in found if check.status != "ok").splitlines()[0]
    assert wrong.startswith("install R lme4 compiler")
    assert everything.startswith("install R lme4 lmerTest pbkrtest emmeans OpenBLAS compiler")


@pytest.mark.slow
def test_an_r_home_without_an_r_is_named_and_to_be_unset(tmp_path):
    found, _ = examined(tmp_path, R_HOME="/nowhere")
    assert found["checks"][0]["problem"] == "R_HOME is '/nowhere', where there is no R."
    assert found["checks"][0]["remedy"] == "unset R_HOME"


@pytest.mark.slow
def test_an_r_that_breaks_is_a_finding_with_its_own_words(tmp_path):
    broken = tmp_path / "Rscript"
    broken.write_text(f"#!{shutil.which('sh')}\necho cannot find libR.so >&2\nexit 127\n")
    broken.chmod(0o755)
    found, _ = examined(tmp_path)
    assert found["checks"][0]["problem"] == "R does not run; it said: cannot find libR.so"


def test_an_r_that_never_answers_is_a_finding(tmp_path, monkeypatch):
    slow = tmp_path / "Rscript"
    slow.write_text(f"#!{shutil.which('sh')}\nexec {shutil.which('sleep')} 60\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("R_HOME", raising=False)
    monkeypatch.setattr("lmerbridge.setup.installation.PATIENCE", 0.2)
    assert "timed out after 0.2 seconds" in examine().checks[0].problem


@pytest.mark.slow
def test_nothing_is_fitted_while_a_part_is_missing(tmp_path):
    found, _ = examined(tmp_path)
    assert found["checks"][-1]["problem"] == "not tried, as something above is wrong"


def test_a_worker_that_cannot_start_is_a_finding(monkeypatch):
    def refuse(name):
        raise SetupError("undefined symbol: R_getVar")

    monkeypatch.setattr(doctor, "load_dataset", refuse)
    check = fit_check(able=True)
    assert (check.status, check.problem) == ("wrong", "undefined symbol: R_getVar")


@pytest.mark.parametrize(
    ("r", "found", "wanted"),
    [("4.2.2", "3.6.7", ">=3.6,<3.6.6"), ("4.6.2", "3.6.5", ">=3.6.6"), ("4.2.2", "", ">=3.6,<3.6.6")],
)
def test_an_rpy2_that_does_not_fit_the_r_is_wrong_and_the_one_that_does_is_named(r, found, wanted):
    check = rpy2_check(r, found, compiled=True)
    assert check.status == "wrong"
    assert check.problem == f"rpy2-rinterface{wanted} is expected for R {r}"
    assert re.search(rf"pip install .*--no-cache-dir .*'rpy2-rinterface{re.escape(wanted)}'$", check.remedy)


def test_where_there_is_no_pip_uv_compiles_rpy2(monkeypatch):
    monkeypatch.setattr(checks, "find_spec", lambda name: None)
    command = rpy2_check("4.2.2", "3.6.7", compiled=True).command
    assert command.startswith(f"RPY2_CFFI_MODE=API uv pip install --python {sys.executable} --reinstall --no-deps ")


def test_a_first_rpy2_brings_what_it_needs_and_another_is_installed_alone():
    assert "--no-deps" in rpy2_check("4.2.2", "3.6.7", compiled=True).command
    assert "--no-deps" not in rpy2_check("4.2.2", "", compiled=True).command
    assert "--no-deps" not in rpy2_check(None, "", compiled=False).command


def test_headers_that_are_missing_are_installed_before_rpy2_is_compiled(monkeypatch):
    monkeypatch.setattr(checks.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert rpy2_check("4.2.2", "", compiled=False).parts == ()
    assert rpy2_check("4.2.2", "", compiled=False, headers=False).parts == ("compiler",)
    monkeypatch.setattr(checks.sysconfig, "get_path", lambda name: "/nowhere")
    assert rpy2_check("4.2.2", "", compiled=False).parts == ("python-dev",)


def test_an_rpy2_compiled_without_headers_needs_the_headers_first(monkeypatch):
    monkeypatch.setattr(checks, "remedy", lambda part: f"install the {part}")
    check = rpy2_check("4.2.2", "3.6.5", compiled=False)
    assert check.status == "wrong"
    first, second = check.remedy.splitlines()
    assert first == "install the compiler"
    assert second.startswith("RPY2_CFFI_MODE=API ")


def test_an_rpy2_that_fits_is_well():
    assert rpy2_check("4.2.2", "3.6.5", compiled=True) == Check("rpy2-rinterface", "3.6.5")


def test_an_lme4_with_a_known_error_is_advice_that_names_the_release_without_it():
    check = lme4_check("1.1-31")
    assert check.status == "advice"
    assert "refit() of a REML fit" in check.problem
    assert "1.1-33" in check.problem


@pytest.mark.parametrize(("found", "status"), [("", "wrong"), ("1.1-22", "wrong"), ("1.1-37", "ok"), ("2.1-0", "ok")])
def test_lme4_is_judged_by_its_version(found, status):
    assert lme4_check(found).status == status


def test_an_r_too_old_is_wrong():
    assert r_check("3.6.3", "/usr/lib/R").problem == "R >=4.0 is expected"


def test_an_optional_package_that_is_missing_is_advice():
    assert optional_check("pbkrtest", "").status == "advice"
    assert optional_check("pbkrtest", "0.5.2").status == "ok"


@pytest.mark.parametrize(("library", "optimised"), LIBRARIES)
def test_only_a_reference_blas_draws_advice(library, optimised):
    check = blas_check(library)
    assert check.ok
    assert (check.status == "ok") is optimised


def test_no_utf8_locale_is_wrong():
    assert locale_check(utf8=False).status == "wrong"


def test_advice_alone_leaves_a_machine_well_and_one_wrong_part_does_not():
    advice, wrong = Check("a", "1", True, "slow", "faster"), Check("b", "", False, "missing")
    assert Diagnosis((advice,)).ok
    assert not Diagnosis((advice, wrong)).ok


def test_the_commands_paste_into_a_shell_and_name_what_each_mends():
    checks = (Check("a", "1"), Check("b", "", False, "missing", "install b"))
    assert commands(Diagnosis(checks)) == "# b\ninstall b"
