"""A fit held at another theta: all that follows from it, rightly reported."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lmerbridge import covariance
from lmerbridge.covariance import Array
from lmerbridge.design import Design
from lmerbridge.parity.objective import Solution
from lmerbridge.results import Fit, GroupModes, LogLik
from lmerbridge.varcorr import CovarianceBlock, VarCorr


def held(fit: Fit, design: Design, theta: Array, solution: Solution) -> Fit:
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
        modes=_modes(design, blocks, solution),
        criterion=solution.value,
        loglik=LogLik(-solution.value / 2, fit.loglik.df, fit.loglik.nobs, fit.loglik.reml),
        fitted_values=solution.fitted,
        residual_values=fit.fitted_values + fit.residual_values - solution.fitted,
        own_design=design,
    )


def _modes(design: Design, blocks: tuple[CovarianceBlock, ...], solution: Solution) -> tuple[GroupModes, ...]:
    """One table a group: the columns of all its blocks."""
    places = {b.group: [i for i, other in enumerate(blocks) if other.group == b.group] for b in blocks}
    return tuple(
        GroupModes(
            group,
            tuple(term for i in where for term in blocks[i].terms),
            design.random[where[0]].levels,
            np.column_stack([solution.modes[i] for i in where]),
        )
        for group, where in places.items()
    )
