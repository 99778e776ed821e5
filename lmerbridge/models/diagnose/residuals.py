"""Residuals, leverage and influence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, overload

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lmerbridge.bridge import build, notices, object_from_r, time_limit
from lmerbridge.errors import InvalidArgument, MissingColumns
from lmerbridge.models.diagnose.influence import Influence, Refit, check_fixed
from lmerbridge.models.kept import KeptFit, call_on

ResidualType = Literal["response", "pearson", "working", "deviance"]


def resid(fit: KeptFit, type: ResidualType | None = None, *, scaled: bool = False) -> pd.Series:
    """Residuals of a type, as R's ``residuals(fit, type = , scaled = )``.

    Parameters
    ----------
    type : {"response", "pearson", "working", "deviance"}
        Response less fitted; or, ``pearson`` and ``deviance``, that times the root of the prior weight, and of a
        generalized model over the standard deviation, or signed roots of the deviance's parts. ``working``
        is ``response`` of a linear model, and on the scale of the link of a generalized one. Without it, R's own:
        ``response`` of a linear, ``deviance`` of a generalized model. lme4 has no partial residuals.
    scaled : bool
        Divided by sigma.

    Returns
    -------
    Series
        By the index of the data, as `fitted`.

    Examples
    --------
    >>> fit.resid("pearson", scaled=True).head(2).round(4).tolist()
    [-0.1604, -0.5715]
    """
    found = call_on(fit, "residuals_of", type=type or fit.kind.residuals, scaled=bool(scaled))
    return _label_rows(fit, found["values"], "resid")


@overload
def hatvalues(fit: KeptFit, *, full_hat_matrix: Literal[False] = False) -> pd.Series: ...
@overload
def hatvalues(fit: KeptFit, *, full_hat_matrix: Literal[True]) -> pd.DataFrame: ...


def hatvalues(fit: KeptFit, *, full_hat_matrix: bool = False) -> pd.Series | pd.DataFrame:
    """Leverages: how much each row's fitted value moves with its own response, as ``stats::hatvalues``.

    Returns
    -------
    Series
        By the index of the data, as `fitted`.
    DataFrame, shape (n, n)
        With ``full_hat_matrix``, how each moves with every response: rows used by rows used. (Under
        ``na_action="exclude"`` lme4 pads this matrix as if it were a vector; here it is whole.)

    Examples
    --------
    >>> fit.hatvalues().head(2).round(4).tolist()
    [0.2293, 0.1697]
    """
    if not full_hat_matrix:
        return _label_rows(fit, call_on(fit, "hat_values")["values"], "hatvalues")
    matrix = object_from_r(call_on(fit, "hat_matrix"))
    return pd.DataFrame(np.asarray(matrix), index=fit._rows_index, columns=fit._rows_index)


def rstudent(fit: KeptFit) -> pd.Series:
    """Studentized residuals, as ``stats::rstudent``.

    lme4 2.0-1 announces a change of them. Those of a linear mixed model are the same before and after.
    """
    return _label_rows(fit, call_on(fit, "rstudents")["values"], "rstudent")


def cooks_distance(fit: KeptFit) -> pd.Series:
    """Cook's distance of each row from one fit, as ``stats::cooks.distance``, with sigma and theta fixed.

    `Influence.cooks_distance` is the one by refitting.

    Examples
    --------
    >>> fit.cooks_distance().round(4).idxmax()
    59
    """
    check_fixed(fit.terms)
    return _label_rows(fit, call_on(fit, "cooks_distances")["values"], "cooks_distance")


def influence(
    fit: KeptFit,
    groups: str | Sequence[str] | None = None,
    *,
    jobs: int | None = 1,
    backend: str | None = None,
    progress: bool | None = None,
    timeout: float | None = None,
) -> Influence:
    """Refit the model without each row, or without each level of a grouping factor, as ``lme4``'s ``influence``.

    Parameters
    ----------
    groups : str, sequence of str, optional
        Column of the data, each of whose levels is left out in turn, or columns, each of whose combinations is;
        one row at a time without it.
    jobs : int, optional
        Processes to compute in, -1 for one per core. Numbers do not depend on it.
    backend : str, optional
        ``loky``, ``threading``, ``sequential`` or ``dask://HOST:PORT``. The default is joblib's own choice.
    progress : bool, optional
        Whether to show a progress bar. The default shows it where standard error is a terminal.
    timeout : float, optional
        Seconds after which R is stopped. The default is no limit.

    Returns
    -------
    Influence
        Every number the double that R computes from a model without missing values or subset. Rows the fit did not
        use are not left out one by one, and its subset holds, which lme4 forgets; of several columns lme4 leaves
        out each distinct row.

    Raises
    ------
    MissingColumns
        The formula names no such column.
    TimedOut

    Examples
    --------
    >>> fit = lmer("diameter ~ 1 + (1 | plate) + (1 | sample)", load_dataset("Penicillin"))
    >>> without = fit.influence("sample")
    >>> without
    <influence of each sample: 6 refits, 0 not converged, 0 singular>
    >>> without.cooks_distance().round(3).loc["F"]
    np.float64(0.463)
    """
    columns = [groups] if isinstance(groups, str) else groups
    codes, levels = _deletable(fit, columns)
    from lmerbridge.models.diagnose import deletion  # joblib is slow to load

    with time_limit(timeout):
        found = deletion.refit_without_each(fit, codes, len(levels), jobs=jobs, backend=backend, progress=progress)
        whole = build(Refit, call_on(fit, "whole_as_refit"))
    notices.give(notices.of_refits(condition for _, said in found for condition in said))
    return Influence.of(fit, ".".join(columns or ["case"]), levels, whole, found)


def _deletable(fit: KeptFit, groups: Sequence[str] | None) -> tuple[NDArray[np.int32], pd.Index]:
    """Return the number of each row's own row or level, -1 for a row that was not used, and their labels."""
    data = fit.spec.data.iloc[fit.rows]
    codes = np.full(len(fit.index), -1, np.int32)
    if groups is None:
        codes[fit.rows] = np.arange(fit.nobs)
        return codes, fit._rows_index
    if not groups:
        raise InvalidArgument(f"groups is {groups!r}; a column of the formula, several, or None is expected.")
    missing = [name for name in groups if name not in data.columns]
    if missing:
        raise MissingColumns(missing, data.columns, where="groups")
    columns = [data[name].to_numpy() for name in groups]
    values = pd.MultiIndex.from_arrays(columns) if len(groups) > 1 else pd.Index(*columns)
    codes[fit.rows], levels = pd.factorize(values)
    return codes, levels.set_names(list(groups))


def _label_rows(fit: KeptFit, values: NDArray[np.float64], name: str) -> pd.Series:
    """Label R's values by row, padded where ``na_action`` is "exclude"."""
    return pd.Series(values, index=fit.index.take(fit._output_rows), name=name)
