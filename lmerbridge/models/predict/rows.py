"""The rows that a prediction is for: those of the fit, or new ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lmerbridge.bridge.to_r import columns
from lmerbridge.bridge.to_r.newdata import check_complete, table, unseen
from lmerbridge.bridge.wire import Table, Value
from lmerbridge.errors import InvalidArgument
from lmerbridge.formula.formula import Formula
from lmerbridge.formula.random import Bar
from lmerbridge.formula.syntax import joined, names, source
from lmerbridge.inputs.frames import Frame, pandas_frame
from lmerbridge.models.kept import KeptFit
from lmerbridge.models.predict.effects import variables
from lmerbridge.results.covariance import Array

Places: TypeAlias = "NDArray[np.int64] | slice"
OFFSET = (
    "the fit has an offset= argument, which belongs to its own rows, and lme4 would leave it out of new data; "
    "fit with offset(x) in the formula, and new data bring their own."
)


class Rows(KeptFit):
    """The rows of a fit, and new ones as the fit knows their columns."""

    @cached_property
    def _formula(self) -> Formula:
        return columns.parsed(self.spec)

    @cached_property
    def _known(self) -> Mapping[str, Value]:
        return columns.table(self.spec.data, self._formula).columns

    @property
    def _rows_of_fit(self) -> tuple[pd.Index, Places]:
        """The index of `fitted`, and where the rows used are in it."""
        kept = self.rows_padded
        return self.fitted.index, slice(None) if kept is None else np.searchsorted(kept, self.rows)

    def _new(
        self, frame: Frame, bars: Sequence[Bar], fixed: bool, allow_new_levels: bool, *, complete: bool = False
    ) -> Table:
        """Return new data as R is to see it: the columns of the fixed part and of some random terms."""
        if fixed and self.spec.offset is not None:
            raise InvalidArgument(OFFSET)
        frame = pandas_frame(frame)
        needed = list(dict.fromkeys([*(names(self._formula.fixed) if fixed else ()), *variables(bars)]))
        found = table(frame, self._formula, needed, self._known, self.rows)
        if complete:
            check_complete(frame, needed)
        if bars and not allow_new_levels:
            self._check_levels(frame, found, bars)
        return found

    def _check_levels(self, frame: pd.DataFrame, found: Table, bars: Sequence[Bar]) -> None:
        groups = {bar.group_name: source(joined(":", bar.group)) for bar in bars}
        new = self.call("unseen_levels", newdata=found, groups=groups)
        if len(new["row"]):
            group = new["group"][0]
            at = [i for i, name in enumerate(new["group"]) if name == group]
            told = unseen(group, [new["level"][i] for i in at], frame.index.take(new["row"][at] - 1))
            raise InvalidArgument(f"{told}; allow_new_levels=True gives them random effects of zero.")


def padded(values: Array, places: Places, index: pd.Index) -> Array:
    """Return values a row of an index, NaN but at some places."""
    whole = np.full((len(index), *values.shape[1:]), np.nan)
    whole[places] = values
    return whole
