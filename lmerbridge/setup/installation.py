"""The R and the rpy2 that a worker would run, found without starting either inside this process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import IO

from lmerbridge.errors import SetupError
from lmerbridge.setup.environment import environment
from lmerbridge.setup.sources import r_directory

PATIENCE = 60  # seconds for R to start and answer; it takes 0.2


def ask_r(packages: Iterable[str], load: Iterable[str] = ()) -> dict[str, str]:
    """Return what R says of its own installation.

    Parameters
    ----------
    packages : iterable of str
        R packages whose versions are read from their files.
    load : iterable of str
        Those that R is to load as well.

    Returns
    -------
    dict of str to str
        ``R`` and every package: its version, "" where it is missing; ``home`` and ``BLAS``: paths;
        ``headers`` and ``UTF8``: "TRUE" or "FALSE"; ``PACKAGE.error`` and ``PACKAGE.library`` of each that does not
        load: why, and where it is.

    Raises
    ------
    SetupError
        There is no R, or it does not run.
    """
    packages, load = list(packages), list(load)
    source = ["source(commandArgs(TRUE))", f"print_facts(installed_facts({_in_r(packages)}))"]
    source += [f"print_facts(load_errors({_in_r(load)}))"] if load else []
    command = [find_rscript(), "--vanilla", *(word for line in source for word in ("-e", line))]
    with (
        tempfile.TemporaryFile() as out,  # a pipe may be held by what R has started
        tempfile.TemporaryFile() as err,
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,  # an R that dies leaves its files there
    ):
        try:
            done = subprocess.run(  # noqa: S603  # the R that the user has chosen
                [*command, str(r_directory() / "doctor.R")],
                stdout=out,
                stderr=err,
                timeout=PATIENCE,
                env=environment() | {"TMPDIR": folder},
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise SetupError(f"R does not run: {command[0]} timed out after {PATIENCE} seconds.") from error
        except OSError as error:
            raise SetupError(f"R does not run: {error}.") from error
        answer, said = _text(out), _text(err)
    facts = dict(line.split("\t", 1) for line in answer.splitlines() if "\t" in line)
    if "UTF8" not in facts:
        raise SetupError(f"R does not run; it said: {said.strip() or 'nothing'}")
    died = {f"{package}.error": "R ends when it loads it" for package in load if done.returncode}
    return facts | died


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def _in_r(texts: Iterable[str]) -> str:
    return f"c({', '.join(map(json.dumps, texts))})"


def find_rscript() -> str:
    """Return the program of the R that rpy2 takes.

    Raises
    ------
    SetupError
        There is none.
    """
    home, found = os.environ.get("R_HOME"), find_program("Rscript")
    if found is None:
        raise SetupError(f"R_HOME is {home!r}, where there is no R." if home else "There is no R on the PATH.")
    return found


def find_program(name: str) -> str | None:
    """Return a program of the R that rpy2 takes: that of ``R_HOME`` if set, else the first on the path."""
    home = os.environ.get("R_HOME")
    return shutil.which(name, path=f"{home}/bin" if home else None)


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
