"""Predictors within and between the levels of one grouping factor: means, deviations, and the within estimator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lmerbridge.errors import InvalidArgument, UnfitData
from lmerbridge.models.extract import getme, objective
from lmerbridge.models.kept import KeptFit
from lmerbridge.results import Array

NOTHING = (
    "no predictor varies within the levels of {group!r} and has means there that differ and are no combination of the "
    "others: effects within and between cannot be told apart, and there is nothing to test."
)
RANK = 1e-7  # of a column's length: lme4 leaves out what adds less


@dataclass(frozen=True, eq=False)
class Grouped:
    """The rows of a fit by the levels of a grouping factor.

    Attributes
    ----------
    group : str
    terms : tuple of str
        Names of the columns of ``x``.
    x : ndarray, shape (n, p)
    y : ndarray, shape (n,)
        The response less its offset.
    weights : ndarray, shape (n,)
    codes : ndarray of int, shape (n,)
        The level of each row, from 0.
    """

    group: str
    terms: tuple[str, ...]
    x: Array
    y: Array
    weights: Array
    codes: NDArray[np.int64]

    @cached_property
    def sizes(self) -> Array:
        """Rows per level."""
        return np.bincount(self.codes).astype(float)

    def means(self, values: Array) -> Array:
        """Return, in each row, the weighted mean of its level."""
        total, found = np.bincount(self.codes, self.weights), np.empty(values.shape)
        for place in np.ndindex(values.shape[1:]):
            column = (slice(None), *place)
            found[column] = (np.bincount(self.codes, self.weights * values[column]) / total)[self.codes]
        return found

    @cached_property
    def within(self) -> Array:
        """Deviations of ``x`` from the means."""
        return self.x - self.means(self.x)

    @cached_property
    def varying(self) -> list[int]:
        """Columns that vary within levels, none of them a combination of those before it there."""
        size = np.linalg.norm(self.x, axis=0)
        return independent_columns(self.within * np.sqrt(self.weights)[:, None], size)

    @cached_property
    def compared(self) -> list[int]:
        """Columns that vary within levels and whose means say something new: of others both estimates are one.

        Raises
        ------
        UnfitData
            There are none.
        """
        x = self.x[:, self.varying]
        means = self.means(x)
        size = np.linalg.norm(np.hypot(means, x), axis=0)  # means of poly() in balanced data are zero but for rounding
        new = independent_columns(means, size, self.x)
        if not new:
            raise UnfitData(NOTHING.format(group=self.group))
        return [self.varying[i] for i in new]

    @property
    def left_out(self) -> tuple[str, ...]:
        """Names of the other columns, without the intercept."""
        others = [term for i, term in enumerate(self.terms) if i not in self.compared]
        return tuple(term for term in others if term != "(Intercept)")

    @cached_property
    def estimate(self) -> tuple[Array, Array, Array]:
        """The within estimator: coefficients of the columns that vary, their covariance, and residuals.

        Raises
        ------
        UnfitData
            There are too few rows.
        """
        root = np.sqrt(self.weights)
        w, y = self.within[:, self.varying] * root[:, None], (self.y - self.means(self.y)) * root
        df = int((root > 0).sum()) - len(self.sizes) - len(self.varying)
        if df < 1:
            raise UnfitData(f"the within estimator has {df} degrees of freedom left; bring more rows per level.")
        beta = np.asarray(np.linalg.lstsq(w, y, rcond=None)[0], np.float64)
        residuals = y - w @ beta
        covariance = np.asarray(np.linalg.inv(w.T @ w), np.float64) * (residuals @ residuals / df)
        return beta, covariance, residuals


def group_rows(fit: KeptFit, group: str | None) -> Grouped:
    """Return the rows of a fit by a grouping factor, which has to be named where there are several.

    Raises
    ------
    InvalidArgument
        It is none of the fit's, or one of several is meant.
    """
    known = [modes.group for modes in fit.modes]
    if (group is None and len(known) > 1) or group not in (None, *known):
        raise InvalidArgument(f"group is {group!r}; one of {', '.join(map(repr, known))} is expected.")
    name, design = group or known[0], objective.design(fit)
    codes = np.asarray(getme.get_me(fit, "flist")[name].cat.codes, np.int64)
    if not np.bincount(codes, design.weights).all():
        raise UnfitData(f"a level of {name!r} has no row of a weight above zero; leave its rows out.")
    return Grouped(name, design.terms, design.x, design.y - design.offset, design.weights, codes)


def independent_columns(columns: Array, size: Array, beside: Array | None = None) -> list[int]:
    """Return the columns that are no combination of those before them, or of others beside.

    Examples
    --------
    >>> independent_columns(np.array([[1.0, 2.0, 0.0], [1.0, 2.0, 1.0]]), np.ones(3))
    [0, 2]
    """
    found: list[int] = []
    basis = np.zeros((len(columns), 0)) if beside is None else np.linalg.qr(beside)[0]
    for i, column in enumerate(columns.T):
        rest = column - basis @ (basis.T @ column)
        rest = rest - basis @ (basis.T @ rest)  # once more, for the digits that were lost
        length = float(np.linalg.norm(rest))
        if length > RANK * size[i]:
            found.append(i)
            basis = np.column_stack([basis, rest / length])
    return found


def quadratic_form(estimate: Array, covariance: Array) -> float:
    """Return the quadratic form of estimates in the inverse of their covariance."""
    return float(estimate @ np.linalg.solve(covariance, estimate))


def names_of(terms: Sequence[str], places: Sequence[int]) -> tuple[str, ...]:
    """Return the names at some places."""
    return tuple(terms[i] for i in places)
