"""Fixed effects, random effects and variances of a fit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from lmerbridge.bridge import object_from_r
from lmerbridge.errors import InvalidArgument
from lmerbridge.models.extract import getme, pca
from lmerbridge.models.kept import KeptFit, call_on, once
from lmerbridge.results import Array, Tables, VarCorr, labels, shown

RANEF_COLUMNS = {"grpvar": "group", "term": "term", "grp": "level", "condval": "estimate", "condsd": "std_error"}


@shown("sd")
@dataclass(frozen=True, eq=False, repr=False)
class ConditionalCovariance:
    """Covariance of the random effects of one grouping factor, given the data and the estimates.

    Iterates over the levels; ``covariance["308"]`` is the table, terms by terms, at one.

    Attributes
    ----------
    group : str
    terms : tuple of str
        The ``k`` columns of all its random terms.
    levels : tuple of str
        The ``m`` levels.
    values : ndarray, shape (k, k, m)
        As R's ``attr(ranef(fit)$group, "postVar")``; where R gives a list, one array per random term, what lies between
        two terms is here as well.
    """

    group: str
    terms: tuple[str, ...]
    levels: tuple[str, ...]
    values: Array

    @property
    def sd(self) -> pd.DataFrame:
        """Conditional standard deviations: levels by terms."""
        diagonals = np.sqrt(np.einsum("iil->li", self.values))
        return pd.DataFrame(diagonals, index=pd.Index(self.levels), columns=labels(self.terms))

    def __getitem__(self, level: str) -> pd.DataFrame:
        if level not in self.levels:
            raise KeyError(f"{level!r}; the levels of {self.group} are {', '.join(self.levels)}")
        values = self.values[:, :, self.levels.index(level)]
        return pd.DataFrame(values, index=labels(self.terms), columns=labels(self.terms))

    def __iter__(self) -> Iterator[str]:
        return iter(self.levels)


def ranef_table(fit: KeptFit) -> pd.DataFrame:
    """Conditional modes with their standard deviations, as R's ``as.data.frame(ranef(fit))``.

    Returns
    -------
    DataFrame
        Columns ``group``, ``term``, ``level``, ``estimate`` (R's condval) and ``std_error`` (R's condsd), in R's
        order.

    Examples
    --------
    >>> fit = lmer("diameter ~ 1 + (1 | plate) + (1 | sample)", load_dataset("Penicillin"))
    >>> table = fit.ranef_table().set_index(["group", "level", "term"])
    >>> table.loc[("sample", "A", "(Intercept)")].round(3).to_dict()
    {'estimate': 2.187, 'std_error': 0.202}
    """
    table: pd.DataFrame = object_from_r(call_on(fit, "ranef_table"))[list(RANEF_COLUMNS)]
    return table.rename(columns=RANEF_COLUMNS).astype(dict.fromkeys(("group", "term", "level"), object))


def cond_var(fit: KeptFit) -> dict[str, ConditionalCovariance]:
    """Conditional covariances of the random effects, by grouping factor.

    Examples
    --------
    >>> fit.cond_var()["Subject"]["308"].round(2).to_numpy().tolist()
    [[145.71, -21.44], [-21.44, 5.31]]
    """
    found: dict[str, Array] = object_from_r(call_on(fit, "cond_var"))
    return {m.group: ConditionalCovariance(m.group, m.terms, m.levels, found[m.group]) for m in fit.modes}


@once
def coef(fit: KeptFit) -> dict[str, pd.DataFrame]:
    """Fixed plus random effects: for each grouping factor, a table of levels by terms, as R's ``coef``.

    Examples
    --------
    >>> fit.coef["Subject"].loc["308"].round(4).to_dict()
    {'(Intercept)': 253.6637, 'Days': 19.6663}
    """
    tables: dict[str, pd.DataFrame] = object_from_r(call_on(fit, "coef_tables"))
    return Tables({m.group: tables[m.group].set_axis(list(m.levels), axis=0) for m in fit.modes})


def fixef_with(fit: KeptFit, *, add_dropped: bool = True) -> pd.Series:
    """Fixed effects by term, with those that were left out of a rank-deficient model as NaN, in R's order."""
    if not (add_dropped and fit.terms):
        return fit.fixef
    found: pd.Series = object_from_r(call_on(fit, "fixef_all"))
    return found.rename("fixef")


