"""The protocol between host and worker: named plain values as a JSON header and raw arrays over a socket.

The header tells kinds, names and sizes; numbers travel as bytes, never as text, so every double arrives as
the one that was sent. An array is sent from where it lies and received where it will stay: in the worker, that is
R's memory.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lmerbridge.errors import ProtocolError

AWAKE = 3e-4  # seconds
SMALL = 1 << 16  # bytes; up to here one copy is quicker than one system call per array
PREFIX = struct.Struct("<I")
START = 1  # number of the first request, which is to start: the worker answers it unasked


@dataclass(frozen=True, eq=False)
class Logical:
    """R's logical vector: 1 is TRUE, 0 FALSE, -1 NA."""

    codes: NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class Factor:
    """R's factor, with codes from 0, -1 for NA, and unique labels."""

    codes: NDArray[np.int32]
    labels: Sequence[str]
    ordered: bool = False


@dataclass(frozen=True, eq=False)
class ClassVector:
    """R's numbers with a class, such as Date, and its attributes, such as ``units``."""

    values: NDArray[np.float64]
    classes: Sequence[str]
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Table:
    """R's data frame: columns of equal length."""

    columns: Mapping[str, Value]
    rows: int


@dataclass(frozen=True, eq=False)
class Flat:
    """R's flat list in few vectors, received as a mapping of names to vectors.

    Attributes
    ----------
    names : sequence of str
    kinds, sizes : ndarray of int32
        Of each element its kind and its length: 1 for a part of the doubles, 2 of the integers, 3 of the texts, 0 for
        the next of the others.
    vectors : sequence
        The doubles, the integers, the texts, each one after another, and the others.
    """

    names: Strings
    kinds: NDArray[np.int32]
    sizes: NDArray[np.int32]
    vectors: Sequence[Value]


Strings: TypeAlias = Sequence[str | None]
Value: TypeAlias = (
    "bool | float | str | NDArray[Any] | Strings | Logical | Factor | ClassVector | Table | Flat | Mapping[str, Value]"
    " | None"
)
Make: TypeAlias = Callable[[str, int], tuple[Any, memoryview]]  # dtype, length -> an array, and its memory to be filled


