"""What is installed here, what is wrong with it, and the command that mends it."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from rich.table import Table
from rich.text import Text

from lmerbridge.datasets import load_dataset
from lmerbridge.errors import LmerBridgeError, SetupError
from lmerbridge.models import lmer
from lmerbridge.setup import (
    SUPPORTED,
    ask_r,
    defects,
    fits,
    newest,
    remedy,
    rinterface_is_compiled,
    rinterface_requirement,
    rinterface_version,
)

OPTIONAL = {  # R package: what is missing without it
    "lmerTest": "no Satterthwaite degrees of freedom",
    "pbkrtest": "no Kenward-Roger degrees of freedom",
    "emmeans": "no marginal means",
}
OPTIMISED = ("openblas", "mkl", "atlas", "blis", "flexiblas", "veclib", "accelerate", "armpl")
STYLE = {"ok": "green", "advice": "yellow", "wrong": "bold red"}


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
    remedy : str
        The commands that mend it, one per line; empty where there is none.
    """

    name: str
    found: str
    ok: bool = True
    problem: str = ""
    remedy: str = ""

    @property
    def status(self) -> Literal["ok", "advice", "wrong"]:
        """The check in one word."""
        if not self.ok:
            return "wrong"
        return "advice" if self.problem else "ok"


@dataclass(frozen=True)
class Diagnosis:
    """All that was looked at: always the same checks, in the same order."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether lmerbridge works here."""
        return all(check.ok for check in self.checks)

    def as_dict(self) -> dict[str, Any]:
        """Return the diagnosis as plain mappings, lists, strings and booleans."""
        return {"ok": self.ok, "checks": [{"status": check.status, **asdict(check)} for check in self.checks]}


def examine() -> Diagnosis:
    """Look at R, its packages, BLAS, the locale and rpy2, and fit one model through all of them.

    Returns
    -------
    Diagnosis
        Whatever is missing or broken is a finding in it; nothing is raised.
    """
    facts: Mapping[str, str] = {}
    try:
        facts = ask_r(["lme4", *OPTIONAL])
    except SetupError as error:
        r = Check("R", "", False, str(error), "unset R_HOME" if "R_HOME" in os.environ else remedy("R"))
    else:
        r = r_check(facts["R"], facts["home"])
    rpy2 = rpy2_check(facts.get("R"), rinterface_version(), compiled=rinterface_is_compiled())
    checks = (r, *session_checks(facts), rpy2)
    return Diagnosis((*checks, fit_check(able=all(check.ok for check in checks))))


def r_check(found: str, home: str) -> Check:
    """Judge the version of R."""
    where = f"{found} in {home}"
    if found in SUPPORTED["R"]:
        return Check("R", where)
    return Check("R", where, False, f"R {SUPPORTED['R']} is expected", remedy("R"))


def session_checks(facts: Mapping[str, str]) -> tuple[Check, ...]:
    """Judge R's packages, BLAS and locale, of which nothing is known without an R."""
    if not facts:
        return tuple(Check(name, "", False, "R could not be asked") for name in ("lme4", *OPTIONAL, "BLAS", "locale"))
    optional = (optional_check(name, facts[name]) for name in OPTIONAL)
    return (
        lme4_check(facts["lme4"]),
        *optional,
        blas_check(facts["BLAS"]),
        locale_check(utf8=facts["UTF8"] == "TRUE"),
    )


def lme4_check(found: str) -> Check:
    """Judge the version of lme4, empty for none."""
    if not found:
        return Check("lme4", "", False, "not installed", remedy("lme4"))
    if found not in SUPPORTED["lme4"]:
        return Check("lme4", found, False, f"lme4 {SUPPORTED['lme4']} is expected", newest("lme4"))
    known = defects("lme4", found)
    problem = "; ".join(f"{defect.effect} (mended in {defect.versions.below})" for defect in known)
    return Check("lme4", found, True, problem, newest("lme4") if known else "")


def optional_check(name: str, found: str) -> Check:
    """Judge a package that lmerbridge can do without, its version empty for none."""
    return Check(name, found) if found else Check(name, "", True, OPTIONAL[name], remedy(name))


def blas_check(library: str) -> Check:
    """Judge the BLAS that R loaded by the path of its library, which R cannot tell everywhere."""
    if not library or any(name in library.lower() for name in OPTIMISED):
        return Check("BLAS", library or "unknown")
    return Check("BLAS", library, True, "crossed designs fit 2 to 4 times faster with OpenBLAS", remedy("OpenBLAS"))


def locale_check(*, utf8: bool) -> Check:
    """Judge whether R can run in C.UTF-8, as the worker's does."""
    if utf8:
        return Check("locale", "C.UTF-8")
    return Check("locale", "", False, "no C.UTF-8: R would garble names that are not ASCII", remedy("C.UTF-8"))


def rpy2_check(r: str | None, found: str, *, compiled: bool) -> Check:
    """Judge rpy2 against this R, the version of either empty or None for none."""
    name = "rpy2-rinterface"
    if r is None or r not in SUPPORTED["R"]:
        return Check(name, found, bool(found), "" if found else "not installed; it is compiled against R")
    wanted = rinterface_requirement(r)
    if not found or not fits(r, found):
        return Check(name, found, False, f"{wanted} is expected for R {r}", compilation(wanted))
    if not compiled:
        return Check(name, found, False, "compiled without R's headers", f"{remedy('compiler')}\n{compilation(wanted)}")
    return Check(name, found)


def compilation(requirement: str) -> str:
    """Return the command that compiles rpy2 for the R that is here, whatever pip has kept from another."""
    pip = f"RPY2_CFFI_MODE=API {shlex.quote(sys.executable)} -m pip install --force-reinstall --no-deps"
    return f"{pip} --no-cache-dir --no-binary rpy2-rinterface {shlex.quote(requirement)}"


def fit_check(*, able: bool) -> Check:
    """Fit the model of ``?lme4::sleepstudy`` as a user would, unless something it needs is missing."""
    if not able:
        return Check("fit", "", False, "not tried, as something above is wrong")
    try:
        fit = lmer("Reaction ~ Days + (Days | Subject)", load_dataset("sleepstudy"))
    except LmerBridgeError as error:
        return Check("fit", "", False, str(error), newest("lme4", "Matrix"))
    return Check("fit", f"sleepstudy's REML criterion is {fit.criterion:.3f}")


def render(diagnosis: Diagnosis) -> Table:
    """Return the diagnosis as a table for the terminal.

    `commands` go below it, so that no cell breaks them.
    """
    table = Table("", "found", "what is wrong", box=None, collapse_padding=True)
    for column in table.columns:
        column.overflow = "fold"
    for check in diagnosis.checks:
        table.add_row(Text(check.name, style=STYLE[check.status]), Text(check.found), Text(check.problem))
    return table


def commands(diagnosis: Diagnosis) -> str:
    """Return the shell commands that mend what is wrong, each check's under a comment that names it."""
    return "\n".join(f"# {check.name}\n{check.remedy}" for check in diagnosis.checks if check.remedy)
