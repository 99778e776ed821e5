"""What it costs to bring a frame to R: time against a direct copy and against pandas2ri, and memory."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import numpy as np
import pandas as pd

from lmerbridge.bridge import host
from lmerbridge.bridge.to_r.columns import encode_table
from lmerbridge.formula import formula as formulas
from lmerbridge.parity.study.cpu import cpu_seconds, of_process
from lmerbridge.setup.environment import environment
from tests.bench.cpu import ratio
from tests.bench.row import Row

NAMES = ("d1", "d2", "d3", "d4", "i1", "i2", "c1", "c2", "s1", "s2")
WARM = 3  # until the heap of R has grown, on either side
FORMULA = formulas.parse(f"d1 ~ {' + '.join(NAMES[1:])} + (1 | c1)")


def mixed(rows: int) -> pd.DataFrame:
    """Four columns of doubles, two of integers, two of categories and two of strings, of 1000 levels each."""
    rng = np.random.default_rng(21)
    labels = np.array([f"level {i}" for i in range(1000)])
    return pd.DataFrame(
        {name: rng.normal(size=rows) for name in NAMES[:4]}
        | {name: rng.integers(0, 10**6, rows) for name in NAMES[4:6]}
        | {name: pd.Categorical.from_codes(rng.integers(0, 1000, rows), labels) for name in NAMES[6:8]}
        | {name: pd.Series(labels[rng.integers(0, 1000, rows)], dtype="str") for name in NAMES[8:]}
    )


def send(frame: pd.DataFrame) -> dict[str, object]:
    """Bring the frame to R as `lmer` does, where nothing is done with it; tell the bytes that it takes there."""
    return host.call("bytes_of", data=encode_table(frame, FORMULA)).values


class InProcess:
    """A Python that has R inside, and brings a frame of some rows there as it is told: see `tests.bench.in_process`."""

    def __init__(self, rows: int) -> None:
        command = [sys.executable, "-m", "tests.bench.in_process", str(rows)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        root = {"PYTHONPATH": str(Path(__file__).parents[2])}
        self._process = subprocess.Popen(command, text=True, env=environment() | root, **pipes)
        self._await("ready")

    def __enter__(self) -> InProcess:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._process.communicate()

    def seconds(self, way: str) -> float:
        """CPU seconds of a way, ``direct`` or ``pandas2ri``."""
        before = of_process(self._process.pid)
        self._process.stdin.write(f"{way}\n")
        self._process.stdin.flush()
        self._await("done")
        return of_process(self._process.pid) - before

    def _await(self, word: str) -> None:
        if (line := self._process.stdout.readline()) != f"{word}\n":
            raise RuntimeError(f"{word!r} is expected, and it says {line!r}")


def resident(pid: int, kind: str) -> int:
    """Bytes of memory that a process holds now (VmRSS), or has held at most since `forget_peak` (VmHWM)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(kind))


def forget_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def memory(frame: pd.DataFrame) -> float:
    """Peak memory of both processes during a transfer beyond R's own copy, over the bytes of the columns sent."""
    host.close()  # a fresh R has nothing that could be used again
    pids = os.getpid(), host.worker()._process.pid
    host.call("collect")
    before = [resident(pid, "VmRSS") for pid in pids]
    for pid in pids:
        forget_peak(pid)
    kept = send(frame)["bytes"][0]
    peak = sum(resident(pid, "VmHWM") - was for pid, was in zip(pids, before, strict=True))
    return (peak - kept) / kept


def rows() -> Iterator[Row]:
    million, hundredth = mixed(10**6), mixed(10**5)
    yield Row("memory of host and worker beyond R's own copy / the columns sent, 1e6 rows x 10", 1.2, memory(million))
    for _ in range(WARM):
        send(million)
    with InProcess(10**6) as other:
        found = ratio(7, lambda: cpu_seconds(lambda: send(million)), lambda: other.seconds("direct"))
    yield Row.of("1e6 rows x 10 columns to R / a direct copy into an R in the same process", 2.0, found)
    with InProcess(10**5) as other:
        found = ratio(3, lambda: other.seconds("pandas2ri"), lambda: cpu_seconds(lambda: send(hundredth)))
    yield Row("1e5 rows x 10 columns: pandas2ri / ours", 50.0, found.median, at_least=True, detail=str(found))
