"""The bootstrap against lme4's own loop, one process each."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from lmerbridge import lmer, load_dataset
from lmerbridge.parity.study.cpu import cpu_seconds
from tests.bench.cpu import Ratio, ratio
from tests.bench.row import Row
from tests.bench.rscript import Rscript

NSIM = 200
MODELS = {
    "sleepstudy": ("Reaction ~ Days + (Days | Subject)", 2.0),
    "Penicillin": ("diameter ~ 1 + (1 | plate) + (1 | sample)", 4.0),
}


def estimates(replicate):
    return [*replicate.beta, *replicate.theta, replicate.sigma]


def compared(formula: str, name: str, repeats: int) -> Ratio:
    """lme4's loop over the facade's, each time of other replicates."""
    data, seeds, theirs = load_dataset(name), count(1), count(1)
    fit = lmer(formula, data)
    with Rscript(f"m <- lmer({formula}, d)", d=data) as r:
        return ratio(
            repeats,
            lambda: r.seconds(f"boot(m, {NSIM}, {next(theirs)})"),
            lambda: cpu_seconds(lambda: fit.bootstrap(estimates, NSIM, seed=next(seeds), progress=False)),
        )


def rows() -> Iterator[Row]:
    for name, (formula, bar) in MODELS.items():
        found = compared(formula, name, 5)
        detail = f"{found.theirs / NSIM * 1e3:.2g} ms per replicate"
        yield Row(f"{name}, bootMer / bootstrap, {NSIM} replicates", bar, found.median, at_least=True, detail=detail)
