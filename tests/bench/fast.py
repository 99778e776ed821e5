"""What the optimizer of cross products saves of lme4's own fit of many rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from lmerbridge import LmerControl, lmer, load_dataset
from lmerbridge.parity.study.cpu import cpu_seconds
from tests.bench.cpu import ratio
from tests.bench.row import Row
from tests.bench.rscript import Rscript

SLOPES = "y ~ x + (x | g)"
CONTROL = LmerControl(optimizer="crossproduct")
BARS = {
    "1e5 rows, `(x \\| g)`, 200 groups": 1 / 2.5,
    "InstEval, `(1 \\| s) + (1 \\| d)`": 1 / 1.8,
    "Chem97, `(x \\| g)`": 1.0,
}


def slopes(rows=100_000, groups=200):
    """Rows in groups, each with an intercept and a slope of its own."""
    rng = np.random.default_rng(1)
    g, x = rng.integers(0, groups, rows), rng.normal(size=rows)
    b = rng.multivariate_normal([0, 0], [[1, 0.3], [0.3, 0.5]], groups)
    return pd.DataFrame({"y": 1 + x + b[g, 0] + b[g, 1] * x + rng.normal(size=rows), "x": x, "g": pd.Categorical(g)})


def models():
    """Formula and data of each bar."""
    yield SLOPES, slopes()
    yield "y ~ 1 + (1 | s) + (1 | d)", load_dataset("InstEval")[["y", "s", "d"]]
    yield "score ~ gcsecnt + (gcsecnt | school)", load_dataset("Chem97", "mlmRev")[["score", "gcsecnt", "school"]]


def rows() -> Iterator[Row]:
    for (what, bar), (formula, data) in zip(BARS.items(), models(), strict=True):
        with Rscript(f"f <- function() lmer({formula}, d)", d=data) as r:
            found = ratio(
                5,
                lambda formula=formula, data=data: cpu_seconds(lambda: lmer(formula, data, control=CONTROL)),
                lambda r=r: r.seconds("f()"),
                warm=2,
            )
        yield Row.of(f"{what}, by cross products / R's `lmer`", bar, found)
