"""``lmerbridge`` and ``python -m lmerbridge``: the command line, or as much of it as there is without its extra."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.util import find_spec

PARTS = ("typer", "rich")  # of the extra `cli`
LACKING = "The command line needs {}, which is not installed: pip install 'lmerbridge[cli]'"


def enter() -> None:
    """Run the command line. doctor and setup need no package of its extra."""
    if lacking := [name for name in PARTS if find_spec(name) is None]:
        sys.exit(run_without(lacking[0], sys.argv[1:]))
    from lmerbridge.cli import app

    app(prog_name="lmerbridge")


def run_without(lacking: str, words: Sequence[str]) -> int | str:
    """Run doctor or setup where a package of the command line is missing, and return the exit status.

    Of other commands it is the sentence that says what is missing.
    """
    told = LACKING.format(lacking)
    if [word for word in words[:1] if word not in ("doctor", "setup", "-h", "--help")] or not words:
        return told
    asked = _parser(told).parse_args(words)
    if asked.command == "doctor":
        from lmerbridge.doctor import tell

        return tell(as_json=asked.json)
    from lmerbridge.setup import set_up

    return set_up(yes=asked.yes, dry_run=asked.dry_run, everything=asked.all)


def _parser(told: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("lmerbridge", description="R's lme4 from pandas, to the last bit.", epilog=told)
    commands = parser.add_subparsers(dest="command", required=True)
    doctor = commands.add_parser("doctor", help="say what is wrong, and the command that mends it")
    doctor.add_argument("--json", action="store_true", help="the same, for a program to read")
    setup = commands.add_parser("setup", help="show that command, and run it")
    setup.add_argument("--yes", action="store_true", help="ask nothing")
    setup.add_argument("--dry-run", action="store_true", help="show the command, and run nothing")
    setup.add_argument("--all", action="store_true", help="also what could be better")
    return parser


if __name__ == "__main__":
    enter()
