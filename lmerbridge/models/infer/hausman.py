"""Hausman's test: the within estimator against a random intercept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy.stats import chi2

from lmerbridge.bridge import time_limit
from lmerbridge.errors import InvalidArgument, UnfitData
from lmerbridge.inputs import check_signature
from lmerbridge.models.change import update
from lmerbridge.models.infer import components, within
from lmerbridge.models.kept import KeptFit
from lmerbridge.results import shown

HausmanMethod = Literal["reml", "ml", "swar", "walhus", "amemiya", "nerlove"]
ROUNDING = 1e-10  # of the within estimator's variances: what the difference of two covariances may leave
MUNDLAK = "mundlak_test(fit) takes any random part."
INDEFINITE = (
    "the within estimator's covariance less that of the random intercept, by {method!r}, is not positive definite: "
    "relative to the former its eigenvalues go from {smallest:.3g} to {largest:.3g}, and the form in its inverse is no "
    "chi-squared. Another method may do, and " + MUNDLAK
)


@shown()
@dataclass(frozen=True, eq=False, repr=False)
class HausmanTest:
    """A comparison of fixed and random effects.

    Attributes
    ----------
    group : str
        The grouping factor.
    method : str
        How the random effects' variances are estimated.
    statistic : float
        Hausman's chi-squared.
    df : int
    p_value : float
    frame : DataFrame
        One row per coefficient that both have: ``term``, the estimates ``within`` and ``random``, their ``difference``
        and its ``std_error``.
    left_out : tuple of str
        Predictors that are not compared: they do not vary within groups, or their group means say nothing new, as in
        balanced data, where both estimates are one.
    """

    group: str
    method: str
    statistic: float
    df: int
    p_value: float
    frame: pd.DataFrame
    left_out: tuple[str, ...]

    def __str__(self) -> str:
        left_out = f"\nNot compared: {', '.join(self.left_out)}" if self.left_out else ""
        return f"{self!r}\n{self.frame.to_string(index=False)}{left_out}"

    def __repr__(self) -> str:
        tested = f"chi-squared {self.statistic:.4g}, df {self.df}, p {self.p_value:.4g}"
        return f"<Hausman's test by {self.group}, random effects by {self.method}: {tested}>"


@check_signature
def hausman(fit: KeptFit, *, method: HausmanMethod = "reml", timeout: float | None = None) -> HausmanTest:
    """Compare the within estimator with a random intercept: Hausman's specification test.

    `mundlak_test` asks the same, and leaves no choice of a method, on which the statistic depends: of Grunfeld's data
    it is between 1.3 and 4.9.

    Parameters
    ----------
    fit : LmerFit
        With one random intercept, and no other random term.
    method : {"reml", "ml", "swar", "walhus", "amemiya", "nerlove"}
        How the variances of the random effects are estimated: as lme4 does, by REML or by maximum likelihood; or
        as plm does, after Swamy and Arora, Wallace and Hussain, Amemiya, or Nerlove. The latter four take no weights.
    timeout : float, optional
        Seconds after which R is stopped. The default is no limit.

    Returns
    -------
    HausmanTest
        Of the columns of the fixed model matrix that vary within groups, and whose means differ between them.

    Raises
    ------
    InvalidArgument
        The fit has another random part, or the method does not take it.
    UnfitData
        There is nothing to compare, as in balanced data; or the difference of the covariances is not positive definite.

    Source: Hausman (1978). ``plm::phtest`` gives the same, of whose statistic it takes the absolute value.

    Examples
    --------
    >>> from lmerbridge import hausman
    >>> hausman(lmer("MathAch ~ SES + (1 | School)", load_dataset("MathAchieve", "nlme")), method="swar")
    <Hausman's test by School, random effects by swar: chi-squared 112.2, df 1, p 3.238e-26>
    """
    if fit.kind.family != "gaussian" or fit.kind.link != "identity":
        told = f"a {fit.kind.family} model with link {fit.kind.link} has no such estimate within groups to compare with"
        raise InvalidArgument(f"{told}; {MUNDLAK}")
    if [block.terms for block in fit.varcorr] != [("(Intercept)",)]:
        raise InvalidArgument(f"the random part is not one random intercept, as Hausman's test has it; {MUNDLAK}")
    with time_limit(timeout):
        rows = within.group_rows(fit, None)
        at, (fixed, covariance, _) = rows.compared, rows.estimate
        if method in ("reml", "ml"):
            same = fit if fit.reml == (method == "reml") else update.update(fit, reml=method == "reml")
            beta, of_random = same.beta, same.covariance
        else:
            beta, of_random = components.random_intercept(rows, method)
    kept = [rows.varying.index(i) for i in at]
    fixed, covariance = fixed[kept], covariance[np.ix_(kept, kept)]
    difference, spread = fixed - beta[at], covariance - of_random[np.ix_(at, at)]
    scale = np.sqrt(np.diag(covariance))
    values = np.linalg.eigvalsh(spread / np.outer(scale, scale))
    if values[0] <= ROUNDING:
        raise UnfitData(INDEFINITE.format(method=method, smallest=values[0], largest=values[-1]))
    statistic = within.quadratic_form(difference, spread)
    columns = {"within": fixed, "random": beta[at], "difference": difference, "std_error": np.sqrt(np.diag(spread))}
    frame = pd.DataFrame({"term": within.names_of(rows.terms, at), **columns})
    p_value = float(chi2.sf(statistic, len(at)))
    return HausmanTest(rows.group, method, statistic, len(at), p_value, frame, rows.left_out)
