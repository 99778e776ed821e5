"""A `Spec` as the arguments of R's ``fit_lmer``: plain values, checked before R sees them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

from lmerbridge.bridge import columns
from lmerbridge.bridge.wire import Table, Value
from lmerbridge.covariance import Array
from lmerbridge.errors import InvalidArgument
from lmerbridge.formula import Formula
from lmerbridge.spec import Spec

CONTRASTS = ("contr.treatment", "contr.sum", "contr.helmert", "contr.poly", "contr.SAS")
INTEGER = 2**31  # R's integers are smaller


def arguments(spec: Spec, formula: Formula) -> dict[str, Value]:
    """Return the arguments of R's ``fit_lmer``.

    Raises
    ------
    InputError
        The data or an argument cannot go to R.
    """
    data = columns.table(spec.data, formula.variables, formula.groups)
    return {
        "formula": formula.text,
        "data": Table({**data.columns, **_per_row(spec)}, data.rows),
        "reml": bool(spec.reml),
        "na_action": spec.na_action,
        "contrasts": _contrasts(spec, formula),
        "start": _start(spec),
        "control": None if spec.control is None else _plain("control", dict(spec.control)),
    }


def _per_row(spec: Spec) -> dict[str, Value]:
    """Weights, offset and subset as columns of the data: R's scoping rules and NA handling need it so."""
    found: dict[str, Value] = {}
    arguments: tuple[Literal["weights", "offset"], ...] = ("weights", "offset")
    for argument in arguments:
        values = spec.per_row(argument)
        if values is not None:
            found[columns.PER_ROW[argument]] = columns.numbers(values.rename(argument))
    if spec.subset is not None:
        mask = np.zeros(len(spec.data), np.bool_)
        mask[spec.rows_in_subset()] = True
        found[columns.PER_ROW["subset"]] = mask
    return found


def _contrasts(spec: Spec, formula: Formula) -> Value:
    for factor, name in (spec.contrasts or {}).items():
        if factor not in formula.variables:
            used = ", ".join(formula.variables)
            raise InvalidArgument(f"contrasts names {factor!r}, which the formula does not use; it uses {used}.")
        if not isinstance(name, str) or name not in CONTRASTS:
            known = ", ".join(CONTRASTS)
            raise InvalidArgument(f"contrasts[{factor!r}] is {name!r}; one of {known} is expected.")
    return dict(spec.contrasts) if spec.contrasts else None


def _start(spec: Spec) -> Array | None:
    if spec.start is None:
        return None
    try:
        start = np.asarray(spec.start, np.float64)
    except (TypeError, ValueError):
        start = np.empty((0, 0))
    if start.ndim != 1:
        raise InvalidArgument(f"start is {spec.start!r}; a sequence of numbers, one a theta, is expected.")
    return start


def _plain(name: str, value: object) -> Value:
    """Return an argument of ``lmerControl`` as R is to see it; an integer beyond R's own is a double."""
    match value:
        case Mapping():
            return {str(key): _plain(f"{name}[{key!r}]", item) for key, item in value.items()}
        case np.generic():
            return _plain(name, value.item())
        case int() if abs(value) >= INTEGER:
            return float(value)
        case None | bool() | int() | float() | str():
            return value
    raise InvalidArgument(f"{name} is {value!r}; None, a boolean, a number, a string or a mapping is expected.")
