"""The variance that each part of a model explains, and what is made of it: intraclass correlation and R squared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np
import pandas as pd

from lmerbridge.errors import NotExpressible
from lmerbridge.models.extract import latent
from lmerbridge.models.kept import KeptFit
from lmerbridge.results import SINGULAR, Array, CovarianceBlock, Fit, RandomTerm, shown


@shown()
@dataclass(frozen=True, eq=False, repr=False)
class VarianceParts:
    """The variance of the response, less its offset, by the parts of the model that explain it.

    That of a generalized model is on the scale of its link.

    Attributes
    ----------
    fixed : float
        Of the fixed part: the variance of ``X beta`` over the rows, by ``n - 1``.
    random : mapping of str to float
        Of each grouping factor: the mean over the rows of ``z Sigma z'``, all its terms together.
    residual : float
        The mean over the rows of ``sigma**2 / weight``; of a generalized model, what the distribution of the response
        adds on the scale of the link.
    zero : tuple of str
        The grouping factors whose variance is zero, to 1e-8 of the residual one.
    singular : bool
        Whether the fit is singular.
    link : str
    mean : float
        Of counts with the link log, the mean that ``residual`` is of; NaN of others.
    """

    fixed: float
    random: Mapping[str, float]
    residual: float
    zero: tuple[str, ...] = ()
    singular: bool = False
    link: str = "identity"
    mean: float = nan

    @property
    def random_sum(self) -> float:
        """The variance of all grouping factors together."""
        return sum(self.random.values())

    @property
    def total(self) -> float:
        """The variance of all parts together."""
        return self.fixed + self.random_sum + self.residual

    @property
    def frame(self) -> pd.DataFrame:
        """Table by part: effect, group, variance and share of the total."""
        rows = [("fixed", None, self.fixed), *(("random", group, value) for group, value in self.random.items())]
        table = pd.DataFrame([*rows, ("residual", None, self.residual)], columns=["effect", "group", "variance"])
        return table.assign(share=table["variance"] / self.total)

    @property
    def notes(self) -> str:
        """What a reader is to know of a generalized model's scale and of a singular fit, empty of another."""
        told = [] if self.link == "identity" else [f"Variances are on the scale of the link, {self.link}."]
        if self.mean < latent.SMALL:
            told.append(
                f"The mean count of {self.mean:.2g} is near zero, so that the residual variance is a rough one."
            )
        if self.zero:
            told.append(f"The variance of {', '.join(self.zero)} is zero: the fit is singular.")
        elif self.singular:
            told.append("The fit is singular: a variance or a correlation is at its limit.")
        return "".join(f"\n{sentence}" for sentence in told)

    def __str__(self) -> str:
        return self.frame.to_string(index=False, na_rep="") + self.notes


@shown("frame", "parts")
@dataclass(frozen=True, eq=False, repr=False)
class ICC:
    """Intraclass correlation of a fit.

    Attributes
    ----------
    parts : VarianceParts
    by_group : bool
        Whether `frame` has the correlation of each grouping factor.
    """

    parts: VarianceParts
    by_group: bool = False

    @property
    def adjusted(self) -> float:
        """The share of the random effects in the variance that the fixed part leaves."""
        return self.parts.random_sum / (self.parts.random_sum + self.parts.residual)

    @property
    def unadjusted(self) -> float:
        """The share of the random effects in the whole variance."""
        return self.parts.random_sum / self.parts.total

    @property
    def groups(self) -> pd.Series:
        """The share of each grouping factor in the variance that the fixed part leaves: they sum to `adjusted`."""
        shares = pd.Series(self.parts.random, name="icc", dtype=float)
        return shares / (self.parts.random_sum + self.parts.residual)

    @property
    def frame(self) -> pd.DataFrame:
        """Table with the column icc: of adjusted and unadjusted, or by grouping factor."""
        both = pd.Series({"adjusted": self.adjusted, "unadjusted": self.unadjusted}, name="icc")
        return (self.groups if self.by_group else both).to_frame()

    def __str__(self) -> str:
        head = f"Intraclass correlation: adjusted {self.adjusted:.3f}, unadjusted {self.unadjusted:.3f}"
        groups = f"\n\n{self.groups.round(3).to_frame().to_string()}" if self.by_group else ""
        return f"{head}{groups}\n\n{self.parts}"

    __repr__ = __str__


@shown("frame", "parts")
@dataclass(frozen=True, eq=False, repr=False)
class R2:
    """Nakagawa's R squared of a fit.

    Attributes
    ----------
    parts : VarianceParts
    """

    parts: VarianceParts

    @property
    def marginal(self) -> float:
        """The share of the fixed part in the whole variance."""
        return self.parts.fixed / self.parts.total

    @property
    def conditional(self) -> float:
        """The share of the fixed part and the random effects in the whole variance."""
        return (self.parts.fixed + self.parts.random_sum) / self.parts.total

    @property
    def frame(self) -> pd.DataFrame:
        """Table with the column r2, of marginal and conditional."""
        return pd.DataFrame({"r2": [self.marginal, self.conditional]}, ["marginal", "conditional"])

    def __str__(self) -> str:
        return f"R squared: marginal {self.marginal:.3f}, conditional {self.conditional:.3f}\n\n{self.parts}"

    __repr__ = __str__


