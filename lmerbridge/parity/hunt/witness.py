"""Whether a finding's own script shows it: the plain call of the engine, with none of our code."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from os import environ
from pathlib import Path

from lmerbridge.files import write_folder
from lmerbridge.parity.hunt import folder, invariance, natives
from lmerbridge.parity.hunt.finding import Finding
from lmerbridge.parity.process import ONE_THREAD

SCRIPT = "reproduce.py"
SECONDS = 180.0  # on a busy machine
SHARE = 0.5  # of the fault, at least: a stop may be another one in the last bits
PRINTED = {"beta", "se", "vcov", "sigma", "fitted"}  # of the reported quantities
REPORTED = 0.005  # half of what makes a finding of a reported number


def is_shown(finding: Finding) -> bool:
    """Whether ``reproduce.py`` shows what is claimed; yes where no script in Python runs the engine."""
    if natives.EngineName.of(finding.engine).package not in natives.PYTHON:
        return True
    with tempfile.TemporaryDirectory() as place:
        write_folder(Path(place, "finding"), folder.texts_of(finding))
        try:
            done = subprocess.run(  # noqa: S603  # this very Python, and a script of ours
                [sys.executable, "-W", "ignore", SCRIPT],
                cwd=Path(place, "finding"),
                env=environ | ONE_THREAD,
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return finding.oracle == "crash"
    return shows(finding, done.stdout, ended=done.returncode == 0)


def shows(finding: Finding, printed: str, *, ended: bool) -> bool:
    """Whether what a script has printed shows a finding.

    Parameters
    ----------
    finding : Finding
    printed : str
    ended : bool
        Whether the script came to its end.
    """
    if finding.oracle == "crash":
        return " fails: " in printed or not ended
    if finding.oracle == "model" or (finding.oracle == "pinned" and not _differences(finding) & PRINTED):
        return True
    if finding.oracle == "nan":
        return "nan" in printed or not ended
    if finding.oracle in invariance.CHANGES and "difference" not in finding.figures:
        return "fails on the changed data" in printed
    if not ended:
        return False
    if finding.oracle == "gap":
        return any(value >= SHARE * finding.size for value in _numbers(printed, "gap"))
    if finding.oracle == "objective":
        return any(value >= SHARE * finding.size for value in _numbers(printed, "difference in criterion"))
    least = REPORTED if finding.oracle == "pinned" else SHARE * finding.size
    return any(not value < least for value in _numbers(printed, "difference in [a-z ]+?"))


def _differences(finding: Finding) -> set[str]:
    """The reported quantities that are wrong."""
    comparison = finding.comparison
    return {*comparison.cause.figures.get("differences", ())} if comparison else set()


def _numbers(printed: str, name: str) -> Iterable[float]:
    return map(float, re.findall(rf"^{name} ([-+\d.einfa]+)", printed, re.MULTILINE))