def pack(value: Value, arrays: list[NDArray[Any]]) -> object:
    """Describe a value in JSON's types, its bulk appended to ``arrays``."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return {"double": _append(np.array([value]), arrays)}
        case np.ndarray():
            return {"array": _append(value, arrays)}
        case Logical():
            return {"logical": _append(value.codes, arrays)}
        case Factor():
            codes = _append(value.codes.astype(np.int32, copy=False), arrays)
            return {"factor": codes, "labels": _pack_strings(value.labels, arrays), "ordered": value.ordered}
        case ClassVector():
            at = _append(value.values, arrays)
            return {"classed": at, "classes": list(value.classes), "attributes": dict(value.attributes)}
        case Table():
            return {"table": value.rows, "columns": pack(value.columns, arrays)}
        case Flat():
            parts = value.names, value.kinds, value.sizes, *value.vectors
            return {"flat": [pack(part, arrays) for part in parts]}
        case Mapping():
            return {"list": [[name, pack(item, arrays)] for name, item in value.items()]}
        case list() | tuple() if all(item is None or isinstance(item, str) for item in value):
            return _pack_strings(value, arrays)
    raise ProtocolError(f"{value!r:.80}, a {type(value).__name__}, has no form in the protocol")


def _pack_strings(strings: Strings, arrays: list[NDArray[Any]]) -> dict[str, Any]:
    missing = [i for i, s in enumerate(strings) if s is None] if None in strings else []
    text = "\0".join([s or "" for s in strings] if missing else strings)  # type: ignore[arg-type]  # none is missing
    if strings and text.count("\0") != len(strings) - 1:
        raise ProtocolError("a string with a NUL character cannot be sent")
    try:
        at = _append(np.frombuffer(text.encode(), np.uint8), arrays)
    except UnicodeEncodeError as error:
        raise ProtocolError("a string with a lone surrogate cannot be sent") from error
    return {"strings": len(strings), "missing": missing, "at": at}


def _append(array: NDArray[Any], arrays: list[NDArray[Any]]) -> int:
    if array.ndim != 1 or array.dtype.hasobject or not array.dtype.isnative:
        raise ProtocolError(f"an array of shape {array.shape} and dtype {array.dtype} cannot be sent")
    arrays.append(np.ascontiguousarray(array))
    return len(arrays) - 1


def unpack(header: object, arrays: Sequence[Any]) -> Value:
    """Rebuild a value from its description and the arrays that were received."""
    match header:
        case None | bool() | int() | str():
            return header
        case {"double": int(at)}:
            return float(arrays[at][0])
        case {"array": int(at)}:
            return arrays[at]  # type: ignore[no-any-return]  # whatever the receiver makes
        case {"logical": int(at)}:
            return Logical(arrays[at])
        case {"factor": int(at), "labels": dict(labels), "ordered": bool(ordered)}:
            return Factor(arrays[at], [text or "" for text in _unpack_strings(arrays, **labels)], ordered)
        case {"classed": int(at), "classes": list(classes), "attributes": dict(attributes)}:
            return ClassVector(arrays[at], classes, attributes)
        case {"table": int(rows), "columns": {"list": list(items)}}:
            return Table({name: unpack(item, arrays) for name, item in items}, rows)
        case {"flat": list(parts)}:
            return _spread(*(unpack(part, arrays) for part in parts))
        case {"list": list(items)}:
            return {name: unpack(item, arrays) for name, item in items}
        case {"strings": int(count), "missing": list(missing), "at": int(at)}:
            return _unpack_strings(arrays, count, missing, at)
    raise ProtocolError(f"{header!r:.80} describes no value")


def _spread(names: Any, kinds: Any, sizes: Any, *vectors: Any) -> dict[str, Value]:  # noqa: ANN401  # as received
    """Return the elements of a flat list by their names."""
    others, used = iter(vectors[3:]), [0, 0, 0]
    found: dict[str, Value] = {}
    for name, kind, size in zip(names, kinds.tolist(), sizes.tolist(), strict=True):
        if kind:
            start = used[kind - 1]
            used[kind - 1] = end = start + size
            found[name] = vectors[kind - 1][start:end]
        else:
            found[name] = next(others)
    return found


def _unpack_strings(arrays: Sequence[Any], strings: int, missing: Sequence[int], at: int) -> list[str | None]:
    texts: list[str | None] = list(str(arrays[at], "utf-8").split("\0")) if strings else []
    for i in missing:
        texts[i] = None
    return texts


def numpy_array(dtype: str, length: int) -> tuple[NDArray[Any], memoryview]:
    """Make an array to be filled."""
    array = np.empty(length, dtype)
    return array, array.data


class Channel:
    """One end of the socket: sends and receives whole values, each with a number.

    Attributes
    ----------
    in_step : bool
        False while a value is on its way, and for good once sending or receiving one was broken off.
    sent, received : int
        Number of the last value that was sent and received whole. They hold where `in_step` is True.
    """

    def __init__(self, sock: socket.socket, sent: int = 0) -> None:
        self._socket = sock
        self.in_step = True
        self.sent, self.received = sent, 0
        self._soon = True  # whether what came last came soon

    @property
    def idle(self) -> bool:
        """Whether what was sent last has been answered, and the next value can be sent."""
        return self.in_step and self.sent == self.received

    def send(self, value: Value, timeout: float = inf, number: int = 0) -> None:
        """Send one value with its number, and wait until the other side has taken it.

        TimeoutError is raised when it does not.
        """
        arrays: list[NDArray[Any]] = []
        body = pack(value, arrays)
        shapes = [[array.dtype.str, len(array)] for array in arrays]
        header = json.dumps([number, body, shapes], separators=(",", ":")).encode()
        parts = [memoryview(PREFIX.pack(len(header)) + header), *(a.data.cast("B") for a in arrays if len(a))]
        self.in_step = False
        self._limit(timeout)
        for part in [b"".join(parts)] if sum(map(len, parts)) <= SMALL else parts:
            self._socket.sendall(part)
        self.sent, self.in_step = number, True

    def receive(self, timeout: float = inf, make: Make = numpy_array) -> Value:
        """Wait for one value.

        EOFError is raised when the other side is gone, TimeoutError when none comes.

        Parameters
        ----------
        timeout : float, optional
            Seconds.
        make : callable
            Makes each array, and tells the memory it is to be received into.
        """
        began = time.perf_counter()
        at_once = self._soon and self._comes_at_once()
        self._limit(timeout)
        if not at_once:
            self._socket.recv(1, socket.MSG_PEEK)
        self._soon = time.perf_counter() - began < AWAKE
        self.in_step = False
        number, body, shapes = self._header()
        arrays = [self._array(make, *shape) for shape in shapes]
        self.received, self.in_step = number, True
        return unpack(body, arrays)

    def _header(self) -> tuple[int, object, list[tuple[str, int]]]:
        (length,) = PREFIX.unpack(self._exactly(PREFIX.size))
        text = self._exactly(length)
        try:
            number, body, shapes = json.loads(text)
        except (ValueError, TypeError) as error:
            raise ProtocolError(f"{bytes(text[:40])!r} begins no message") from error
        return number, body, shapes

    def _comes_at_once(self) -> bool:
        """Poll for a moment, since a wake-up takes longer than a short call.

        Where the value before was long in coming, this moment would be in vain.
        """
        self._limit(inf)
        asleep = time.perf_counter() + AWAKE
        while time.perf_counter() < asleep:
            try:
                self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
            except BlockingIOError:
                os.sched_yield()
            else:
                return True
        return False

    def _limit(self, timeout: float) -> None:
        """Limit how long the next use of the socket may take."""
        seconds = None if timeout == inf else timeout
        if self._socket.gettimeout() != seconds:
            self._socket.settimeout(seconds)

    def close(self) -> None:
        """Close the socket, so that the other side sees the end of the stream."""
        self.in_step = False
        self._socket.close()

    def _array(self, make: Make, dtype: str, length: int) -> Any:  # noqa: ANN401  # what `make` makes
        array, memory = make(dtype, length)
        if length:
            self._fill(memory.cast("B"))
        return array

    def _exactly(self, count: int) -> bytearray:
        data = bytearray(count)
        self._fill(memoryview(data))
        return data

    def _fill(self, memory: memoryview) -> None:
        filled = 0
        while filled < len(memory):
            got = self._socket.recv_into(memory[filled:])
            if not got:
                raise EOFError("the other side closed the connection")
            filled += got
