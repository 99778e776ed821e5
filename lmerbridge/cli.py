"""The command line: ``lmerbridge doctor | setup | fit | parity | hunt | study | record | diff | schema``."""

from __future__ import annotations

import errno
import json
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields, replace
from importlib.metadata import entry_points
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column, Table
from rich.text import Text

from lmerbridge import __version__
from lmerbridge.errors import InvalidArgument, LmerBridgeError, LmerBridgeWarning
from lmerbridge.text import clean

if TYPE_CHECKING:
    import pandas as pd

    from lmerbridge.models import GlmerFit, LmerFit
    from lmerbridge.parity import CaseResult, DigitRow, SuiteRun
    from lmerbridge.report import Report
    from lmerbridge.report.diff import Run

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # boxes leave no room for words
)
console = Console()
errors = Console(stderr=True)
CANDIDATES = ("statsmodels", "statsmodels[shared]")
NAMES = sorted({entry.name for entry in entry_points(group="lmerbridge.engines")})
ENGINES = fill(f"Engines: {', '.join(NAMES)}.", 76, break_on_hyphens=False, subsequent_indent="  ")
OF_ENGINES = f"\b\n{ENGINES}\nAn option goes in brackets: lme4[bobyqa], statsmodels[lbfgs], gpboost[cholesky]."
ENGINE = typer.Option(help="Engine under test; may be given again.", show_default=" and ".join(CANDIDATES))

USUAL = "lme4, and lme4[tight] for generalized models"
REFERENCE = typer.Option(help="Engine judged against, such as recorded:FILE where there is no R.", show_default=USUAL)
BACKEND = typer.Option(
    help="Where cases run: dask://HOST:PORT, or one of joblib's: loky, threading, sequential.", show_default="loky"
)
FAMILY = typer.Option(help="Only the cases of distributions that match this glob: gaussian, binomial, poisson, ...")


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
    """Say what is wrong with R, lme4 or rpy2, and what mends it.

    The exit status is 1 where something must be mended.
    """
    from lmerbridge.doctor import tell

    raise typer.Exit(tell(as_json=as_json))


@app.command()
def setup(
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing, and answer what is asked with yes.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the command, and run nothing.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Also mend what could be better.")] = False,
) -> None:
    """Show the command that mends what doctor finds, and run it."""
    from lmerbridge.setup import set_up

    raise typer.Exit(set_up(yes=yes, dry_run=dry_run, everything=everything))


@app.command()
def fit(
    formula: Annotated[str, typer.Argument(help="As in R: 'Reaction ~ Days + (Days | Subject)'.")],
    data: Annotated[
        Path, typer.Argument(help="A .csv, .tsv or .parquet file; text may be compressed.", exists=True, dir_okay=False)
    ],
    ml: Annotated[bool, typer.Option("--ml", help="Maximum likelihood instead of REML.")] = False,
    family: Annotated[
        str,
        typer.Option(
            help="Of a generalized model: binomial, 'poisson(sqrt)', ...; negative.binomial has its shape fitted."
        ),
    ] = "",
    nagq: Annotated[int, typer.Option(help="Nodes of the quadrature; 1 is Laplace's approximation.")] = 1,
    timeout: Annotated[float | None, typer.Option(help="Seconds after which R is stopped.")] = None,
    ddf: Annotated[
        str, typer.Option(help="Degrees of freedom and p-values: lme4 (none), Satterthwaite or Kenward-Roger.")
    ] = "lme4",
    output: Annotated[
        str, typer.Option("--format", help="text, R's summary; csv, json or latex, one row per estimate.")
    ] = "text",
    sep: Annotated[str | None, typer.Option(help="Between two values.", show_default="a comma, or a tab")] = None,
    decimal: Annotated[str | None, typer.Option(help="Before a number's decimals.", show_default="a point")] = None,
    na: Annotated[list[str] | None, typer.Option(help="A mark of a missing value; may be given again.")] = None,
    encoding: Annotated[str | None, typer.Option(help="Such as latin-1.", show_default="utf-8")] = None,
) -> None:
    """Fit a model with lme4 and print its summary, or its estimates."""
    from lmerbridge.inputs import read_table

    with _exit_on_error(), warnings.catch_warnings(record=True) as notices:
        warnings.simplefilter("always", LmerBridgeWarning)
        if output not in ("text", *TABLES):
            raise InvalidArgument(f"--format is {output!r}; text, {', '.join(TABLES)} are expected.")
        frame = read_table(data, sep=sep, decimal=decimal, na=na or (), encoding=encoding)
        fitted = _fit(formula, frame, ml, family, nagq, timeout)
        typer.echo(clean(_estimates(fitted, data.name, ddf, output)))
    for notice in notices:
        typer.echo(clean(f"{notice.category.__name__}: {notice.message}"), err=True)


