"""Calls in a Python process of their own, which may crash or hang: that costs the one call and nothing else."""

from __future__ import annotations

import os
import pickle
import select
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, NoReturn

from lmerbridge.errors import EngineFailed, TimedOut


class Process:
    """A Python process that runs one call after another."""

    def __init__(self) -> None:
        self._pipe, theirs = Pipe()
        descriptor = theirs.fileno()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  # this very Python and this package
                [sys.executable, "-c", _SCRIPT.format(path=sys.path, module=__name__, descriptor=descriptor)],
                pass_fds=[descriptor],
                stdin=subprocess.DEVNULL,
                stdout=2,  # what an engine prints is no output of ours
                start_new_session=True,  # Ctrl-C is for the host, which kills it
            )
        self._owner = os.getpid()
        weakref.finalize(self, _end, self._pipe, self._process, self._owner)

    @property
    def alive(self) -> bool:
        """Whether the process belongs to this one and runs."""
        return self._owner == os.getpid() and self._process.poll() is None

    def call(self, function: Callable[..., Any], arguments: tuple[Any, ...], seconds: float | None) -> Any:  # noqa: ANN401  # what the function returns
        """Call a function there: see `call_apart`."""
        try:
            self._pipe.send((function, arguments))
            if not self._pipe.poll(seconds):
                raise TimedOut(f"stopped after the time limit of {seconds:g} s.")
            returned, value = _value(self._pipe.recv_bytes())
        except (EOFError, ConnectionError) as error:
            raise EngineFailed(f"it ended the process it ran in, {_death(self._process.wait())}.") from error
        except BaseException:  # the time limit, or Ctrl-C
            self._process.kill()
            self._process.wait()
            raise
        if not returned:
            raise value
        return value


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
        raise EngineFailed(f"its answer cannot be read: {type(error).__name__}: {error}.") from error
    return returned, value


def _death(status: int) -> str:
    return f"by {signal.Signals(-status).name}" if status < 0 else f"with exit status {status}"


def _end(pipe: Connection, process: subprocess.Popen[bytes], owner: int) -> None:
    pipe.close()
    if owner == os.getpid():  # not in the child of a fork
        process.kill()
        process.wait()


def serve_calls(descriptor: int) -> NoReturn:
    """Run what the host asks for until it closes its end, or dies."""
    threading.Thread(target=_end_with_host, args=(descriptor,), daemon=True).start()
    pipe = Connection(descriptor)
    while True:
        try:
            function, arguments = pipe.recv()
        except (EOFError, OSError):
            os._exit(0)
        try:
            answer = True, function(*arguments)
        except Exception as error:  # the host raises it again
            answer = False, error
        _send(pipe, answer)


def _send(pipe: Connection, answer: tuple[bool, object]) -> None:
    """Send an answer, or that it has no form in which to be sent."""
    try:
        pipe.send(answer)
    except OSError:
        os._exit(0)  # the host is gone
    except Exception as error:
        pipe.send((False, EngineFailed(f"its answer cannot be sent: {type(error).__name__}: {error}.")))


def _end_with_host(descriptor: int) -> None:
    watched = select.poll()
    watched.register(descriptor, 0)  # no event but a hang-up
    watched.poll()
    os._exit(0)
