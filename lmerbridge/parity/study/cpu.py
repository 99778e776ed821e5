"""CPU time of this process and of those that it has started, R among them, to the microsecond."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from lmerbridge.errors import SetupError

SETTLES = 2e-3  # seconds after which a process that waits for the next call no longer does so busily


def cpu_seconds(call: Callable[[], object]) -> float:
    """Return the CPU seconds, user and system, that a call takes in this process and in all below it.

    Raises
    ------
    SetupError
        The system does not tell the time of another process; Linux does.
    """
    if not Path("/proc/self/task").is_dir():
        raise SetupError("times are read from /proc, which this system lacks; leave them out with --no-times.")
    time.sleep(SETTLES)
    began = _own() + _others()
    call()
    ended = _own()
    time.sleep(SETTLES)
    return ended + _others() - began


def _own() -> float:
    return time.process_time()


def _others() -> float:
    return sum(_of_process(pid) for pid in _below(os.getpid()))


def _of_process(pid: int) -> float:
    with suppress(OSError):  # it has ended in the meantime
        return time.clock_gettime((~pid << 3) | 2)  # Linux's number of its clock
    return 0.0


def _below(root: int) -> Iterator[int]:
    for path in Path(f"/proc/{root}/task").glob("*/children"):
        with suppress(OSError):
            for pid in map(int, path.read_text().split()):
                yield pid
                yield from _below(pid)
