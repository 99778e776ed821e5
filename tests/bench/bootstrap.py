"""The bootstrap against lme4's own loop, one process each."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from lmerbridge import LmerFit, lmer, load_dataset
from lmerbridge.models.kept import call_on
from tests.bench.row import Row, medians, seconds

NSIM = 200
MODELS = {
    "sleepstudy": ("Reaction ~ Days + (Days | Subject)", 2.0),
    "Penicillin": ("diameter ~ 1 + (1 | plate) + (1 | sample)", 4.0),
}


def estimates(replicate):
    return [*replicate.beta, *replicate.theta, replicate.sigma]


def compared(fit: LmerFit, repeats: int) -> list[float]:
    """Median seconds of the facade, and of R, which tells them itself; each time of other replicates."""
    seeds, theirs = count(1), count(1)
    return medians(
        repeats,
        lambda: seconds(lambda: fit.bootstrap(estimates, NSIM, seed=next(seeds), progress=False)),
        lambda: call_on(fit, "time_boot_mer", nsim=NSIM, seed=next(theirs))["seconds"][0],
    )


def rows() -> Iterator[Row]:
    for name, (formula, bar) in MODELS.items():
        fit = lmer(formula, load_dataset(name))
        compared(fit, 1)
        ours, in_r = compared(fit, 5)
        detail = f"{ours / NSIM * 1e3:.2g} ms a replicate"
        yield Row(f"{name}, bootMer / bootstrap, {NSIM} replicates", bar, in_r / ours, at_least=True, detail=detail)
