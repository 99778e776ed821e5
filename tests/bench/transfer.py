"""What it costs to bring a frame to R: time against a direct copy and against pandas2ri, and memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from lmerbridge.bridge import host
from lmerbridge.bridge.to_r.columns import encode_table
from lmerbridge.formula import formula as formulas
from lmerbridge.setup.environment import environment
from tests.bench.row import Row, medians, seconds

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


def in_process(rows: int, repeats: int) -> dict[str, list[float]]:
    """Seconds of a direct copy and of pandas2ri, in a process that has R inside."""
    command = [sys.executable, "-m", "tests.bench.in_process", str(rows), str(repeats)]
    root = {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, capture_output=True, text=True, env=environment() | root, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


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
    medians(WARM, lambda: seconds(lambda: send(million)))
    ours = medians(7, lambda: seconds(lambda: send(million)))[0]
    direct = np.median(in_process(10**6, 7)["direct"])
    yield Row("1e6 rows x 10 columns to R / a direct copy into an R in the same process", 2.0, ours / direct)
    ours = medians(7, lambda: seconds(lambda: send(hundredth)))[0]
    pandas2ri = np.median(in_process(10**5, 1)["pandas2ri"])
    yield Row("1e5 rows x 10 columns: pandas2ri / ours", 50.0, pandas2ri / ours, at_least=True)
