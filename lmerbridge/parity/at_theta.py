"""A fit held at another theta: all that follows from it, rightly reported."""

from __future__ import annotations

from dataclasses import replace

from lmerbridge.parity.sparse import Solution
from lmerbridge.results import Array, CovarianceBlock, Design, Fit, LogLik, VarCorr, covariance
from lmerbridge.translate import Block, group_modes


def fit_at_theta(fit: Fit, design: Design, theta: Array, solution: Solution) -> Fit:
    """Return the fit with every number that follows from theta replaced.

    Parameters
    ----------
    fit : Fit
    design : Design
        Its own.
    theta : ndarray
    solution : Solution
        What the common objective makes of theta on this design.
    """
    blocks = tuple(
        CovarianceBlock.from_covariance(b.name, b.group, b.terms, solution.sigma**2 * t @ t.T)
        for b, t in zip(fit.varcorr, covariance.split(theta, design.widths), strict=True)
    )
    return replace(
        fit.numbers(),
        theta=theta,
        beta=solution.beta,
        sigma=solution.sigma,
        covariance=solution.covariance,
        covariance_given_theta=None,
        varcorr=VarCorr(blocks, solution.sigma),
        modes=group_modes([Block.of(term) for term in design.random], solution.modes),
        criterion=solution.value,
        loglik=LogLik(-solution.value / 2, fit.loglik.df, fit.loglik.nobs, fit.loglik.reml),
        fitted_values=solution.fitted,
        residual_values=fit.fitted_values + fit.residual_values - solution.fitted,
        _design=design,
    )
