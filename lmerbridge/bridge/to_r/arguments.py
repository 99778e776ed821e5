"""A `Spec` as the arguments of the R function that fits it: plain values, checked before R sees them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd

from lmerbridge.bridge.session import need
from lmerbridge.bridge.to_r import columns, fitness
from lmerbridge.bridge.wire import Table, Value
from lmerbridge.errors import InvalidArgument
from lmerbridge.formula import CONTRASTS, Formula
from lmerbridge.inputs import OPTIMIZERS, Spec, Start
from lmerbridge.results import Array

NEEDS = {
    "autoscale": "autoscale",
    "check.conv.nobsmax": "conv_check_limits",
    "check.conv.nparmax": "conv_check_limits",
}  # arguments of lmerControl and their gates
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
        "reml": bool(spec.reml),
        "na_action": spec.na_action or "omit",
        "contrasts": _contrasts(spec, formula),
        "start": _start(spec.start),
        "control": _control(spec.controls) or None,
        "allow": spec.allow,
    }


def row_vectors(spec: Spec) -> dict[str, Value]:
    """Return weights, offset and subset as columns of the data: R's scoping rules and NA handling need it so."""
    found: dict[str, Value] = {}
    arguments: tuple[Literal["weights", "offset"], ...] = ("weights", "offset")
    for argument in arguments:
        values = spec.per_row(argument)
        if values is not None:
            found[columns.PER_ROW[argument]] = _numbers(argument, values)
    if spec.subset is not None:
        mask = np.zeros(len(spec.data), np.bool_)
        mask[spec.rows_in_subset()] = True
        found[columns.PER_ROW["subset"]] = mask
    return found


def _numbers(argument: str, values: pd.Series) -> Array:
    numbers = columns.finite_doubles(values.rename(argument))
    if argument == "weights":
        check_weights(argument, numbers)
    return numbers


def check_weights(argument: str, weights: Array) -> None:
    """Check that weights are such as lme4 can fit with, NaN where a row lacks one."""
    if np.any(weights < 0) or not np.any(weights > 0):
        raise InvalidArgument(f"{argument} are negative in a row, or zero in all; numbers of at least 0 are expected.")


def _contrasts(spec: Spec, formula: Formula) -> Value:
    for factor, name in (spec.contrasts or {}).items():
        if factor not in formula.variables:
            used = ", ".join(formula.variables)
            raise InvalidArgument(f"contrasts names {factor!r}, which the formula does not use; it uses {used}.")
        if not isinstance(name, str) or name not in CONTRASTS:
            known = ", ".join(CONTRASTS)
            raise InvalidArgument(f"contrasts[{factor!r}] is {name!r}; one of {known} is expected.")
    return dict(spec.contrasts) if spec.contrasts else None


def _start(given: Start | None) -> Value:
    if not isinstance(given, Mapping):
        return None if given is None else _vector("start", given)
    if set(given) not in ({"theta"}, {"par"}):
        told = f"start names {', '.join(map(repr, given)) or 'nothing'}; 'theta' alone, or 'par' alone, is expected"
        raise InvalidArgument(f"{told}: a linear mixed model's fixed effects follow from theta, and have no start.")
    if "par" in given:
        need("start_par")
    return {name: _vector(f"start[{name!r}]", value) for name, value in given.items()}


def _vector(name: str, given: object) -> Array:
    try:
        start = np.asarray(given, np.float64)
    except (TypeError, ValueError, OverflowError):
        start = np.empty((0, 0))
    if start.ndim != 1 or not np.isfinite(start).all():
        raise InvalidArgument(f"{name} is {given!r}; a sequence of finite numbers, one per theta, is expected.")
    return start


def _control(given: Mapping[str, Any]) -> dict[str, Value]:
    """Return arguments of ``lmerControl``, whose optimizer R would take for the name of any function."""
    optimizer = given.get("optimizer")
    if optimizer is not None and not (isinstance(optimizer, str) and optimizer in OPTIMIZERS):
        known = ", ".join(OPTIMIZERS)
        raise InvalidArgument(f"control['optimizer'] is {optimizer!r}; None or one of {known} is expected.")
    for name in given.keys() & NEEDS.keys():
        if given[name] is not None:
            need(NEEDS[name])
    return {name: _plain(f"control[{name!r}]", value) for name, value in given.items()}


def _plain(name: str, value: object) -> Value:
    """Return a mapping of plain values, or one, as R is to see them."""
    if isinstance(value, Mapping):
        return {str(key): _scalar(f"{name}[{key!r}]", item) for key, item in value.items()}
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
