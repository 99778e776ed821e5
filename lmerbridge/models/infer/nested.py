"""How one model lies within another, and how many variances of the larger one are zero there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from lmerbridge.results import Array, CovarianceBlock, Design, RandomTerm, VarCorr

if TYPE_CHECKING:
    import scipy.sparse as sp  # slow to load

SAME = 1e-7  # relative: what solving leaves of a column that others span
ZERO = 1e-6  # of the scaled covariance of the smaller model, whose eigenvalues are about one
PROBES = 2  # vectors that show a covariance matrix: one tells almost surely, and a second costs little
DRAWS = 5
LINEAR = {("us", False), ("diag", False), ("diag", True), ("cs", True)}  # structures whose covariances add up

Direction: TypeAlias = tuple[tuple[int, int], ...]
Model: TypeAlias = tuple[Design, VarCorr]


@dataclass(frozen=True, eq=False)
class Part:
    """One random term by what it adds to the covariance of the rows.

    Attributes
    ----------
    columns : tuple of csc_array
        Of each of its ``k`` columns, rows by levels, scaled to a mean square of one.
    kind, hom
        The structure of its covariance, as `CovarianceBlock` has it.
    """

    columns: tuple[sp.csc_array, ...]
    kind: str
    hom: bool

    @classmethod
    def of(cls, block: CovarianceBlock, term: RandomTerm, root: Array) -> Part:
        """Make the part of a term, each row times its root weight of one or zero."""
        columns = [(term.z[:, [*range(i, term.z.shape[1], term.width)]] * root[:, None]) for i in range(term.width)]
        sizes = [float(np.sqrt((column**2).sum() / len(root))) or 1.0 for column in columns]
        sizes = [max(sizes)] * len(sizes) if block.hom else sizes
        scaled = tuple((column / size).tocsc() for column, size in zip(columns, sizes, strict=True))
        return cls(scaled, block.kind, block.hom)

    @cached_property
    def directions(self) -> list[Direction]:
        """The places of the covariance that each of its free numbers fills, as of ``us`` where it is not linear."""
        k = len(self.columns)
        places, pairs = tuple((i, i) for i in range(k)), tuple(combinations(range(k), 2))
        if self.hom and (self.kind, True) in LINEAR:
            return [places, pairs] if self.kind == "cs" and pairs else [places]
        each = places if self.kind == "diag" else (*places, *pairs)
        return [(place,) for place in each]

    def shadows(self, probes: Array) -> Array:
        """Return what each direction's covariance of the rows makes of the probes, one column per direction."""
        once = [[column @ (other.T @ probes) for other in self.columns] for column in self.columns]

        def shadow(direction: Direction) -> Array:
            shadows = [once[i][j] if i == j else once[i][j] + once[j][i] for i, j in direction]
            return np.asarray(sum(shadows[1:], shadows[0])).ravel()

        return np.column_stack([shadow(direction) for direction in self.directions])

    def covariance(self, numbers: Array) -> Array:
        """Return the covariance of the term that some numbers of its directions make."""
        k = len(self.columns)
        whole = np.zeros((k, k))
        for number, direction in zip(numbers, self.directions, strict=True):
            for i, j in direction:
                whole[i, j] = whole[j, i] = number
        return whole

    def draw(self, rng: np.random.Generator, *, inner: bool) -> Array:
        """Return numbers of a covariance drawn at random, one that is of full rank or, if not inner, of rank one."""
        k = len(self.columns)
        root = rng.normal(size=(k, k if inner else 1))
        whole = root @ root.T / k + (0.5 * np.eye(k) if inner else 0.0)
        if len(self.directions) < k * (k + 1) // 2:  # a structure: a diagonal, or one variance and one covariance
            whole = np.full((k, k), 0.3) + 0.7 * np.diag(np.ones(k) if self.hom else rng.uniform(0.5, 2.0, k))
        return np.array([whole[direction[0]] for direction in self.directions])

    def zeros(self, numbers: Array) -> int | None:
        """Return how many variances are zero where the covariance is made of some numbers, None where it is none."""
        values = np.linalg.eigvalsh(self.covariance(numbers))
        if values[0] < -ZERO:
            return None
        zero = values < ZERO
        return int(len({*np.round(values[zero], 6)}) if self.hom else zero.sum())


