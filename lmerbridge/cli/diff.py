"""``lmerbridge diff``: what is new, worse or mended between two runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lmerbridge.cli.console import exit_on_error
from lmerbridge.text import clean


def diff(
    old: Annotated[Path, typer.Argument(help="parity.json of one run.")],
    new: Annotated[Path, typer.Argument(help="parity.json of a later one.")],
) -> None:
    """Say what is new, worse or mended between two runs.

    The exit status is 1 if anything is new or worse, 2 if the runs do not compare.
    """
    from lmerbridge.report import diff as runs

    with exit_on_error():
        told = runs.compare_runs(runs.load_run(old), runs.load_run(new))
        typer.echo(clean(str(told)))
    raise typer.Exit(told.exit_code)
