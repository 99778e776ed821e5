"""Data sets of R's mixed-model packages, and of statsmodels' tests, as frames."""

from __future__ import annotations

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from lmerbridge.bridge import frame_from_r, host, notices, time_limit
from lmerbridge.errors import InvalidArgument

NAME = re.compile(r"[A-Za-z][A-Za-z0-9._]*", re.ASCII)
R_PACKAGES = ("lme4", "nlme", "MASS", "pbkrtest", "lmerTest")


def load_dataset(name: str, package: str | None = None, *, timeout: float | None = None) -> pd.DataFrame:
    """Load a data set from R, or one of the CSV files in statsmodels' wheel.

    Parameters
    ----------
    name : str
        ``"sleepstudy"``.
    package : str, optional
        One of lme4, nlme, MASS, pbkrtest, lmerTest, statsmodels; without it the R packages are searched
        in this order.
    timeout : float, optional
        Seconds after which R is stopped. The default is no limit.

    Returns
    -------
    DataFrame
        Factors are categoricals with R's levels in R's order. A fresh copy.

    Raises
    ------
    InvalidArgument
        There is no such package, or the name is no name: a path, or no text.
    RError
        R has no such data set.
    TimedOut
        R took longer than ``timeout``.

    Examples
    --------
    >>> load_dataset("sleepstudy").shape
    (180, 3)
    """
    if not (isinstance(name, str) and NAME.fullmatch(name)):
        raise InvalidArgument(f"name is {name!r}; the name of a data set is expected, such as 'sleepstudy'.")
    if package is not None and not isinstance(package, str):
        raise InvalidArgument(f"package is {package!r}; a name such as 'lme4' is expected.")
    if package == "statsmodels":
        return _from_statsmodels(name).copy()
    if package is not None and package not in R_PACKAGES:
        known = ", ".join((*R_PACKAGES, "statsmodels"))
        raise InvalidArgument(f"package is {package!r}; one of {known} is expected.")
    with time_limit(timeout):
        return _from_r(name, package).copy()


@cache
def _from_r(name: str, package: str | None) -> pd.DataFrame:
    return frame_from_r(notices.values_of(host.call("dataset", name=name, package=package)))


@cache
def _from_statsmodels(name: str) -> pd.DataFrame:
    spec = find_spec("statsmodels")
    folder = Path(spec.origin or "").parent / "regression" / "tests" / "results" if spec else Path()
    path = folder / f"{name}.csv"
    if not path.is_file():
        have = ", ".join(sorted(file.stem for file in folder.glob("*.csv")))
        raise InvalidArgument(f"statsmodels has no {name}.csv; it has {have}.")
    return pd.read_csv(path)
