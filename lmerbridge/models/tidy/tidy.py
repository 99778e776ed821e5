"""A fit as tidy tables, with broom's columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd

from lmerbridge.bridge import time_limit
from lmerbridge.errors import InvalidArgument
from lmerbridge.inputs import ApproximateDdf, Frame, pandas_frame
from lmerbridge.models.diagnose import residuals
from lmerbridge.models.extract import estimates, matrices, optimum
from lmerbridge.models.infer import anova
from lmerbridge.models.intervals import confint, parameters
from lmerbridge.models.kept import KeptFit
from lmerbridge.models.predict import predict
from lmerbridge.models.resample import bootstrap, replicates
from lmerbridge.results import Array

TEXTS = ["effect", "group", "level", "term", "ddf"]
COLUMNS = [*TEXTS[:4], "estimate", "std_error", "statistic", "df", "p_value", "ddf", "conf_low", "conf_high"]
ENDS = ["conf_low", "conf_high"]


@dataclass(frozen=True)
class Interval:
    """The confidence intervals that are asked for."""

    level: float
    method: confint.Method
    nsim: int
    seed: int | None

    def around(self, table: pd.DataFrame) -> pd.DataFrame:
        """Add intervals by standard errors to a table, by t where it has degrees of freedom."""
        low, high = self._quantiles(table)
        return table.assign(
            conf_low=table["estimate"] + low * table["std_error"],
            conf_high=table["estimate"] + high * table["std_error"],
        )

    def _quantiles(self, table: pd.DataFrame) -> tuple[Array, Array]:
        if "df" not in table:
            low, high = parameters.quantiles_of(self.level)
            return low, high
        from scipy.special import stdtrit  # slow to load

        below = parameters.tail(self.level)
        df = table["df"].to_numpy("float64")
        return np.asarray(stdtrit(df, below)), np.asarray(stdtrit(df, 1 - below))


def complete_columns(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with all columns of `tidy`, text as objects and numbers as doubles."""
    whole = table.reindex(columns=COLUMNS)
    whole[TEXTS] = whole[TEXTS].astype(object).where(whole[TEXTS].notna(), None)
    return whole.astype({name: float for name in COLUMNS if name not in TEXTS})


Effect: TypeAlias = Literal["fixed", "ran_pars", "ran_vals", "ran_coefs"]
Scale: TypeAlias = Literal["sdcor", "vcov"]


def tidy(
    fit: KeptFit,
    effects: Effect | Sequence[Effect] = ("ran_pars", "fixed"),
    *,
    scales: Scale = "sdcor",
    exponentiate: bool = False,
    conf_int: bool = False,
    conf_level: float = 0.95,
    conf_method: confint.Method = "Wald",
    ddf_method: ApproximateDdf | None = None,
    nsim: int = 500,
    seed: int | None = None,
    timeout: float | None = None,
) -> pd.DataFrame:
    """Table with one row per estimate: ``tidy`` of R's broom.mixed.

    Parameters
    ----------
    effects : str or sequence of str
        ``fixed``, the fixed effects; ``ran_pars``, standard deviations and correlations; ``ran_vals``, the
        conditional modes; ``ran_coefs``, fixed effects plus modes.
    scales : {"sdcor", "vcov"}
        Of ``ran_pars``: standard deviations and correlations, or variances and covariances.
    exponentiate : bool
        Fixed effects as what they multiply: odds by the logit, counts by the logarithm. Their standard errors are by
        the slope of the exponential.
    conf_int : bool
    conf_level : float
        Confidence level, between 0 and 1.
    conf_method : {"Wald", "profile", "boot"}
        Method for the confidence intervals, as in `confint`. "Wald" is by t where ``ddf_method`` gives degrees of
        freedom. Intervals of ``ran_vals`` are always by their conditional standard deviations.
    ddf_method : {"Satterthwaite", "Kenward-Roger"}
        Method for the denominator degrees of freedom. Without it there are none, and no p-values.
    nsim, seed
        Of intervals by bootstrap.
    timeout : float, optional
        Seconds after which R is stopped. The default is no limit.

    Returns
    -------
    DataFrame
        Always with the columns effect, group, level, term, estimate, std_error, statistic, df, p_value, ddf (the
        method of df), conf_low and conf_high; NaN, or None, where there is no such thing or it was not asked for.

    Raises
    ------
    InvalidArgument, TimedOut

    Examples
    --------
    >>> fit.tidy("ran_pars")[["group", "term", "estimate"]].round(3)
          group                   term  estimate
    0   Subject        sd__(Intercept)    24.741
    1   Subject               sd__Days     5.922
    2   Subject  cor__(Intercept).Days     0.066
    3  Residual        sd__Observation    25.592
    """
    asked = [effects] if isinstance(effects, str) else list(effects)
    if not asked:
        raise InvalidArgument("effects is empty; at least one is expected.")
    interval = Interval(conf_level, conf_method, nsim, seed) if conf_int else None
    tables: dict[str, Callable[[], pd.DataFrame]] = {
        "fixed": lambda: (_exponentials if exponentiate else pd.DataFrame)(_fixed(fit, interval, ddf_method)),
        "ran_pars": lambda: _ran_pars(fit, interval, scales),
        "ran_vals": lambda: _ran_vals(fit, interval),
        "ran_coefs": lambda: _ran_coefs(fit),
    }
    with time_limit(timeout):
        found = [table().assign(effect=effect) for effect, table in tables.items() if effect in asked]
    return pd.concat(map(complete_columns, found), ignore_index=True)


