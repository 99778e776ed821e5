"""The R side: a process of its own that owns R and answers calls; `lmerbridge.bridge.boot` starts it.

The only module that imports rpy2. No rpy2 object leaves it, and none outlives the call that made it.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import rpy2.rinterface as ri
from rpy2.rinterface_lib import callbacks, embedded, openrlib
from rpy2.rinterface_lib.sexp import NULL, Sexp, SexpVector

from lmerbridge.bridge.sources import r_directory
from lmerbridge.bridge.wire import Channel, Factor, Strings, Table, Value
from lmerbridge.errors import ProtocolError

NA_INTEGER = np.int32(-(2**31))
C_STACK = 7 << 20  # bytes; rpy2 turns R's check off, and deep recursion would then kill the process
MANY_STRINGS = 1000  # from here on one raw vector read by R beats a call a string


def start_r() -> None:
    """Start R without anybody's profile, workspace or environment files."""
    embedded.set_initoptions(("rpy2", "--quiet", "--vanilla", "--no-echo"))
    ri.initr(interactive=False, _c_stack_limit=C_STACK)
    callbacks.consoleread = lambda prompt: ""
    ri.evalr('options(warn = 1, warning.length = 8170, device = "pdf", browserNLdisabled = TRUE)')
    signal.signal(signal.SIGINT, _interrupt)


def _interrupt(number: int, frame: object) -> None:
    openrlib.rlib.R_interrupts_pending = 1


Caller: TypeAlias = Callable[[str, ri.ListSexpVector, ri.StrSexpVector], ri.ListSexpVector]


def load_sources() -> Caller:
    """Read the R package's files into one environment; return its function that calls the others by name."""
    environment = ri.evalr("new.env(parent = globalenv())")
    source = ri.evalr("sys.source")
    for path in sorted(r_directory().glob("*.R")):
        source(ri.StrSexpVector([str(path)]), environment)
    caller = environment["call_named"]
    return lambda function, arguments, released: caller(environment[function], arguments, released)


def to_r(value: Value) -> Sexp:
    """Make the R object of a value of the protocol."""
    match value:
        case None:
            return NULL
        case bool():
            return ri.BoolSexpVector([value])
        case int():
            return ri.IntSexpVector([value])
        case float():
            return ri.FloatSexpVector([value])
        case str():
            return ri.StrSexpVector([value])
        case np.ndarray():
            return _vector(value)
        case Factor():
            return _factor(value)
        case Table():
            return _data_frame(value)
        case Mapping():
            return _named(value)
    return _strings(value)


def _vector(array: np.ndarray[Any, Any]) -> SexpVector:
    match array.dtype.kind, array.dtype.itemsize:
        case "f", 8:
            return ri.FloatSexpVector.from_memoryview(array.data)
        case "i", 4:
            return ri.IntSexpVector.from_memoryview(array.data)
        case "b", 1:
            return ri.BoolSexpVector.from_memoryview(array.astype(np.int32).data)
    raise ProtocolError(f"an array of dtype {array.dtype} has no R vector")


def _strings(strings: Strings) -> ri.StrSexpVector:
    texts = [text.encode() for text in strings if text is not None]
    if len(strings) < MANY_STRINGS or len(texts) < len(strings):
        return ri.StrSexpVector([ri.NA_Character if text is None else text for text in strings])
    raw = ri.ByteSexpVector(b"\0".join(texts) + b"\0")
    read = ri.evalr('function(raw, n) `Encoding<-`(readBin(raw, "character", n), "UTF-8")')
    return read(raw, ri.IntSexpVector([len(strings)]))


def _factor(factor: Factor) -> ri.IntSexpVector:
    codes = factor.codes + np.int32(1)
    codes[factor.codes < 0] = NA_INTEGER
    vector = ri.IntSexpVector.from_memoryview(codes.data)
    vector.do_slot_assign("levels", _strings(factor.labels))
    vector.rclass = ri.StrSexpVector(["ordered", "factor"] if factor.ordered else ["factor"])
    return vector


def _data_frame(table: Table) -> ri.ListSexpVector:
    frame = _named(table.columns)
    automatic = np.array([NA_INTEGER, -table.rows], np.int32)
    frame.do_slot_assign("row.names", ri.IntSexpVector.from_memoryview(automatic.data))
    frame.rclass = ri.StrSexpVector(["data.frame"])
    return frame


def _named(items: Mapping[str, Value]) -> ri.ListSexpVector:
    vector = ri.ListSexpVector([to_r(item) for item in items.values()])
    vector.do_slot_assign("names", ri.StrSexpVector(list(items)))
    return vector


def from_r(vector: Sexp) -> Value:
    """Copy a plain R vector out of R's memory."""
    match vector:
        case ri.FloatSexpVector():
            return np.array(vector, dtype=np.float64)
        case ri.BoolSexpVector() | ri.IntSexpVector():
            return np.array(vector.memoryview(), dtype=np.int32)
        case ri.StrSexpVector():
            return [None if s is ri.NA_Character else str(s) for s in vector]
    if vector.rid == NULL.rid:
        return []
    raise ProtocolError(f"R returned a {type(vector).__name__}, which is no plain vector")


def answer(call: Caller, request: Value) -> Value:
    """Run one request, ``{"function": name, "arguments": {...}, "released": [...]}``, and flatten what R returns."""
    match request:
        case {"function": str(function), "arguments": dict(arguments), "released": list(released)}:
            openrlib.rlib.R_interrupts_pending = 0  # one that came too late for the call it was meant for
            result = call(function, _named(arguments), _strings(released))
            return {name: from_r(item) for name, item in zip(result.names, result, strict=True)}
    raise ProtocolError("a request names a function, its arguments and the models no longer needed")


def serve(channel: Channel) -> None:
    """Answer requests until the host closes the channel."""
    start_r()
    call = load_sources()
    while True:
        try:
            request = channel.receive()
        except EOFError:
            return
        try:
            reply = answer(call, request)
        except Exception as error:  # whatever it is, the host must hear of it and the worker live on
            reply = {"status": "failed", "reason": f"{type(error).__name__}: {error}"}
        channel.send(reply)
