"""The overview of hunts: what was found of each engine, in how many fits."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lmerbridge.files import write_folder
from lmerbridge.parity.hunt import folder, resume, search
from lmerbridge.parity.hunt.finding import Finding
from lmerbridge.report.render import fill_page

HEAD = ("key", "model", "rows", "size", "silent", "designs")


@dataclass(frozen=True, kw_only=True)
class FindingRow:
    """A finding in one line.

    Attributes
    ----------
    key, formula : str
    rows : int
    size : str
        Deviance units of a gap or a criterion, else in the quantity's own unit; "" where it has none.
    silent : str
        ``silent`` or ``warned``; "" of a failure.
    designs : int
        How many designs showed the behaviour.
    place : str
        Its folder in that of the hunts.
    """

    key: str
    formula: str
    rows: int
    size: str
    silent: str
    designs: int
    place: str = ""

    @property
    def cells(self) -> tuple[str, ...]:
        """What a table prints."""
        return self.key, self.formula, str(self.rows), self.size, self.silent, str(self.designs)


@dataclass(frozen=True, kw_only=True)
class HuntRow:
    """The hunt of one engine, with its findings, the largest first."""

    log: resume.Log
    findings: tuple[FindingRow, ...]

    @property
    def silent(self) -> int:
        """How many findings the engine says nothing of."""
        return sum(row.silent == "silent" for row in self.findings)


def finding_rows(findings: Mapping[str, Finding], counts: Mapping[str, int]) -> tuple[FindingRow, ...]:
    """Return a line per finding, the largest first."""
    ranked = sorted(findings.values(), key=lambda finding: (math.isnan(finding.size), -finding.size, finding.key))
    return tuple(
        FindingRow(
            key=finding.key,
            formula=finding.spec.formula,
            rows=len(finding.spec.data),
            size="" if math.isnan(finding.size) else f"{finding.size:.3g}",
            silent="" if finding.oracle == "crash" else "silent" if finding.silent else "warned",
            designs=counts.get(finding.key, 1),
            place=f"{folder.engine_folder(Path(), finding.engine).name}/{finding.key}",
        )
        for finding in ranked
    )


def closing_table(hunt: search.Hunt) -> list[tuple[str, ...]]:
    """Return the findings of a hunt as cells of text, a head first."""
    rows = finding_rows({finding.key: finding for finding in hunt.findings}, hunt.counts)
    return [HEAD, *(row.cells for row in rows)]


def closing_sentence(hunt: search.Hunt) -> str:
    """Return what a hunt did, in a sentence."""
    found = f"{len(hunt.findings)} behaviour{'s' * (len(hunt.findings) != 1)}"
    waiting = f"; {len(hunt.waiting)} designs with others wait for a longer hunt" if hunt.waiting else ""
    return f"{hunt.engine}: {found} found, {hunt.designs} designs and {hunt.fits} fits in this run{waiting}."


def read_hunts(out: Path) -> tuple[HuntRow, ...]:
    """Return what a folder of hunts holds, by engine."""
    return tuple(_read(out))


def _read(out: Path) -> Iterator[HuntRow]:
    for path in sorted(out.glob(f"*/{resume.LOG}"), key=lambda path: str(path).lower()):
        log = resume.read_log(path)
        found = {finding.key: finding for finding in folder.read_findings(out, log.engine)}
        yield HuntRow(log=log, findings=finding_rows(found, log.counts))


def write_overview(out: Path) -> list[Path]:
    """Write ``index.md`` and ``index.html`` of a folder of hunts.

    Raises
    ------
    InvalidArgument
        A hunt in it cannot be read, or a file cannot be written.
    """
    hunts = read_hunts(out)
    lead = f"{sum(len(h.findings) for h in hunts)} behaviours of {len(hunts)} engines found by search"
    named = {f"index.{ending}": f"hunts.{ending}.jinja" for ending in ("md", "html")}
    return write_folder(out, {name: fill_page(template, hunts=hunts, lead=lead) for name, template in named.items()})
