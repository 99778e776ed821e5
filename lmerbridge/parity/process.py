"""Calls in a Python process of their own, which may crash or hang: that costs the one call and nothing else.

What an engine starts is in the same group of processes, and ends with it.
"""

from __future__ import annotations

import os
import pickle
import select
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from math import inf
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import ForkingPickler
from typing import Any, NoReturn

from lmerbridge.errors import EngineFailed, TimedOut, shorten
from lmerbridge.setup.environment import FIXED

SHOWN = 1 << 20  # bytes that one process may print
LONGEST = 1 << 16  # bytes of an error that it may send
CHUNK = 1 << 16  # bytes that a pipe holds
ONE_THREAD = {name: "1" for name in FIXED if name.endswith("_NUM_THREADS")}  # as many would wait for each other
HEARTBEAT = 1.0  # seconds after which a process that says nothing is looked at


class Process:
    """A Python process that runs one call after another."""

    def __init__(self) -> None:
        self._pipe, theirs = Pipe()
        self._printed, prints = Pipe(duplex=False)
        self._to_show = SHOWN
        self._heard: list[Connection] = [self._pipe, self._printed]
        self._owes = False
        descriptor = theirs.fileno()
        with theirs, prints:
            self._process = subprocess.Popen(  # noqa: S603  # this very Python and this package
                [sys.executable, "-c", _SCRIPT.format(path=sys.path, module=__name__, descriptor=descriptor)],
                pass_fds=[descriptor],
                stdin=subprocess.DEVNULL,
                stdout=prints.fileno(),
                stderr=subprocess.STDOUT,
                env=os.environ | ONE_THREAD,
                start_new_session=True,  # Ctrl-C is for the host, which kills it
            )
        self._owner = os.getpid()
        weakref.finalize(self, _end, self._pipe, self._printed, self._process, self._owner)

    @property
    def alive(self) -> bool:
        """Whether the process belongs to this one, runs and owes no answer."""
        return self._owner == os.getpid() and not self._owes and self._process.poll() is None

    def call(self, function: Callable[..., Any], arguments: tuple[Any, ...], seconds: float | None) -> Any:  # noqa: ANN401  # what the function returns
        """Call a function there: see `call_apart`."""
        try:
            self._owes = True
            self._pipe.send((function, arguments))
            self._await_answer(inf if seconds is None else seconds)
            answer = self._pipe.recv_bytes()
            self._owes = False
        except (EOFError, ConnectionError) as error:
            raise EngineFailed(f"it ended the process it ran in, {_death(_end_group(self._process))}.") from error
        except BaseException:  # the time limit, or Ctrl-C
            _end_group(self._process, kill=True)
            raise
        returned, value = _value(answer)
        if returned:
            return value
        try:
            raise value
        finally:
            del value  # or the error would keep this process by its traceback, and itself

    def _await_answer(self, seconds: float) -> None:
        """Wait until an answer comes, and show meanwhile what is printed."""
        due = time.monotonic() + seconds
        while self._pipe not in (ready := wait(self._heard, max(0, min(HEARTBEAT, due - time.monotonic())))):
            if self._printed in ready:
                self._show()
            if time.monotonic() >= due:
                raise TimedOut(f"stopped after the time limit of {seconds:g} s.")
            if os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG):
                raise EOFError  # what it has started holds the pipe
        if self._printed in ready:
            self._show()

    def _show(self) -> None:
        """Write what is printed to our standard error, as it is no output of ours, up to a bound."""
        text = os.read(self._printed.fileno(), CHUNK)
        if not text:
            self._heard.remove(self._printed)
        shown = text[: max(0, self._to_show)]
        if len(text) > self._to_show >= 0:
            shown += f"\n[an engine printed more than {SHOWN} bytes; the rest is left out]\n".encode()
        self._to_show -= len(text)
        with suppress(OSError):
            os.write(2, shown)


_SCRIPT = "import sys; sys.path[:] = {path!r}; from {module} import serve_calls; serve_calls({descriptor})"
_local = threading.local()


def call_apart(function: Callable[..., Any], *arguments: object, seconds: float | None = None) -> Any:  # noqa: ANN401  # what the function returns
    """Call a function in this thread's process for such calls, and start another one if the last call ended it.

    Raises
    ------
    TimedOut
        It took more seconds; the process was killed.
    EngineFailed
        The process ended before the function returned.
    """
    if not (hasattr(_local, "process") and _local.process.alive):
        _local.process = Process()
    return _local.process.call(function, arguments, seconds)


def _value(answer: bytes) -> tuple[bool, Any]:
    """Return what a call gave.

    An engine's own class may pickle and not read back.
    """
    try:
        returned, value = pickle.loads(answer)  # noqa: S301  # our own process wrote it
    except Exception as error:
        raise EngineFailed(f"its answer cannot be read: {type(error).__name__}: {shorten(str(error))}.") from error
    return returned, value


def _death(status: int) -> str:
    return f"by {signal.Signals(-status).name}" if status < 0 else f"with exit status {status}"


def _end_group(process: subprocess.Popen[bytes], *, kill: bool = False) -> int:
    """Wait for a process, or kill it, and kill all that it has started; return its exit status."""
    if process.returncode is None:
        if not kill:
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # not collected, so its number is its own
        with suppress(ProcessLookupError, PermissionError):  # a system may say so where all have ended
            os.killpg(process.pid, signal.SIGKILL)
    return process.wait()


def _end(pipe: Connection, printed: Connection, process: subprocess.Popen[bytes], owner: int) -> None:
    pipe.close()
    printed.close()
    if owner == os.getpid():  # not in the child of a fork
        _end_group(process, kill=True)


def serve_calls(descriptor: int) -> NoReturn:
    """Run what the host asks for until it closes its end, or dies."""
    threading.Thread(target=_end_with_host, args=(descriptor,), daemon=True).start()
    pipe = Connection(descriptor)
    while True:
        try:
            function, arguments = pipe.recv()
        except (EOFError, OSError):
            _end_with_group()
        try:
            answer = True, function(*arguments)
        except Exception as error:  # the host raises it again
            answer = False, error
        _send(pipe, answer)


def _send(pipe: Connection, answer: tuple[bool, object]) -> None:
    """Send an answer, or that it has no form in which to be sent, or the beginning of an error that is too long."""
    returned, value = answer
    try:
        message = ForkingPickler.dumps(answer)
        if len(message) > LONGEST and not returned:
            message = ForkingPickler.dumps((False, EngineFailed(shorten(f"{type(value).__name__}: {value}"))))
    except Exception as error:
        failed = EngineFailed(f"its answer cannot be sent: {type(error).__name__}: {shorten(str(error))}.")
        message = ForkingPickler.dumps((False, failed))
    try:
        pipe.send_bytes(message)
    except OSError:
        _end_with_group()  # the host is gone


def _end_with_host(descriptor: int) -> None:
    watched = select.poll()
    watched.register(descriptor, 0)  # no event but a hang-up
    watched.poll()
    _end_with_group()


def _end_with_group() -> NoReturn:
    """End this process, which leads a group of its own, and all that it has started."""
    os.killpg(0, signal.SIGKILL)
    os._exit(0)
