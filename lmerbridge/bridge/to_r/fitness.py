"""Whether columns can carry a model at all, seen before R sees them.

Only what holds whichever rows R leaves out is refused here. What depends on the rows that R keeps is refused by R,
and `refusals` translates R's error.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from math import prod
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lmerbridge.bridge.wire import ClassVector, Factor, Logical, Value
from lmerbridge.errors import UnfitData
from lmerbridge.formula import Call, Formula, Name, Node, deparse
from lmerbridge.inputs import Spec

Columns: TypeAlias = Mapping[str, Value]
Values: TypeAlias = NDArray[Any]

DENSE = 1500  # rows up to which the rank of a wide fixed part is computed, in a second
RANK = 1e-6  # of the largest singular value; lme4 leaves columns out at 1e-7


def check(spec: Spec, columns: Columns) -> None:
    """Refuse data that cannot carry the model.

    Such are an empty or one-level column, a grouping factor with one level per row, or whose levels lme4 would confuse,
    a constant response, columns too large or too small to be squared, and a fixed part with a column per row.

    Raises
    ------
    UnfitData
    """
    formula = spec.parsed
    rows = slice(None) if spec.subset is None else spec.rows_in_subset()
    coded = {name: _codes(columns[name], rows) for name in _plain(formula)}
    there = {name: ~np.isnan(codes) for name, codes in coded.items()}
    whole = np.logical_and.reduce(list(there.values()))
    by_row = spec.na_action != "fail" and whole.any()  # else R tells which values are missing
    used = {name: codes[whole if by_row else there[name]] for name, codes in coded.items()}
    for problem in chain(
        _empty(there),
        _groups(spec, formula, used),
        _alike(formula, columns, used),
        _factors(formula, columns, used),
        _response(spec, formula, used),
        _predictors(spec, formula, columns, used),
        _saturated(formula, columns, rows),
    ):
        raise UnfitData(problem)


def _plain(formula: Formula) -> list[str]:
    """Names of the columns that stand alone, where a row that lacks a value is left out."""
    groups = [node for bar in formula.random for node in bar.group]
    return _names([formula.response, *formula.design_variables, *groups])


def _names(nodes: Iterable[Node]) -> list[str]:
    return list(dict.fromkeys(node.name for node in nodes if isinstance(node, Name)))


def _is_constant(values: Values) -> bool:
    return bool(values.min() == values.max())


def _empty(there: Mapping[str, Values]) -> Iterator[str]:
    for name, values in there.items():
        if not values.any():
            yield f"{name!r} has no value in any row; leave it out, or see why its values are missing."


def _groups(spec: Spec, formula: Formula, used: Mapping[str, Values]) -> Iterator[str]:
    checks = spec.controls  # lme4 decides where its own check is set
    for name in _names([bar.group[0] for bar in formula.random if len(bar.group) == 1]):
        rows, levels = len(used[name]), len(np.unique(used[name]))
        if levels == 1 and "check.nlev.gtr.1" not in checks:
            yield (
                f"the grouping factor {name!r} has one level in the rows that can be used; a random effect needs at "
                "least two: leave its term out."
            )
        elif levels == rows and not spec.kind.level_per_row and "check.nobs.vs.nlev" not in checks:
            yield (
                f"the grouping factor {name!r} has a level of its own in each of its {rows} rows; random effects "
                "and residuals are then one: leave its term out, or group by what repeats."
            )


def _alike(formula: Formula, columns: Columns, used: Mapping[str, Values]) -> Iterator[str]:
    """Yield what is wrong with a grouping factor a:b whose pairs of levels share a text: lme4 makes them one."""
    for bar in formula.random:
        names = _names(list(bar.group))
        labels = [factor.labels for factor in map(columns.get, names) if isinstance(factor, Factor)]
        if len(labels) < len(bar.group) or sum(any(":" in label for label in several) for several in labels) < 2:
            continue  # a text has one reading
        found: dict[str, tuple[str, ...]] = {}
        for codes in np.unique(np.column_stack([used[name] for name in names]).astype(int), axis=0):
            pair = tuple(several[code] for several, code in zip(labels, codes, strict=True))
            text = ":".join(pair)
            if (other := found.setdefault(text, pair)) != pair:
                yield (
                    f"the grouping factor {bar.group_name!r} has the levels {other} and {pair}, which lme4 would take "
                    f"for one, {text!r}; rename the levels of its columns."
                )


def _factors(formula: Formula, columns: Columns, used: Mapping[str, Values]) -> Iterator[str]:
    for name in _names(formula.design_variables):
        if isinstance(columns[name], Factor) and _is_constant(used[name]):
            yield f"the factor {name!r} has one level in the rows that can be used; it explains nothing: leave it out."


def _response(spec: Spec, formula: Formula, used: Mapping[str, Values]) -> Iterator[str]:
    response, offset = formula.response, spec.offset is not None or bool(formula.terms.offsets)
    if isinstance(response, Name) and (told := spec.kind.check_response(used[response.name], offset)):
        yield f"the response {response.name!r} {told}."


def _predictors(spec: Spec, formula: Formula, columns: Columns, used: Mapping[str, Values]) -> Iterator[str]:
    for name in _names(formula.design_variables):
        if isinstance(columns[name], np.ndarray) and (told := spec.kind.check_predictor(used[name])):
            yield f"{name!r} {told}."


def _saturated(formula: Formula, columns: Columns, rows: slice | Values) -> Iterator[str]:
    """Yield what is wrong with a fixed part that has a column for each row.

    Terms of more than plain columns and factors are left out. If the others have full rank by rows, they have it in
    whichever rows R keeps, and so has the whole.
    """
    known = [product for product in formula.terms.products if all(map(_column_name, product))]
    names = dict.fromkeys(_column_name(node) for product in known for node in product)
    coded = {name: _codes(columns[name], rows) for name in names}
    there = np.all([~np.isnan(codes) for codes in coded.values()], axis=0) if coded else np.empty(0, bool)
    count = int(there.sum())
    factors = {
        name: len(np.unique(coded[name][there]))
        for product in known
        for node in product
        if isinstance(columns[name := _column_name(node)], Factor | Logical) or not isinstance(node, Name)
    }
    widths = [prod(factors.get(_column_name(node), 1) for node in product) for product in known]
    if not count or sum(widths) + formula.terms.intercept < count:
        return
    widest = known[int(np.argmax(widths))]
    by_one = len(widest) == 1 and max(widths) == count
    if by_one or (count <= DENSE and _has_full_rank(formula, known, {n: c[there] for n, c in coded.items()}, factors)):
        label = ":".join(map(deparse, widest))
        yield (
            f"the fixed part has as many columns as rows, {count}, of which {label!r} has {max(widths)}, and fits any "
            f"response exactly; leave {label!r} out, group by it, or bring more data."
        )


def _column_name(node: Node) -> str:
    """Return the column of a variable that is one, or the factor of one, and "" for any other."""
    match node:
        case Name(name) | Call("factor" | "as.factor" | "ordered", (Name(name),)):
            return name
    return ""


def _codes(value: Value, rows: slice | Values) -> Values:
    """Return the values, of a factor its codes, NaN where one is missing."""
    if isinstance(value, Factor | Logical):
        codes = value.codes[rows].astype(float)
        return np.where(codes < 0, np.nan, codes)
    return np.asarray(value.values if isinstance(value, ClassVector) else value, float)[rows]


def _has_full_rank(
    formula: Formula, known: list[tuple[Node, ...]], coded: Mapping[str, Values], factors: Mapping[str, int]
) -> bool:
    """Whether the columns of the terms, with a dummy for each level, span all rows: R's contrasts span the same."""
    count = len(next(iter(coded.values())))
    blocks = [np.ones((count, int(formula.terms.intercept)))]
    for product in known:
        block = np.ones((count, 1))
        for name in map(_column_name, product):
            values = coded[name]
            part = values[:, None] == np.unique(values) if name in factors else values[:, None] / np.abs(values).max()
            block = (block[:, :, None] * part[:, None, :]).reshape(count, -1)
        blocks.append(block)
    sizes = np.linalg.svd(np.hstack(blocks), compute_uv=False)
    return bool((sizes > RANK * sizes[0]).sum() == count)
