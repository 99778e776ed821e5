"""A candidate's fit in the reference's words: its coding of X, its names of groups and terms, its order of levels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from lmerbridge.results import Array, CovarianceBlock, Design, Fit, GroupModes, LogLik, RandomTerm, VarCorr, covariance


def same_group(a: str, b: str) -> bool:
    """Whether two names mean one grouping factor: ``batch:cask`` is ``cask:batch``."""
    return sorted(a.split(":")) == sorted(b.split(":"))


def levels_as(group: str, other: str, levels: Sequence[str]) -> list[str]:
    """Write the levels of ``other`` as ``group`` orders its parts.

    Examples
    --------
    >>> levels_as("cask:batch", "batch:cask", ["A:a", "A:b"])
    ['a:A', 'b:A']
    """
    names, parts = group.split(":"), other.split(":")
    if names == parts or any(level.count(":") != len(parts) - 1 for level in levels):
        return list(levels)
    order = [parts.index(name) for name in names]
    return [":".join(level.split(":")[i] for i in order) for level in levels]


@dataclass(frozen=True, eq=False)
class Recoding:
    """How one design's fixed part is written in another's: ``X_b = X_a T``.

    Attributes
    ----------
    transform : ndarray, shape (p, p)
    distance : float
        Sine of the largest angle between the column spaces; 1 where their ranks differ.
    """

    transform: Array
    distance: float

    @property
    def log_det(self) -> float:
        """What ``log|T|`` adds to half of a REML criterion."""
        return float(np.linalg.slogdet(self.transform)[1])

    @property
    def same_columns(self) -> bool:
        """Whether the designs have the same columns, in whatever order."""
        ones = np.isclose(self.transform, 1.0, atol=1e-6)
        zeros = np.isclose(self.transform, 0.0, atol=1e-6)
        return bool(np.all(ones | zeros) and np.all(ones.sum(axis=0) == 1))


def recoding(a: Array, b: Array) -> Recoding:
    """Solve ``b = a T`` for two model matrices and measure how far their column spaces are apart."""
    if a.shape != b.shape or not np.all(np.isfinite(b)):
        return Recoding(np.eye(a.shape[1]), 1.0)
    qa, qb = np.linalg.qr(a)[0], np.linalg.qr(b)[0]
    distance = float(np.linalg.norm(qb - qa @ (qa.T @ qb), 2))
    scale = np.linalg.norm(a, axis=0)
    transform = np.linalg.lstsq(a / scale, b, rcond=None)[0] / scale[:, None]
    found = Recoding(transform, distance)
    return Recoding(np.round(transform), distance) if found.same_columns else found


def recoding_by_name(a: tuple[str, ...], b: tuple[str, ...]) -> Recoding:
    """The coding of an engine that keeps its matrices to itself: the same terms in another order, or another space."""
    if sorted(a) != sorted(b):
        return Recoding(np.eye(len(a)), 1.0)
    return Recoding(np.array([[float(x == y) for y in b] for x in a]), 0.0)


def match(random: Sequence[RandomTerm], others: Sequence[CovarianceBlock | RandomTerm]) -> list[int] | None:
    """Return for each random term the position of its counterpart, by group and terms.

    The whole is None where one term has none, or where a counterpart is left over.
    """
    free = list(range(len(others)))
    found = []
    for term in random:
        hits = [i for i in free if same_group(others[i].group, term.group) and set(others[i].terms) == set(term.terms)]
        if not hits:
            return None
        found.append(hits[0])
        free.remove(hits[0])
    return None if free else found


def restate(fit: Fit, design: Design, names: Sequence[str], code: Recoding) -> Fit | None:
    """Say a fit in a design's words, or None where its random terms have no counterparts.

    Parameters
    ----------
    fit : Fit
    design : Design
        The reference's.
    names : sequence of str
        The reference's names of its covariance blocks.
    code : Recoding
        How the fit's fixed part is written in the design's.
    """
    places = match(design.random, fit.varcorr.blocks)
    if places is None or len(fit.terms) != len(design.terms):
        return None
    pairs = list(zip(names, design.random, places, strict=True))
    t, shift = code.transform, code.log_det if fit.reml else 0.0
    given = fit.covariance_given_theta
    theta = fit.theta
    same_order = [(b.group, b.terms) for b in fit.varcorr] == [(r.group, r.terms) for r in design.random]
    if not same_order:
        theta = covariance.join([_relative(fit.varcorr.blocks[i], term, fit.sigma) for _, term, i in pairs])
    return replace(
        fit.numbers(),
        terms=design.terms,
        beta=t @ fit.beta,
        covariance=carry(fit.covariance, t),
        covariance_given_theta=None if given is None else carry(given, t),
        criterion=fit.criterion - 2 * shift,
        loglik=LogLik(float(fit.loglik) + shift, fit.loglik.df, fit.loglik.nobs, fit.loglik.reml),
        varcorr=VarCorr(
            tuple(_block(fit.varcorr.blocks[i], name, term) for name, term, i in pairs), fit.varcorr.residual_sd
        ),
        modes=tuple(GroupModes(term.group, term.terms, term.levels, _modes(fit, i, term)) for _, term, i in pairs),
        theta=theta,
    )


def carry(matrix: Array, t: Array) -> Array:
    """Return ``t matrix t'``, where an element that is NaN makes NaN of what it counts in, and of nothing else."""
    unknown = np.isnan(matrix)
    size = np.abs(t)
    return np.where(size @ unknown @ size.T > 0, np.nan, t @ np.where(unknown, 0.0, matrix) @ t.T)


def _order(terms: tuple[str, ...], term: RandomTerm) -> tuple[NDArray[np.intp], ...]:
    places = [terms.index(name) for name in term.terms]
    return np.ix_(places, places)


def _relative(block: CovarianceBlock, term: RandomTerm, sigma: float) -> Array:
    return covariance.lower_root(block.covariance[_order(block.terms, term)] / sigma**2)


def _block(block: CovarianceBlock, name: str, term: RandomTerm) -> CovarianceBlock:
    order = _order(block.terms, term)
    stddev = block.stddev[order[1].ravel()]
    return CovarianceBlock(name, term.group, term.terms, block.covariance[order], stddev, block.correlation[order])


def _modes(fit: Fit, place: int, term: RandomTerm) -> Array:
    """Return the conditional modes of one block, level by level and term by term.

    They are NaN where the fit has none. A group's table has the columns of all its blocks, one block after another.
    """
    block = fit.varcorr.blocks[place]
    before = sum(len(b.terms) for b in fit.varcorr.blocks[:place] if b.group == block.group)
    for group in fit.modes:
        if group.group == block.group:
            rows = {level: i for i, level in enumerate(levels_as(term.group, block.group, group.levels))}
            columns = [before + block.terms.index(name) for name in term.terms]
            if set(rows) == set(term.levels):
                return group.modes[np.ix_([rows[level] for level in term.levels], columns)]
    return np.full((len(term.levels), term.width), np.nan)


def columns_of(other: RandomTerm, term: RandomTerm) -> sp.csc_array | None:
    """The columns of another engine's Z in the order of a term, or None where the levels are not the same."""
    rows = {level: i for i, level in enumerate(levels_as(term.group, other.group, other.levels))}
    if set(rows) != set(term.levels):
        return None
    within = [other.terms.index(name) for name in term.terms]
    return other.z[:, [rows[level] * other.width + k for level in term.levels for k in within]]
