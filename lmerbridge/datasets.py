"""Data sets of R's mixed-model packages and of statsmodels' tests, and simulated ones, as frames."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lmerbridge.bridge import frame_from_r, host, notices, time_limit
from lmerbridge.errors import InvalidArgument

NAME = re.compile(r"[A-Za-z][A-Za-z0-9._]*", re.ASCII)
SIXTEENS = np.arange(0, 64, 16, dtype=np.uint64)  # where the four numbers of 16 bits in one of 64 begin
R_PACKAGES = ("lme4", "nlme", "MASS", "pbkrtest", "lmerTest", "datasets")


def load_dataset(name: str, package: str | None = None, *, timeout: float | None = None) -> pd.DataFrame:
    """Load a data set from R, one of the CSV files in statsmodels' wheel, or a simulated one.

    Parameters
    ----------
    name : str
        ``"sleepstudy"``.
    package : str, optional
        One of lme4, nlme, MASS, pbkrtest, lmerTest, datasets, statsmodels, lmerbridge; without it the R packages are
        searched in this order. Those of lmerbridge are simulated: ``crossed_1`` is the first of its kind.
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
    if package == "lmerbridge":
        return simulate_dataset(name)
    if package is not None and package not in R_PACKAGES:
        known = ", ".join((*R_PACKAGES, "statsmodels", "lmerbridge"))
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


@dataclass(frozen=True)
class Draw:
    """How data of one kind are drawn.

    Attributes
    ----------
    groups : int
        Levels of ``g``, and of ``h`` and ``k``, which are crossed with it.
    rows : (int, int)
        Fewest and most rows of a level of ``g``.
    sds : mapping of factor to (float, float)
        Standard deviations of its intercepts and slopes, where that of the residual is 1.
    mean : float
        Added to the response.
    unit : float
        By odd seeds ``x`` is in this unit, by even ones the response.
    """

    groups: int
    rows: tuple[int, int]
    sds: dict[str, tuple[float, float]]
    mean: float = 2.0
    unit: float = 1.0


PLANS = {
    "small_slopes": Draw(5, (2, 5), {"g": (1, 0.5)}),
    "crossed": Draw(12, (4, 8), {"g": (1, 0), "h": (0.75, 0)}),
    "nested": Draw(8, (4, 9), {"g": (1, 0), "part": (0.5, 0)}),
    "two_rows": Draw(40, (2, 2), {"g": (1, 0)}),
    "near_singular": Draw(15, (4, 8), {"g": (1, 0.03125)}),
    "large_mean": Draw(15, (4, 8), {"g": (1, 0.5)}, mean=1e6),
    "weighted": Draw(15, (4, 8), {"g": (1, 0.5)}),
    "scaled": Draw(15, (4, 8), {"g": (1, 0.5)}, unit=1e6),
    "three_bars": Draw(10, (6, 10), {"g": (1, 0), "h": (0.75, 0), "k": (0.5, 0)}),
    "crossed_slopes": Draw(12, (8, 14), {"g": (1, 0.5), "h": (0.75, 0.25)}),
    "many_rows": Draw(200, (100, 110), {"g": (1, 0.5)}),
}


def simulate_dataset(name: str) -> pd.DataFrame:
    """Draw a data set by the kind and seed in its name, such as ``crossed_1``: the same bits on every machine.

    They are made of a stream of bits, which numpy keeps, by operations that IEEE 754 rounds in one way.

    Raises
    ------
    InvalidArgument
        There is no such kind, or the seed is no number.
    """
    kind, _, seed = name.rpartition("_")
    if kind not in PLANS or not seed.isdecimal():
        raise InvalidArgument(f"name is {name!r}; one of {', '.join(PLANS)} and a seed is expected, as in 'crossed_1'.")
    plan, bits = PLANS[kind], np.random.PCG64(int(seed))
    codes = {"g": np.repeat(np.arange(plan.groups), plan.rows[0] + _below(bits, plan.groups, np.ptp(plan.rows) + 1))}
    n = len(codes["g"])
    codes |= {factor: _below(bits, n, plan.groups) for factor in ("h", "k")} | {"part": _below(bits, n, 3)}
    x, w, o, y = _normal(bits, n), 4 ** _below(bits, n, 2), _below(bits, n, 3), _normal(bits, n)
    y = y / np.sqrt(w) + x / 2 + plan.mean
    for factor, sds in plan.sds.items():
        level = codes["g"] * 3 + codes["part"] if factor == "part" else codes[factor]
        intercept, slope = (sd * _normal(bits, int(level.max()) + 1)[level] for sd in sds)
        y = y + intercept + slope * x
    units = (plan.unit, 1.0) if int(seed) % 2 else (1.0, plan.unit)
    numbers = {"x": x * units[0], "y": y * units[1], "w": w.astype(float), "o": o.astype(float)}
    return pd.DataFrame({factor: _factor(factor, code) for factor, code in codes.items()} | numbers)


def _below(bits: np.random.PCG64, n: int, end: int) -> NDArray[np.int64]:
    return (bits.random_raw(n) % np.uint64(end)).astype(np.int64)


def _normal(bits: np.random.PCG64, n: int) -> NDArray[np.float64]:
    """Sums of twelve numbers of 16 bits, which are as good as normal and exact."""
    pieces = (bits.random_raw(3 * n).reshape(n, 3, 1) >> SIXTEENS) & np.uint64(0xFFFF)
    drawn: NDArray[np.float64] = (pieces.sum(axis=(1, 2)).astype(np.int64) - 6 * 0xFFFF) / 2**16
    return drawn


def _factor(name: str, codes: NDArray[np.int64]) -> pd.Categorical:
    return pd.Categorical([f"{name}{code:03d}" for code in codes.tolist()])  # type: ignore[return-value]  # the stubs have it of text
