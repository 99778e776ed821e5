"""A generalized fit held at another point: all that follows from it, rightly reported."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lmerbridge.parity.joint import Joint
from lmerbridge.results import Array, CovarianceBlock, Fit, LogLik, covariance
from lmerbridge.translate import Block, group_modes


def fit_at_point(fit: Fit, joint: Joint, point: Array) -> Fit:
    """Return the fit with every number that follows from a point replaced.

    Parameters
    ----------
    fit : Fit
        Of a family without a dispersion.
    joint : Joint
        Whose objective the point is of. It may be another than the fit's.
    point : ndarray
    """
    held, value, parts = joint.at(point), joint(point), joint.parts(point)
    joint_errors, given = (joint.errors(point, by) for by in ("joint", "given theta, expected"))
    blocks = tuple(
        CovarianceBlock.from_covariance(b.name, b.group, b.terms, t @ t.T)
        for b, t in zip(fit.varcorr, covariance.split(parts.theta, joint.design.widths), strict=True)
    )
    old = fit.loglik
    return replace(
        fit.numbers(),
        theta=parts.theta,
        beta=parts.beta,
        nb_theta=fit.nb_theta if parts.shape is None else parts.shape,
        covariance=joint_errors if np.all(np.isfinite(joint_errors)) else given,
        covariance_given_theta=None,
        varcorr=replace(fit.varcorr, blocks=blocks),
        modes=group_modes([Block.of(term) for term in joint.design.random], held.modes),
        criterion=value,
        loglik=LogLik(-value / 2, old.df, old.nobs, old.reml, old.constant),
        fitted_values=held.fitted,
        residual_values=held.deviance_residuals,
    )
