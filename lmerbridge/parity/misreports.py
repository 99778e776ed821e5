"""Faults of an engine that fits well and tells it wrongly. None: the model has no place for it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from lmerbridge.parity.ground import Ground
from lmerbridge.results import Array, CovarianceBlock, Fit, LogLik, VarCorr


def errors_too_wide(ground: Ground) -> Fit:
    """Report standard errors one percent too wide."""
    return replace(ground.sound, covariance=1.01**2 * ground.sound.covariance)


def errors_of_other_df(ground: Ground) -> Fit:
    """Divide by n where n - p is meant, in standard errors."""
    return replace(ground.sound, covariance=_shrunk(ground.fit) * ground.sound.covariance)


def sigma_of_other_df(ground: Ground) -> Fit:
    """Divide by n where n - p is meant, in sigma."""
    return replace(ground.sound, sigma=math.sqrt(_shrunk(ground.fit)) * ground.sound.sigma)


def _shrunk(fit: Fit) -> float:
    return 1 - len(fit.beta) / fit.nobs


def errors_correlated(ground: Ground) -> Fit | None:
    """Turn the sign of the correlations of the estimates."""
    if len(ground.fit.beta) == 1:
        return None
    signs = 2 * np.eye(len(ground.fit.beta)) - 1
    return replace(ground.sound, covariance=signs * ground.sound.covariance)


def errors_partly_missing(ground: Ground) -> Fit | None:
    """Report a covariance of two estimates that is not a number."""
    if len(ground.fit.beta) == 1:
        return None
    matrix = ground.sound.covariance.copy()
    matrix[0, 1] = matrix[1, 0] = math.nan
    return replace(ground.sound, covariance=matrix)


def constant_left_out(ground: Ground) -> Fit | None:
    """Leave ``(p - 1) log 2 pi`` out of the criterion."""
    size = (len(ground.fit.beta) - 1) * math.log(2 * math.pi)
    fit, old = ground.sound, ground.sound.loglik
    loglik = LogLik(float(old) + size / 2, old.df, old.nobs, old.reml)
    return replace(fit, criterion=fit.criterion - size, loglik=loglik) if size else None


def theta_longer(ground: Ground) -> Fit | None:
    """Report a theta ten percent too long."""
    return replace(ground.sound, theta=1.1 * ground.sound.theta) if np.any(ground.fit.theta) else None


def theta_shifted(ground: Ground) -> Fit | None:
    """Report theta one place off."""
    theta = np.roll(ground.sound.theta, 1)
    return None if np.allclose(theta, ground.fit.theta) else replace(ground.sound, theta=theta)


def df_one_less(ground: Ground) -> Fit:
    """Forget a parameter."""
    return _counted(ground.sound, df=-1)


def nobs_less_fixed(ground: Ground) -> Fit:
    """Report n - p for n."""
    return _counted(ground.sound, nobs=-len(ground.fit.beta))


def _counted(fit: Fit, df: int = 0, nobs: int = 0) -> Fit:
    old = fit.loglik
    return replace(fit, loglik=LogLik(float(old), old.df + df, old.nobs + nobs, old.reml))


def _blocks(fit: Fit, change: Callable[[CovarianceBlock], CovarianceBlock]) -> Fit:
    return replace(fit, varcorr=VarCorr(tuple(map(change, fit.varcorr)), fit.sigma))


def sd_as_variance(ground: Ground) -> Fit | None:
    """Report the square of a standard deviation."""
    if all(np.allclose(b.stddev**2, b.stddev, rtol=1e-3) for b in ground.fit.varcorr):  # as where it is zero
        return None
    return _blocks(ground.sound, lambda b: replace(b, stddev=b.stddev**2))


def sign_flipped(ground: Ground) -> Fit | None:
    """Turn the sign of one correlation, its covariance with it, as in a wrong transposition."""
    widest = max(ground.fit.varcorr, key=lambda b: len(b.terms))
    if ground.fit.singular or len(widest.terms) == 1:
        return None
    flip = np.where(np.arange(len(widest.terms)) == 1, -1.0, 1.0)
    signs = np.outer(flip, flip)
    turned = replace(widest, covariance=signs * widest.covariance, correlation=signs * widest.correlation)
    return _blocks(ground.sound, lambda b: turned if b is widest else b)


def slope_per_ten(ground: Ground) -> Fit | None:
    """Report the standard deviation of a slope per ten units."""
    widest = max(ground.fit.varcorr, key=lambda b: len(b.terms))
    if len(widest.terms) == 1:
        return None
    wider = replace(widest, stddev=np.where(np.arange(len(widest.terms)) == 1, 10.0, 1.0) * widest.stddev)
    return _blocks(ground.sound, lambda b: wider if b is widest else b)


def groups_swapped(ground: Ground) -> Fit | None:
    """Report the variances of one group under another."""
    first, *others = ground.fit.varcorr
    other = next((b for b in others if b.terms == first.terms and not np.allclose(b.stddev, first.stddev)), None)
    if other is None:
        return None
    swapped = {
        first.name: replace(other, name=first.name, group=first.group),
        other.name: replace(first, name=other.name, group=other.group),
    }
    return _blocks(ground.sound, lambda b: swapped.get(b.name, b))


def residual_sd_longer(ground: Ground) -> Fit:
    """Report one residual standard deviation in VarCorr, and another as sigma."""
    return replace(ground.sound, varcorr=VarCorr(ground.sound.varcorr.blocks, 1.1 * ground.sound.sigma))


def modes_swapped(ground: Ground) -> Fit | None:
    """Report the random effects of two levels under each other's names."""
    order = np.arange(len(ground.fit.modes[0].levels))
    order[:2] = order[1::-1]
    return _modes(ground, lambda values: values[order])


