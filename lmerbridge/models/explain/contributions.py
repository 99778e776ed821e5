"""What each term adds to a prediction."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lmerbridge.bridge import time_limit
from lmerbridge.inputs import Frame, pandas_frame
from lmerbridge.models.explain.effects import Effects
from lmerbridge.models.explain.explanation import Contributions
from lmerbridge.models.kept import KeptFit, ask
from lmerbridge.models.predict import predict, rows


def contributions(
    fit: KeptFit,
    newdata: Frame | None = None,
    *,
    centred: bool = True,
    allow_new_levels: bool = False,
    timeout: float | None = None,
) -> Contributions:
    """Take each prediction apart into what the terms of the model add to it.

    A prediction is ``X @ beta + Z @ b``, and so a sum of terms. The columns of one term, as ``poly(x, 2)``, a factor
    or an interaction have, are one effect; each term of a random part is one too, such as ``Days | Subject``, and so
    is the offset, ``(offset)``.

    Parameters
    ----------
    newdata : DataFrame
        Without it, the rows of `fitted`. Its rows are those of `predict`: a row that lacks a value of a term has NaN.
    centred : bool
        Each effect less its mean over the rows of the fit, all of which weigh the same; ``base`` is the mean of their
        fitted values. Else each effect as it is, and ``base`` the intercept.
    allow_new_levels : bool
        Levels of grouping factors that the fit has not seen have random effects of zero; else they are an error.
    timeout : float, optional
        Seconds after which R is stopped. The default is no limit.

    Returns
    -------
    Contributions
        In the unit of the linear predictor: of a generalized model, on the scale of its link. ``base`` and the effects
        of a row add up to its prediction, but for rounding.

    Raises
    ------
    MissingColumns, UnsupportedColumn, InvalidArgument
        As `predict`: ``newdata`` lacks a column, or holds a level that the fit has not seen.

    Examples
    --------
    >>> found = fit.contributions()
    >>> found.frame[1:3].round(2)
         base   Days  (Intercept) | Subject  Days | Subject
    1  298.51 -36.64                   2.26             9.2
    2  298.51 -26.17                   2.26            18.4
    >>> abs(found.frame.sum(axis="columns") - fit.fitted).max() < 1e-12 * fit.fitted.max()
    np.True_
    """
    with time_limit(timeout):
        own = asked = Effects.of(fit, ask(fit, "contributions_of").values)
        if newdata is None:
            prediction, source = _own_prediction(fit), fit.spec.data.iloc[fit._output_rows]
        else:
            source = pandas_frame(newdata)
            prediction = predict.predict(fit, source, allow_new_levels=allow_new_levels)
            table = rows.new_rows(fit, source, fit.spec.parsed.random, True, allow_new_levels)
            asked = Effects.of(fit, ask(fit, "contributions_of", newdata=table).values)
    means = own.values.mean(axis=0) * centred
    known = prediction.notna().to_numpy()
    values = np.full((len(known), len(means)), np.nan)
    values[known] = (asked.values if newdata is None else asked.values[known]) - means
    return Contributions(
        values=pd.DataFrame(values, prediction.index, asked.table.index.rename(None)),
        base=own.intercept + float(means.sum()),
        prediction=prediction.rename("prediction"),
        effects=asked.table,
        shown=asked.shown(fit, source, known),
        data=source,
        centred=centred,
        formula=fit.formula,
        link=fit.kind.link,
    )


def _own_prediction(fit: KeptFit) -> pd.Series:
    """Return the conditional linear predictor of each row, as `fitted` has the means."""
    eta = vars(fit).get("linear_predictor")  # of a generalized model
    return fit.fitted if eta is None else fit._by_row(eta, "fitted")