def icc(fit: Fit, *, by_group: bool = False) -> ICC:
    """Return the intraclass correlation: the share of the random effects in the variance.

    The variance of a random slope is Johnson's, the mean over the rows of ``z Sigma z'``, where ``z`` is the row of the
    random model matrix. With weights the residual variance is the mean of ``sigma**2 / weight``, so that the result
    does not depend on the unit of the weights; rows of weight zero are left out. An offset is no part of the variance.
    A variance of zero counts as 0, and the text says so.

    A generalized model's variances are on the scale of its link. The residual one is pi**2 / 3 of a binomial logit, 1
    of a probit, pi**2 / 6 of a cloglog; of counts with the link log it is ``log(1 + 1 / mean + 1 / shape)``, where
    the mean is that of the model without predictors, fitted to the same rows, and rough where it is small, as the text
    says. Families with a dispersion, as Gamma, are refused: lme4 gets their variances wrong.

    Parameters
    ----------
    by_group : bool
        Whether the table has each grouping factor's share instead.

    Returns
    -------
    ICC
        ``adjusted`` and ``unadjusted``, ``groups``, the variances in ``parts`` and a ``frame``.

    Raises
    ------
    NotExpressible
        The residual variance of the response's distribution is not known here.

    Source: Nakagawa, Johnson and Schielzeth (2017); Johnson (2014); ``icc`` of R's performance, which takes the columns
    of the random part from the fixed one, ignores weights, gives NA for a singular fit and counts intercepts alone by
    group.

    Examples
    --------
    >>> fit.icc().frame.round(3)
                  icc
    adjusted    0.722
    unadjusted  0.521
    """
    return ICC(variance_parts(fit), by_group)


def r2(fit: Fit) -> R2:
    """Return Nakagawa's R squared: the share of the variance that the model explains.

    The variances are those of `icc`.

    Returns
    -------
    R2
        ``marginal``, of the fixed part alone, ``conditional``, of the random effects too, ``parts`` and a ``frame``.

    Raises
    ------
    NotExpressible
        The residual variance of the response's distribution is not known here.

    Source: Nakagawa and Schielzeth (2013); Johnson (2014); ``r2_nakagawa`` of R's performance, with what `icc` says.

    Examples
    --------
    >>> fit.r2().frame.round(3)
                    r2
    marginal     0.279
    conditional  0.799
    """
    return R2(variance_parts(fit))


def explained(fit: Fit) -> tuple[float, float, float]:
    """Return ICC and marginal and conditional R squared, NaN where the residual variance is not known."""
    try:
        parts = variance_parts(fit)
    except NotExpressible:
        return nan, nan, nan
    return ICC(parts).adjusted, R2(parts).marginal, R2(parts).conditional


def variance_parts(fit: Fit) -> VarianceParts:
    """Return the variance that each part of a model explains, over the rows that have a weight.

    Raises
    ------
    NotExpressible
        The fit has no design, or the residual variance of the response's distribution is not known here.
    """
    found = fit.design()
    if found is None:
        raise NotExpressible(f"{fit.engine} does not give the model's matrices, of which the variances are made.")
    used = found.weights > 0
    random: dict[str, float] = {}
    for block, term in zip(fit.varcorr, found.random, strict=True):
        random[block.group] = random.get(block.group, 0.0) + float(row_variances(block, term)[used].mean())
    residual = _residual_variance(fit, found.weights[used])
    columns = found.x[used]
    return VarianceParts(
        fixed=float(np.sum(((columns - columns.mean(axis=0)) @ fit.beta) ** 2) / (len(columns) - 1)),
        random=random,
        residual=residual,
        zero=tuple(group for group, variance in random.items() if variance < SINGULAR**2 * residual),
        singular=fit.singular,
        link=fit.kind.link,
        mean=latent.mean_count(fit) if isinstance(fit, KeptFit) and _of(fit) in latent.COUNTS else nan,
    )


def row_variances(block: CovarianceBlock, term: RandomTerm) -> Array:
    """Return the variance that one random term gives each row, the diagonal of ``Z Sigma Z'``."""
    import scipy.sparse as sp  # slow to load

    weighted = term.z @ sp.kron(sp.eye_array(len(term.levels)), block.covariance, format="csc")
    return np.asarray((weighted * term.z).sum(axis=1)).ravel()


def _gaussian(fit: Fit, weights: Array) -> float:
    return float(np.mean(fit.sigma**2 / weights))


RESIDUAL: Mapping[tuple[str, str], Callable[[Any, Array], float]] = {  # by distribution and link
    ("gaussian", "identity"): _gaussian,
    **dict.fromkeys((*latent.LATENT, *latent.COUNTS), lambda fit, weights: latent.variance(fit)),
}


def _of(fit: Fit) -> tuple[str, str]:
    return fit.kind.family, fit.kind.link


def _residual_variance(fit: Fit, weights: Array) -> float:
    """Return the residual variance on the scale of the linear predictor, by the distribution of the response."""
    family, link = _of(fit)
    if (family, link) not in RESIDUAL:
        known = ", ".join("/".join(each) for each in RESIDUAL)
        told = f"the residual variance of {family} with link {link} is not known here"
        raise NotExpressible(f"{told}; ICC and R squared are of {known} fits.")
    return RESIDUAL[family, link](fit, weights)
