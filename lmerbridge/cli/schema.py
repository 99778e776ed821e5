"""``lmerbridge schema``: the JSON Schema of parity.json."""

from __future__ import annotations

import typer

from lmerbridge.cli.console import exit_on_error


def schema() -> None:
    """Print the JSON Schema of parity.json."""
    from lmerbridge.report import schema_text

    with exit_on_error():
        typer.echo(schema_text(), nl=False)
