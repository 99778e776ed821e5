"""Numbers from a file as an engine: lme4's answers, on a machine that may have no R."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lmerbridge.bridge import build, replies
from lmerbridge.errors import EngineFailed, InvalidArgument, MissingColumns, NotExpressible, ProtocolError
from lmerbridge.formula import Formula
from lmerbridge.inputs import Spec
from lmerbridge.results import Condition, Fit, Provenance
from lmerbridge.translate import refuse_lme4s

FORMAT = "lmerbridge recording 1"
RECORDINGS = Path(str(files("lmerbridge"))) / "recordings"
SHIPPED = ("exact", "published")
PARTIAL = "holds single numbers and no whole fit; the table of accuracy holds engines against them"


class Recorded:
    """What ``lmerbridge record`` wrote, found by formula, data, and REML or ML.

    Parameters
    ----------
    source : str
        A file, or one of the recordings that come with the package: ``exact`` and ``published``. These hold single
        numbers of many models, each with its source, and can fit nothing.

    Raises
    ------
    InvalidArgument
        It is no recording.
    """

    capabilities: frozenset[str] = frozenset()

    def __init__(self, source: str) -> None:
        self.name = f"recorded:{source}"
        self.content = _content(RECORDINGS / f"{source}.json" if source in SHIPPED else Path(source))

    @property
    def partial(self) -> bool:
        """Whether it holds single numbers and no fit."""
        return "numbers" in self.content

    def fit(self, spec: Spec) -> Fit:
        """Find the fit: see `lmerbridge.engines.Engine`.

        Raises
        ------
        NotExpressible
            The recording has no such model.
        EngineFailed
            It has, of other data.
        """
        if self.partial:
            raise NotExpressible(f"{self.name} {PARTIAL}.")
        refuse_lme4s(spec, self.name)
        formula = spec.parsed
        model = self._model(formula, data_hash(spec, formula), "REML" if spec.reml else "ML")
        vectors = _vectors(model["fit"]["described"])
        try:
            described = build(replies.FitReply, replies.us_structures(len(vectors["block.name"])) | vectors)
        except ProtocolError as error:
            raise InvalidArgument(
                f"{self.name} has the numbers of another release ({error}); record it again."
            ) from error
        versions = self.content["versions"]
        return Fit(
            engine=self.name,
            formula=formula.text,
            index=spec.data.index,
            _padded_rows=spec.padded_rows,
            conditions=tuple(Condition(**c | {"classes": tuple(c["classes"])}) for c in model["fit"]["conditions"]),
            provenance=Provenance("lme4", versions["lme4"], described.optimizer, tuple(versions.items())),
            _design=replies.design_from_r(_vectors(model["design"])),
            **replies.fit_fields(described),
        )

    def load_dataset(self, name: str, package: str) -> pd.DataFrame:
        """Give a data set of the recording, as `lmerbridge.load_dataset` does.

        Raises
        ------
        NotExpressible
            The recording does not have it.
        """
        held = self.content.get("data", {})
        if f"{package}/{name}" not in held:
            raise NotExpressible(f"{self.name} has no data set {package}/{name}; it has {', '.join(held) or 'none'}.")
        return _frame(held[f"{package}/{name}"])

    def _model(self, formula: Formula, data: str, method: str) -> dict[str, Any]:
        """Find a model, and in it the fit by one method."""
        same: list[dict[str, Any]] = [
            m for m in self.content["models"] if m["formula"] == formula.text and method in m["fits"]
        ]
        if not same:
            raise NotExpressible(f"{self.name} has no fit of {formula.text} by {method}.")
        for model in same:
            if model["data_hash"] == data:
                return model | {"fit": model["fits"][method]}
        raise EngineFailed(
            f"the data has changed: {self.name} has {formula.text} of data with the hash "
            f"{' or '.join(model['data_hash'] for model in same)}, and this is {data}; record it again."
        )


def _content(path: Path) -> dict[str, Any]:
    return _read(path, path.stat().st_mtime_ns if path.is_file() else 0)


@lru_cache(maxsize=4)
def _read(path: Path, _changed: int) -> dict[str, Any]:
    """Read a recording once, and again when the file has changed."""
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidArgument(f"the recording {path} cannot be read: {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InvalidArgument(f"{path} is no {FORMAT!r}; `lmerbridge record --out FILE` writes one.")
    return content


def data_hash(spec: Spec, formula: Formula) -> str:
    """SHA-256 of everything a model takes from data: its columns, weights, offset and subset, and its contrasts."""
    if missing := [name for name in formula.variables if name not in spec.data]:
        raise MissingColumns(missing, spec.data.columns)
    arguments: tuple[Literal["weights", "offset", "subset"], ...] = ("weights", "offset", "subset")
    rows = {name: values for name in arguments if (values := spec.per_row(name)) is not None}
    taken = {f"column {name}": spec.data[name] for name in formula.variables} | rows
    told = {name: json_column(values) | {"dtype": None} for name, values in taken.items()}
    text = json.dumps([told, dict(spec.contrasts or {})], sort_keys=True, default=_matrix)
    return hashlib.sha256(text.encode()).hexdigest()


def _matrix(contrasts: NDArray[Any] | pd.DataFrame) -> object:
    table = pd.DataFrame(contrasts)
    return [list(map(str, table.index)), list(map(str, table.columns)), table.to_numpy(float).tolist()]


def json_column(series: pd.Series) -> dict[str, Any]:
    """A column as JSON has it: numbers that read back to the same doubles, null where one is missing."""
    if isinstance(series.dtype, pd.CategoricalDtype):
        told = {"categories": series.cat.categories.tolist(), "ordered": bool(series.cat.ordered)}
        return told | {"values": series.cat.codes.tolist()}
    values = [None if pd.isna(value) else value for value in series.tolist()]
    kinds = {type(value) for value in values} - {type(None)}
    if not (kinds <= {int, float} or kinds in ({bool}, {str})):
        what = f"column {series.name!r} of dtype {series.dtype} has no form in a recording"
        raise InvalidArgument(f"{what}; numbers, booleans, text or categories are expected.")
    return {"dtype": "text" if kinds == {str} else str(series.dtype), "values": values}


def _frame(told: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame({name: _series(values) for name, values in told["columns"].items()}).set_axis(
        pd.RangeIndex(told["rows"]) if told["labels"] is None else pd.Index(told["labels"])
    )


def _series(told: dict[str, Any]) -> pd.Series:
    if "categories" in told:
        return pd.Series(pd.Categorical.from_codes(told["values"], told["categories"], ordered=told["ordered"]))
    return pd.Series(told["values"], dtype=None if told["dtype"] == "text" else told["dtype"])


def _vectors(told: dict[str, list[Any]]) -> dict[str, Any]:
    """Vectors as R replied them: text as a list, integers and doubles as arrays."""
    return {name: _vector(values) for name, values in told.items()}


def _vector(values: list[Any]) -> Any:  # noqa: ANN401 - as `wire.Value`
    kinds = {type(value) for value in values}
    if str in kinds or not kinds:
        return values
    return np.array(values, np.int32) if kinds == {int} else np.array(values, np.float64)