def variances_at_zero(small: Model, large: Model) -> int | None:
    """Return how many variances of a model are zero where it is a smaller one, None where that one is not within it.

    The fixed part is within another whose columns span its own. The random part is within another if each covariance of
    the rows that it can have is one of the other's: what covariances make of random vectors shows it, as they depend
    linearly on their free numbers. A covariance with ``ar1`` or unequal ``cs`` structure does not, and is found in the
    same structure of the same columns alone.
    """
    weights = small[0].weights
    root = (weights > 0).astype(float)
    if not spans(large[0].x * root[:, None], small[0].x * root[:, None]):
        return None
    probes = np.random.default_rng(1).normal(size=(len(root), PROBES)) * root[:, None]
    inner, outer = without_common(parts_of(small, root), parts_of(large, root), probes)
    if any((part.kind, part.hom) not in LINEAR for part in outer):
        return None
    with np.errstate(divide="ignore"):
        noise = np.where(root > 0, 1 / weights, 0.0)
    residual = (probes * (noise / noise.max())[:, None]).ravel()
    return embed(inner, outer, probes, residual)


def parts_of(model: Model, root: Array) -> list[Part]:
    """Return the random terms of a model, each row times its root weight of one or zero."""
    design, varcorr = model
    return [Part.of(block, term, root) for block, term in zip(varcorr, design.random, strict=True)]


def spans(columns: Array, others: Array) -> bool:
    """Whether some columns span others."""
    size = np.linalg.norm(others, axis=0)
    basis = np.linalg.qr(columns / (np.linalg.norm(columns, axis=0) + (columns == 0).all(axis=0)))[0]
    left = others - basis @ (basis.T @ others)
    return bool((np.linalg.norm(left, axis=0) <= SAME * size).all())


def without_common(inner: Sequence[Part], outer: Sequence[Part], probes: Array) -> tuple[list[Part], list[Part]]:
    """Return the parts of two models without those of a structure that both have alike."""
    left, others = [], [*outer]
    for part in inner:
        alike = [each for each in others if _are_alike(part, each, probes)]
        if alike and (part.kind, part.hom) not in LINEAR:
            others.remove(alike[0])
        else:
            left.append(part)
    return left, others


def _are_alike(one: Part, other: Part, probes: Array) -> bool:
    if (one.kind, one.hom, len(one.columns)) != (other.kind, other.hom, len(other.columns)):
        return False
    return np.allclose(one.shadows(probes), other.shadows(probes), rtol=SAME)


def embed(inner: Sequence[Part], outer: Sequence[Part], probes: Array, residual: Array) -> int | None:
    """Return how many variances of the outer parts are zero at a typical covariance of the inner ones."""
    from scipy.linalg import lstsq  # slow to load

    ours, theirs = (np.column_stack([*(part.shadows(probes) for part in of), residual]) for of in (inner, outer))
    size = np.linalg.norm(theirs, axis=0)
    map_ = lstsq(theirs / size, ours)[0] / size[:, None]
    if (np.linalg.norm(ours - theirs @ map_, axis=0) > SAME * np.linalg.norm(ours, axis=0)).any():
        return None
    found = [_zeros(outer, map_ @ numbers) for numbers in _draws(inner)]
    return None if None in found else found[0]


def _draws(parts: Sequence[Part]) -> Iterator[Array]:
    """Yield the free numbers of a covariance of full rank, then of some of rank one without a residual."""
    rng = np.random.default_rng(2)
    yield np.concatenate([*(part.draw(rng, inner=True) for part in parts), [1.0]])
    for _ in range(DRAWS):
        yield np.concatenate([*(part.draw(rng, inner=False) for part in parts), [0.0]])


def _zeros(parts: Sequence[Part], numbers: Array) -> int | None:
    """Return how many variances of some parts are zero, None where a covariance or the residual is negative."""
    ends = np.cumsum([len(part.directions) for part in parts])
    pieces = np.split(numbers, ends)
    found = [part.zeros(piece) for part, piece in zip(parts, pieces[:-1], strict=True)]
    if None in found or pieces[-1][0] < -ZERO:
        return None
    return sum(count for count in found if count is not None)
