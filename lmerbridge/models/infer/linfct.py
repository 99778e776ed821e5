"""Contrasts of the fixed effects, as they are given, and as a matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lmerbridge.errors import InvalidArgument

Contrasts: TypeAlias = Mapping[str, float] | pd.Series | pd.DataFrame | NDArray[Any] | Sequence[float]


def contrast_matrix(given: Contrasts, terms: Sequence[str]) -> pd.DataFrame:
    """Return contrasts as a frame of a row a contrast and a column a term.

    Parameters
    ----------
    given : mapping or Series of term to weight, DataFrame of weights by term, or array of shape (p,) or (k, p)
        What does not name its terms has a weight for each.
    terms : sequence of str

    Raises
    ------
    InvalidArgument
        It names a term that is not there, or has another shape, or a weight that is no finite number.

    Examples
    --------
    >>> contrast_matrix({"Days": 2}, ["(Intercept)", "Days"])
       (Intercept)  Days
    0          0.0   2.0
    """
    if isinstance(given, Mapping | pd.Series):
        given = pd.DataFrame([dict(given)])
    if isinstance(given, pd.DataFrame):
        _check_terms(given.columns, terms)
        named = given.reindex(columns=list(terms), fill_value=0.0)
        return pd.DataFrame(_numbers(named.to_numpy(), terms), given.index, named.columns)
    return pd.DataFrame(_numbers(given, terms), columns=list(terms))


def _check_terms(names: pd.Index, terms: Sequence[str]) -> None:
    unknown = [str(name) for name in names if name not in terms]
    if unknown or names.has_duplicates:
        near = get_close_matches(unknown[0], terms, n=1) if unknown else []
        told = f"has {unknown[0]!r}, which is no term" if unknown else "names a term twice"
        meant = f" Did you mean {near[0]!r}?" if near else ""
        raise InvalidArgument(f"the contrast {told}; the terms are {', '.join(map(repr, terms))}.{meant}")


def _numbers(given: object, terms: Sequence[str]) -> NDArray[np.float64]:
    expected = f"a finite number for each of the {len(terms)} terms is expected"
    try:
        weights = np.atleast_2d(np.asarray(given, np.float64))
    except (TypeError, ValueError):
        raise InvalidArgument(f"the contrast is {given!r}; {expected}.") from None
    if weights.ndim != 2 or weights.shape[1] != len(terms) or not np.isfinite(weights).all():
        raise InvalidArgument(f"the contrast has shape {weights.shape}, or is not finite; {expected}.")
    return weights


def right_side(rhs: float | Sequence[float], rows: int) -> NDArray[np.float64]:
    """Return the hypothesized value of each contrast."""
    try:
        values = np.broadcast_to(np.asarray(rhs, np.float64), rows)
    except (TypeError, ValueError):
        values = np.array([np.nan])
    if not np.isfinite(values).all():
        raise InvalidArgument(f"rhs is {rhs!r}; a finite number, or one for each of the {rows} contrasts, is expected.")
    return values
