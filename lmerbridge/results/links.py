"""Means as functions of the linear predictor, and their derivatives.

A function of ``n`` linear predictors is an array of shape (4, n): its value and its first three derivatives.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from scipy.special import expit, log_ndtr, ndtr, ndtri

from lmerbridge.results.covariance import Array

STEEP = 300.0  # exp() of more has no square, and no count that a double holds is as large
SYMMETRIC = ("logit", "probit", "cauchit")  # one less the mean is the mean at -eta
SIGNS = np.array([[1.0], [-1.0], [1.0], [-1.0]])  # of the derivatives of a function of -eta
Curve: TypeAlias = Callable[[Array], Array]


def mean(link: str, eta: Array) -> Array:
    """Return the mean and its derivatives by the linear predictor, shape (4, n)."""
    return MEANS[link](eta)


def log_mean(link: str, eta: Array) -> Array:
    """Return the logarithm of the mean and its derivatives, which hold their digits where the mean is tiny."""
    return LOG_MEANS[link](eta) if link in LOG_MEANS else log(mean(link, eta))


def log_complement(link: str, eta: Array) -> Array:
    """Return the logarithm of one less the mean and its derivatives."""
    if link in SYMMETRIC:
        return SIGNS * log_mean(link, -eta)
    if link == "cloglog":
        return -_exp(eta)
    return log(one(eta) - mean(link, eta))


def predictor(link: str, mean: Array) -> Array:
    """Return the linear predictor of a mean.

    Examples
    --------
    >>> predictor("log", np.array([1.0]))
    array([0.])
    """
    return LINKS[link](mean)


def log(v: Array) -> Array:
    """Return the logarithm of a function."""
    first, second, third = v[1:] / v[0]
    return np.array([np.log(v[0]), first, second - first**2, third - 3 * first * second + 2 * first**3])


def raise_to(v: Array, exponent: float) -> Array:
    """Return a power of a positive function."""
    first, second, third = exponent * log(v)[1:]
    curves = np.array([np.ones_like(first), first, second + first**2, third + 3 * first * second + first**3])
    power: Array = v[0] ** exponent * curves
    return power


def _inverse(v: Array) -> Array:
    first, second, third = v[1:] / v[0]
    curves = np.array([np.ones_like(first), -first, 2 * first**2 - second, 6 * first * second - 6 * first**3 - third])
    inverse: Array = curves / v[0]
    return inverse


def one(eta: Array) -> Array:
    """Return the function that is one."""
    return np.array([np.ones_like(eta), *np.zeros((3, len(eta)))])


def _eta(eta: Array) -> Array:
    return np.array([eta, np.ones_like(eta), *np.zeros((2, len(eta)))])


def _exp(eta: Array) -> Array:
    return np.tile(np.exp(np.minimum(eta, STEEP)), (4, 1))


def _logit(eta: Array) -> Array:
    p, q = expit(eta), expit(-eta)
    return np.array([p, p * q, p * q * (q - p), p * q * (1 - 6 * p * q)])


def _log_logit(eta: Array) -> Array:
    p, q = expit(eta), expit(-eta)
    return np.array([-np.logaddexp(0, -eta), q, -p * q, -p * q * (q - p)])


def _probit(eta: Array) -> Array:
    density = np.exp(-(eta**2) / 2) / np.sqrt(2 * np.pi)
    return np.array([ndtr(eta), density, -eta * density, (eta**2 - 1) * density])


def _log_probit(eta: Array) -> Array:
    value = log_ndtr(eta)
    first = np.exp(-(eta**2) / 2 - np.log(2 * np.pi) / 2 - value)
    second = -first * (eta + first)
    return np.array([value, first, second, -second * (eta + first) - first * (1 + second)])


def _cauchit(eta: Array) -> Array:
    spread = 1 + eta**2
    density = 1 / (np.pi * spread)
    value = np.arctan2(1, -eta) / np.pi  # exact in both tails
    return np.array([value, density, -2 * eta / spread * density, (6 * eta**2 - 2) / spread**2 * density])


def _cloglog(eta: Array) -> Array:
    e = _exp(eta)[0]
    slope = e * np.exp(-e)
    return np.array([-np.expm1(-e), slope, slope * (1 - e), slope * (1 - 3 * e + e**2)])


def _log_cloglog(eta: Array) -> Array:
    inner = np.clip(eta, -STEEP, STEEP)
    e = np.exp(inner)
    first = e / np.expm1(e)
    growth = 1 - e - first  # of the first derivative, relative
    third = first * (growth**2 - e - first * growth)
    return np.array([np.log(-np.expm1(-e)) + np.minimum(eta - inner, 0.0), first, first * growth, third])


def _sqrt(eta: Array) -> Array:
    return np.array([eta**2, 2 * eta, np.full_like(eta, 2.0), np.zeros_like(eta)])


MEANS: dict[str, Curve] = {
    "logit": _logit,
    "probit": _probit,
    "cauchit": _cauchit,
    "cloglog": _cloglog,
    "identity": _eta,
    "log": _exp,
    "sqrt": _sqrt,
    "1/mu^2": lambda eta: raise_to(_eta(eta), -0.5),
    "inverse": lambda eta: _inverse(_eta(eta)),
}
LOG_MEANS: dict[str, Curve] = {"logit": _log_logit, "probit": _log_probit, "cloglog": _log_cloglog, "log": _eta}
LINKS: dict[str, Curve] = {
    "logit": lambda mean: np.log(mean / (1 - mean)),
    "probit": ndtri,
    "cauchit": lambda mean: np.tan(np.pi * (mean - 0.5)),
    "cloglog": lambda mean: np.log(-np.log1p(-mean)),
    "identity": lambda mean: mean,
    "log": np.log,
    "sqrt": np.sqrt,
    "1/mu^2": lambda mean: mean**-2.0,
    "inverse": lambda mean: 1 / mean,
}
