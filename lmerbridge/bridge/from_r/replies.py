"""The flat lists of R's ``describe_fit`` and ``design``, and the values they stand for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmerbridge.bridge.from_r.flat import build, pieces
from lmerbridge.results import (
    Array,
    CovarianceBlock,
    Design,
    GlmNumbers,
    GroupModes,
    LogLik,
    Numbers,
    RandomTerm,
    VarCorr,
)

Integers = NDArray[np.int32]


@dataclass(frozen=True)
class Blocks:
    """R's VarCorr, its matrices one after another."""

    name: tuple[str, ...]
    group: tuple[str, ...]
    width: Integers
    term: tuple[str, ...]
    covariance: Array
    stddev: Array
    correlation: Array


@dataclass(frozen=True)
class Structures:
    """lme4's covariance structures, one per block, and their parameters one after another."""

    kind: tuple[str, ...]
    hom: Integers
    size: Integers
    par: Array


@dataclass(frozen=True)
class Groups:
    """R's ranef, its matrices one after another."""

    name: tuple[str, ...]
    size: Integers
    width: Integers
    level: tuple[str, ...]
    term: tuple[str, ...]
    mode: Array


@dataclass(frozen=True, kw_only=True)
class FitReply(Numbers):
    """The flat list of R's ``describe_fit``: a fit's numbers, and the vectors that make its other fields."""

    covariance: Array
    loglik: float
    df: int
    rows: Integers
    optimizer: str
    block: Blocks
    structure: Structures
    group: Groups


@dataclass(frozen=True, kw_only=True)
class GlmerReply(GlmNumbers, FitReply):
    """The flat list of R's ``describe_glmer``.

    ``constant`` is the saturated log-likelihood where quadrature leaves it out, and ``residual_row`` whether R's table
    of variances has a row for the residual.
    """

    constant: float
    residual_row: bool


@dataclass(frozen=True)
class RandomTerms:
    """Random terms of R's ``design``, one after another."""

    group: tuple[str, ...]
    width: Integers
    term: tuple[str, ...]
    size: Integers
    level: tuple[str, ...]


@dataclass(frozen=True)
class SparseColumns:
    """The compressed columns of the transposed Z, one per row of the data."""

    x: Array
    i: Integers
    p: Integers


@dataclass(frozen=True)
class DesignReply:
    """The flat list of R's ``design``."""

    terms: tuple[str, ...]
    x: Array
    y: Array
    weights: Array
    offset: Array
    rows: Integers
    random: RandomTerms
    z: SparseColumns


def fit_fields(
    reply: FitReply, *, has_residual: bool = True, weighted: bool = False, link: str = "identity"
) -> dict[str, Any]:
    """Return the fields of a `Fit` that R computed: its numbers as they are, and those made of several vectors."""
    numbers, constant = (GlmNumbers, reply.constant) if isinstance(reply, GlmerReply) else (Numbers, 0.0)
    return {field.name: getattr(reply, field.name) for field in fields(numbers)} | {
        "covariance": _square(reply.covariance),
        "varcorr": _varcorr(reply, has_residual, link, weighted=weighted),
        "modes": _modes(reply.group),
        "loglik": LogLik(reply.loglik, reply.df, len(reply.rows), reply.reml, constant),
        "rows": reply.rows.astype(np.int64) - 1,
    }


def _varcorr(reply: FitReply, has_residual: bool, link: str, *, weighted: bool) -> VarCorr:
    varcorr = VarCorr(_blocks(reply.block, reply.structure), reply.sigma, has_residual=has_residual, link=link)
    return varcorr.about(reply.terms, reply.beta, weighted=weighted)


def _square(values: Array) -> Array:
    k = round(len(values) ** 0.5)
    return values.reshape(k, k, order="F")


def us_structures(blocks: int) -> dict[str, Any]:
    """Return the vectors of `Structures` where all blocks are ``us`` without known parameters."""
    none = np.zeros(blocks, np.int32)
    return {
        "structure.kind": ["us"] * blocks,
        "structure.hom": none,
        "structure.size": none,
        "structure.par": np.empty(0),
    }


def _blocks(raw: Blocks, structure: Structures) -> tuple[CovarianceBlock, ...]:
    parts = zip(
        raw.name,
        raw.group,
        pieces(raw.term, raw.width),
        map(_square, pieces(raw.covariance, raw.width**2)),
        pieces(raw.stddev, raw.width),
        map(_square, pieces(raw.correlation, raw.width**2)),
        structure.kind,
        map(bool, structure.hom),
        pieces(structure.par, structure.size),
        strict=True,
    )
    return tuple(CovarianceBlock(*part) for part in parts)


def _modes(raw: Groups) -> tuple[GroupModes, ...]:
    parts = zip(
        raw.name,
        pieces(raw.term, raw.width),
        pieces(raw.level, raw.size),
        pieces(raw.mode, raw.size * raw.width),
        strict=True,
    )
    return tuple(
        GroupModes(group, terms, levels, modes.reshape(len(levels), len(terms), order="F"))
        for group, terms, levels, modes in parts
    )


def design_from_r(values: Mapping[str, Any]) -> Design:
    """Return the `Design` of the flat list of R's ``design``."""
    raw = build(DesignReply, values)
    n = len(raw.y)
    return Design(
        raw.terms,
        raw.x.reshape(n, -1, order="F"),
        raw.y,
        raw.weights,
        raw.offset,
        raw.rows.astype(np.int64) - 1,
        _random(raw.random, raw.z, n),
    )


def _random(raw: RandomTerms, z: SparseColumns, n: int) -> tuple[RandomTerm, ...]:
    import scipy.sparse as sp  # slow to load

    sizes = raw.size * raw.width
    whole = sp.csr_array((z.x, z.i, z.p), shape=(n, sizes.sum())).tocsc()
    parts = zip(
        raw.group,
        pieces(raw.term, raw.width),
        pieces(raw.level, raw.size),
        pieces(np.arange(sizes.sum()), sizes),
        strict=True,
    )
    return tuple(RandomTerm(group, terms, levels, whole[:, at[0] : at[-1] + 1]) for group, terms, levels, at in parts)
