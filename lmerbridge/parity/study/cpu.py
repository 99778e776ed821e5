"""CPU time of this process and of all below it, R among them, to the microsecond."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from lmerbridge.errors import SetupError

TICKS = os.sysconf("SC_CLK_TCK")
SETTLES = 2e-3  # seconds after which a process that waits for the next call no longer does so busily


def cpu_seconds(call: Callable[[], object], times: int = 1) -> float:
    """Return the CPU seconds, user and system, that a call takes in this process and in all below it.

    It is the mean of some calls. Take as many as last 20 ms: finding the processes leaves cold caches.

    Raises
    ------
    SetupError
        The system does not tell the time of another process; Linux does.
    """
    if not Path("/proc/self/task").is_dir():
        raise SetupError("times are read from /proc, which this system lacks; leave them out with --no-times.")
    time.sleep(SETTLES)
    others, began = _others(), time.process_time()
    for _ in range(times):
        call()
    own = time.process_time() - began
    time.sleep(SETTLES)
    return (own + _others() - others) / times


def of_process(pid: int) -> float:
    """Return the CPU seconds that a process has used so far."""
    return time.clock_gettime((~pid << 3) | 2)  # Linux's number of its clock


def with_its_ended(pid: int) -> float:
    """Return the same with those of the processes below it that have ended, 0 where it has ended itself."""
    with suppress(OSError):  # it is counted as its parent's then
        ended = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[13:15]
        return of_process(pid) + sum(map(int, ended)) / TICKS
    return 0.0


def below(root: int) -> Iterator[int]:
    """Yield the processes below one."""
    for path in Path(f"/proc/{root}/task").glob("*/children"):
        with suppress(OSError):
            for pid in map(int, path.read_text().split()):
                yield pid
                yield from below(pid)


def _others() -> float:
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime + sum(map(with_its_ended, below(os.getpid())))
