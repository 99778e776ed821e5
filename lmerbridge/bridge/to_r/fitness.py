"""Whether columns can carry a model at all, seen before R sees them.

Only what holds whichever rows R leaves out is refused here. What depends on the rows that R keeps is refused by R,
and `refusals` translates R's error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lmerbridge.bridge.wire import ClassVector, Factor, Logical, Value
from lmerbridge.errors import UnfitData
from lmerbridge.formula import Formula, Name, Node, expand
from lmerbridge.inputs import Spec

Columns: TypeAlias = Mapping[str, Value]
Values: TypeAlias = NDArray[Any]


def check(spec: Spec, columns: Columns) -> None:
    """Refuse an empty or one-level column, a grouping factor with one level per row, and a constant response.

    Raises
    ------
    UnfitData
    """
    formula = spec.parsed
    rows = slice(None) if spec.subset is None else spec.rows_in_subset()
    present = {name: _values_in(columns[name], rows) for name in _plain(formula)}
    for problem in chain(
        _empty(present),
        _groups(spec, formula, present),
        _factors(formula, columns, present),
        _response(spec, formula, present),
    ):
        raise UnfitData(problem)


def _plain(formula: Formula) -> list[str]:
    """Names of the columns that stand alone, where a row that lacks a value is left out."""
    groups = [node for bar in formula.random for node in bar.group]
    return _names([formula.response, *_design_variables(formula), *groups])


def _design_variables(formula: Formula) -> list[Node]:
    """Variables of the fixed part, and of what varies by group."""
    terms = (formula.terms, *(expand(bar.lhs) for bar in formula.random))
    return [node for t in terms for product in t.products for node in product]


def _names(nodes: list[Node]) -> list[str]:
    return list(dict.fromkeys(node.name for node in nodes if isinstance(node, Name)))


def _values_in(value: Value, rows: slice | Values) -> Values:
    """Return the values that are not missing, of a factor its codes."""
    if isinstance(value, Factor | Logical):
        codes = value.codes[rows]
        return codes[codes >= 0]
    values: Values = np.asarray(value.values if isinstance(value, ClassVector) else value)[rows]
    there: Values = values[~np.isnan(values)]
    return there


def _is_constant(values: Values) -> bool:
    return bool(values.min() == values.max())


def _empty(present: Mapping[str, Values]) -> Iterator[str]:
    for name, values in present.items():
        if not len(values):
            yield f"{name!r} has no value in any row; leave it out, or see why its values are missing."


def _groups(spec: Spec, formula: Formula, present: Mapping[str, Values]) -> Iterator[str]:
    checks = spec.controls  # lme4 decides where its own check is set
    for name in _names([bar.group[0] for bar in formula.random if len(bar.group) == 1]):
        rows, levels = len(present[name]), len(np.unique(present[name]))
        if levels == 1 and "check.nlev.gtr.1" not in checks:
            yield f"the grouping factor {name!r} has one level; a random effect needs at least two: leave its term out."
        elif levels == rows and "check.nobs.vs.nlev" not in checks:
            yield (
                f"the grouping factor {name!r} has a level of its own in each of its {rows} rows; random effects "
                "and residuals are then one: leave its term out, or group by what repeats."
            )


def _factors(formula: Formula, columns: Columns, present: Mapping[str, Values]) -> Iterator[str]:
    for name in _names(_design_variables(formula)):
        if isinstance(columns[name], Factor) and _is_constant(present[name]):
            yield f"the factor {name!r} has one level in the rows given; it explains nothing: leave it out."


def _response(spec: Spec, formula: Formula, present: Mapping[str, Values]) -> Iterator[str]:
    response, offset = formula.response, spec.offset is not None or bool(formula.terms.offsets)
    if isinstance(response, Name) and (told := spec.kind.check_response(present[response.name], offset)):
        yield f"the response {response.name!r} {told}."
