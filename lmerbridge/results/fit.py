"""The numbers of one fitted model, in the same shape for every engine."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import NoReturn

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lmerbridge.errors import Condition, InvalidCall, amount
from lmerbridge.results.block import labels
from lmerbridge.results.covariance import Array
from lmerbridge.results.design import Design
from lmerbridge.results.display import shown
from lmerbridge.results.kind import LMM, Kind
from lmerbridge.results.varcorr import VarCorr


@dataclass(frozen=True)
class Provenance:
    """Where a fit's numbers come from.

    Attributes
    ----------
    engine, version : str
    optimizer : str
    versions : tuple of (name, version) pairs
        R, BLAS, platform and whatever else moves a last bit.
    message : str
        Of the optimizer ``"crossproduct"``, what lme4 says of the theta that it found.
    """

    engine: str
    version: str
    optimizer: str = ""
    versions: tuple[tuple[str, str], ...] = ()
    message: str = ""


class LogLik(float):
    """A log-likelihood: a float that knows its degrees of freedom, as R's ``logLik``.

    Attributes
    ----------
    df : int
        Number of parameters, sigma included.
    nobs : int
    reml : bool
    constant : float
        What is to be added for the whole log-likelihood: by quadrature lme4 leaves out that of the saturated model, by
        Laplace's approximation and for linear models nothing.
    """

    df: int
    nobs: int
    reml: bool
    constant: float

    def __new__(cls, value: float, df: int, nobs: int, reml: bool, constant: float = 0.0) -> LogLik:
        """Attach degrees of freedom, number of rows and criterion to the value."""
        self = super().__new__(cls, value)
        self.df, self.nobs, self.reml, self.constant = df, nobs, reml, constant
        return self

    def __reduce__(self) -> tuple[type[LogLik], tuple[float, int, int, bool, float]]:
        return type(self), (float(self), self.df, self.nobs, self.reml, self.constant)


@shown()
class Tables(dict[str, pd.DataFrame]):
    """Tables by grouping factor: a mapping, which R and other packages have as a function."""

    def __call__(self, *_: object, **__: object) -> NoReturn:
        """Say that it is none."""
        raise InvalidCall(f"the tables of {', '.join(self)} are a value, not a method; write it without parentheses.")


@shown()
@dataclass(frozen=True, eq=False, repr=False)
class GroupModes:
    """Conditional modes of one grouping factor: ``modes[level, term]``."""

    group: str
    terms: tuple[str, ...]
    levels: tuple[str, ...]
    modes: Array

    @cached_property
    def frame(self) -> pd.DataFrame:
        """Levels by terms."""
        return pd.DataFrame(self.modes, index=list(self.levels), columns=labels(self.terms))


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Numbers:
    """The numbers that a fit has as its engine gives them.

    A new one is a field here, and a line in R.
    """

    terms: tuple[str, ...]
    beta: Array
    theta: Array
    sigma: float
    criterion: float
    reml: bool
    fitted_values: Array
    residual_values: Array
    rows_dropped: int
    dropped_terms: tuple[str, ...] = ()
    singular: bool
    converged: bool


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class GlmNumbers(Numbers):
    """The numbers that a generalized linear mixed model has beside those of any fit.

    Attributes
    ----------
    p_values : ndarray, shape (p,)
        Of Wald's z tests of ``beta``.
    linear_predictor : ndarray, shape (nobs,)
        Conditional, on the scale of the link, the offset in it.
    residual_deviance : float
        Sum of the squared deviance residuals given the random effects: R's ``deviance``.
    covariance_from : {"hessian", "RX"}
        Whether ``covariance`` is the inverse of the criterion's Hessian, by finite differences, or that of the fixed
        effects with theta held fixed.
    nb_theta : float
        Shape of a negative binomial family, whose variance is ``mu + mu**2 / nb_theta``; NaN of any other.
    """

    p_values: Array
    linear_predictor: Array
    residual_deviance: float
    covariance_from: str
    nb_theta: float


@shown("coefficients", "varcorr", "_groups")
@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Fit(Numbers):
    """One fitted model as a value, the same for every engine.

    Attributes
    ----------
    engine, formula : str
    reml : bool
    terms : tuple of str
        The ``p`` fixed-effect terms, in R's words.
    beta : ndarray, shape (p,)
    covariance : ndarray, shape (p, p)
        Covariance matrix of ``beta``.
    only_std_errors : bool
        Whether the engine tells no covariances of ``beta``: ``covariance`` is then NaN off its diagonal.
    varcorr : VarCorr
    modes : tuple of GroupModes
    theta : ndarray
        Relative covariance parameters, block by block in the order of ``varcorr``.
    sigma : float
        Residual standard deviation.
    loglik : LogLik
    criterion : float
        The REML criterion or the deviance, -2 log-likelihood.
    fitted_values, residual_values : ndarray, shape (nobs,)
    rows : ndarray of int, shape (nobs,)
        Positions of the rows used in the caller's frame, from 0.
    index : Index
        The index of the caller's frame, all of it.
    rows_dropped : int
        Rows left out because a value was missing.
    _padded_rows : ndarray of int or None
        Under ``na_action="exclude"``, the rows that `fitted` and `residuals` keep as NaN as well.
    singular, converged : bool
    dropped_terms : tuple of str
        Columns of a rank-deficient fixed part that were left out.
    conditions : tuple of Condition
    provenance : Provenance
    covariance_given_theta : ndarray, shape (p, p), or None
        From an engine whose ``covariance`` is another: lme4's, with the variance parameters held fixed.
    native : mapping of str to float
        What the engine prints under a quantity's name by a definition of its own.
    kind : Kind
        Which kind of mixed model it is.
    nb_theta : float
        Shape of a negative binomial family, whose variance is ``mu + mu**2 / nb_theta``; NaN of any other.
    _design : Design or None
        The matrices the engine worked with.
    """

    engine: str
    formula: str
    covariance: Array
    varcorr: VarCorr
    modes: tuple[GroupModes, ...]
    loglik: LogLik
    rows: NDArray[np.int64]
    index: pd.Index
    conditions: tuple[Condition, ...] = ()
    provenance: Provenance
    only_std_errors: bool = False
    covariance_given_theta: Array | None = None
    native: Mapping[str, float] = field(default_factory=dict)
    kind: Kind = LMM
    nb_theta: float = math.nan
    _padded_rows: NDArray[np.int64] | None = None
    _design: Design | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        left_out = f" ({self.rows_dropped} left out)" if self.rows_dropped else ""
        rows = f"{amount(self.nobs, 'row')}{left_out}"
        criterion = f"{self.kind.criteria[self.reml]} {self.criterion:.10g}"
        return f"<{self.engine} fit by {self._method}: {self.formula}, {rows}, {criterion}>"

    @property
    def _method(self) -> str:
        return "REML" if self.reml else "ML"

    def numbers(self) -> Fit:
        """The fit as a plain `Fit`: its numbers, and nothing that needs an engine."""
        return Fit(**{f.name: getattr(self, f.name) for f in fields(Fit)})

    def design(self) -> Design | None:
        """Return the matrices the engine worked with, or None where it does not give them."""
        return self._design

    @cached_property
    def fixef(self) -> pd.Series:
        """Fixed effects by term."""
        return pd.Series(self.beta, index=labels(self.terms), name="fixef")

    @cached_property
    def vcov(self) -> pd.DataFrame:
        """Covariance of the fixed effects, term by term."""
        return pd.DataFrame(self.covariance, index=labels(self.terms), columns=labels(self.terms))

    @cached_property
    def std_errors(self) -> Array:
        """Standard errors of the fixed effects, shape (p,), NaN where an engine gives a negative variance."""
        with np.errstate(invalid="ignore"):
            return np.sqrt(np.diag(self.covariance))

    @cached_property
    def coefficients(self) -> pd.DataFrame:
        """Table by term: estimate, std_error, t_value."""
        columns = {
            "estimate": self.beta,
            "std_error": self.std_errors,
            self.kind.statistic: self.beta / self.std_errors,
        }
        return pd.DataFrame(columns, index=labels(self.terms))

    @property
    def _groups(self) -> pd.Series:
        return pd.Series({group.group: len(group.levels) for group in self.modes}, name="levels", dtype=int)

    @cached_property
    def ranef(self) -> dict[str, pd.DataFrame]:
        """Conditional modes: for each grouping factor, a table of levels by terms."""
        return Tables({group.group: group.frame for group in self.modes})

    @property
    def nobs(self) -> int:
        """Number of rows used."""
        return len(self.rows)

    @property
    def npar(self) -> int:
        """Number of parameters, sigma included: R's ``attr(logLik(fit), "df")``."""
        return self.loglik.df

    @property
    def aic(self) -> float:
        """Akaike's criterion, as ``stats::AIC``."""
        return -2.0 * float(self.loglik) + 2.0 * self.loglik.df

    @property
    def bic(self) -> float:
        """Schwarz's criterion, as ``stats::BIC``."""
        return -2.0 * float(self.loglik) + math.log(self.loglik.nobs) * self.loglik.df

    @cached_property
    def fitted(self) -> pd.Series:
        """Conditional fitted values, by the frame's index."""
        return self._by_row(self.fitted_values, "fitted")

    @cached_property
    def residuals(self) -> pd.Series:
        """Response residuals, by the frame's index."""
        return self._by_row(self.residual_values, "residuals")

    @property
    def _output_rows(self) -> NDArray[np.int64]:
        """Positions of the rows that `fitted` and `residuals` have."""
        return self.rows if self._padded_rows is None else self._padded_rows

    @cached_property
    def _rows_index(self) -> pd.Index:
        return self.index.take(self.rows)

    def _by_row(self, values: Array, name: str) -> pd.Series:
        if self._padded_rows is None:
            return pd.Series(values, index=self._rows_index, name=name)
        padded = np.full(len(self._padded_rows), np.nan)
        padded[np.searchsorted(self._padded_rows, self.rows)] = values
        return pd.Series(padded, index=self.index.take(self._padded_rows), name=name)

    def quantities(self) -> dict[str, float]:
        """Every comparable number under its name in reports and references.

        Returns
        -------
        dict of str to float
            ``fixef[term]``, ``se[term]``, ``var|sd[group.term]``, ``cov|cor[group.term,term]``, ``sigma``,
            ``sigma2``, ``logLik``, ``AIC``, ``BIC``, and ``REMLcrit`` or ``deviance``.
        """
        fixed = {f"fixef[{t}]": float(b) for t, b in zip(self.terms, self.beta, strict=True)}
        errors = {f"se[{t}]": float(s) for t, s in zip(self.terms, self.std_errors, strict=True)}
        return {
            **fixed,
            **errors,
            **self.varcorr.quantities(),
            **self.kind.scale(self.sigma),
            "logLik": float(self.loglik),
            "AIC": self.aic,
            "BIC": self.bic,
            self.kind.criteria[self.reml]: self.criterion,
        }
