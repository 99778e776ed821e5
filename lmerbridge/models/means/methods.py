"""Arguments of emmeans: families of contrasts, adjustments for multiplicity, names of a grid's columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lmerbridge.bridge import Value
from lmerbridge.errors import InvalidArgument
from lmerbridge.inputs import as_numbers

Names: TypeAlias = str | Sequence[str]

METHODS = (
    *("pairwise", "revpairwise", "tukey", "consec", "mean_chg", "eff", "del.eff", "poly", "identity"),
    *("trt.vs.ctrl", "trt.vs.ctrl1", "trt.vs.ctrlk", "dunnett", "helmert", "opoly", "nrmlz", "wtcon"),
)  # the last four came after emmeans 1.8
ADJUSTMENTS = (
    *("none", "tukey", "scheffe", "sidak", "dunnettx"),
    *("bonferroni", "holm", "hochberg", "hommel", "BH", "BY", "fdr"),
)
SIDES = ("two-sided", "left", "right")
TRANSFORMATIONS = ("response", "none", "log", "logit", "pass")


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
        return check_one("method", method, METHODS)
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
    return [check_one("interaction", method, METHODS) for method in methods]


def check_one(argument: str, given: str | None, known: Sequence[str]) -> str | None:
    """Check that an argument is None or one of some words, and return it as it is spelled among these."""
    spelled = {word.casefold(): word for word in known}
    if given is not None and str(given).casefold() not in spelled:
        raise InvalidArgument(f"{argument} is {given!r}; one of {', '.join(known)} is expected.")
    return None if given is None else spelled[given.casefold()]
