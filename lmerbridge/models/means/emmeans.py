"""Estimated marginal means and trends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import pandas as pd

from lmerbridge.bridge import Value
from lmerbridge.errors import InvalidArgument
from lmerbridge.formula import Call, Node, read_expression, tree_names
from lmerbridge.inputs import check_ddf
from lmerbridge.models.kept import KeptFit
from lmerbridge.models.means.grid import EmmGrid, Step, test_jointly
from lmerbridge.models.means.methods import Names, name_list

MeansMethod = Literal["Kenward-Roger", "Satterthwaite", "asymptotic"]
MeansDdf: TypeAlias = MeansMethod | Literal["kenward-roger", "satterthwaite"]  # emmeans' own spelling
Weights = Literal["equal", "proportional", "outer", "cells", "flat"]
At: TypeAlias = Mapping[str, Any]
SPELLINGS: dict[str, str] = {name.lower(): name for name in get_args(MeansMethod)}
WEIGHTS: tuple[str, ...] = get_args(Weights)
LIMIT = 3000  # rows, emmeans' own


def ref_grid(
    fit: KeptFit,
    *,
    at: At | None = None,
    ddf: MeansDdf = "kenward-roger",
    level: float = 0.95,
    limit: int = LIMIT,
    timeout: float | None = None,
) -> EmmGrid:
    """Predictions for each combination of the factors' levels, covariates at their means: emmeans' ``ref_grid``.

    The arguments are those of `emmeans`.
    """
    return EmmGrid.of(fit, [_start(fit, "ref_grid", at, ddf, limit)], 0, level, timeout)


def emmeans(
    fit: KeptFit,
    specs: Names,
    by: Names | None = None,
    *,
    at: At | None = None,
    ddf: MeansDdf = "kenward-roger",
    weights: Weights = "equal",
    level: float = 0.95,
    limit: int = LIMIT,
    timeout: float | None = None,
) -> EmmGrid:
    """Estimated marginal means: emmeans' ``emmeans``.

    Parameters
    ----------
    specs : str or sequence of str
        The factors whose levels have a mean each; ``"1"`` is the mean of all. Or a formula, ``"~ a | b"``.
    by : str or sequence of str
        Factors within whose levels contrasts are to be made.
    at : mapping
        Values at which covariates are held, or levels that factors are confined to: ``{"Days": [0, 9]}``. Without
        it, covariates are at their means.
    ddf : {"Kenward-Roger", "Satterthwaite", "asymptotic"}
        Method for the denominator degrees of freedom, in capitals or without, as emmeans writes it. "Kenward-Roger"
        adjusts the covariance too. The grid's ``ddf`` is the method that was used.
    weights : {"equal", "proportional", "outer", "cells", "flat"}
        How levels of the other factors are averaged.
    level : float
        Confidence level, between 0 and 1.
    limit : int
        Rows up to which emmeans computes degrees of freedom; with more they are asymptotic, and a warning says so.
    timeout : float, optional
        Seconds after which R is stopped. The default is no limit.

    Returns
    -------
    EmmGrid

    Raises
    ------
    InvalidArgument
        A name is none of the fixed part's; or the method cannot be used: Kenward and Roger's for a fit by ML or
        with weights, either for a structured covariance.
    SetupError
        emmeans, pbkrtest or lmerTest is not installed.

    Warns
    -----
    RWarning
        What emmeans says: of an interaction that the means hide, of another method for degrees of freedom.

    Source: emmeans (Lenth).

    Examples
    --------
    >>> fit = lmer("angle ~ recipe + temp + (1 | recipe:replicate)", load_dataset("cake"))
    >>> means = fit.emmeans("recipe")
    >>> means.frame.round(2)
      recipe  estimate  std_error    df  conf_low  conf_high
    0      A     33.12       1.74  42.0     29.62      36.63
    1      B     31.64       1.74  42.0     28.14      35.15
    2      C     31.60       1.74  42.0     28.09      35.11
    >>> means.ddf
    'kenward-roger'
    """
    specs, by = _split(specs, by)
    steps: list[Step] = [
        _start(fit, "ref_grid", at, ddf, limit),
        {
            "verb": "emmeans",
            "arguments": {**_marginal(fit, specs, by), "weights": _one_of("weights", weights, WEIGHTS)},
        },
    ]
    return EmmGrid.of(fit, steps, 0, level, timeout)


def emtrends(
    fit: KeptFit,
    specs: Names,
    var: str,
    by: Names | None = None,
    *,
    at: At | None = None,
    ddf: MeansDdf = "kenward-roger",
    delta_var: float | None = None,
    max_degree: int = 1,
    level: float = 0.95,
    limit: int = LIMIT,
    timeout: float | None = None,
) -> EmmGrid:
    """Slopes of a covariate at the levels of factors: emmeans' ``emtrends``.

    Parameters
    ----------
    specs, by, at, ddf, level, limit, timeout
        As in `emmeans`.
    var : str
        The covariate.
    delta_var : float
        The step of the difference quotient; a thousandth of the covariate's range.
    max_degree : int
        Up to which degree there are trends: 2 has quadratic ones as well.

    Returns
    -------
    EmmGrid
        In the response's unit a unit of ``var``.

    Examples
    --------
    >>> fit = lmer("distance ~ age * Sex + (age | Subject)", load_dataset("Orthodont", "nlme"))
    >>> fit.emtrends("Sex", "age").frame[["Sex", "estimate", "df"]].round(3)
          Sex  estimate    df
    0    Male     0.784  25.0
    1  Female     0.480  25.0
    """
    specs, by = _split(specs, by)
    (var,) = name_list("var", var, _factors(fit))
    if max_degree not in range(1, 6):
        raise InvalidArgument(f"max_degree is {max_degree!r}; a whole number from 1 to 5 is expected.")
    given: dict[str, Value] = {**_marginal(fit, specs, by), "var": var, "max.degree": max_degree}
    if delta_var is not None:
        given["delta.var"] = float(delta_var)
    return EmmGrid.of(fit, [_start(fit, "emtrends", at, ddf, limit, given)], 0, level, timeout)


def joint_tests(
    fit: KeptFit,
    by: Names | None = None,
    *,
    at: At | None = None,
    ddf: MeansDdf = "kenward-roger",
    limit: int = LIMIT,
    timeout: float | None = None,
) -> pd.DataFrame:
    """F tests of each term from the means: emmeans' ``joint_tests``, which resemble type III tests.

    Parameters
    ----------
    by : str or sequence of str
        Factors within whose levels the others are tested.
    at, ddf, limit, timeout
        As in `emmeans`; covariates are at two values.

    Returns
    -------
    DataFrame
        ``term``, the columns of ``by``, ``df1``, ``df2``, ``statistic`` (F, which emmeans rounds to 3 decimals),
        ``p_value`` and ``ddf``, the method for ``df2``.

    Examples
    --------
    >>> fit = lmer("angle ~ recipe * temperature + (1 | recipe:replicate)", load_dataset("cake"))
    >>> fit.joint_tests()[["term", "df1", "df2", "statistic"]]
                     term   df1    df2  statistic
    0              recipe   2.0   42.0      0.249
    1         temperature   5.0  210.0     20.520
    2  recipe:temperature  10.0  210.0      1.006
    """
    by = () if by is None else name_list("by", by, _factors(fit))
    return test_jointly(fit, [_start(fit, "ref_grid", at, ddf, limit)], 0, by, timeout)


def _start(
    fit: KeptFit, verb: str, at: At | None, ddf: str, limit: int, arguments: Mapping[str, Value] | None = None
) -> Step:
    """Return the step that begins with the model."""
    method = str(ddf).lower()
    check_ddf(SPELLINGS.get(method, ddf), MeansMethod)
    given: dict[str, Value] = {**(arguments or {}), "lmer.df": method}
    if at is not None:
        name_list("at", list(at), _factors(fit))
        given["at"] = {name: _values(name, values) for name, values in at.items()}
    return {"verb": verb, "arguments": given | {"pbkrtest.limit": float(limit), "lmerTest.limit": float(limit)}}


def _marginal(fit: KeptFit, specs: Names, by: Names | None) -> dict[str, Value]:
    if not specs:
        raise InvalidArgument("specs is empty; names of factors, or '1' for the mean of all, are expected.")
    found: dict[str, Value] = {"specs": name_list("specs", specs, ["1", *_factors(fit)])}
    return found if by is None else found | {"by": name_list("by", by, _factors(fit))}


def _factors(fit: KeptFit) -> list[str]:
    return list(dict.fromkeys(tree_names(fit.spec.parsed.fixed)))


def _split(specs: Names, by: Names | None) -> tuple[Names, Names | None]:
    """Return the factors of a formula and those behind its bar, or names as they are."""
    if not (isinstance(specs, str) and "~" in specs):
        return specs, by
    match read_expression(specs):
        case Call("~", (Call("|", (left, right)),)) if by is None:
            return _factor_names(left), _factor_names(right)
        case Call("~", (only,)):
            return _factor_names(only), by
    raise InvalidArgument(f"specs is {specs!r}; names, or a formula such as '~ a | b', are expected; see pairs().")


def _factor_names(node: Node) -> list[str]:
    return tree_names(node) or ["1"]


def _one_of(argument: str, given: str, known: Sequence[str]) -> str:
    if given not in known:
        raise InvalidArgument(f"{argument} is {given!r}; one of {', '.join(known)} is expected.")
    return given


def _values(name: str, given: object) -> Value:
    """Return levels as text and values of covariates as numbers."""
    values = np.atleast_1d(np.asarray(given))
    if values.ndim == 1 and values.dtype.kind in "iuf":
        return values.astype(np.float64)
    if values.ndim == 1 and values.dtype.kind == "U":
        return [str(value) for value in values]
    if values.ndim == 1 and values.dtype.kind == "b":
        return values
    raise InvalidArgument(f"at[{name!r}] is {given!r}; numbers or levels are expected.")
