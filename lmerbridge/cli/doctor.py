"""``lmerbridge doctor``."""

from __future__ import annotations

from typing import Annotated

import typer


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="The same, for a program to read.")] = False,
) -> None:
    """Say what is wrong with R, lme4 or rpy2, and what mends it.

    The exit status is 1 where something must be mended.
    """
    from lmerbridge.doctor import tell

    raise typer.Exit(tell(as_json=as_json))
