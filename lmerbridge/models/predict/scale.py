"""Predictions of a generalized model, on the scale of the link or on that of the response."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lmerbridge.errors import InvalidArgument
from lmerbridge.inputs import Frame, RowVector, pandas_frame
from lmerbridge.models.kept import KeptFit, call_on
from lmerbridge.models.predict import effects
from lmerbridge.models.predict import predict as linear

PredictionScale = Literal["link", "response"]
Means: TypeAlias = NDArray[np.float64]


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
    offset : column name or array of one number per row of ``newdata``
        That of the new rows, where the fit has an ``offset=`` argument: lme4 would leave it out in silence (its issue
        447), so without it such new data are refused.

    Returns
    -------
    Series
        Predictions by the index of ``newdata`` or of `fitted`.
    DataFrame, with ``se_fit``
        Columns ``fit`` and ``se_fit``, by the same index.

    Raises
    ------
    MissingColumns, UnsupportedColumn, InvalidArgument
        As of a linear model.

    Examples
    --------
    >>> cows = glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", load_dataset("cbpp"), "binomial")
    >>> cows.predict(type="response").head(2).round(4).tolist()
    [0.3082, 0.1418]
    >>> new = cows.spec.data[["period"]].head(1)
    >>> cows.predict(new, re_form="~0", type="response", se_fit=True).round(4).to_dict("records")
    [{'fit': 0.1981, 'se_fit': 0.0362}]
    """
    options: linear.Options = {
        "re_form": re_form,
        "random_only": random_only,
        "allow_new_levels": allow_new_levels,
        "na_action": na_action,
        "newparams": newparams,
        "timeout": timeout,
    }
    if offset is not None:
        return _with_offset(fit, newdata, offset, type, se_fit, options)
    if se_fit:
        found = linear.predict(fit, newdata, se_fit=True, **options)
        if type == "link":
            return found
        mean, slope = _on_response(fit, found["fit"])
        return found.assign(fit=mean, se_fit=found["se_fit"] * np.abs(slope))
    predicted = linear.predict(fit, newdata, **options)
    if type == "link":
        return predicted
    if newdata is None and re_form is None and newparams is None and not random_only:
        means = predicted.copy()
        means[means.notna().to_numpy()] = fit.fitted_values  # as R has them: by the link last digits may be others
        return means
    return pd.Series(_on_response(fit, predicted)[0], predicted.index, name="fit")


def _with_offset(
    fit: KeptFit,
    newdata: Frame | None,
    offset: RowVector,
    type: PredictionScale,
    se_fit: bool,
    options: linear.Options,
) -> pd.Series | pd.DataFrame:
    """Predict new rows with an offset of their own."""
    if newdata is None or fit.spec.offset is None:
        told = "it is for newdata of a fit with an offset= argument"
        raise InvalidArgument(f"offset is given, and {told}; an offset in the formula is made of columns of newdata.")
    if options["na_action"] != "pass":
        raise InvalidArgument("offset is given, and na_action other than 'pass'; leave rows out beforehand.")
    added = replace(fit.spec, data=pandas_frame(newdata), offset=offset).per_row("offset")
    without = replace(fit, spec=replace(fit.spec, offset=None))
    found = linear.predict(without, newdata, se_fit=True, **options) if se_fit else None
    link = found["fit"] if found is not None else linear.predict(without, newdata, **options)
    link = link + (0 if added is None else added.to_numpy(float, na_value=np.nan))
    mean, slope = (link, np.ones(len(link))) if type == "link" else _on_response(fit, link)
    predicted = pd.Series(mean, link.index, name="fit")
    return predicted if found is None else found.assign(fit=predicted, se_fit=found["se_fit"] * np.abs(slope))


def _on_response(fit: KeptFit, link: pd.Series) -> tuple[Means, Means]:
    """Return the means for values of the linear predictor, and how fast they change with it."""
    found = call_on(fit, "inverse_link", link=link.to_numpy(float))
    return found["mean"], found["slope"]
