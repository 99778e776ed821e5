"""Variances and correlations of the random terms, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import combinations

import pandas as pd

from lmerbridge.covariance import Array, correlation


@lru_cache(maxsize=256)
def labels(terms: tuple[str, ...]) -> pd.Index:
    """Return the index of some terms; it never changes, so all tables of them share it."""
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
    """

    name: str
    group: str
    terms: tuple[str, ...]
    covariance: Array
    stddev: Array
    correlation: Array

    @classmethod
    def from_covariance(cls, name: str, group: str, terms: tuple[str, ...], covariance: Array) -> CovarianceBlock:
        """Make a block whose standard deviations and correlations follow from the covariance."""
        return cls(name, group, terms, covariance, *correlation(covariance))

    @property
    def sd(self) -> pd.Series:
        """Standard deviations by term."""
        return pd.Series(self.stddev, index=labels(self.terms), name="sd")

    @property
    def corr(self) -> pd.DataFrame:
        """Correlations, term by term."""
        return pd.DataFrame(self.correlation, index=labels(self.terms), columns=labels(self.terms))

    @property
    def cov(self) -> pd.DataFrame:
        """Covariances, term by term."""
        return pd.DataFrame(self.covariance, index=labels(self.terms), columns=labels(self.terms))


@dataclass(frozen=True, eq=False)
class VarCorr:
    """Variances and correlations of the random terms, and the residual standard deviation.

    Iterates over its blocks in lme4's order; ``varcorr["Subject"]`` finds one by name.
    """

    blocks: tuple[CovarianceBlock, ...]
    residual_sd: float

    def __iter__(self) -> Iterator[CovarianceBlock]:
        return iter(self.blocks)

    def __len__(self) -> int:
        return len(self.blocks)

    def __getitem__(self, name: str) -> CovarianceBlock:
        for block in self.blocks:
            if block.name == name:
                return block
        raise KeyError(f"{name!r}; the random terms are {', '.join(b.name for b in self.blocks)}")

    @cached_property
    def frame(self) -> pd.DataFrame:
        """Tidy table as R's ``as.data.frame(VarCorr(fit))``: group, term1, term2, vcov, sdcor."""
        rows: list[tuple[str, str | None, str | None, float, float]] = []
        for b in self.blocks:
            rows += [(b.name, t, None, b.covariance[i, i], b.stddev[i]) for i, t in enumerate(b.terms)]
            rows += [
                (b.name, b.terms[i], b.terms[j], b.covariance[j, i], b.correlation[j, i])
                for i, j in combinations(range(len(b.terms)), 2)
            ]
        rows.append(("Residual", None, None, self.residual_sd**2, self.residual_sd))
        return pd.DataFrame(rows, columns=["group", "term1", "term2", "vcov", "sdcor"])

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
