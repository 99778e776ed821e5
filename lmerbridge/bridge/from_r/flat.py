"""A flat list of plain vectors as a frozen dataclass, built by the types of its fields.

A field ``beta: Array`` takes the vector ``beta``; a field whose type is a dataclass takes the vectors
``<field>.<its fields>``. An unknown name, a missing one, a scalar of another length than one or one
that is NA is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache, partial
from itertools import accumulate, pairwise
from typing import Any, TypeVar, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from lmerbridge.errors import ProtocolError

T = TypeVar("T")
Sliceable = TypeVar("Sliceable", tuple[str, ...], NDArray[Any])
NA_INTEGER = -(2**31)  # R's NA in an integer or logical vector


@cache
def _hints(kind: type) -> dict[str, type]:
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
    hints = _hints(kind)  # type: ignore[arg-type]  # mypy holds that a type[T] has no hash
    return kind(**{name: _field(hint, vectors, prefix + name) for name, hint in hints.items()})


def vector_types(kind: type, prefix: str = "") -> dict[str, type]:
    """Return the types of the fields that make up ``kind``, by the names of their vectors."""
    found: dict[str, type] = {}
    for name, hint in _hints(kind).items():
        found |= vector_types(hint, f"{prefix}{name}.") if is_dataclass(hint) else {prefix + name: hint}
    return found


@cache
def vector_names(kind: type) -> frozenset[str]:
    """Return the names of the vectors that make up ``kind``."""
    return frozenset(vector_types(kind))


def _check_names(kind: type, vectors: Mapping[str, Any]) -> None:
    wrong = vector_names(kind) ^ vectors.keys()
    if wrong:
        raise ProtocolError(f"{kind.__name__}: missing or unknown vectors: {', '.join(sorted(wrong))}")


def _field(hint: type, vectors: Mapping[str, Any], name: str) -> object:
    read = _reader(hint)
    return build(hint, vectors, name + ".") if read is None else read(name, vectors[name])


@cache
def _reader(hint: type) -> Callable[[str, Any], object] | None:
    """Return what makes a field's value of its name and vector, None where the field is a dataclass."""
    if is_dataclass(hint):
        return None
    if get_origin(hint) is tuple:
        return lambda name, vector: tuple(vector)
    if get_origin(hint) in (np.ndarray, NDArray):  # from numpy 2.5 on the alias is a type of its own
        return lambda name, vector: vector if isinstance(vector, np.ndarray) else np.array(vector, dtype=np.float64)
    return partial(_scalar, hint)


def _scalar(hint: type, name: str, vector: Any) -> object:  # noqa: ANN401  # as received
    if len(vector) != 1 or (hint in (int, bool) and vector[0] == NA_INTEGER):
        raise ProtocolError(f"{name}: one value that is not NA expected, {vector!r} came")
    return hint(vector[0])


def pieces(vector: Sliceable, sizes: Iterable[int]) -> list[Sliceable]:
    """Cut a vector into consecutive pieces of the given sizes.

    Raises
    ------
    ProtocolError
        The sizes do not add up to its length.

    Examples
    --------
    >>> pieces(("a", "b", "c"), [2, 1])
    [('a', 'b'), ('c',)]
    """
    ends = list(accumulate(sizes, initial=0))
    if ends[-1] != len(vector):
        raise ProtocolError(f"pieces of {ends[-1]} elements in all expected, {len(vector)} came")
    return [vector[start:end] for start, end in pairwise(ends)]
