"""Estimated marginal means and trends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lmerbridge.bridge import Value
from lmerbridge.errors import InvalidArgument
from lmerbridge.formula import Call, Name, Node, read_expression, source, tree_names
from lmerbridge.inputs import as_numbers
from lmerbridge.models.kept import KeptFit
from lmerbridge.models.means.grid import EmmGrid, Step, test_jointly
from lmerbridge.models.means.methods import Names, name_list

MeansMethod = Literal["Kenward-Roger", "Satterthwaite", "asymptotic"]
MeansDdf: TypeAlias = MeansMethod | Literal["kenward-roger", "satterthwaite"]  # emmeans' own spelling
MeansScale = Literal["link", "response"]
Weights = Literal["equal", "proportional", "outer", "cells", "flat"]
At: TypeAlias = Mapping[str, Any]
Reduction: TypeAlias = bool | str | Mapping[str, str]
Nesting: TypeAlias = Literal[False] | Mapping[str, Names] | None
REDUCTIONS = ("mean", "median", "min", "max", "range", "unique", "quantile", "meanint", "symmint")
LIMIT = 3000  # rows, emmeans' own


def ref_grid(
    fit: KeptFit,
    *,
    at: At | None = None,
    cov_reduce: Reduction | None = None,
    nesting: Nesting = None,
    offset: float | None = None,
    type: MeansScale = "link",
    ddf: MeansDdf | None = None,
    level: float = 0.95,
    limit: int = LIMIT,
    timeout: float | None = None,
) -> EmmGrid:
    """Predictions for each combination of the factors' levels, covariates at their means: emmeans' ``ref_grid``.

    The arguments are those of `emmeans`; ``offset`` is one number here.
    """
    grid = _variables(fit, at, cov_reduce, nesting)
    if offset is not None:
        grid["offset"] = _numbers("offset", offset)
    return EmmGrid.of(fit, [_start(fit, "ref_grid", ddf, limit, grid | _scale(type))], 0, level, timeout)


def emmeans(
    fit: KeptFit,
    specs: Names,
    by: Names | None = None,
    *,
    at: At | None = None,
    cov_reduce: Reduction | None = None,
    nesting: Nesting = None,
    offset: float | Sequence[float] | None = None,
    type: MeansScale = "link",
    ddf: MeansDdf | None = None,
    weights: Weights | Sequence[float] | NDArray[Any] | None = None,
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
    cov_reduce : bool, str or mapping
        What stands for a covariate that ``at`` does not name: "mean", "median", "min", "max", "range", "unique",
        "quantile", "meanint" or "symmint" of its values; False for each of them; a formula that predicts it from
        others, ``"x ~ f"``; or a function or formula by covariate.
    nesting : mapping or False
        Which factors are nested in others, ``{"f": "h"}``, whose cells without data are hidden. Without it, emmeans
        looks for them in the data; False is for none.
    offset : float or sequence of float
        Added to the means in place of the model's offset: one number, or one per mean.
    ddf : {"Kenward-Roger", "Satterthwaite", "asymptotic"}
        Method for the denominator degrees of freedom, in capitals or without, as emmeans writes it. Without it
        "Kenward-Roger", which adjusts the covariance too, and "asymptotic" of a generalized model, which has no other.
        The grid's ``ddf`` is the method that was used.
    type : {"link", "response"}
        Scale of the estimates: that of the linear predictor, or that of the response, as probabilities and counts are,
        on which contrasts are ratios. It is the same where the response is not transformed and the link the identity.
    weights : {"equal", "proportional", "outer", "cells", "flat"} or array of numbers
        How levels of the other factors are averaged; without it, equally. Numbers are one per combination of them, the
        first factor's levels fastest, or one row of these per mean.
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
    averaged = _marginal(fit, specs, by)
    if weights is not None:
        averaged["weights"] = _weights(weights)
    if offset is not None:
        averaged["offset"] = _numbers("offset", offset)
    grid = _variables(fit, at, cov_reduce, nesting) | _scale(type)
    steps: list[Step] = [_start(fit, "ref_grid", ddf, limit, grid), {"verb": "emmeans", "arguments": averaged}]
    return EmmGrid.of(fit, steps, 0, level, timeout)


def emtrends(
    fit: KeptFit,
    specs: Names,
    var: str,
    by: Names | None = None,
    *,
    at: At | None = None,
    cov_reduce: Reduction | None = None,
    nesting: Nesting = None,
    ddf: MeansDdf | None = None,
    delta_var: float | None = None,
    max_degree: int = 1,
    level: float = 0.95,
    limit: int = LIMIT,
    timeout: float | None = None,
) -> EmmGrid:
    """Slopes of a covariate at the levels of factors: emmeans' ``emtrends``.

    Parameters
    ----------
    specs, by, at, cov_reduce, nesting, ddf, level, limit, timeout
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
    given = {
        **_variables(fit, at, cov_reduce, nesting),
        **_marginal(fit, specs, by),
        "var": var,
        "max.degree": max_degree,
    }
    if delta_var is not None:
        given["delta.var"] = float(delta_var)
    return EmmGrid.of(fit, [_start(fit, "emtrends", ddf, limit, given)], 0, level, timeout)


