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
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from math import inf
from typing import Any

from lmerbridge.bridge.limit import Limit, current
from lmerbridge.bridge.wire import Channel, Value
from lmerbridge.errors import ProtocolError, RError, SetupError, WorkerDied
from lmerbridge.results.fit import Condition
from lmerbridge.setup.environment import environment

GRACE = 2.0  # seconds an interrupted or closed worker has before it is killed; R looks for interrupts now and then


@dataclass(frozen=True, eq=False)
class Reply:
    """What a call of R brought back: a flat list of plain vectors, and the conditions on the way."""

    values: dict[str, Any]
    conditions: tuple[Condition, ...]


def _do_nothing() -> None:
    pass


class Worker:
    """One R process; safe to call from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owed: float | None = inf  # until when to wait for an answer that is still to come: that R has started
        self._released: deque[str] = deque()
        self._folder = tempfile.mkdtemp(prefix="lmerbridge-")
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as the worker
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
        """Whether the process belongs to this one, and runs when what was interrupted last has ended."""
        if self.owner == os.getpid() and self._owed is not None:
            with self._turn(current.get()):
                pass
        return self.owner == os.getpid() and self._process.poll() is None

    def call(self, function: str, meanwhile: Callable[[], None] = _do_nothing, /, **arguments: Value) -> Reply:
        """Call a function of the R package; what is to be done here in the meantime is done while R works.

        Raises
        ------
        RError
            R stopped with an error; its message, class and call are attributes.
        WorkerDied
            The process ended before it answered.
        TimedOut
            It took longer than the `time_limit`.
        """
        limit = current.get()
        with self._turn(limit):
            return _read(self._exchange(function, arguments, meanwhile, limit))

    @contextmanager
    def _turn(self, limit: Limit) -> Iterator[None]:
        """Wait until no call is running, of another thread or interrupted."""
        if not self._lock.acquire(timeout=min(limit.remaining, threading.TIMEOUT_MAX)):
            raise limit.error()
        try:
            if self._owed is not None:
                self._settle(self._owed, limit)
            yield
        finally:
            self._lock.release()

    def release_later(self, handle: str) -> None:
        """Note that a model is no longer needed; safe in a finalizer, on any thread."""
        self._released.append(handle)

    def close(self) -> None:
        """End the process and remove its files; in the child of a fork, only let go of what is the parent's."""
        self._channel.close()
        if self.owner == os.getpid():
            self._end()
            shutil.rmtree(self._folder, ignore_errors=True)
        else:
            self._process.returncode = 0  # or Popen would warn that nobody waits for it
        self._said.close()

    def _end(self) -> None:
        """Wait for the process to end, and kill it if it does not."""
        try:
            self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self._kill()

    def _take_handles(self) -> list[str | None]:
        return [self._released.popleft() for _ in range(len(self._released))]

    def _exchange(
        self, function: str, arguments: dict[str, Value], meanwhile: Callable[[], None], limit: Limit
    ) -> dict[str, Any]:
        try:
            released = self._take_handles()
            self._channel.send({"function": function, "arguments": arguments, "released": released}, limit.remaining)
            meanwhile()
            reply: Any = self._channel.receive(limit.remaining)
        except TimeoutError as error:
            self._interrupt()
            raise limit.error() from error
        except (EOFError, OSError) as error:
            raise self._death() from error
        except ProtocolError:
            if not self._channel.in_step:  # else raised before anything was sent, or after all was received
                self._kill()
            raise
        except BaseException:  # Ctrl-C, or what some signal handler raises
            self._interrupt()
            raise
        return reply  # type: ignore[no-any-return]  # a mapping by the protocol

    def _interrupt(self) -> None:
        """Tell R to stop, and leave it to the next call to wait for that; of a broken message no end would come."""
        if self._channel.in_step:
            self._owed = time.monotonic() + GRACE
            self._process.send_signal(signal.SIGINT)
        else:
            self._kill()

    def _kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def _settle(self, owed: float, limit: Limit) -> None:
        """Take the answer that is still to come; where an interrupted call gives none in time, kill R."""
        try:
            self._channel.receive(min(Limit(owed).remaining, limit.remaining))
        except TimeoutError as error:
            if limit.until < owed:
                raise limit.error() from error
            self._kill()
        except (EOFError, OSError) as error:
            self._owed = None
            if owed == inf:
                raise self._death() from error
            self._kill()
        self._owed = None

    def _death(self) -> WorkerDied | SetupError:
        self._end()
        if self._said.closed:
            return WorkerDied("the R process was closed while it was called; the next call starts another.")
        self._said.seek(0)
        said = self._said.read().decode(errors="replace").strip()
        lines = said.splitlines() or ["nothing"]
        if any(sign in said for sign in ("rpy2", "start_r", "R_HOME")):
            return SetupError(f"R could not be started ({lines[-1]}); `lmerbridge doctor` says what is wrong.")
        last = "\n".join(lines[-12:])
        status = self._process.returncode
        return WorkerDied(f"the R process ended ({status}); the next call starts another. It said:\n{last}")


def _read(reply: dict[str, Any]) -> Reply:
    status = reply.pop("status", None)
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


def _begin_anew() -> None:
    """In the child of a fork: let go of the parent's worker, and of the lock that a thread of it may have held."""
    global _starting  # noqa: PLW0603  # one R a process is the point
    _starting = threading.Lock()
    close()


os.register_at_fork(after_in_child=_begin_anew)


def call(function: str, **arguments: Value) -> Reply:
    """Call a function of the R package in this process's worker: see `Worker.call`."""
    return worker().call(function, **arguments)


def keep(function: str, meanwhile: Callable[[], None] = _do_nothing, /, **arguments: Value) -> RModel:
    """Call a function of the R package that makes a model, and keep what it made: see `Worker.call`."""
    return RModel(function, meanwhile, arguments)


class RModel:
    """A model kept in the worker, released there when this object goes."""

    def __init__(self, function: str, meanwhile: Callable[[], None], arguments: Mapping[str, Value]) -> None:
        self.handle = f"m{next(_handles)}"
        self.worker = worker()
        weakref.finalize(self, self.worker.release_later, self.handle)
        self.reply = self.worker.call(function, meanwhile, handle=self.handle, **arguments)

    @property
    def alive(self) -> bool:
        """Whether the process that holds the model still runs."""
        return self.worker.alive

    def call(self, function: str, **arguments: Value) -> dict[str, Any]:
        """Call a function of the R package on this model."""
        return self.worker.call(function, handle=self.handle, **arguments).values
