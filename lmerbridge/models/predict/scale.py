"""Predictions of a generalized model, on the scale of the link or on that of the response."""

from __future__ import annotations

from dataclasses import replace
from statistics import NormalDist
from typing import Literal

import numpy as np
import pandas as pd

from lmerbridge.errors import InvalidArgument
from lmerbridge.inputs import Frame, RowVector, pandas_frame
from lmerbridge.models.kept import KeptFit, call_on
from lmerbridge.models.predict import effects
from lmerbridge.models.predict import predict as linear

PredictionScale = Literal["link", "response"]
NEW_RESPONSE = (
    "a new response of a generalized model does not lie about its mean as a normal one does; simulate(nsim, "
    "newdata=..., re_form=...) draws it, and .quantile([0.025, 0.975], axis=1) of the draws has its limits"
)


def predict(
    fit: KeptFit,
    newdata: Frame | None = None,
    *,
    type: PredictionScale = "link",
    re_form: str | None = None,
    random_only: bool = False,
    allow_new_levels: bool = False,
    na_action: linear.NewDataAction = "pass",
    se_fit: bool = False,
    interval: Literal["confidence", "prediction"] | None = None,
    level: float = 0.95,
    newparams: effects.Parameters | None = None,
    offset: RowVector = None,
    timeout: float | None = None,
) -> pd.Series | pd.DataFrame:
    """Predict by a generalized model: lme4's ``predict``.

    Parameters
    ----------
    newdata, re_form, random_only, allow_new_levels, na_action, newparams, timeout
        As of a linear model. An offset in the formula counts, with the columns of ``newdata``.
    type : {"link", "response"}
        The linear predictor, which is R's default, or the mean of the response: a probability, or an expected count.
    se_fit : bool
        Standard errors beside it, theta held fixed; on the scale of the response those of the linear predictor times
        the slope of the mean.
    interval : {"confidence", "prediction"}, optional
        Confidence limits of the mean beside it: symmetric on the scale of the link, by the normal distribution and the
        standard errors, and taken to the scale of the response. Theta is held fixed. "prediction" is refused:
        a count or an outcome has no limits about its mean, and `simulate` draws it.
    level : float
        Confidence level, between 0 and 1.
    offset : column name or array of one number per row of ``newdata``
        That of the new rows, where the fit has an ``offset=`` argument: lme4 would leave it out in silence (its issue
        447), so without it such new data are refused.

    Returns
    -------
    Series
        Predictions by the index of ``newdata`` or of `fitted`.
    DataFrame, with ``se_fit`` or ``interval``
        Columns ``fit``, ``se_fit``, and with ``interval`` ``conf_low`` and ``conf_high``, by the same index.

    Raises
    ------
    MissingColumns, UnsupportedColumn, InvalidArgument
        As of a linear model.

    Examples
    --------
    >>> cows = glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", load_dataset("cbpp"), "binomial")
    >>> cows.predict(type="response").head(2).round(2).tolist()
    [0.31, 0.14]
    >>> new = cows.spec.data[["period"]].head(1)
    >>> cows.predict(new, re_form="~0", type="response", se_fit=True).round(3).to_dict("records")
    [{'fit': 0.198, 'se_fit': 0.036}]
    >>> cows.predict(new, re_form="~0", type="response", interval="confidence").round(2).iloc[0, 2:].tolist()
    [0.14, 0.28]
    """
    if interval == "prediction":
        raise InvalidArgument(f"interval is 'prediction': {NEW_RESPONSE}.")
    options: linear.Options = {
        "re_form": re_form,
        "random_only": random_only,
        "allow_new_levels": allow_new_levels,
        "na_action": na_action,
        "newparams": newparams,
        "timeout": timeout,
    }
    found = _linear(fit, newdata, offset, se_fit or interval is not None, options)
    if interval is not None:
        reach = NormalDist().inv_cdf((1 + level) / 2) * found["se_fit"]
        ends = {"conf_low": found["fit"] - reach, "conf_high": found["fit"] + reach}
        found = found.assign(**ends)
    if type == "response":
        found = _on_response(fit, found)
        if newdata is None and re_form is None and newparams is None and not random_only:
            found.loc[found["fit"].notna().to_numpy(), "fit"] = fit.fitted_values  # as R, whose last digits these are
    return found if len(found.columns) > 1 else found["fit"]


def _linear(
    fit: KeptFit, newdata: Frame | None, offset: RowVector, se_fit: bool, options: linear.Options
) -> pd.DataFrame:
    """Predict the linear predictor, and its standard errors where they are asked for."""
    added: pd.Series | None = None
    if offset is not None:
        if newdata is None or fit.spec.offset is None:
            told = "it is for newdata of a fit with an offset= argument"
            raise InvalidArgument(f"offset is given, and {told}; one in the formula is made of columns of newdata.")
        if options["na_action"] != "pass":
            raise InvalidArgument("offset is given, and na_action other than 'pass'; leave rows out beforehand.")
        added = replace(fit.spec, data=pandas_frame(newdata), offset=offset).per_row("offset")
        fit = replace(fit, spec=replace(fit.spec, offset=None))
    if se_fit:
        found = linear.predict(fit, newdata, se_fit=True, **options)
    else:
        found = linear.predict(fit, newdata, **options).to_frame()
    return found if added is None else found.assign(fit=found["fit"] + added.to_numpy(float, na_value=np.nan))


def inverse_link(fit: KeptFit, link: pd.Series) -> pd.DataFrame:
    """Return the means of values of the linear predictor, and their slopes: ``mean`` and ``slope``."""
    if fit.kind.linear:
        return pd.DataFrame({"mean": link, "slope": 1.0})
    moved = call_on(fit, "inverse_link", link=link.to_numpy(float))
    return pd.DataFrame({name: moved[name] for name in ("mean", "slope")}, link.index)


def _on_response(fit: KeptFit, table: pd.DataFrame) -> pd.DataFrame:
    """Return predictions of the linear predictor on the scale of the response."""
    found = table.copy()
    for name in found.columns.drop("se_fit", errors="ignore"):
        moved = inverse_link(fit, table[name])
        found[name] = moved["mean"]
        if name == "fit" and "se_fit" in found:
            found["se_fit"] *= np.abs(moved["slope"])
    if "conf_low" in table:  # some links fall
        ends = found[["conf_low", "conf_high"]].to_numpy()
        found["conf_low"], found["conf_high"] = ends.min(axis=1), ends.max(axis=1)
    return found
