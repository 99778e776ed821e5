"""Numbers from a file as an engine: lme4's answers, on a machine that may have no R."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, TypedDict, TypeVar, get_args, get_origin

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lmerbridge.bridge import build, replies, shapes, vector_types
from lmerbridge.errors import EngineFailed, InvalidArgument, MissingColumns, NotExpressible, ProtocolError, amount
from lmerbridge.formula import Formula
from lmerbridge.inputs import GlmerSpec, Spec, check_type, document, parse_json
from lmerbridge.results import Condition, Fit, Provenance
from lmerbridge.translate import refuse_kind, refuse_lme4s

FORMAT = "lmerbridge recording 2"
DTYPES: dict[type, type] = {int: np.int32, float: np.float64}  # what R has for a number of JSON
HOLED = ("block.correlation", "nb_theta", "p_values")  # vectors in which null stands for NaN: a variance may be zero
LINEAR_METHODS = ("REML", "ML")
T = TypeVar("T")
RECORDINGS = Path(str(files("lmerbridge"))) / "recordings"
SHIPPED = ("exact", "published")
PARTIAL = "holds single numbers and no whole fit; the table of accuracy holds engines against them"


class _Values(TypedDict):
    values: list[bool | int | float | str | None]


class RecordedColumn(_Values, total=False):
    """A column of a data set: see `json_column`."""

    dtype: str
    categories: list[bool | int | float | str]
    ordered: bool


class RecordedFrame(TypedDict):
    """A data set: its columns, and its labels where they are not numbers from 0."""

    rows: int
    labels: list[int | float | str] | None
    columns: dict[str, RecordedColumn]


class _Described(TypedDict):
    conditions: list[Condition]
    described: dict[str, list[Any]]


class RecordedFit(_Described, total=False):
    """What R said of a fit, and the vectors of a `FitReply` or a `GlmerReply`.

    ``engine`` and ``tolPwrss`` are told where they are not those of the whole recording.
    """

    engine: str
    tolPwrss: str


class RecordedModel(TypedDict):
    """A formula on data with a hash, the vectors of its `DesignReply`, and its fits by `method_of`."""

    formula: str
    data_hash: str
    cases: list[str]
    design: dict[str, list[Any]]
    fits: dict[str, RecordedFit]


class Recording(TypedDict):
    """What ``lmerbridge record`` writes."""

    format: str
    engine: str
    versions: dict[str, str]
    data: dict[str, RecordedFrame]
    models: list[RecordedModel]
    digest: str


class Recorded:
    """What ``lmerbridge record`` wrote, found by formula, data, and method: REML, ML, or a family and its nodes.

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

    capabilities: frozenset[str] = frozenset({"glmm"})

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
        refuse_kind(spec, self.name, self.capabilities, {})
        refuse_lme4s(spec, self.name)
        formula = spec.parsed
        place, model = self._model(formula, data_hash(spec, formula), method_of(spec))
        recorded: dict[str, Any] = model["fit"]
        reply = getattr(replies, spec.kind.reply)
        described = build(reply, _vectors(reply, recorded["described"]))
        if not described.rows.max(initial=0) <= len(spec.data):
            rows = f"{described.rows.max()}, but the data has {len(spec.data)} rows"
            raise InvalidArgument(f"{self.name}: a row of {place}.described is {rows}.")
        versions = self.content["versions"]
        told = [("tolPwrss", recorded["tolPwrss"])] if "tolPwrss" in recorded else []
        numbers = replies.fit_fields(
            described,
            has_residual=bool(spec.kind.scale(described.sigma)),
            weighted=spec.weights is not None,
            link=spec.kind.link,
        )
        own = {field.name for field in fields(Fit)}
        return Fit(
            engine=self.name,
            formula=formula.text,
            index=spec.data.index,
            _padded_rows=spec.padded_rows,
            kind=spec.kind,
            conditions=tuple(Condition(**c | {"classes": tuple(c["classes"])}) for c in recorded["conditions"]),
            provenance=Provenance("lme4", versions["lme4"], described.optimizer, (*versions.items(), *told)),
            _design=replies.design_from_r(_vectors(replies.DesignReply, model["design"])),
            **{name: value for name, value in numbers.items() if name in own},
        )

    def load_dataset(self, name: str, package: str) -> pd.DataFrame:
        """Give a data set of the recording, as `lmerbridge.load_dataset` does.

        Raises
        ------
        NotExpressible
            The recording does not have it.
        """
        held = self.content.get("data", {})
        where = f"{package}/{name}"
        if where not in held:
            raise NotExpressible(f"{self.name} has no data set {where}; it has {', '.join(held) or 'none'}.")
        try:
            return _frame(held[where])
        except (KeyError, TypeError, ValueError, OverflowError) as error:  # pandas' own
            raise InvalidArgument(f"{self.name}: data.{where} is no data set: {error}; record it again.") from error

    def _model(self, formula: Formula, data: str, method: str) -> tuple[str, dict[str, Any]]:
        """Find the place of a fit, and its model with the fit in it."""
        same: list[tuple[int, dict[str, Any]]] = [
            (i, m) for i, m in enumerate(self.content["models"]) if m["formula"] == formula.text and method in m["fits"]
        ]
        if not same:
            raise NotExpressible(f"{self.name} has no fit of {formula.text} by {method}.")
        for i, model in same:
            if model["data_hash"] == data:
                return f"models[{i}].fits.{method}", model | {"fit": model["fits"][method]}
        raise EngineFailed(
            f"the data has changed: {self.name} has {formula.text} of data with the hash "
            f"{' or '.join(model['data_hash'] for _, model in same)}, and this is {data}; record it again."
        )


