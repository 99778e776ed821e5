"""Two fits of one model in one language: term by term and theta by theta, never by position."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lmerbridge import covariance
from lmerbridge.covariance import Array
from lmerbridge.design import Design, RandomTerm
from lmerbridge.results import CovarianceBlock, Fit, GroupModes


def same_group(a: str, b: str) -> bool:
    """Whether two names mean one grouping factor: ``batch:cask`` is ``cask:batch``."""
    return sorted(a.split(":")) == sorted(b.split(":"))


def block_for(group: str, terms: tuple[str, ...], fit: Fit) -> CovarianceBlock | None:
    """Find the block of a fit with this group and these terms, in any order."""
    for block in fit.varcorr:
        if same_group(block.group, group) and set(block.terms) == set(terms):
            return block
    return None


def theta_of(fit: Fit, design: Design) -> Array | None:
    """A fit's theta in the order of a design's random terms, or None where a term has no counterpart."""
    mine = [(block.group, block.terms) for block in fit.varcorr]
    if mine == [(term.group, term.terms) for term in design.random]:
        return fit.theta
    factors = []
    for term in design.random:
        block = block_for(term.group, term.terms, fit)
        if block is None:
            return None
        order = [block.terms.index(name) for name in term.terms]
        factors.append(covariance.factor(block.covariance[np.ix_(order, order)] / fit.sigma**2))
    return covariance.join(factors)


@dataclass(frozen=True, eq=False)
class Coding:
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


def coding(a: Array, b: Array) -> Coding:
    """Solve ``b = a T`` for two model matrices and measure how far their column spaces are apart."""
    if a.shape != b.shape:
        return Coding(np.eye(a.shape[1]), 1.0)
    qa, qb = np.linalg.qr(a)[0], np.linalg.qr(b)[0]
    distance = float(np.linalg.norm(qb - qa @ (qa.T @ qb), 2))
    scale = np.linalg.norm(a, axis=0)
    transform = np.linalg.lstsq(a / scale, b, rcond=None)[0] / scale[:, None]
    return Coding(transform, distance)


def coding_by_name(a: tuple[str, ...], b: tuple[str, ...]) -> Coding:
    """The coding of an engine that keeps its matrices to itself: the same terms in another order, or another space."""
    if sorted(a) != sorted(b):
        return Coding(np.eye(len(a)), 1.0)
    return Coding(np.array([[float(x == y) for y in b] for x in a]), 0.0)


def modes_of(fit: Fit, term: RandomTerm) -> Array:
    """A fit's conditional modes of a random term, level by level and term by term; NaN where it has none."""
    for group in fit.modes:
        if same_group(group.group, term.group) and set(term.terms) <= set(group.terms):
            return _pick(group, term)
    return np.full((len(term.levels), term.width), np.nan)


def _pick(group: GroupModes, term: RandomTerm) -> Array:
    frame = group.frame.reindex(index=list(term.levels), columns=list(term.terms))
    return frame.to_numpy(np.float64)