def _fit(
    formula: str, frame: pd.DataFrame, ml: bool, family: str, nagq: int, timeout: float | None
) -> LmerFit | GlmerFit:
    """Fit a linear model, or a generalized one where a family is named."""
    from lmerbridge import glmer, glmer_nb, lmer

    if not family and nagq != 1:
        raise InvalidArgument(f"--nagq is {nagq} without a --family; a linear model has an exact likelihood.")
    if not family:
        return lmer(formula, frame, reml=not ml, timeout=timeout)
    if family == "negative.binomial":
        return glmer_nb(formula, frame, n_agq=nagq, timeout=timeout)
    return glmer(formula, frame, family, n_agq=nagq, timeout=timeout)


def _estimates(fit: LmerFit | GlmerFit, name: str, ddf: Any, output: str) -> str:  # noqa: ANN401  # text, checked by the fit
    """Return a fit as text, the name of its file in the place of R's for its data, or as a table."""
    from lmerbridge.models import GlmerFit

    if isinstance(fit, GlmerFit):
        if ddf != "lme4":
            raise InvalidArgument(f"--ddf is {ddf!r}; a generalized model has z statistics and no degrees of freedom.")
        return _text(str(fit), name) if output == "text" else TABLES[output](fit.tidy()).rstrip("\n")
    if output == "text":
        return _text(str(fit) if ddf == "lme4" else fit.summary(ddf).text, name)
    return TABLES[output](fit.tidy(ddf_method=None if ddf == "lme4" else ddf)).rstrip("\n")


def _text(text: str, name: str) -> str:
    return re.sub(r"(?m)^( *Data: )data$", lambda found: found[1] + name, text, count=1)


def _json_records(table: pd.DataFrame) -> str:
    """Return the rows of a table as JSON, every number to the last bit: pandas' own form has 15 digits."""
    return json.dumps(table.astype(object).where(table.notna(), None).to_dict("records"), indent=1, ensure_ascii=False)


def _latex(table: pd.DataFrame) -> str:
    """Return a table as LaTeX, without the columns that are empty."""
    present = table.dropna(axis=1, how="all")
    return present.to_latex(index=False, escape=True, na_rep="", float_format="{:.6g}".format)


TABLES: dict[str, Callable[[pd.DataFrame], str]] = {
    "csv": lambda table: table.to_csv(index=False),
    "json": _json_records,
    "latex": _latex,
}


@app.command(epilog=OF_ENGINES)
def parity(
    engine: Annotated[list[str] | None, ENGINE] = None,
    case: Annotated[str, typer.Option(help="Only the cases whose name matches this glob.")] = "*",
    cases_of: Annotated[
        Path | None, typer.Option("--cases", help="A case.toml, or a folder of them, in the place of the suite.")
    ] = None,
    family: Annotated[str, FAMILY] = "*",
    reference: Annotated[str | None, REFERENCE] = None,
    out: Annotated[Path, typer.Option(help="Where the report goes.")] = Path("reports"),
    formats: Annotated[str, typer.Option("--format", help="Which of html, md, json, junit.")] = "html,md,json,junit",
    templates: Annotated[
        Path | None, typer.Option(help="A folder whose files take the place of the report's templates of those names.")
    ] = None,
    ledger: Annotated[
        Path | None, typer.Option(help="Known differences, a TOML file: they do not fail; entries that do not hold do.")
    ] = None,
    jobs: Annotated[int, typer.Option(help="Processes, each with an R of its own.", min=1)] = 1,
    timeout: Annotated[float, typer.Option(help="Seconds one engine may take on one case.", min=0.1)] = 600.0,
    profile: Annotated[str, typer.Option(help="How close is close enough: default, strict, screening.")] = "default",
    cache: Annotated[bool, typer.Option(help="Judge only what has changed since the last run.")] = True,
    since: Annotated[
        Path | None, typer.Option(help="parity.json of an older run: the report says what has changed.")
    ] = None,
    if_moved: Annotated[
        bool, typer.Option("--if-moved", help="Write only what says more than the files in --out, beyond rounding.")
    ] = False,
    planted: Annotated[bool, typer.Option("--planted", help="Plant faults, and see that each is caught.")] = False,
    exact: Annotated[
        bool, typer.Option("--exact", help="Also fit data whose answers are known exactly, and count right digits.")
    ] = False,
    backend: Annotated[str | None, BACKEND] = None,
) -> None:
    """Judge engines on the suite and write a report.

    The exit status is 0 if they agree, 1 if they disagree, 2 if they could not be compared.
    """
    from lmerbridge.parity import archive, cases, suite
    from lmerbridge.parity import ledger as known
    from lmerbridge.report import check_formats, make_folder
    from lmerbridge.report import diff as runs

    with _exit_on_error():
        wanted = check_formats(formats.split(","), templates)
        engines, chosen = tuple(engine or CANDIDATES), cases.pick(case, family, cases_of)
        entries = known.load_ledger(ledger) if ledger else ()
        asked = known.select(entries, [c.name for c in chosen], engines)
        older = runs.load_run(since) if since else None
        how: dict[str, Any] = {"timeout": timeout, "profile": profile, "cache": archive.default_folder(cache)}
        run = suite.run_cases(chosen, engines, reference=reference, jobs=jobs, **how)
        make_folder(out)
        faults = _plant(profile, jobs, backend) if planted else ()
        results = _finish(run, len(chosen), backend)
        digits = _score([reference or "lme4", *engines], timeout, jobs, backend) if exact else []
        report = _describe(replace(suite.collect(results, asked, profile), planted=faults), digits, older)
        written = _write(report, out, wanted, templates, if_moved)
        _tell(report)
        if ledger:
            _tell_ledger(report, len(asked), len(entries))
        _print(written)
    raise typer.Exit(report.exit_code)


