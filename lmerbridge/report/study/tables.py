"""Tables of the study: every cell is text, and each number in it is one of the summary's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lmerbridge.report.outcome import Level
from lmerbridge.report.wording import short

NONE = "·"
FLOOR = 1e-9  # deviance units; what is below is noise
OUTCOMES = {"right": "right", "otherwise": "other", "warned": "warned", "silent": "silent", "fails": "fails"}
NO_ANSWER = {"refuses": "refuses", "unjudged": "not judged"}
MARKS: dict[Level, str] = {"ok": "", "note": "", "bad": "✗ ", "missing": "", "na": ""}  # what colour says
MARKED = "✗: some of the wrong answers are silent."
MODELS = {"linear": "Linear models", "generalized": "Generalized models"}


@dataclass(frozen=True)
class TableCell:
    """Text, and the level that gives it a colour, or ""."""

    text: str
    level: Level | str = ""


@dataclass(frozen=True)
class TextTable:
    """A table with a caption; the first cell of a row is its name.

    ``folded`` tables are opened by a click, ``numeric`` ones are set to the right.
    """

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[TableCell, ...], ...]
    folded: bool = False
    numeric: bool = True


def table(caption: str, head: Iterable[str], rows: Iterable[Iterable[TableCell | str]], **how: bool) -> TextTable:
    """Return a table of cells and texts."""
    cells = tuple(tuple(cell if isinstance(cell, TableCell) else TableCell(cell) for cell in row) for row in rows)
    return TextTable(caption, tuple(head), cells, **how)


def glance_table(told: Mapping[str, Any]) -> TextTable:
    """Return the table of all linear models."""
    versions = {each["engine"]: each["version"] for each in told["engines"]}
    head = ("engine", "version", "taken on", *OUTCOMES.values(), *NO_ANSWER.values(), "right, %", "95 %")
    rows = [
        [row["engine"], versions[row["engine"]], str(row["taken"]), *_outcomes(row), percent(row), ends(row)]
        for row in told["linear"]
    ]
    return table("Fits of linear models by outcome.", head, rows)


def by_block(told: Mapping[str, Any]) -> TextTable:
    """Return the table of engines by blocks."""
    blocks = [each["block"] for each in told["blocks"]]
    found = {(row["engine"], row["block"]): row for row in told["counts"]}
    rows = [[TableCell(name), *(_share(found.get((name, block))) for block in blocks)] for name in _engines(told)]
    return table(f"Share right by block, in per cent. {MARKED}", ("engine", *blocks), rows)


def blocks_table(told: Mapping[str, Any]) -> TextTable:
    """Return the table of what the blocks are made of."""
    rows = [[each["block"], str(each["fits"]), each["made_of"]] for each in told["blocks"]]
    return table("Blocks.", ("block", "fits", "made of"), rows, numeric=False)


def by_outcome(told: Mapping[str, Any]) -> TextTable:
    """Return the table of all counts by block and engine."""
    head = ("block", "engine", "fits", "taken on", *OUTCOMES.values(), *NO_ANSWER.values(), "right, %", "95 %")
    rows = [
        [row["block"], row["engine"], str(row["fits"]), str(row["taken"]), *_outcomes(row), percent(row), ends(row)]
        for row in told["counts"]
    ]
    return table("Every count.", head, rows, folded=True)


def digits_table(told: Mapping[str, Any]) -> TextTable:
    """Return the table of digits by engine and kind of quantity."""
    head = ("engine", "quantity", "numbers", "given", "reach the floor", "worst", "lower quarter", "median")
    rows = [
        [row["engine"], row["kind"], str(row["numbers"]), str(row["given"]), str(row["enough"])]
        + [_decimal(row[name]) for name in ("worst", "quarter", "median")]
        for row in told["digits"]
    ]
    return table("Digits that are right, of the numbers that were given.", head, rows, folded=True)


def printed_table(told: Mapping[str, Any]) -> TextTable:
    """Return the table of printed numbers by engine."""
    rows = [
        [row["engine"], str(row["models"]), str(row["compared"]), str(row["reproduced"])] for row in told["printed"]
    ]
    return table(
        "Printed numbers, of the models that an engine fits.", ("engine", "models", "compared", "reproduced"), rows
    )


def gaps_table(told: Mapping[str, Any], model: str) -> TextTable:
    """Return the table of the quantiles of gaps."""
    head = ("engine", "fits", "median", "90 %", "99 %", "largest", "above", "above, 95 %")
    names = ("q50", "q90", "q99", "largest")
    rows = [
        [row["engine"], str(row["fits"]), *(_gap(row[name]) for name in names), str(row["above"]), ends(row)]
        for row in told["gaps"]
        if row["model"] == model
    ]
    limit = f"{told['limits']['loose']:g}"
    return table(f"{MODELS[model]}: quantiles of the gap in deviance units, and fits above {limit}.", head, rows)


def models_with_gaps(told: Mapping[str, Any]) -> list[str]:
    """Return the kinds of model that there are gaps of."""
    return [model for model in MODELS if any(row["model"] == model for row in told["gaps"])]


def by_kind(told: Mapping[str, Any], block: str) -> TextTable:
    """Return the table of kinds by engines, for one block."""
    mine = [row for row in told["kinds"] if row["block"] == block]
    kinds = list(dict.fromkeys(row["kind"] for row in mine))
    engines = [name for name in _engines(told) if any(row["engine"] == name for row in mine)]
    found = {(row["kind"], row["engine"]): row for row in mine}
    rows = [[TableCell(kind.replace("_", " ")), *(_of(found.get((kind, name))) for name in engines)] for kind in kinds]
    return table(f"Right of taken on, block {block}. {MARKED}", ("kind", *engines), rows)


def convergence_table(told: Mapping[str, Any]) -> TextTable:
    """Return the table of small groups: right beside what was said."""
    rows = [
        [row["engine"], str(row["taken"]), percent(row), ends(row), str(row["converged"]), _bad(row["silent"])]
        for row in told["counts"]
        if row["block"] == "small"
    ]
    head = ("engine", "taken on", "right, %", "95 %", "said converged", "silent")
    return table("Small groups: what is right, and what was said.", head, rows)


def times_table(told: Mapping[str, Any]) -> TextTable:
    """Return the table of times over lme4's."""
    quartiles = ("low", "median", "high")
    rows = [[row["engine"], str(row["models"]), *(_ratio(row[q]) for q in quartiles)] for row in told["table"]]
    return table("CPU time over lme4's.", ("engine", "models", "lower quarter", "median", "upper quarter"), rows)


