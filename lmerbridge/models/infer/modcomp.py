"""Comparisons of a model with a smaller one: Kenward-Roger's, Satterthwaite's, and the parametric bootstrap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from lmerbridge.bridge import Reply, Value
from lmerbridge.errors import InvalidArgument
from lmerbridge.models.infer.contrasts import Contrasts, contrast_matrix
from lmerbridge.models.infer.tables import frame
from lmerbridge.models.kept import KeptFit, ask, model_of
from lmerbridge.results import Array, Condition, labels, shown

Method: TypeAlias = Literal["Kenward-Roger", "Satterthwaite", "parametric bootstrap"]
NAN = float("nan")


@shown("tests")
@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class ModComp:
    """The test of a model against a smaller one.

    Attributes
    ----------
    method : {"Kenward-Roger", "Satterthwaite", "parametric bootstrap"}
        Method for the degrees of freedom, or for the reference distribution.
    statistic : float
        F, scaled where the method scales it; the likelihood ratio of a bootstrap.
    ndf, ddf : float
        Degrees of freedom: of the numerator and the denominator of F; of the likelihood ratio, and NaN.
    f_scaling : float
        Kenward-Roger's factor of F; else NaN.
    p_value : float
    tests : DataFrame
        All of pbkrtest's tests.
    restriction : DataFrame
        The contrasts that are zero under the hypothesis, one row per contrast, none of a bootstrap.
    reference : ndarray
        Simulated likelihood ratios of a bootstrap; else empty.
    text : str
        As R prints it, which is what ``str`` gives.
    conditions : tuple of Condition
    """

    method: Method
    statistic: float
    ndf: float
    ddf: float
    f_scaling: float
    p_value: float
    tests: pd.DataFrame
    restriction: pd.DataFrame
    reference: Array
    text: str
    conditions: tuple[Condition, ...] = ()

    def __repr__(self) -> str:
        return self.text


def kr_modcomp(fit: KeptFit, smaller: KeptFit | Contrasts, *, timeout: float | None = None) -> ModComp:
    """Test the fixed effects that a smaller model lacks, by Kenward and Roger's F.

    Parameters
    ----------
    smaller : LmerFit, or contrasts as for `contest`
        A fit of the same rows with the same random terms, whose fixed part is a part of this one's; or contrasts
        that are all zero under the hypothesis.
    timeout : float, optional
        Seconds after which R is stopped. The default is no limit. R inverts a matrix with one row and one column per
        row of the data.

    Returns
    -------
    ModComp
        A fit by ML is fitted again by REML first.

    Raises
    ------
    InvalidArgument
        The smaller model is none; or this one has weights, which the method's implementation leaves out.

    Source: ``KRmodcomp`` of pbkrtest (Halekoh and Højsgaard, 2014).

    Examples
    --------
    >>> test = fit.kr_modcomp({"Days": 1})
    >>> round(test.statistic, 3), round(test.ddf, 3), test.method
    (45.853, 17.0, 'Kenward-Roger')
    """
    reply = ask(fit, "kr_modcomp", timeout=timeout, **_smaller(fit, smaller))
    return _mod_comp("Kenward-Roger", reply, fit.terms)


def sat_modcomp(fit: KeptFit, smaller: KeptFit | Contrasts, *, timeout: float | None = None) -> ModComp:
    """Test the fixed effects that a smaller model lacks, by F with Satterthwaite's degrees of freedom.

    Parameters and result are those of `kr_modcomp`; weights are allowed.

    Source: ``SATmodcomp`` of pbkrtest.

    Examples
    --------
    >>> sleepstudy = load_dataset("sleepstudy")
    >>> round(fit.sat_modcomp(lmer("Reaction ~ 1 + (Days | Subject)", sleepstudy)).ddf, 3)
    17.0
    """
    reply = ask(fit, "sat_modcomp", timeout=timeout, **_smaller(fit, smaller))
    return _mod_comp("Satterthwaite", reply, fit.terms)


def pb_modcomp(
    fit: KeptFit, smaller: KeptFit, *, nsim: int = 1000, seed: int | None = None, timeout: float | None = None
) -> ModComp:
    """Test a model against a smaller one by the parametric bootstrap of their likelihood ratio.

    Parameters
    ----------
    smaller : LmerFit
        A fit of the same rows whose fixed part is a part of this one's, or all of it where it has fewer random
        effects. Both are compared by ML.
    nsim : int
        How many responses are simulated from the smaller model.
    seed : int, optional
        Of R's random numbers: the same as after ``set.seed(seed)`` in R.
    timeout : float, optional
        Seconds after which R is stopped. The default is no limit.

    Returns
    -------
    ModComp
        ``p_value`` is the bootstrap's own; ``tests`` has the approximations by a gamma, a Bartlett-corrected
        chi-squared and an F distribution.

    Raises
    ------
    InvalidArgument
        The smaller model is none, or has no fixed effect; or it has weights, which lme4's ``simulate`` leaves out.

    Source: ``PBmodcomp`` of pbkrtest, whose refits are by ML: the defect of ``refit`` by REML does not touch it.

    Examples
    --------
    >>> sleepstudy = load_dataset("sleepstudy")
    >>> fit = lmer("Reaction ~ Days + (1 | Subject)", sleepstudy)
    >>> test = fit.pb_modcomp(lmer("Reaction ~ 1 + (1 | Subject)", sleepstudy), nsim=9, seed=1)
    >>> test.p_value, len(test.reference)
    (0.1, 9)
    """
    reply = ask(fit, "pb_modcomp", timeout=timeout, smaller=model_of(smaller).handle, nsim=nsim, seed=seed)
    return _mod_comp("parametric bootstrap", reply, fit.terms)


def vcov_kr(fit: KeptFit, *, timeout: float | None = None) -> pd.DataFrame:
    """Return Kenward and Roger's covariance of the fixed effects, term by term: ``vcovAdj`` of pbkrtest.

    Examples
    --------
    >>> bool(abs(fit.vcov_kr() - fit.vcov).max(axis=None) < 1e-10)  # balanced
    True
    """
    values = ask(fit, "vcov_kr", timeout=timeout).values["value"]
    terms = labels(fit.terms)
    return pd.DataFrame(values.reshape((len(terms), -1), order="F"), terms, terms)


def ddf_lb(fit: KeptFit, contrasts: Contrasts, *, timeout: float | None = None) -> pd.Series:
    """Return Kenward and Roger's degrees of freedom of contrasts, given as for `contest`.

    Source: ``get_Lb_ddf`` of pbkrtest.

    Examples
    --------
    >>> fit.ddf_lb({"Days": 1}).round(3).to_list()
    [17.0]
    """
    matrix = contrast_matrix(contrasts, fit.terms, alone=True)
    reply = ask(fit, "ddf_lb", timeout=timeout, weights=matrix.to_numpy().ravel())
    return pd.Series(reply.values["value"], matrix.index, name="ddf")


def _smaller(fit: KeptFit, smaller: KeptFit | Contrasts) -> dict[str, Value]:
    if isinstance(smaller, KeptFit):
        return {"smaller": model_of(smaller).handle}
    if isinstance(smaller, str):
        raise InvalidArgument(f"smaller is {smaller!r}; a smaller fit of lmer, or contrasts, are expected.")
    return {"weights": contrast_matrix(smaller, fit.terms).to_numpy().ravel()}


def _mod_comp(method: Method, reply: Reply, terms: Sequence[str]) -> ModComp:
    values: dict[str, Any] = reply.values
    restriction: Array = values.get("restriction", np.empty(0))
    tests = frame(values)
    chosen = tests.iloc[list(tests.index).index("PBtest") if method == "parametric bootstrap" else 0]
    return ModComp(
        method=method,
        statistic=float(chosen["statistic"]),
        ndf=float(tests["df" if method == "parametric bootstrap" else "ndf"].iloc[0]),
        ddf=NAN if method == "parametric bootstrap" else float(chosen["ddf"]),
        f_scaling=float(chosen.get("f_scaling", NAN)),
        p_value=float(chosen["p_value"]),
        tests=tests,
        restriction=pd.DataFrame(restriction.reshape((-1, len(terms)), order="F"), columns=list(terms)),
        reference=values.get("reference", np.empty(0)),
        text=values["text"][0],
        conditions=reply.conditions,
    )
