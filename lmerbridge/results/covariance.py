"""Relative covariance parameters: theta, the factor it fills, and the covariance it stands for.

lme4 writes the covariance of one random term as ``sigma**2 * T @ T.T`` with ``T`` lower triangular, and
theta holds the lower triangle of every ``T``, column by column (Bates et al. 2015, section 2.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from lmerbridge.errors import EngineFailed

Array = NDArray[np.float64]

SINGULAR = 1e-4  # lme4::getSingTol()
SEMIDEFINITE = 1e-8  # of the largest eigenvalue: below it a negative one is rounding


@cache
def triangle(k: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of the lower triangle of a ``k`` by ``k`` matrix, column by column."""
    columns, rows = np.triu_indices(k)
    for places in (rows, columns):
        places.flags.writeable = False  # they are everybody's
    return rows, columns


def split(theta: Array, widths: Sequence[int]) -> list[Array]:
    """Cut theta into the factors ``T`` of terms with ``widths`` columns.

    Examples
    --------
    >>> split(np.array([2.0, 1.0, 3.0, 5.0]), [2, 1])
    [array([[2., 0.],
           [1., 3.]]), array([[5.]])]
    """
    factors, start = [], 0
    for k in widths:
        size = k * (k + 1) // 2
        factor = np.zeros((k, k))
        factor[triangle(k)] = theta[start : start + size]
        factors.append(factor)
        start += size
    return factors


def join(factors: Sequence[Array]) -> Array:
    """Theta of the given factors: the inverse of `split`."""
    return np.concatenate([factor[triangle(len(factor))] for factor in factors])


def lower_root(covariance: Array) -> Array:
    """Return a lower triangular root of a semidefinite matrix, its diagonal not negative.

    A Cholesky root does not exist on the boundary, where a variance or a determinant is zero, so the root
    is the transposed ``R`` of a QR decomposition of the symmetric square root.
    """
    values, vectors = np.linalg.eigh(covariance)
    if values[0] < -SEMIDEFINITE * max(values[-1], 0.0):
        raise EngineFailed(f"a covariance matrix has the eigenvalues {values}; none may be negative.")
    root = vectors * np.sqrt(np.clip(values, 0.0, None))
    lower = np.linalg.qr(root.T).R.T
    return np.tril(lower * np.where(np.diag(lower) < 0, -1.0, 1.0))


def singular(root: Array) -> bool:
    """Whether lme4 would call a relative factor singular: a variance of zero, or a correlation of one."""
    return bool(np.any(np.diag(root) < SINGULAR))


def correlation(covariance: Array) -> tuple[Array, Array]:
    """Return standard deviations and correlations, NaN for a correlation with a zero variance."""
    with np.errstate(invalid="ignore", divide="ignore"):
        sd = np.sqrt(np.diag(covariance))
        corr = covariance / np.outer(sd, sd)
    np.fill_diagonal(corr, 1.0)
    return sd, corr
