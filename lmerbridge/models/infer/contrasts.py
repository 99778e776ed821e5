"""Tests of contrasts of the fixed effects, and least-squares means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Annotated, Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lmerbridge.bridge import Value
from lmerbridge.errors import InvalidArgument
from lmerbridge.inputs import ApproximateDdf
from lmerbridge.models.infer.tables import frame
from lmerbridge.models.kept import KeptFit, ask

Contrasts: TypeAlias = Annotated[
    Mapping[str, float] | pd.Series | pd.DataFrame | NDArray[Any] | Sequence[float], "see `contrast_matrix`"
]


HUGE = 1e150  # beyond it, and below its inverse, a double cannot hold the square


def contrast_matrix(given: Contrasts, terms: Sequence[str], *, alone: bool = False) -> pd.DataFrame:
    """Return contrasts as a frame with one row per contrast and one column per term.

    Parameters
    ----------
    given : mapping or Series of term to weight, DataFrame of weights by term, or array of shape (p,) or (k, p)
        What does not name its terms has a weight for each.
    terms : sequence of str
    alone : bool
        Whether each row is asked about by itself, so that none may be zero.

    Raises
    ------
    InvalidArgument
        It names a term that is not there, or has another shape, or a weight that is no finite number or whose square
        is none, or no weight but zero.

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
        if not given.size:
            raise InvalidArgument("the contrast is empty; a weight for at least one term is expected.")
        named = given.reindex(columns=list(terms), fill_value=0.0)
        matrix = pd.DataFrame(_numbers(named.to_numpy(), terms), given.index, named.columns)
    else:
        matrix = pd.DataFrame(_numbers(given, terms), columns=list(terms))
    asked = np.any(matrix.to_numpy(), axis=1)
    if not terms and not alone:  # R's table of such a test has no rows
        return matrix[asked]
    if not asked.any() or (alone and not asked.all()):
        where = f" in row {matrix.index[~asked][0]!r}" if len(asked) > 1 else ""
        raise InvalidArgument(f"the contrast has no weight but zero{where}, and asks nothing; name a term that counts.")
    return matrix


def _check_terms(names: pd.Index, terms: Sequence[str]) -> None:
    if shared := [name for name in names if terms.count(name) > 1]:
        raise InvalidArgument(f"the contrast has {shared[0]!r}, the name of several terms; give weights by position.")
    unknown = [str(name) for name in names if name not in terms]
    if unknown or names.has_duplicates:
        near = get_close_matches(unknown[0], terms, n=1) if unknown else []
        told = f"has {unknown[0]!r}, which is no term" if unknown else "names a term twice"
        meant = f" Did you mean {near[0]!r}?" if near else ""
        raise InvalidArgument(f"the contrast {told}; the terms are {', '.join(map(repr, terms))}.{meant}")


def _numbers(given: object, terms: Sequence[str]) -> NDArray[np.float64]:
    expected = f"one finite number per term is expected, {len(terms)} in all"
    try:
        weights = np.atleast_2d(np.asarray(given, np.float64))
    except (TypeError, ValueError, OverflowError):
        raise InvalidArgument(f"the contrast is {given!r}; {expected}.") from None
    if weights.ndim != 2 or weights.shape[1] != len(terms) or not np.isfinite(weights).all():
        raise InvalidArgument(f"the contrast has shape {weights.shape}, or is not finite; {expected}.")
    sizes = np.abs(weights[weights != 0])
    if (wrong := sizes[(sizes > HUGE) | (sizes < 1 / HUGE)]).size:
        raise InvalidArgument(f"the contrast has a weight of size {wrong[0]:.0g}; divide it by that.")
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


def contest(
    fit: KeptFit,
    contrasts: Contrasts,
    *,
    rhs: float | Sequence[float] = 0.0,
    joint: bool = True,
    ddf: ApproximateDdf = "Satterthwaite",
    level: float = 0.95,
    timeout: float | None = None,
) -> pd.DataFrame:
    """Test contrasts of the fixed effects.

    Parameters
    ----------
    contrasts : mapping or Series of term to weight, DataFrame of weights by term, or array of shape (p,) or (k, p)
        Terms that are not named have the weight 0.
    rhs : float or sequence of k floats
        What the contrasts are under the hypothesis.
    joint : bool
        Test all contrasts by one F test, or each by a t test.
    ddf : {"Satterthwaite", "Kenward-Roger"}
        Method for the denominator degrees of freedom.
    level : float
        Confidence level, between 0 and 1.
    timeout : float, optional
        Seconds after which R is stopped. The default is no limit.

    Returns
    -------
    DataFrame
        One row with sum_sq, mean_sq, num_df, den_df, f_value, p_value, ddf; or a row a contrast, by the index of
        the given frame, with estimate, std_error, df, t_value, conf_low, conf_high, p_value, ddf.

    Raises
    ------
    InvalidArgument
        A contrast names a term that the model has not, or has no weight for one.

    Source: ``contest``, ``contestMD`` and ``contest1D`` of lmerTest.

    Examples
    --------
    >>> fit.contest({"Days": 9}, joint=False)[["estimate", "conf_low", "conf_high"]].round(2)
       estimate  conf_low  conf_high
    0     94.21     64.85     123.56
    """
    matrix = contrast_matrix(contrasts, fit.terms, alone=not joint)
    reply = ask(
        fit,
        "contest_of",
        timeout=timeout,
        weights=matrix.to_numpy().ravel(),
        rhs=right_side(rhs, len(matrix)),
        joint=bool(joint),
        level=level,
        ddf=ddf,
    )
    table = frame(reply.values, ddf, prefix="")
    return table if joint else table.set_axis(matrix.index)


def ls_means(
    fit: KeptFit,
    which: Sequence[str] | None = None,
    *,
    pairwise: bool = False,
    ddf: ApproximateDdf = "Satterthwaite",
    level: float = 0.95,
    timeout: float | None = None,
) -> pd.DataFrame:
    """Estimate the least-squares means of the levels of factors, or their differences.

    Parameters
    ----------
    which : sequence of str
        Terms of factors alone, if not all of these.
    pairwise : bool
        The differences of each two levels, R's ``difflsmeans``.
    ddf : {"Satterthwaite", "Kenward-Roger"}
        Method for the denominator degrees of freedom.
    level : float
        Confidence level, between 0 and 1.
    timeout : float, optional
        Seconds after which R is stopped. The default is no limit.

    Returns
    -------
    DataFrame
        One row per level or pair: term, level, estimate, std_error, df, t_value, conf_low, conf_high, p_value, ddf.

    Source: ``ls_means`` of lmerTest. `emmeans` has marginal means of all kinds.

    Examples
    --------
    >>> fit = lmer("angle ~ recipe + temperature + (1 | recipe:replicate)", load_dataset("cake"))
    >>> fit.ls_means(["recipe"])[["level", "estimate", "df"]].round(2)
      level  estimate    df
    0     A     33.12  42.0
    1     B     31.64  42.0
    2     C     31.60  42.0
    """
    terms = None if which is None else [which] if isinstance(which, str) else list(which)
    given: dict[str, Value] = {
        "which": terms,
        "pairwise": bool(pairwise),
        "level": level,
        "ddf": ddf,
    }
    reply = ask(fit, "ls_means_of", timeout=timeout, **given)
    return frame(reply.values, ddf, prefix="").reset_index(drop=True)
