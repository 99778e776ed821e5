"""The matrices of one model, made of a formula and a frame."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lmerbridge.results.covariance import Array
from lmerbridge.results.display import shown

if TYPE_CHECKING:
    import scipy.sparse as sp  # slow to load, and few fits need it


@shown()
@dataclass(frozen=True, eq=False, repr=False)
class RandomTerm:
    """One random term: its grouping factor and its columns of Z.

    Attributes
    ----------
    group : str
        The grouping factor, in R's words (``"cask:batch"``).
    terms : tuple of str
        The ``k`` columns of the left-hand side, in R's words.
    levels : tuple of str
        The ``m`` levels of the factor.
    z : csc_array, shape (n, m * k)
        Level by level, and term by term within a level, as lme4's ``Zt`` orders them.
    """

    group: str
    terms: tuple[str, ...]
    levels: tuple[str, ...]
    z: sp.csc_array

    @property
    def width(self) -> int:
        """The number of columns of the left-hand side."""
        return len(self.terms)


@shown()
@dataclass(frozen=True, eq=False, repr=False)
class Design:
    """Fixed and random matrices, response, weights and offset, over the rows an engine used.

    Attributes
    ----------
    terms : tuple of str
        Names of the ``p`` columns of ``x``.
    x : ndarray, shape (n, p)
    y : ndarray, shape (n,)
        The response as given; the offset is not subtracted.
    weights, offset : ndarray, shape (n,)
    rows : ndarray of int, shape (n,)
        Positions of the rows in the caller's frame, from 0.
    random : tuple of RandomTerm
    """

    terms: tuple[str, ...]
    x: Array
    y: Array
    weights: Array
    offset: Array
    rows: NDArray[np.int64]
    random: tuple[RandomTerm, ...]

    @property
    def widths(self) -> tuple[int, ...]:
        """Columns of each random term: what cuts theta into factors."""
        return tuple(term.width for term in self.random)

    @cached_property
    def z(self) -> sp.csc_array:
        """All random terms side by side, shape (n, q)."""
        import scipy.sparse as sp

        return sp.csc_array(sp.hstack([term.z for term in self.random], format="csc"))
