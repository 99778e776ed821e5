"""One quantity as two engines give it: its column, its level, its difference."""

from __future__ import annotations

import math

from lmerbridge.parity import Comparison, QuantityRow, reference_at_fault
from lmerbridge.report.outcome import Level
from lmerbridge.report.wording import pair, short

KINDS = {  # the head of a quantity's name -> its column
    "fixef": "fixef",
    "se": "se",
    "sd": "sd",
    "var": "sd",
    "cor": "cor",
    "cov": "cor",
    "sigma": "sigma",
    "sigma2": "sigma",
    "logLik": "logLik",
    "REMLcrit": "logLik",
    "deviance": "logLik",
    "-2 logLik": "logLik",
    "AIC": "AIC, BIC",
    "BIC": "AIC, BIC",
}
UNITS = {
    "abs": "",
    "rel": " relative",
    "in_se": " SE",
    "fisher_z": " on Fisher's z",
    "sd": " of the SDs' product",
}


def column_of(row: QuantityRow) -> str:
    """Return the column that a quantity belongs to."""
    head = row.quantity.split("[")[0]
    return KINDS.get(head, head)


def row_level(row: QuantityRow, comparison: Comparison) -> Level:
    """Return the level of one quantity, given the verdict on the whole."""
    if row.agrees:
        return "ok"
    if row.definition:
        return "note"
    if math.isnan(row.reference) or math.isnan(row.candidate):
        return "missing"
    return "note" if comparison.verdict.agrees or reference_at_fault(comparison) else "bad"


def in_tolerances(row: QuantityRow) -> float:
    """Return the difference in units of its tolerance, or -1 where there is none to measure."""
    if math.isnan(row.difference):
        return -1.0
    return row.difference / row.tolerance if row.tolerance > 0 else row.difference


def tooltip(row: QuantityRow, comparison: Comparison) -> str:
    """Return a quantity's numbers in one line."""
    reference, candidate = pair(row.reference, row.candidate)
    apart = short(row.difference) + UNITS[row.measure]
    parts = [
        f"{row.quantity}: {comparison.reference} {reference}, {comparison.candidate} {candidate}",
        f"differs by {apart} (tolerance {short(row.tolerance)})",
        f"definition: {row.definition}" if row.definition else "",
    ]
    return "; ".join(filter(None, parts))