def joint_tests(
    fit: KeptFit,
    by: Names | None = None,
    *,
    at: At | None = None,
    cov_reduce: Reduction | None = None,
    nesting: Nesting = None,
    ddf: MeansDdf | None = None,
    limit: int = LIMIT,
    timeout: float | None = None,
) -> pd.DataFrame:
    """F tests of each term from the means: emmeans' ``joint_tests``, which resemble type III tests.

    Parameters
    ----------
    by : str or sequence of str
        Factors within whose levels the others are tested.
    at, cov_reduce, nesting, ddf, limit, timeout
        As in `emmeans`; without ``cov_reduce`` covariates are at two values, one on each side of the mean.

    Returns
    -------
    DataFrame
        ``term``, the columns of ``by``, ``df1``, ``df2``, ``statistic`` (F, which emmeans rounds to 3 decimals),
        ``p_value``; ``ddf``, the method for ``df2``; and emmeans' ``note``: "d" where linear dependence among the means
        makes ``df1`` smaller, "e" where means that cannot be estimated do.

    Raises
    ------
    InvalidArgument
        The fixed part has no variable that is not in ``by``.

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
    start = _start(fit, "ref_grid", ddf, limit, _variables(fit, at, cov_reduce, nesting))
    return test_jointly(fit, [start], 0, by, timeout)


def _scale(type: MeansScale) -> dict[str, Value]:
    """Return the argument that names another scale than that of the linear predictor."""
    return {} if type == "link" else {"type": type}


def _start(fit: KeptFit, verb: str, ddf: str | None, limit: int, arguments: Mapping[str, Value]) -> Step:
    """Return the step that begins with the model."""
    ddf = ddf or fit.kind.ddf
    limits: dict[str, Value] = {"pbkrtest.limit": float(limit), "lmerTest.limit": float(limit)}
    return {"verb": verb, "arguments": {**arguments, "lmer.df": ddf.lower(), **limits}}


def _variables(fit: KeptFit, at: At | None, cov_reduce: Reduction | None, nesting: Nesting) -> dict[str, Value]:
    """Return what a grid holds its variables at, and which it nests."""
    found: dict[str, Value] = {}
    if at is not None:
        name_list("at", list(at), _factors(fit))
        found["at"] = {name: _values(name, values) for name, values in at.items()}
    if cov_reduce is not None:
        found["cov.reduce"] = _reductions(fit, cov_reduce)
    if nesting is not None:
        found["nesting"] = _nests(fit, nesting)
    return found


def _reductions(fit: KeptFit, given: object) -> Value:
    if isinstance(given, Mapping):
        name_list("cov_reduce", list(given), _factors(fit))
        return {name: _reduction(fit, value) for name, value in given.items()}
    return given if isinstance(given, bool) else _reduction(fit, given)


def _reduction(fit: KeptFit, given: object) -> str:
    if isinstance(given, str) and "~" in given:
        match read_expression(given):
            case Call("~", (Name(), _)) as tree if name_list("cov_reduce", tree_names(tree), _factors(fit)):
                return source(tree)
    elif given in REDUCTIONS:
        return str(given)
    expected = f"True, False, one of {', '.join(REDUCTIONS)}, or a formula such as 'x ~ f'"
    raise InvalidArgument(f"cov_reduce is {given!r}; {expected} is expected, or a mapping of names to these.")


def _nests(fit: KeptFit, given: object) -> Value:
    if given is False:
        return []
    if not isinstance(given, Mapping):
        raise InvalidArgument(f"nesting is {given!r}; False, or a mapping such as {{'f': 'h'}}, is expected.")
    name_list("nesting", list(given), _factors(fit))
    return {name: name_list(f"nesting[{name!r}]", outer, _factors(fit)) for name, outer in given.items()}


def _marginal(fit: KeptFit, specs: Names, by: Names | None) -> dict[str, Value]:
    if not specs:
        raise InvalidArgument("specs is empty; names of factors, or '1' for the mean of all, are expected.")
    found: dict[str, Value] = {"specs": name_list("specs", specs, ["1", *_factors(fit)])}
    return found if by is None else found | {"by": name_list("by", by, _factors(fit))}


def _factors(fit: KeptFit) -> list[str]:
    return list(fit.spec.parsed.predictors)


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


def _weights(given: object) -> Value:
    """Return a way of averaging, or weights: those of all means, or a row per mean."""
    if isinstance(given, str):
        return given
    rows = as_numbers(given)
    if rows.ndim == 2:
        return {str(i): _numbers("weights", row) for i, row in enumerate(rows)}
    return _numbers("weights", given)


def _numbers(argument: str, given: object) -> NDArray[np.float64]:
    values = np.atleast_1d(as_numbers(given))
    if values.ndim != 1 or not values.size or not np.isfinite(values).all():
        raise InvalidArgument(f"{argument} is {given!r}; finite numbers are expected.")
    return values


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
