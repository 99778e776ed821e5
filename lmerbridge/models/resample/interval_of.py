"""The interval of whatever can be computed from a fit, by the parametric bootstrap."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from lmerbridge.errors import EngineFailed, InvalidArgument, amount
from lmerbridge.models.kept import KeptFit
from lmerbridge.models.resample.bootstrap import Bootstrap, bootstrap
from lmerbridge.models.resample.draws import Rng
from lmerbridge.models.resample.refitted import refitted
from lmerbridge.results import shown

Method: TypeAlias = Literal["percentile", "basic", "normal"]
OF_BOOT: dict[Method, Literal["perc", "basic", "norm"]] = {"percentile": "perc", "basic": "basic", "normal": "norm"}


@shown()
@dataclass(frozen=True, eq=False, repr=False)
class Intervals:
    """Intervals of the numbers that a function of a fit gives.

    Attributes
    ----------
    frame : DataFrame
        By number: estimate, std_error, conf_low, conf_high, and in replicates how many of them gave a finite number.
    level : float
        Confidence level.
    method : {"percentile", "basic", "normal"}
    bootstrap : Bootstrap
        The replicates, with their seed, their failures and what each gave.
    """

    frame: pd.DataFrame
    level: float
    method: Method
    bootstrap: Bootstrap = field(repr=False)

    def __str__(self) -> str:
        boot = self.bootstrap
        failed = f", {boot.n_failed} failed" if boot.n_failed else ""
        told = f"{amount(boot.nsim, 'replicate')}{failed}, seed {boot.seed}"
        return f"{self.level:.4g} intervals, {self.method} bootstrap of {told}\n\n{self.frame.to_string()}"

    __repr__ = __str__


def interval_of(
    fit: KeptFit,
    fun: Callable[[Any], Any],
    nsim: int = 1000,
    *,
    level: float = 0.95,
    method: Method = "percentile",
    seed: int | None = None,
    rng: Rng = "bootMer",
    store: str | os.PathLike[str] | None = None,
    jobs: int | None = None,
    backend: str | None = None,
    progress: bool | None = None,
    timeout: float | None = None,
) -> Intervals:
    """Return intervals of whatever a function computes from a fit, by the parametric bootstrap.

    Responses are simulated from the fit and the model is refitted to each, by `bootstrap`. The function gets each refit
    as a fit with all its numbers and verbs. What it asks of R, as ``predict`` does, takes a refit by lme4 each time;
    `icc`, `r2` and all numbers of a fit take none.

    Parameters
    ----------
    fun : callable
        Takes a fit and returns a number; a sequence, mapping or Series of numbers; a DataFrame, whose numbers count; or
        a result with a ``frame``, such as that of `icc`. It runs in this process; what it raises is raised.
    nsim : int
        Number of replicates.
    level : float
        Confidence level, between 0 and 1.
    method : {"percentile", "basic", "normal"}
        Percentiles of the replicates; percentiles turned round the estimate; or the normal distribution with the bias
        taken off.
    seed : int
        As for R's ``set.seed``. If it is not given, one is drawn; ``bootstrap.seed`` of the result tells it.
    rng, store
        As in `bootstrap`.
    jobs : int, optional
        Processes to refit in, -1 for one per core. Numbers do not depend on it.
    backend : str, optional
        ``loky``, ``threading``, ``sequential`` or ``dask://HOST:PORT``. The default is joblib's own choice.
    progress : bool, optional
        Whether to show a progress bar. The default shows it where standard error is a terminal.
    timeout : float, optional
        Seconds after which R is stopped. The default is no limit.

    Returns
    -------
    Intervals
        Its ``frame`` has a row per number: estimate, std_error, conf_low, conf_high, replicates.

    Raises
    ------
    InvalidArgument
        The function gives no numbers, or others of a replicate than of the fit.
    EngineFailed
        No refit succeeded.
    TimedOut

    Warns
    -----
    RWarning
        There are too few replicates for the level: the ends are the extreme ones.

    Source: Davison and Hinkley (1997), as ``boot::boot.ci`` of ``lme4::bootMer``.

    Examples
    --------
    >>> fit.interval_of(lambda fit: fit.icc(), nsim=99, seed=1, level=0.9).frame.round(2)
                estimate  std_error  conf_low  conf_high  replicates
    adjusted        0.72       0.07      0.62       0.82          99
    unadjusted      0.52       0.09      0.37       0.67          99
    """
    how: dict[str, Any] = {
        "rng": rng,
        "store": store,
        "jobs": jobs,
        "backend": backend,
        "progress": progress,
        "timeout": timeout,
    }
    boot = bootstrap(fit, lambda replicate: _numbers(fun(refitted(replicate))), nsim, seed=seed, **how)
    if boot.n_failed == nsim:
        told = boot.failures["message"].iloc[0]
        raise EngineFailed(f"all {nsim} refits failed, the first since {told}; rows of weight zero do so, for one.")
    ends = boot.confint(level, OF_BOOT[method])
    table = pd.DataFrame({"estimate": boot.t0, "std_error": boot.std_errors}).join(ends)
    finite = np.isfinite(boot.t).sum().astype("int64")
    return Intervals(table.assign(replicates=finite), level, method, boot)


def _numbers(value: Any) -> Any:  # noqa: ANN401
    """Return the numbers of a table by row, and by column where it has several; another value as it is.

    Raises
    ------
    InvalidArgument
        Two numbers have one name.
    """
    frame = getattr(value, "frame", value)
    if isinstance(frame, pd.DataFrame):
        value = _named(frame)
    if isinstance(value, pd.Series) and not value.index.is_unique:
        twice = value.index[value.index.duplicated()][0]
        raise InvalidArgument(f"the function gives several numbers under the name {twice!r}; a name is for one.")
    return value


def _named(frame: pd.DataFrame) -> pd.Series:
    """Return the numbers of a table, named by its index or, where that only counts, by its columns of text."""
    numbers = frame.select_dtypes("number")
    rows = [str(row) if not isinstance(row, tuple) else " ".join(map(str, row)) for row in frame.index]
    if isinstance(frame.index, pd.RangeIndex) and numbers.shape[1] < frame.shape[1]:
        texts = frame.drop(columns=numbers.columns)
        rows = [" ".join(str(text) for text in row if not pd.isna(text)) for row in texts.itertuples(index=False)]
    several = numbers.shape[1] > 1
    names = [f"{row} {column}" if several else row for column in numbers for row in rows]
    return pd.Series(numbers.to_numpy(float).ravel(order="F"), index=names)
