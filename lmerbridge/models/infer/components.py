"""The two error components of a random intercept, by quadratic forms of residuals, and the estimates they lead to."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lmerbridge.errors import InvalidArgument, UnfitData
from lmerbridge.models.infer.within import Grouped
from lmerbridge.results import Array


def random_intercept(rows: Grouped, method: str) -> tuple[Array, Array]:
    """Return the coefficients of a random intercept, and their covariance, by one of plm's estimators.

    Raises
    ------
    InvalidArgument
        The rows have weights, or the model has no intercept.
    UnfitData
        There are too few levels or rows.
    """
    if (rows.weights != 1).any():
        raise InvalidArgument(
            f"method is {method!r}, which has no weights, and the fit has; 'reml' or 'ml' is expected."
        )
    if "(Intercept)" not in rows.terms:
        raise InvalidArgument(
            f"method is {method!r}, which takes an intercept, and the fit has none; 'reml' or 'ml' does."
        )
    if len(rows.x) <= rows.x.shape[1] or len(rows.sizes) <= rows.x.shape[1]:
        raise UnfitData(f"{len(rows.sizes)} levels of {rows.group!r} are too few for {rows.x.shape[1]} coefficients.")
    residual, between = COMPONENTS[method](rows)
    theta = 1 - 1 / np.sqrt(1 + rows.sizes[rows.codes] * max(between, 0.0) / residual)
    x = rows.x - theta[:, None] * rows.means(rows.x)
    y = rows.y - theta * rows.means(rows.y)
    beta = np.asarray(np.linalg.lstsq(x, y, rcond=None)[0], np.float64)
    rest = y - x @ beta
    return beta, np.asarray(np.linalg.inv(x.T @ x), np.float64) * (rest @ rest / (len(y) - x.shape[1]))


def swamy_arora(rows: Grouped) -> tuple[float, float]:
    """Return the variances from the residuals of the within and of the between regression."""
    n, p = rows.x.shape
    residuals = rows.estimate[2]
    residual = residuals @ residuals / (n - len(rows.sizes) - len(rows.varying))
    x, y = rows.means(rows.x), rows.means(rows.y)
    rest = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    summed = x * rows.sizes[rows.codes][:, None]  # of each level, in each of its rows
    of_between = n - np.trace(np.linalg.solve(x.T @ x, summed.T @ rows.x))
    return float(residual), float((rest @ rest - (len(rows.sizes) - p) * residual) / of_between)


def wallace_hussain(rows: Grouped) -> tuple[float, float]:
    """Return the variances from the residuals of least squares."""
    x, n, groups = rows.x, len(rows.x), len(rows.sizes)
    rest = rows.y - x @ np.linalg.lstsq(x, rows.y, rcond=None)[0]
    if _balanced(rows):
        return _solve(rows, rest, np.array([[n - groups, 0.0], [groups, n]]))
    inverse = np.linalg.inv(x.T @ x)
    summed = inverse @ (rows.means(x) * rows.sizes[rows.codes][:, None]).T @ x
    of_within, of_means = (inverse @ part.T @ part for part in (rows.within, rows.means(x)))
    expected = [
        [n - groups - np.trace(of_within), np.trace(of_within @ summed)],
        [groups - np.trace(of_means), n - 2 * np.trace(summed) + np.trace(of_means @ summed)],
    ]
    return _solve(rows, rest, np.array(expected))


def amemiya(rows: Grouped) -> tuple[float, float]:
    """Return the variances from the residuals of the within estimator."""
    n, groups, at = len(rows.x), len(rows.sizes), rows.varying
    rest = rows.y - rows.x[:, at] @ rows.estimate[0]
    rest = rest - rest.mean()
    if _balanced(rows):
        return _solve(rows, rest, np.array([[n - groups, 0.0], [groups, n]]))
    if constant := [term for i, term in enumerate(rows.terms) if i not in at and term != "(Intercept)"]:
        told = f"method is 'amemiya', which in unbalanced data has no form for what is constant in each {rows.group!r}"
        raise InvalidArgument(f"{told}, such as {constant[0]!r}; another method is expected.")
    means = rows.means(rows.x[:, at])
    means = means - means.mean(axis=0)
    w = rows.within[:, at]
    of_means = groups - 1 + np.trace(np.linalg.solve(w.T @ w, means.T @ means))
    return _solve(rows, rest, np.array([[n - groups - len(at), 0.0], [of_means, n - (rows.sizes**2).sum() / n]]))


def nerlove(rows: Grouped) -> tuple[float, float]:
    """Return the variances from the residuals and the levels' effects of the within estimator."""
    residuals = rows.estimate[2]
    effects = rows.means(rows.y - rows.x[:, rows.varying] @ rows.estimate[0])
    groups = len(rows.sizes)
    between = np.mean((effects - effects.mean()) ** 2) * groups / (groups - 1)
    return float(residuals @ residuals / len(residuals)), float(between)


def _balanced(rows: Grouped) -> bool:
    return bool((rows.sizes == rows.sizes[0]).all())


def _solve(rows: Grouped, residuals: Array, expected: Array) -> tuple[float, float]:
    """Return the variances at which the sums of squares within and between are what is expected of them."""
    between = rows.means(residuals)
    within = residuals - between
    residual, of_levels = np.linalg.solve(expected, [within @ within, between @ between])
    return float(residual), float(of_levels)


COMPONENTS: dict[str, Callable[[Grouped], tuple[float, float]]] = {
    "swar": swamy_arora,
    "walhus": wallace_hussain,
    "amemiya": amemiya,
    "nerlove": nerlove,
}
