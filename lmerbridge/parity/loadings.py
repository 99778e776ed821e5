"""The sparse matrix ``Z Lambda(theta)``, and what of its weighted crossproducts a mixed model needs.

The places of its entries do not depend on theta, nor do the products that make a crossproduct of them, so both are
looked up once per design.
"""

from __future__ import annotations

from functools import cached_property
from typing import TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.linalg.lapack import dpotrf, dpotri, dpotrs
from scipy.sparse.csgraph import connected_components

from lmerbridge.parity.sparse import splu_spd
from lmerbridge.results import Array, Design, RandomTerm, covariance

Places: TypeAlias = NDArray[np.intp]
DENSE = 400  # random effects up to which LAPACK is faster than SuperLU, whose calls cost more than their work
SLAB = 256  # columns of an inverse at a time, which bounds the memory where there are many levels


def add_up(places: Places, values: Array, size: int) -> Array:
    """Return the sums of the values of each place.

    Examples
    --------
    >>> add_up(np.array([0, 2, 0]), np.array([1.0, 2.0, 3.0]), 3)
    array([4., 0., 2.])
    """
    sums: Array = np.bincount(places, weights=values, minlength=size).astype(float, copy=False)
    return sums


class Pattern:
    """Where ``Z Lambda`` of one design has its entries, row by row, and its crossproduct.

    Parameters
    ----------
    design : Design
    """

    def __init__(self, design: Design) -> None:
        self.design, (n, self.q) = design, design.z.shape
        self.shape = (n, self.q)
        parts, first = [], 0
        for term in design.random:
            parts.append(_entries(term, first))
            first += term.z.shape[1]
        rows, columns = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
        order = np.lexsort((columns, rows))
        self.row, self.column = rows[order], columns[order]
        self.starts = np.concatenate([[0], np.cumsum(np.bincount(self.row, minlength=n))])
        self.slopes = _slopes([part[2] for part in parts], order)
        self._pair()

    def _pair(self) -> None:
        counts = np.diff(self.starts)[self.row]
        self.first = np.repeat(np.arange(len(self.row)), counts)
        within = np.arange(len(self.first)) - np.repeat(np.cumsum(counts) - counts, counts)
        self.second = self.starts[self.row[self.first]] + within
        key = self.column[self.second] * self.q + self.column[self.first]
        diagonal = np.arange(self.q) * (self.q + 1)
        keys, place = np.unique(np.concatenate([key, diagonal]), return_inverse=True)
        self.target, self.diagonal = place[: len(key)], place[len(key) :]
        self.pair_row = self.row[self.first]
        self.right, self.left = keys // self.q, keys % self.q
        self.columns = np.concatenate([[0], np.cumsum(np.bincount(self.right, minlength=self.q))])

    @cached_property
    def places(self) -> Places:
        """For each random effect its place among those it has to do with, directly or through others.

        A right-hand side can be one at all effects of a place at once: where they are apart the solutions are as well.
        """
        entries = sp.csr_array((np.ones(len(self.left)), (self.left, self.right)), shape=(self.q, self.q))
        part = connected_components(entries, directed=False)[1]
        order = np.argsort(part, kind="stable")
        first = np.searchsorted(part[order], part[order])
        places: Places = np.empty(self.q, dtype=np.intp)
        places[order] = np.arange(self.q) - first
        return places

    def at(self, theta: Array) -> Loadings:
        """Return the matrix at a theta."""
        return Loadings(self, np.asarray(theta, float))


