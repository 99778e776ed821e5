"""Predictions of a nonlinear model, which lme4's own predict() does not give."""

from __future__ import annotations

from typing import Literal

import pandas as pd

from lmerbridge.bridge import Table, encode_newdata, time_limit
from lmerbridge.inputs import Frame, NlmerSpec, pandas_frame
from lmerbridge.models.kept import KeptFit, ask
from lmerbridge.models.predict import rows


def predict(
    fit: KeptFit,
    newdata: Frame | None = None,
    *,
    re_form: Literal["~0"] | None = None,
    allow_new_levels: bool = False,
    timeout: float | None = None,
) -> pd.Series:
    """Predict by a nonlinear model: the model's value at its parameters, with the random effects of each group.

    lme4's own fails of new data, and without random effects gives the first parameter in every row.

    Parameters
    ----------
    newdata : DataFrame
        Without it, the rows of the fit.
    re_form : {"~0"}, optional
        Leave the random effects out; by default all count.
    allow_new_levels : bool
        Levels of grouping factors that the fit has not seen have random effects of zero; else they are an error.
    timeout : float, optional
        Seconds after which R is stopped. The default is no limit.

    Returns
    -------
    Series
        By the index of ``newdata`` or of `fitted`, NaN where a covariate is missing. At the fit's own rows they agree
        with `fitted`, which lme4 keeps from its last iteration, to some five digits.

    Raises
    ------
    MissingColumns, UnsupportedColumn, InvalidArgument

    Examples
    --------
    >>> from lmerbridge import nlmer
    >>> fit = nlmer("circumference ~ SSlogis(age, Asym, xmid, scal) ~ Asym | Tree", load_dataset("Orange", "datasets"))
    >>> fit.predict(fit.spec.data.head(2), re_form="~0").round(2).tolist()
    [28.38, 63.69]
    """
    (index, places), new = rows.rows_of_fit(fit), None
    with time_limit(timeout):
        if newdata is None and re_form is None:
            return fit.fitted.rename("fit")
        if newdata is not None:
            frame = pandas_frame(newdata)
            index, places = frame.index, slice(None)
            new = _new_rows(fit, frame, re_form is None, allow_new_levels)
        found = ask(fit, "predict_nlmer", newdata=new, random=re_form is None).values["fit"]
    return pd.Series(rows.pad(found, places, index), index, name="fit")


def _new_rows(fit: KeptFit, frame: pd.DataFrame, random: bool, allow_new_levels: bool) -> Table:
    """Return the columns of new data that the model, and its grouping factors, use."""
    formula = _spec(fit).parsed
    needed = [*formula.covariates, *(name for name in formula.groups if random)]
    found = encode_newdata(frame, formula, needed, rows.columns_of_fit(fit), fit.rows)
    if random and not allow_new_levels:
        rows.check_levels(fit, frame, found, formula.random)
    return found


def _spec(fit: KeptFit) -> NlmerSpec:
    assert isinstance(fit.spec, NlmerSpec)  # noqa: S101  # the verb is of no other fit
    return fit.spec
