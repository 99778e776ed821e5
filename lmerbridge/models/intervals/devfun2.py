"""The deviance as a function of standard deviations and correlations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import pandas as pd

from lmerbridge.errors import InvalidArgument
from lmerbridge.inputs import check_methods
from lmerbridge.models.intervals.parameters import parameter_table
from lmerbridge.models.kept import KeptFit, call_on
from lmerbridge.results import Array, CovarianceBlock, shown

ROUNDING = 1e-12  # by how much a computed eigenvalue of a correlation matrix of lower rank may be below zero


@check_methods
@shown()
@dataclass(frozen=True, eq=False, repr=False)
class Devfun2:
    """lme4's ``devfun2`` of one model, a function of the random part's parameters.

    Attributes
    ----------
    optimum : Series
        The estimates of maximum likelihood by parameter, fixed effects too.
    base_deviance : float
        The deviance there.
    std_errors : Series
        Standard errors of the fixed effects there.
    """

    optimum: pd.Series
    base_deviance: float
    std_errors: pd.Series
    fit: KeptFit = field(repr=False)

    def __call__(self, values: Sequence[float] | Array | Mapping[str, float] | pd.Series) -> float:
        """Return the deviance at some standard deviations, correlations and sigma.

        Parameters
        ----------
        values : sequence, mapping or Series of numbers
            One for each parameter before the fixed effects, in the order of ``optimum``, or by name.

        Raises
        ------
        InvalidArgument
            Others are wanted, or there is no such covariance.
        """
        names = self.optimum.index[: len(self.optimum) - len(self.std_errors)]
        at = _by_name(values, names)
        _check_sizes(at)
        table = parameter_table(self.fit).iloc[: len(names)].assign(value=at)
        for block in self.fit.varcorr:
            own = table[table["group"] == block.name]
            _check_correlations(block, dict(zip(own["term"], own["value"], strict=True)))
        point = np.empty(len(names))
        point[table["place"]] = at
        return float(call_on(self.fit, "devfun2_at", point=point)["value"][0])


def _by_name(values: Sequence[float] | Array | Mapping[str, float] | pd.Series, names: pd.Index) -> pd.Series:
    named = dict(values) if isinstance(values, Mapping | pd.Series) else dict(zip(names, values, strict=False))
    if len(values) != len(names) or set(named) != set(names):
        raise InvalidArgument(f"values are {values!r}; one for each of {', '.join(names)} is expected.")
    return pd.Series(named, dtype=float)[names]


def _check_sizes(at: pd.Series) -> None:
    correlations = at.index.str.startswith("cor_")
    if not ((at[~correlations] >= 0).all() and at["sigma"] > 0 and (at[correlations].abs() <= 1).all()):
        told = ", ".join(f"{name} {value:g}" for name, value in at.items())
        raise InvalidArgument(
            f"{told}: standard deviations from 0, sigma above 0 and correlations up to 1 are expected."
        )


def _check_correlations(block: CovarianceBlock, at: Mapping[str, float]) -> None:
    """Refuse correlations of which there is no correlation matrix, since lme4 takes any numbers."""
    matrix = np.eye(len(block.terms))
    for (i, one), (j, other) in combinations(enumerate(block.terms), 2):
        matrix[i, j] = matrix[j, i] = at.get(f"cor__{one}.{other}", 0.0)
    if np.linalg.eigvalsh(matrix)[0] < -ROUNDING:
        raise InvalidArgument(f"the correlations of {block.name} are not those of a correlation matrix.")
