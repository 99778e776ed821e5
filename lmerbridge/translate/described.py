"""What engines tell block by block, as the parts of a `Fit`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np

from lmerbridge.results import Array, CovarianceBlock, GroupModes, Kind, covariance
from lmerbridge.translate.nesting import Block

LINEAR = "lmm"  # the kind of model that every engine fits


def lower_roots(kind: Kind, covariances: Iterable[Array], sigma: float) -> list[Array]:
    """Return the factors that theta has the elements of.

    Those of a linear model are relative to the residual standard deviation.
    """
    scale = sigma if kind.name == LINEAR else 1.0
    return [covariance.lower_root(each / scale**2) for each in covariances]


def covariance_blocks(blocks: Sequence[Block], covariances: Sequence[Array]) -> tuple[CovarianceBlock, ...]:
    """Covariance matrices under lme4's names."""
    names = _unique([b.group for b in blocks])
    return tuple(
        CovarianceBlock.from_covariance(name, b.group, b.terms, c)
        for name, b, c in zip(names, blocks, covariances, strict=True)
    )


def _unique(groups: Sequence[str]) -> list[str]:
    """Name blocks as lme4's ``mkVarCorr``: by R's ``make.names(unique = TRUE)`` where a group has several."""
    if len(set(groups)) == len(groups):
        return list(groups)
    plain = [re.sub(r"[^\w.]", ".", group) for group in groups]
    counts = [plain[:i].count(name) for i, name in enumerate(plain)]
    return [f"{name}.{count}" if count else name for name, count in zip(plain, counts, strict=True)]


def group_modes(blocks: Sequence[Block], effects: Sequence[Array]) -> tuple[GroupModes, ...]:
    """One table a factor: the columns of all its terms."""
    places = {b.group: [i for i, other in enumerate(blocks) if other.group == b.group] for b in blocks}
    return tuple(
        GroupModes(
            group,
            tuple(term for i in where for term in blocks[i].terms),
            blocks[where[0]].levels,
            np.column_stack([effects[i] for i in where]),
        )
        for group, where in places.items()
    )
