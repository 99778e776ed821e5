"""lme4's internal quantities of a model: its ``getME``, typed and labelled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lmerbridge.bridge import NA_INTEGER, lme4_has, need, object_from_r
from lmerbridge.errors import InvalidArgument
from lmerbridge.models.extract import internals
from lmerbridge.models.kept import KeptFit, call_on, once
from lmerbridge.results import Array, labels

if TYPE_CHECKING:
    import scipy.sparse as sp  # slow to load


@overload
def get_me(fit: KeptFit, name: internals.Table) -> pd.DataFrame: ...
@overload
def get_me(fit: KeptFit, name: internals.Sparse) -> sp.csc_array: ...
@overload
def get_me(fit: KeptFit, name: internals.ByRow | internals.Modes | internals.Named) -> pd.Series: ...
@overload
def get_me(fit: KeptFit, name: internals.Integers) -> NDArray[np.int32]: ...
@overload
def get_me(fit: KeptFit, name: Literal["beta"]) -> Array: ...
@overload
def get_me(fit: KeptFit, name: internals.Factors) -> dict[str, Array]: ...
@overload
def get_me(fit: KeptFit, name: internals.Count) -> int: ...
@overload
def get_me(fit: KeptFit, name: Literal["sigma", "glmer.nb.theta"]) -> float: ...
@overload
def get_me(fit: KeptFit, name: Literal["is_REML"]) -> bool: ...
@overload
def get_me(fit: KeptFit, name: Literal["Ztlist"]) -> dict[str, sp.csc_array]: ...
@overload
def get_me(fit: KeptFit, name: Literal["mmList"]) -> dict[str, pd.DataFrame]: ...
@overload
def get_me(fit: KeptFit, name: Literal["flist"]) -> dict[str, pd.Series]: ...
@overload
def get_me(fit: KeptFit, name: Literal["cnms"]) -> dict[str, tuple[str, ...]]: ...
@overload
def get_me(fit: KeptFit, name: Literal["L"]) -> internals.Cholesky: ...
@overload
def get_me(fit: KeptFit, name: Literal["devcomp"]) -> internals.DevComp: ...
@overload
def get_me(fit: KeptFit, name: Literal["devfun"]) -> internals.DevianceFunction: ...
@overload
def get_me(fit: KeptFit, name: Literal["ALL"]) -> internals.MEParts: ...
@overload
def get_me(fit: KeptFit, name: list[str] | tuple[str, ...]) -> dict[str, Any]: ...


def get_me(fit: KeptFit, name: str | list[str] | tuple[str, ...]) -> Any:
    """One of lme4's internal quantities, or several by name, as ``lme4::getME``.

    `me_parts` gives all of them.

    Parameters
    ----------
    name : str, or list or tuple of str
        lme4's name; of several, a dict by name.

    Returns
    -------
    DataFrame
        ``X`` rows by terms, of a nonlinear model a copy of the rows per parameter; ``RX`` terms by terms; ``RZX``
        modes, permuted as in ``L``, by terms.
    csc_array
        ``Z``, ``Zt``, ``Lambda``, ``Lambdat``, ``A`` (Lambdat @ Zt). `random_index` names the columns of ``Z``.
    Series
        ``y``, ``mu``, ``offset`` by row used; ``u``, ``b`` by `random_index`; ``fixef`` by term; ``theta``,
        ``lower``, ``par``, ``devarg`` by parameter; ``Tp`` by random term, where its thetas begin and end;
        ``p_i``, ``q_i``, ``m_i`` by random term, its columns, modes and thetas; ``l_i`` by factor, its levels.
    ndarray
        ``beta``; ``Gp``, where in ``b`` each random term begins, and the end; ``Lind``, from 0, which theta stands
        where: ``Lambdat.data`` is ``theta[Lind]``.
    dict
        By random term ``Tlist`` (relative covariance factors), ``ST``, ``cnms`` (columns), ``mmList`` (model
        matrices), ``Ztlist`` (rows of ``Zt``); by factor ``flist``, categorical by row.
    Cholesky, DevComp, DevianceFunction
        ``L``; ``devcomp``; ``devfun``.
    int, float, bool
        ``n`` rows, ``p`` terms, ``q`` modes, ``m`` thetas, ``k`` or ``n_rtrms`` random terms, ``n_rfacs`` factors,
        ``N``, ``REML`` (0 or p), ``npar``; ``sigma``; ``glmer.nb.theta``, NaN of other models; ``is_REML``.
    MEParts
        ``ALL``, without ``glmer.nb.theta``.

    Raises
    ------
    NeedsNewer
        ``par``, ``npar`` and ``devarg`` came with lme4 2.0-1.
    InvalidArgument
        lme4 has no such quantity; or it is ``devfun`` of a generalized model, whose value depends on what was evaluated
        before.

    Examples
    --------
    >>> fit.get_me("theta").round(4).to_dict()
    {'Subject.(Intercept)': 0.9667, 'Subject.Days.(Intercept)': 0.0152, 'Subject.Days': 0.2309}
    >>> list(fit.get_me(["X", "Zt"]))
    ['X', 'Zt']
    >>> fit.get_me("Z").shape, fit.get_me("b").loc["Subject", "308", "Days"].round(4)
    ((180, 36), np.float64(9.199))
    """
    names: list[Any] = list(name) if isinstance(name, list | tuple) and name else [name]
    for each in names:
        _check_name(each)
    if isinstance(name, list | tuple):
        return {each: get_me(fit, each) for each in names}
    if name in ("mmList", "ALL") and not fit.kind.link:
        told = "lme4 finds no mmList of a nonlinear model, of which 'ALL' would be a part"
        raise InvalidArgument(f"get_me is asked for {name!r}; {told}. Give a list of other names.")
    if name == "ALL":
        return me_parts(fit)
    if name == SHAPE:
        return float(getattr(fit, "nb_theta", np.nan))
    if name == "devfun":
        return devfun(fit)
    if name in internals.NEWER:
        need("get_me_par")
    return READERS[name](fit, object_from_r(call_on(fit, "me_part", name=name)))


def _check_name(name: object) -> None:
    known = [*(field.name for field in fields(internals.MEParts)), SHAPE]
    if not (isinstance(name, str) and name in ("ALL", *known)):
        expected = f"ALL or one of {', '.join(known)} is expected, or a list of such"
        raise InvalidArgument(f"get_me is asked for {name!r}; {expected}.")


def me_parts(fit: KeptFit) -> internals.MEParts:
    """All of lme4's internal quantities of the model, as ``getME(fit, "ALL")``.

    Examples
    --------
    >>> parts = fit.me_parts()
    >>> abs(parts.X @ parts.beta + parts.Z @ parts.b - parts.mu).max() < 1e-10
    np.True_
    """
    absent = () if lme4_has("get_me_par") else internals.NEWER
    absent = (*absent, *(() if fit.kind.linear else ("devfun",)))
    names: list[Any] = [f.name for f in fields(internals.MEParts) if f.name not in absent]
    return internals.MEParts(**{name: get_me(fit, name) for name in names})


SHAPE = "glmer.nb.theta"
MEMORY = (
    "lme4's deviance function of a generalized or nonlinear model begins where it was evaluated last, so that it has "
    "no one value; fit.criterion is its value at the estimates, and profile() and all_fit() search around them"
)


def devfun(fit: KeptFit) -> internals.DevianceFunction:
    """lme4's objective as a function of theta, as ``getME(fit, "devfun")`` and ``as.function(fit)``.

    Examples
    --------
    >>> deviance = lmer("Reaction ~ Days + (Days | Subject)", load_dataset("sleepstudy")).devfun()
    >>> round(deviance([1, 0, 0.2]), 3), round(deviance.optimum, 3)
    (1744.244, 1743.628)
    """
    if not fit.kind.linear:
        raise InvalidArgument(f"{MEMORY}.")
    return internals.DevianceFunction(get_me(fit, "theta"), get_me(fit, "lower"), fit.criterion, fit.reml, fit)


@once
def random_index(fit: KeptFit) -> pd.MultiIndex:
    """Group, level and term of each column of ``Z``, and of each element of ``u`` and ``b``."""
    levels = {modes.group: modes.levels for modes in fit.modes}
    rows = [(b.group, level, term) for b in fit.varcorr for level in levels[b.group] for term in b.terms]
    return pd.MultiIndex.from_tuples(rows, names=["group", "level", "term"])


def on_rows(fit: KeptFit, values: Array | pd.DataFrame) -> Any:  # noqa: ANN401  # a Series of one, a frame of the other
    """Label values, or a table of them, by the rows used."""
    index = fit._rows_index
    if len(values) != len(index):  # of a nonlinear model there is a copy of the rows per parameter
        index = pd.MultiIndex.from_product([fit.terms, index], names=["parameter", None])
    if isinstance(values, pd.DataFrame):
        return values.set_axis(index, axis=0)
    return pd.Series(values, index=index)


def _all_on_rows(fit: KeptFit, tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    return {name: on_rows(fit, table) for name, table in tables.items()}


def _factors(fit: KeptFit, tables: dict[str, pd.DataFrame]) -> dict[str, pd.Series]:
    return {name: on_rows(fit, table)["factor"].rename(name) for name, table in tables.items()}


def _by_term(fit: KeptFit, values: Array | pd.Series) -> pd.Series:
    return pd.Series(np.asarray(values), index=labels(fit.terms))  # R drops the names of an empty vector


def _modes(fit: KeptFit, values: Array) -> pd.Series:
    return pd.Series(values.ravel(), index=random_index(fit))


def _as_is(fit: KeptFit, value: Any) -> Any:  # noqa: ANN401
    return value


def _nullable(counts: pd.Series) -> pd.Series:
    return counts.astype("Int64").mask(counts == NA_INTEGER)


Reader = Callable[[KeptFit, Any], Any]
READERS: dict[str, Reader] = {
    **dict.fromkeys(("RX", "RZX", "Z", "Zt", "Lambda", "Lambdat", "A", "Ztlist", "Tlist", "ST"), _as_is),
    **dict.fromkeys(("theta", "lower", "p_i", "l_i", "q_i", "par", "devarg", "cnms"), _as_is),
    **dict.fromkeys(("beta", "Gp"), _as_is),
    **dict.fromkeys(("X", "y", "mu", "offset"), on_rows),
    **dict.fromkeys(("u", "b"), _modes),
    "fixef": _by_term,
    **dict.fromkeys(
        ("REML", "n_rtrms", "n_rfacs", "N", "n", "p", "q", "k", "m", "npar"), lambda fit, value: int(value[0])
    ),
    "sigma": lambda fit, value: float(value[0]),
    "is_REML": lambda fit, value: bool(value[0]),
    **dict.fromkeys(("m_i", "Tp"), lambda fit, value: value.astype(int)),
    "Lind": lambda fit, value: value - 1,
    "mmList": _all_on_rows,
    "flist": _factors,
    "devcomp": lambda fit, value: internals.DevComp(value["cmp"], _nullable(value["dims"])),
    "L": lambda fit, value: internals.Cholesky(**value),
}
