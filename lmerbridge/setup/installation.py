"""The R and the rpy2 that a worker would run, found without starting either inside this process."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from lmerbridge.errors import SetupError
from lmerbridge.setup.environment import environment
from lmerbridge.setup.sources import r_directory

PATIENCE = 60  # seconds for R to start and answer; it takes 0.2


def ask_r(packages: Iterable[str]) -> dict[str, str]:
    """Return what R says of its own installation.

    Returns
    -------
    dict of str to str
        ``R`` and every package: its version, "" where it is missing; ``home`` and ``BLAS``: paths;
        ``headers`` and ``UTF8``: "TRUE" or "FALSE".

    Raises
    ------
    SetupError
        There is no R, or it does not run.
    """
    source = [
        "-e",
        "source(commandArgs(TRUE)[1])",
        "-e",
        "print_facts(installed_facts(commandArgs(TRUE)[-1]))",
    ]
    command = [find_rscript(), "--vanilla", *source, str(r_directory() / "doctor.R"), *packages]
    try:
        answer = subprocess.run(  # noqa: S603  # the R that the user has chosen
            command, capture_output=True, timeout=PATIENCE, env=environment(), check=True
        )
    except subprocess.CalledProcessError as error:
        raise SetupError(f"R does not run; it said: {error.stderr.decode(errors='replace').strip()}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SetupError(f"R does not run: {error}.") from error
    return dict(line.split("\t", 1) for line in answer.stdout.decode().splitlines() if "\t" in line)


def find_rscript() -> str:
    """Return the program of the R that rpy2 takes: that of ``R_HOME`` if set, else the first on the path."""
    home = os.environ.get("R_HOME")
    found = shutil.which("Rscript", path=f"{home}/bin") if home else shutil.which("Rscript")
    if found is None:
        raise SetupError(f"R_HOME is {home!r}, where there is no R." if home else "There is no R on the PATH.")
    return found


def rinterface_version() -> str:
    """Return the version of rpy2-rinterface beside this package, "" where there is none."""
    try:
        return version("rpy2-rinterface")
    except PackageNotFoundError:
        return ""


def rinterface_is_compiled() -> bool:
    """Return whether rpy2 was compiled against R's headers.

    Its fallback without them is slow and brittle.
    """
    return find_spec("_rinterface_cffi_api") is not None
