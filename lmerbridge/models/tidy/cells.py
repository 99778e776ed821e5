"""Numbers as the text of a table's cells."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

import pandas as pd

from lmerbridge.models.tidy.columns import ESTIMATE, LEVELS, OF_FIT
from lmerbridge.text import clean

MINUS = "\N{MINUS SIGN}"
STARS = (0.001, "***"), (0.01, "**"), (0.05, "*")
BELOW: dict[str, Callable[[str], str]] = {
    "std_error": lambda text: f"({text})",
    "t_value": lambda text: f"t = {text}",
}


def cells(frame: pd.DataFrame, marks: Mapping[str, Mapping[str, str]], digits: int) -> pd.DataFrame:
    """Return the texts of a table of numbers, by section and label, with the marks of each model's estimates."""
    rows = [*_rows(frame, marks, digits)]
    index = pd.MultiIndex.from_tuples(
        [(section, clean(label)) for section, label, _ in rows], names=["section", "label"]
    )
    return pd.DataFrame([texts for _, _, texts in rows], index, frame.columns, dtype=object)


def _rows(
    frame: pd.DataFrame, marks: Mapping[str, Mapping[str, str]], digits: int
) -> Iterator[tuple[str, str, list[str]]]:
    lower = frame.to_numpy()[:0]
    for key, values in zip(frame.index, frame.to_numpy(), strict=True):
        section, row, statistic = key
        if statistic == "conf_low":
            lower = values
        elif statistic == "conf_high":
            yield section, "", [_interval(*ends, digits) for ends in zip(lower, values, strict=True)]
        elif section == OF_FIT:
            yield section, row, [_of_fit(row, value, digits) for value in values]
        elif statistic == ESTIMATE:
            own = [marks.get(name, {}).get(row, "") for name in frame.columns]
            yield section, row, [number(value, digits) + star for value, star in zip(values, own, strict=True)]
        else:
            yield section, "", [_below(statistic, value, digits) for value in values]


def number(value: float, digits: int) -> str:
    """Return a number with some decimals, or as many significant digits where it is small, and nothing for NaN.

    Examples
    --------
    >>> number(-2.5, 3), number(0.00012345, 3), number(0.0, 3), number(float("nan"), 3)
    ('−2.500', '0.000123', '0.000', '')
    >>> number(0.0999, 2), number(9.6, 0)
    ('0.10', '10')
    """
    if math.isnan(value):
        return ""
    small = value != 0 and abs(round(value, digits)) < 10.0 ** (1 - digits)  # 0.0999 is 0.10 in 2 decimals
    return (f"{value:.{max(digits, 1)}g}" if small else f"{value + 0.0:.{digits}f}").replace("-", MINUS)


def mark(p_value: float) -> str:
    """Return the marks of a p-value."""
    return next((stars for limit, stars in STARS if p_value < limit), "")


def _below(statistic: str, value: float, digits: int) -> str:
    if math.isnan(value):
        return ""
    if statistic == "p_value":
        return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"
    return BELOW[statistic](number(value, digits))


def _interval(low: float, high: float, digits: int) -> str:
    return "" if math.isnan(low) else f"[{number(low, digits)}, {number(high, digits)}]"


def _of_fit(row: str, value: float, digits: int) -> str:
    if math.isnan(value):
        return ""
    if row == "REML":
        return "yes" if value else "no"
    return str(int(value)) if row == "N" or row.startswith(LEVELS) else number(value, digits)