def _fixed(fit: KeptFit, interval: Interval | None, ddf: ApproximateDdf | None) -> pd.DataFrame:
    found = fit.coefficients if ddf is None else anova.summary(fit, ddf).coefficients
    table = found.rename(columns={"t_value": "statistic", fit.kind.statistic: "statistic"}).assign(term=found.index)
    if interval is None:
        return table
    return interval.around(table) if interval.method == "Wald" else table.join(_ends(fit, "beta_", interval))


def _exponentials(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with exponentials of the estimates and their intervals, as broom.mixed."""
    found = table.assign(**{name: np.exp(table[name]) for name in ("estimate", *ENDS) if name in table})
    return found.assign(std_error=found["std_error"] * found["estimate"])


def _ran_pars(fit: KeptFit, interval: Interval | None, scales: Scale) -> pd.DataFrame:
    table = parameters.random_parameters(fit.varcorr).assign(estimate=lambda frame: frame[scales])
    if interval is not None and interval.method != "Wald":
        ends = _ends(fit, "theta_", interval) if scales == "sdcor" else _ends_of_variances(fit, interval)
        table = table.assign(**dict(zip(ENDS, ends.to_numpy().T, strict=True)))
    return (
        table if scales == "sdcor" else parameters.rename_parameters(table, list(table.index), parameters.variance_name)
    )


def _ends(fit: KeptFit, which: str, interval: Interval) -> pd.DataFrame:
    found = confint.confint(fit, which, interval.level, interval.method, nsim=interval.nsim, seed=interval.seed)
    return found[ENDS]


def _ends_of_variances(fit: KeptFit, interval: Interval) -> pd.DataFrame:
    if interval.method == "profile":
        return confint.profile(fit, "theta_", prof_scale="varcov").confint(level=interval.level)[ENDS]
    made = bootstrap.bootstrap(fit, _variances, interval.nsim, seed=interval.seed)
    return made.confint(interval.level)[ENDS]


def _ran_vals(fit: KeptFit, interval: Interval | None) -> pd.DataFrame:
    table = estimates.ranef_table(fit)
    return table if interval is None else interval.around(table)


def _ran_coefs(fit: KeptFit) -> pd.DataFrame:
    tables = [
        table.melt(var_name="term", value_name="estimate", ignore_index=False).rename_axis("level").reset_index()
        for table in estimates.coef(fit).values()
    ]
    return pd.concat([table.assign(group=group) for group, table in zip(estimates.coef(fit), tables, strict=True)])


def glance(fit: KeptFit) -> pd.DataFrame:
    """Table of the fit in one row: ``glance`` of R's broom.mixed.

    Returns
    -------
    DataFrame
        nobs, sigma, loglik, aic, bic, reml_crit (NaN of a fit by maximum likelihood), deviance (NaN of one by
        REML; of a generalized model the residual deviance), df_residual.

    Examples
    --------
    >>> fit.glance()[["nobs", "aic", "reml_crit"]].round(3)
       nobs       aic  reml_crit
    0   180  1755.628   1743.628
    """
    row = {
        "nobs": fit.nobs,
        "sigma": fit.sigma,
        "loglik": float(fit.loglik),
        "aic": fit.aic,
        "bic": fit.bic,
        "reml_crit": fit.criterion if fit.reml else np.nan,
        "deviance": np.nan if fit.reml else getattr(fit, "residual_deviance", fit.criterion),
        "df_residual": optimum.df_residual(fit),
    }
    return pd.DataFrame([row])


def augment(fit: KeptFit, data: Frame | None = None, *, prefix: str = "") -> pd.DataFrame:
    """The data with the fit's numbers for each row: ``augment`` of R's broom.mixed.

    Parameters
    ----------
    data : DataFrame
        The data of the fit, with any columns to keep. Without it, the columns that the fit was given, and
        the rows of `fitted`: those used, and under ``na_action="exclude"`` those left out for a missing value.
    prefix : str
        Before the name of each new column; ``"."`` makes them broom's.

    Returns
    -------
    DataFrame
        By the data's index. Its columns, and: fitted, resid, hat (leverage), cooksd (Cook's distance), fixed
        (prediction by the fixed effects alone), mu (fitted again), offset, sqrt_xwt and sqrt_rwt (roots of the
        weights), weights, wtres (weighted residual). NaN in rows that the fit has not used, and cooksd where there
        are no fixed effects.

    Raises
    ------
    InvalidArgument
        The data has another index than that of the fit, or a column with the name of a new one.

    Examples
    --------
    >>> fit.augment()[["Days", "fitted", "hat"]].head(2).round(3)
       Days   fitted    hat
    0   0.0  253.664  0.229
    1   1.0  273.330  0.170
    """
    return join_columns(fit, _by_row_columns(fit), data, prefix)


def join_columns(fit: KeptFit, columns: Mapping[str, pd.Series], data: Frame | None, prefix: str) -> pd.DataFrame:
    """Return the data with columns by row used."""
    values = pd.DataFrame({name: series.to_numpy() for name, series in columns.items()})
    rows = fit._output_rows
    if data is None:
        frame = fit.spec.data.iloc[rows]
    else:
        frame = pandas_frame(data)
        if not frame.index.equals(fit.index):
            raise InvalidArgument("data has another index than the data of the fit; one row for each is expected.")
        values = values.set_axis(rows).reindex(range(len(frame)))
    values = values.add_prefix(prefix).set_axis(frame.index)
    taken = [str(name) for name in values if name in frame]
    if taken:
        raise InvalidArgument(f"data has the columns {', '.join(taken)}; a prefix tells the new ones from them.")
    return pd.concat([frame, values], axis=1)


def _by_row_columns(fit: KeptFit) -> dict[str, pd.Series]:
    weights = matrices.weights(fit)
    return {
        "fitted": fit.fitted,
        "resid": fit.residuals,
        "hat": residuals.hatvalues(fit),
        "cooksd": residuals.cooks_distance(fit) if fit.terms else np.nan * fit.residuals,
        "fixed": predict.predict(fit, re_form="~0"),
        "mu": fit.fitted,
        "offset": matrices.offset(fit),
        "sqrt_xwt": np.sqrt(weights),
        "sqrt_rwt": np.sqrt(weights),
        "weights": weights,
        "wtres": np.sqrt(weights) * fit.residuals,
    }


def _variances(replicate: replicates.Replicate) -> pd.Series:
    return parameters.random_parameters(replicate.varcorr)["vcov"]
