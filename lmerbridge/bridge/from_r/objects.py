"""R objects, described as flat lists by R's ``describe``, as numpy, pandas and scipy ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from lmerbridge.bridge.from_r.frame import frame_from_r
from lmerbridge.errors import ProtocolError


def object_from_r(described: Mapping[str, Any]) -> Any:  # noqa: ANN401  # whatever R described
    """Return the object of a flat list that R's ``describe`` made.

    Returns
    -------
    ndarray, or tuple of str
        A vector without names.
    Series
        A vector with names.
    ndarray, DataFrame
        A matrix without names of columns, and one with them or with no columns, of which R keeps no names.
    ndarray
        An array of three dimensions.
    csc_array
        A sparse matrix.
    DataFrame
        A data frame; a factor is one with the column ``factor``.
    dict of str
        A list with names; of equal ones, all but the first are numbered: ``Subject``, ``Subject.1``.
    """
    match described["kind"]:
        case ["vector" | "logical" as kind]:
            return _vector(kind, described)
        case ["matrix"]:
            return _matrix(described)
        case ["array"]:
            return described["values"].reshape(described["dim"], order="F")
        case ["sparse"]:
            return _sparse(described)
        case ["frame"]:
            return frame_from_r(described)
        case ["list"]:
            return _elements(described)
    raise ProtocolError(f"{described['kind']!r} is no kind of object that R describes")


def _vector(kind: str, described: Mapping[str, Any]) -> Any:  # noqa: ANN401
    values, names = described["values"], described["name"]
    values = values.astype(bool) if kind == "logical" else tuple(values) if isinstance(values, list) else values
    return pd.Series(values, index=pd.Index(names)) if names else values


def _matrix(described: Mapping[str, Any]) -> Any:  # noqa: ANN401
    values = described["values"].reshape(described["dim"], order="F")
    rows, columns = described["row"] or None, described["column"]
    labelled = len(columns) == values.shape[1]
    return pd.DataFrame(values, index=rows, columns=pd.Index(columns)) if labelled else values


def _sparse(described: Mapping[str, Any]) -> Any:  # noqa: ANN401
    import scipy.sparse as sp  # slow to load

    parts = (described["x"], described["i"], described["p"])
    return sp.csc_array(parts, shape=tuple(described["dim"].tolist()))


def _elements(described: Mapping[str, Any]) -> dict[str, Any]:
    parts: list[dict[str, Any]] = [{} for _ in described["name"]]
    for name, vector in described.items():
        number, dot, rest = name.partition(".")
        if dot:
            parts[int(number) - 1][rest] = vector
    return dict(zip(described["name"], map(object_from_r, parts), strict=True))
