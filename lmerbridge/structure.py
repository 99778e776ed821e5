"""A flat list of plain vectors as a frozen dataclass, built by the types of its fields.

A field ``beta: Array`` takes the vector ``beta``; a field whose type is a dataclass takes the vectors
``<field>.<its fields>``. An unknown name, a missing one, or a scalar of another length than one is an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, get_origin, get_type_hints

import numpy as np

from lmerbridge.errors import ProtocolError

T = TypeVar("T")


@cache
def _hints(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


def build(kind: type[T], vectors: Mapping[str, Any], prefix: str = "") -> T:
    """Build ``kind`` from a flat list.

    Raises
    ------
    ProtocolError
        The names or lengths are not those of the fields.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Point:
    ...     name: str
    ...     size: int
    >>> build(Point, {"name": ["a"], "size": np.array([3])})
    Point(name='a', size=3)
    """
    if not prefix:
        _check_names(kind, vectors)
    hints = _hints(kind)
    return kind(**{name: _field(hint, vectors, prefix + name) for name, hint in hints.items()})


def names(kind: type, prefix: str = "") -> set[str]:
    """Names of the vectors that make up ``kind``."""
    found: set[str] = set()
    for name, hint in _hints(kind).items():
        found |= names(hint, f"{prefix}{name}.") if is_dataclass(hint) else {prefix + name}
    return found


def _check_names(kind: type, vectors: Mapping[str, Any]) -> None:
    wrong = names(kind) ^ set(vectors)
    if wrong:
        raise ProtocolError(f"{kind.__name__}: missing or unknown vectors: {', '.join(sorted(wrong))}")


def _field(hint: Any, vectors: Mapping[str, Any], name: str) -> Any:
    if is_dataclass(hint):
        return build(hint, vectors, name + ".")  # type: ignore[arg-type]  # is_dataclass has no narrower type
    vector = vectors[name]
    if get_origin(hint) is tuple:
        return tuple(vector)
    if get_origin(hint) is np.ndarray:
        return vector if isinstance(vector, np.ndarray) else np.array(vector, dtype=np.float64)
    if len(vector) != 1:
        raise ProtocolError(f"{name}: one value expected, {len(vector)} came")
    return hint(vector[0])
