"""A `Spec` as the arguments of the R function that fits it: plain values, checked before R sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lmerbridge.bridge.session import need
from lmerbridge.bridge.to_r import columns, fitness
from lmerbridge.bridge.wire import Factor, Logical, Table, Value
from lmerbridge.errors import InvalidArgument, amount
from lmerbridge.formula import CONTRASTS, Formula
from lmerbridge.inputs import CROSSPRODUCT, OPTIMIZERS, FactorContrasts, Spec, Start, as_numbers

NEEDS = {
    "autoscale": "autoscale",
    "check.conv.nobsmax": "conv_check_limits",
    "check.conv.nparmax": "conv_check_limits",
}  # arguments of lmerControl and their gates
SHOWN = 5  # levels that an error lists
INTEGER = 2**31  # R's integers are smaller


def arguments(spec: Spec) -> dict[str, Value]:
    """Return the arguments of the R function that fits such a model.

    Raises
    ------
    InputError
        The data or an argument cannot go to R.
    NeedsNewer
        The lme4 of this session does not know the covariance structures of the formula.
    """
    formula = spec.parsed
    if spec.double_bar != "split":
        need("double_vert_default")
    if formula.structures:
        need("structured_covariance")
    data = columns.encode_table(spec.data, formula, spec.kind)
    fitness.check(spec, data.columns)
    return {
        "formula": formula.source,
        "data": Table({**data.columns, **row_vectors(spec)}, data.rows),
        "na_action": spec.na_action or "omit",
        "contrasts": contrasts(spec.contrasts, formula, data.columns, spec.rows_in_subset()) or None,
        "control": _control(_by_cross_products(spec), spec.kind.stages) or None,
        "allow": spec.allow,
        **({} if "start" in spec.particulars else {"start": _start(spec.start, spec.kind.start)}),
        **spec.particulars,
    }


def row_vectors(spec: Spec) -> dict[str, Value]:
    """Return weights, offset and subset as columns of the data: R's scoping rules and NA handling need it so."""
    found: dict[str, Value] = {}
    for argument in spec.vectors:
        if argument == "subset":
            continue
        values = spec.per_row(argument)
        if values is not None:
            found[columns.PER_ROW[argument]] = _numbers(argument, values)
    if spec.subset is not None:
        mask = np.zeros(len(spec.data), np.bool_)
        mask[spec.rows_in_subset()] = True
        found[columns.PER_ROW["subset"]] = mask
    return found


def _numbers(argument: str, values: pd.Series) -> NDArray[np.float64]:
    numbers = columns.finite_doubles(values.rename(argument))
    if argument == "weights":
        check_weights(argument, numbers)
    return numbers


def check_weights(argument: str, weights: NDArray[np.float64]) -> None:
    """Check that weights are such as lme4 can fit with, NaN where a row lacks one."""
    if np.any(weights < 0) or not np.any(weights > 0):
        raise InvalidArgument(f"{argument} are negative in a row, or zero in all; numbers of at least 0 are expected.")


def contrasts(
    by_factor: FactorContrasts | None, formula: Formula, have: Mapping[str, Value], rows: NDArray[np.int64]
) -> dict[str, Value]:
    """Return the contrasts of each factor: the name of R's function, or the columns of a matrix, one after another.

    The rows of a matrix are in the order of the levels that some rows of the data have.

    Raises
    ------
    InvalidArgument
    """
    found: dict[str, Value] = {}
    for factor, given in (by_factor or {}).items():
        if factor not in formula.variables:
            used = ", ".join(formula.variables)
            raise InvalidArgument(f"contrasts names {factor!r}, which the formula does not use; it uses {used}.")
        argument = f"contrasts[{factor!r}]"
        if isinstance(given, np.ndarray | pd.DataFrame):
            found[factor] = _matrix(argument, given, _levels(argument, have[factor], rows))
        elif isinstance(given, str) and given in CONTRASTS:
            found[factor] = given
        else:
            known = ", ".join(CONTRASTS)
            told = f"{argument} is {given!r}; one of {known} is expected, or a matrix, an array or a DataFrame"
            raise InvalidArgument(f"{told}, with a row per level.")
    return found


def _levels(argument: str, column: Value, rows: NDArray[np.int64]) -> list[str]:
    """Return the levels of a factor that some rows have; of a logical column both."""
    if isinstance(column, Logical):
        return ["FALSE", "TRUE"]
    if not isinstance(column, Factor):
        told = "is for a column of text or a categorical, and this one has numbers or times"
        raise InvalidArgument(f"{argument} {told}; make it one, with .astype(str).")
    return [column.labels[code] for code in np.unique(column.codes[rows]) if code >= 0]


