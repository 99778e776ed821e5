"""The command line: ``lmerbridge doctor | fit | parity``."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from lmerbridge import __version__
from lmerbridge.errors import InvalidArgument, LmerBridgeError, LmerBridgeWarning

if TYPE_CHECKING:
    import pandas as pd

    from lmerbridge.parity.suite import CaseResult

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
console = Console()
errors = Console(stderr=True)
CANDIDATES = ("statsmodels", "statsmodels[shared]")


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True)] = False,
) -> None:
    """R's lme4 from pandas, to the last bit, and a referee for every other mixed-model engine."""


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="The same, for a program to read.")] = False,
) -> None:
    """Say what was found of R, lme4, rpy2, BLAS and locale, what is wrong, and the command that mends it."""
    from lmerbridge.doctor import commands, examine, render

    diagnosis = examine()
    if as_json:
        typer.echo(json.dumps(diagnosis.as_dict(), indent=2, ensure_ascii=False))
    else:
        console.print(render(diagnosis))
        if not diagnosis.ok:
            typer.echo(commands(diagnosis))
    raise typer.Exit(0 if diagnosis.ok else 1)


@app.command()
def fit(
    formula: Annotated[str, typer.Argument(help="As in R: 'Reaction ~ Days + (Days | Subject)'.")],
    data: Annotated[Path, typer.Argument(help="A .csv or .parquet file.", exists=True, dir_okay=False)],
    ml: Annotated[bool, typer.Option("--ml", help="Maximum likelihood instead of REML.")] = False,
    timeout: Annotated[float | None, typer.Option(help="Seconds after which R is stopped.")] = None,
) -> None:
    """Fit a model with lme4 and print R's own summary."""
    from lmerbridge.lmm import lmer

    with _told(), warnings.catch_warnings(record=True) as notices:
        warnings.simplefilter("always", LmerBridgeWarning)
        typer.echo(str(lmer(formula, _read(data), reml=not ml, timeout=timeout)))
    for notice in notices:
        typer.echo(f"{notice.category.__name__}: {notice.message}", err=True)


@app.command()
def parity(
    engine: Annotated[list[str] | None, typer.Option(help="Engine under test; may be given again.")] = None,
    case: Annotated[str, typer.Option(help="Only the cases whose name matches this glob.")] = "*",
    out: Annotated[Path, typer.Option(help="Where the report goes.")] = Path("reports"),
    jobs: Annotated[int, typer.Option(help="Processes, each with an R of its own.", min=1)] = 1,
) -> None:
    """Judge engines against lme4 on the suite and write a report; exit 0 agree, 1 disagree, 2 could not compare."""
    from lmerbridge.parity import cases, suite
    from lmerbridge.report.description import describe
    from lmerbridge.report.render import write

    with _told():
        chosen = cases.matching(case)
        _make(out)
        results = list(_watched(suite.run_cases(chosen, engine or CANDIDATES, jobs=jobs), len(chosen)))
        report = describe(suite.collect(results))
        paths = write(report, out)
    for headline in report.engines:
        console.print(f"{headline.glyph} {headline.sentence}", highlight=False, markup=False)
    console.print("Written: " + ", ".join(str(path) for path in paths), highlight=False)
    compared = any(result.comparison.verdict.compared for group in results for result in group)
    raise typer.Exit(2 if not compared else int(any(finding.fails for finding in report.findings)))


def _watched(results: Iterable[tuple[CaseResult, ...]], total: int) -> Iterator[tuple[CaseResult, ...]]:
    """Pass results on, with a bar that names the case just done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=errors) as progress:
        task = progress.add_task("cases", total=total)
        for group in results:
            progress.update(task, advance=1, description=group[0].case.name.ljust(32))
            yield group


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidArgument(f"{folder} cannot be made: {error.strerror}; another --out is expected.") from error


def _read(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        match path.suffix.lower():
            case ".csv":
                return pd.read_csv(path)
            case ".parquet":
                return pd.read_parquet(path)
    except (ValueError, OSError, ImportError) as error:  # pandas' and pyarrow's own are among them
        raise InvalidArgument(f"{path.name} cannot be read: {error}") from error
    raise InvalidArgument(f"{path.name} ends in {path.suffix!r}; .csv or .parquet is expected.")


@contextmanager
def _told() -> Iterator[None]:
    """Print an error of ours as one line and exit with 2, rather than with a traceback."""
    try:
        yield
    except LmerBridgeError as error:
        typer.secho(f"{type(error).__name__}: ", fg=typer.colors.RED, err=True, nl=False)
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
