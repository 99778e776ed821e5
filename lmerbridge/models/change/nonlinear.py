"""Another nonlinear model from this one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypedDict, Unpack

from lmerbridge.inputs import Frame, NaAction, NlmerControl, RowVector, pandas_frame
from lmerbridge.models.kept import K, fit_told


class NonlinearChanges(TypedDict, total=False):
    """Arguments of `nlmer` beside the formula and the data."""

    start: Mapping[str, float] | None
    n_agq: int
    weights: RowVector
    offset: RowVector
    subset: RowVector
    na_action: NaAction | None
    control: NlmerControl | Mapping[str, Any] | None


def update(
    fit: K,
    formula: str | None = None,
    data: Frame | None = None,
    *,
    timeout: float | None = None,
    **changes: Unpack[NonlinearChanges],
) -> K:
    """Fit the model again with something changed: R's ``update``.

    Parameters
    ----------
    formula : str
        The new formula, all three parts of it.
    data : DataFrame
        The fit keeps no columns but its own: give the frame again where the new formula names another.
    timeout : float, optional
        Seconds after which R is stopped. The default is no limit.
    **changes
        Any other argument of `nlmer`. The others stay as they are.

    Returns
    -------
    NlmerFit
    """
    given: dict[str, Any] = {**changes}
    if formula is not None:
        given["formula"] = formula
    if data is not None:
        given["data"] = pandas_frame(data)
    return fit_told(type(fit), replace(fit.spec, **given), timeout)
