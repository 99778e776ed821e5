"""``lmerbridge setup``: the command that mends what is wrong, shown and run."""

from __future__ import annotations

import os
import subprocess
import sys

from lmerbridge.setup.checks import check_parts, mend

ANSWERS = "y\n" * 1000  # to whatever a package manager asks
DOCTOR = [sys.executable, "-m", "lmerbridge", "doctor"]


def set_up(*, yes: bool = False, dry_run: bool = False, everything: bool = False) -> int:
    """Show the command that mends what is wrong, run it, and have doctor look again.

    Parameters
    ----------
    yes : bool
        Whether it runs without a question, and its own questions are answered with yes.
    dry_run : bool
        Whether it is shown and not run.
    everything : bool
        Whether what could be better is mended too.

    Returns
    -------
    int
        The exit status: that of the command, or of doctor where it is 0 or there is none; 1 where it was not run.
    """
    wanted = ("wrong", "advice") if everything else ("wrong",)
    command = mend(check for check in check_parts(load=True) if check.status in wanted)
    if command:
        print(command, flush=True)
        if dry_run or not _may_run(command, yes):
            return 1
    return (_run(command, yes) if command else 0) or subprocess.run(DOCTOR, check=False).returncode  # noqa: S603


def _may_run(command: str, yes: bool) -> bool:
    """Ask the user, who without a terminal is nobody."""
    if command.startswith("unset "):
        print("This is for your own shell, whose variables no other program changes.")
        return False
    if not (yes or sys.stdin.isatty()):
        print("Nothing was run; `lmerbridge setup --yes` runs it.")
        return False
    return yes or input("Run it? [y/N] ").strip().lower() in ("y", "yes")


def _run(command: str, yes: bool) -> int:
    """Run a command that says itself what it does, and return its exit status."""
    environment = os.environ | ({"DEBIAN_FRONTEND": "noninteractive"} if yes else {})
    done = subprocess.run(  # noqa: S603  # doctor's own command
        ["/bin/sh", "-c", command], input=ANSWERS if yes else None, text=True, env=environment, check=False
    )
    if done.returncode:
        print(f"The command ended with {done.returncode}; above is what it said.")
    return done.returncode
