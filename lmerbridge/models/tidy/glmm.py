"""The data with a generalized model's numbers for each row."""

from __future__ import annotations

import pandas as pd

from lmerbridge.inputs import Frame
from lmerbridge.models.kept import KeptFit, call_on
from lmerbridge.models.tidy.tidy import join_columns


def augment(fit: KeptFit, data: Frame | None = None, *, prefix: str = "") -> pd.DataFrame:
    """The data with the fit's numbers for each row: ``augment`` of R's broom.mixed.

    Parameters
    ----------
    data : DataFrame
        The data of the fit, with any columns to keep. Without it, the columns that the fit was given, and
        the rows of `fitted`.
    prefix : str
        Before the name of each new column; ``"."`` makes them broom's.

    Returns
    -------
    DataFrame
        By the data's index. Its columns, and: fitted (the linear predictor), resid (of the deviance), hat (leverage)
        and cooksd (Cook's distance), of which R warns, fixed (the linear predictor without random effects), mu (the
        mean), offset, sqrt_xwt and sqrt_rwt (roots of the working weights), weights (numbers of trials, or prior
        weights), wtres (weighted residual), gam and eta (the linear predictor without the offset, and with it). NaN in
        rows that the fit has not used.

    Raises
    ------
    InvalidArgument
        The data has another index than that of the fit, or a column with the name of a new one.

    Examples
    --------
    >>> cows = glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", load_dataset("cbpp"), "binomial")
    >>> cows.augment()[["period", "fitted", "mu", "weights"]].head(2).round(3)
      period  fitted     mu  weights
    0      1  -0.809  0.308     14.0
    1      2  -1.801  0.142     12.0
    """
    found = call_on(fit, "row_parts")
    return join_columns(fit, {name: fit._by_row(values, name) for name, values in found.items()}, data, prefix)
