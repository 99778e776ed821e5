"""Where the optimizer ended: criteria, convergence, singularity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from lmerbridge.models.kept import KeptFit, ask, call_on
from lmerbridge.results import SINGULAR, Array, LogLik, shown


class ExtractAIC(NamedTuple):
    """Equivalent degrees of freedom, and a criterion that penalizes them."""

    edf: int
    aic: float


@shown()
@dataclass(frozen=True, repr=False)
class LlikAIC:
    """The criteria that a summary prints of the fit.

    Attributes
    ----------
    loglik : LogLik
    aic, bic : float
    criterion : float
        The REML criterion or the deviance, -2 log-likelihood.
    df_residual : int
    """

    loglik: LogLik
    aic: float
    bic: float
    criterion: float
    df_residual: int


@shown()
@dataclass(frozen=True, eq=False, repr=False)
class OptInfo:
    """How the optimizer ended: lme4's slot ``optinfo``.

    Attributes
    ----------
    optimizer : str
    value : Series
        Parameters at the end, by lme4's names.
    code : int
        The optimizer's own: 0 is well.
    message : str
        The optimizer's own.
    function_evals : int
    warnings : tuple of str
        R's, while it ran.
    gradient : ndarray, shape (ntheta,), or None
    hessian : ndarray, shape (ntheta, ntheta), or None
        By finite differences at the end; None where lme4 did not compute them.
    """

    optimizer: str
    value: pd.Series
    code: int
    message: str
    function_evals: int
    warnings: tuple[str, ...]
    gradient: Array | None
    hessian: Array | None


@shown()
@dataclass(frozen=True, repr=False)
class Convergence:
    """Findings of lme4's ``checkConv`` on a fit.

    Attributes
    ----------
    optimizer : int
        The optimizer's code: 0 is well.
    codes : tuple of int
        Of the checks that failed, negative; none where all is well.
    messages : tuple of str
        What lme4 says of them, and of a singular fit.
    """

    optimizer: int
    codes: tuple[int, ...]
    messages: tuple[str, ...]


def df_residual(fit: KeptFit) -> int:
    """Rows less parameters, as ``stats::df.residual``."""
    return fit.nobs - fit.npar


def reml_crit(fit: KeptFit) -> float:
    """The REML criterion at the estimates, also of a fit by ML, as ``lme4::REMLcrit``."""
    return _criteria(fit, reml=True)[1]


def loglik_of(fit: KeptFit, *, reml: bool | None = None) -> LogLik:
    """Log-likelihood at the estimates by one criterion, whichever was optimized, as ``logLik(fit, REML = )``.

    Examples
    --------
    >>> round(fit.loglik_of(reml=False), 4), round(fit.loglik, 4)
    (-875.9929, -871.8141)
    """
    by_reml = fit.reml if reml is None else reml
    return LogLik(_criteria(fit, reml=by_reml)[0], fit.npar, fit.nobs, by_reml)


def deviance_of(fit: KeptFit, *, reml: bool | None = None) -> float:
    """-2 log-likelihood at the estimates by one criterion, whichever was optimized.

    Without ``reml`` the criterion is that of the fit.

    R's ``deviance(fit)`` of a REML fit is the REML criterion, with a warning; so it is here, without.
    """
    return _criteria(fit, reml=fit.reml if reml is None else reml)[1]


def _criteria(fit: KeptFit, *, reml: bool) -> tuple[float, float]:
    found = call_on(fit, "criteria")
    at = 0 if reml else 1
    return float(found["loglik"][at]), float(found["deviance"][at])


def extract_aic(fit: KeptFit, *, k: float = 2.0) -> ExtractAIC:
    """AIC of the model refitted by ML, as ``stats::extractAIC``, with ``k`` the penalty per parameter."""
    found = ask(fit, "extract_aic", k=float(k)).values
    return ExtractAIC(int(found["edf"][0]), float(found["aic"][0]))


def llik_aic(fit: KeptFit) -> LlikAIC:
    """The criteria that a summary prints of the fit, as ``lme4::llikAIC(fit, chkREML = FALSE)``."""
    aic, bic, _, criterion, df = call_on(fit, "llik_aic")["values"]
    return LlikAIC(fit.loglik, float(aic), float(bic), float(criterion), int(df))


def optinfo(fit: KeptFit) -> OptInfo:
    """How the optimizer ended.

    Examples
    --------
    >>> fit.optinfo.optimizer, fit.optinfo.code, abs(fit.optinfo.gradient).max() < 0.01
    ('nloptwrap', 0, np.True_)
    """
    raw = call_on(fit, "optinfo")
    gradient, hessian = raw["gradient"], raw["hessian"]
    return OptInfo(
        raw["optimizer"][0],
        pd.Series(raw["value"], index=pd.Index(raw["name"])),
        int(raw["code"][0]),
        raw["message"][0],
        int(raw["function_evals"][0]),
        tuple(raw["warnings"]),
        gradient if len(gradient) else None,
        hessian.reshape(len(gradient), -1, order="F") if len(gradient) else None,
    )


def convergence(fit: KeptFit) -> Convergence:
    """Findings of ``lme4::checkConv`` on the fit.

    Examples
    --------
    >>> lmer("Reaction ~ Days + (Days | Subject)", load_dataset("sleepstudy")).convergence()
    Convergence: optimizer=0
    """
    raw = call_on(fit, "convergence")
    return Convergence(int(raw["optimizer"][0]), tuple(raw["code"].tolist()), tuple(raw["messages"]))


def is_singular(fit: KeptFit, *, tol: float = SINGULAR) -> bool:
    """Whether a random term has a variance of zero or a correlation of one, to ``tol``, as ``lme4::isSingular``."""
    return bool(call_on(fit, "is_singular", tol=float(tol))["value"][0])


def singular_terms(fit: KeptFit, *, tol: float = SINGULAR) -> pd.Series:
    """Whether each random term is singular, by its name in ``varcorr``.

    Examples
    --------
    >>> fit = lmer("Yield ~ 1 + (1 | Batch)", load_dataset("Dyestuff2"))
    >>> fit.singular_terms().to_dict()
    {'Batch': True}
    """
    flags = call_on(fit, "singular_terms", tol=float(tol))["value"].astype(bool)
    return pd.Series(flags, index=[block.name for block in fit.varcorr], name="singular")
