"""What a generalized model has beside a linear one: its family, and two covariances of its fixed effects."""

from __future__ import annotations

import pandas as pd

from lmerbridge.bridge import object_from_r
from lmerbridge.models.kept import KeptFit, call_on
from lmerbridge.results import Family


def family(fit: KeptFit) -> Family:
    """The response's distribution and link, with its shape where it is negative binomial.

    Examples
    --------
    >>> glmer("TICKS ~ YEAR + (1 | BROOD)", load_dataset("grouseticks"), "poisson").family
    Family(name='poisson', link='log', theta=None)
    """
    shape = getattr(fit, "nb_theta", float("nan"))
    return Family(fit.kind.family, fit.kind.link, None if shape != shape else shape)  # NaN is none


def vcov_of(fit: KeptFit, *, correlation: bool = False, use_hessian: bool | None = None) -> pd.DataFrame:
    """Covariance or correlation of the fixed effects, term by term: lme4's ``vcov(fit, use.hessian = )``.

    Parameters
    ----------
    correlation : bool
        The correlations, as ``summary`` prints them.
    use_hessian : bool, optional
        From the criterion's Hessian, by finite differences, in which theta is uncertain too; or, False, with theta held
        fixed. The default is as in `vcov`, whose ``covariance_from`` tells it.

    Raises
    ------
    InvalidArgument
        The fit has no Hessian: it was made with ``n_agq=0`` or ``calc_derivs=False``.

    Warns
    -----
    RWarning
        The two differ.

    Examples
    --------
    >>> cows = glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", load_dataset("cbpp"), "binomial")
    >>> float(cows.vcov_of(use_hessian=True).loc["period4", "period4"].round(2))
    0.18
    """
    found: pd.DataFrame = object_from_r(call_on(fit, "vcov_of", correlation=correlation, use_hessian=use_hessian))
    return found
