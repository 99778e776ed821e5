"""The parameters of a model that have intervals: their names, whichever lme4 is installed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from difflib import get_close_matches
from itertools import combinations
from statistics import NormalDist
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lmerbridge.errors import InvalidArgument
from lmerbridge.models.kept import KeptFit, call_on, once
from lmerbridge.results import Array, CovarianceBlock, VarCorr

Places: TypeAlias = NDArray[np.int64]
Which: TypeAlias = str | Sequence[str] | None
NORMAL = NormalDist()  # its quantiles are those of R's qnorm to the bit


def parameters(fit: KeptFit) -> pd.DataFrame:
    """The parameters that have intervals, under the long names of R's ``confint``.

    Returns
    -------
    DataFrame
        By name, ``sd_(Intercept)|Subject``, ``cor_Days.(Intercept)|Subject``, ``sigma``, ``Days``: effect,
        group and term as in `tidy`. Random terms come first, each with its standard deviations before its
        correlations, then the fixed effects; so on every lme4, whose own order changed with 2.0.

    Examples
    --------
    >>> lmer("Yield ~ 1 + (1 | Batch)", load_dataset("Dyestuff")).parameters["term"].to_dict()
    {'sd_(Intercept)|Batch': 'sd__(Intercept)', 'sigma': 'sd__Observation', '(Intercept)': '(Intercept)'}
    """
    return parameter_table(fit).drop(columns="place").copy()


def parameter_places(fit: KeptFit) -> Places:
    """Place of each of `parameters` in the order of the installed lme4, from 0."""
    return parameter_table(fit)["place"].to_numpy()


@once
def parameter_table(fit: KeptFit) -> pd.DataFrame:
    """The parameters, and the place of each in lme4's order, from 0."""
    in_r: list[str] = call_on(fit, "parameter_names")["name"]
    random = random_parameters(fit.varcorr)
    terms = pd.Index([*fit.terms, ""])[:-1]  # text, also where there is none
    fixed = pd.DataFrame({"effect": "fixed", "group": None, "term": terms, "in_r": terms}, fit.terms)
    frame = pd.concat([random.drop(columns=["sdcor", "vcov"]), fixed])
    for name in frame.index[frame.index.duplicated()]:
        raise InvalidArgument(f"the fixed effect {name!r} has the name of another parameter; rename its column.")
    places = [_take_place(in_r, name) for name in frame["in_r"]]
    return frame.drop(columns="in_r").assign(place=places)


def select_parameters(fit: KeptFit, which: Which) -> pd.DataFrame:
    """Return the rows of the parameters that were asked for.

    Raises
    ------
    InvalidArgument
        There is no such parameter.
    """
    return select_rows(parameter_table(fit), which)


def _take_place(names: list[str], name: str) -> int:
    """Return the first place of a name, and blank the name there."""
    place = names.index(name)
    names[place] = ""
    return place


def random_parameters(varcorr: VarCorr) -> pd.DataFrame:
    """Return the parameters of the random part.

    Returns
    -------
    DataFrame
        By name: effect, group, term, and the estimates sdcor and vcov. ``in_r`` is lme4's name, which is another where
        two terms of a group have parameters of one name; ours then has the term's number.
    """
    columns = ["in_r", "group", "term", "sdcor", "vcov"]
    rows = [
        (f"{name}|{b.group}", b.name, term, (b.stddev[i] if i == j else b.correlation[i, j]), b.covariance[i, j])
        for b in varcorr
        for name, term, (i, j) in places_of(b)
    ]
    if varcorr.has_residual:
        rows.append(("sigma", "Residual", "sd__Observation", varcorr.residual_sd, varcorr.residual_sd**2))
    frame = pd.DataFrame(rows, columns=columns)
    kind = frame["in_r"].str.rpartition("|")[0]
    frame.index = pd.Index(
        frame["in_r"].mask(frame["in_r"].duplicated(keep=False), kind + "|" + frame["group"]), name=None
    )
    return frame.assign(effect="ran_pars")[["effect", *columns]]


def places_of(block: CovarianceBlock) -> Iterator[tuple[str, str, tuple[int, int]]]:
    """Yield name (but for the group), broom's term and place in the covariance of each parameter of a random term."""
    for i, term in enumerate(["*"] if block.hom else block.terms):
        yield f"sd_{term}", f"sd__{term}", (i, i)
    if block.kind in ("cs", "ar1") and len(block.terms) > 1:
        yield "cor_rho", "cor__rho", (1, 0)
    elif block.kind == "us":
        for (i, one), (j, other) in combinations(enumerate(block.terms), 2):
            yield f"cor_{other}.{one}", f"cor__{one}.{other}", (j, i)


def select_rows(parameters: pd.DataFrame, which: Which) -> pd.DataFrame:
    """Return the rows of some parameters, in the order of the table.

    Raises
    ------
    InvalidArgument
        There is no such parameter.
    """
    if which is None:
        return parameters
    asked = [which] if isinstance(which, str) else list(which)
    if not asked:
        raise InvalidArgument("no parameter is named; at least one is expected, or None for all.")
    groups = {"theta_": "ran_pars", "beta_": "fixed"}
    _check_names(asked, [*parameters.index, *groups])
    effects = [groups[name] for name in asked if name in groups]
    return parameters[parameters.index.isin(asked) | parameters["effect"].isin(effects)]


def _check_names(asked: Iterable[object], known: Sequence[str]) -> None:
    for name in asked:
        if name not in known:
            near = get_close_matches(str(name), known, n=1)
            meant = f" Did you mean {near[0]!r}?" if near else ""
            raise InvalidArgument(f"there is no parameter {name!r}; the parameters are {', '.join(known)}.{meant}")


def rename_parameters(parameters: pd.DataFrame, names: Sequence[str], rename: Callable[[str], str]) -> pd.DataFrame:
    """Return the parameters with some of them, and their terms, renamed."""
    asked = parameters.index.isin(names)

    def each(old: Iterable[str]) -> list[str]:
        return [rename(name) if this else name for name, this in zip(old, asked, strict=True)]

    return parameters.assign(term=each(parameters["term"])).set_axis(each(parameters.index), axis=0)


def variance_name(name: str) -> str:
    """Return the name of a standard deviation or correlation as a variance or covariance.

    Examples
    --------
    >>> variance_name("sd_Days|Subject"), variance_name("cor__(Intercept).Days"), variance_name("sigma")
    ('var_Days|Subject', 'cov__(Intercept).Days', 'sigma2')
    """
    for deviation, variance in (("sd_", "var_"), ("cor_", "cov_")):
        if name.startswith(deviation):
            return variance + name.removeprefix(deviation)
    return f"{name}2"


def quantiles_of(level: float) -> Array:
    """Return the normal quantiles that bound an interval, as R's ``qnorm``.

    Raises
    ------
    InvalidArgument
        The level is not between 0 and 1.

    Examples
    --------
    >>> quantiles_of(0.95).round(2).tolist()
    [-1.96, 1.96]
    """
    below = tail(level)
    return np.array([NORMAL.inv_cdf(below), NORMAL.inv_cdf(1 - below)])


def tail(level: float) -> float:
    """Return the probability on either side of an interval."""
    return (1 - level) / 2


def interval_table(parameters: pd.DataFrame, ends: pd.DataFrame, method: str) -> pd.DataFrame:
    """Return the parameters with their intervals, in the order of the table: conf_low, conf_high and the method."""
    return parameters[["effect", "group", "term"]].join(ends[["conf_low", "conf_high"]]).assign(method=method)
