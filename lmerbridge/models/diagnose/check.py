"""Checks of what a model assumes: a table of tests, and a panel of plots."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from html import escape
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lmerbridge.inputs import check_methods, draw_seed
from lmerbridge.models.diagnose import assumptions, panel, residuals
from lmerbridge.models.extract import getme, matrices
from lmerbridge.models.kept import KeptFit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHRUNKEN = "Conditional modes are shrunken, and look more normal than the effects are where a level has few rows."
NOT_GAUSSIAN = "Not computed: residuals of a {} model are not normal; simulated_residuals() takes their place."


@check_methods
@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Checks:
    """Checks of what a model assumes.

    Attributes
    ----------
    tests : tuple of Test
    cooks_distance : Series
        Of each row.
    cook_limit : float
        The median of F with p and n - p degrees of freedom.
    inflation : DataFrame
        By term: ``gvif``, ``df``, ``adjusted``. Empty where there are fewer than two terms.
    fit : LmerFit
    seed : int
        Of the responses that the panel draws.
    """

    tests: tuple[assumptions.Test, ...]
    cooks_distance: pd.Series
    cook_limit: float
    inflation: pd.DataFrame
    fit: KeptFit = field(repr=False)
    seed: int

    @property
    def frame(self) -> pd.DataFrame:
        """Table with one row per check: check, of, method, statistic, df, df2, p_value, finding."""
        rows = [[getattr(test, f.name) for f in fields(assumptions.Test)] for test in self.tests]
        return pd.DataFrame(rows, columns=[f.name for f in fields(assumptions.Test)])

    @property
    def outliers(self) -> pd.Series:
        """Cook's distances above the limit, by the data's index."""
        return self.cooks_distance[self.cooks_distance > self.cook_limit]

    def plot(self, axes: Sequence[Axes] | NDArray[Any] | None = None, *, nsim: int = 50) -> NDArray[Any]:
        """Draw the panel that goes with the tests.

        Parameters
        ----------
        axes : sequence of Axes, optional
            One per plot. The default is a new figure of pyplot's.
        nsim : int
            How many responses are drawn from the model beside the one that was observed.

        Returns
        -------
        ndarray of Axes
            Q-Q plot and density of the residuals, residuals and the roots of their sizes against fitted values,
            residuals against leverage, densities of simulated responses, variance inflation where there are two
            terms, and a Q-Q plot of each random effect.
        """
        return panel.draw(self.fit, axes, self.cook_limit, self.inflation, nsim, self.seed)

    def __repr__(self) -> str:
        against = sum(test.p_value < assumptions.ALPHA for test in self.tests)
        return f"<check: {len(self.tests)} checks, {against} with evidence against, {len(self.outliers)} outliers>"

    def __str__(self) -> str:
        return "\n".join(map(_line, self.tests))

    def _repr_html_(self) -> str:
        with pd.option_context("display.max_colwidth", None):
            return f"{self.frame.to_html(index=False, na_rep='')}<p>{escape(repr(self))}</p>"


def _line(test: assumptions.Test) -> str:
    numbers = {"": test.statistic, "df": test.df, "df2": test.df2, "p": test.p_value}
    told = ", ".join(f"{name} {value:.4g}".strip() for name, value in numbers.items() if np.isfinite(value))
    head = f"{test.check} of {test.of}, {test.method}{': ' + told if told else ''}"
    return f"{head}\n{fill(test.finding, 110, initial_indent='    ', subsequent_indent='    ')}"


def check(fit: KeptFit, *, seed: int | None = None) -> Checks:
    """Check what the model assumes: tests in a table, and a panel of plots.

    Parameters
    ----------
    seed : int, optional
        Of the responses that `Checks.plot` draws. Without it, one is drawn.

    Returns
    -------
    Checks
        ``frame`` has a row for the normality of residuals and of each random effect (Shapiro-Wilk), the variance of
        residuals by grouping factor (Brown-Forsythe) and along the fitted values (Breusch-Pagan), outliers (Cook's
        distance) and collinearity (VIF). Each row's finding says what the figure can tell and what it cannot.
        ``plot()`` draws the panel. Residuals are Pearson's over sigma, of the rows that have a weight above zero.

    Notes
    -----
    The statistics are those of ``shapiro.test``, ``car::leveneTest``, ``performance::check_outliers`` and ``car::vif``.

    Examples
    --------
    >>> found = fit.check()
    >>> found.frame[["check", "statistic", "p_value"]].head(3).round(4)
           check  statistic  p_value
    0  normality     0.9015   0.0000
    1  normality     0.9502   0.4277
    2  normality     0.9759   0.8982
    >>> found.outliers.index.tolist()
    [7, 56, 59, 130]
    """
    distances, limit = pd.Series(dtype=float), np.nan
    if fit.terms:
        distances = residuals.cooks_distance(fit)
        limit = assumptions.cook_limit(fit.nobs, len(fit.terms))
    inflation, collinear = _collinearity(fit)
    outlying = [assumptions.outliers(distances, limit)] * bool(fit.terms)
    return Checks(
        tests=(*_tests(fit), *outlying, *collinear),
        cooks_distance=distances,
        cook_limit=limit,
        inflation=inflation,
        fit=fit,
        seed=draw_seed(seed),
    )


def _tests(fit: KeptFit) -> Iterator[assumptions.Test]:
    """Yield the tests of the residuals and the random effects: their distributions, and the residuals' variance."""
    gaussian, used = fit.kind.family == "gaussian", matrices.weights(fit).dropna().to_numpy() > 0
    values = residuals.resid(fit, "pearson", scaled=True).dropna().to_numpy()[used]
    if gaussian:
        yield assumptions.normality("residuals", values)
    else:
        yield assumptions.Test("normality", "residuals", "Shapiro-Wilk", finding=NOT_GAUSSIAN.format(fit.kind.family))
    for modes in fit.modes:
        for term, effects in zip(modes.terms, modes.modes.T, strict=True):
            yield assumptions.normality(f"{modes.group} {term}", effects, SHRUNKEN)
    if gaussian:
        for group, factor in getme.get_me(fit, "flist").items():
            yield assumptions.equal_variance(group, values, factor.cat.codes.to_numpy()[used])
        yield assumptions.constant_variance(values, fit.fitted_values[used])


def _collinearity(fit: KeptFit) -> tuple[pd.DataFrame, list[assumptions.Test]]:
    """Return the variance inflation of each term, and what it says."""
    terms = matrices.model_terms(fit)
    found = assumptions.variance_inflation(fit.covariance, list(terms.assign), terms.labels)
    return found, [
        *assumptions.collinearity(found, interactions=any(n > 1 for n in terms.order), intercept=terms.intercept)
    ]
