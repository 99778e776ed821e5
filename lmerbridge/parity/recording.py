"""lme4's answers for the suite's cases as a recording, which the engine ``recorded`` reads."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lmerbridge.datasets import load_dataset
from lmerbridge.engines import find, fit_with
from lmerbridge.engines.recorded import FORMAT, data_hash, digest, json_column, method_of
from lmerbridge.errors import Condition, InvalidArgument
from lmerbridge.files import write_files
from lmerbridge.models import KeptFit, call_on, model_of
from lmerbridge.parity.cases import Case


def record_cases(cases: Iterable[Case], engine: str | None = None) -> dict[str, Any]:
    """Fit cases with lme4 and gather its answers.

    Parameters
    ----------
    cases : iterable of Case
    engine : str, optional
        ``lme4``, or ``lme4[bobyqa]`` and its like. The default is each case's reference: ``lme4`` of a linear model,
        ``lme4[tight]`` of a generalized one.

    Returns
    -------
    dict
        ``engine`` and ``versions`` (of R, lme4, BLAS, ...); ``data``, every data set used, once; ``models``, each with
        the hash of its data, lme4's matrices, and what R replied of its fits: the same doubles when read back;
        ``digest``, SHA-256 of all that.

    Raises
    ------
    InvalidArgument
        The engine is not lme4.
    """
    usual = engine or "lme4"
    data: dict[str, Any] = {}
    models: dict[tuple[str, str], Any] = {}
    versions: dict[str, str] = {}
    for case in cases:
        name, spec = engine or case.reference, case.spec()
        fit = fit_with(find(name), spec)
        if not isinstance(fit, KeptFit):
            raise InvalidArgument(f"{name} cannot be recorded; lme4 or lme4[bobyqa] and its like are expected.")
        formula = spec.parsed
        key = formula.text, data_hash(spec, formula)
        model = models.setdefault(key, {"formula": key[0], "data_hash": key[1], "cases": [], "fits": {}})
        model["cases"].append(case.name)
        model["design"] = _plain(call_on(fit, "design"))
        told = dict(fit.provenance.versions)
        tight = {"tolPwrss": told.pop("tolPwrss")} if "tolPwrss" in told else {}
        own = {} if name == usual else {"engine": name}
        model["fits"][method_of(spec)] = _fit(fit) | own | tight
        data[f"{case.package}/{case.dataset}"] = _frame(load_dataset(case.dataset, case.package))
        versions = told
    found = {"format": FORMAT, "engine": usual, "versions": versions, "data": data, "models": [*models.values()]}
    return found | {"digest": digest(found)}


def write_recording(recording: Mapping[str, Any], path: Path) -> None:
    """Write a recording as JSON, the same bytes every time.

    Raises
    ------
    InvalidArgument
        The file cannot be written.
    """
    text = json.dumps(recording, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    write_files({path: text + "\n"})


def _fit(fit: KeptFit) -> dict[str, Any]:
    described = model_of(fit).reply.values
    return {"conditions": [*map(_condition, fit.conditions)], "described": _plain(described)}


def _condition(condition: Condition) -> dict[str, Any]:
    """Return a condition with its count where that is not one."""
    return {name: value for name, value in asdict(condition).items() if (name, value) != ("count", 1)}


def _plain(values: Mapping[str, Any]) -> dict[str, list[Any]]:
    """R's vectors as JSON has them, null for NaN."""
    return {name: _list(vector) for name, vector in values.items()}


def _list(vector: Any) -> list[Any]:  # noqa: ANN401 - as `wire.Value`
    if isinstance(vector, np.ndarray):
        return [None if pd.isna(value) else value for value in vector.tolist()]
    return list(vector)


def _frame(data: pd.DataFrame) -> dict[str, Any]:
    numbered = data.index.equals(pd.RangeIndex(len(data)))
    return {
        "rows": len(data),
        "labels": None if numbered else data.index.tolist(),
        "columns": {name: json_column(values) for name, values in data.items()},
    }
