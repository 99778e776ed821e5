"""The study as one object of plain values, which ``study.json`` holds, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from lmerbridge.errors import InvalidArgument
from lmerbridge.parity import DigitRow
from lmerbridge.parity.study import counts, known, rows
from lmerbridge.parity.study.claims import claims, measure_claim
from lmerbridge.parity.study.fits import StudyFits
from lmerbridge.parity.study.plan import BLOCKS
from lmerbridge.parity.tolerances import default

SCHEMA = 1
COLUMNS = ("case", "kind", "outcome", "converged", "gap", "fixef", "var")


def study_summary(fits: StudyFits) -> dict[str, Any]:
    """Return everything that the study says, in numbers, texts, lists and tables of them; NaN is None.

    The same fits give the same object. ``rows``, ``digit_rows``, ``printed_rows`` and ``doubts`` are what was found,
    and the rest is counted from them.
    """
    order = counts.engine_order(fits)
    found = {
        "schema": SCHEMA,
        "engines": [{"engine": name, "version": fits.versions.get(name, "")} for name in order],
        "blocks": [_block(name, fits) for name in BLOCKS if any(row.block == name for row in fits.rows)],
        "counts": counts.count_by_block(fits),
        "linear": counts.count_linear(fits),
        "kinds": counts.count_by_kind(fits),
        "gaps": counts.gap_quantiles(fits, default().loose),
        "digits": counts.digit_quantiles(fits.digits, order),
        "printed": counts.printed_by_engine(fits),
        "claims": [_claim(claim, fits) for claim in claims()],
        "limits": _limits(),
        "provenance": dict(fits.provenance),
        "suite": dict(fits.suite),
        "rows": _rows(fits.rows, order),
        "digit_rows": _columns([row._asdict() for row in fits.digits], DigitRow._fields),
        "printed_rows": _columns([row._asdict() for row in fits.printed], known.PrintedCount._fields),
        "doubts": [row._asdict() for row in fits.doubts],
    }
    plain: dict[str, Any] = _plain(found)
    return plain


def study_fits(told: Mapping[str, Any]) -> StudyFits:
    """Return the fits that a summary was made of.

    Raises
    ------
    InvalidArgument
        It is of another schema.
    """
    if told.get("schema") != SCHEMA:
        raise InvalidArgument(
            f"the older study has the schema {told.get('schema')!r}; {SCHEMA} is expected: remove it."
        )
    return StudyFits(
        rows=tuple(row for group in told["rows"] for row in _rows_of(group)),
        digits=tuple(DigitRow(*each) for each in _records(told["digit_rows"], DigitRow._fields)),
        printed=tuple(known.PrintedCount(*each) for each in _records(told["printed_rows"], known.PrintedCount._fields)),
        doubts=tuple(known.Doubt(**{k: _number(v) for k, v in each.items()}) for each in told["doubts"]),
        versions={each["engine"]: each["version"] for each in told["engines"]},
        provenance=told["provenance"],
        suite=told["suite"],
    )


def _block(name: str, fits: StudyFits) -> dict[str, Any]:
    mine = {(row.case, row.kind) for row in fits.rows if row.block == name}
    return {"block": name, "made_of": BLOCKS[name], "fits": len(mine), "kinds": len({kind for _, kind in mine})}


def _claim(claim: Any, fits: StudyFits) -> dict[str, Any]:  # noqa: ANN401  # a Claim, of whose class no name is needed
    return asdict(claim) | {"measured": measure_claim(claim, fits)}


def _limits() -> dict[str, float]:
    profile = default()
    gaps = {"same": profile.same, "loose": profile.loose}
    return (
        gaps
        | {"zero": known.ZERO, "fixef": known.NEEDED["fixef"], "var": known.NEEDED["var"]}
        | {
            "criterion": known.NEEDED["logLik"],
            "largest": known.LARGEST,
        }
    )


def _rows(found: Sequence[rows.Row], order: Sequence[str]) -> list[dict[str, Any]]:
    places = {(block, engine): None for block in BLOCKS for engine in order}
    groups: dict[tuple[str, str], list[rows.Row]] = {key: [] for key in places}
    for row in found:
        groups[row.block, row.engine].append(row)
    return [
        {"block": block, "engine": engine} | {name: [getattr(row, name) for row in group] for name in COLUMNS}
        for (block, engine), group in groups.items()
        if group
    ]


def _rows_of(group: Mapping[str, Any]) -> list[rows.Row]:
    names = {"block": group["block"], "engine": group["engine"]}
    columns = zip(*(map(_number, group[name]) for name in COLUMNS), strict=True)
    return [rows.Row(**names, **dict(zip(COLUMNS, values, strict=True))) for values in columns]


def _columns(records: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, list[Any]]:
    return {name: [record[name] for record in records] for name in names}


def _records(columns: Mapping[str, Sequence[Any]], names: Sequence[str]) -> list[tuple[Any, ...]]:
    return [*zip(*(map(_number, columns[name]) for name in names), strict=True)]


def _number(value: Any) -> Any:  # noqa: ANN401  # whatever a record has
    return math.nan if value is None else value


def _plain(value: Any) -> Any:  # noqa: ANN401  # whatever JSON has
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