def vcov_of(fit: KeptFit, *, correlation: bool = False, sigma: float | None = None) -> pd.DataFrame:
    """Covariance or correlation of the fixed effects, term by term.

    Parameters
    ----------
    correlation : bool
        The correlations, as ``summary`` prints them.
    sigma : float
        Another residual standard deviation than the estimated one: R's ``sigm``.
    """
    table: pd.DataFrame = object_from_r(
        call_on(fit, "vcov_of", correlation=correlation, sigm=None if sigma is None else _positive(sigma))
    )
    return table


def vcov_full(fit: KeptFit) -> pd.DataFrame:
    """Joint covariance of the random and the fixed effects, with every lme4.

    Its own, ``vcov(fit, full = TRUE)`` from 1.1-36 to at least 2.1-0, forgets that the Cholesky factor is permuted:
    of nested factors and of ``||`` its numbers are wrong, or stand under other labels. Where nothing is permuted
    these are the same doubles.

    Returns
    -------
    DataFrame, shape (q + p, q + p)
        By group, level and term: first the modes, as in `random_index`, then the fixed effects, whose group and
        level are ``""``.
    """
    fixed = pd.MultiIndex.from_product([[""], [""], fit.terms])
    index = getme.random_index(fit).append(fixed).set_names(getme.random_index(fit).names)
    return pd.DataFrame(object_from_r(call_on(fit, "vcov_full")), index=index, columns=index)


def varcorr_of(fit: KeptFit, *, sigma: float) -> VarCorr:
    """Variances and correlations for another residual standard deviation, as ``VarCorr(fit, sigma = )``.

    With ``sigma=1`` they are relative to the residual variance: the cross products of the factors in
    ``get_me("Tlist")``.
    """
    found: dict[str, Any] = object_from_r(call_on(fit, "varcorr_of", sigma=_positive(sigma)))
    blocks = tuple(replace(block, **found[block.name]) for block in fit.varcorr)
    return replace(fit.varcorr, blocks=blocks, residual_sd=float(sigma))


def varcorr_text(fit: KeptFit, *, comp: tuple[Literal["Variance", "Std.Dev."], ...] = ("Std.Dev.",)) -> str:
    """R's ``print(VarCorr(fit), comp = )``."""
    if not comp or not set(comp) <= {"Variance", "Std.Dev."}:
        raise InvalidArgument(f"comp is {comp!r}; ('Variance', 'Std.Dev.') or one of the two is expected.")
    return "\n".join(call_on(fit, "varcorr_text", comp=list(comp))["text"])


def re_pca(fit: KeptFit) -> dict[str, pca.PCA]:
    """Principal components of the random effects, by grouping factor, as ``lme4::rePCA``.

    Examples
    --------
    >>> fit.re_pca()["Subject"].importance.round(4).loc["PC1"].to_dict()
    {'sdev': 0.9669, 'proportion': 0.9461, 'cumulative': 0.9461}
    """
    found: dict[str, dict[str, Array]] = object_from_r(call_on(fit, "re_pca"))
    terms = {m.group: m.terms for m in fit.modes}
    return {name: pca.PCA(name, terms[name], each["sdev"], each["rotation"]) for name, each in found.items()}


def _positive(sigma: float) -> float:
    if not (isinstance(sigma, int | float) and 0 < sigma < np.inf):
        raise InvalidArgument(f"sigma is {sigma!r}; a positive number is expected.")
    return float(sigma)
