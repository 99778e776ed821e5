"""The numbers of a fit as one row of doubles, and where in the row each stands."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from lmerbridge.bridge import pieces
from lmerbridge.results import Array, CovarianceBlock

Integers: TypeAlias = NDArray[np.int32]
SCALARS = ("criterion", "sigma", "singular", "converged")


@dataclass(frozen=True)
class Shapes:
    """The shapes of R's ``describe_shapes``, their vectors one after another."""

    terms: Integers
    term: tuple[str, ...]
    dropped_terms: Integers
    dropped: tuple[str, ...]
    thetas: Integers
    theta: tuple[str, ...]
    blocks: Integers
    block: tuple[str, ...]
    group: tuple[str, ...]
    width: Integers
    column: tuple[str, ...]
    kind: tuple[str, ...]
    hom: Integers


@dataclass(frozen=True)
class Shape:
    """The names of the numbers of a fit.

    Attributes
    ----------
    terms : tuple of str
        Fixed effects.
    dropped_terms : tuple of str
        Columns left out for rank deficiency.
    theta : tuple of str
    blocks : tuple of CovarianceBlock
        The random terms; their numbers do not count.
    """

    terms: tuple[str, ...]
    dropped_terms: tuple[str, ...]
    theta: tuple[str, ...]
    blocks: tuple[CovarianceBlock, ...]

    @cached_property
    def keys(self) -> list[tuple[object, ...]]:
        """What each number of R's ``numbers_at`` is, in their order."""
        keys: list[tuple[object, ...]] = [(name,) for name in SCALARS]
        keys += [("theta", name) for name in self.theta]
        keys += [("beta", term) for term in self.terms]
        keys += [("covariance", *pair) for pair in product(self.terms, repeat=2)]
        for block in self.blocks:
            square = list(product(block.terms, repeat=2))
            keys += [("cov", block.name, *pair) for pair in square]
            keys += [("sd", block.name, term) for term in block.terms]
            keys += [("cor", block.name, *pair) for pair in square]
        return keys

    def place(self, numbers: Array, other: Shape) -> Array | None:
        """Return the numbers of a fit of another shape in this one's places, NaN where it has none.

        None where names that several numbers share do not say where they belong.
        """
        if other.keys == self.keys:
            return numbers
        if len(set(self.keys)) < len(self.keys):
            return None
        found = dict(zip(other.keys, numbers, strict=True))
        return np.array([found.get(key, np.nan) for key in self.keys])

    def split(self, values: Array) -> tuple[dict[str, Array], list[tuple[Array, Array, Array]]]:
        """Return the numbers of some fits by name, and of each block covariances, standard deviations, correlations."""
        p, ntheta = len(self.terms), len(self.theta)
        widths = [len(block.terms) for block in self.blocks]
        sizes = [1, 1, 1, 1, ntheta, p, p * p, *(size for k in widths for size in (k * k, k, k * k))]
        parts = np.split(values, np.cumsum(sizes)[:-1], axis=1)
        named = dict(zip((*SCALARS, "theta", "beta", "covariance"), parts, strict=False))
        named |= {name: named[name][:, 0] for name in SCALARS}
        named["covariance"] = _matrices(named["covariance"], p)
        own = zip(widths, parts[7::3], parts[8::3], parts[9::3], strict=True)
        return named, [(_matrices(cov, k), sd, _matrices(cor, k)) for k, cov, sd, cor in own]


def shapes_of(raw: Shapes) -> list[Shape]:
    """Cut the vectors of R's ``describe_shapes`` into shapes."""
    columns = pieces(raw.column, raw.width)
    blocks = tuple(
        CovarianceBlock(
            name, group, terms, *_no_numbers(len(terms)), kind.removeprefix("hom").removeprefix("het"), bool(h)
        )
        for name, group, terms, kind, h in zip(raw.block, raw.group, columns, raw.kind, raw.hom, strict=True)
    )
    parts = zip(
        pieces(raw.term, raw.terms),
        pieces(raw.dropped, raw.dropped_terms),
        pieces(raw.theta, raw.thetas),
        _cut(blocks, raw.blocks),
        strict=True,
    )
    return [Shape(*part) for part in parts]


def _matrices(values: Array, k: int) -> Array:
    """Return rows of R's matrices, which run down columns, as matrices."""
    return values.reshape(len(values), k, k).transpose(0, 2, 1)


def _cut(blocks: tuple[CovarianceBlock, ...], counts: Integers) -> list[tuple[CovarianceBlock, ...]]:
    ends = np.cumsum(counts)
    return [blocks[end - count : end] for end, count in zip(ends, counts, strict=True)]


def _no_numbers(k: int) -> tuple[Array, Array, Array]:
    return np.full((k, k), np.nan), np.full(k, np.nan), np.full((k, k), np.nan)
