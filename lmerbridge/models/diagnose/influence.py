"""Influence of each row, or of each level of a grouping factor: the model refitted without it."""

from __future__ import annotations

from collections.abc import Hashable, Sized
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
import pandas as pd

from lmerbridge.drawing import COLOR, NAMED, one_panel
from lmerbridge.errors import InvalidArgument, amount
from lmerbridge.inputs import check_methods
from lmerbridge.results import Array, Condition, Fit, VarCorr, labels, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Without: TypeAlias = "tuple[Refit, tuple[Condition, ...]]"


@dataclass(frozen=True, eq=False)
class Refit:
    """The numbers of one refit: the flat list of R's ``describe_refit``."""

    terms: tuple[str, ...]
    beta: Array
    var_cov: Array
    vcov: Array
    converged: bool
    singular: bool
    function_evals: int


@check_methods
@shown("fixed_effects_without", "var_cov_comps_without")
@dataclass(frozen=True, eq=False, repr=False)
class Influence:
    """Estimates without each row, or without each level, of the data: lme4's ``influence.merMod``.

    Attributes
    ----------
    group : str
        What was left out: ``"case"``, or the columns whose levels were.
    fixed_effects, var_cov_comps : Series
        Estimates of the whole model: ``p`` terms; ``sigma^2`` and, named as by lme4, variances and covariances.
    vcov : DataFrame, shape (p, p)
        Covariance of the fixed effects of the whole model.
    fixed_effects_without, var_cov_comps_without : DataFrame
        The same by what was left out: the index has the data's labels, or the levels. NaN where the refit has no such
        term, or failed.
    vcov_without : ndarray, shape (nlevels, p, p)
    converged, singular : Series of bool
        Of each refit. One that failed has not converged.
    function_evals : Series of int
    conditions : tuple of (label, Condition)
        What R said of each refit; the error of one that failed is among them.
    """

    group: str
    fixed_effects: pd.Series
    var_cov_comps: pd.Series
    vcov: pd.DataFrame
    fixed_effects_without: pd.DataFrame
    var_cov_comps_without: pd.DataFrame
    vcov_without: Array
    converged: pd.Series
    singular: pd.Series
    function_evals: pd.Series
    conditions: tuple[tuple[Hashable, Condition], ...]

    @classmethod
    def of(cls, fit: Fit, group: str, levels: pd.Index, whole: Refit, found: list[Without]) -> Influence:
        """Gather the refits of a fit, one per level, and its own numbers in the form of a refit."""
        refits, terms, parameters = [refit for refit, _ in found], list(fit.terms), _parameters(fit.varcorr)
        fixed, vcov = _by_term(refits, terms)
        var_cov = np.array([r.var_cov if len(r.var_cov) else np.full(len(parameters), np.nan) for r in refits])
        return cls(
            group,
            fit.fixef,
            pd.Series(whole.var_cov, index=parameters, name="var_cov_comps"),
            fit.vcov,
            pd.DataFrame(fixed, index=levels, columns=labels(fit.terms)),
            pd.DataFrame(var_cov, index=levels, columns=parameters),
            vcov,
            pd.Series([r.converged for r in refits], index=levels, name="converged"),
            pd.Series([r.singular for r in refits], index=levels, name="singular"),
            pd.Series([r.function_evals for r in refits], index=levels, name="function_evals"),
            tuple((level, c) for level, (_, said) in zip(levels, found, strict=True) for c in said),
        )

    def __repr__(self) -> str:
        n, stopped, singular = len(self.converged), int((~self.converged).sum()), int(self.singular.sum())
        return f"<influence of each {self.group}: {amount(n, 'refit')}, {stopped} not converged, {singular} singular>"

    def dfbeta(self, which: Literal["fixed", "var.cov"] = "fixed") -> pd.DataFrame:
        """Return the change in each estimate: that without the row or level, less that with all."""
        if which == "fixed":
            return self.fixed_effects_without - self.fixed_effects.to_numpy()  # terms may share a name
        return self.var_cov_comps_without - self.var_cov_comps

    def dfbetas(self) -> pd.DataFrame:
        """Return the change in each fixed effect over its standard error without the row or level.

        lme4's own stops with an error where the model has one fixed effect.
        """
        errors = np.sqrt(np.einsum("nii->ni", self.vcov_without))
        return self.dfbeta().div(errors)

    def cooks_distance(self) -> pd.Series:
        """Return Cook's distance of each row or level, as lme4's ``cooks.distance`` of an influence."""
        change = self.dfbeta().to_numpy()
        n, p = change.shape
        check_fixed(self.vcov.index)
        weight = (n - p) / (n * p) * np.linalg.inv(self.vcov.to_numpy())
        return pd.Series(np.einsum("ni,ij,nj->n", change, weight, change), self.converged.index, name="cooks_distance")

    def plot(self, ax: Axes | None = None, *, named: int = 3) -> Axes:
        """Cook's distance of each row or level, the largest with their names.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw. The default is a new figure of pyplot's.
        named : int
            How many have their names beside them.

        Returns
        -------
        Axes
        """
        ax, distances = one_panel(ax), self.cooks_distance()
        ax.vlines(range(len(distances)), 0, distances, color=COLOR)
        for at in np.argsort(-distances.to_numpy(), kind="stable")[:named]:
            ax.annotate(str(distances.index[at]), (at, distances.iloc[at]), ha="center", va="bottom")
        shown = list(map(str, distances.index)) if len(distances) <= NAMED else []
        ax.set_xticks(range(len(shown)), shown, rotation=90, fontsize=8)
        ax.margins(y=0.1)
        ax.set_xlabel(self.group)
        ax.set_ylabel("Cook's distance")
        return ax


def check_fixed(terms: Sized) -> None:
    """Refuse Cook's distance of a model without fixed effects."""
    if not len(terms):
        raise InvalidArgument("Cook's distance is how far the fixed effects move, and the model has none.")


def _by_term(refits: list[Refit], terms: list[str]) -> tuple[Array, Array]:
    """Fixed effects and their covariances, each term in its place, NaN where a refit lacks one or it is not clear."""
    fixed = np.full((len(refits), len(terms)), np.nan)
    vcov = np.full((len(refits), len(terms), len(terms)), np.nan)
    for i, refit in enumerate(refits):
        if list(refit.terms) != terms and len(set(terms)) < len(terms):
            continue  # which of those that share a name?
        at = list(range(len(terms))) if list(refit.terms) == terms else [terms.index(term) for term in refit.terms]
        fixed[i, at] = refit.beta
        vcov[i][np.ix_(at, at)] = refit.vcov.reshape(len(at), -1, order="F") if at else 0
    return fixed, vcov


def _parameters(varcorr: VarCorr) -> list[str]:
    """lme4's names of the variances and covariances in an influence."""
    names = ["sigma^2"]
    for block in varcorr:
        prefix = f"{block.name}:" if len(varcorr) > 1 else ""
        for j, i in combinations_with_replacement(range(len(block.terms)), 2):
            inner = f"v[{block.terms[i]}]" if i == j else f"C[{block.terms[i]},{block.terms[j]}]"
            names.append(prefix + inner)
    return names
