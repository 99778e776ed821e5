"""R's summary of a fit as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lmerbridge.inputs import Ddf
from lmerbridge.models.infer.tables import COLUMNS
from lmerbridge.results import Condition, Fit, LogLik, VarCorr, labels, shown

TESTED = ["estimate", "std_error", "df", "t_value", "p_value"]


@shown("coefficients", "varcorr", "ngrps")
@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Summary:
    """R's ``summary`` of a fit.

    ``str`` gives R's own text.

    Attributes
    ----------
    coefficients : DataFrame
        By term: estimate, std_error, t_value; with a method for degrees of freedom also df, p_value and ddf. Of a
        generalized model: estimate, std_error, z_value, p_value.
    ddf : {"lme4", "Satterthwaite", "Kenward-Roger"}
        Method for the denominator degrees of freedom of df and p_value. "lme4" has none, and no p-values.
    varcorr : VarCorr
    sigma : float
    residual_quantiles : Series
        Of the scaled residuals: min, q1, median, q3, max.
    loglik : LogLik
    criteria : Series
        aic, bic, loglik, criterion (deviance or REML criterion) and df_residual.
    ngrps : Series of int
        Number of levels of each grouping factor.
    nobs : int
    correlation : DataFrame
        Of the fixed effects, term by term.
    text : str
    conditions : tuple of Condition
    """

    coefficients: pd.DataFrame
    ddf: Ddf
    varcorr: VarCorr
    sigma: float
    residual_quantiles: pd.Series
    loglik: LogLik
    criteria: pd.Series
    ngrps: pd.Series
    nobs: int
    correlation: pd.DataFrame
    text: str
    conditions: tuple[Condition, ...] = ()

    def __repr__(self) -> str:
        return self.text


def summary_from_r(fit: Fit, values: Mapping[str, Any], ddf: Ddf, conditions: tuple[Condition, ...]) -> Summary:
    """Return the summary of a fit from the reply of R's ``summary_of``."""
    terms, p = labels(fit.terms), len(fit.terms)
    columns = [COLUMNS.get(name, name) for name in values["column"]]
    found = pd.DataFrame(values["value"].reshape((p, len(columns)), order="F"), terms, columns)
    if fit.kind.statistic not in columns:  # R has "t" where there is a dispersion, and a p-value by the normal
        found = found.rename(columns={"t_value": fit.kind.statistic})
    names = list(fit.coefficients) if ddf == "lme4" else TESTED
    coefficients = found.reindex(columns=names).astype(float)  # R leaves t out where there are no terms
    return Summary(
        coefficients=coefficients if ddf == "lme4" else coefficients.assign(ddf=pd.Index([ddf]).repeat(p)),
        ddf=ddf,
        varcorr=fit.varcorr,
        sigma=fit.sigma,
        residual_quantiles=pd.Series(values["quantiles"], ["min", "q1", "median", "q3", "max"]),
        loglik=fit.loglik,
        criteria=pd.Series(
            {
                "aic": fit.aic,
                "bic": fit.bic,
                "loglik": float(fit.loglik),
                "criterion": fit.criterion,
                "df_residual": float(fit.nobs - fit.npar),
            }
        ),
        ngrps=pd.Series({group.group: len(group.levels) for group in fit.modes}, dtype=int),
        nobs=fit.nobs,
        correlation=pd.DataFrame(values["correlation"].reshape((p, p), order="F"), terms, terms),
        text=values["text"][0],
        conditions=conditions,
    )