def _describe(run: SuiteRun, digits: list[DigitRow], older: Run | None) -> Report:
    from lmerbridge.report import describe
    from lmerbridge.report.diff import since

    with _status("describing what was found"):
        report = describe(run, digits)
        return since(older, report) if older else report


def _write(report: Report, out: Path, formats: list[str], templates: Path | None, if_moved: bool) -> str:
    """Write a report, and return what is to be told of its files."""
    from lmerbridge.files import write_folder
    from lmerbridge.report import moves, render

    with _status(f"writing {', '.join(formats)}"):
        new = render.texts(report, formats, templates)
        found = moves.moves(out, new) if if_moved else None
        paths = [] if found is not None and not found else write_folder(out, new)
    told = [str(found)] if found is not None else []
    return "\n".join([*told, *(["Written: " + ", ".join(map(str, paths))] if paths else [])])


def _score(engines: list[str], timeout: float, jobs: int, backend: str | None) -> list[DigitRow]:
    from lmerbridge import parallel
    from lmerbridge.parity import accuracy

    with _status("fitting the data whose answers are known exactly"), parallel.backend(backend):
        return accuracy.score(list(dict.fromkeys(engines)), timeout=timeout, jobs=jobs)


def _plant(profile: str, jobs: int, backend: str | None) -> tuple[tuple[str, int, int], ...]:
    """Plant every fault, print a line for each, and return how often each was planted and caught."""
    from lmerbridge import parallel
    from lmerbridge.parity import planted
    from lmerbridge.parity import profile as limits

    caught: dict[str, list[bool]] = {}
    columns = TextColumn("{task.description}", markup=False), TimeElapsedColumn()
    with Progress(*columns, console=errors) as progress, parallel.backend(backend):
        task = progress.add_task("planting", total=None)
        for planting in planted.plantings(limits(profile), jobs=jobs):
            progress.update(task, description=f"{planting.fault.name} in {planting.case.name}".ljust(64))
            caught.setdefault(planting.fault.name, []).append(planting.caught)
    found = tuple((name, len(each), sum(each)) for name, each in caught.items())
    for name, n, c in found:
        _print(f"{'✓' if c == n else '✗'} {name}: {c} of {n} caught")
    _print(f"{sum(n for _, n, _ in found)} planted, {sum(c for _, _, c in found)} caught.")
    return found


@app.command("hunt")
def hunt_faults(
    engine: Annotated[str, typer.Option(help="Engine that is hunted.")],
    out: Annotated[Path, typer.Option(help="A folder; each finding becomes a folder ENGINE/KEY in it.")],
    reference: Annotated[
        str, typer.Option(help='Engine that confirms a finding, beside plain R; "" asks neither, and needs no R.')
    ] = "lme4",
    seconds: Annotated[
        float | None, typer.Option(help="When the search ends.", min=0, show_default="60, without --fits")
    ] = None,
    fits: Annotated[int | None, typer.Option(help="The same, by fits of the engine.", min=1)] = None,
    seed: Annotated[int, typer.Option(help="Of the designs that are drawn.", min=0)] = 1,
    silent: Annotated[bool, typer.Option("--silent", help="Only what the engine says nothing of.")] = False,
    jobs: Annotated[int, typer.Option(help="Processes.", min=1)] = 1,
    family: Annotated[
        list[str] | None,
        typer.Option(help="gaussian, binomial or poisson; may be given again.", show_default="gaussian"),
    ] = None,
    backend: Annotated[str | None, BACKEND] = None,
) -> None:
    """Search for small data on which an engine is wrong.

    Each finding is a bug report with its data and scripts. A hunt of the same engine, version and seed is gone on with.
    The exit status is 1 if something was found, 0 if nothing was, 2 if nothing was tried.
    """
    from lmerbridge.parity.hunt.resume import hunt as search
    from lmerbridge.report import hunts

    with _exit_on_error():
        how: dict[str, Any] = {"seconds": seconds, "fits": fits, "seed": seed, "silent": silent, "jobs": jobs}
        families = tuple(family or ["gaussian"])
        found = search(engine, reference=reference, families=families, backend=backend, out=out, **how)
        hunts.write_overview(out)
        _print_table(hunts.closing_table(found))
        _print(hunts.closing_sentence(found))
    raise typer.Exit(1 if found.findings else 0 if found.designs else 2)


