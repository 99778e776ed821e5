"""How far reported numbers lie from those of the common code, whatever the kind of model."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lmerbridge.parity.sparse import rms
from lmerbridge.parity.tolerances import ZERO_SD
from lmerbridge.results import Array, Design, Fit, covariance


def largest(differences: Array) -> float:
    """The largest magnitude, NaN where one is NaN."""
    return float(np.max(np.abs(differences), initial=0.0))


def block_differences(design: Design, fit: Fit, scale: float | None = None) -> Iterator[float]:
    """Reported covariances, SDs and correlations against ``sigma^2 T T'``, in SDs no smaller than a zero's.

    ``scale`` stands for sigma where theta is of another scale.
    """
    sigma = fit.sigma if scale is None else scale
    factors = covariance.split(fit.theta, design.widths)
    yield abs(fit.varcorr.residual_sd / fit.sigma - 1)
    for term, t, block in zip(design.random, factors, fit.varcorr, strict=True):
        right = sigma**2 * t @ t.T
        floor = ZERO_SD * sigma / rms(term)
        sd = np.maximum(np.sqrt(np.diag(right)), floor)
        yield float(np.max(np.abs(block.covariance - right) / np.outer(sd, sd)))
        yield float(np.max(np.abs(block.stddev - np.sqrt(np.diag(right))) / sd))
        real = np.outer(sd > floor, sd > floor)
        yield float(np.max(np.abs(block.correlation - right / np.outer(sd, sd)), where=real, initial=0.0))


def se_difference(mine: Array, its: Array) -> float:
    """Largest relative difference of the standard errors of two covariance matrices.

    Two that are both NaN do not differ, and one that alone is NaN differs beyond any limit.
    """
    with np.errstate(invalid="ignore"):  # a negative variance has no root
        ours, theirs = np.sqrt(np.diag(mine)), np.sqrt(np.diag(its))
    missing = np.isnan(ours) & np.isnan(theirs)
    return float(np.max(np.where(missing, 0.0, np.abs(ours / theirs - 1))))


def correlation_difference(mine: Array, its: Array) -> float:
    """Largest difference of the correlations of estimates in two covariance matrices, each asymmetry among them."""
    (ours, theirs), off = (matrix / _products(matrix) for matrix in (mine, its)), ~np.eye(len(mine), dtype=bool)
    return largest((ours - theirs)[off])


def _products(matrix: Array) -> Array:
    size = np.sqrt(np.abs(np.diag(matrix)))  # a negative variance counts by its size
    return np.outer(size, size)
