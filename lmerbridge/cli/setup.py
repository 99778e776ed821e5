"""``lmerbridge setup``."""

from __future__ import annotations

from typing import Annotated

import typer


def setup(
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing, and answer what is asked with yes.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the command, and run nothing.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Also mend what could be better.")] = False,
) -> None:
    """Show the command that mends what doctor finds, and run it."""
    from lmerbridge.setup import set_up

    raise typer.Exit(set_up(yes=yes, dry_run=dry_run, everything=everything))
