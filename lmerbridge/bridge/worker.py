"""The R side of the bridge: a process of its own that owns R and answers calls.

`lmerbridge.bridge.boot` starts it.

The only module that imports rpy2. No rpy2 object leaves it, and none outlives the call that made it.
"""

from __future__ import annotations

import ctypes
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from typing import Any

import numpy as np
import rpy2.rinterface as ri
from rpy2.rinterface_lib import conversion, memorymanagement, openrlib
from rpy2.rinterface_lib.sexp import NULL, Sexp, SexpVector

from lmerbridge.bridge.wire import (
    START,
    Channel,
    ClassVector,
    Factor,
    Flat,
    Logical,
    Strings,
    Table,
    Value,
    numpy_array,
)
from lmerbridge.errors import ProtocolError
from lmerbridge.setup import r_directory

NA_INTEGER = np.int32(-(2**31))
R_TYPES = {np.dtype(np.float64).str: ri.RTYPES.REALSXP, np.dtype(np.int32).str: ri.RTYPES.INTSXP}
MANY_STRINGS = 1000  # from here on one raw vector read by R is quicker than one call per string


_working = False


def _interrupt(number: int, frame: object) -> None:
    """Interrupt R while it works on a request.

    Between two requests there is nothing to stop.
    """
    if _working:
        openrlib.rlib.R_interrupts_pending = 1


class Caller:
    """The R package's functions, read from its files into one environment."""

    def __init__(self) -> None:
        environment = ri.evalr("new.env(parent = globalenv())")
        source = ri.evalr("sys.source")
        for path in sorted(r_directory().glob("*.R")):
            source(ri.StrSexpVector([str(path)]), environment)
        self._functions = {name: environment[name] for name in environment.keys()}  # noqa: SIM118  # R's, no dict
        kernel = blas_kernel(str(ri.evalr('extSoftVersion()[["BLAS"]]')[0]))
        ri.evalr("options")(**{"lmerbridge.kernel": ri.StrSexpVector([kernel])})
        self._call = self._functions["call_packed"]

    def __call__(self, function: str, arguments: Mapping[str, Value], released: Strings) -> ri.ListSexpVector:
        """Call a function by name, through R's ``call_packed``, which collects its conditions."""
        return self._call(self._functions[function], _named_list(arguments), _strings(released) if released else NULL)


def blas_kernel(path: str) -> str:
    """Return the code path that an OpenBLAS chose for this processor, such as ``Haswell``, or "" of another BLAS."""
    try:
        name = ctypes.CDLL(path).openblas_get_corename
    except (OSError, AttributeError):
        return ""
    name.restype = ctypes.c_char_p
    return str(name().decode())


def make(dtype: str, length: int) -> tuple[Any, memoryview]:
    """Make an array to receive into, in R's memory where R has such numbers."""
    if dtype not in R_TYPES:
        return numpy_array(dtype, length)
    with memorymanagement.rmemory() as memory:  # R's own vector() would fill it first
        vector = conversion._cdata_to_rinterface(memory.protect(openrlib.rlib.Rf_allocVector(R_TYPES[dtype], length)))
    return vector, np.asarray(vector).data  # rpy2's memoryview() loses one reference to None per call


@cache
def r_function(text: str) -> Callable[..., Any]:
    """Return a function of R's, looked up once."""
    return ri.evalr(text)  # type: ignore[no-any-return]  # rpy2 has no types


def to_r(value: Value | Sexp) -> Sexp:
    """Return the R object of a value of the protocol.

    A value received into R's memory is one already.
    """
    match value:
        case None:
            return NULL
        case Sexp():
            return value
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
        case Logical():
            return _logical(value.codes)
        case Factor():
            return _factor(value)
        case ClassVector():
            return _class_vector(value)
        case Table():
            return _data_frame(value)
        case Mapping():
            return _named_list(value)
        case Flat():
            raise ProtocolError("a packed list is R's answer, and none of its arguments")
    return _strings(value)


def _vector(array: np.ndarray[Any, Any]) -> SexpVector:
    if array.dtype == np.bool_:
        return _logical(array.view(np.int8))
    raise ProtocolError(f"an array of dtype {array.dtype} has no R vector")


def _logical(codes: np.ndarray[Any, Any]) -> ri.BoolSexpVector:
    return ri.BoolSexpVector.from_memoryview(np.where(codes < 0, NA_INTEGER, codes).data)


