"""Predictors of the fixed part: their values in the rows used, and where means are taken of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lmerbridge.bridge import ClassVector, Factor, Logical, columns
from lmerbridge.formula import Call, tree_names
from lmerbridge.models.kept import KeptFit
from lmerbridge.models.predict import rows

ALONG = 50  # values of a numeric predictor
FEW = 3  # different values of a number that are lines of their own


@dataclass(frozen=True, eq=False)
class Predictor:
    """A predictor in the rows used, and where it is held.

    Attributes
    ----------
    name : str
    used : ndarray, shape (nobs,)
        Numbers, truth values or texts of levels.
    is_factor : bool
        Whether the formula makes levels of it.
    is_date : bool
    """

    name: str
    used: Any
    is_factor: bool
    is_date: bool = False

    def lines(self) -> Any:  # noqa: ANN401  # numbers, for emmeans
        """Return the values at which lines are drawn: all where they are few, or the mean and a SD around it."""
        found = np.unique(self.used)
        return found if len(found) <= FEW else self.used.mean() + self.used.std(ddof=1) * np.array([-1.0, 0.0, 1.0])

    def nearest(self, held: Any) -> Any:  # noqa: ANN401
        """Return, for each row, the nearest of the values held, or its level."""
        return self.used if self.is_factor else held[np.abs(self.used[:, None] - held).argmin(axis=1)]


def predictors_of(fit: KeptFit) -> dict[str, Predictor]:
    """Return the columns of the fixed part by name, as emmeans has them."""
    return {name: _predictor(fit, name) for name in fit.spec.parsed.predictors}


def _predictor(fit: KeptFit, name: str) -> Predictor:
    column = rows.columns_of_fit(fit)[name]
    if isinstance(column, ClassVector):
        return Predictor(name, column.values[fit.rows], False, is_date=True)
    if isinstance(column, Factor):
        return Predictor(name, np.array(column.labels, object)[column.codes[fit.rows]], True)
    if isinstance(column, Logical):
        return Predictor(name, column.codes[fit.rows].astype(bool), True)
    used = [node for product in fit.spec.parsed.terms.products for node in product if name in tree_names(node)]
    makes_levels = bool(used) and all(isinstance(node, Call) and node.function in columns.MAKES_LEVELS for node in used)
    return Predictor(name, np.asarray(column)[fit.rows], makes_levels)
