"""The covariance of one random term."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
import pandas as pd

from lmerbridge.results.covariance import Array, correlation, triangle
from lmerbridge.results.display import shown


@lru_cache(maxsize=256)
def labels(terms: tuple[str, ...]) -> pd.Index:
    """Return the index of some terms, which all tables of them share."""
    return pd.Index(terms)


@shown("sd", "corr")
@dataclass(frozen=True, eq=False, repr=False)
class CovarianceBlock:
    """The covariance of one random term.

    Attributes
    ----------
    name : str
        lme4's name of the term: the group, with ``.1``, ``.2`` where a group has several terms.
    group : str
        The grouping factor.
    terms : tuple of str
    covariance, correlation : ndarray, shape (k, k)
    stddev : ndarray, shape (k,)
        In the response's unit a unit of the term.
    kind : {"us", "diag", "cs", "ar1"}
        lme4's structure of the covariance; ``us`` is none.
    hom : bool
        Whether the structure gives all terms one variance.
    par : ndarray
        The free parameters, as lme4's ``par``: relative Cholesky factors of ``us``; of the others relative standard
        deviations, one if ``hom``, and then ``rho`` of ``cs`` and ``ar1``. Empty from an engine other than lme4.
    """

    name: str
    group: str
    terms: tuple[str, ...]
    covariance: Array
    stddev: Array
    correlation: Array
    kind: str = "us"
    hom: bool = False
    par: Array = field(default_factory=lambda: np.empty(0))

    @classmethod
    def from_covariance(cls, name: str, group: str, terms: tuple[str, ...], covariance: Array) -> CovarianceBlock:
        """Make a block whose standard deviations and correlations follow from the covariance."""
        return cls(name, group, terms, covariance, *correlation(covariance))

    def with_factor(self, root: Array, sigma: float) -> CovarianceBlock:
        """Return the block with another relative factor: of the same term and structure."""
        made = self.from_covariance(self.name, self.group, self.terms, sigma**2 * (root @ root.T))
        if self.kind == "us":
            par = root[triangle(len(root))]
        else:
            sd = np.linalg.norm(root, axis=1)
            rho = np.empty(0) if self.kind == "diag" else made.correlation[1:2, 0]
            par = np.concatenate([sd[:1] if self.hom else sd, rho])
        return replace(made, kind=self.kind, hom=self.hom, par=par)

    @property
    def sd(self) -> pd.Series:
        """Standard deviations by term."""
        return pd.Series(self.stddev, index=labels(self.terms), name="sd")

    @property
    def corr(self) -> pd.DataFrame:
        """Correlations, term by term."""
        return pd.DataFrame(self.correlation, index=labels(self.terms), columns=labels(self.terms))

    @property
    def rho(self) -> float:
        """The one correlation of ``cs``, or of neighbours under ``ar1``, NaN where there is none."""
        return float(self.par[-1]) if self.kind in ("cs", "ar1") and len(self.terms) > 1 else math.nan

    @property
    def cov(self) -> pd.DataFrame:
        """Covariances, term by term."""
        return pd.DataFrame(self.covariance, index=labels(self.terms), columns=labels(self.terms))