def _strings(strings: Strings) -> ri.StrSexpVector:
    texts = [text for text in strings if text is not None]
    if len(strings) < MANY_STRINGS or len(texts) < len(strings):
        return ri.StrSexpVector([ri.NA_Character if text is None else text for text in strings])
    raw = ri.ByteSexpVector.from_memoryview(memoryview("\0".join([*texts, ""]).encode()))
    read = r_function('function(raw, n) `Encoding<-`(readBin(raw, "character", n), "UTF-8")')
    return read(raw, ri.IntSexpVector([len(strings)]))


def _factor(factor: Factor) -> ri.IntSexpVector:
    """Count the codes, in R's memory, from 1."""
    vector: Any = factor.codes
    codes = np.asarray(vector)
    codes += 1
    codes[codes == 0] = NA_INTEGER
    vector.do_slot_assign("levels", _strings(factor.labels))
    vector.rclass = ri.StrSexpVector(["ordered", "factor"] if factor.ordered else ["factor"])
    return vector


def _class_vector(numbers: ClassVector) -> ri.FloatSexpVector:
    vector: Any = numbers.values
    for name, text in numbers.attributes.items():
        vector.do_slot_assign(name, ri.StrSexpVector([text]))
    vector.rclass = ri.StrSexpVector(list(numbers.classes))
    return vector


def _data_frame(table: Table) -> ri.ListSexpVector:
    frame = _named_list(table.columns)
    automatic = np.array([NA_INTEGER, -table.rows], np.int32)
    frame.do_slot_assign("row.names", ri.IntSexpVector.from_memoryview(automatic.data))
    frame.rclass = ri.StrSexpVector(["data.frame"])
    return frame


def _named_list(items: Mapping[str, Value]) -> ri.ListSexpVector:
    vector = ri.ListSexpVector([to_r(item) for item in items.values()])
    if items:
        vector.do_slot_assign("names", ri.StrSexpVector(list(items)))
    return vector


def from_r(vector: Sexp) -> Value:
    """Copy a plain R vector out of R's memory."""
    match vector:
        case ri.FloatSexpVector():
            return np.array(vector, dtype=np.float64)
        case ri.BoolSexpVector() | ri.IntSexpVector():
            return np.array(vector, dtype=np.int32)
        case ri.StrSexpVector():
            return _texts(vector)
    if vector.rid == NULL.rid:
        return []
    raise ProtocolError(f"R returned a {type(vector).__name__}, which is no plain vector")


def _texts(vector: ri.StrSexpVector) -> list[str | None]:
    if len(vector) < MANY_STRINGS:
        return [None if s is ri.NA_Character else str(s) for s in vector]
    raw = r_function("function(texts) writeBin(enc2utf8(texts), raw())")(vector)
    texts: list[str | None] = list(str(np.asarray(raw).data, "utf-8").split("\0")[:-1])
    for i in r_function("function(texts) which(is.na(texts))")(vector):
        texts[i - 1] = None
    return texts


def answer(call: Caller, request: Value) -> Value:
    """Run one request, ``{"function": name, "arguments": {...}, "released": [...]}``, and flatten what R returns."""
    match request:
        case {"function": str(function), "arguments": dict(arguments), "released": list(released)}:
            result = call(function, arguments, released)
            if result.rid == NULL.rid:  # interrupted before or after its conditions were caught
                return {"status": ["interrupt"]}
            names, kinds, sizes, *vectors = map(from_r, result)
            return Flat(names, kinds, sizes, vectors)  # type: ignore[arg-type]  # as R's pack() makes them
    raise ProtocolError("a request names a function, its arguments and the models no longer needed")


def answer_requests(channel: Channel) -> None:
    """Say that R has started, then answer requests, each under its own number, until the host closes the channel."""
    signal.signal(signal.SIGINT, _interrupt)
    call = Caller()
    channel.send({}, number=START)
    with suppress(EOFError):
        while True:  # no name holds a request: R's memory of its columns would lie beside that of the next one's
            reply = reply_to(call, channel.receive(make=make))
            channel.send(reply, number=channel.received)


def reply_to(call: Caller, request: Value) -> Value:
    """Answer a request, with the reason where it fails.

    Whatever goes wrong, the host must hear of it and the worker must live on.
    """
    global _working  # noqa: PLW0603  # a signal handler gets no argument of ours
    _working = True
    try:
        return answer(call, request)
    except Exception as error:
        return {"status": "failed", "reason": f"{type(error).__name__}: {error}"}
    finally:
        _working, openrlib.rlib.R_interrupts_pending = False, 0
