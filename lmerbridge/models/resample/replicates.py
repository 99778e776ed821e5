"""Replicates of a model, which are refits to other responses, and statistics of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lmerbridge.bridge import pieces
from lmerbridge.errors import InvalidArgument
from lmerbridge.models.change.update import refit
from lmerbridge.models.intervals import parameters
from lmerbridge.models.kept import KeptFit, call_on
from lmerbridge.models.resample.draws import Draws
from lmerbridge.results import Array, LogLik, VarCorr, labels, shown

T = TypeVar("T")
Statistic: TypeAlias = Callable[["Replicate"], float | Sequence[float] | Array | Mapping[str, float] | pd.Series]


@shown()
@dataclass(frozen=True, eq=False, repr=False)
class Replicates:
    """The numbers of refits, one row per replicate, NaN where a refit failed.

    Attributes
    ----------
    beta : ndarray, shape (nsim, p)
    covariance : ndarray, shape (nsim, p, p)
        Covariance matrices of ``beta``.
    theta : ndarray, shape (nsim, ntheta)
    sigma, criterion : ndarray, shape (nsim,)
    singular, converged : ndarray of bool, shape (nsim,)
        ``converged`` is what the optimizer says of its best way; False where a refit failed.
    errors : tuple of str
        Why a replicate failed; empty where it did not.
    """

    beta: Array
    covariance: Array
    theta: Array
    sigma: Array
    criterion: Array
    singular: NDArray[np.bool_]
    converged: NDArray[np.bool_]
    errors: tuple[str, ...]

    @classmethod
    def of_values(cls, values: Array, errors: Sequence[str], ntheta: int) -> Replicates:
        """Take apart the rows of R's ``refit_responses``."""
        criterion, sigma, singular, converged = values[:, :4].T
        theta, rest = np.split(values[:, 4:], [ntheta], axis=1)
        p = round((rest.shape[1] + 0.25) ** 0.5 - 0.5)  # p + p^2 columns
        beta, unscaled = np.split(rest, [p], axis=1)
        covariance = sigma[:, None, None] ** 2 * unscaled.reshape(len(sigma), p, p)
        return cls(beta, covariance, theta, sigma, criterion, singular == 1, converged == 1, tuple(errors))

    @cached_property
    def failures(self) -> pd.DataFrame:
        """Table of the replicates that failed: replicate (from 0), message."""
        failed = [(i, error) for i, error in enumerate(self.errors) if error]
        frame = pd.DataFrame(failed, columns=["replicate", "message"])
        return frame.astype({"replicate": "int64", "message": "str"})

    @cached_property
    def succeeded(self) -> NDArray[np.int64]:
        """Numbers of the replicates that did not fail."""
        return np.flatnonzero([not error for error in self.errors])


@dataclass(frozen=True, eq=False)
class Common:
    """What all refits of a model have in common.

    Attributes
    ----------
    fit : Fit
        The fit they are refits of: its terms, blocks, degrees of freedom.
    indices : tuple of ndarray of int
        For each block, which theta stands where in the factor of its covariance, from 1; 0 where none does.
    """

    fit: KeptFit
    indices: tuple[NDArray[np.int32], ...]

    @classmethod
    def of(cls, fit: KeptFit, index: NDArray[np.int32]) -> Common:
        """Cut R's ``index`` into blocks."""
        widths = [len(block.terms) for block in fit.varcorr]
        parts = pieces(index, [k * k for k in widths])
        squares = (part.reshape(k, k, order="F") for part, k in zip(parts, widths, strict=True))
        return cls(fit, tuple(squares))

    def roots(self, theta: Array) -> list[Array]:
        """Relative factor of each block's covariance for some replicates, each of shape (nsim, k, k)."""
        return [np.where(index > 0, theta[:, index - 1], 0.0) for index in self.indices]

    def covariances(self, theta: Array, sigma: Array) -> list[Array]:
        """Covariance of each block for some replicates, each of shape (nsim, k, k)."""
        return [sigma[:, None, None] ** 2 * (t @ t.transpose(0, 2, 1)) for t in self.roots(theta)]

    def parameters(self, beta: Array, theta: Array, sigma: Array) -> pd.DataFrame:
        """Table of replicates by `parameters`, each found by its place.

        A correlation with a zero variance is NaN.
        """
        blocks = zip(self.fit.varcorr, self.covariances(theta, sigma), strict=True)
        random = [_sdcor(found, *place) for block, found in blocks for *_, place in parameters.places_of(block)]
        scale = [sigma] if self.fit.varcorr.has_residual else []
        return pd.DataFrame(np.column_stack([*random, *scale, beta]), columns=parameters.parameters(self.fit).index)


def _sdcor(covariance: Array, i: int, j: int) -> Array:
    """Return the standard deviation, or the correlation, at one place of some covariances."""
    sd: Array = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    with np.errstate(invalid="ignore", divide="ignore"):
        return sd[:, i] if i == j else covariance[:, j, i] / (sd[:, j] * sd[:, i])


