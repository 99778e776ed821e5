"""The models of which numbers are known, and their data.

The numbers are exact by algebra, or were printed by others.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

import pandas as pd

from lmerbridge.datasets import load_dataset
from lmerbridge.engines.recorded import RECORDINGS, Recorded
from lmerbridge.inputs import GlmerSpec, Spec

CENTRES = (4, 3, 5, 3, 5, 3, 5, 3, 5)  # tenths: the groups of NIST's simulated sets


@dataclass(frozen=True)
class KnownNumber:
    """One known number.

    Attributes
    ----------
    quantity : str
        Its name in `lmerbridge.results.fit.Fit.quantities`, or ``theta[1]``, ``vcov[a,b]``, ``ranef[group,level]``, ...
    value : float
    digits : int
        How many the source gives.
    source : str
        Who computed or printed it, and where.
    """

    quantity: str
    value: float
    digits: int
    source: str


@dataclass(frozen=True)
class KnownModel:
    """A model of which numbers are known: a generalized one where it has a family."""

    case: str
    dataset: str
    package: str
    formula: str
    reml: bool
    numbers: tuple[KnownNumber, ...]
    weights: str = ""
    family: str = ""
    n_agq: int = 1

    def spec(self) -> Spec:
        """Return what is to be fitted."""
        formula, data, weights = self.formula, self.data(), self.weights or None
        if self.family:
            return GlmerSpec(formula=formula, data=data, weights=weights, family=self.family, n_agq=self.n_agq)
        return Spec(formula=formula, data=data, reml=self.reml, weights=weights)

    def data(self) -> pd.DataFrame:
        """Load the data set: of a package, or of our own table where no package has it as a frame."""
        return load_dataset(self.dataset, self.package) if self.package else _table(self.dataset)


@cache
def models(source: str, pattern: str = "*") -> tuple[KnownModel, ...]:
    """Return the models of a shipped recording, ``exact`` or ``published``, whose names match a glob."""
    told = Recorded(source).content["numbers"]
    return tuple(_model(model) for model in told if fnmatchcase(model["case"], pattern))


def _model(model: dict[str, Any]) -> KnownModel:
    numbers = (KnownNumber(n["quantity"], float(n["value"]), n["digits"], n["source"]) for n in model["numbers"])
    return KnownModel(**model | {"numbers": tuple(numbers)})


@cache
def _table(name: str) -> pd.DataFrame:
    told = tomllib.loads((RECORDINGS / "data.toml").read_text(encoding="utf-8"))[name]
    columns = told.get("columns") or _one_way(told.get("groups") or _simulation(**told))
    frame = pd.DataFrame(columns)
    texts = [column for column in frame if frame[column].dtype.kind not in "iuf"]
    return frame.astype({column: pd.CategoricalDtype(list(frame[column].unique())) for column in texts})


def _one_way(groups: list[list[float]]) -> dict[str, list[Any]]:
    labels = [str(i) for i, values in enumerate(groups, start=1) for _ in values]
    return {"y": [y for values in groups for y in values], "g": labels}


def _simulation(whole: str, rows: int, source: str) -> list[list[float]]:
    """Write the decimals, so that each is the double nearest to what NIST prints."""
    pairs = (rows - 1) // 2
    tenths = [[centre, *[centre - 1, centre + 1] * pairs] for centre in CENTRES]
    return [[float(f"{whole}.{tenth}") for tenth in group] for group in tenths]