def measured_table(claim: Mapping[str, Any]) -> TextTable:
    """Return the table of what was measured for one claim."""
    head = ("engine", "holds", "of", *OUTCOMES.values(), "refuses", "largest gap", "at")
    rows = [
        [row["engine"], _holds(row), str(row["asked"])]
        + [str(row[name]) for name in (*OUTCOMES, "refuses")]
        + [_gap(row["gap"]), row["at"]]
        for row in claim["measured"]
    ]
    return table("", head, rows)


def provenance_table(told: Mapping[str, str]) -> TextTable:
    """Return the table of versions."""
    return table("Versions.", ("", ""), [[name, str(told[name])] for name in sorted(told)], folded=True, numeric=False)


def doubts_table(told: Mapping[str, Any]) -> TextTable:
    """Return the table of printed numbers that lme4 does not give."""
    rows = [[row["case"], row["quantity"], f"{row['printed']:.8g}", f"{row['found']:.8g}"] for row in told["doubts"]]
    return table(
        "Printed numbers that lme4 does not give.", ("model", "quantity", "printed", "lme4 at the optimum"), rows
    )


def percent(row: Mapping[str, Any]) -> str:
    """Return a share in per cent, whole only where nothing was rounded away."""
    if row["share"] is None:
        return NONE
    whole = f"{100 * row['share']:.0f}"
    return whole if whole not in ("0", "100") or row["share"] in (0, 1) else f"{100 * row['share']:.1f}"


def ends(row: Mapping[str, Any]) -> str:
    """Return the ends of an interval in per cent."""
    return NONE if row["low"] is None else f"{100 * row['low']:.0f} to {100 * row['high']:.0f}"


def _holds(row: Mapping[str, Any]) -> TableCell:
    return TableCell(str(row["holds"]), _level(row["holds"], row["asked"], row["silent"]))


def _engines(told: Mapping[str, Any]) -> Sequence[str]:
    return [each["engine"] for each in told["engines"]]


def _outcomes(row: Mapping[str, Any]) -> list[TableCell | str]:
    return [_bad(row[name]) if name == "silent" else str(row[name]) for name in (*OUTCOMES, *NO_ANSWER)]


def _bad(number: int) -> TableCell:
    return TableCell(str(number), "bad" if number else "")


def _share(row: Mapping[str, Any] | None) -> TableCell:
    return _right(row, lambda row: f"{percent(row)} ({ends(row)}), ")


def _of(row: Mapping[str, Any] | None) -> TableCell:
    return _right(row, lambda row: "")


def _right(row: Mapping[str, Any] | None, before: Callable[[Mapping[str, Any]], str]) -> TableCell:
    """Return how many are right of those taken on, behind other words of them."""
    if row is None or not row["taken"]:
        return TableCell(NONE, "na")
    right = row["right"] + row["otherwise"]
    level = _level(right, row["taken"], row["silent"])
    return TableCell(f"{MARKS[level]}{before(row)}{right}/{row['taken']}", level)


def _level(right: int, of: int, silent: int) -> Level:
    """Return green where all is right, red where an engine is wrong in silence."""
    return "na" if not of else "ok" if right == of else "bad" if silent else "note"


def _decimal(value: float | None) -> str:
    return NONE if value is None else f"{value:.1f}"


def _gap(value: float | None) -> str:
    return NONE if value is None else short(value)


def _ratio(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"
