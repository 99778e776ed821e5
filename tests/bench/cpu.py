"""CPU time of all processes at work: this one, R's and whatever else it has started."""

from __future__ import annotations

import os
import resource
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

TICKS = os.sysconf("SC_CLK_TCK")
SETTLES = 2e-3  # seconds after which a process that waits for the next call no longer does so busily


@dataclass(frozen=True)
class Ratio:
    """What one side takes over what the other does, pair by pair.

    Attributes
    ----------
    median, low, high : float
        Of the pairs' ratios, with their quartiles.
    ours, theirs : float
        Median seconds of each side.
    pairs : int
    """

    median: float
    low: float
    high: float
    ours: float
    theirs: float
    pairs: int

    def __str__(self) -> str:
        spread = f"quartiles {self.low:.3g} to {self.high:.3g} of {self.pairs}"
        return f"{1e3 * self.ours:.3g} ms against {1e3 * self.theirs:.3g} ms; {spread}"


def ratio(repeats: int, ours: Callable[[], float], theirs: Callable[[], float], *, warm: int = 1) -> Ratio:
    """Compare what two sides tell, each the seconds of its work: they take turns, and the first place in turns too."""
    for side in (ours, theirs) * warm:
        side()
    runs = [_pair(ours, theirs, swap=bool(i % 2)) for i in range(repeats)]
    each = [a / b for a, b in runs]
    low, _, high = quantiles(each, n=4, method="inclusive") if len(each) > 1 else each * 3
    return Ratio(median(each), low, high, *(median(side) for side in zip(*runs, strict=True)), repeats)


def _pair(ours: Callable[[], float], theirs: Callable[[], float], *, swap: bool) -> tuple[float, float]:
    if swap:
        second = theirs()
        return ours(), second
    return ours(), theirs()


def cpu_seconds(call: Callable[[], object], times: int = 1) -> float:
    """CPU seconds, user and system, that a call takes in this process and in all below it, the mean of some calls.

    Take as many calls as last 20 ms: finding the processes leaves cold caches.
    """
    time.sleep(SETTLES)
    others, began = _of_others(), time.process_time()
    for _ in range(times):
        call()
    own = time.process_time() - began
    time.sleep(SETTLES)
    return (own + _of_others() - others) / times


def of_process(pid: int) -> float:
    """CPU seconds that a process has used so far."""
    return time.clock_gettime((~pid << 3) | 2)  # Linux's number of its clock


def _of_others() -> float:
    """CPU seconds of all processes below this one, with those that have ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime + sum(map(_with_its_ended, _below(os.getpid())))


def _with_its_ended(pid: int) -> float:
    with suppress(OSError):  # it has ended in the meantime, and is counted as its parent's the next time
        ended = sum(map(int, _stat(pid)[13:15])) / TICKS
        return of_process(pid) + ended
    return 0.0


def _below(root: int) -> Iterator[int]:
    children = defaultdict(list)
    for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
        with suppress(OSError):
            children[int(_stat(pid)[1])].append(pid)
    waiting = [*children[root]]
    while waiting:
        yield (pid := waiting.pop())
        waiting += children[pid]


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the state on."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
