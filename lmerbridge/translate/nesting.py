"""Random terms as groups within groups: decided from the data, not from the syntax of a formula."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from lmerbridge.errors import NotExpressible
from lmerbridge.results import Array, RandomTerm

Codes = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Block:
    """One random term before it is a matrix.

    Attributes
    ----------
    group : str
    terms : tuple of str
        Its ``k`` columns, in R's words.
    levels : tuple of str
    codes : ndarray of int, shape (n,)
        Each row's position in ``levels``.
    columns : ndarray, shape (n, k)
    """

    group: str
    terms: tuple[str, ...]
    levels: tuple[str, ...]
    codes: Codes
    columns: Array

    @property
    def width(self) -> int:
        """The number of columns."""
        return len(self.terms)

    @property
    def random_term(self) -> RandomTerm:
        """The same as a sparse matrix, level by level."""
        n, k = self.columns.shape
        rows = np.repeat(np.arange(n), k)
        places = (self.codes[:, None] * k + np.arange(k)).ravel()
        z = sp.csc_array((self.columns.ravel(), (rows, places)), shape=(n, k * len(self.levels)))
        z.eliminate_zeros()
        return RandomTerm(self.group, self.terms, self.levels, z)

    @classmethod
    def of(cls, term: RandomTerm) -> Block:
        """Read a block back from its matrix.

        A row of zeros belongs to no level and has the code -1.
        """
        entries = term.z.tocoo()
        n, k = term.z.shape[0], term.width
        codes = np.full(n, -1)
        columns = np.zeros((n, k))
        codes[entries.row] = entries.col // k
        columns[entries.row, entries.col % k] = entries.data
        return cls(term.group, term.terms, term.levels, codes, columns)


@dataclass(frozen=True, eq=False)
class Nesting:
    """How random terms fall into independent groups.

    Attributes
    ----------
    cells : ndarray of int, shape (n,)
        The finest groups of rows that share no level of any factor, counted from 0.
    outer : int or None
        Position of the term whose factor has exactly these groups as its levels, and whose columns may
        be correlated; None where factors are crossed.
    inner : tuple of int
        Positions of all other terms: one variance each.
    """

    cells: Codes
    outer: int | None
    inner: tuple[int, ...]


def nesting(blocks: Sequence[Block]) -> Nesting:
    """Find the groups within which random terms lie.

    Raises
    ------
    NotExpressible
        Correlated columns on an inner or a crossed factor, or twice on the outer one.
    """
    cells = _cells(blocks)
    outermost = [i for i, b in enumerate(blocks) if len(b.levels) == cells.max() + 1]
    wide = [i for i, b in enumerate(blocks) if b.width > 1]
    if any(i not in outermost for i in wide) or len(wide) > 1:
        refused = next((i for i in wide if i not in outermost), wide[-1])
        where = "a second time on" if refused in outermost else "on the inner or crossed factor"
        raise NotExpressible(
            f"MixedLM has no correlated random effects ({', '.join(blocks[refused].terms)}) {where} "
            f"{blocks[refused].group}; only one variance each."
        )
    intercepts = [i for i in outermost if blocks[i].terms == ("(Intercept)",)]
    outer = next(iter([*wide, *intercepts, *outermost]), None)
    return Nesting(cells, outer, tuple(i for i in range(len(blocks)) if i != outer))


def _cells(blocks: Sequence[Block]) -> Codes:
    """Find the connected components of the levels that occur together in a row."""
    starts = np.cumsum([0, *(len(b.levels) for b in blocks)])
    nodes = [b.codes + start for b, start in zip(blocks, starts[:-1], strict=True)]
    ends = np.concatenate(nodes[1:]) if nodes[1:] else nodes[0]
    begins = np.tile(nodes[0], max(1, len(nodes) - 1))
    size = int(starts[-1])
    graph = sp.coo_array((np.ones(len(begins)), (begins, ends)), shape=(size, size))
    component = connected_components(graph, directed=False)[1][nodes[0]]
    return np.unique(component, return_inverse=True)[1]


def lme4_order(sizes: Sequence[int]) -> list[int]:
    """Positions of terms as lme4 orders them: by decreasing number of levels, ties reversed if any moves.

    Examples
    --------
    >>> lme4_order([18, 18]), lme4_order([18, 18, 54])
    ([0, 1], [2, 1, 0])
    """
    if all(a >= b for a, b in pairwise(sizes)):
        return list(range(len(sizes)))
    return [int(i) for i in reversed(np.argsort(sizes, kind="stable"))]


def fill(blocks: Sequence[Block]) -> list[Block]:
    """Give a level to rows of zeros.

    It is the level in another term of the same factor, or else the first. Zeros add nothing to either.
    """
    known: dict[str, Codes] = {}
    for b in blocks:
        known[b.group] = np.maximum(known.get(b.group, b.codes), b.codes)
    return [replace(b, codes=np.maximum(known[b.group], 0)) for b in blocks]
