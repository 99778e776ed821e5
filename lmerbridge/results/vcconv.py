"""Forms of the covariance of random terms, and from one to another: lme4's ``vcconv``.

A list of matrices, one per term, and a vector of their lower triangles, column by column, say the same in three ways:
variances and covariances (``Vv``), standard deviations and correlations (``Sv``), and Cholesky factors relative to
the residual standard deviation (``Cv``: theta, where ``s`` is given). A vector whose ``s`` is given ends, where it is
not relative, with the residual's own variance or standard deviation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from lmerbridge.errors import InvalidArgument, amount
from lmerbridge.results.covariance import Array, join, lower_root, split


def sdcor2cov(m: Array) -> Array:
    """Return the covariance matrix of one with standard deviations on its diagonal and correlations beside it.

    lme4's ``sdcor2cov``, to the bit.

    Examples
    --------
    >>> sdcor2cov(np.array([[2.0, 0.5], [0.5, 3.0]]))
    array([[4., 3.],
           [3., 9.]])
    """
    sd = np.diag(_square(m))
    return np.where(np.eye(len(sd), dtype=bool), 1.0, m) * np.outer(sd, sd)


def cov2sdcor(v: Array) -> Array:
    """Return the standard deviations on the diagonal and the correlations of a covariance matrix.

    lme4's ``cov2sdcor``, to the bit; a correlation with a variance of zero is 0, as there.

    Examples
    --------
    >>> cov2sdcor(np.array([[4.0, 3.0], [3.0, 9.0]]))
    array([[2. , 0.5],
           [0.5, 3. ]])
    """
    sd = np.sqrt(np.diag(_square(v)))
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = 1 / sd
        found = inverse[:, None] * v * inverse
    np.fill_diagonal(found, sd)
    return np.where(np.isnan(found), 0.0, found)


def mlist2vec(matrices: Sequence[Array]) -> Array:
    """Return the lower triangles of some matrices, column by column.

    Upper triangular matrices are transposed first.

    lme4's ``mlist2vec``, to the bit.

    Examples
    --------
    >>> mlist2vec([np.array([[1.0, 0.0], [2.0, 3.0]]), np.eye(1)])
    array([1., 2., 3., 1.])
    """
    return join([m if not np.triu(_square(m), 1).any() else m.T for m in matrices])


def vec2mlist(v: Array, n: Sequence[int] | None = None, *, symm: bool = True) -> list[Array]:
    """Return the matrices whose lower triangles a vector holds: symmetric ones, or lower triangular.

    lme4's ``vec2mlist``, to the bit.

    Parameters
    ----------
    v : ndarray, shape (sum of n * (n + 1) / 2,)
    n : sequence of int
        The matrices' widths; one matrix, if it is not given.
    symm : bool

    Examples
    --------
    >>> vec2mlist(np.array([1.0, 2.0, 3.0]))
    [array([[1., 2.],
           [2., 3.]])]
    """
    lower = split(np.asarray(v, np.float64), _widths(len(v), n))
    return [m + np.tril(m, -1).T for m in lower] if symm else lower


def vv_to_cv(v: Array, n: Sequence[int] | None = None, s: float | None = None) -> Array:
    """Return relative Cholesky factors of variances and covariances: lme4's ``Vv_to_Cv``.

    Equal to a relative 1e-14 where the matrices are positive definite. Where one is singular, lme4's vector is that
    of no triangular factor, and this one is.

    Parameters
    ----------
    v : ndarray
        Lower triangles, column by column; with ``s``, and after them the residual variance.
    n : sequence of int
        Widths of the terms; one term, if it is not given.
    s : float
        The residual standard deviation.

    Examples
    --------
    >>> vv_to_cv(np.array([4.0, 2.0, 5.0, 4.0]), s=2.0)
    array([1. , 0.5, 1. ])
    """
    matrices = vec2mlist(v if s is None else v[:-1], n)
    return join([_root(m / (1.0 if s is None else s) ** 2) for m in matrices])


def cv_to_vv(v: Array, n: Sequence[int] | None = None, s: float | None = None) -> Array:
    """Return variances and covariances of relative Cholesky factors: lme4's ``Cv_to_Vv``, to a relative 1e-14.

    Examples
    --------
    >>> cv_to_vv(np.array([1.0, 0.5, 1.0]), s=2.0)
    array([4., 2., 5., 4.])
    """
    found = join(_covariances(v, n, s))
    return found if s is None else np.append(found, s**2)


def sv_to_cv(v: Array, n: Sequence[int] | None = None, s: float | None = None) -> Array:
    """Return relative Cholesky factors of standard deviations and correlations: lme4's ``Sv_to_Cv``.

    Equal as in `vv_to_cv`.

    Examples
    --------
    >>> sv_to_cv(np.array([2.0, 0.5, 3.0, 1.0]), s=1.0).round(4)
    array([2.    , 1.5   , 2.5981])
    """
    matrices = vec2mlist(v if s is None else v[:-1], n)
    return join([_root(sdcor2cov(m) / (1.0 if s is None else s) ** 2) for m in matrices])


def cv_to_sv(v: Array, n: Sequence[int] | None = None, s: float | None = None) -> Array:
    """Return standard deviations and correlations of relative factors: lme4's ``Cv_to_Sv``, to a relative 1e-14.

    Examples
    --------
    >>> cv_to_sv(np.array([1.0, 0.5, 1.0]), s=2.0).round(4)
    array([2.    , 0.4472, 2.2361, 2.    ])
    """
    found = join([cov2sdcor(m) for m in _covariances(v, n, s)])
    return found if s is None else np.append(found, s)


def vec2stlist(v: Array, n: Sequence[int] | None = None) -> list[Array]:
    """Return factors with their diagonal apart: lme4's ``vec2STlist``, to the bit.

    Each column is divided by its diagonal element, which stays on the diagonal.

    Examples
    --------
    >>> vec2stlist(np.array([2.0, 1.0, 3.0]))
    [array([[2. , 0. ],
           [0.5, 3. ]])]
    """
    return [_divide(factor) for factor in vec2mlist(v, n, symm=False)]


def is_nested(f1: Sequence[object] | pd.Series, f2: Sequence[object] | pd.Series) -> bool:
    """Return whether each level of one factor occurs with one level only of another: lme4's ``isNested``.

    Examples
    --------
    >>> is_nested(["a1", "a2", "b1", "b1"], ["a", "a", "b", "b"])
    True
    """
    inner, outer = (pd.factorize(pd.Series(f, dtype=getattr(f, "dtype", object)))[0] for f in (f1, f2))
    if len(inner) != len(outer) or (inner < 0).any() or (outer < 0).any():
        told = f"f1 has {amount(len(inner), 'value')} and f2 {len(outer)}"
        raise InvalidArgument(f"{told}; two factors of one length, without missing values, are expected.")
    pairs = np.unique(np.column_stack([inner, outer]), axis=0)
    return len(pairs) == len(np.unique(pairs[:, 0]))


def _square(m: Array) -> Array:
    if np.ndim(m) != 2 or len(m) != np.shape(m)[1]:
        raise InvalidArgument(f"a matrix has shape {np.shape(m)}; a square one is expected.")
    return m


def _widths(length: int, n: Sequence[int] | None) -> list[int]:
    widths = [round((math.sqrt(8 * length + 1) - 1) / 2)] if n is None else [int(k) for k in n]
    if sum(k * (k + 1) // 2 for k in widths) != length:
        told = "one matrix" if n is None else f"matrices {', '.join(map(str, widths))} wide"
        raise InvalidArgument(
            f"a vector of {amount(length, 'element')} is no lower triangle of {told}; give the widths as n."
        )
    return widths


def _covariances(v: Array, n: Sequence[int] | None, s: float | None) -> list[Array]:
    return [m @ m.T * (1.0 if s is None else s) ** 2 for m in vec2mlist(v, n, symm=False)]


def _root(covariance: Array) -> Array:
    """Return the lower Cholesky factor, or a matrix with a missing element as it is."""
    if np.isnan(covariance).any():
        return covariance
    try:
        root: Array = np.linalg.cholesky(covariance).astype(np.float64, copy=False)
    except np.linalg.LinAlgError:
        root = lower_root(covariance)
    return root


def _divide(lower: Array) -> Array:
    diagonal = np.diag(lower)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = lower @ np.diag(1 / diagonal)
    np.fill_diagonal(found, diagonal)
    return found
