"""The suite's models: a table of cases in data, not code."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Any

import pandas as pd

from lmerbridge.datasets import load_dataset
from lmerbridge.errors import InvalidArgument
from lmerbridge.inputs import Spec, check_signature


@dataclass(frozen=True)
class Case:
    """One model on one data set, fitted by REML or by ML.

    Attributes
    ----------
    name : str
        Unique, e.g. ``sleepstudy_slopes/REML``.
    dataset, package : str
        ``sleepstudy`` of R's ``lme4``; package ``statsmodels`` means a CSV file in its wheel.
    formula : str
    reml : bool
    rows : str
        A pandas query that picks rows, or "".
    weights, offset : str
        A column name, or "".
    features : tuple of str
        What the case exercises: ``intercept``, ``slopes``, ``nested``, ...
    contrasts : tuple of (factor, name of R's contrast function)
    kind : str
        Of simulated data, the design that they are drawn by; "" for real data.
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

    @property
    def block(self) -> str:
        """``simulated`` or ``real``, which a report tells apart."""
        return "simulated" if self.kind else "real"

    def data(self, load: Callable[[str, str], pd.DataFrame] = load_dataset) -> pd.DataFrame:
        """Load the rows of the data set that the case is about."""
        frame = load(self.dataset, self.package)
        return frame.query(self.rows) if self.rows else frame

    def spec(self, load: Callable[[str, str], pd.DataFrame] = load_dataset) -> Spec:
        """Return what is to be fitted.

        A recording gives a ``load`` of its own, which reads the data sets that it holds.
        """
        return Spec(
            formula=self.formula,
            data=self.data(load),
            reml=self.reml,
            weights=self.weights or None,
            offset=self.offset or None,
            contrasts=dict(self.contrasts) or None,
        )


@cache
def suite() -> tuple[Case, ...]:
    """Return every case of the suite, model by model, REML before ML, and the simulated ones last."""
    table = tomllib.loads(files(__package__).joinpath("cases.toml").read_text())
    models = [*table["model"], *(model for entry in table["simulated"] for model in _drawn(**entry))]
    return tuple(_case(method=method, **model) for model in models for method in ("REML", "ML"))


def _drawn(kind: str, seeds: int, **entry: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401  # fields of a case
    for seed in range(1, seeds + 1):
        name = f"{kind}_{seed}"
        yield entry | {"name": name, "dataset": name, "package": "lmerbridge", "kind": kind}


def _case(
    name: str,
    method: str,
    features: Sequence[str],
    contrasts: Mapping[str, str] | None = None,
    **entry: Any,  # noqa: ANN401  # the other fields of a case
) -> Case:
    given = tuple((contrasts or {}).items())
    return Case(f"{name}/{method}", reml=method == "REML", features=tuple(features), contrasts=given, **entry)


@check_signature
def pick(pattern: str) -> tuple[Case, ...]:
    """Return the cases whose name matches a glob, such as ``sleepstudy*`` or ``*/ML``.

    Raises
    ------
    InvalidArgument
        None does.
    """
    found = tuple(case for case in suite() if fnmatchcase(case.name, pattern))
    if not found:
        names = [case.name for case in suite()]
        globs = dict.fromkeys(f"{name.partition('/')[0]}/*" for name in names)
        near = get_close_matches(pattern, [*globs, *names])
        meant = f"Did you mean {' or '.join(map(repr, near))}?" if near else "'sleepstudy*' matches some."
        raise InvalidArgument(f"no case matches {pattern!r} of the {len(names)} there are. {meant}")
    return found
