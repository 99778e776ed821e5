"""The numbers of a linear model in each group."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lmerbridge.errors import Condition, amount
from lmerbridge.results.block import labels
from lmerbridge.results.covariance import Array
from lmerbridge.results.display import shown
from lmerbridge.results.fit import LogLik

COLUMNS = ["estimate", "std_error", "t_value", "p_value"]


@shown()
@dataclass(frozen=True, repr=False)
class GroupEstimates:
    """The flat list of R's ``describe_lmlist``: its tables one column after another."""

    groups: tuple[str, ...]
    terms: tuple[str, ...]
    coef: Array
    fixef: Array
    ranef: Array
    table: Array
    sigma: float
    df_residual: int
    squares: float
    df_by_rank: int
    group_sigma: Array
    failed: tuple[str, ...]
    rows: NDArray[np.int32]
    fitted_values: Array
    residual_values: Array
    loglik: float
    df: int
    nobs: int


@shown("coef")
@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class GroupedFit:
    """A linear model in each group: the numbers, which need no R.

    Attributes
    ----------
    formula : str
    pool : bool
        Whether the standard errors in `summary` come from the residual standard deviation of all groups.
    estimates : Estimates
        What R computed, as it came.
    data : DataFrame
        The columns that the formula names.
    conditions : tuple of Condition
        What R said on the way.
    """

    formula: str
    pool: bool
    estimates: GroupEstimates
    data: pd.DataFrame
    conditions: tuple[Condition, ...] = ()

    def __repr__(self) -> str:
        failed = f" ({len(self.failed)} not fitted)" if self.failed else ""
        groups, rows = amount(len(self.groups), "group"), amount(len(self.estimates.rows), "row")
        return f"<lm_list: {self.formula}, {groups}{failed}, {rows}>"

    def __str__(self) -> str:
        residual = f"Residual standard deviation {self.sigma:.6g} on {self.df_residual} degrees of freedom"
        return f"{self!r}\n{self.coef.to_string()}\n{residual}"

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups, in the order of the factor's levels."""
        return self.estimates.groups

    @property
    def failed(self) -> tuple[str, ...]:
        """The groups in which no model could be fitted.

        `conditions` says why.
        """
        return self.estimates.failed

    @property
    def sigma(self) -> float:
        """Residual standard deviation of all groups together."""
        return self.estimates.sigma

    @property
    def df_residual(self) -> int:
        """Degrees of freedom of `sigma`."""
        return self.estimates.df_residual

    @cached_property
    def group_sigma(self) -> pd.Series:
        """Residual standard deviation by group, NaN where no model could be fitted."""
        return pd.Series(self.estimates.group_sigma, index=list(self.groups), name="sigma")

    @property
    def loglik(self) -> LogLik:
        """Log-likelihood, with one residual variance where it is pooled, NaN where a group could not be fitted."""
        return LogLik(self.estimates.loglik, self.estimates.df, self.estimates.nobs, reml=False)

    @cached_property
    def coef(self) -> pd.DataFrame:
        """Coefficients, groups by terms, NaN where a group could not be fitted."""
        return self._by_group(self.estimates.coef)

    @cached_property
    def fixef(self) -> pd.Series:
        """Mean of the groups' coefficients by term."""
        return pd.Series(self.estimates.fixef, index=labels(self.estimates.terms), name="fixef")

    @cached_property
    def ranef(self) -> pd.DataFrame:
        """Each group's coefficients less their mean: groups by terms."""
        return self._by_group(self.estimates.ranef)

    @cached_property
    def summary(self) -> pd.DataFrame:
        """Tidy table by group and term: estimate, std_error, t_value, p_value."""
        return long_table(self.estimates.table, self.groups, self.estimates.terms, COLUMNS)

    @cached_property
    def fitted(self) -> pd.Series:
        """Fitted values, by the frame's index."""
        return self._by_row(self.estimates.fitted_values, "fitted")

    @cached_property
    def residuals(self) -> pd.Series:
        """Residuals, by the frame's index."""
        return self._by_row(self.estimates.residual_values, "residuals")

    def _by_group(self, values: Array) -> pd.DataFrame:
        table = values.reshape(len(self.groups), -1, order="F")
        return pd.DataFrame(table, index=list(self.groups), columns=labels(self.estimates.terms))

    def _by_row(self, values: Array, name: str) -> pd.Series:
        order = np.argsort(self.estimates.rows)
        index = self.data.index.take(self.estimates.rows[order] - 1)
        return pd.Series(values[order], index=index, name=name)


def long_table(values: Array, groups: tuple[str, ...], terms: tuple[str, ...], columns: list[str]) -> pd.DataFrame:
    """Return R's array of groups by columns by terms as a table by group and term."""
    cube = values.reshape(len(groups), len(columns), len(terms), order="F").transpose(0, 2, 1)
    at = pd.MultiIndex.from_product([groups, terms], names=["group", "term"])
    return pd.DataFrame(cube.reshape(-1, len(columns)), index=at, columns=columns)
