"""Data sets of R's mixed-model packages and of statsmodels' tests, and simulated ones, as frames."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lmerbridge.bridge import frame_from_r, host, notices, time_limit
from lmerbridge.errors import InvalidArgument, RError
from lmerbridge.inputs import check_signature, nearest

NAME = re.compile(r"[A-Za-z][A-Za-z0-9._]*", re.ASCII)
SIXTEENS = np.arange(0, 64, 16, dtype=np.uint64)  # where the four numbers of 16 bits in one of 64 begin
R_PACKAGES = ("lme4", "nlme", "MASS", "pbkrtest", "lmerTest", "datasets", "HSAUR3", "mlmRev", "glmmTMB")
LISTED = "list_datasets() lists those that there are"
OTHERS = ("statsmodels", "lmerbridge")
Numbers: TypeAlias = NDArray[np.float64]


def load_dataset(name: str | None = None, package: str | None = None, *, timeout: float | None = None) -> pd.DataFrame:
    """Load a data set from R, one of the CSV files in statsmodels' wheel, or a simulated one.

    Parameters
    ----------
    name : str
        ``"sleepstudy"``. `list_datasets` lists them.
    package : str, optional
        One of lme4, nlme, MASS, pbkrtest, lmerTest, datasets, HSAUR3, mlmRev, glmmTMB, statsmodels, lmerbridge;
        without it the R packages are searched in this order. R's own ``datasets`` has ``mtcars`` and ``ChickWeight``.
        Those of lmerbridge are simulated: ``crossed_1`` is the first of its kind.
    timeout : float, optional
        Seconds after which R is stopped. The default is no limit.

    Returns
    -------
    DataFrame
        Factors are categoricals with R's levels in R's order. A fresh copy.

    Raises
    ------
    InvalidArgument
        There is no such package or data set, or the name is no name: a path, or no text.
    RError
        What R has under the name is no data frame.
    TimedOut
        R took longer than ``timeout``.

    Examples
    --------
    >>> load_dataset("sleepstudy").shape
    (180, 3)
    """
    if not (isinstance(name, str) and NAME.fullmatch(name)):
        raise InvalidArgument(f"name is {name!r}; the name of a data set is expected, such as 'sleepstudy'; {LISTED}.")
    if package is not None and not isinstance(package, str):
        raise InvalidArgument(f"package is {package!r}; a name such as 'lme4' is expected.")
    if package == "statsmodels":
        return _from_statsmodels(name).copy()
    if package == "lmerbridge":
        return simulate_dataset(name)
    if package is not None and package not in R_PACKAGES:
        known = ", ".join((*R_PACKAGES, *OTHERS))
        raise InvalidArgument(f"package is {package!r}; one of {known} is expected.")
    with time_limit(timeout):
        return _from_r(name, package).copy()


@check_signature
def list_datasets(package: str | None = None, *, timeout: float | None = None) -> pd.DataFrame:
    """List the data sets that `load_dataset` loads.

    Parameters
    ----------
    package : str, optional
        The one whose data sets are wanted. The default is all that are installed.
    timeout : float, optional
        Seconds after which R is stopped. The default is no limit.

    Returns
    -------
    DataFrame
        One row per data set: ``name``, ``package``, ``title``, ``rows`` and ``columns``. Of simulated data the first of
        each kind is listed.

    Raises
    ------
    InvalidArgument
        There is no such package.
    TimedOut
        R took longer than ``timeout``.

    Examples
    --------
    >>> found = list_datasets("lme4").set_index("name")
    >>> found.loc["sleepstudy", "title"], int(found.loc["sleepstudy", "rows"])
    ('Reaction times in a sleep deprivation study', 180)
    """
    if package is not None and package not in (*R_PACKAGES, *OTHERS):
        raise InvalidArgument(f"package is {package!r}; one of {', '.join((*R_PACKAGES, *OTHERS))} is expected.")
    with time_limit(timeout):
        in_r = _list_r() if package not in OTHERS else _list_r()[:0]
    others = pd.DataFrame(_list_others(package), columns=in_r.columns).astype(in_r.dtypes)
    found = pd.concat([in_r, others], ignore_index=True)
    return found if package is None else found[found["package"] == package].reset_index(drop=True)


@cache
def _list_r() -> pd.DataFrame:
    values = notices.values_of(host.call("dataset_list"))
    found = {name: values[f"dataset.{name}"] for name in ("name", "package", "title", "rows", "columns")}
    return pd.DataFrame(found).astype({"rows": int, "columns": int})


def _list_others(package: str | None) -> Iterator[tuple[object, ...]]:
    if package in (None, "statsmodels"):
        for file in _statsmodels_files():
            yield file.stem, "statsmodels", "of statsmodels' tests", *_from_statsmodels(file.stem).shape
    if package in (None, "lmerbridge"):
        for name in (f"{kind}_1" for kind in (*PLANS, *GENERALIZED)):
            yield name, "lmerbridge", "simulated, by the seed at its end", *simulate_dataset(name).shape


@cache
def _from_r(name: str, package: str | None) -> pd.DataFrame:
    try:
        return frame_from_r(notices.values_of(host.call("dataset", name=name, package=package)))
    except RError as error:
        found = _list_r() if package is None else _list_r()[_list_r()["package"] == package]
        if not error.text.startswith("no data set"):
            raise
    near = nearest(name, found["name"])
    meant = f"did you mean {near!r}? " if near else ""
    where = package or ", ".join(R_PACKAGES)
    raise InvalidArgument(f"there is no data set {name!r} in {where}; {meant}{LISTED}.")


@cache
def _from_statsmodels(name: str) -> pd.DataFrame:
    files = {file.stem: file for file in _statsmodels_files()}
    if name not in files:
        raise InvalidArgument(f"statsmodels has no {name}.csv; it has {', '.join(files)}.")
    return pd.read_csv(files[name])


def _statsmodels_files() -> list[Path]:
    spec = find_spec("statsmodels")
    folder = Path(spec.origin or "").parent / "regression" / "tests" / "results" if spec else Path()
    return sorted(folder.glob("*.csv")) if spec else []


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
    noise : float
        Standard deviation of what is each row's own: the residual, in a generalized model a part of the predictor.
    response : str
        In a generalized model the key of `RESPONSES`; "" of a linear one.
    exposure : bool
        Whether the column ``o`` is added to the linear predictor.
    """

    groups: int
    rows: tuple[int, int]
    sds: dict[str, tuple[float, float]]
    mean: float = 2.0
    unit: float = 1.0
    noise: float = 1.0
    response: str = ""
    exposure: bool = False


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
BINARY: dict[str, Any] = {"mean": 0.25, "noise": 0.0, "response": "binary"}
TRIALS = BINARY | {"response": "trials"}
COUNTS = BINARY | {"mean": 0.75, "response": "counts"}
SPREAD = COUNTS | {"response": "spread"}
GENERALIZED = {  # of generalized models
    "binary": Draw(20, (6, 12), {"g": (1, 0)}, **BINARY),
    "binary_pairs": Draw(60, (2, 4), {"g": (1, 0)}, **BINARY),
    "binary_crossed": Draw(15, (10, 16), {"g": (0.75, 0), "h": (0.5, 0)}, **BINARY),
    "binary_slopes": Draw(20, (12, 18), {"g": (0.75, 0.5)}, **BINARY),
    "grouped": Draw(15, (3, 6), {"g": (0.5, 0)}, **TRIALS),
    "grouped_nested": Draw(12, (6, 9), {"g": (0.5, 0), "part": (0.375, 0)}, **TRIALS),
    "counts": Draw(15, (4, 8), {"g": (0.75, 0)}, **COUNTS),
    "counts_rows": Draw(15, (6, 9), {"g": (0.5, 0)}, **COUNTS | {"noise": 0.5}),
    "counts_slopes": Draw(15, (6, 10), {"g": (0.5, 0.25)}, **COUNTS),
    "counts_exposed": Draw(12, (6, 10), {"g": (0.5, 0), "h": (0.375, 0)}, **COUNTS | {"mean": -0.25}, exposure=True),
    "counts_spread": Draw(15, (6, 10), {"g": (0.5, 0)}, **SPREAD),
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
    plans = PLANS | GENERALIZED
    if kind not in plans or not seed.isdecimal():
        raise InvalidArgument(f"name is {name!r}; one of {', '.join(plans)} and a seed is expected, as in 'crossed_1'.")
    plan, bits = plans[kind], np.random.PCG64(int(seed))
    codes = {"g": np.repeat(np.arange(plan.groups), plan.rows[0] + _below(bits, plan.groups, np.ptp(plan.rows) + 1))}
    n = len(codes["g"])
    codes |= {factor: _below(bits, n, plan.groups) for factor in ("h", "k")} | {"part": _below(bits, n, 3)}
    x, w, o, y = draw_normal(bits, n), 4 ** _below(bits, n, 2), _below(bits, n, 3), draw_normal(bits, n)
    y = plan.noise * y / np.sqrt(w) + x / 2 + plan.mean
    for factor, sds in plan.sds.items():
        level = codes["g"] * 3 + codes["part"] if factor == "part" else codes[factor]
        intercept, slope = (sd * draw_normal(bits, int(level.max()) + 1)[level] for sd in sds)
        y = y + intercept + slope * x
    units = (plan.unit, 1.0) if int(seed) % 2 else (1.0, plan.unit)
    numbers = {"x": x * units[0], "y": y * units[1], "w": w.astype(float), "o": o.astype(float)}
    if plan.response:
        codes["row"] = np.arange(n)
        numbers |= RESPONSES[plan.response](bits, y + plan.exposure * numbers["o"])
    return pd.DataFrame({factor: _factor(factor, code) for factor, code in codes.items()} | numbers)


def _binary(bits: np.random.PCG64, eta: Numbers) -> dict[str, Numbers]:
    """Whether a normal variable about the linear predictor is positive."""
    return {"y": (eta + draw_normal(bits, len(eta)) > 0).astype(float)}


def _trials(bits: np.random.PCG64, eta: Numbers) -> dict[str, Numbers]:
    """Of 2 to 10 trials, how many succeed."""
    size = 2 + _below(bits, len(eta), 9)
    found = [_binary(bits, eta)["y"] * (trial < size) for trial in range(10)]
    return {"y": np.sum(found, axis=0), "n": size.astype(float)}


def _counts(bits: np.random.PCG64, eta: Numbers) -> dict[str, Numbers]:
    """Binomial of 256 trials, which is as good as Poisson, about a power that is near the exponential function."""
    return _events(bits, _power(eta))


def _spread(bits: np.random.PCG64, eta: Numbers) -> dict[str, Numbers]:
    """Counts about means that vary as a gamma variable of shape 2 does."""
    first, second, third, fourth = (draw_normal(bits, len(eta)) ** 2 for _ in range(4))
    return _events(bits, _power(eta) * ((first + second) + (third + fourth)) / 4)


def _power(eta: Numbers) -> Numbers:
    power = np.maximum(1 + eta / 8, 0.0)
    for _ in range(3):
        power = power * power
    return power


def _events(bits: np.random.PCG64, mean: Numbers) -> dict[str, Numbers]:
    pieces = (bits.random_raw(64 * len(mean)).reshape(len(mean), 64, 1) >> SIXTEENS) & np.uint64(0xFFFF)
    below = pieces < np.minimum(mean * 256, 65536.0)[:, None, None]
    return {"y": below.sum(axis=(1, 2)).astype(float)}


RESPONSES = {"binary": _binary, "trials": _trials, "counts": _counts, "spread": _spread}


def _below(bits: np.random.PCG64, n: int, end: int) -> NDArray[np.int64]:
    return (bits.random_raw(n) % np.uint64(end)).astype(np.int64)


def draw_normal(bits: np.random.PCG64, n: int) -> NDArray[np.float64]:
    """Draw sums of twelve numbers of 16 bits, which are as good as normal and the same bits on every machine."""
    pieces = (bits.random_raw(3 * n).reshape(n, 3, 1) >> SIXTEENS) & np.uint64(0xFFFF)
    drawn: NDArray[np.float64] = (pieces.sum(axis=(1, 2)).astype(np.int64) - 6 * 0xFFFF) / 2**16
    return drawn


def _factor(name: str, codes: NDArray[np.int64]) -> pd.Categorical:
    return pd.Categorical([f"{name}{code:03d}" for code in codes.tolist()])  # type: ignore[return-value]  # the stubs have it of text
