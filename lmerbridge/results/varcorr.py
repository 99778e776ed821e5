"""Variances and correlations of the random terms, block by block."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from itertools import combinations, combinations_with_replacement
from typing import Literal

import numpy as np
import pandas as pd

from lmerbridge.errors import InvalidArgument
from lmerbridge.results.covariance import Array, correlation, triangle


@lru_cache(maxsize=256)
def labels(terms: tuple[str, ...]) -> pd.Index:
    """Return the index of some terms, which all tables of them share."""
    return pd.Index(terms)


@dataclass(frozen=True, eq=False)
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


@dataclass(frozen=True, eq=False)
class VarCorr:
    """Variances and correlations of the random terms, and the residual standard deviation.

    Iterates over its blocks in lme4's order; ``varcorr["Subject"]`` finds one by name. A model whose family has no
    dispersion to estimate, as binomial and poisson, has no residual.
    """

    blocks: tuple[CovarianceBlock, ...]
    residual_sd: float
    has_residual: bool = True

    def __iter__(self) -> Iterator[CovarianceBlock]:
        return iter(self.blocks)

    def __len__(self) -> int:
        return len(self.blocks)

    def __str__(self) -> str:
        return self.frame.to_string(index=False, na_rep="")

    def __getitem__(self, name: str) -> CovarianceBlock:
        for block in self.blocks:
            if block.name == name:
                return block
        raise KeyError(f"{name!r}; the random terms are {', '.join(b.name for b in self.blocks)}")

    @cached_property
    def frame(self) -> pd.DataFrame:
        """Tidy table as R's ``as.data.frame(VarCorr(fit))``: group, term1, term2, vcov, sdcor."""
        return self.table()

    def table(self, *, order: Literal["cov.last", "lower.tri"] = "cov.last") -> pd.DataFrame:
        """Tidy table as R's ``as.data.frame(VarCorr(fit), order = )``.

        Parameters
        ----------
        order : {"cov.last", "lower.tri"}
            In each block the variances first, or column by column of the lower triangle.
        """
        if not (isinstance(order, str) and order in ("cov.last", "lower.tri")):
            raise InvalidArgument(f"order is {order!r}; 'cov.last' or 'lower.tri' is expected.")
        rows: list[tuple[str, str | None, str | None, float, float]] = []
        for b in self.blocks:
            for i, j in _cells(len(b.terms), order):
                names = (b.terms[i], None if i == j else b.terms[j])
                rows.append((b.name, *names, b.covariance[j, i], b.stddev[i] if i == j else b.correlation[j, i]))
        if self.has_residual:
            rows.append(("Residual", None, None, self.residual_sd**2, self.residual_sd))
        table = pd.DataFrame(rows, columns=["group", "term1", "term2", "vcov", "sdcor"], dtype=object)
        return table.astype({"vcov": float, "sdcor": float})

    def quantities(self) -> dict[str, float]:
        """Every variance, standard deviation, covariance and correlation under its name in reports."""
        found: dict[str, float] = {}
        for b in self.blocks:
            for i, term in enumerate(b.terms):
                found[f"var[{self._label(b)}.{term}]"] = float(b.covariance[i, i])
                found[f"sd[{self._label(b)}.{term}]"] = float(b.stddev[i])
            for (i, j), pair in self._pairs(b):
                found["cov" + pair] = float(b.covariance[j, i])
                found["cor" + pair] = float(b.correlation[j, i])
        return found

    def names_in(self, block: CovarianceBlock) -> tuple[str, ...]:
        """``group.term`` for each term of a block, as its quantities are named."""
        return tuple(f"{self._label(block)}.{term}" for term in block.terms)

    def pairs(self) -> dict[str, tuple[str, str]]:
        """For each ``[group.term,term]`` the ``group.term`` of its two terms."""
        named = {b.name: self.names_in(b) for b in self.blocks}
        return {pair: (named[b.name][i], named[b.name][j]) for b in self.blocks for (i, j), pair in self._pairs(b)}

    def _pairs(self, block: CovarianceBlock) -> list[tuple[tuple[int, int], str]]:
        return [
            ((i, j), f"[{self._label(block)}.{block.terms[i]},{block.terms[j]}]")
            for i, j in combinations(range(len(block.terms)), 2)
        ]

    def _label(self, block: CovarianceBlock) -> str:
        """Return the group, or lme4's numbered name where two blocks of a group share a term."""
        others = [b for b in self.blocks if b is not block and b.group == block.group]
        return block.name if any(set(b.terms) & set(block.terms) for b in others) else block.group


def _cells(k: int, order: str) -> list[tuple[int, int]]:
    if order == "lower.tri":
        return list(combinations_with_replacement(range(k), 2))
    return [(i, i) for i in range(k)] + list(combinations(range(k), 2))
