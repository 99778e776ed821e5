"""The fixed model matrix of new rows."""

from __future__ import annotations

import pandas as pd

from lmerbridge.bridge import time_limit
from lmerbridge.inputs import Frame, pandas_frame
from lmerbridge.models.kept import KeptFit, call_on
from lmerbridge.models.predict import rows
from lmerbridge.results import labels


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
        found = call_on(fit, "new_fixed_design", newdata=rows.fixed_columns(fit, frame))["value"]
    return pd.DataFrame(found.reshape(len(frame), -1, order="F"), frame.index, labels(fit.terms))
