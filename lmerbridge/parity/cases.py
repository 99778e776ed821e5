"""The suite's models: a table of cases in data, not code."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from lmerbridge.datasets import load_dataset
from lmerbridge.errors import InvalidArgument
from lmerbridge.inputs import GlmerSpec, Spec, check_signature
from lmerbridge.results import read_family

FILE = "file"  # the package of a data set that is a file
REFERENCES = {"linear": "lme4", "generalized": "lme4[tight]"}  # glmer's default stops before its own numbers hold


@dataclass(frozen=True)
class Case:
    """One model on one data set, fitted by one method: REML or ML, Laplace's approximation or quadrature.

    Attributes
    ----------
    name : str
        Unique, e.g. ``sleepstudy_slopes/REML`` or ``cbpp/AGQ9``.
    dataset, package : str
        ``sleepstudy`` of R's ``lme4``; package ``statsmodels`` means a CSV file in its wheel, ``file`` one by its path.
    formula : str
    reml : bool
        False of a generalized model.
    rows : str
        A pandas query that picks rows, or "".
    weights, offset : str
        A column name, or "".
    features : tuple of str
        What the case exercises: ``intercept``, ``slopes``, ``nested``, ...
    contrasts : tuple of (factor, name of R's contrast function)
    kind : str
        Of simulated data, the design that they are drawn by; "" for real data.
    family : str
        Of a generalized model, as `lmerbridge.glmer` takes it, such as ``binomial(probit)``; "" of a linear one.
    n_agq : int
        Nodes of the quadrature; 1 is Laplace's approximation, and what a linear model has.
    """

    name: str
    dataset: str
    package: str
    formula: str
    reml: bool
    rows: str = ""
    weights: str = ""
    offset: str = ""
    features: tuple[str, ...] = ()
    contrasts: tuple[tuple[str, str], ...] = ()
    kind: str = ""
    family: str = ""
    n_agq: int = 1

    @property
    def model(self) -> Literal["linear", "generalized"]:
        """``linear`` or ``generalized``, which a report tells apart."""
        return "generalized" if self.family else "linear"

    @property
    def method(self) -> str:
        """How the model is fitted: the end of its name."""
        return _method(self.n_agq) if self.family else "REML" if self.reml else "ML"

    @property
    def reference(self) -> str:
        """The engine that the case is judged against where none is named."""
        return REFERENCES[self.model]

    @property
    def distribution(self) -> str:
        """The name of the family: ``gaussian`` of a linear model."""
        return read_family(self.family).name if self.family else "gaussian"

    @property
    def block(self) -> str:
        """``simulated`` or ``real``, which a report tells apart."""
        return "simulated" if self.kind else "real"

    def data(self, load: Callable[[str, str], pd.DataFrame] = load_dataset) -> pd.DataFrame:
        """Load the rows of the data set that the case is about."""
        frame = read_data(Path(self.dataset)) if self.package == FILE else load(self.dataset, self.package)
        return frame.query(self.rows) if self.rows else frame

    def spec(self, load: Callable[[str, str], pd.DataFrame] = load_dataset) -> Spec:
        """Return what is to be fitted.

        A recording gives a ``load`` of its own, which reads the data sets that it holds.
        """
        given: dict[str, Any] = {
            "formula": self.formula,
            "data": self.data(load),
            "weights": self.weights or None,
            "offset": self.offset or None,
            "contrasts": dict(self.contrasts) or None,
        }
        if self.family:
            return GlmerSpec(family=self.family, n_agq=self.n_agq, **given)
        return Spec(reml=self.reml, **given)


@cache
def suite() -> tuple[Case, ...]:
    """Return the linear cases, model by model, REML before ML, and the simulated ones last."""
    return tuple(_case(method, reml=method == "REML", **m) for m in _models("cases.toml") for method in ("REML", "ML"))


@cache
def generalized() -> tuple[Case, ...]:
    """Return the generalized cases, model by model, Laplace's approximation first, and the simulated ones last."""
    return tuple(
        _case(_method(nodes), reml=False, n_agq=nodes, **model)
        for model in _models("cases_glmm.toml")
        for nodes in model.pop("n_agq", [1])
    )


def read_data(path: Path) -> pd.DataFrame:
    """Read a CSV file: numbers to the last bit, other columns as texts."""
    table = pd.read_csv(path, dtype=str)
    for name in table:
        try:
            table[name] = table[name].astype(float)
        except ValueError:
            continue
    return table


def read_cases(path: Path) -> tuple[Case, ...]:
    """Return the cases of a file such as a hunt writes, or of all ``case.toml`` in a folder and below.

    Data sets are CSV files beside it.

    Raises
    ------
    InvalidArgument
        There are none, or one is no case.
    """
    paths = sorted(path.rglob("case.toml")) if path.is_dir() else [path]
    if not paths:
        raise InvalidArgument(f"{path} has no case.toml in it; a folder that `lmerbridge hunt` wrote is expected.")
    return tuple(case for each in paths for case in _read(each))


def _read(path: Path) -> Iterator[Case]:
    try:
        for model in tomllib.loads(path.read_text(encoding="utf-8"))["model"]:
            method = _method(model.get("n_agq", 1)) if "family" in model else "REML" if model["reml"] else "ML"
            yield _case(method, **{"reml": False} | model | {"dataset": str(path.parent / model["dataset"])})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidArgument(f"{path} is no case ({error}); see one that `lmerbridge hunt` wrote.") from error


def every_case() -> tuple[Case, ...]:
    """Return every case of the suite, the linear ones first."""
    return (*suite(), *generalized())


def _method(nodes: int) -> str:
    return "Laplace" if nodes == 1 else f"AGQ{nodes}"


def _models(name: str) -> list[dict[str, Any]]:
    table = tomllib.loads(files(__package__).joinpath(name).read_text(encoding="utf-8"))
    return [*table["model"], *(model for entry in table["simulated"] for model in _drawn(**entry))]


def _drawn(kind: str, seeds: int, **entry: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401  # fields of a case
    for seed in range(1, seeds + 1):
        name = f"{kind}_{seed}"
        yield entry | {"name": name, "dataset": name, "package": "lmerbridge", "kind": kind}


def _case(
    method: str,
    *,
    name: str,
    features: Sequence[str],
    contrasts: Mapping[str, str] | None = None,
    **entry: Any,  # noqa: ANN401  # the other fields of a case
) -> Case:
    given = tuple((contrasts or {}).items())
    return Case(f"{name}/{method}", features=tuple(features), contrasts=given, **entry)


@check_signature
def pick(pattern: str, family: str = "*", path: Path | None = None) -> tuple[Case, ...]:
    """Return the cases whose name matches a glob, such as ``sleepstudy*``, ``*/ML`` or ``cbpp/Laplace``.

    Parameters
    ----------
    pattern : str
    family : str
        Another glob, for the distribution of the response: ``gaussian`` of every linear model, ``binomial``, ...
    path : Path, optional
        A file of cases, or a folder of such files, in the place of the suite: see `read_cases`.

    Raises
    ------
    InvalidArgument
        None does.
    """
    every = every_case() if path is None else read_cases(path)
    among = [case for case in every if fnmatchcase(case.distribution, family)]
    if not among:
        there = ", ".join(dict.fromkeys(case.distribution for case in every))
        raise InvalidArgument(f"family is {family!r}; {there}, or a glob of them, is expected.")
    found = tuple(case for case in among if fnmatchcase(case.name, pattern))
    if not found:
        names = [case.name for case in among]
        globs = dict.fromkeys(f"{name.partition('/')[0]}/*" for name in names)
        near = get_close_matches(pattern, [*globs, *names])
        meant = f"Did you mean {' or '.join(map(repr, near))}?" if near else "'sleepstudy*' matches some."
        raise InvalidArgument(f"no case matches {pattern!r} of the {len(names)} there are. {meant}")
    return found
