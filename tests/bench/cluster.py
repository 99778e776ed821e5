"""A bootstrap on a dask cluster of two processes against the same in one, by the clock on the wall."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from statistics import median

from dask.distributed import LocalCluster

from lmerbridge import lmer, load_dataset
from lmerbridge.parity.study.cpu import cpu_seconds
from tests.bench.row import Row, seconds

NSIM, WORKERS, REPEATS = 3000, 2, 3


def rows() -> Iterator[Row]:
    fit, seeds = lmer("Reaction ~ Days + (Days | Subject)", load_dataset("sleepstudy")), count(1)
    cluster = LocalCluster(n_workers=WORKERS, threads_per_worker=1, processes=True, dashboard_address=":0")
    with cluster:
        address = cluster.scheduler_address.replace("tcp://", "dask://")

        def took(rng: str, backend: str | None) -> tuple[float, float]:
            """Give the seconds on the wall and those of all processors."""
            walls: list[float] = []
            call = lambda: fit.bootstrap(nsim=NSIM, seed=next(seeds), rng=rng, backend=backend, progress=False)  # noqa: E731
            cpu = cpu_seconds(lambda: walls.append(seconds(call)))
            return walls[0], cpu

        for rng in ("bootMer", "streams"):
            took(rng, address)  # starts R there
            runs = [(took(rng, None), took(rng, address)) for _ in range(REPEATS)]
            wall, cpu = (median(alone[i] / there[i] for alone, there in runs) for i in (0, 1))
            what = f"sleepstudy, {NSIM} replicates, rng={rng!r}: speed-up by {WORKERS} processes of dask over {WORKERS}"
            detail = f"on the wall; CPU alone / there {cpu:.3g}, where no core is shared the most that it can be"
            yield Row(what, 0.8, wall / WORKERS, at_least=True, detail=detail)