def _content(path: Path) -> dict[str, Any]:
    return _read(path, path.stat().st_mtime_ns if path.is_file() else 0)


@lru_cache(maxsize=4)
def _read(path: Path, _changed: int) -> dict[str, Any]:
    """Read a recording once, and again when the file has changed."""
    with document(path, "the recording") as text:
        content: dict[str, Any] = parse_json(text)
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise InvalidArgument(f"it is no {FORMAT!r}; `lmerbridge record --out FILE` writes one.")
        if "numbers" not in content:
            _check_recording(content)
    return content


def _check_recording(content: dict[str, Any]) -> None:
    """Check the types, the lengths and the ranges of all that a recording holds, and then that nothing has changed."""
    check_type(content, Recording)
    if "lme4" not in content["versions"]:
        raise InvalidArgument("versions lacks 'lme4'.")
    for i, model in enumerate(content["models"]):
        _reply(replies.DesignReply, shapes.design_faults, model["design"], f"models[{i}].design")
        for method, fit in model["fits"].items():
            reply = replies.FitReply if method in LINEAR_METHODS else replies.GlmerReply
            _reply(reply, shapes.fit_faults, fit["described"], f"models[{i}].fits.{method}.described")
    if content["digest"] != (found := digest(content)):
        was = content["digest"]
        raise InvalidArgument(f"it has changed: its digest is {was}, that of its content {found}; record it again.")


def method_of(spec: Spec) -> str:
    """Return how a model is fitted, under which a recording has the fit.

    Examples
    --------
    >>> from lmerbridge import load_dataset
    >>> from lmerbridge.inputs import GlmerSpec
    >>> method_of(GlmerSpec(formula="incidence ~ 1 + (1 | herd)", data=load_dataset("cbpp"), family="poisson"))
    'poisson(log), 1 node'
    """
    if not isinstance(spec, GlmerSpec):
        return "REML" if spec.reml else "ML"
    shape = "" if spec.shape is None else f" of shape {spec.shape!r}"
    return f"{spec.kind.family}({spec.kind.link}){shape}, {amount(int(spec.n_agq), 'node')}"


def digest(content: Mapping[str, Any]) -> str:
    """SHA-256 of everything in a recording but the digest itself."""
    text = json.dumps({name: value for name, value in content.items() if name != "digest"}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


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


def _reply(kind: type[T], faults: Callable[[T], Iterator[str]], told: dict[str, list[Any]], where: str) -> None:
    """Check that vectors have the types of a reply's fields and suit one another."""
    types = vector_types(kind)
    for name in types.keys() & told.keys():
        scalar: Any = _scalar(types[name])
        check_type(told[name], list[scalar | None] if name in HOLED else list[scalar], f"{where}.{name}")
    try:
        reply = build(kind, _vectors(kind, told))
    except ProtocolError as error:
        raise InvalidArgument(f"{where} has the numbers of another release ({error}); record it again.") from error
    for fault in faults(reply):
        raise InvalidArgument(f"{where}.{fault}.")


def _vectors(kind: type, told: Mapping[str, list[Any]]) -> dict[str, Any]:
    """Vectors as R replied them: text as a list, integers and doubles as arrays."""
    types = {name: DTYPES.get(_scalar(hint)) for name, hint in vector_types(kind).items()}
    return {name: np.array(values, types[name]) if types.get(name) else values for name, values in told.items()}


def _scalar(hint: Any) -> type:  # noqa: ANN401  # a type or an alias of one
    """Return the type that JSON has for each value of a field's vector."""
    if hint is str or get_origin(hint) is tuple:
        return str
    kind = get_args(hint)[-1] if get_args(hint) else hint  # of an array: its scalar, or numpy's dtype of that
    return float if (*get_args(kind), kind)[0] in (float, np.float64) else int
