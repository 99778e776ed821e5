"""Intervals by standard errors alone."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from lmerbridge.models.intervals import confint as intervals
from lmerbridge.models.kept import KeptFit


def confint(fit: KeptFit, parm: str | Sequence[str] | None = None, level: float = 0.95) -> pd.DataFrame:
    """Confidence intervals by standard errors, as R's ``confint(method = "Wald")``.

    lme4 cannot profile a nonlinear model, nor simulate from one for a bootstrap.

    Parameters
    ----------
    parm : str or sequence of str
        Names of parameters, ``"beta_"`` for the fixed effects; those of the random part have no such interval.
    level : float
        Confidence level, between 0 and 1.

    Returns
    -------
    DataFrame
        By parameter: effect, group, term, conf_low, conf_high, method.
    """
    return intervals.confint(fit, parm, level, "Wald")
