"""Tests of what a model assumes, on plain numbers, each with what it can tell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import nan

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lmerbridge.errors import amount
from lmerbridge.results import Array, shown

ALPHA = 0.05  # where a sentence speaks of evidence
SHAPIRO = (3, 5000)  # values that Royston's approximation, R's shapiro.test, is made for
FEW, MANY = 30, 1000  # values up to which a test sees only gross departures, and from which it sees negligible ones
ALIKE = 1e-10  # of the largest: values that differ by less are one, as in shapiro.test
PER_GROUP = 3  # rows of a group: two are equally far from their median, whatever their variance
HIGH = (5.0, 10.0)  # variance inflation, moderate and high


@shown()
@dataclass(frozen=True, repr=False)
class Test:
    """One check of a model.

    Attributes
    ----------
    check : str
        What is checked: normality, equal variance by group, constant variance, overdispersion, outliers, collinearity.
    of : str
        Of what.
    method : str
    statistic, df, df2, p_value : float
        NaN where there is none.
    finding : str
        What the numbers say, and what they cannot.
    """

    check: str
    of: str
    method: str
    statistic: float = nan
    df: float = nan
    df2: float = nan
    p_value: float = nan
    finding: str = ""


def normality(of: str, values: Array, caution: str = "") -> Test:
    """Test values for a normal distribution by Shapiro and Wilk's W, as R's ``shapiro.test``."""
    from scipy.stats import shapiro  # slow to load

    n, what = len(values), ("normality", of, "Shapiro-Wilk")
    low, high = SHAPIRO
    if not low <= n <= high:
        where = "the Q-Q plot shows more than any test would" if n > high else "too few to tell"
        return Test(*what, finding=f"Not computed: the test is defined for {low} to {high} values, here {n}; {where}.")
    if np.ptp(values) <= ALIKE * np.abs(values).max():
        return Test(*what, finding="Not computed: all values are one, as where a variance is zero.")
    w, p = map(float, shapiro(values))
    return Test(*what, w, p_value=p, finding=" ".join(filter(None, (_evidence(p, "normality", n), caution))))


def overdispersion(pearson: Array, df: int, *, binary: bool) -> Test:
    """Test the sum of squared Pearson residuals for more variance than the family has, by chi-squared.

    As ``performance::check_overdispersion`` of R, whose ratio is the sum over its degrees of freedom.
    """
    from scipy.special import chdtrc  # slow to load

    what = ("overdispersion", "response given the random effects", "Pearson's chi-squared")
    if binary:
        return Test(*what, finding="Not computed: single outcomes of a binomial model cannot vary more than it says.")
    if df < 1:
        return Test(*what, finding="Not computed: the model has as many parameters as rows.")
    total = float(pearson @ pearson)
    p = float(chdtrc(df, total))
    word = "Evidence of overdispersion." if p < ALPHA else "No evidence of overdispersion."
    caution = "With small means it is a rough test: see simulated_residuals()."
    return Test(*what, total, df=df, p_value=p, finding=f"{word} Its ratio to df is {total / df:.3g}. {caution}")


def _evidence(p: float, of: str, n: int) -> str:
    if p < ALPHA:
        much = f" With {n} values it sees departures too small to matter: look at the picture." if n > MANY else ""
        return f"Evidence against {of}.{much}"
    few = f" With {n} values only gross departures show: this is weak evidence for it." if n <= FEW else ""
    return f"No evidence against {of}.{few}"


def equal_variance(group: str, values: Array, codes: NDArray[np.integer]) -> Test:
    """Test residuals for one variance in all groups by Brown and Forsythe's F, as ``car::leveneTest``.

    Groups of fewer than three rows are left out.
    """
    from scipy.stats import levene  # slow to load

    what = ("equal variance", f"residuals by {group}", "Brown-Forsythe")
    groups = [values[codes == code] for code in np.unique(codes)]
    large = [each for each in groups if len(each) >= PER_GROUP]
    left_out = len(groups) - len(large)
    told = f"{amount(left_out, 'group')} of fewer than {PER_GROUP} rows left out." if left_out else ""
    rows = sum(map(len, large))
    if len(large) < 2 or all(np.ptp(each) == 0 for each in large):
        return Test(*what, finding=f"Not computed: it takes two groups of {PER_GROUP} rows or more. {told}".rstrip())
    f, p = map(float, levene(*large, center="median"))
    small = "Few rows a group: it sees gross differences alone." if rows / len(large) < 2 * PER_GROUP else ""
    finding = " ".join(filter(None, (_evidence(p, "one variance in all groups", rows), told, small)))
    return Test(*what, f, len(large) - 1, rows - len(large), p, finding)


def constant_variance(residuals: Array, fitted: Array) -> Test:
    """Test squared residuals for a trend along the fitted values by Breusch and Pagan's score test.

    The squares are relative to their mean, as in ``car::ncvTest`` and, for a linear model,
    ``performance::check_heteroscedasticity``; for a mixed model the latter divides by a variance made of the deviance.
    """
    from scipy.stats import chi2  # slow to load

    what = ("constant variance", "residuals by fitted values", "Breusch-Pagan")
    centred = fitted - fitted.mean()
    spread = float(centred @ centred)
    if np.ptp(fitted) <= ALIKE * np.abs(fitted).max():
        return Test(*what, finding="Not computed: all fitted values are one.")
    squares = residuals**2 / np.mean(residuals**2)
    chisq = float(centred @ squares) ** 2 / spread / 2
    p = float(chi2.sf(chisq, 1))
    caution = "It takes normal residuals, and long tails alone make it significant; it sees a straight trend only."
    return Test(*what, chisq, 1, p_value=p, finding=f"{_evidence(p, 'constant variance', len(fitted))} {caution}")


def cook_limit(n: int, p: int) -> float:
    """Return the median of F with p and n - p degrees of freedom, as ``performance::check_outliers``."""
    from scipy.stats import f  # slow to load

    return float(f.ppf(0.5, p, n - p))


def outliers(distances: pd.Series, limit: float) -> Test:
    """Name the rows whose Cook's distance is above a limit."""
    found = distances.index[distances > limit]
    shown = ", ".join(map(str, found[:10])) + (", ..." if len(found) > 10 else "")
    rows = (
        f"Above {limit:.3g}: {amount(len(found), 'row')}, {shown}." if len(found) else f"No row is above {limit:.3g}."
    )
    caution = "The limit is a convention; how far the estimates move, influence() tells by refitting."
    return Test("outliers", "rows", "Cook's distance", float(distances.max()), finding=f"{rows} {caution}")


