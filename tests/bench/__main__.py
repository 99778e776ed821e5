"""Run the bench: ``python -m tests.bench REPORT`` prints the rows and writes them as Markdown."""

from __future__ import annotations

import os
import sys
from itertools import chain
from pathlib import Path

from rich.console import Console
from rich.progress import track

from lmerbridge.bridge.session import session_facts
from tests.bench import bootstrap, fits, glmer, long_bootstrap, parity, starting, transfer, verdict
from tests.bench.row import Row

PAGE = """# Bench

`make bench` measures both sides of each ratio in one run, taking turns; seconds differ from machine to machine, ratios
less. Medians, on {cores} cores with R {R}, lme4 {lme4} and {BLAS}.

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


def main(report: Path) -> None:
    sections = [verdict.rows(), starting.rows(), fits.rows(), glmer.rows(), bootstrap.rows(), long_bootstrap.rows(), transfer.rows()]
    sections.append(parity.rows())
    rows = list(track(chain(*sections), description="bench", total=18, console=Console(stderr=True)))
    parts = [f"| {name} | {value:.2f} |" for name, value in fits.parts().items()]
    page = PAGE.format(cores=os.cpu_count(), rows="\n".join(map(line, rows)), parts="\n".join(parts), **session_facts())
    report.write_text(page)
    print(page)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
