"""What is claimed of engines, and what the rows of the study say of it."""

from __future__ import annotations

import math
import shlex
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Any, Literal, TypeAlias

from lmerbridge.parity import tally
from lmerbridge.parity.study.counts import engine_order
from lmerbridge.parity.study.fits import REFERENCES, StudyFits
from lmerbridge.parity.study.rows import Row

Measure: TypeAlias = Literal["outcomes", "tolerance", "not_above"]
MARGIN = 0.01  # deviance units above lme4's criterion that are none to speak of


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What somebody claims.

    Attributes
    ----------
    id, by, where, says, read : str
        ``where`` is an address or a DOI, ``says`` a paraphrase, ``read`` how much of the source was read.
    engines, blocks : tuple of str
        ``engines`` are globs.
    cases : str
        A glob.
    measure : Measure
    fixef, var : float
        Of the measure ``tolerance``: absolute of a fixed effect, relative of a variance.
    """

    id: str
    by: str
    where: str
    says: str
    read: str
    engines: tuple[str, ...]
    blocks: tuple[str, ...]
    cases: str = "*"
    measure: Measure = "outcomes"
    fixef: float = math.nan
    var: float = math.nan


@cache
def claims() -> tuple[Claim, ...]:
    """Return the claims in the order of their file."""
    told = tomllib.loads(files(__package__).joinpath("claims.toml").read_text(encoding="utf-8"))["claim"]
    return tuple(Claim(**entry | {name: tuple(entry[name]) for name in ("engines", "blocks")}) for entry in told)


def measure_claim(claim: Claim, fits: StudyFits) -> list[dict[str, Any]]:
    """Measure a claim: a row for each engine that it is about and that has fits of its cases."""
    about = [row for row in fits.rows if row.block in claim.blocks and fnmatchcase(row.case, claim.cases)]
    names = [n for n in engine_order(fits) if any(fnmatchcase(n, glob) for glob in claim.engines)]
    found = [(name, [row for row in about if row.engine == name]) for name in names]
    return [
        {"engine": name, "command": command(claim, name)} | _counts(rows) | _holds(claim, rows, about)
        for name, rows in found
        if rows
    ]


def command(claim: Claim, engine: str) -> str:
    """Return the command that fits what the claim is about, with one engine."""
    blocks = " ".join(f"--block {block}" for block in claim.blocks)
    cases = f" --case {shlex.quote(claim.cases)}" if claim.cases != "*" else ""
    return f"lmerbridge study --engine {shlex.quote(engine)} {blocks}{cases} --out claim"


def _counts(rows: Sequence[Row]) -> dict[str, Any]:
    counted = tally(row.outcome for row in rows)
    gaps = [row for row in rows if not math.isnan(row.gap)]
    worst = max(gaps, key=lambda row: row.gap, default=None)
    return (
        {"fits": len(rows)}
        | asdict(counted)
        | {"gap": worst.gap if worst else math.nan, "at": worst.case if worst else ""}
    )


def _holds(claim: Claim, rows: Sequence[Row], about: Sequence[Row]) -> dict[str, Any]:
    """Count the fits of which the claim could be asked, and those of which it holds."""
    if claim.measure == "outcomes":
        counted = tally(row.outcome for row in rows)
        return {"asked": counted.judged - counted.refuses, "holds": counted.right + counted.otherwise}
    if claim.measure == "tolerance":
        asked = [row for row in rows if not math.isnan(row.fixef)]
        return {"asked": len(asked), "holds": sum(_within(claim, row) for row in asked)}
    lme4 = {row.case: row.gap for row in about if row.engine in REFERENCES}
    asked = [row for row in rows if not math.isnan(row.gap - lme4.get(row.case, math.nan))]
    return {"asked": len(asked), "holds": sum(row.gap <= lme4[row.case] + MARGIN for row in asked)}


def _within(claim: Claim, row: Row) -> bool:
    return row.fixef < claim.fixef and (math.isnan(row.var) or row.var < claim.var)