def variance_inflation(vcov: Array, assign: Sequence[str], terms: Sequence[str]) -> pd.DataFrame:
    """Return the generalized variance inflation of each term (Fox and Monette 1992), as ``car::vif``.

    Parameters
    ----------
    vcov : ndarray, shape (p, p)
        Covariance of the fixed effects.
    assign : sequence of str
        For each of them its term.
    terms : sequence of str

    Returns
    -------
    DataFrame
        By term: ``gvif``, which is the VIF where ``df`` is 1, ``df``, and ``adjusted``, GVIF^(1/(2 df)), to be compared
        with the root of a VIF. Empty where there are fewer than two terms.
    """
    inner = np.array([term != "(Intercept)" for term in assign], np.bool_)
    kept = np.array(assign, dtype=object)[inner]
    names = [term for term in terms if term in kept]
    if len(names) < 2:
        return pd.DataFrame(columns=["gvif", "df", "adjusted"], dtype=float).astype({"df": int})
    sd = np.sqrt(np.diag(vcov)[inner])
    corr = vcov[np.ix_(inner, inner)] / np.outer(sd, sd)
    own = {term: kept == term for term in names}
    logs = {term: _logdet(corr, at) + _logdet(corr, ~at) - _logdet(corr, at | True) for term, at in own.items()}
    frame = pd.DataFrame(
        {"gvif": pd.Series(logs).map(np.exp), "df": pd.Series({t: int(at.sum()) for t, at in own.items()})}
    )
    return frame.assign(adjusted=frame["gvif"] ** (1 / (2 * frame["df"])))


def _logdet(matrix: Array, at: NDArray[np.bool_]) -> float:
    return float(np.linalg.slogdet(matrix[np.ix_(at, at)])[1])


def collinearity(inflation: pd.DataFrame, *, interactions: bool, intercept: bool) -> Iterator[Test]:
    """Yield the variance inflation of each term, and what it says."""
    caution = [
        "The model has interactions, which go along with their own parts by construction: look at the VIF of the model "
        "without them."
    ] * interactions
    caution += ["Without an intercept a VIF is not sensible."] * (not intercept)
    for term, gvif, df, adjusted in inflation[["gvif", "df", "adjusted"]].itertuples():
        size = adjusted**2  # to be compared with the VIF of one column
        level = "low" if size < HIGH[0] else "moderate" if size < HIGH[1] else "high"
        finding = (
            f"Its standard error is {adjusted:.3g} times what it would be were it not correlated with others: {level}."
        )
        yield Test(
            "collinearity", str(term), "VIF" if df == 1 else "GVIF", gvif, df, finding=" ".join([finding, *caution])
        )