def modes_shrunk(ground: Ground) -> Fit | None:
    """Shrink the random effects five percent too much."""
    return _modes(ground, lambda values: 0.95 * values)


def mode_missing(ground: Ground) -> Fit | None:
    """Report a random effect that is not a number."""
    return _modes(ground, lambda values: np.where(np.arange(len(values)) == 1, math.nan, values.T).T)


def _modes(ground: Ground, change: Callable[[Array], Array]) -> Fit | None:
    first, *others = ground.sound.modes
    modes = change(first.modes)
    if np.allclose(modes, first.modes, rtol=1e-3, atol=1e-3 * ground.fit.sigma):
        return None
    return replace(ground.sound, modes=(replace(first, modes=modes), *others))


def group_invented(ground: Ground) -> Fit:
    """Report random effects of a group that the model has not."""
    modes = ground.sound.modes
    return replace(ground.sound, modes=(*modes, replace(modes[0], group="another")))


def fitted_marginal(ground: Ground) -> Fit | None:
    """Report fitted values without random effects, and residuals of those."""
    fit, design = ground.sound, ground.fit.design()
    if design is None or not np.any(ground.fit.theta):
        return None
    fitted = design.x @ fit.beta + design.offset
    return replace(fit, fitted_values=fitted, residual_values=design.y - fitted)


def fitted_noisy(ground: Ground) -> Fit:
    """Add noise of a ten-thousandth of sigma to the fitted values."""
    noise = 1e-4 * ground.fit.sigma * np.random.default_rng(1).normal(size=ground.fit.nobs)
    return _by_row(ground.sound, ground.sound.fitted_values + noise, ground.sound.residual_values - noise)


def fitted_single(ground: Ground) -> Fit:
    """Report values by row in single precision."""
    fit = ground.sound
    return _by_row(fit, *(v.astype(np.float32).astype(float) for v in (fit.fitted_values, fit.residual_values)))


def residuals_negative(ground: Ground) -> Fit:
    """Report fitted values less the response."""
    return _by_row(ground.sound, ground.sound.fitted_values, -ground.sound.residual_values)


def residuals_scaled(ground: Ground) -> Fit:
    """Report residuals over sigma, or over twice sigma where that is one."""
    return _by_row(ground.sound, ground.sound.fitted_values, ground.sound.residual_values / (1 + ground.fit.sigma))


def residual_missing(ground: Ground) -> Fit:
    """Report a residual that is not a number."""
    first = np.arange(ground.fit.nobs) == 0
    return _by_row(ground.sound, ground.sound.fitted_values, np.where(first, math.nan, ground.sound.residual_values))


def _by_row(fit: Fit, fitted: Array, residuals: Array) -> Fit:
    return replace(fit, fitted_values=fitted, residual_values=residuals)


def three_digits(values: Array) -> Array:
    """Round to three significant digits, as a table in a paper has.

    Examples
    --------
    >>> three_digits(np.array([251.405, 0.0104673, 0.0]))
    array([2.51e+02, 1.05e-02, 0.00e+00])
    """
    return np.array([float(f"{value:.3g}") for value in np.ravel(values)]).reshape(np.shape(values))


def rounded(ground: Ground) -> Fit | None:
    """Report numbers as a table in a paper has them."""
    fit = ground.sound
    table = replace(fit, beta=three_digits(fit.beta), covariance=three_digits(fit.covariance))
    return None if np.allclose(table.beta, fit.beta, rtol=1e-6) else table


def not_a_number(ground: Ground) -> Fit:
    """Report a fixed effect that is not a number."""
    beta = ground.sound.beta.copy()
    beta[-1] = np.nan
    return replace(ground.sound, beta=beta)


def terms_reversed(ground: Ground) -> Fit | None:
    """Report fixed effects under each other's names."""
    terms = ground.sound.terms
    return replace(ground.sound, terms=terms[::-1]) if len(terms) > 1 else None


def terms_repeated(ground: Ground) -> Fit | None:
    """Report two fixed effects under one name."""
    terms = ground.sound.terms
    return replace(ground.sound, terms=(terms[0], *terms[:-1])) if len(terms) > 1 else None


def index_reversed(ground: Ground) -> Fit:
    """Report values by row under other rows' labels."""
    return replace(ground.sound, index=ground.sound.index[::-1])


def rows_dropped_more(ground: Ground) -> Fit:
    """Tell of rows left out that were used."""
    return replace(ground.sound, rows_dropped=ground.sound.rows_dropped + 3)


def converged_inverted(ground: Ground) -> Fit:
    """Say the opposite of convergence."""
    return replace(ground.sound, converged=not ground.sound.converged)


def singular_inverted(ground: Ground) -> Fit:
    """Say the opposite of singularity."""
    return replace(ground.sound, singular=not ground.sound.singular)


def native_aic(ground: Ground) -> Fit:
    """Print another AIC."""
    return replace(ground.sound, native={"AIC": ground.sound.aic + 2})


def native_errors(ground: Ground) -> Fit:
    """Print another standard error."""
    fit = ground.sound
    return replace(fit, native={f"se[{fit.terms[0]}]": 1.2 * fit.std_errors[0]})
