"""Confidence intervals and profiles."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
import pandas as pd

from lmerbridge.bridge import Reply, notices, time_limit
from lmerbridge.errors import InvalidArgument, KnownDefectWarning, RError
from lmerbridge.models.intervals import parameters
from lmerbridge.models.intervals import profile as profiles
from lmerbridge.models.intervals.devfun2 import Devfun2
from lmerbridge.models.kept import KeptFit, ask, model_of
from lmerbridge.models.resample import bootci, bootstrap
from lmerbridge.parallel import progress_bar
from lmerbridge.results import Array, labels

LOST = (
    "lme4's profile of {names} on the scale of variances has points without a value, so its intervals may be wrong and "
    "end at a bound; profile().variance_prof().confint() has those of variances."
)
VARIANCES = (
    "prof_scale is 'varcov', on which lme4 profiles no model without a residual variance; profile().variance_prof() "
    "has the variances."
)
Method: TypeAlias = Literal["profile", "Wald", "boot"]


def confint(
    fit: KeptFit,
    parm: parameters.Which = None,
    level: float = 0.95,
    method: Method = "profile",
    *,
    boot_type: bootci.Interval = "perc",
    nsim: int = 500,
    seed: int | None = None,
    jobs: int | None = None,
    progress: bool | None = None,
    timeout: float | None = None,
) -> pd.DataFrame:
    """Confidence intervals of the parameters: R's ``confint``.

    Parameters
    ----------
    parm : str or sequence of str
        Names of parameters, ``"theta_"`` for those of the random part, ``"beta_"`` for the fixed effects;
        `parameters` lists them.
    level : float
        Confidence level, between 0 and 1.
    method : {"profile", "Wald", "boot"}
        Method for the confidence intervals: the likelihood profile, the normal distribution, which has none for the
        random part, or the parametric bootstrap.
    boot_type : {"perc", "basic", "norm"}
    nsim, seed, jobs
        Of the bootstrap; see `bootstrap`.
    progress : bool, optional
        Whether to show a progress bar of the profile or the bootstrap. The default shows it where standard error is a
        terminal.
    timeout : float, optional
        Seconds after which R is stopped. The default is no limit.

    Returns
    -------
    DataFrame
        By parameter: effect, group, term, conf_low, conf_high, method; one shape for all methods.
        NaN where there is no bound.

    Raises
    ------
    InvalidArgument, TimedOut
    RError
        The profile found a deviance lower than the fit's.

    Notes
    -----
    Profile intervals are of maximum likelihood, of a REML fit too. Intervals by bootstrap of a REML fit are
    free of the error that ``refit`` of lme4 1.1-8 to 1.1-32 brings into R's.

    Examples
    --------
    >>> fit.confint("Days", method="Wald")[["conf_low", "conf_high"]].round(3)
          conf_low  conf_high
    Days     7.438     13.497
    """
    quantiles = parameters.quantiles_of(level)
    chosen = parameters.select_parameters(fit, parm)
    names = [*chosen.index]
    match method:
        case "Wald":
            return parameters.interval_table(chosen, _wald(fit, quantiles).loc[names], method)
        case "profile":
            return profile(fit, names, progress=progress, timeout=timeout).confint(level=level)
    made = bootstrap.bootstrap(fit, nsim=nsim, seed=seed, jobs=jobs, progress=progress, timeout=timeout)
    return parameters.interval_table(chosen, made.confint(level, boot_type, names).loc[names], method)


def _wald(fit: KeptFit, quantiles: Array) -> pd.DataFrame:
    ends = fit.beta[:, None] + np.outer(fit.std_errors, quantiles)
    return pd.DataFrame(ends, fit.terms, ["conf_low", "conf_high"]).reindex(parameters.parameter_table(fit).index)


def profile(
    fit: KeptFit,
    which: parameters.Which = None,
    *,
    alpha_max: float = 0.01,
    max_points: int = 100,
    delta: float | None = None,
    delta_cutoff: float = 1 / 8,
    dev_tol: float = 1e-9,
    start_method: profiles.Start = "prev",
    optimizer: str | None = None,
    prof_scale: profiles.Scale = "sdcor",
    progress: bool | None = None,
    timeout: float | None = None,
) -> profiles.Profile:
    """Profile of the likelihood: R's ``profile``.

    It takes one or two fits for each of some 20 points per parameter. It is always of maximum likelihood: a REML fit
    is refitted first.

    Parameters
    ----------
    which : str or sequence of str
        Names of parameters, ``"theta_"`` for those of the random part, ``"beta_"`` for the fixed effects;
        `parameters` lists them.
    alpha_max : float
        The profile reaches as far as a joint likelihood interval of level ``1 - alpha_max``.
    max_points : int
        Points in either direction, at most.
    delta : float
        Step of zeta; from ``delta_cutoff`` where not given.
    delta_cutoff : float
        Step as a fraction of the largest zeta.
    dev_tol : float
        By how much a deviance may be lower than that of the fit.
    start_method : {"prev", "global"}
        Whether an optimization starts at the end of that before, or at the estimates.
    optimizer : str
        That of the fit, where not given.
    prof_scale : {"sdcor", "varcov"}
        Standard deviations and correlations, or variances and covariances; names change accordingly, and
        ``which`` takes those of the former.
    progress : bool, optional
        Whether to show a progress bar. The default shows it where standard error is a terminal.
    timeout : float, optional
        Seconds after which R is stopped. The default is no limit.

    Returns
    -------
    Profile

    Raises
    ------
    InvalidArgument, TimedOut
    RError
        There is a deviance lower than the fit's: it stopped short.

    Warns
    -----
    RWarning
        What lme4 says: a profile is not monotonic, or has no value somewhere.
    KnownDefectWarning
        On the scale of variances a profile has points without a value, and its interval may end at a bound.

    Examples
    --------
    >>> fit = lmer("Yield ~ 1 + (1 | Batch)", load_dataset("Dyestuff"))
    >>> profile = fit.profile("sigma")
    >>> profile.confint()[["conf_low", "conf_high"]].round(2)
           conf_low  conf_high
    sigma     38.23      67.66
    """
    options = profiles.options(
        alpha_max=alpha_max,
        max_points=max_points,
        delta=delta,
        delta_cutoff=delta_cutoff,
        dev_tol=dev_tol,
        start_method=start_method,
        optimizer=optimizer,
        prof_scale=prof_scale,
    )
    if prof_scale == "varcov" and not fit.varcorr.has_residual:
        raise InvalidArgument(VARIANCES)
    replies: dict[str, Reply] = {}
    table, places = parameters.parameter_table(fit), parameters.select_parameters(fit, which)["place"]
    with time_limit(timeout), progress_bar("Profile", len(places), progress) as advance:
        for name, place in places.items():
            model = model_of(fit)
            given = {"handle": model.handle, "which": int(place) + 1, **options}
            try:
                replies[str(name)] = model.worker.call("profile_parameter", **given)
            except RError as error:
                raise profiles.rename_error(table, error, str(name)) from error
            notices.give(notices.of_conditions(profiles.rename_conditions(table, replies[str(name)].conditions)))
            advance(1)
    found = profiles.profile_from_r(table, {name: reply.values for name, reply in replies.items()}, prof_scale)
    lost = found.frame.loc[found.frame.isna().any(axis=1), "parameter"].unique()
    if prof_scale == "varcov" and len(lost):
        notices.give([KnownDefectWarning(LOST.format(names=", ".join(lost)))])
    return found


def devfun2(fit: KeptFit) -> Devfun2:
    """The deviance as a function of standard deviations, correlations and sigma: ``devfun2``.

    It is of maximum likelihood, of a REML fit too, and profiled over the fixed effects.

    Returns
    -------
    Devfun2

    Examples
    --------
    >>> deviance = lmer("Yield ~ 1 + (1 | Batch)", load_dataset("Dyestuff")).devfun2()
    >>> round(deviance.base_deviance, 3), round(deviance([40.0, 50.0]), 3)
    (327.327, 327.368)
    """
    found = ask(fit, "devfun2_optimum").values
    optimum = found["optimum"][parameters.parameter_table(fit)["place"]]
    return Devfun2(
        optimum=pd.Series(optimum, parameters.parameter_table(fit).index, name="optimum"),
        base_deviance=float(found["deviance"][0]),
        std_errors=pd.Series(found["std_error"], labels(fit.terms), name="std_error"),
        fit=fit,
    )
