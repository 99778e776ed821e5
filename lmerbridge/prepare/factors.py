"""Factors that a formula makes by constants: ``factor(x, levels = ...)``, ``ordered(...)`` and ``cut(x, 3)``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import inf, isinf
from typing import Any

import numpy as np
import pandas as pd

from lmerbridge.formula import Call, Constant, Node, Number, String, number_text
from lmerbridge.translate import as_factor, as_number, make_factor

CONSTANTS = {"TRUE": True, "T": True, "FALSE": False, "F": False, "NULL": None, "Inf": inf}
DIGITS = range(3, 13)  # of the breaks in a label, the fewest that tell them apart


def constant(node: Node) -> Any:  # noqa: ANN401  # whatever is written
    """Return the value of a constant: a number, a text, a truth value, None or a list of them.

    Raises
    ------
    ValueError
        It is no constant.
    """
    match node:
        case Number(text):
            return float(text.rstrip("L"))
        case String(text):
            return text
        case Constant(text) if text in CONSTANTS:
            return CONSTANTS[text]
        case Call("-", (inner,)):
            return -constant(inner)
        case Call("c", args):
            return [constant(arg) for arg in args]
        case Call(":", (first, last)):
            ends = int(constant(first)), int(constant(last))
            step = 1 if ends[0] <= ends[1] else -1
            return [float(each) for each in range(ends[0], ends[1] + step, step)]
    raise ValueError(node)


def factor(
    x: Any,  # noqa: ANN401  # a variable
    levels: Sequence[Any] | None = None,
    labels: Sequence[str] | str | None = None,
    *,
    ordered: bool = False,
) -> pd.Categorical:
    """R's ``factor`` with levels in an order of one's own, under other labels.

    Examples
    --------
    >>> factor(np.array([1.0, 2.0, 3.0]), levels=[3.0, 1.0], labels=["c", "a"]).tolist()
    ['a', nan, 'c']
    """
    found = as_factor(x)
    known = [_text(each) for each in found.categories] if levels is None else [_text(each) for each in _list(levels)]
    places = [known.index(level) if level in known else -1 for level in found.categories]
    names = known if labels is None else [_text(each) for each in _list(labels)]
    if len(names) == 1 < len(known):
        names = [f"{names[0]}{i + 1}" for i in range(len(known))]
    if len(names) != len(known):
        raise ValueError("as many labels as levels are expected")
    is_ordered = ordered or (bool(found.ordered) and levels is None)
    return make_factor(np.array([*places, -1])[found.codes], names, ordered=is_ordered)


def cut(
    x: Any,  # noqa: ANN401  # a variable
    breaks: float | Sequence[float],
    labels: Sequence[str] | None = None,
    *,
    right: bool = True,
    include_lowest: bool = False,
    ordered_result: bool = False,
) -> pd.Categorical:
    """R's ``cut``: intervals of numbers, whose labels are the breaks to the fewest digits that tell them apart.

    Examples
    --------
    >>> cut(np.array([0.0, 1.0, 5.0, 9.0]), 3).categories.tolist()
    ['(-0.009,3]', '(3,6]', '(6,9.01]']
    """
    values = np.asarray(as_number(x), float)
    ends = _equal(values, int(breaks)) if isinstance(breaks, int | float) else np.sort(np.asarray(breaks, float))
    inside = np.searchsorted(ends, values, side="left" if right else "right") - 1
    if include_lowest:
        inside[values == (ends[0] if right else ends[-1])] = 0 if right else len(ends) - 2
    inside[np.isnan(values) | (inside >= len(ends) - 1)] = -1
    names = _intervals(ends, right, include_lowest) if labels is None else [_text(each) for each in _list(labels)]
    if len(names) != len(ends) - 1:
        raise ValueError("as many labels as intervals are expected")
    return make_factor(inside, names, ordered=ordered_result)


def _equal(values: Any, count: int) -> Any:  # noqa: ANN401
    low, high = np.nanmin(values), np.nanmax(values)
    if not high > low:
        raise ValueError("R widens the range of a constant otherwise")
    ends = np.linspace(low, high, count + 1)
    ends[[0, -1]] = low - (high - low) / 1000, high + (high - low) / 1000
    return ends


def _intervals(ends: Any, right: bool, include_lowest: bool) -> list[str]:  # noqa: ANN401
    written = ([_break(end, digits) for end in ends] for digits in DIGITS)
    texts = next((each for each in written if len({*each}) == len(each)), None)
    if texts is None:
        raise ValueError("breaks that differ are expected")
    first, last = ("(", "]") if right else ("[", ")")
    names = [f"{first}{low},{high}{last}" for low, high in pairwise(texts)]
    if include_lowest and right:
        names[0] = f"[{names[0][1:]}"
    elif include_lowest:
        names[-1] = f"{names[-1][:-1]}]"
    return names


def _break(end: float, digits: int) -> str:
    """Write a break as R does, which sets a space before Inf."""
    return f"{end:.{digits}g}" if not isinf(end) else " Inf" if end > 0 else "-Inf"


def _list(values: Any) -> list[Any]:  # noqa: ANN401
    return values if isinstance(values, list) else [values]


def _text(value: Any) -> str:  # noqa: ANN401
    return number_text(value) if isinstance(value, float) else str(value)


MAKERS: dict[str, Callable[..., pd.Categorical]] = {
    "factor": factor,
    "ordered": lambda x, *args, **named: factor(x, *args, **{**named, "ordered": True}),
    "cut": cut,
}
