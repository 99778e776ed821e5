"""``lmerbridge parity``: engines are judged on the suite, and a report is written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from lmerbridge.cli.console import errors, exit_on_error, print_text, show_progress, show_status
from lmerbridge.cli.options import BACKEND, CANDIDATES, ENGINE, FAMILY, REFERENCE

if TYPE_CHECKING:
    from lmerbridge.parity import CaseResult, DigitRow, SuiteRun
    from lmerbridge.report import Report
    from lmerbridge.report.diff import Run


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

    with exit_on_error():
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
        print_text(written)
    raise typer.Exit(report.exit_code)


def _describe(run: SuiteRun, digits: list[DigitRow], older: Run | None) -> Report:
    from lmerbridge.report import describe
    from lmerbridge.report.diff import since

    with show_status("describing what was found"):
        report = describe(run, digits)
        return since(older, report) if older else report


def _write(report: Report, out: Path, formats: list[str], templates: Path | None, if_moved: bool) -> str:
    """Write a report, and return what is to be told of its files."""
    from lmerbridge.files import write_folder
    from lmerbridge.report import moves, render

    with show_status(f"writing {', '.join(formats)}"):
        new = render.texts(report, formats, templates)
        found = moves.moves(out, new) if if_moved else None
        paths = [] if found is not None and not found else write_folder(out, new)
    told = [str(found)] if found is not None else []
    return "\n".join([*told, *(["Written: " + ", ".join(map(str, paths))] if paths else [])])


def _score(engines: list[str], timeout: float, jobs: int, backend: str | None) -> list[DigitRow]:
    from lmerbridge import parallel
    from lmerbridge.parity import accuracy

    with show_status("fitting the data whose answers are known exactly"), parallel.backend(backend):
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
        print_text(f"{'✓' if c == n else '✗'} {name}: {c} of {n} caught")
    print_text(f"{sum(n for _, n, _ in found)} planted, {sum(c for _, _, c in found)} caught.")
    return found


def _finish(run: Iterable[tuple[CaseResult, ...]], total: int, backend: str | None) -> list[tuple[CaseResult, ...]]:
    """Run all cases of a run, which begins here, in one of joblib's backends."""
    from lmerbridge import parallel

    with parallel.backend(backend):
        return list(show_progress(run, total))


def _tell(report: Report) -> None:
    print_text(report.lead)
    for part in report.parts:
        for headline in part.engines:
            print_text(f"{headline.glyph} {headline.sentence}")
        for told in (*(reference.sentence for reference in part.references), part.none_of):
            if told:
                print_text(f"  {told}")
    for stale in report.stale:
        print_text(f"✗ ledger: {stale}")


def _tell_ledger(report: Report, asked: int, entries: int) -> None:
    print_text(
        f"Ledger: {len(report.known)} known, {len(report.stale)} of {asked} entries do not hold, "
        f"{entries - asked} of cases or engines not run."
    )
