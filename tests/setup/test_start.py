"""An R that cannot start: one error says what is wrong with each part, and one command mends them all."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lmerbridge import time_limit
from lmerbridge.bridge import host
from lmerbridge.errors import SetupError, TimedOut, WorkerDied
from lmerbridge.setup import checks
from tests.processes import ends, in_r, run

R = shutil.which("R")
ASK = """
from lmerbridge.bridge import host
from lmerbridge.errors import SetupError
try:
    host.call("session_facts")
except SetupError as error:
    print(error)
"""
PIP = f"RPY2_CFFI_MODE=API {shlex.quote(sys.executable)} -m pip install --force-reinstall --no-deps"
ROOT = "" if os.geteuid() == 0 else "sudo "
APT = f"{ROOT}apt-get install --no-install-recommends"
DESCRIPTION = (
    "Package: {0}\nVersion: 1.1-31\nTitle: T\nDescription: D.\nLicense: GPL-2\nAuthor: A\nMaintainer: M <m@e>\n"
)


def program(folder, name, text):
    """Write a program of the shell, and return the path on which it comes first."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!{shutil.which('sh')}\n{text}\n")
    (folder / name).chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def told(**environment):
    """Return the lines of the error of a first call."""
    return run(ASK, CONDA_PREFIX="", **environment).splitlines()


@pytest.fixture
def apt(tmp_path):
    """The only program on a path."""
    return program(tmp_path / "bin", "apt-get", "exit 1").partition(":")[0]


@pytest.mark.slow
def test_without_an_r_one_command_installs_all_parts(apt):
    found, *command, doctor = told(PATH=apt, R_HOME="")
    assert found.startswith("R could not be started (R: There is no R on the PATH; lme4: R could not be asked; rpy2-")
    assert command[0] == f"{APT} r-base-core r-cran-lme4 r-base-dev libtirpc-dev &&"
    assert command[1].startswith(PIP)
    assert len(command) == 2
    assert doctor == "`lmerbridge doctor` says what is wrong."


@pytest.mark.slow
def test_an_r_home_without_an_r_is_to_be_unset_and_nothing_is_to_be_installed(apt):
    found, *command, _ = told(PATH=apt, R_HOME="/nowhere")
    assert "R_HOME is '/nowhere', where there is no R; " in found
    assert command == ["unset R_HOME"]


def library(folder, name, code):
    """Make a source package and install it in a library, where R does not try to load it."""
    source = folder / "source" / name
    (source / "R").mkdir(parents=True)
    (source / "DESCRIPTION").write_text(DESCRIPTION.format(name))
    (source / "NAMESPACE").write_text("")
    (source / "R" / "all.R").write_text(code)
    (folder / "library").mkdir()
    command = [R, "CMD", "INSTALL", "--no-test-load", f"--library={folder / 'library'}", source]
    subprocess.run(command, check=True, capture_output=True)
    return str(folder / "library")


BROKEN = {  # code of a package in the place of lme4: what is said of it
    ".onLoad <- function(...) stop('function cholmod_factor_ldetA\\nis not provided by package Matrix')": (
        ".onLoad failed in loadNamespace() for 'lme4', details: call: fun(libname, pkgname) error: function "
        "cholmod_factor_ldetA is not provided by package Matrix"
    ),
    ".onLoad <- function(...) tools::pskill(Sys.getpid(), 11)": "R ends when it loads it",
    ".onLoad <- function(...) quit('no', 3)": "R ends when it loads it",
}


@pytest.mark.slow
@pytest.mark.parametrize("code", BROKEN)
def test_an_lme4_that_does_not_load_is_to_be_compiled_anew_where_it_is(code, tmp_path):
    where = library(tmp_path, "lme4", code)
    found, *command, _ = told(R_LIBS=where)
    assert found == f"R could not be started (lme4: R cannot load it: {BROKEN[code]}). This mends it:"
    into = f', lib = "{where}"' if "Matrix" in code else ""
    install = f'install.packages(c("lme4"){into}, repos = "https://cloud.r-project.org")'
    assert command == [f"{'' if into else ROOT}Rscript -e {shlex.quote(install)}"]


def without_lme4(folder):
    """Return the path of an Rscript that finds no lme4, and of an R that does neither."""
    hide = "R_LIBS_SITE=/nonexistent R_LIBS_USER=/nonexistent R_LIBS= "
    program(folder, "R", f'export {hide}\nexec {R} "$@"')
    return program(folder, "Rscript", f'export {hide}\nexec {shutil.which("Rscript")} "$@"')


@pytest.mark.slow
@pytest.mark.skipif(Path("/usr/lib/R/library/lme4").exists(), reason="lme4 is in the library that R always has")
def test_without_lme4_the_command_installs_it_and_nothing_else(tmp_path):
    program(tmp_path / "bin", "apt-get", "exit 1")
    found, *command, _ = told(PATH=without_lme4(tmp_path / "bin"), R_HOME="")
    assert found == "R could not be started (lme4: not installed). This mends it:"
    assert command == [f"{APT} r-cran-lme4"]


