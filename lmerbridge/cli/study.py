"""``lmerbridge study``: how accurate engines are, and how fast."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer

from lmerbridge.cli.console import exit_on_error, print_text, show_status
from lmerbridge.cli.options import CANDIDATES, ENGINE


def study(
    engine: Annotated[list[str] | None, ENGINE] = None,
    block: Annotated[
        list[str] | None, typer.Option(help="Only this block; may be given again.", metavar="BLOCK", show_default="all")
    ] = None,
    case: Annotated[str, typer.Option(help="Only the models whose name matches this glob.")] = "*",
    out: Annotated[Path, typer.Option(help="Where the study goes, and where an older one stands.")] = Path("reports"),
    report: Annotated[Path, typer.Option(help="The parity.json whose fits of the suite are not made again.")] = Path(
        "reports/parity.json"
    ),
    jobs: Annotated[int, typer.Option(help="Processes, each with an R of its own.", min=1)] = 1,
    timeout: Annotated[float, typer.Option(help="Seconds one engine may take on one model.", min=0.1)] = 120.0,
    times: Annotated[bool, typer.Option(help="Take times; those of an older study stay otherwise.")] = True,
    cache: Annotated[bool, typer.Option(help="Judge only what has changed since the last run.")] = True,
) -> None:
    """Study how accurate engines are, and how fast.

    What is not asked for stays as the study in the folder has it.
    """
    from lmerbridge.parity import Tally, archive
    from lmerbridge.parity.study.plan import BLOCKS, StudyPlan
    from lmerbridge.report.study.make import make_study
    from lmerbridge.report.study.write import NAMES, read_json

    with exit_on_error():
        given: dict[str, Any] = {"jobs": jobs, "timeout": timeout, "cache": archive.default_folder(cache)}
        blocks = tuple(block or BLOCKS)
        plan = StudyPlan(tuple(engine or CANDIDATES), blocks, case, read_json(report), **given)
        told = make_study(plan, out, show_status, with_times=times)
        for row in told["counts"]:
            if row["block"] in blocks and row["engine"] in plan.everyone:
                counts = ", ".join(f"{each.name} {row[each.name]}" for each in fields(Tally) if row[each.name])
                print_text(f"{row['block']}, {row['engine']}: {counts}.")
        print_text("Written: " + ", ".join(str(out / name) for name in NAMES))
