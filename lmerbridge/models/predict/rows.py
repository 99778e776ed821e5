"""The rows that a prediction is for: those of the fit, or new ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lmerbridge.bridge import Table, Value, check_complete, columns, describe_new_levels, encode_newdata, time_limit
from lmerbridge.errors import InvalidArgument
from lmerbridge.formula import Bar, join_trees, source
from lmerbridge.inputs import Frame, RowVector, pandas_frame
from lmerbridge.models.kept import KeptFit, call_on, once
from lmerbridge.models.predict.effects import random_columns
from lmerbridge.results import Array, labels

Places: TypeAlias = "NDArray[np.int64] | slice"
OFFSET = (
    "the fit has an offset= argument, which belongs to its own rows, and lme4 would leave it out of new data; "
    "fit with offset(x) in the formula, and new data bring their own."
)
ALLOW = "allow_new_levels=True gives them random effects of zero."
ALIKE = "lme4 would take it for another pair of levels with the same text; rename the levels of its columns."


@once
def columns_of_fit(fit: KeptFit) -> Mapping[str, Value]:
    """The columns of the fit's data, as R has them."""
    return columns.encode_table(fit.spec.data, fit.spec.parsed, fit.spec.kind).columns


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
    needed = list(dict.fromkeys([*(fit.spec.parsed.predictors if fixed else ()), *random_columns(bars)]))
    found = encode_newdata(frame, fit.spec.parsed, needed, columns_of_fit(fit), fit.rows)
    if complete:
        check_complete(frame, needed)
    if asked := [bar for bar in bars if len(bar.group) > 1 or not allow_new_levels]:
        check_levels(fit, frame, found, asked, allow_new_levels)
    return found


def fixed_columns(fit: KeptFit, frame: pd.DataFrame) -> Table:
    """Return the columns of the fixed part of new data as R is to see them."""
    return encode_newdata(frame, fit.spec.parsed, list(fit.spec.parsed.predictors), columns_of_fit(fit), fit.rows)


def check_levels(
    fit: KeptFit, frame: pd.DataFrame, found: Table, bars: Sequence[Bar], allow_new_levels: bool = False
) -> None:
    """Refuse levels of a grouping factor that the fit has not seen, or those that lme4 would take for one it has."""
    groups = {bar.group_name: source(join_trees(":", bar.group)) for bar in bars}
    new = call_on(fit, "unseen_levels", newdata=found, groups=groups)
    wrong = np.flatnonzero(new["text"] if allow_new_levels else np.ones(len(new["row"])))
    if len(wrong):
        group = new["group"][wrong[0]]
        at = [i for i in wrong if new["group"][i] == group]
        told = describe_new_levels(group, [new["level"][i] for i in at], frame.index.take(new["row"][at] - 1))
        raise InvalidArgument(f"{told}; {ALIKE if new['text'][at].any() else ALLOW}")


def row_weights(fit: KeptFit, newdata: Frame | None, given: RowVector) -> NDArray[np.float64] | None:
    """Return one weight per row of new data, or per row used of the fit, or None where none are given."""
    frame = fit.spec.data if newdata is None else pandas_frame(newdata)
    values = replace(fit.spec, data=frame, weights=given).per_row("weights")
    if values is None:
        return None
    numbers = values.to_numpy(float, na_value=np.nan)[slice(None) if newdata is not None else fit.rows]
    if not (np.isfinite(numbers) & (numbers >= 0)).all():
        raise InvalidArgument("weights are missing, infinite or negative in a row; numbers of at least 0 are expected.")
    return numbers


def pad(values: Array, places: Places, index: pd.Index) -> Array:
    """Return one value per row of an index, NaN where there is none."""
    whole = np.full((len(index), *values.shape[1:]), np.nan)
    whole[places] = values
    return whole


def fixed_design(fit: KeptFit, newdata: Frame, *, timeout: float | None = None) -> pd.DataFrame:
    """Return the fixed model matrix of new rows: what ``fixef`` multiplies in their predictions.

    Parameters
    ----------
    newdata : DataFrame
        Only the columns of the fixed part are needed; their levels are the fit's, and poly(), ns(), bs() and scale()
        keep the fit's basis.
    timeout : float, optional
        Seconds after which R is stopped. The default is no limit.

    Returns
    -------
    DataFrame, shape (n, p)
        One row per row of ``newdata``, by its index, and one column per term of the fit; NaN where a value is missing.
        An offset is not in it. `model_matrix` has that of the fit's own rows.

    Raises
    ------
    MissingColumns, UnsupportedColumn, InvalidArgument
        ``newdata`` lacks a column, or holds another kind of values or a level that the fit has not seen.

    Source: ``stats::model.matrix`` of the fit's terms and contrasts.

    Examples
    --------
    >>> import pandas as pd
    >>> fit.fixed_design(pd.DataFrame({"Days": [0.5, 10]}, index=["a", "b"]))
       (Intercept)  Days
    a          1.0   0.5
    b          1.0  10.0
    """
    frame = pandas_frame(newdata)
    with time_limit(timeout):
        found = call_on(fit, "new_fixed_design", newdata=fixed_columns(fit, frame))["value"]
    return pd.DataFrame(found.reshape(len(frame), -1, order="F"), frame.index, labels(fit.terms))