def _matrix(argument: str, given: NDArray[Any] | pd.DataFrame, levels: Sequence[str]) -> dict[str, Value]:
    names: list[str] = []
    if isinstance(given, pd.DataFrame):
        names = [] if _is_default(given.columns) else list(map(str, given.columns))
        given = _rows_by_level(argument, given, levels)
    try:
        values = np.asarray(given, np.float64)
    except (TypeError, ValueError):
        raise InvalidArgument(f"{argument} does not hold numbers throughout; numbers are expected.") from None
    shape = f"{argument} has shape {values.shape}"
    if values.ndim != 2 or len(values) != len(levels) or not 0 < values.shape[1] < len(levels):
        first = ", ".join(levels[:SHOWN]) + ", ..." * (len(levels) > SHOWN)
        told = f"a row for each of the {amount(len(levels), 'level')} {first}, and 1 to {len(levels) - 1} columns"
        raise InvalidArgument(f"{shape}; {told} are expected, or a name such as contr.sum.")
    if not np.isfinite(values).all():
        raise InvalidArgument(f"{argument} has a value that is not finite; finite numbers are expected.")
    if np.linalg.matrix_rank(np.column_stack([np.ones(len(values)), values])) <= values.shape[1]:
        told = "whose columns and a constant one depend on each other, so that R has no coefficient for each"
        raise InvalidArgument(f"{shape}, {told}; columns of full rank beside a constant are expected.")
    if len(set(names)) < len(names) or columns.UNHOLDABLE.search("".join(names)):
        raise InvalidArgument(f"{argument} has the columns {names!r}; names that differ, without NUL, are expected.")
    return {"values": values.ravel(order="F"), "columns": values.shape[1], "names": names}


def _is_default(index: pd.Index) -> bool:
    """Whether an index is the one that pandas makes where none is given."""
    return isinstance(index, pd.RangeIndex) and index.equals(pd.RangeIndex(len(index)))


def _rows_by_level(argument: str, given: pd.DataFrame, levels: Sequence[str]) -> pd.DataFrame:
    """Return the rows of the levels, in their order, where the index names them, and all rows where it names none."""
    if _is_default(given.index):
        return given
    places = {str(label): i for i, label in enumerate(given.index)}
    if missing := [level for level in levels if level not in places]:
        told = f"has no row for {', '.join(map(repr, missing[:SHOWN]))}"
        raise InvalidArgument(f"{argument} {told}; its index is to name the levels {', '.join(levels[:SHOWN])}.")
    if len(places) < len(given):
        raise InvalidArgument(f"{argument} has two rows of one name; a row per level is expected.")
    return given.iloc[[places[level] for level in levels]]


def _start(given: Start | None, known: Sequence[str]) -> Value:
    if not isinstance(given, Mapping):
        return None if given is None else _vector("start", given)
    named = f"start names {', '.join(map(repr, given)) or 'nothing'}"
    if "beta" not in known and set(given) not in ({"theta"}, {"par"}):
        told = f"{named}; 'theta' alone, or 'par' alone, is expected"
        raise InvalidArgument(f"{told}: a linear mixed model's fixed effects follow from theta, and have no start.")
    if not (given and set(given) <= set(known)) or {"theta", "par"} <= set(given):
        raise InvalidArgument(f"{named}; 'theta' or 'par', and 'beta', are expected.")
    if "par" in given:
        need("start_par")
    return {name: _vector(f"start[{name!r}]", value) for name, value in given.items()}


def _vector(name: str, given: object) -> NDArray[np.float64]:
    start = as_numbers(given)
    if start.ndim != 1 or not np.isfinite(start).all():
        raise InvalidArgument(f"{name} is {given!r}; a sequence of finite numbers, one per theta, is expected.")
    return start


def _by_cross_products(spec: Spec) -> Mapping[str, Any]:
    """Return the control of a fit, and check that one by our own optimizer is of a model that it is for."""
    given = spec.controls
    if given.get("optimizer") != CROSSPRODUCT or spec.kind.stages > 1:
        return given
    told = f"control['optimizer'] is {CROSSPRODUCT!r}, which"
    if structures := set(spec.parsed.structures) - {"us"}:
        have = ", ".join(f"{name}()" for name in sorted(structures))
        raise InvalidArgument(f"{told} is for covariances without structure, and the formula has {have}; leave it out.")
    if given.get("optCtrl"):
        raise InvalidArgument(f"{told} has no options, and optCtrl is {given['optCtrl']!r}; leave that out.")
    return {"calc.derivs": False, **given}


def _control(given: Mapping[str, Any], stages: int) -> dict[str, Value]:
    """Return arguments of ``lmerControl``, whose optimizer R would take for the name of any function."""
    optimizer = given.get("optimizer")
    named = [optimizer] if stages == 1 or isinstance(optimizer, str) else optimizer
    names = (*OPTIMIZERS, CROSSPRODUCT) if stages == 1 else OPTIMIZERS
    right = isinstance(named, list | tuple) and len(named) <= stages and all(name in names for name in named)
    if optimizer is not None and not right:
        known = f"one of {', '.join(names)}" if stages == 1 else f"one or two of {', '.join(names)}"
        raise InvalidArgument(f"control['optimizer'] is {optimizer!r}; None or {known} is expected.")
    for name in given.keys() & NEEDS.keys():
        if given[name] is not None:
            need(NEEDS[name])
    return {name: _plain(f"control[{name!r}]", value) for name, value in given.items()}


def _plain(name: str, value: object) -> Value:
    """Return a mapping of plain values, or one, as R is to see them."""
    if isinstance(value, Mapping):
        return {str(key): _scalar(f"{name}[{key!r}]", item) for key, item in value.items()}
    if isinstance(value, list | tuple) and value:
        return [str(_scalar(name, item)) for item in value]
    return _scalar(name, value)


def _scalar(name: str, value: object) -> bool | int | float | str | None:
    """Return a plain value, a double for an integer beyond R's own."""
    match value:
        case np.generic():
            return _scalar(name, value.item())
        case int() if abs(value) >= INTEGER:
            return float(value)
        case None | bool() | int() | float() | str():
            return value
    raise InvalidArgument(f"{name} is {value!r}; None, a boolean, a number or text is expected.")
