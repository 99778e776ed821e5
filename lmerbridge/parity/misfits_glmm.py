"""Faults that only an engine of generalized models can have, and those that are another thing there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from lmerbridge.parity.at_point import fit_at_point
from lmerbridge.parity.ground import Ground
from lmerbridge.parity.joint import Joint
from lmerbridge.results import Array, Family, Fit, LogLik, covariance

LINKS = ("probit", "cloglog", "logit")  # with which a binomial model can be fitted whatever its estimates
WORSE = 0.1  # deviance units by which a constrained answer must be worse to be planted


def other_link(ground: Ground) -> Fit | None:
    """Fit with another link than was asked for, and say nothing of it."""
    own = ground.fit.kind
    if own.family != "binomial":
        return None
    link = next(link for link in LINKS if link != own.link)
    fit = ground.under_its_names(family=Family("binomial", link))
    return fit and replace(fit, kind=own)


def successes_swapped(ground: Ground) -> Fit | None:
    """Take failures for successes."""
    if ground.fit.kind.family != "binomial":
        return None
    design = ground.joint.design
    return _answer_to(ground, replace(ground.joint, design=replace(design, y=1 - design.y)))


def other_weights(ground: Ground) -> Fit | None:
    """Take the observed weights in the determinant of Laplace's approximation, where they are others."""
    joint = ground.joint
    other = replace(joint, weights="observed" if joint.weights == "expected" else "expected")
    same = abs(other(joint.near) - joint(joint.near)) < WORSE / 10
    return None if same else _answer_to(ground, other)


def _answer_to(ground: Ground, joint: Joint) -> Fit:
    """What an engine reports that maximizes another objective, and keeps its matrices to itself."""
    point, _ = joint.polish(ground.joint.near)
    return replace(fit_at_point(ground.sound, joint, point), _design=None)


def no_nodes(ground: Ground) -> Fit | None:
    """Report the estimates of ``n_agq = 0`` as those of Laplace's approximation."""
    fit = ground.under_its_names(n_agq=0)
    return fit if fit and fit.criterion - ground.fit.criterion > WORSE / 100 else None


def saturated_left_out(ground: Ground) -> Fit | None:
    """Leave the log-likelihood of the saturated model out, as lme4 does by quadrature."""
    return _less(ground, ground.joint.at(ground.joint.near).saturated)


def coefficients_left_out(ground: Ground) -> Fit | None:
    """Leave out of the log-likelihood what its single trials or counts have as constants."""
    constants = dict(ground.joint.constants(ground.joint.near))
    return _less(ground, -sum(constants.get(name, 0.0) for name in ("binomial_coefficients", "log_factorials")) / -2)


def _less(ground: Ground, constant: float) -> Fit | None:
    """The log-likelihood less a constant, where it is one."""
    if abs(constant) < WORSE:
        return None
    fit, old = ground.sound, ground.sound.loglik
    loglik = LogLik(float(old) - constant, old.df, old.nobs, old.reml)
    return replace(fit, criterion=fit.criterion + 2 * constant, loglik=loglik)


def errors_given_theta(ground: Ground) -> Fit | None:
    """Report the standard errors that hold the variance parameters fixed, where they are others."""
    given = ground.joint.errors(ground.joint.near, "given theta, expected")
    ratio = np.sqrt(np.diag(given) / np.diag(ground.fit.covariance))
    return replace(ground.sound, covariance=given) if np.max(np.abs(ratio - 1)) > 2e-3 else None


def means_on_link(ground: Ground) -> Fit:
    """Report linear predictors as fitted values."""
    return replace(ground.sound, fitted_values=ground.joint.at(ground.joint.near).eta)


def means_marginal(ground: Ground) -> Fit | None:
    """Report means without random effects."""
    joint = ground.joint
    none = np.where(np.arange(len(joint.near)) < len(ground.fit.theta), 0.0, joint.near)
    return replace(ground.sound, fitted_values=joint.at(none).fitted) if np.any(ground.fit.theta) else None


def residuals_of_response(ground: Ground) -> Fit:
    """Report residuals of the response as those of the deviance."""
    return replace(ground.sound, residual_values=ground.joint.design.y - ground.sound.fitted_values)


def effect_left_out(ground: Ground) -> Fit | None:
    """Stop at the best answer without the first random effect, where no gradient tells that the criterion falls."""
    if ground.fit.singular:
        return None
    factors = covariance.split(np.ones(len(ground.fit.theta)), ground.joint.design.widths)
    factors[0][:, 0] = 0.0
    return _constrained(ground, covariance.join(factors) > 0)


def correlations_left_out(ground: Ground) -> Fit | None:
    """Stop at the best answer whose correlations are zero."""
    free = covariance.join([np.eye(width) for width in ground.joint.design.widths]) > 0
    return None if free.all() else _constrained(ground, free)


def _constrained(ground: Ground, thetas: NDArray[np.bool_]) -> Fit | None:
    """The best answer where a theta that is not free is zero, None where it is no worse."""
    joint = ground.joint
    free = np.concatenate([thetas, np.ones(len(joint.near) - len(thetas), bool)])
    unit = np.where(free, 1 / joint.scale, 0.0)[free]

    def whole(x: Array) -> Array:
        point = np.zeros(len(free))
        point[free] = x * unit
        return point

    def value(x: Array) -> float:
        return joint(whole(x))

    start: Array = joint.near[free] / unit
    found = minimize(value, start, method="BFGS", options={"gtol": 1e-5})
    fit = fit_at_point(ground.sound, joint, whole(found.x))
    return fit if fit.criterion - ground.fit.criterion > WORSE else None


def early_stop(ground: Ground) -> Fit | None:
    """Stop a little past the optimum."""
    joint = ground.joint
    thetas = np.arange(len(joint.near)) < len(ground.fit.theta)
    found = fit_at_point(ground.sound, joint, np.where(thetas, 1.01, 1.0) * joint.near)
    return found if 1e-5 < found.criterion - ground.fit.criterion < 5e-3 else None