class Loadings:
    """``Z Lambda(theta)`` at one theta.

    Parameters
    ----------
    pattern : Pattern
    theta : ndarray
    """

    def __init__(self, pattern: Pattern, theta: Array) -> None:
        self.pattern, self.theta = pattern, theta
        values: Array = np.zeros(len(pattern.row))
        for slope, size in zip(pattern.slopes, theta, strict=True):
            values += size * slope
        self.values = values
        self.matrix = sp.csr_array((self.values, pattern.column, pattern.starts), shape=pattern.shape)
        self.transposed = self.matrix.T

    @cached_property
    def _products(self) -> Array:
        products: Array = self.values[self.pattern.first] * self.values[self.pattern.second]
        return products

    def factor(self, weights: Array) -> Triangle:
        """Factor ``L'Z' W Z L + I``."""
        pattern = self.pattern
        data = add_up(pattern.target, self._products * weights[pattern.pair_row], len(pattern.left))
        data[pattern.diagonal] += 1.0
        return Triangle(pattern, data)

    def spread(self, inverse: Array) -> Array:
        """Return the diagonal of ``Z L A^-1 L'Z'``: the inverse is given where the crossproduct has entries."""
        pattern = self.pattern
        return add_up(pattern.pair_row, self._products * inverse[pattern.target], pattern.shape[0])

    def traces(self, inverse: Array, weights: Array) -> Array:
        """Return the trace of ``A^-1`` times the derivative of ``A`` by each theta, the weights held."""
        pattern = self.pattern
        each = self.values[pattern.second] * weights[pattern.pair_row] * inverse[pattern.target]
        by_entry = add_up(pattern.first, each, len(self.values))
        return np.array([2.0 * (slope @ by_entry) for slope in pattern.slopes])

    @cached_property
    def moves(self) -> list[sp.csr_array]:
        """Derivatives of the matrix by each theta."""
        pattern = self.pattern
        return [sp.csr_array((s, pattern.column, pattern.starts), shape=pattern.shape) for s in pattern.slopes]

    def modes(self, u: Array) -> tuple[Array, ...]:
        """Return ``Lambda u`` term by term, one row per level."""
        design, parts, first = self.pattern.design, [], 0
        for term, factor in zip(design.random, covariance.split(self.theta, design.widths), strict=True):
            last = first + term.z.shape[1]
            parts.append(u[first:last].reshape(-1, term.width) @ factor.T)
            first = last
        return tuple(parts)


class Triangle:
    """A triangular factor of one symmetric matrix with the pattern's entries.

    Parameters
    ----------
    pattern : Pattern
    data : ndarray
        Column by column.
    """

    def __init__(self, pattern: Pattern, data: Array) -> None:
        self._pattern, q = pattern, pattern.q
        self.definite = bool(np.isfinite(data).all())
        if not self.definite:
            return
        if q <= DENSE:
            dense = np.zeros((q, q), order="F")
            dense[pattern.left, pattern.right] = data
            self._root, info = dpotrf(dense, lower=1, overwrite_a=1)
            diagonal, self.definite = np.diag(self._root) ** 2, info == 0
        else:
            try:
                self._lu = splu_spd(sp.csc_array((data, pattern.left, pattern.columns), shape=(q, q)))
            except RuntimeError:  # a pivot is zero to the bit
                self.definite = False
                return
            diagonal = self._lu.U.diagonal()
            self.definite = bool((diagonal > 0).all())
        self.log_det = float(np.log(diagonal).sum()) if self.definite else np.inf

    def solve(self, right: Array) -> Array:
        """Solve for one right-hand side, or for the columns of several."""
        if self._pattern.q <= DENSE:
            solution: Array = dpotrs(self._root, right, lower=1)[0].reshape(right.shape)
            return solution
        return self._lu.solve(np.ascontiguousarray(right))

    @cached_property
    def inverse(self) -> Array:
        """The inverse where the pattern has entries."""
        pattern, q = self._pattern, self._pattern.q
        if q <= DENSE:
            lower = dpotri(self._root, lower=1)[0]
            found: Array = lower[np.maximum(pattern.left, pattern.right), np.minimum(pattern.left, pattern.right)]
            return found
        found = np.empty(len(pattern.right))
        for first in range(0, int(pattern.places.max()) + 1, SLAB):
            place = pattern.places - first
            here = (place >= 0) & (place < SLAB)
            unit = np.zeros((q, min(SLAB, int(place.max()) + 1)))
            unit[here, place[here]] = 1.0
            wanted = np.flatnonzero(here[pattern.right])
            found[wanted] = self._lu.solve(unit)[pattern.left[wanted], place[pattern.right[wanted]]]
        return found


def _entries(term: RandomTerm, first: int) -> tuple[Places, Places, Array]:
    """Return rows and columns of a term's entries, in blocks of its width, and its z of each block."""
    k, z = term.width, sp.coo_array(term.z)
    row, level = z.row.astype(np.intp), z.col.astype(np.intp) // k
    blocks, place = np.unique(row * len(term.levels) + level, return_inverse=True)
    values = np.zeros((len(blocks), k))
    np.add.at(values, (place, z.col % k), z.data)
    rows, levels = blocks // len(term.levels), blocks % len(term.levels)
    return np.repeat(rows, k), (first + levels[:, None] * k + np.arange(k)).ravel(), values


def _slopes(terms: list[Array], order: Places) -> list[Array]:
    """Return the derivatives of the entries by each theta, in the order of rows."""
    found, first, total = [], 0, sum(values.size for values in terms)
    for values in terms:
        for a, b in zip(*covariance.triangle(values.shape[1]), strict=True):
            slope = np.zeros(total)
            slope[first + b : first + values.size : values.shape[1]] = values[:, a]
            found.append(slope[order])
        first += values.size
    return found
