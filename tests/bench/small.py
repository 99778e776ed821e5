"""What a small fit costs beside R alone: in a loop, with its numbers read, with its summary, and in memory."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
import pandas as pd

from lmerbridge import lmer, load_dataset
from lmerbridge.bridge import host
from lmerbridge.bridge.to_r.columns import encode_table
from lmerbridge.formula import formula as formulas
from lmerbridge.parity.study.cpu import cpu_seconds
from tests.bench.cpu import ratio
from tests.bench.row import Row
from tests.bench.rscript import Rscript
from tests.bench.transfer import resident

SLEEPSTUDY = "Reaction ~ Days + (Days | Subject)"
WARM = 4
TIMES = 5
TEXTS = formulas.parse("y ~ a + b + (1 | a)")
IN_R = f"""
fit <- function() lmer({SLEEPSTUDY}, d)
read <- function(m = fit()) {{
  list(fixef(m), as.matrix(vcov(m)), sqrt(diag(as.matrix(vcov(m)))), as.data.frame(VarCorr(m)),
       ranef(m, condVar = FALSE), fitted(m), residuals(m), getME(m, "theta"), sigma(m), logLik(m), AIC(m), BIC(m),
       REMLcrit(m), nobs(m), isSingular(m), m@optinfo)
}}
summarize <- function() capture.output(print(summary(fit())))
"""


def read(data: pd.DataFrame) -> object:
    """Fit, and read what R's accessors give without a summary."""
    fit = lmer(SLEEPSTUDY, data)
    tables = fit.fixef, fit.vcov, fit.std_errors, fit.varcorr.frame, fit.ranef, fit.fitted, fit.residuals
    scalars = fit.theta, fit.sigma, fit.loglik, fit.aic, fit.bic, fit.criterion, fit.nobs, fit.singular
    return tables, scalars, fit.converged, fit.conditions, fit.provenance


def texts(dtype: str) -> pd.DataFrame:
    """Two columns of a million texts of 1,000 levels each."""
    rng = np.random.default_rng(22)
    labels = np.array([f"level {i}" for i in range(1000)], object)
    return pd.DataFrame({name: pd.Series(labels[rng.integers(0, 1000, 10**6)], dtype=dtype) for name in "ab"}).assign(
        y=rng.normal(size=10**6)
    )


def send(frame: pd.DataFrame) -> object:
    """Bring the columns to R."""
    return host.call("bytes_of", data=encode_table(frame, TEXTS)).values


def memory(data: pd.DataFrame, r: Rscript) -> Row:
    """Peak of both processes after fits beyond that of the host before any, over R's own."""
    host.close()
    before = resident(os.getpid(), "VmRSS")
    for _ in range(100):
        lmer(SLEEPSTUDY, data)
    r.run("for (i in 1:100) fit()")
    added = resident(os.getpid(), "VmRSS") - before
    peak = added + resident(host.worker()._process.pid, "VmHWM")
    detail = (
        f"{peak >> 20} MiB, the host's {before >> 20} before its first fit not counted, against {r.peak() >> 20} MiB"
    )
    return Row("100 small fits, peak memory of host and worker / R alone", 1.3, peak / r.peak(), detail=detail)


def rows() -> Iterator[Row]:
    data = load_dataset("sleepstudy")
    sides = (
        ("sleepstudy, a loop of `lmer()` / R's `lmer`", 1.25, lambda: lmer(SLEEPSTUDY, data), "fit()"),
        ("sleepstudy, fit and numbers read / R's accessors without summary", 1.15, lambda: read(data), "read()"),
        (
            "sleepstudy, `str(lmer())` / R's fit and printed summary",
            1.10,
            lambda: str(lmer(SLEEPSTUDY, data)),
            "summarize()",
        ),
    )
    with Rscript(IN_R, d=data) as r:
        for what, bar, ours, theirs in sides:
            found = ratio(
                40,
                lambda ours=ours: cpu_seconds(ours, TIMES),
                lambda theirs=theirs: r.seconds(theirs, TIMES),
                warm=WARM,
            )
            yield Row.of(what, bar, found)
    with Rscript(IN_R, d=data) as fresh:
        yield memory(data, fresh)
    objects, strings = texts("object"), texts("str")
    found = ratio(7, lambda: cpu_seconds(lambda: send(objects)), lambda: cpu_seconds(lambda: send(strings)), warm=2)
    yield Row.of("1e6 rows x 2 texts to R: object / `str`", 3.0, found)
