"""What the facade costs over the same work inside R."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from lmerbridge import lmer, load_dataset
from lmerbridge.bridge import host
from lmerbridge.bridge.from_r import replies
from lmerbridge.bridge.from_r.flat import build
from lmerbridge.bridge.to_r.arguments import arguments
from lmerbridge.bridge.to_r.columns import encode_table
from lmerbridge.formula import formula as formulas
from lmerbridge.inputs.spec import Spec
from lmerbridge.parity.study.cpu import cpu_seconds
from tests.bench.cpu import Ratio, ratio
from tests.bench.row import Row, medians, seconds
from tests.bench.rscript import Rscript

SLEEPSTUDY = "Reaction ~ Days + (Days | Subject)"
LARGE = "y ~ x + (x | g)"
WARM = 10  # R compiles what it has met twice


def large() -> pd.DataFrame:
    """30,000 rows in 600 groups, each with an intercept and a slope of its own."""
    rng = np.random.default_rng(20)
    g, x = np.repeat(np.arange(600), 50), rng.normal(size=30_000)
    u = rng.normal(size=(600, 2)) * [1.0, 0.5]
    return pd.DataFrame({"y": 1 + 0.3 * x + u[g, 0] + u[g, 1] * x + rng.normal(size=30_000), "x": x, "g": g})


def face(formula, data):
    """Fit, and read all of the face."""
    fit = lmer(formula, data)
    tables = fit.fixef, fit.vcov, fit.coefficients, fit.varcorr.frame, fit.ranef, fit.fitted, fit.residuals
    blocks = [(block.sd, block.corr, block.cov) for block in fit.varcorr]
    scalars = fit.theta, fit.sigma, fit.loglik, fit.aic, fit.bic, fit.criterion, fit.nobs, fit.rows_dropped
    flags = fit.singular, fit.converged, fit.conditions, fit.provenance, fit.formula, fit.reml
    return tables, blocks, scalars, flags, fit.quantities(), str(fit)


def compared(formula, data, repeats, times) -> Ratio:
    """The facade beside R alone and its accessors."""
    with Rscript(d=data) as r:
        theirs = f"face(lmer({formula}, d))"
        return ratio(
            repeats,
            lambda: cpu_seconds(lambda: face(formula, data), times),
            lambda: r.seconds(theirs, times),
            warm=WARM if times > 1 else 2,
        )


def rows() -> Iterator[Row]:
    small = compared(SLEEPSTUDY, load_dataset("sleepstudy"), repeats=40, times=5)
    yield Row.of("sleepstudy, fit and whole face / the same in R", 1.10, small)
    yield Row.of("30,000 rows, `(x \\| g)`, likewise", 1.03, compared(LARGE, large(), repeats=15, times=1))
    nothing = medians(2000, lambda: seconds(lambda: host.call("nothing")))[0]
    yield Row("one call that does nothing, by the clock on the wall", 0.2, nothing * 1e3, "ms")


def parts() -> dict[str, float]:
    """Milliseconds of a sleepstudy fit with its whole face, by where they go, by the clock on the wall."""
    data = load_dataset("sleepstudy")
    spec = Spec(formula=SLEEPSTUDY, data=data)
    columns = encode_table(data, formulas.parse(SLEEPSTUDY))
    reply = host.call("fit_lmer", handle="parts", **arguments(spec)).values
    fit = lmer(SLEEPSTUDY, data)

    def read():
        fresh = fit.numbers()
        return fresh.fixef, fresh.vcov, fresh.coefficients, fresh.varcorr.frame, fresh.ranef, fresh.quantities()

    ours, call, encode, decode, pandas = medians(
        200,
        lambda: seconds(lambda: face(SLEEPSTUDY, data)),
        lambda: host.call("time_call", formula=SLEEPSTUDY, data=columns).values["seconds"][0],
        lambda: seconds(lambda: arguments(spec)),
        lambda: seconds(lambda: replies.fit_fields(build(replies.FitReply, dict(reply)))),
        lambda: seconds(read),
    )
    known = {
        "inside R: `lmer`, its numbers, its summary": call,
        "the frame's columns checked and encoded": encode,
        "R's vectors decoded into a fit": decode,
        "pandas tables of the face": pandas,
    }
    rest = "the rest: two calls between the processes, vectors made in R and read, caches that R has emptied"
    known[rest] = ours - sum(known.values())
    return {name: value * 1e3 for name, value in known.items()}