@app.command()
def study(
    engine: Annotated[list[str] | None, ENGINE] = None,
    block: Annotated[
        list[str] | None, typer.Option(help="Only this block; may be given again.", show_default="all")
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

    with _exit_on_error():
        given: dict[str, Any] = {"jobs": jobs, "timeout": timeout, "cache": archive.default_folder(cache)}
        blocks = tuple(block or BLOCKS)
        plan = StudyPlan(tuple(engine or CANDIDATES), blocks, case, read_json(report), **given)
        told = make_study(plan, out, _status, with_times=times)
        for row in told["counts"]:
            if row["block"] in blocks and row["engine"] in plan.everyone:
                counts = ", ".join(f"{each.name} {row[each.name]}" for each in fields(Tally) if row[each.name])
                _print(f"{row['block']}, {row['engine']}: {counts}.")
        _print("Written: " + ", ".join(str(out / name) for name in NAMES))


@app.command()
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

    with _exit_on_error():
        recording.write_recording(recording.record_cases(cases.pick(case), engine), out)
        _print(f"Written: {out}")


@app.command()
def diff(
    old: Annotated[Path, typer.Argument(help="parity.json of one run.")],
    new: Annotated[Path, typer.Argument(help="parity.json of a later one.")],
) -> None:
    """Say what is new, worse or mended between two runs.

    The exit status is 1 if anything is new or worse, 2 if the runs do not compare.
    """
    from lmerbridge.report import diff as runs

    with _exit_on_error():
        told = runs.compare_runs(runs.load_run(old), runs.load_run(new))
        typer.echo(clean(str(told)))
    raise typer.Exit(told.exit_code)


@app.command()
def schema() -> None:
    """Print the JSON Schema of parity.json."""
    from lmerbridge.report import schema_text

    with _exit_on_error():
        typer.echo(schema_text(), nl=False)


def _finish(run: Iterable[tuple[CaseResult, ...]], total: int, backend: str | None) -> list[tuple[CaseResult, ...]]:
    """Run all cases of a run, which begins here, in one of joblib's backends."""
    from lmerbridge import parallel

    with parallel.backend(backend):
        return list(_show_progress(run, total))


def _show_progress(results: Iterable[tuple[CaseResult, ...]], total: int) -> Iterator[tuple[CaseResult, ...]]:
    """Pass results on, with a bar that names the case just done."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=errors) as progress:
        task = progress.add_task("cases", total=total)
        for group in results:
            name = group[0].case.name if group else ""  # a reference alone is judged against no one
            progress.update(task, advance=1, description=clean(name).ljust(32))
            yield group


@contextmanager
def _status(what: str) -> Iterator[None]:
    """Say what is done after the cases, and for how long it has been; at once where nothing moves on a screen."""
    if not errors.is_terminal:
        errors.print(f"{what} ...")
    with Progress(TextColumn("{task.description}", markup=False), TimeElapsedColumn(), console=errors) as progress:
        task = progress.add_task(what.ljust(64), total=1)
        yield
        progress.update(task, completed=1)


def _tell(report: Report) -> None:
    _print(report.lead)
    for part in report.parts:
        for headline in part.engines:
            _print(f"{headline.glyph} {headline.sentence}")
        for told in (*(reference.sentence for reference in part.references), part.none_of):
            if told:
                _print(f"  {told}")
    for stale in report.stale:
        _print(f"✗ ledger: {stale}")


def _tell_ledger(report: Report, asked: int, entries: int) -> None:
    _print(
        f"Ledger: {len(report.known)} known, {len(report.stale)} of {asked} entries do not hold, "
        f"{entries - asked} of cases or engines not run."
    )


def _print_table(rows: Sequence[Sequence[str]]) -> None:
    """Print a table whose first row is its head."""
    table = Table(*(Column(clean(title), overflow="fold") for title in rows[0]), box=None, pad_edge=False)
    for row in rows[1:]:
        table.add_row(*(Text(clean(cell)) for cell in row))
    console.print(table)


def _print(text: str) -> None:
    """Print a text as it stands: what a terminal would obey is gone, and brackets are brackets."""
    console.print(clean(text), highlight=False, markup=False, emoji=False)


@contextmanager
def _exit_on_error() -> Iterator[None]:
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
