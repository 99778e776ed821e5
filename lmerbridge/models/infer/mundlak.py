"""Mundlak's test: whether effects within groups differ from those between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from scipy.stats import chi2, norm

from lmerbridge.bridge import notices, time_limit
from lmerbridge.errors import EngineFailed
from lmerbridge.formula import Call, Name, deparse, join_trees
from lmerbridge.inputs import Spec, check_signature
from lmerbridge.models.infer.within import group_rows, names_of, quadratic_form
from lmerbridge.models.kept import KeptFit, fit_spec
from lmerbridge.results import Array, shown


@shown()
@dataclass(frozen=True, eq=False, repr=False)
class MundlakTest:
    """A test of the group means of predictors, added to a model.

    Attributes
    ----------
    group : str
        The grouping factor.
    statistic : float
        Wald's chi-squared of all means together.
    df : int
    p_value : float
    frame : DataFrame
        One row per mean: ``term``, ``estimate``, ``std_error``, ``statistic`` (z) and ``p_value``. The estimate is how
        much the effect between groups differs from that within.
    left_out : tuple of str
        Predictors whose means are not tested: they do not vary within groups, or their means say nothing new.
    fit : LmerFit
        The model with the means.
    """

    group: str
    statistic: float
    df: int
    p_value: float
    frame: pd.DataFrame
    left_out: tuple[str, ...]
    fit: KeptFit = field(repr=False)

    def __str__(self) -> str:
        left_out = f"\nNot tested: {', '.join(self.left_out)}" if self.left_out else ""
        return f"{self!r}\n{self.frame.to_string(index=False)}{left_out}"

    def __repr__(self) -> str:
        tested = f"chi-squared {self.statistic:.4g}, df {self.df}, p {self.p_value:.4g}"
        return f"<Mundlak's test of means by {self.group}: {tested}>"


@check_signature
def mundlak_test(fit: KeptFit, *, group: str | None = None, timeout: float | None = None) -> MundlakTest:
    """Test whether the effects of predictors within groups differ from those between them: fixed or random effects.

    The means by group of the predictors that vary within groups are added to the model, and tested by Wald's test.
    Where they count, a model without them mixes two effects: keep them in it (`MundlakTest.fit`), or use fixed effects.

    Parameters
    ----------
    fit : LmerFit
        With any random part and weights, and groups of any sizes.
    group : str, optional
        The grouping factor; it has to be named where the fit has several.
    timeout : float, optional
        Seconds after which R is stopped. The default is no limit.

    Returns
    -------
    MundlakTest
        Its predictors are the columns of the fixed model matrix, over the rows used: each column of a factor or
        poly() has its mean, weighted where the fit is.

    Raises
    ------
    InvalidArgument
        The fit has no such grouping factor, or several and none is named.
    UnfitData
        There are no means to test, as in balanced data.

    Source: Mundlak (1978). In balanced data it is the regression test of ``plm::phtest(method = "aux")``.

    Examples
    --------
    >>> from lmerbridge import mundlak_test
    >>> pupils = load_dataset("MathAchieve", "nlme")
    >>> mundlak_test(lmer("MathAch ~ SES + (1 | School)", pupils))
    <Mundlak's test of means by School: chi-squared 94.69, df 1, p 2.23e-22>
    """
    with time_limit(timeout):
        rows = group_rows(fit, group)
        tested = names_of(rows.terms, rows.compared)
        names = _names(fit.spec.data, tested)
        with_means = fit_spec(type(fit), _with_means(fit, names, rows.means(rows.x[:, rows.compared])))
        notices.give(notices.of_conditions(with_means.conditions))
    places = [i for i, term in enumerate(with_means.terms) if term not in fit.terms]
    if len(places) < len(names):
        raise EngineFailed(f"lme4 left means out of the model: {', '.join(with_means.dropped_terms)}.")
    estimate, covariance = with_means.beta[places], with_means.covariance[np.ix_(places, places)]
    statistic = quadratic_form(estimate, covariance)
    p_value = float(chi2.sf(statistic, len(places)))
    frame = _table(names, estimate, np.sqrt(np.diag(covariance)))
    return MundlakTest(rows.group, statistic, len(places), p_value, frame, rows.left_out, with_means)


def _names(data: pd.DataFrame, terms: Sequence[str]) -> tuple[str, ...]:
    """Return names for columns of means that the data has not."""
    ending = "_between"
    while any(f"{term}{ending}" in data.columns for term in terms):
        ending += "_"
    return tuple(f"{term}{ending}" for term in terms)


def _with_means(fit: KeptFit, names: Sequence[str], means: Array) -> Spec:
    """Return the fit's specification with columns of means in its data and its fixed part."""
    whole = np.zeros((len(fit.spec.data), len(names)))  # what stands in rows that are not used does not count
    whole[fit.rows] = means
    data = fit.spec.data.assign(**dict(zip(names, whole.T, strict=True)))
    response, right = fit.spec.parsed.tree.args
    formula = deparse(Call("~", (response, join_trees("+", [right, *map(Name, names)]))))
    return replace(fit.spec, data=data, formula=formula)


def _table(names: Sequence[str], estimate: Array, std_error: Array) -> pd.DataFrame:
    z = estimate / std_error
    columns = {"estimate": estimate, "std_error": std_error, "statistic": z, "p_value": 2 * norm.sf(np.abs(z))}
    return pd.DataFrame({"term": list(names), **columns})
