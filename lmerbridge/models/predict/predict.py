"""Predictions."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import NormalDist
from typing import Literal, TypedDict, Unpack, overload

import numpy as np
import pandas as pd

from lmerbridge.bridge import check_complete, describe_missing, notices, time_limit
from lmerbridge.errors import InvalidArgument, LmerBridgeWarning, MissingValues
from lmerbridge.inputs import Frame, RowVector, pandas_frame
from lmerbridge.models.kept import KeptFit, ask
from lmerbridge.models.predict import effects, rows
from lmerbridge.results import Array

NewDataAction = Literal["pass", "omit", "exclude", "fail"]
Interval = Literal["confidence", "prediction"]
UNWEIGHTED = (
    "the fit has weights and newdata is given none: its rows have a residual variance of sigma**2, as of a weight of "
    "one; give weights=, a column of newdata or one number per row."
)


class Options(TypedDict, total=False):
    """Arguments of `predict` that do not decide the type of its result."""

    re_form: str | None
    random_only: bool
    allow_new_levels: bool
    na_action: NewDataAction
    level: float
    weights: RowVector
    newparams: effects.Parameters | None
    timeout: float | None


@overload
def predict(
    fit: KeptFit,
    newdata: Frame | None = None,
    *,
    se_fit: Literal[False] = False,
    interval: None = None,
    **options: Unpack[Options],
) -> pd.Series: ...
@overload
def predict(
    fit: KeptFit,
    newdata: Frame | None = None,
    *,
    se_fit: Literal[True],
    interval: Interval | None = None,
    **options: Unpack[Options],
) -> pd.DataFrame: ...
@overload
def predict(
    fit: KeptFit, newdata: Frame | None = None, *, se_fit: bool = False, interval: Interval, **options: Unpack[Options]
) -> pd.DataFrame: ...
def predict(
    fit: KeptFit,
    newdata: Frame | None = None,
    *,
    re_form: str | None = None,
    random_only: bool = False,
    allow_new_levels: bool = False,
    na_action: NewDataAction = "pass",
    se_fit: bool = False,
    interval: Interval | None = None,
    level: float = 0.95,
    weights: RowVector = None,
    newparams: effects.Parameters | None = None,
    timeout: float | None = None,
) -> pd.Series | pd.DataFrame:
    """Predict the response, with intervals where they are asked for: lme4's ``predict``.

    Parameters
    ----------
    newdata : DataFrame
        Without it, the rows of the fit. Only the columns that are needed travel; their levels are the fit's, and
        poly(), ns(), bs() and scale() keep the fit's basis.
    re_form : str
        Which random effects count: None, R's ``NULL``, is all of them; ``"~0"``, R's ``NA``, none; a formula such
        as ``"~ (1 | batch)"`` those.
    random_only : bool
        Leave the fixed part out.
    allow_new_levels : bool
        Levels of grouping factors that the fit has not seen, or missing ones, have random effects of zero; else
        they are an error.
    na_action : {"pass", "omit", "exclude", "fail"}
        What to do with rows of ``newdata`` that lack a value of the fixed part: predict NaN, leave them out,
        predict NaN, or raise MissingValues. The fit's own rows are those of `fitted`, or as "omit" or "exclude" says.
    se_fit : bool
        Standard errors of the fixed and random effects' sum beside it, theta held fixed, for every lme4: its own,
        from 1.1-35 on, are right for one random term alone. No grouping factor may lack a value.
    interval : {"confidence", "prediction"}
        Limits of the mean, or of a new response, that are normal quantiles: estimate and standard error are those of
        ``se_fit``. What they hold stands under Notes.
    level : float
        Confidence level of the interval, between 0 and 1.
    weights : column name or array of one number per row
        For a prediction interval, whose residual variance is ``sigma**2 / weight``. Without them the fit's own count,
        or for ``newdata`` weights of one. A response of weight zero has no limits.
    newparams : mapping
        Other parameters than the fit's: ``beta`` (a Series goes by its index), ``theta``, ``sigma``; from lme4
        2.0-1 on ``par`` in place of theta.
    timeout : float, optional
        Seconds after which R is stopped. The default is no limit.

    Returns
    -------
    Series
        Predictions in the response's unit, by the index of ``newdata`` or of `fitted`.
    DataFrame, with ``se_fit``
        Columns ``fit`` and ``se_fit``, by the same index.
    DataFrame, with ``interval``
        Columns ``fit``; ``se_fit`` where that is asked for; ``std_error``, which has the residual's variance in it
        where the interval is for prediction; ``lower`` and ``upper``, all in the response's unit. ``attrs`` holds the
        interval's kind and level.

    Raises
    ------
    MissingColumns, UnsupportedColumn, InvalidArgument
        ``newdata`` lacks a column, holds another kind of values or a level that the fit has not seen; or the fit
        has an ``offset=`` argument, which R would leave out.
    NeedsNewer
        lme4 is too old for ``par``.

    Warns
    -----
    LmerBridgeWarning
        A prediction interval of ``newdata`` has no weights, and the fit has.

    Notes
    -----
    Both intervals hold the covariance of the fixed effects and, jointly with it, that of the random effects that
    ``re_form`` keeps: of a group of the fit the conditional one of its modes, and of a new level
    (``allow_new_levels``) the whole variance of its random effects. "prediction" adds the residual's variance. Neither
    holds that theta and sigma are estimates: with few groups they cover less than their level says, for which
    `bootstrap` is. Random effects that ``re_form`` leaves out are held at zero: with ``"~0"`` the limits are those of a
    group whose random effects are zero. For a response of any group not yet known, give a new level.

    Examples
    --------
    >>> import pandas as pd
    >>> new = pd.DataFrame({"Days": [0, 10], "Subject": ["308", "308"]}, index=["first", "eleventh"])
    >>> fit.predict(new).round(2).to_dict()
    {'first': 253.66, 'eleventh': 450.33}
    >>> fit.predict(new, re_form="~0").round(2).to_dict()
    {'first': 251.41, 'eleventh': 356.08}
    >>> new = pd.DataFrame({"Days": [10, 10], "Subject": ["308", "somebody else"]})
    >>> fit.predict(new, interval="prediction", allow_new_levels=True).round(1)
         fit  std_error  lower  upper
    0  450.3       30.1  391.3  509.3
    1  356.1       72.3  214.4  497.7
    """
    _check(se_fit, interval, weights, newparams, random_only)
    with_errors = se_fit or interval is not None
    chosen = effects.read_effects(re_form, fit.spec.parsed, fit.spec.allow)
    parameters = effects.new_parameters(newparams, fit)
    (index, places), new = rows.rows_of_fit(fit, na_action), None
    with time_limit(timeout):
        if newdata is not None:
            index = pandas_frame(newdata).index
            new = rows.new_rows(fit, newdata, chosen.bars, not random_only, allow_new_levels)
            if with_errors:
                check_complete(pandas_frame(newdata), effects.grouping_columns(chosen.bars))
        found = ask(
            fit,
            "predict_model",
            newdata=new,
            newparams=parameters,
            re_form=chosen.text,
            random_only=random_only,
            allow_new_levels=allow_new_levels,
            complete=na_action != "pass" and new is not None and not random_only,
            se_fit=with_errors,
        ).values
    if new is None and na_action == "fail" and fit.rows_dropped:
        raise MissingValues("na_action is 'fail', and rows of the fit lack a value; fit.left_out names them.")
    if new is not None:
        places = found["row"] - 1
        if na_action == "fail" and len(places) < len(index):
            raise MissingValues(describe_missing(index.delete(places)))
        if na_action == "omit":
            index, places = index.take(places), slice(None)
    names = ["fit"] + ["se_fit"] * se_fit
    if interval is not None:
        residual = _residual_variance(fit, newdata, weights, found["row"]) if interval == "prediction" else 0.0
        found |= _limits(found, residual, level)
        names += ["std_error", "lower", "upper"]
    predicted = {name: rows.pad(found[name], places, index) for name in names}
    if not with_errors:
        return pd.Series(predicted["fit"], index, name="fit")
    frame = pd.DataFrame(predicted, index)
    frame.attrs = {} if interval is None else {"interval": interval, "level": level}
    return frame


def _check(se_fit: bool, interval: str | None, weights: RowVector, newparams: object, random_only: bool) -> None:
    """Refuse arguments of which one has no meaning beside the other."""
    if newparams is not None and (se_fit or interval):
        told = f"interval is {interval!r}" if interval else "se_fit is True"
        raise InvalidArgument(f"{told} and newparams given; standard errors are those of the fit's parameters.")
    if weights is not None and interval != "prediction":
        raise InvalidArgument("weights are given, which count for interval='prediction' alone; leave them out.")
    if random_only and interval == "prediction":
        raise InvalidArgument("random_only is True; a new response has a fixed part: interval='confidence' is left.")


def _residual_variance(fit: KeptFit, newdata: Frame | None, given: RowVector, row: Array) -> Array | float:
    """Return the residual's variance in each row that is predicted, or in all of them."""
    if newdata is not None and given is None and fit.spec.weights is not None:
        notices.give([LmerBridgeWarning(UNWEIGHTED)])
    weights = rows.row_weights(fit, newdata, fit.spec.weights if newdata is None and given is None else given)
    if weights is None:
        return fit.sigma**2
    with np.errstate(divide="ignore"):  # of weight zero: there is no limit
        variance: Array = fit.sigma**2 / (weights if newdata is None else weights[row - 1])
    return variance


def _limits(found: Mapping[str, Array], residual: Array | float, level: float) -> dict[str, Array]:
    spread = np.sqrt(found["se_fit"] ** 2 + residual)
    margin = NormalDist().inv_cdf((1 + level) / 2) * spread
    return {"std_error": spread, "lower": found["fit"] - margin, "upper": found["fit"] + margin}
