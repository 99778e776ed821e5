"""The effects that a model's predictions are made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lmerbridge.formula import tree_names
from lmerbridge.models.kept import KeptFit

BASE, INTERCEPT, OFFSET = "base", "(Intercept)", "(offset)"


@dataclass(frozen=True, eq=False)
class Effects:
    """What each effect adds to the linear predictor of some rows.

    Attributes
    ----------
    table : DataFrame
        By effect: part ("fixed", "random" or "offset"), term, group ("" but for a random effect).
    values : ndarray, shape (n, k)
    intercept : float
        Which is no effect; 0 where the model has none.
    variables : tuple of tuple of str
        Of each effect, the columns of the data that it depends on; of a random effect, those that it groups by.
    """

    table: pd.DataFrame
    values: NDArray[np.float64]
    intercept: float
    variables: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, fit: KeptFit, found: Mapping[str, Any]) -> Effects:
        """Read the reply of R's ``contributions_of``."""
        values = found["value"].reshape(len(found["offset"]), -1, order="F")
        is_intercept = np.array([*map(_is_intercept, found["term"], found["block"])], dtype=bool)
        rows = [*_rows(fit, found)]
        intercept = values[:, is_intercept]
        if found["has_offset"][0]:
            rows.append((OFFSET, "offset", OFFSET, "", ()))
            values, is_intercept = np.column_stack([values, found["offset"]]), np.append(is_intercept, False)
        columns = list(zip(*rows, strict=True)) if rows else [()] * 5
        names, part, term, group, variables = columns
        table = pd.DataFrame(
            {"part": part, "term": term, "group": group},
            index=pd.Index(names, name="effect", dtype=object),
            dtype=object,
        )
        return cls(table, values[:, ~is_intercept], float(intercept[0, 0]) if intercept.size else 0.0, tuple(variables))

    def shown(self, fit: KeptFit, data: pd.DataFrame, known: NDArray[np.bool_]) -> pd.DataFrame:
        """Return what a reader is shown of each row and effect: the values of its columns, and of an offset its own."""
        offset = np.full(len(data), np.nan)
        if OFFSET in self.table.index:
            offset[known if len(self.values) < len(data) else slice(None)] = self.values[:, -1]
        texts = [
            _joined(data, names, part) if names else pd.Series(offset, data.index)
            for names, part in zip(self.variables, self.table["part"], strict=True)
        ]
        columns = {i: text.to_numpy() for i, text in enumerate(texts)}
        return pd.DataFrame(columns, data.index).set_axis(self.table.index.rename(None), axis=1)


def _is_intercept(term: str, block: int) -> bool:
    return block == 0 and term == INTERCEPT


def _rows(fit: KeptFit, found: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str, tuple[str, ...]]]:
    """Yield name, part, term, group and columns of each effect but the intercept."""
    blocks = fit.varcorr.blocks
    groups = {
        bar.group_name: tuple(name for node in bar.group for name in tree_names(node)) for bar in fit.spec.parsed.random
    }
    named = Counter((term, blocks[b - 1].group) for term, b in zip(found["term"], found["block"], strict=True) if b)
    for i, (term, b) in enumerate(zip(found["term"], found["block"], strict=True), start=1):
        if b:
            block = blocks[b - 1]
            group = block.name if named[term, block.group] > 1 else block.group
            yield f"{term} | {group}", "random", term, group, groups[block.group]
        elif term != INTERCEPT:
            variables = tuple(v for v, of in zip(found["variable"], found["of"], strict=True) if of == i)
            yield f"`{BASE}`" if term == BASE else term, "fixed", term, "", variables


def _joined(data: pd.DataFrame, names: tuple[str, ...], part: str) -> pd.Series:
    """Return the values of a column, or those of several as text."""
    if len(names) == 1:
        return data[names[0]].astype(object)
    texts = data[list(names)].astype(object).map(str).agg
    return texts((":" if part == "random" else ", ").join, axis=1)
