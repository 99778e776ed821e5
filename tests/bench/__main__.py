"""Run the bench: ``python -m tests.bench REPORT [MODULE ...]`` prints the rows and writes them as Markdown.

A module of this package with a function ``rows`` is part of it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType

from rich.console import Console
from rich.progress import track

from lmerbridge.bridge.session import session_facts
from tests import bench
from tests.bench import fits
from tests.bench.row import Row

PAGE = """# Bench

`make bench` measures both sides of each ratio in one run, taking turns; seconds differ from machine to machine, ratios
less. Medians of CPU time, user and system, of all processes at work, on {cores} cores with R {R}, lme4 {lme4} and
{BLAS}. A row says so where it is of the clock on the wall.

| what | bar | measured | |
|---|---|---|---|
{rows}

Where the time of a sleepstudy fit with its whole face goes:

| part | ms |
|---|---|
{parts}
"""


def line(row: Row) -> str:
    sign, mark = (">=" if row.at_least else "<="), ("" if row.met else "**missed**")
    measured = f"{row.measured:.3g} {row.unit}".strip() + (f" ({row.detail})" if row.detail else "")
    return f"| {row.what} | {sign} {row.bar:g} {row.unit} | {measured} | {mark} |".replace("  |", " |")


def modules(names: Sequence[str]) -> list[ModuleType]:
    """Return the modules of that name, or all that have rows."""
    found = names or sorted(module.name for module in iter_modules(bench.__path__) if module.name != "__main__")
    imported = (import_module(f"tests.bench.{name}") for name in found)
    return [module for module in imported if hasattr(module, "rows")]


def measured(names: Sequence[str]) -> Iterator[Row]:
    for module in track(modules(names), description="bench", console=Console(stderr=True)):
        yield from module.rows()


def main(report: Path, names: Sequence[str]) -> None:
    rows = "\n".join(map(line, measured(names)))
    parts = "\n".join(f"| {name} | {value:.2f} |" for name, value in fits.parts().items())
    page = PAGE.format(cores=os.cpu_count(), rows=rows, parts=parts, **session_facts())
    report.write_text(page)
    print(page)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
