"""Arguments of emmeans: families of contrasts, adjustments for multiplicity, names of a grid's columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lmerbridge.bridge import Value
from lmerbridge.errors import InvalidArgument
from lmerbridge.inputs import as_numbers, as_typed

Names: TypeAlias = str | Sequence[str]

Family = Literal[  # the last four came after emmeans 1.8
    "pairwise", "revpairwise", "tukey", "consec", "mean_chg", "eff", "del.eff", "poly", "identity", "trt.vs.ctrl",
    "trt.vs.ctrl1", "trt.vs.ctrlk", "dunnett", "helmert", "opoly", "nrmlz", "wtcon"
]  # fmt: skip
Adjustment = Literal[
    "none", "tukey", "scheffe", "sidak", "dunnettx", "bonferroni", "holm", "hochberg", "hommel", "BH", "BY", "fdr"
]  # fmt: skip
Side = Literal["two-sided", "left", "right"]
Transformation = Literal["response", "none", "log", "logit", "pass"]


def name_list(argument: str, given: Names, known: Sequence[str] | pd.Index) -> list[str]:
    """Return names as a list, each of them known."""
    names = [given] if isinstance(given, str) else list(given)
    for name in names:
        if name not in known:
            raise InvalidArgument(f"{argument} names {name!r}; {', '.join(map(repr, known))} are there.")
    return names


def contrasts_for(method: object, rows: int) -> Value:
    """Return a family of contrasts, or some of the caller's own, as R is to see them."""
    if isinstance(method, str):
        return str(as_typed("method", method, Family))
    if isinstance(method, np.ndarray | list | tuple) and len(method):
        own = method if np.iterable(method[0]) else [method]
        method = {f"c{i}": weights for i, weights in enumerate(own, start=1)}
    if isinstance(method, pd.DataFrame):
        method = {str(name): weights for name, weights in method.items()}
    if not isinstance(method, Mapping) or not method:
        expected = "a name, a mapping of names to weights, or a DataFrame or an array of weights"
        raise InvalidArgument(f"method is {method!r}; {expected} is expected.")
    return {str(name): _weights(str(name), weights, rows) for name, weights in method.items()}


def _weights(name: str, given: object, rows: int) -> NDArray[np.float64]:
    weights = as_numbers(given)
    if weights.shape != (rows,) or not np.isfinite(weights).all():
        raise InvalidArgument(
            f"the contrast {name!r} is {given!r}; one number per row of the grid is expected, {rows} in all."
        )
    return weights


def interactions(given: bool | Names) -> Value:
    """Return the families of contrasts of contrasts, or True for that of ``method``."""
    if given is True:
        return True
    methods = [given] if isinstance(given, str) else list(given or ())
    return [as_typed("interaction", method, Family) for method in methods]
