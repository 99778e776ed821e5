"""What is installed here, what is wrong with it, and the command that mends it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from lmerbridge.datasets import load_dataset
from lmerbridge.errors import LmerBridgeError, SetupError
from lmerbridge.models import lmer
from lmerbridge.setup import Check, check_parts, mend, newest
from lmerbridge.text import clean

STATUS = ("ok", "advice", "wrong")
INDENT = " " * 8


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
        fields = ("status", "name", "found", "ok", "problem", "remedy")
        return {"ok": self.ok, "checks": [{name: getattr(check, name) for name in fields} for check in self.checks]}


def examine() -> Diagnosis:
    """Look at R, its packages, BLAS, the locale and rpy2, and fit one model through all of them.

    Returns
    -------
    Diagnosis
        Whatever is missing or broken is a finding in it; nothing is raised.
    """
    checks = check_parts(load=True)
    return Diagnosis((*checks, fit_check(able=all(check.ok for check in checks))))


def fit_check(*, able: bool) -> Check:
    """Fit the model of ``?lme4::sleepstudy`` as a user would, unless something it needs is missing."""
    if not able:
        return Check("fit", "", False, "not tried, as something above is wrong")
    try:
        fit = lmer("Reaction ~ Days + (Days | Subject)", load_dataset("sleepstudy"))
    except SetupError as error:  # it says itself what mends it
        return Check("fit", "", False, str(error))
    except LmerBridgeError as error:
        return Check("fit", "", False, str(error), newest("lme4", "Matrix"))
    return Check("fit", f"sleepstudy's REML criterion is {fit.criterion:.3f}")


def render(diagnosis: Diagnosis) -> str:
    """Return the diagnosis as text, a check per line and what is to be remarked below it: no word is ever broken.

    `commands` go below it.
    """
    width = max(len(check.name) for check in diagnosis.checks)
    lines = []
    for check in diagnosis.checks:
        lines.append(f"{check.status:8}{check.name:{width}}  {check.found}".rstrip())
        lines += [f"{INDENT}{' ' * width}  {line}" for line in check.problem.splitlines()]
    return clean("\n".join(lines))


def commands(diagnosis: Diagnosis) -> str:
    """Return the shell command that mends all that is wrong, and that for what could be better, each under names."""
    groups = [[check for check in diagnosis.checks if check.status == status and check.remedy] for status in STATUS]
    return "\n".join(f"# {', '.join(check.name for check in group)}\n{mend(group)}" for group in groups[::-1] if group)


def tell(*, as_json: bool = False) -> int:
    """Print the diagnosis and the commands, and return the exit status: 1 where something must be mended."""
    diagnosis = examine()
    if as_json:
        print(json.dumps(diagnosis.as_dict(), indent=2, ensure_ascii=False))
    else:
        print(*filter(None, (render(diagnosis), commands(diagnosis))), sep="\n")
    if not (as_json or diagnosis.ok):
        print("# `lmerbridge setup` runs what mends it.")
    return int(not diagnosis.ok)
