"""The user's side of the bridge, which starts, calls, interrupts and replaces the worker."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import count
from math import inf
from typing import Any

from lmerbridge.bridge.limit import Limit, current
from lmerbridge.bridge.turn import Turn
from lmerbridge.bridge.wire import START, Channel, Value
from lmerbridge.errors import Condition, LmerBridgeError, ProtocolError, RError, WorkerDied
from lmerbridge.setup import environment, start_error

START_PATIENCE = 120.0  # seconds for R to start, which takes 2; a busy machine may take ten times as long
KILLED = {-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP}  # statuses of what another has ended
GRACE = 2.0  # seconds that an interrupted or closed worker has before it is killed; R checks for interrupts at times


@dataclass(frozen=True, eq=False)
class Reply:
    """The answer to a call of R: a flat list of plain vectors, and the conditions on the way."""

    values: dict[str, Any]
    conditions: tuple[Condition, ...]


def _do_nothing() -> None:
    pass


class Worker:
    """One R process, safe to call from any thread."""

    def __init__(self) -> None:
        self._turn = Turn()
        self._answer_due = time.monotonic() + START_PATIENCE  # until when to wait for what no call waits for
        self._cause: LmerBridgeError | None = None  # of its end
        self._handles: deque[str] = deque()
        self._folder = tempfile.mkdtemp(prefix="lmerbridge-")
        self._output = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as the worker
        ours, theirs = socket.socketpair()
        self._channel = Channel(ours, sent=START)
        self.owner = os.getpid()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  # this very Python and this package
                [sys.executable, "-m", "lmerbridge.bridge.boot", str(theirs.fileno()), self._folder],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=subprocess.STDOUT,
                cwd=self._folder,  # Python imports from its folder, and anyone can write to /tmp
                env=environment() | {"TMPDIR": self._folder},
                start_new_session=True,
            )

    @property
    def alive(self) -> bool:
        """Whether the process is a child of this one, and still runs once an interrupted call has ended."""
        if self.owner != os.getpid():
            return False
        if not self._channel.idle and self._turn.enter(self._settle) and not self._channel.idle:
            return False
        return self._process.poll() is None

    def call(self, function: str, meanwhile: Callable[[], None] = _do_nothing, /, **arguments: Value) -> Reply:
        """Call a function of the R package, and call ``meanwhile`` while R works.

        Raises
        ------
        RError
            R stopped with an error; its message, class and call are attributes.
        WorkerDied
            The process ended before it answered.
        TimedOut
            It took longer than the `time_limit`.
        """
        reply = self._turn.run(current.get(), partial(self._answer, function, arguments, meanwhile))
        return _read(reply)

    def release_later(self, handle: str) -> None:
        """Note that a model is no longer needed.

        It is safe in a finalizer, on any thread.
        """
        self._handles.append(handle)

    def close(self) -> None:
        """End the process and remove its files, or only close the channel in the child of a fork.

        The process and its files are the parent's there.
        """
        self._channel.close()
        if self.owner == os.getpid():
            self._end()
            shutil.rmtree(self._folder, ignore_errors=True)
        else:
            self._process.returncode = 0  # or Popen would warn that it was not waited for
        self._output.close()

    def _end(self) -> None:
        """Wait for the process to end, and kill it if it does not."""
        try:
            self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self._kill()

    def _answer(self, function: str, arguments: dict[str, Value], meanwhile: Callable[[], None]) -> dict[str, Any]:
        """Let R answer a call, once it has answered all before."""
        self._settle()
        if not self._channel.idle:
            raise self._death()
        released = list(self._handles)
        reply = self._exchange({"function": function, "arguments": arguments, "released": released}, meanwhile)
        for _ in released:  # not before: an interrupted call may have released none, and to do so twice is no harm
            self._handles.popleft()
        return reply

    def _exchange(self, request: Value, meanwhile: Callable[[], None]) -> dict[str, Any]:
        channel, limit = self._channel, current.get()
        try:
            self._answer_due = inf
            channel.send(request, limit.remaining, channel.sent + 1)
            meanwhile()
            reply: Any = channel.receive(limit.remaining)
            if not channel.idle:
                raise ProtocolError(f"R answered call {channel.received} where call {channel.sent} was asked")
        except TimeoutError as error:
            self._interrupt()
            raise limit.error() from error
        except (EOFError, OSError) as error:
            raise self._death() from error
        except ProtocolError:
            if not channel.idle:  # else raised before anything was sent, or after all was received
                self._kill()
            raise
        except BaseException:  # Ctrl-C, or an error of a signal handler
            self._interrupt()
            raise
        return reply  # type: ignore[no-any-return]  # a mapping by the protocol

    def _interrupt(self) -> None:
        """Interrupt R where it owes an answer, or kill it in the middle of a message, whose end would never come.

        The next call waits for the interrupted one to end. It comes here itself where this is interrupted.
        """
        if not self._channel.in_step:
            self._kill()
        elif not self._channel.idle:
            self._process.send_signal(signal.SIGINT)
            self._answer_due = time.monotonic() + GRACE

    def _kill(self) -> None:
        """Kill the process, and what it has started, which would hold its files."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):  # an interrupt inside subprocess makes it wait for ever
            self._process.wait(GRACE)

    def _settle(self) -> None:
        """Receive the answer that is due, or kill R where an interrupted call gives none in time.

        Whatever interrupts it, the next call settles the same: the channel tells what is due.
        """
        if self._channel.in_step and not self._channel.idle:
            self._receive_rest()
        if not self._channel.idle:
            self._kill()

    def _receive_rest(self) -> None:
        limit = current.get()
        if self._answer_due == inf:
            self._interrupt()
        due = self._answer_due
        try:
            while not self._channel.idle:
                self._channel.receive(min(Limit(due).remaining, limit.remaining))
        except TimeoutError as error:
            if limit.until < due:
                raise limit.error() from error
        except (EOFError, OSError):
            self._end()
        except ProtocolError:
            pass  # whoever asked for it is gone

    def _death(self) -> LmerBridgeError:
        """Return the error of a call of a process that has ended, which is looked into once."""
        self._end()
        if self._cause is None:
            self._cause = self._diagnose()
        return type(self._cause)(*self._cause.args)

    def _diagnose(self) -> LmerBridgeError:
        said, status = self._last_words(), self._process.returncode
        if said is None:
            return WorkerDied("the R process was closed while it was called; the next call starts another.")
        if self._channel.received < START:
            late = time.monotonic() >= self._answer_due
            how = f"not within {START_PATIENCE:g} s" if late else f"it ended with {status}"
            error = start_error(said, how, told=late or status >= 0) if late or status not in KILLED else None
            if error:
                return error
        last = "\n".join((said.splitlines() or ["nothing"])[-12:])
        return WorkerDied(f"the R process ended ({status}); the next call starts another. It said:\n{last}")

    def _last_words(self) -> str | None:
        """Return what the process wrote, or None where another thread has closed the file."""
        with suppress(ValueError):
            self._output.seek(0)
            return self._output.read().decode(errors="replace").strip()
        return None


