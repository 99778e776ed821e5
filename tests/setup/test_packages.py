import subprocess
import sys

import pytest

from lmerbridge.setup import packages
from lmerbridge.setup.packages import MANAGERS, SYSTEM, install_commands, manager, package_names

ALL = [*SYSTEM, "lme4", "lmerTest"]
CRAN = 'install.packages(c("lme4", "lmerTest"), repos = "https://cloud.r-project.org")'


@pytest.mark.parametrize("manager", MANAGERS)
def test_every_manager_has_a_name_for_every_part_or_says_that_it_needs_none(manager):
    assert all(isinstance(SYSTEM[part][manager], str) for part in SYSTEM)


@pytest.mark.parametrize("manager", MANAGERS)
def test_every_r_package_asked_for_is_installed_by_some_command(manager):
    together = " ".join(install_commands(manager, ALL)).lower()
    assert "lme4" in together
    assert "lmertest" in together


def test_fedora_and_homebrew_compile_r_packages_from_cran_with_what_that_needs():
    assert install_commands("dnf", ["lme4", "lmerTest"]) == (
        "sudo dnf install R-core-devel gcc-c++ cmake",
        f"sudo Rscript -e '{CRAN}'",
    )
    assert install_commands("brew", ["lme4", "lmerTest"]) == ("brew install cmake", f"Rscript -e '{CRAN}'")


def test_a_name_that_a_shell_would_expand_is_quoted():
    assert install_commands("conda", ["OpenBLAS"]) == ("conda install -c conda-forge 'libblas=*=*openblas'",)


def test_a_package_two_parts_need_is_named_once():
    (install, _) = install_commands("dnf", ["compiler", "lme4"])
    assert install.split().count("R-core-devel") == 1


def test_an_active_conda_environment_comes_before_the_system(monkeypatch):
    monkeypatch.setenv("CONDA_PREFIX", "/somewhere")
    assert manager() == "conda"


def test_without_any_known_manager_conda_is_named_as_it_runs_everywhere(monkeypatch, tmp_path):
    monkeypatch.delenv("CONDA_PREFIX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert manager() == "conda"


@pytest.mark.parametrize("manager", MANAGERS)
def test_the_manager_is_known_by_its_program(manager, monkeypatch, tmp_path):
    program = tmp_path / MANAGERS[manager][0]
    program.touch(mode=0o755)
    monkeypatch.delenv("CONDA_PREFIX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert packages.manager() == manager


def test_the_file_runs_alone_before_anything_is_installed():
    command = [sys.executable, "-I", "-S", packages.__file__, "names", "apt", "R", "lme4"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "r-base-core r-cran-lme4\n"


def test_conda_names_follow_its_own_spelling():
    assert package_names("conda", ["lmerTest"]) == ["r-lmertest"]


@pytest.fixture
def debian(monkeypatch, tmp_path):
    """A machine with apt and nothing else, whose lists of packages are there."""
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "deb.debian.org_dists_trixie_main_Packages").touch()
    for name, value in {"LISTS": tmp_path / "lists", "DPKG": tmp_path, "manager": lambda: "apt"}.items():
        monkeypatch.setattr(packages, name, value)
    monkeypatch.setattr(packages.os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("R_HOME", raising=False)
    return tmp_path


def test_a_container_without_lists_of_packages_fetches_them_first(debian):
    assert packages.remedy("R") == "apt-get install --no-install-recommends r-base-core"
    next((debian / "lists").iterdir()).unlink()
    assert packages.remedy("R") == "apt-get update\napt-get install --no-install-recommends r-base-core"


def test_a_package_whose_files_are_gone_is_installed_again(debian):
    listing = debian / "r-cran-lme4.list"
    for file, again in ((debian, ""), ("/usr/lib/R/nowhere", " --reinstall"), ("/usr/share/doc/nowhere", "")):
        listing.write_text(f"/.\n{file}\n")
        assert packages.remedy("lme4") == f"apt-get install{again} --no-install-recommends r-cran-lme4"


def test_an_r_that_apt_did_not_install_takes_its_packages_from_cran(debian):
    (debian / "R").write_text(f"#!/bin/sh\necho {debian}\n")
    (debian / "R").chmod(0o755)
    *install, cran = packages.remedy("lme4", "compiler").splitlines()
    assert install == ["apt-get install --no-install-recommends libtirpc-dev build-essential gfortran cmake"]
    assert cran.startswith('Rscript -e \'install.packages(c("lme4")')
    (debian / "R").write_text("#!/bin/sh\nexit 1\n")
    assert packages.remedy("lme4") == "apt-get install --no-install-recommends r-cran-lme4"
