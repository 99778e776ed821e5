"""A model's data with more groups, or fewer."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lmerbridge.errors import InvalidArgument
from lmerbridge.inputs import Spec
from lmerbridge.models.kept import KeptFit


def resize(fit: KeptFit, along: str, size: int) -> Spec:
    """Return the fit's specification with ``size`` levels of a grouping column.

    The column's own levels are taken in order, from the first again where there are too few.

    A copy of a level is a level of its own. So are the levels of other grouping columns in it, of those that have each
    level within one of ``along`` only. All else is copied.
    """
    groups = fit.spec.parsed.groups
    if along not in groups:
        raise InvalidArgument(f"along is {along!r}; one of the grouping columns, {', '.join(groups)}, is expected.")
    if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 2:
        raise InvalidArgument(f"{along} is to have {size!r} levels; a whole number of at least 2 is expected.")
    data = fit.spec.data.iloc[fit.rows]
    codes, levels = pd.factorize(data[along], sort=True)
    copies = np.arange(size) // len(levels)
    members = [np.flatnonzero(codes == level % len(levels)) for level in range(size)]
    rows, copy = np.concatenate(members), np.repeat(copies, [len(rows) for rows in members])
    longer = data.iloc[rows].reset_index(drop=True)
    for name in groups:
        if data.groupby(name, observed=True)[along].nunique().max() == 1:
            longer[name] = [f"{label}#{c + 1}" for label, c in zip(longer[name], copy, strict=True)]
    weights, offset = _take(fit, "weights", rows), _take(fit, "offset", rows)
    return replace(fit.spec, data=longer, weights=weights, offset=offset, subset=None, na_action=None, start=None)


def _take(fit: KeptFit, name: Literal["weights", "offset"], rows: NDArray[np.int64]) -> NDArray[np.float64] | None:
    values = fit.spec.per_row(name)
    return None if values is None else values.to_numpy()[fit.rows][rows]