def _read(reply: dict[str, Any]) -> Reply:
    status = reply.pop("status", None)
    if status == "failed":
        raise ProtocolError(reply["reason"])
    columns = [reply.pop(f"condition.{field}", ()) for field in ("kind", "text", "classes", "call", "count")]
    conditions = tuple(
        Condition(kind, text.rstrip("\n"), tuple(classes.split("\x1f")), call, int(count))
        for kind, text, classes, call, count in zip(*columns, strict=True)
    )
    if status == ["error"]:
        *before, last = conditions
        raise RError(last.text, last.classes, last.call).after(before)
    if status == ["interrupt"]:
        raise KeyboardInterrupt
    return Reply(reply, conditions)


_current: Worker | None = None
_starting = Turn()
_handles = count(1)


def worker() -> Worker:
    """Return this process's worker, a new one where it is dead or inherited through a fork."""
    return _starting.run(current.get(), _find_worker)


def _find_worker() -> Worker:
    global _current  # noqa: PLW0603  # one R per process is the point
    if _current is None or not _current.alive:
        close()
        _current = Worker()
    return _current


@atexit.register
def close() -> None:
    """End this process's worker, if there is one.

    The next call starts another.
    """
    if _current is not None:
        _current.close()


def _begin_anew() -> None:
    """Drop the parent's worker in the child of a fork, and the turn that a thread of the parent may have had."""
    global _starting  # noqa: PLW0603  # one R per process is the point
    _starting = Turn()
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
