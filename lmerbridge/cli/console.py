"""What the command line says, on a screen, in a file or in a pipe."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column, Table
from rich.text import Text

from lmerbridge.errors import LmerBridgeError
from lmerbridge.text import clean

if TYPE_CHECKING:
    from lmerbridge.parity import CaseResult

WIDE = 100_000  # columns of a file or a pipe: no sentence is wrapped there, and no table folded


def _console(*, stderr: bool = False) -> Console:
    console = Console(stderr=stderr)
    return console if console.file.isatty() else Console(stderr=stderr, width=WIDE)


console = _console()
errors = _console(stderr=True)


def show_progress(results: Iterable[tuple[CaseResult, ...]], total: int) -> Iterator[tuple[CaseResult, ...]]:
    """Pass results on, with a bar that names the case just done."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=errors) as progress:
        task = progress.add_task("cases", total=total)
        for group in results:
            name = group[0].case.name if group else ""  # a reference alone is judged against no one
            progress.update(task, advance=1, description=clean(name).ljust(32))
            yield group


@contextmanager
def show_status(what: str) -> Iterator[None]:
    """Say what is done after the cases, and for how long it has been; at once where nothing moves on a screen."""
    if not errors.is_terminal:
        errors.print(f"{what} ...")
    with Progress(TextColumn("{task.description}", markup=False), TimeElapsedColumn(), console=errors) as progress:
        task = progress.add_task(what.ljust(64), total=1)
        yield
        progress.update(task, completed=1)


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Print a table whose first row is its head."""
    table = Table(*(Column(clean(title), overflow="fold") for title in rows[0]), box=None, pad_edge=False)
    for row in rows[1:]:
        table.add_row(*(Text(clean(cell)) for cell in row))
    console.print(table)


def print_text(text: str) -> None:
    """Print a text as it stands: what a terminal would obey is gone, and brackets are brackets."""
    console.print(clean(text), highlight=False, markup=False, emoji=False)


@contextmanager
def exit_on_error() -> Iterator[None]:
    """Print an error of ours, or of a full disk under the output, as one line and exit with 2."""
    try:
        yield
    except LmerBridgeError as error:
        typer.secho(f"{type(error).__name__}: ", fg=typer.colors.RED, err=True, nl=False)
        typer.echo(clean(str(error)), err=True)
        raise typer.Exit(2) from error
    except OSError as error:
        if error.errno == errno.EPIPE:  # a reader that has read enough: typer's own affair
            raise
        typer.echo(clean(f"Output cannot be written: {error.strerror}."), err=True)
        with suppress(OSError):  # what is still to be written would fail again when Python ends, and change the status
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(2) from error
