"""The rows that a prediction is for: those of the fit, or new ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lmerbridge.bridge import Table, Value, check_complete, columns, describe_new_levels, encode_newdata
from lmerbridge.errors import InvalidArgument
from lmerbridge.formula import Bar, join_trees, source, tree_names
from lmerbridge.inputs import Frame, pandas_frame
from lmerbridge.models.kept import KeptFit, call_on, once
from lmerbridge.models.predict.effects import random_columns
from lmerbridge.results import Array

Places: TypeAlias = "NDArray[np.int64] | slice"
OFFSET = (
    "the fit has an offset= argument, which belongs to its own rows, and lme4 would leave it out of new data; "
    "fit with offset(x) in the formula, and new data bring their own."
)


@once
def columns_of_fit(fit: KeptFit) -> Mapping[str, Value]:
    """The columns of the fit's data, as R has them."""
    return columns.encode_table(fit.spec.data, fit.spec.parsed).columns


def rows_of_fit(fit: KeptFit, na_action: str = "pass") -> tuple[pd.Index, Places]:
    """The index of `fitted`, or of the rows that another action would keep, and the places of the rows used in it."""
    kept = {"omit": fit.rows, "exclude": fit.spec.rows_in_subset()}.get(na_action, fit._output_rows)
    return fit.index.take(kept), np.searchsorted(kept, fit.rows)


def new_rows(
    fit: KeptFit, frame: Frame, bars: Sequence[Bar], fixed: bool, allow_new_levels: bool, *, complete: bool = False
) -> Table:
    """Return new data as R is to see it: the columns of the fixed part and of some random terms."""
    if fixed and fit.spec.offset is not None:
        raise InvalidArgument(OFFSET)
    frame = pandas_frame(frame)
    needed = list(dict.fromkeys([*(tree_names(fit.spec.parsed.fixed) if fixed else ()), *random_columns(bars)]))
    found = encode_newdata(frame, fit.spec.parsed, needed, columns_of_fit(fit), fit.rows)
    if complete:
        check_complete(frame, needed)
    if bars and not allow_new_levels:
        check_levels(fit, frame, found, bars)
    return found


def check_levels(fit: KeptFit, frame: pd.DataFrame, found: Table, bars: Sequence[Bar]) -> None:
    """Refuse levels of a grouping factor that the fit has not seen."""
    groups = {bar.group_name: source(join_trees(":", bar.group)) for bar in bars}
    new = call_on(fit, "unseen_levels", newdata=found, groups=groups)
    if len(new["row"]):
        group = new["group"][0]
        at = [i for i, name in enumerate(new["group"]) if name == group]
        told = describe_new_levels(group, [new["level"][i] for i in at], frame.index.take(new["row"][at] - 1))
        raise InvalidArgument(f"{told}; allow_new_levels=True gives them random effects of zero.")


def pad(values: Array, places: Places, index: pd.Index) -> Array:
    """Return one value per row of an index, NaN where there is none."""
    whole = np.full((len(index), *values.shape[1:]), np.nan)
    whole[places] = values
    return whole
