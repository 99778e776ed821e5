"""R's ``model.frame`` without R: a formula's variables, over the rows that have them all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lmerbridge.bridge import ClassVector, Factor, Logical, Value, columns
from lmerbridge.errors import InvalidArgument
from lmerbridge.formula import Bar, Call, Formula, Node, deparse, expand
from lmerbridge.inputs import Spec
from lmerbridge.results import Array
from lmerbridge.translate.transform import LOGICAL, Variable, as_factor, evaluate, make_factor

RowPositions = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Grouping:
    """A grouping factor over the rows used.

    Attributes
    ----------
    codes : ndarray of int, shape (n,)
        Positions in ``levels``.
    levels : tuple of str
    """

    codes: NDArray[np.int64]
    levels: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class ModelFrame:
    """What a formula needs of a frame.

    Attributes
    ----------
    formula : Formula
        With a ``.`` written out.
    variables : mapping of R's label to Variable
        Of the fixed part and of the left-hand sides of the random terms; unused levels are gone.
    groupings : mapping of lme4's name to Grouping
    response, offset : ndarray, shape (n,)
        A binomial response is a proportion.
    trials : ndarray, shape (n,)
        Numbers of trials of ``cbind(successes, failures)``, 1 elsewhere.
    rows : ndarray of int, shape (n,)
        Positions of the rows used, from 0.
    rows_dropped : int
        RowPositions of the subset that lack a value.
    """

    formula: Formula
    variables: Mapping[str, Variable]
    groupings: Mapping[str, Grouping]
    response: Array
    trials: Array
    offset: Array
    rows: RowPositions
    rows_dropped: int


def model_frame(spec: Spec) -> ModelFrame:
    """Evaluate a formula's variables, then leave out the rows that lack one: R's order of doing it.

    Raises
    ------
    FormulaError, MissingColumns, UnsupportedColumn, InvalidArgument, NotExpressible
    """
    formula = spec.parsed
    sent = columns.encode_table(spec.data, formula, spec.kind).columns
    have = {name: variable_of(value) for name, value in sent.items()}
    variables = {label: evaluate(node, have) for label, node in _variables(formula).items()}
    factors = {deparse(n): as_factor(evaluate(n, have)) for bar in formula.random for n in bar.group}
    inside = spec.rows_in_subset()
    response, trials = _response(spec, formula.response, have)
    offset = _offset(spec, formula, have)
    complete = ~np.any([_is_missing(v) for v in (*variables.values(), *factors.values(), response, offset)], axis=0)
    rows = inside[complete[inside]]
    _check_rows(spec, len(inside), len(rows))
    return ModelFrame(
        formula,
        {label: _take(values, rows) for label, values in variables.items()},
        {bar.group_name: _grouping(bar, factors, rows) for bar in formula.random},
        _outcome(_take(response, rows)),
        trials[rows],
        offset[rows],
        rows,
        len(inside) - len(rows),
    )


def _variables(formula: Formula) -> dict[str, Node]:
    terms = [formula.terms, *(expand(bar.lhs) for bar in formula.random)]
    return {deparse(node): node for t in terms for product in t.products for node in product}


def variable_of(value: Value) -> Variable:
    """Return a column as the bridge sends it: a logical one as a factor of FALSE and TRUE, times as their numbers."""
    match value:
        case Factor():
            return make_factor(value.codes, value.labels, ordered=value.ordered)
        case Logical():
            return make_factor(value.codes, LOGICAL)
        case ClassVector():
            return value.values
    return np.asarray(value)


def _response(spec: Spec, node: Node, have: Mapping[str, Variable]) -> tuple[Variable, Array]:
    """Return the response, and the number of trials that each row of ``cbind(successes, failures)`` has."""
    if isinstance(node, Call) and node.function in spec.kind.functions:
        if len(node.args) != 2:
            raise InvalidArgument(f"{deparse(node)} has {len(node.args)} columns; successes and failures are expected.")
        successes, failures = (_number(part, have) for part in node.args)
        trials = successes + failures
        return np.where(trials == 0, 0.0, successes / np.where(trials == 0, 1.0, trials)), trials
    values = evaluate(node, have) if spec.kind.family == "binomial" else _number(node, have)
    return values, np.ones(len(values))


def _outcome(response: Variable) -> Array:
    """Return a response as numbers: of a factor 0 for the first level that occurs, and 1 for any other, as R has it."""
    return np.where(response.codes > 0, 1.0, 0.0) if isinstance(response, pd.Categorical) else response


def _number(node: Node, have: Mapping[str, Variable]) -> Array:
    values = evaluate(node, have)
    if isinstance(values, pd.Categorical) and tuple(values.categories) == LOGICAL:
        return np.where(values.codes < 0, np.nan, values.codes)
    if isinstance(values, pd.Categorical) or values.ndim != 1:
        raise InvalidArgument(f"{deparse(node)} is not a column of numbers; a response or an offset must be one.")
    return values


def _offset(spec: Spec, formula: Formula, have: Mapping[str, Variable]) -> Array:
    given = spec.per_row("offset")
    total = np.zeros(len(spec.data)) if given is None else columns.finite_doubles(given)
    return np.asarray(total + sum(_number(node, have) for node in formula.terms.offsets))


def _is_missing(values: Variable) -> NDArray[np.bool_]:
    if isinstance(values, pd.Categorical):
        return values.codes < 0
    absent = np.isnan(values).reshape(len(values), -1)
    return np.asarray(absent.any(axis=1), dtype=np.bool_)


def _check_rows(spec: Spec, inside: int, used: int) -> None:
    if not used:
        raise InvalidArgument(f"none of the {inside} rows has a value for every variable of the model.")
    if spec.na_action == "fail" and used < inside:
        lack = "lacks" if inside - used == 1 else "lack"
        raise InvalidArgument(f"na_action is 'fail' and {inside - used} of {inside} rows {lack} a value.")


def _take(values: Variable, rows: RowPositions) -> Variable:
    """Pick rows of a variable.

    A factor loses the levels that none of the rows has.
    """
    taken = values[rows]
    keep = not isinstance(taken, pd.Categorical) or tuple(taken.categories) == LOGICAL
    return taken if keep else as_factor(taken)


def _grouping(bar: Bar, factors: Mapping[str, pd.Categorical], rows: RowPositions) -> Grouping:
    """Cross the factors of a random term.

    As in lme4, the levels are ordered by the first factor, then by the second.
    """
    parts = [factors[deparse(node)][rows] for node in bar.group]
    codes, level = np.unique(np.stack([part.codes for part in parts]), axis=1, return_inverse=True)
    names = (":".join(_labels(parts, combination)) for combination in codes.T)
    return Grouping(np.asarray(level).ravel(), tuple(names))


def _labels(parts: Iterable[pd.Categorical], codes: NDArray[np.int64]) -> list[str]:
    return [str(part.categories[code]) for part, code in zip(parts, codes, strict=True)]
