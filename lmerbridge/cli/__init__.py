"""The command line: ``lmerbridge doctor | setup | fit | parity | hunt | study | record | diff | schema``."""

from __future__ import annotations

from typing import Annotated

import typer

from lmerbridge import __version__
from lmerbridge.cli import diff, doctor, fit, hunt, parity, record, schema, setup, study
from lmerbridge.cli.options import OF_ENGINES

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # boxes leave no room for words
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True)] = False,
) -> None:
    """R's lme4 from pandas, to the last bit, and a referee for every other mixed-model engine."""


app.command()(doctor.doctor)
app.command()(setup.setup)
app.command()(fit.fit)
app.command(epilog=OF_ENGINES)(parity.parity)
app.command("hunt", epilog=OF_ENGINES)(hunt.hunt_faults)
app.command(epilog=OF_ENGINES)(study.study)
app.command()(record.record)
app.command()(diff.diff)
app.command()(schema.schema)
