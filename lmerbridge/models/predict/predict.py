"""Predictions."""

from __future__ import annotations

from typing import Literal, TypedDict, Unpack, overload

import pandas as pd

from lmerbridge.bridge import check_complete, describe_missing, time_limit
from lmerbridge.errors import InvalidArgument, MissingValues
from lmerbridge.inputs import Frame, pandas_frame
from lmerbridge.models.kept import KeptFit, ask
from lmerbridge.models.predict import rows
from lmerbridge.models.predict.effects import Parameters, grouping_columns, new_parameters, read_effects
from lmerbridge.models.predict.rows import pad

NewDataAction = Literal["pass", "omit", "exclude", "fail"]


class Options(TypedDict, total=False):
    """Arguments of `predict` that do not decide the type of its result."""

    re_form: str | None
    random_only: bool
    allow_new_levels: bool
    na_action: NewDataAction
    newparams: Parameters | None
    timeout: float | None


@overload
def predict(
    fit: KeptFit, newdata: Frame | None = None, *, se_fit: Literal[False] = False, **options: Unpack[Options]
) -> pd.Series: ...
@overload
def predict(
    fit: KeptFit, newdata: Frame | None = None, *, se_fit: Literal[True], **options: Unpack[Options]
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
    newparams: Parameters | None = None,
    timeout: float | None = None,
) -> pd.Series | pd.DataFrame:
    """Predict the response: lme4's ``predict``.

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

    Raises
    ------
    MissingColumns, UnsupportedColumn, InvalidArgument
        ``newdata`` lacks a column, holds another kind of values or a level that the fit has not seen; or the fit
        has an ``offset=`` argument, which R would leave out.
    NeedsNewer
        lme4 is too old for ``par``.

    Examples
    --------
    >>> import pandas as pd
    >>> new = pd.DataFrame({"Days": [0, 10], "Subject": ["308", "308"]}, index=["first", "eleventh"])
    >>> fit.predict(new).round(2).to_dict()
    {'first': 253.66, 'eleventh': 450.33}
    >>> fit.predict(new, re_form="~0").round(2).to_dict()
    {'first': 251.41, 'eleventh': 356.08}
    """
    if se_fit and newparams is not None:
        raise InvalidArgument("se_fit is True and newparams given; standard errors are those of the fit's parameters.")
    effects = read_effects(re_form, fit.spec.parsed, fit.spec.allow)
    parameters = new_parameters(newparams, fit)
    (index, places), new = rows.rows_of_fit(fit, na_action), None
    with time_limit(timeout):
        if newdata is not None:
            index = pandas_frame(newdata).index
            new = rows.new_rows(fit, newdata, effects.bars, not random_only, allow_new_levels)
            if se_fit:
                check_complete(pandas_frame(newdata), grouping_columns(effects.bars))
        found = ask(
            fit,
            "predict_model",
            newdata=new,
            newparams=parameters,
            re_form=effects.text,
            random_only=random_only,
            allow_new_levels=allow_new_levels,
            complete=na_action != "pass" and new is not None and not random_only,
            se_fit=se_fit,
        ).values
    if new is None and na_action == "fail" and fit.rows_dropped:
        raise MissingValues("na_action is 'fail', and rows of the fit lack a value; fit.left_out names them.")
    if new is not None:
        places = found["row"] - 1
        if na_action == "fail" and len(places) < len(index):
            raise MissingValues(describe_missing(index.delete(places)))
        if na_action == "omit":
            index, places = index.take(places), slice(None)
    predicted = {name: pad(found[name], places, index) for name in ("fit", "se_fit")[: 1 + se_fit]}
    return pd.DataFrame(predicted, index) if se_fit else pd.Series(predicted["fit"], index, name="fit")