@dataclass(frozen=True, eq=False)
class Replicate:
    """One refit, or the fit itself, as a statistic gets it.

    Attributes
    ----------
    number : int or None
        From 0; None is the fit itself.
    response : ndarray, shape (nobs,)
        What the model was refitted to, over the rows used: of ``cbind(successes, failures)`` the successes, and 0 and 1
        of two levels.
    theta : ndarray
    sigma : float
    criterion : float
        REML criterion or deviance.
    singular, converged : bool
    """

    number: int | None
    theta: Array
    sigma: float
    criterion: float
    singular: bool
    converged: bool
    beta: Array = field(repr=False)
    covariance: Array = field(repr=False)
    common: Common = field(repr=False)
    draws: Draws | Array = field(repr=False)

    @property
    def response(self) -> Array:
        """What the model was refitted to, which is drawn again when it is asked for."""
        return self.draws.one(int(self.number or 0)) if isinstance(self.draws, Draws) else self.draws

    @cached_property
    def fixef(self) -> pd.Series:
        """Fixed effects by term."""
        return pd.Series(self.beta, index=labels(self.common.fit.terms), name="fixef")

    @cached_property
    def vcov(self) -> pd.DataFrame:
        """Covariance of the fixed effects, term by term."""
        index = labels(self.common.fit.terms)
        return pd.DataFrame(self.covariance, index=index, columns=index)

    @cached_property
    def std_errors(self) -> pd.Series:
        """Standard errors of the fixed effects by term."""
        return pd.Series(np.sqrt(np.diag(self.covariance)), index=labels(self.common.fit.terms), name="std_error")

    @cached_property
    def varcorr(self) -> VarCorr:
        """Variances and correlations of the random terms."""
        blocks = zip(self.common.fit.varcorr, self.common.roots(self.theta[None]), strict=True)
        found = tuple(block.with_factor(root[0], self.sigma) for block, root in blocks)
        weighted = self.common.fit.varcorr.weighted
        return VarCorr(found, self.sigma).about(self.common.fit.terms, self.beta, weighted=weighted)

    def refit(self) -> KeptFit:
        """Refit the model to the response by lme4, for a fit with every verb.

        It takes as long as `lmer`, or `glmer`.
        """
        columns = self.common.fit.spec.response_columns
        own = self.response if len(columns) == 1 else _with_failures(self.common.fit, self.response)
        return refit(self.common.fit, own)

    @property
    def loglik(self) -> LogLik:
        """Log-likelihood, restricted where the fit is by REML."""
        own = self.common.fit.loglik
        return LogLik(-self.criterion / 2, own.df, own.nobs, own.reml)


def _with_failures(fit: KeptFit, successes: Array) -> Array:
    """Return successes and failures from the former and the fit's numbers of trials."""
    return np.column_stack([successes, call_on(fit, "prior_weights")["values"] - successes])


def original(common: Common, response: Array) -> Replicate:
    """Return the fit itself as a replicate."""
    fit = common.fit
    own = (fit.theta, fit.sigma, fit.criterion, fit.singular, fit.converged, fit.beta, fit.covariance)
    return Replicate(None, *own, common, response)


def iterate_replicates(common: Common, replicates: Replicates, draws: Draws) -> Iterator[Replicate]:
    """Yield the replicates that did not fail."""
    r = replicates
    for i in map(int, r.succeeded):
        yield Replicate(
            i,
            r.theta[i],
            float(r.sigma[i]),
            float(r.criterion[i]),
            bool(r.singular[i]),
            bool(r.converged[i]),
            r.beta[i],
            r.covariance[i],
            common,
            draws,
        )


def call_user_function(function: Callable[[Replicate], T], replicate: Replicate) -> T:
    """Call a user's function, and name the replicate on an error that it raises."""
    try:
        return function(replicate)
    except Exception as error:
        error.add_note(f"It was called with {_label(replicate)}.")
        raise


def compute_statistic(statistic: Statistic, replicate: Replicate) -> pd.Series:
    """Return a statistic of a replicate, by name.

    Raises
    ------
    InvalidArgument
        It is not made of numbers.
    """
    value = call_user_function(statistic, replicate)
    if isinstance(value, pd.Series | Mapping):
        found = dict(value.items())
    else:
        numbers = np.atleast_1d(np.asarray(value, object))
        names = [f"t{i}" for i in range(1, len(numbers) + 1)] if np.ndim(value) else ["statistic"]
        found = dict(zip(names, numbers, strict=True))
    try:
        return pd.Series([float(number) for number in found.values()], index=[str(name) for name in found])
    except (TypeError, ValueError) as error:
        raise InvalidArgument(
            f"the statistic of {_label(replicate)} is {value!r}; a number, or a sequence, mapping or Series of numbers "
            "is expected."
        ) from error


def _label(replicate: Replicate) -> str:
    return "the fit itself" if replicate.number is None else f"replicate {replicate.number}"


def tabulate(statistic: Statistic, t0: pd.Series, replicates: Iterator[Replicate], nsim: int) -> pd.DataFrame:
    """Table of replicates by statistics, NaN where a refit failed.

    Raises
    ------
    InvalidArgument
        A replicate's statistic has other names than the fit's own.
    """
    table = np.full((nsim, len(t0)), np.nan)
    for replicate in replicates:
        value = compute_statistic(statistic, replicate)
        if not value.index.equals(t0.index):
            raise InvalidArgument(
                f"the statistic of {_label(replicate)} holds {', '.join(value.index)}; that of the fit itself "
                f"{', '.join(t0.index)}, and each is to hold the same."
            )
        table[replicate.number] = value.to_numpy()
    return pd.DataFrame(table, columns=t0.index)
