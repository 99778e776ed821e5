"""``lmerbridge record``: lme4's answers, for machines without R."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lmerbridge.cli.console import exit_on_error, print_text
from lmerbridge.cli.options import USUAL


def record(
    out: Annotated[Path, typer.Option(help="The file to write.")],
    case: Annotated[str, typer.Option(help="Only the cases whose name matches this glob.")] = "*",
    engine: Annotated[
        str | None, typer.Option(help="lme4, or with another optimizer: lme4[bobyqa].", show_default=USUAL)
    ] = None,
) -> None:
    """Write lme4's answers for the suite to a file.

    The engine recorded:FILE gives them where there is no R.
    """
    from lmerbridge.parity import cases, recording

    with exit_on_error():
        recording.write_recording(recording.record_cases(cases.pick(case), engine), out)
        print_text(f"Written: {out}")
