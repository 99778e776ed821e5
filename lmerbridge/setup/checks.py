"""What of R, its packages and rpy2 is here, what is wrong with it, and the one command that mends it all."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import sysconfig
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from lmerbridge.errors import SetupError
from lmerbridge.setup.compat import SUPPORTED, defects, fits, rinterface_requirement
from lmerbridge.setup.installation import ask_r, find_program, rinterface_is_compiled, rinterface_version
from lmerbridge.setup.packages import is_torn, newest, remedy

OPTIONAL = {  # R package: what is missing without it
    "lmerTest": "no Satterthwaite degrees of freedom",
    "pbkrtest": "no Kenward-Roger degrees of freedom",
    "emmeans": "no marginal means",
}
OPTIMISED = ("openblas", "mkl", "atlas", "blis", "flexiblas", "veclib", "accelerate", "armpl")
UNKNOWN = "R could not be asked"
RPY2 = "rpy2-rinterface"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes
    ----------
    name : str
    found : str
        What is there; empty where nothing is.
    ok : bool
        Whether lmerbridge works with it; a problem beside `ok` is advice.
    problem : str
        What is wrong, or could be better; empty where nothing is.
    command : str
        What mends it once the parts are there; empty where there is no such command.
    parts : tuple of str
        What the package manager installs first: see `packages.install_commands`.
    """

    name: str
    found: str
    ok: bool = True
    problem: str = ""
    command: str = ""
    parts: tuple[str, ...] = ()

    @property
    def status(self) -> Literal["ok", "advice", "wrong"]:
        """The check in one word."""
        if not self.ok:
            return "wrong"
        return "advice" if self.problem else "ok"

    @property
    def remedy(self) -> str:
        """The commands that mend it, one per line; empty where there is none."""
        return "\n".join(_commands([self]))


def mend(checks: Iterable[Check]) -> str:
    r"""Return the one command that mends what was found; it goes on over lines that end in ``&&``.

    Examples
    --------
    >>> mend([Check("a", "", False, "too old", "renew a"), Check("b", "", False, "too old", "renew b")])
    'renew a &&\nrenew b'
    """
    return " &&\n".join(_commands(list(checks)))


def _commands(checks: Sequence[Check]) -> list[str]:
    install = remedy(*dict.fromkeys(part for check in checks for part in check.parts))
    commands = [install, *(check.command for check in checks)]
    return list(dict.fromkeys(line for text in commands for line in text.splitlines()))


def check_parts(*, load: bool = False) -> tuple[Check, ...]:
    """Look at R, its packages, BLAS, the locale and rpy2: always the same checks, in the same order.

    Parameters
    ----------
    load : bool
        Whether R is to load lme4 as well, which takes a second.
    """
    try:
        facts = ask_r(["lme4", *OPTIONAL], ["lme4"] if load else [])
    except SetupError as error:
        return without_r(str(error))
    there = {"compiled": rinterface_is_compiled(), "headers": facts["headers"] == "TRUE"}
    rpy2 = rpy2_check(facts["R"], rinterface_version(), **there)
    return (r_check(facts["R"], facts["home"]), *session_checks(facts), rpy2)


def without_r(problem: str) -> tuple[Check, ...]:
    """Return the checks where R does not answer: what needs R is to be installed with it, unless R_HOME is wrong."""
    parts = {name: (name,) for name in OPTIONAL} | {"BLAS": ("OpenBLAS",), "locale": ()}
    if os.environ.get("R_HOME"):
        rest = [Check(name, "", True, UNKNOWN) for name in parts]
        r = Check("R", "", False, problem, "unset R_HOME")
        return (r, Check("lme4", "", False, UNKNOWN), *rest, Check(RPY2, rinterface_version(), False, UNKNOWN))
    rest = [Check(name, "", True, UNKNOWN, parts=wanted) for name, wanted in parts.items()]
    r, lme4 = Check("R", "", False, problem, parts=("R",)), Check("lme4", "", False, UNKNOWN, parts=("lme4",))
    return (r, lme4, *rest, rpy2_check(None, rinterface_version(), compiled=False))


def start_error(said: str, how: str, *, told: bool) -> SetupError | None:
    """Return why R could not be started, with the one command that mends it where a part is missing or broken.

    Parameters
    ----------
    said : str
        What the process said before it ended.
    how : str
        How it failed to start, in a few words.
    told : bool
        Whether to tell that where nothing is wrong with any part; else nothing is returned.
    """
    last = (said.splitlines() or ["nothing"])[-1]
    wrong = [check for check in check_parts(load=True) if not check.ok]
    if not wrong and any(sign in said for sign in ("rinterface", "undefined symbol")):
        wrong = [unloadable_rpy2(last)]
    doctor = "`lmerbridge doctor` says what is wrong."
    if not (wrong or told):
        return None
    if not wrong:
        return SetupError(f"R could not be started ({how}, and {find_program('R')} said: {last}); {doctor}")
    found = "; ".join(f"{check.name}: {check.problem.rstrip('.')}" for check in wrong)
    return SetupError(f"R could not be started ({found}). This mends it:\n{mend(wrong)}\n{doctor}")


