"""The protocol between host and worker: named plain values as a JSON header and raw buffers over a socket.

The header tells kinds, names and sizes; numbers travel as bytes, never as text, so every double arrives as
the one that was sent. Large messages go through anonymous shared memory, which nobody has to clean up.
"""

from __future__ import annotations

import json
import mmap
import os
import socket
import struct
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lmerbridge.errors import ProtocolError

SHARED_FROM = 1 << 20  # bytes; below it a copy through the socket is quicker than mapping pages
ALIGN = 64
PREFIX = struct.Struct("<IB")


@dataclass(frozen=True, eq=False)
class Factor:
    """R's factor: codes count from 0, -1 is NA; labels are unique."""

    codes: NDArray[np.int32]
    labels: Sequence[str]
    ordered: bool = False


@dataclass(frozen=True, eq=False)
class Table:
    """R's data frame: columns of equal length."""

    columns: Mapping[str, Value]
    rows: int


Strings: TypeAlias = Sequence[str | None]
Value: TypeAlias = "bool | float | str | NDArray[Any] | Strings | Factor | Table | Mapping[str, Value] | None"


def pack(value: Value, buffers: list[memoryview]) -> object:
    """Describe a value in JSON's types, its bulk appended to ``buffers``."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return {"double": _append(np.array([value]), buffers)}
        case np.ndarray():
            return {"array": value.dtype.str, "at": _append(value, buffers)}
        case Factor():
            codes = _append(value.codes.astype(np.int32, copy=False), buffers)
            return {"factor": codes, "labels": _pack_strings(value.labels, buffers), "ordered": value.ordered}
        case Table():
            return {"table": value.rows, "columns": pack(value.columns, buffers)}
        case Mapping():
            return {"list": [[name, pack(item, buffers)] for name, item in value.items()]}
        case list() | tuple() if all(item is None or isinstance(item, str) for item in value):
            return _pack_strings(value, buffers)
    raise ProtocolError(f"{value!r:.80}, a {type(value).__name__}, has no form in the protocol")


def _pack_strings(strings: Strings, buffers: list[memoryview]) -> dict[str, Any]:
    missing = [i for i, s in enumerate(strings) if s is None]
    text = "\0".join(s or "" for s in strings)
    if strings and text.count("\0") != len(strings) - 1:
        raise ProtocolError("a string with a NUL character cannot be sent")
    try:
        at = _append(np.frombuffer(text.encode(), np.uint8), buffers)
    except UnicodeEncodeError as error:
        raise ProtocolError("a string with a lone surrogate cannot be sent") from error
    return {"strings": len(strings), "missing": missing, "at": at}


def _append(array: NDArray[Any], buffers: list[memoryview]) -> int:
    if array.ndim != 1 or array.dtype.hasobject or not array.dtype.isnative:
        raise ProtocolError(f"an array of shape {array.shape} and dtype {array.dtype} cannot be sent")
    buffers.append(np.ascontiguousarray(array).data.cast("B"))
    return len(buffers) - 1


def unpack(header: object, buffers: Sequence[memoryview]) -> Value:
    """Rebuild a value from its description; arrays are views of the buffers."""
    match header:
        case None | bool() | int() | str():
            return header
        case {"double": int(at)}:
            return float(np.frombuffer(buffers[at], np.float64)[0])
        case {"array": str(dtype), "at": int(at)}:
            return np.frombuffer(buffers[at], np.dtype(dtype))
        case {"factor": int(at), "labels": dict(labels), "ordered": bool(ordered)}:
            texts = [text or "" for text in _unpack_strings(buffers, **labels)]
            return Factor(np.frombuffer(buffers[at], np.int32), texts, ordered)
        case {"table": int(rows), "columns": {"list": list(items)}}:
            return Table({name: unpack(item, buffers) for name, item in items}, rows)
        case {"list": list(items)}:
            return {name: unpack(item, buffers) for name, item in items}
        case {"strings": int(count), "missing": list(missing), "at": int(at)}:
            return _unpack_strings(buffers, count, missing, at)
    raise ProtocolError(f"{header!r:.80} describes no value")


def _unpack_strings(buffers: Sequence[memoryview], strings: int, missing: Sequence[int], at: int) -> list[str | None]:
    texts: list[str | None] = list(bytes(buffers[at]).decode().split("\0")) if strings else []
    for i in missing:
        texts[i] = None
    return texts


class Channel:
    """One end of the socket: sends and receives whole values.

    Attributes
    ----------
    in_step : bool
        False while a value is on its way, and for good once sending or receiving one was broken off.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self.in_step = True

    def send(self, value: Value) -> None:
        """Send one value; blocks until the other side has taken it."""
        buffers: list[memoryview] = []
        body = pack(value, buffers)
        sizes = [len(buffer) for buffer in buffers]
        header = json.dumps([body, sizes], separators=(",", ":")).encode()
        shared = sum(sizes) >= SHARED_FROM
        self.in_step = False
        self._socket.sendall(PREFIX.pack(len(header), shared) + header)
        if shared:
            self._send_shared(buffers, sizes)
        elif buffers:
            self._socket.sendall(b"".join(_padded(buffer) for buffer in buffers))
        self.in_step = True

    def receive(self, timeout: float | None = None) -> Value:
        """Wait for one value. Raises EOFError when the other side is gone, TimeoutError when none comes."""
        self._socket.settimeout(timeout)
        self._socket.recv(1, socket.MSG_PEEK)
        self._socket.settimeout(None)
        self.in_step = False
        length, shared = PREFIX.unpack(self._exactly(PREFIX.size))
        body, sizes = json.loads(self._exactly(length))
        starts = _offsets(sizes)
        memory = self._receive_shared(starts[-1]) if shared else memoryview(self._exactly(starts[-1]))
        self.in_step = True
        return unpack(body, [memory[at : at + size] for at, size in zip(starts, sizes, strict=False)])

    def close(self) -> None:
        """Close the socket; the other side sees the end of the stream."""
        self._socket.close()

    def _exactly(self, count: int) -> bytearray:
        data = bytearray(count)
        view, filled = memoryview(data), 0
        while filled < count:
            got = self._socket.recv_into(view[filled:])
            if not got:
                raise EOFError("the other side closed the connection")
            filled += got
        return data

    def _send_shared(self, buffers: Sequence[memoryview], sizes: Sequence[int]) -> None:
        starts = _offsets(sizes)
        with anonymous_file() as file:
            file.truncate(starts[-1])
            with mmap.mmap(file.fileno(), starts[-1]) as memory:
                for at, buffer in zip(starts, buffers, strict=False):
                    memory[at : at + len(buffer)] = buffer
            socket.send_fds(self._socket, [b"S"], [file.fileno()])

    def _receive_shared(self, total: int) -> memoryview:
        _, (descriptor,), _, _ = socket.recv_fds(self._socket, 1, 1)
        try:
            return memoryview(mmap.mmap(descriptor, total, access=mmap.ACCESS_COPY))
        finally:
            os.close(descriptor)


def anonymous_file() -> IO[bytes]:
    """Return an open file that has no name and vanishes with its last descriptor."""
    if hasattr(os, "memfd_create"):
        return open(os.memfd_create("lmerbridge"), "w+b", buffering=0)
    return tempfile.TemporaryFile(buffering=0)


def _offsets(sizes: Sequence[int]) -> list[int]:
    """Where each buffer starts, and the end of the last: all aligned."""
    offsets = [0]
    for size in sizes:
        offsets.append(offsets[-1] + -(-size // ALIGN) * ALIGN)
    return offsets


def _padded(buffer: memoryview) -> bytes:
    return bytes(buffer) + bytes(-len(buffer) % ALIGN)
