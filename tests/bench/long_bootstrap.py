"""A bootstrap of a large model: what it holds does not grow with the number of replicates."""

from __future__ import annotations

import os
from collections.abc import Iterator

from lmerbridge import LmerFit, lmer, load_dataset
from lmerbridge.bridge import host
from tests.bench.row import Row
from tests.bench.transfer import forget_peak, resident

FEW, MANY = 200, 2000
LONG = 100_000


def peak(fit: LmerFit, nsim: int) -> float:
    """Megabytes that host and R hold at most, both together, while they make so many replicates."""
    pids = os.getpid(), host.worker()._process.pid
    for pid in pids:
        forget_peak(pid)
    fit.bootstrap(nsim=nsim, seed=nsim, progress=False)
    return sum(resident(pid, "VmHWM") for pid in pids) / 1e6


def rows() -> Iterator[Row]:
    host.close()  # an R that holds nothing else
    fit = lmer("score ~ gcsecnt + (1 | school)", load_dataset("Chem97", "mlmRev"))
    few, many = (peak(fit, nsim) for nsim in (FEW, MANY))
    what = f"Chem97, peak of host and R: {MANY} replicates / {FEW}"
    yield Row(what, 1.1, many / few, detail=f"{few:.0f} and {many:.0f} MB")
    width = 8 * (4 + len(fit.theta) + len(fit.beta) * (1 + len(fit.beta)))  # of a replicate's numbers
    whole = max(few, many) + LONG * 3 * width / 1e6  # and the tables made of them
    yield Row(f"Chem97, {LONG:.0e} replicates: peak of host and R, from that of {MANY}", 1000.0, whole, "MB")
