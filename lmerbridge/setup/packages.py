"""Which package of which package manager supplies R, its packages, what rpy2 is compiled with and a browser.

The standard library is all this module needs, so that `make setup` can run it as a file before anything is
installed: ``python3 -I lmerbridge/setup/packages.py apt R lme4`` prints the command that installs both.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

MANAGERS = {  # the name of its program, and how it installs
    "apt": ("apt-get", "sudo apt-get install --no-install-recommends"),
    "dnf": ("dnf", "sudo dnf install"),
    "brew": ("brew", "brew install"),
    "conda": ("conda", "conda install -c conda-forge"),
}

SYSTEM = {  # part: what each manager calls it; Homebrew itself needs a compiler, so macOS has one
    "R": {"apt": "r-base-core", "dnf": "R-core", "brew": "r", "conda": "r-base"},
    "compiler": {
        "apt": "r-base-dev libtirpc-dev",
        "dnf": "R-core-devel gcc gcc-c++ make libtirpc-devel",
        "brew": "",
        "conda": "c-compiler make",
    },
    "python-dev": {
        "apt": "python3-dev python3-venv",
        "dnf": "python3-devel",
        "brew": "python",
        "conda": "python",
    },
    "OpenBLAS": {
        "apt": "libopenblas0-serial",
        "dnf": "flexiblas-openblas-serial",
        "brew": "openblas",
        "conda": "libblas=*=*openblas",
    },
    "chromium": {"apt": "chromium", "dnf": "chromium", "brew": "chromium", "conda": ""},  # only tests need it
    "C.UTF-8": {"apt": "libc-bin", "dnf": "glibc-minimal-langpack", "brew": "", "conda": ""},
}

COMPILERS = {"dnf": "R-core-devel gcc-c++ cmake", "brew": "cmake"}  # what CRAN's sources need
OF_SOURCES = ["build-essential", "gfortran", "cmake"]  # the same where there is apt
PREFIX = {"apt": "r-cran-", "conda": "r-"}
LISTS, DPKG = Path("/var/lib/apt/lists"), Path("/var/lib/dpkg/info")  # what apt can install, and has
SUDO = {"apt": "sudo ", "dnf": "sudo ", "brew": "", "conda": ""}  # whether R's library is the system's


def install_commands(manager: str, parts: Iterable[str]) -> tuple[str, ...]:
    """Return the shell commands that install these parts.

    Parameters
    ----------
    manager : {"apt", "dnf", "brew", "conda"}
    parts : iterable of str
        Keys of `SYSTEM`, and names of R packages.

    Examples
    --------
    >>> install_commands("apt", ["R", "lme4"])
    ('sudo apt-get install --no-install-recommends r-base-core r-cran-lme4',)
    >>> install_commands("brew", ["R"])
    ('brew install r',)
    """
    parts = list(parts)
    from_cran = [part for part in parts if part not in SYSTEM and manager not in PREFIX]
    wanted = package_names(manager, parts) + (COMPILERS[manager].split() if from_cran else [])
    install = f"{MANAGERS[manager][1]} {shlex.join(dict.fromkeys(wanted))}"
    return (*([install] if wanted else []), *([from_source(manager, from_cran)] if from_cran else []))


def package_names(manager: str, parts: Iterable[str]) -> list[str]:
    """Return the manager's names of these parts, without R packages that come from CRAN.

    Examples
    --------
    >>> package_names("conda", ["R", "lmerTest"])
    ['r-base', 'r-lmertest']
    """
    found: list[str] = []
    for part in parts:
        if part in SYSTEM:
            found += SYSTEM[part][manager].split()
        elif manager in PREFIX:
            found.append(PREFIX[manager] + part.lower())
    return found


def from_source(manager: str, packages: Iterable[str], library: str = "") -> str:
    """Return the command that compiles the newest releases of R packages from CRAN, into a library or into R's own."""
    quoted = ", ".join(f'"{package}"' for package in packages)
    into = f', lib = "{library}"' if library else ""
    install = f'install.packages(c({quoted}){into}, repos = "https://cloud.r-project.org")'
    return f"{'' if library and os.access(library, os.W_OK) else SUDO[manager]}Rscript -e {shlex.quote(install)}"


def manager() -> str:
    """Return the package manager to name to the user: an active conda environment's, else the system's."""
    if os.environ.get("CONDA_PREFIX"):
        return "conda"
    return next((name for name, (program, _) in MANAGERS.items() if shutil.which(program)), "conda")


def remedy(*parts: str) -> str:
    """Return the commands that install these parts on this machine, one per line."""
    commands = _of_apt(parts) if manager() == "apt" else install_commands(manager(), parts)
    return "\n".join(map(_for_user, commands))


def _of_apt(parts: Sequence[str]) -> list[str]:
    """Return the commands where there is apt: its lists first where it has none, as in a container.

    An R that is not apt's sees none of its packages and has headers of its own.
    """
    foreign = has_foreign_r()
    others = [part for part in parts if part not in SYSTEM] if foreign else []
    wanted = package_names("apt", [part for part in parts if part not in others])
    if others or (foreign and "compiler" in parts):
        wanted = [name for name in wanted if name != "r-base-dev"] + OF_SOURCES
    how = MANAGERS["apt"][1].replace("install", "install --reinstall" if any(map(is_torn, parts)) else "install", 1)
    install = [f"{how} {shlex.join(dict.fromkeys(wanted))}"] if wanted else []
    lists = ["sudo apt-get update"] if install and not any(LISTS.glob("*Packages*")) else []
    return [*lists, *install, *([from_source("apt", others)] if others else [])]


def has_foreign_r() -> bool:
    """Return whether there is an R that apt did not install."""
    home = os.environ.get("R_HOME")
    if home is None and (program := shutil.which("R")):
        with suppress(OSError, subprocess.SubprocessError):
            asked = subprocess.run([program, "RHOME"], capture_output=True, text=True, timeout=10, check=True)  # noqa: S603
            home = asked.stdout.strip()
    return bool(home) and home != "/usr/lib/R" and Path(str(home)).is_dir()


def is_torn(package: str) -> bool:
    """Return whether Debian's package of an R package is installed and lacks files that R needs."""
    listing = DPKG / f"{PREFIX['apt']}{package.lower()}.list"
    files = listing.read_text().splitlines() if listing.exists() else []
    return not all(os.path.exists(file) for file in files if file.startswith("/usr/lib/R"))


def newest(*packages: str, library: str = "") -> str:
    """Return the command that installs CRAN's newest releases, where the manager's own are too old or broken."""
    return _for_user(from_source(manager(), packages, library))


def _for_user(command: str) -> str:
    """Return a command without sudo where this is root, who may have none."""
    return command.removeprefix("sudo ") if os.geteuid() == 0 else command


if __name__ == "__main__":
    if sys.argv[1] == "names":
        print(*package_names(sys.argv[2], sys.argv[3:]))
    else:
        print(*install_commands(sys.argv[1], sys.argv[2:]), sep="\n")