def r_check(found: str, home: str) -> Check:
    """Judge the version of R."""
    where = f"{found} in {home}"
    if found in SUPPORTED["R"]:
        return Check("R", where)
    return Check("R", where, False, f"R {SUPPORTED['R']} is expected", parts=("R",))


def session_checks(facts: Mapping[str, str]) -> tuple[Check, ...]:
    """Judge R's packages, BLAS and locale."""
    return (
        lme4_check(facts["lme4"], facts.get("lme4.error", ""), facts.get("lme4.library", "")),
        *(optional_check(name, facts[name]) for name in OPTIONAL),
        blas_check(facts["BLAS"]),
        locale_check(utf8=facts["UTF8"] == "TRUE"),
    )


def lme4_check(found: str, error: str = "", library: str = "") -> Check:
    """Judge the version of lme4, empty for none, and why R cannot load it from its library, empty where it can."""
    if not found:
        return Check("lme4", "", False, "not installed", parts=("lme4",))
    if found not in SUPPORTED["lme4"]:
        return Check("lme4", found, False, f"lme4 {SUPPORTED['lme4']} is expected", newest("lme4"))
    if error:
        mends = {"parts": ("lme4",)} if is_torn("lme4") else {"command": newest("lme4", library=library)}
        return Check("lme4", found, False, f"R cannot load it: {error}", **mends)
    known = defects("lme4", found)
    problem = "; ".join(f"{defect.effect} (mended in {defect.versions.below})" for defect in known)
    return Check("lme4", found, True, problem, "" if all(d.worked_around for d in known) else newest("lme4"))


def optional_check(name: str, found: str) -> Check:
    """Judge a package that lmerbridge can do without, its version empty for none."""
    return Check(name, found) if found else Check(name, "", True, OPTIONAL[name], parts=(name,))


def blas_check(library: str) -> Check:
    """Judge the BLAS that R loaded by the path of its library, which R cannot tell everywhere."""
    if not library or any(name in library.lower() for name in OPTIMISED):
        return Check("BLAS", library or "unknown")
    return Check("BLAS", library, True, "crossed designs fit 2 to 4 times faster with OpenBLAS", parts=("OpenBLAS",))


def locale_check(*, utf8: bool) -> Check:
    """Judge whether R can run in C.UTF-8, as the worker's does."""
    if utf8:
        return Check("locale", "C.UTF-8")
    return Check("locale", "", False, "no C.UTF-8: R would garble names that are not ASCII", parts=("C.UTF-8",))


def rpy2_check(r: str | None, found: str, *, compiled: bool, headers: bool = True) -> Check:
    """Judge rpy2 against this R, the version of either empty or None for none, and whether R's headers are there."""
    again = bool(found)
    if r is None or r not in SUPPORTED["R"]:
        problem = "it is compiled against R, which comes first"
        return Check(RPY2, found, False, problem, compilation(again=again), compiler(headers=False))
    wanted = rinterface_requirement(r)
    command = compilation(wanted, again=again)
    if not found or not fits(r, found):
        return Check(RPY2, found, False, f"{wanted} is expected for R {r}", command, compiler(headers=headers))
    if not compiled:
        return Check(RPY2, found, False, "compiled without R's headers", command, compiler(headers=False))
    return Check(RPY2, found)


def unloadable_rpy2(error: str) -> Check:
    """Judge an rpy2 that should run this R and does not, as one that was compiled against another R does not."""
    return Check(RPY2, rinterface_version(), False, f"it does not load: {error}", compilation(), compiler())


def compiler(*, headers: bool = True) -> tuple[str, ...]:
    """Return the parts that compile against R, whose headers are there or not, and Python, unless they are there."""
    r = headers and shutil.which("cc") and shutil.which("make")
    python = Path(sysconfig.get_path("include"), "Python.h").exists()
    return (*(() if r else ("compiler",)), *(() if python else ("python-dev",)))


def compilation(requirement: str = "", *, again: bool = True) -> str:
    """Return the command that compiles rpy2 for the R that is here, whatever pip has kept from another.

    Without a requirement it is that of the R which is there when the command runs. Where there is one to install
    again, what it needs is there too.
    """
    python = shlex.quote(sys.executable)
    pip, anew, cache = f"{python} -m pip install", " --force-reinstall --no-deps", "--no-cache-dir"
    if find_spec("pip") is None:  # as in an environment that uv made
        pip, anew, cache = f"uv pip install --python {python}", " --reinstall --no-deps", "--no-cache"
    asked = f'"$({python} -m lmerbridge.setup.compat "$(Rscript -e \'cat(format(getRversion()))\')")"'
    wanted = shlex.quote(requirement) if requirement else asked
    return f"RPY2_CFFI_MODE=API {pip}{anew if again else ''} {cache} --no-binary rpy2-rinterface {wanted}"
