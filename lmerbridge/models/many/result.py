"""What fits of one model to many responses give: their numbers, a row per response."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from os import PathLike, fspath, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lmerbridge.errors import InvalidArgument, amount
from lmerbridge.inputs import check_methods
from lmerbridge.models.intervals.parameters import places_of, random_parameters
from lmerbridge.models.many.shape import Shape
from lmerbridge.results import Array, Condition, VarCorr, labels, shown
from lmerbridge.setup.extras import import_extra

Conditions = tuple[Condition, ...]


@check_methods
@shown()
@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class ManyFits:
    """The fits of one model to many responses, one row per response, NaN where a fit failed.

    Attributes
    ----------
    formula : str
        With the name that the response has in it.
    reml : bool
    exact : bool
        Whether each number is the double that `lmer` gives.
    responses : Index
        Names of the responses, m in all.
    terms : tuple of str
        Fixed effects, p in all. Where the rows of a response leave one out, it is NaN.
    theta_names : tuple of str
        lme4's names of theta.
    beta : ndarray, shape (m, p)
    covariance : ndarray, shape (m, p, p)
        Covariance matrices of ``beta``.
    theta : ndarray, shape (m, ntheta)
    sigma, criterion : ndarray, shape (m,)
        Residual standard deviation; REML criterion or deviance.
    random : DataFrame, shape (m, parameters)
        Standard deviations and correlations of the random terms and ``sigma``, under the names of `LmerFit.parameters`.
    nobs : ndarray of int, shape (m,)
        Rows that a fit used, 0 where it failed.
    singular, converged : ndarray of bool, shape (m,)
        False where a fit failed.
    errors : tuple of str
        Why a fit failed; empty where it did not.
    conditions : tuple of tuple of Condition
        What R said of each fit.
    """

    formula: str
    reml: bool
    exact: bool
    responses: pd.Index
    terms: tuple[str, ...]
    theta_names: tuple[str, ...]
    beta: Array = field(repr=False)
    covariance: Array = field(repr=False)
    theta: Array = field(repr=False)
    sigma: Array = field(repr=False)
    criterion: Array = field(repr=False)
    nobs: NDArray[np.int64] = field(repr=False)
    singular: NDArray[np.bool_] = field(repr=False)
    converged: NDArray[np.bool_] = field(repr=False)
    errors: tuple[str, ...] = field(repr=False)
    conditions: tuple[Conditions, ...] = field(repr=False)
    _shape: Shape = field(repr=False)
    _blocks: list[tuple[Array, Array, Array]] = field(repr=False)

    @classmethod
    def of(
        cls,
        of: tuple[str, bool, bool],
        responses: pd.Index,
        shape: Shape,
        values: Array,
        nobs: NDArray[np.int64],
        errors: Sequence[str],
        conditions: Sequence[Conditions],
    ) -> ManyFits:
        """Take apart rows of numbers of one shape."""
        named, blocks = shape.split(values)
        named |= {name: named[name] == 1 for name in ("singular", "converged")}
        formula, reml, exact = of
        return cls(
            formula=formula,
            reml=reml,
            exact=exact,
            responses=responses,
            terms=shape.terms,
            theta_names=shape.theta,
            nobs=nobs,
            errors=tuple(errors),
            conditions=tuple(conditions),
            _shape=shape,
            _blocks=blocks,
            **named,  # type: ignore[arg-type]  # the flags among them are booleans
        )

    def __len__(self) -> int:
        return len(self.responses)

    @property
    def fixef(self) -> pd.DataFrame:
        """Fixed effects, responses by terms."""
        return pd.DataFrame(self.beta, self.responses, labels(self.terms))

    @property
    def std_errors(self) -> pd.DataFrame:
        """Standard errors of the fixed effects, responses by terms."""
        return pd.DataFrame(self.se, self.responses, labels(self.terms))

    @property
    def se(self) -> Array:
        """Standard errors of the fixed effects, shape (m, p)."""
        errors: Array = np.sqrt(np.einsum("mii->mi", self.covariance))
        return errors

    @property
    def loglik(self) -> Array:
        """Log-likelihoods, restricted where the fits are by REML, shape (m,)."""
        return -self.criterion / 2

    @cached_property
    def random(self) -> pd.DataFrame:
        """Standard deviations, correlations and ``sigma``, responses by parameters."""
        return self._parameters(1, 2)

    @cached_property
    def varcorr(self) -> pd.DataFrame:
        """Variances and covariances by response and parameter, as R's ``as.data.frame(VarCorr(fit))``.

        Columns: response, group, term, vcov, sdcor. Names and terms are those of `LmerFit.parameters`: a structure has
        the rows of its own parameters alone.
        """
        known = random_parameters(VarCorr(self._shape.blocks, np.nan))
        m, k = len(self), len(known)
        sdcor, vcov = self.random.to_numpy(), self._parameters(0, 0).to_numpy()
        table = {
            "response": self.responses.repeat(k),
            "group": np.tile(known["group"].to_numpy(object), m),
            "term": np.tile(known["term"].to_numpy(object), m),
            "vcov": vcov.ravel(),
            "sdcor": sdcor.ravel(),
        }
        return pd.DataFrame(table, pd.RangeIndex(m * k))

    def _parameters(self, of_sd: int, of_cor: int) -> pd.DataFrame:
        """Table of the random parameters, from the numbers of blocks that a deviation and a correlation have."""
        columns: list[Array] = []
        for block, numbers in zip(self._shape.blocks, self._blocks, strict=True):
            for *_, (i, j) in places_of(block):
                found = numbers[of_sd if i == j else of_cor]
                columns.append(found[:, i] if found.ndim == 2 else found[:, i, j])
        columns.append(self.sigma if of_sd else self.sigma**2)
        names = random_parameters(VarCorr(self._shape.blocks, np.nan)).index
        return pd.DataFrame(np.column_stack(columns), self.responses, names)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """Table by response.

        Columns: the fixed effects, ``std_error_`` of each, the random parameters and sigma, criterion, nobs, singular,
        converged, message (what R said, "" for nothing) and error.
        """
        flags = {
            "criterion": self.criterion,
            "nobs": self.nobs,
            "singular": self.singular,
            "converged": self.converged,
            "message": pd.array(["; ".join(c.text for c in told) for told in self.conditions], dtype="str"),
            "error": pd.array(list(self.errors), dtype="str"),
        }
        parts = [self.fixef, self.std_errors.add_prefix("std_error_"), self.random, pd.DataFrame(flags, self.responses)]
        return pd.concat(parts, axis=1)

    @property
    def failures(self) -> pd.DataFrame:
        """The responses that failed: response, message."""
        failed = np.flatnonzero([bool(error) for error in self.errors])
        return pd.DataFrame({"response": self.responses[failed], "message": [self.errors[i] for i in failed]})

    @property
    def n_failed(self) -> int:
        """Number of fits that failed."""
        return sum(map(bool, self.errors))

    @property
    def n_singular(self) -> int:
        """Number of singular fits."""
        return int(self.singular.sum())

    @property
    def n_unconverged(self) -> int:
        """Number of fits, failed ones not counted, that did not converge."""
        return int((~self.converged).sum()) - self.n_failed

    def to_parquet(self, path: str | PathLike[str]) -> None:
        """Write `frame` to a Parquet file, the names of the responses as text in a column ``response``.

        Parameters
        ----------
        path : str or path

        Raises
        ------
        SetupError
            pyarrow is not installed.
        """
        with ParquetFile(fspath(path)) as file:
            file.append(self.frame)

    def _told(self) -> Iterator[str]:
        yield amount(len(self), "fit")
        counts = {"failed": self.n_failed, "singular": self.n_singular, "not converged": self.n_unconverged}
        yield from (f"{count} {what}" for what, count in counts.items() if count)

    def __str__(self) -> str:
        how = f"{'REML' if self.reml else 'ML'}{'' if self.exact else ', from theta by nlminb'}"
        head = f"{self.formula} by {how}: {', '.join(self._told())}"
        return f"{head}\n\n{self.frame.head(10).to_string()}{'' if len(self) <= 10 else chr(10) + '...'}"

    def __repr__(self) -> str:
        return f"<{', '.join(self._told())}: {self.formula}>"


class ParquetFile:
    """A file that has its name once all tables are in it: until then it is ``NAME.part``.

    Parameters
    ----------
    path : str
    """

    def __init__(self, path: str) -> None:
        if not Path(path).name or Path(path).is_dir() or not Path(path).parent.is_dir():
            raise InvalidArgument(f"{path!r} is no place for a file; name one in a folder that is there.")
        self._path = path
        self._arrow = import_extra("pyarrow", "arrow", "a Parquet file")
        self._parquet = import_extra("pyarrow.parquet", "arrow", "a Parquet file")
        self._writer: Any = None

    def __enter__(self) -> ParquetFile:
        return self

    def append(self, frame: pd.DataFrame) -> None:
        """Append a table as a group of rows, its index as text in a column ``response``."""
        if not frame.columns.is_unique or "response" in frame.columns:
            doubled = "response" if frame.columns.is_unique else frame.columns[frame.columns.duplicated()][0]
            raise InvalidArgument(
                f"two columns of the table would have the name {doubled!r}; rename a column of the data."
            )
        table = frame.assign(response=frame.index.map(str))[["response", *frame.columns]]
        rows = self._arrow.Table.from_pandas(table, preserve_index=False)
        if self._writer is None:
            self._writer = self._parquet.ParquetWriter(f"{self._path}.part", rows.schema)
        self._writer.write_table(rows.cast(self._writer.schema))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()
            if error is None:
                replace(f"{self._path}.part", self._path)
