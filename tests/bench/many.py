"""Many fits of one design, and the parametric bootstrap of a test, against R's own loop: CPU per fit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from lmerbridge import lmer, load_dataset
from lmerbridge.parity.study.cpu import cpu_seconds
from tests.bench.cpu import Ratio, ratio
from tests.bench.row import Row
from tests.bench.rscript import Rscript

MANY = 400
NSIM = 60
SETUP = """
quiet <- function(x) suppressWarnings(suppressMessages(x))
many <- function() for (y in responses) { d$y <- y; quiet(lmer(y ~ x + (x | g), d)) }
"""
TEST = """
large <- lmer(y ~ x + (x | g), d)
small <- update(large, . ~ . - x)
test <- function() suppressWarnings(suppressMessages(pbkrtest::PBmodcomp(large, small, nsim = %d, seed = 1)))
"""


def sleepstudy() -> pd.DataFrame:
    found: pd.DataFrame = load_dataset("sleepstudy").set_axis(["y", "x", "g"], axis=1)
    return found


def slopes(groups: int = 20, rows: int = 100) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    g, x = np.repeat(np.arange(groups), rows), rng.normal(size=groups * rows)
    own = rng.normal(size=(groups, 2)) * [1, 0.5]
    y = 1 + 0.3 * x + own[g, 0] + own[g, 1] * x + rng.normal(size=groups * rows)
    return pd.DataFrame({"y": y, "x": x, "g": g.astype(str)})


def per_fit(data: pd.DataFrame, count: int) -> Ratio:
    """Compare many fits to as many responses with a loop of lmer in R."""
    fit = lmer("y ~ x + (x | g)", data)
    responses = fit.simulate(count, seed=1)
    with Rscript(SETUP, d=data, responses=responses) as r:
        return ratio(5, lambda: cpu_seconds(lambda: fit.refit_many(responses)), lambda: r.seconds("many()"))


def tested(data: pd.DataFrame) -> Ratio:
    """Compare `pb_modcomp` with pbkrtest's own."""
    fit = lmer("y ~ x + (x | g)", data)
    smaller = fit.update(". ~ . - x")
    with Rscript(TEST % NSIM, d=data) as r:
        return ratio(
            5, lambda: cpu_seconds(lambda: fit.pb_modcomp(smaller, nsim=NSIM, seed=1)), lambda: r.seconds("test()")
        )


def rows() -> Iterator[Row]:
    yield Row.of("many fits, exact, per fit / lmer, sleepstudy", 0.22, per_fit(sleepstudy(), MANY))
    yield Row.of("many fits, exact, per fit / lmer, 2,000 rows", 0.45, per_fit(slopes(), MANY // 4))
    yield Row.of("pb_modcomp / PBmodcomp, 2,000 rows", 0.3, tested(slopes()))
