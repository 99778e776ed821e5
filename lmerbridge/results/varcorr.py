"""Variances and correlations of the random terms, block by block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations, combinations_with_replacement
from typing import Literal

import numpy as np
import pandas as pd

from lmerbridge.errors import InvalidArgument
from lmerbridge.results import sentences
from lmerbridge.results.block import CovarianceBlock
from lmerbridge.results.covariance import Array
from lmerbridge.results.display import shown


@shown()
@dataclass(frozen=True, eq=False, repr=False)
class VarCorr:
    """Variances and correlations of the random terms, and the residual standard deviation.

    Iterates over its blocks in lme4's order; ``varcorr["Subject"]`` finds one by name. That of a fit knows its fixed
    effects, about which the terms vary.
    """

    blocks: tuple[CovarianceBlock, ...]
    residual_sd: float
    fixef: tuple[tuple[str, float], ...] = field(default=(), repr=False)
    weighted: bool = field(default=False, repr=False)

    def about(self, terms: Sequence[str], beta: Array, *, weighted: bool = False) -> VarCorr:
        """Return the same with the fixed effects, about which the terms vary, and whether rows have weights."""
        return replace(self, fixef=tuple(zip(terms, np.ravel(beta).tolist(), strict=False)), weighted=weighted)

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
        rows.append(("Residual", None, None, self.residual_sd**2, self.residual_sd))
        table = pd.DataFrame(rows, columns=["group", "term1", "term2", "vcov", "sdcor"], dtype=object)
        return table.astype({"vcov": float, "sdcor": float})

    def explain(self, fixef: Mapping[str, float] | pd.Series | None = None, *, level: float = 0.95) -> str:
        """Say in words what the variances and correlations say, in a sentence per line.

        Parameters
        ----------
        fixef : mapping or Series of numbers by term
            The fixed effects about which the terms vary. The default is those of the fit.
        level : float
            The share of levels whose range is told, between 0 and 1.

        Returns
        -------
        str
            Of each term its standard deviation, and the range of the levels where it has a fixed effect; of each two
            terms their correlation; and the residual. What is at a limit is said to be. A range is of levels at zero
            of what the fixed effect interacts with. Terms that the fixed part codes otherwise have none, as in
            ``f + (0 + f | g)``.

        Raises
        ------
        InvalidArgument

        Examples
        --------
        >>> print(fit.varcorr.explain().splitlines()[1])
        Across levels of Subject, the effect of Days varies with a standard deviation of 5.922 about 10.47: 95 % of \
levels lie between -1.14 and 22.07, if they are normally distributed.
        """
        known = pd.Series([value for _, value in self.fixef], [term for term, _ in self.fixef])
        means = known if fixef is None else fixef
        return "\n".join(sentences.explain(self.blocks, self.residual_sd, means, level, weighted=self.weighted))

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
