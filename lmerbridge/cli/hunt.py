"""``lmerbridge hunt``: small data are searched on which an engine is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lmerbridge.cli.console import exit_on_error, print_table, print_text
from lmerbridge.cli.options import BACKEND


def hunt_faults(
    engine: Annotated[str, typer.Option(help="Engine whose faults are searched for.")],
    out: Annotated[Path, typer.Option(help="A folder; each finding becomes a folder ENGINE/KEY in it.")],
    reference: Annotated[
        str, typer.Option(help='Engine that confirms a finding, beside plain R; "" asks neither, and needs no R.')
    ] = "lme4",
    seconds: Annotated[
        float | None, typer.Option(help="How long the search takes.", min=0, show_default="60, without --fits")
    ] = None,
    fits: Annotated[int | None, typer.Option(help="The same, counted in fits of the engine.", min=1)] = None,
    seed: Annotated[int, typer.Option(help="Seed of the designs that are drawn.", min=0)] = 1,
    silent: Annotated[bool, typer.Option("--silent", help="Only faults of which the engine gives no warning.")] = False,
    jobs: Annotated[int, typer.Option(help="Processes.", min=1)] = 1,
    family: Annotated[
        list[str] | None,
        typer.Option(
            help="gaussian, binomial or poisson; may be given again.", metavar="FAMILY", show_default="gaussian"
        ),
    ] = None,
    backend: Annotated[str | None, BACKEND] = None,
) -> None:
    """Search for small data on which an engine is wrong.

    Each finding is a bug report with its data and scripts. A hunt goes on
    where an older one of the same engine, version and seed has stopped.
    The exit status is 1 if something was found, 0 if nothing was, 2 if nothing was tried.
    """
    from lmerbridge.parity.hunt.resume import hunt as search
    from lmerbridge.report import hunts

    with exit_on_error():
        how: dict[str, Any] = {"seconds": seconds, "fits": fits, "seed": seed, "silent": silent, "jobs": jobs}
        families = tuple(family or ["gaussian"])
        found = search(engine, reference=reference, families=families, backend=backend, out=out, **how)
        hunts.write_overview(out)
        print_table(hunts.closing_table(found))
        print_text(hunts.closing_sentence(found))
    raise typer.Exit(1 if found.findings else 0 if found.designs else 2)
