"""The user's side: starts the worker, sends it a call, waits, interrupts it, starts another if it died."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import weakref
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from lmerbridge.bridge.wire import Channel, Value
from lmerbridge.errors import ProtocolError, RError, SetupError, WorkerDied
from lmerbridge.results import Condition

GRACE = 2.0  # seconds an interrupted or closed worker has before it is killed


@dataclass(frozen=True, eq=False)
class Reply:
    """What a call of R brought back: a flat list of plain vectors, and the conditions on the way."""

    values: dict[str, Any]
    conditions: tuple[Condition, ...]


class Worker:
    """One R process; safe to call from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._released: deque[str] = deque()
        self._folder = tempfile.mkdtemp(prefix="lmerbridge-")
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as the worker
        weakref.finalize(self, self._said.close)
        ours, theirs = socket.socketpair()
        self._channel = Channel(ours)
        self.owner = os.getpid()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  # this very Python and this package
                [sys.executable, "-m", "lmerbridge.bridge.boot", str(theirs.fileno()), self._folder],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self._said,
                stderr=subprocess.STDOUT,
                cwd=self._folder,  # Python imports from where it starts, and /tmp is everybody's
                env=environment() | {"TMPDIR": self._folder},
                start_new_session=True,
            )

    @property
    def alive(self) -> bool:
        """Whether the process runs and belongs to this one."""
        return self.owner == os.getpid() and self._process.poll() is None

    def call(self, function: str, **arguments: Value) -> Reply:
        """Call a function of the R package.

        Raises
        ------
        RError
            R stopped with an error; its message, class and call are attributes.
        WorkerDied
            The process ended before it answered.
        """
        with self._lock:
            return _read(self._exchange(function, arguments))

    def release_later(self, handle: str) -> None:
        """Note that a model is no longer needed; safe in a finalizer, on any thread."""
        self._released.append(handle)

    def close(self) -> None:
        """End the process and remove its files."""
        self._channel.close()
        if self.owner == os.getpid():
            self._end()
            shutil.rmtree(self._folder, ignore_errors=True)

    def _end(self) -> None:
        """Wait for the process to end, and kill it if it does not."""
        try:
            self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _take_released(self) -> list[str | None]:
        return [self._released.popleft() for _ in range(len(self._released))]

    def _exchange(self, function: str, arguments: dict[str, Value]) -> dict[str, Any]:
        try:
            released = self._take_released()
            self._channel.send({"function": function, "arguments": arguments, "released": released})
            reply: Any = self._channel.receive()
        except (EOFError, OSError) as error:
            raise self._death() from error
        except ProtocolError:  # raised before anything was sent, or after all was received
            raise
        except BaseException:  # Ctrl-C, or what some signal handler raises
            self._interrupt()
            raise
        return reply  # type: ignore[no-any-return]  # a mapping by the protocol

    def _interrupt(self) -> None:
        """Stop what R is doing; kill a worker that does not answer, lest its reply meet the next call."""
        stopped = False
        try:
            if self._channel.in_step:
                self._process.send_signal(signal.SIGINT)
                self._channel.receive(GRACE)
                stopped = True
        except (EOFError, OSError):
            pass  # it is deaf or dead
        finally:  # a second Ctrl-C comes by here too
            if not stopped:
                self._process.kill()
                self._process.wait()

    def _death(self) -> WorkerDied | SetupError:
        self._end()
        self._said.seek(0)
        said = self._said.read().decode(errors="replace").strip()
        lines = said.splitlines() or ["nothing"]
        if any(sign in said for sign in ("import rpy2", "start_r", "R_HOME")):
            return SetupError(f"R could not be started ({lines[-1]}); `lmerbridge doctor` says what is wrong.")
        last = "\n".join(lines[-12:])
        status = self._process.returncode
        return WorkerDied(f"the R process ended ({status}); the next call starts another. It said:\n{last}")


def _read(reply: dict[str, Any]) -> Reply:
    status = reply.pop("status")
    if status == "failed":
        raise ProtocolError(reply["reason"])
    columns = [reply.pop(f"condition.{field}", ()) for field in ("kind", "text", "classes", "call")]
    conditions = tuple(
        Condition(kind, text.rstrip("\n"), tuple(classes.split("\x1f")), call)
        for kind, text, classes, call in zip(*columns, strict=True)
    )
    if status == ["error"]:
        last = conditions[-1]
        raise RError(last.text, last.classes, last.call)
    if status == ["interrupt"]:
        raise KeyboardInterrupt
    return Reply(reply, conditions)


def environment() -> dict[str, str]:
    """Return the worker's environment: the user's, less what would change R's answers."""
    package = str(Path(__file__).parents[2])
    path = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(path),
        "LC_ALL": "C.UTF-8",
        "LANGUAGE": "en",  # R translates its messages by it, whatever the locale
        "TZ": "UTC",
        "R_PROFILE_USER": os.devnull,
        "R_ENVIRON_USER": os.devnull,
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }


_current: Worker | None = None
_starting = threading.Lock()
_handles = count(1)


def worker() -> Worker:
    """Return this process's worker; a dead one, or one inherited through a fork, is replaced."""
    global _current  # noqa: PLW0603  # one R a process is the point
    with _starting:
        if _current is None or not _current.alive:
            close()
            _current = Worker()
        return _current


@atexit.register
def close() -> None:
    """End this process's worker, if there is one; the next call starts another."""
    if _current is not None:
        _current.close()


def call(function: str, **arguments: Value) -> Reply:
    """Call a function of the R package in this process's worker: see `Worker.call`."""
    return worker().call(function, **arguments)


class Model:
    """A model kept in the worker, released there when this object goes."""

    def __init__(self, fit: Callable[[Worker, str], Reply]) -> None:
        self.handle = f"m{next(_handles)}"
        self.worker = worker()
        weakref.finalize(self, self.worker.release_later, self.handle)
        self.reply = fit(self.worker, self.handle)

    @property
    def alive(self) -> bool:
        """Whether the process that holds the model still runs."""
        return self.worker.alive

    def call(self, function: str, **arguments: Value) -> dict[str, Any]:
        """Call a function of the R package on this model."""
        return self.worker.call(function, handle=self.handle, **arguments).values