def rpy2(folder, version, module):
    """Put another rpy2 before the one that is installed, and return the path of Python."""
    (folder / "rpy2" / "rinterface").mkdir(parents=True)
    (folder / "rpy2" / "__init__.py").touch()
    (folder / "rpy2" / "situation.py").touch()
    (folder / "rpy2" / "rinterface" / "__init__.py").write_text(module)
    information = folder / f"rpy2_rinterface-{version}.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: rpy2-rinterface\nVersion: {version}\n")
    return str(folder)


SYMBOL = "raise ImportError('_rinterface_cffi_api.abi3.so: undefined symbol: R_getVar')"
UNFIT = checks.rinterface_requirement(checks.ask_r([])["R"])
OTHER = "3.6.7" if "<" in UNFIT else "3.6.5"


@pytest.mark.slow
@pytest.mark.parametrize("module", [SYMBOL, "import _rinterface_cffi_abi"])
def test_an_rpy2_for_another_r_is_told_in_a_line_with_the_command_of_pip(module, tmp_path):
    found, *command, _ = told(PYTHONPATH=rpy2(tmp_path, OTHER, module))
    r = checks.ask_r([])["R"]
    assert found == f"R could not be started (rpy2-rinterface: {UNFIT} is expected for R {r}). This mends it:"
    assert command == [f"{PIP} --no-cache-dir --no-binary rpy2-rinterface {shlex.quote(UNFIT)}"]


@pytest.mark.slow
def test_an_rpy2_that_should_fit_and_does_not_load_is_to_be_compiled_again(tmp_path):
    found, *command, _ = told(PYTHONPATH=rpy2(tmp_path, checks.rinterface_version(), SYMBOL))
    assert "rpy2-rinterface: it does not load: ImportError: _rinterface_cffi_api.abi3.so: undefined symbol" in found
    assert [line.startswith(PIP) for line in command] == [True]


def test_what_a_command_without_a_requirement_asks_for_is_what_the_r_that_is_here_needs():
    shell = f"printf %s {checks.compilation().rpartition(' rpy2-rinterface ')[2]}"
    done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=True)
    assert done.stdout == UNFIT


@pytest.mark.slow
def test_an_r_that_exits_at_once_is_named_with_its_last_words(tmp_path):
    path = program(tmp_path / "bin", "R", "echo this is no R\nexit 3")
    (found,) = told(PATH=path, R_HOME="")
    assert found == (
        f"R could not be started (it ended with 3, and {tmp_path}/bin/R said: this is no R); "
        "`lmerbridge doctor` says what is wrong."
    )


@pytest.fixture
def hanging(tmp_path, monkeypatch):
    """An R that starts a process which hangs; the file in which the number of that is."""
    host.close()
    pid = tmp_path / "pid"
    monkeypatch.setenv("PATH", program(tmp_path / "bin", "R", f"sleep 600 & echo $! >{pid}\nwait"))
    monkeypatch.delenv("R_HOME", raising=False)
    yield pid
    host.close()


@pytest.mark.slow
def test_a_start_that_hangs_ends_with_an_error_that_says_so_and_nothing_is_left(hanging, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(host, "START_PATIENCE", 1.0)
        with pytest.raises(SetupError, match=r"could not be started \(not within 1 s, and .*/bin/R said: nothing\)"):
            host.call("session_facts")
    assert ends(int(hanging.read_text()))
    with pytest.raises(TimedOut), time_limit(0.2):
        host.call("session_facts")


@pytest.mark.slow
def test_the_first_call_after_the_remedy_works(hanging, monkeypatch):
    monkeypatch.setattr(host, "START_PATIENCE", 1.0)
    with pytest.raises(SetupError):
        host.call("session_facts")
    monkeypatch.undo()
    assert in_r("1") == [1]


def test_notes_are_no_faults_and_need_no_command():
    notes = [checks.optional_check("pbkrtest", ""), checks.blas_check("/usr/lib/libRblas.so")]
    assert [check.ok for check in notes] == [True, True]
    assert checks.lme4_check("1.1-31").remedy == ""
    assert "install.packages" in checks.lme4_check("2.0-1").remedy


@pytest.mark.parametrize("user", [0, 1000])
def test_root_has_no_need_of_sudo(user, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(checks.remedy.__globals__["os"], "geteuid", lambda: user)
    assert checks.Check("a", "", False, "missing", parts=("R",)).remedy.startswith("sudo ") is (user != 0)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_a_process_that_is_killed_while_it_starts_is_no_fault_of_the_setup(number):
    host.close()
    started = host.worker()
    os.kill(started._process.pid, number)
    with pytest.raises(WorkerDied, match="the next call starts another"):
        started.call("session_facts")
    assert in_r("1") == [1]
