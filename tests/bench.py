"""Times as ratios, both sides in one run: `make bench`.

What the facade costs over the same work inside R, and what importing costs. Ratios travel between machines,
seconds do not.
"""

from __future__ import annotations

import subprocess
import sys
import time
from statistics import median

from rich.console import Console
from rich.table import Table

from lmerbridge import lmer, load_dataset
from lmerbridge.bridge import host
from lmerbridge.bridge.columns import table

FORMULA = "Reaction ~ Days + (Days | Subject)"
REPEATS = 60


def face(data):
    """Fit, and read all of the face."""
    fit = lmer(FORMULA, data)
    tables = fit.fixef, fit.vcov, fit.coefficients, fit.varcorr.frame, fit.ranef, fit.fitted, fit.residuals
    blocks = [(block.sd, block.corr, block.cov) for block in fit.varcorr]
    scalars = fit.theta, fit.sigma, fit.loglik, fit.aic, fit.bic, fit.criterion, fit.nobs, fit.rows_dropped
    flags = fit.singular, fit.converged, fit.conditions, fit.provenance, fit.formula, fit.reml
    return tables, blocks, scalars, flags, fit.quantities(), str(fit)


def inside_r(function, columns):
    """Ask R to do the same to the same data, and to tell how long it took; only the seconds come back."""
    return host.call(function, formula=FORMULA, data=columns).values["seconds"][0]


def facade(data):
    start = time.perf_counter()
    face(data)
    return time.perf_counter() - start


def import_seconds(module):
    """Seconds to import a module in a fresh interpreter, over those of numpy and pandas, which everybody has."""
    script = f"import numpy, pandas, time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
    runs = [
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True) for _ in range(5)
    ]
    return min(float(run.stdout) for run in runs)


def processes_started_by_import():
    """Processes that `import lmerbridge` starts, as the interpreter's own audit sees them."""
    script = (
        "import sys; seen = []; sys.addaudithook(lambda e, a: e in ('subprocess.Popen', 'os.fork', 'os.exec') "
        "and seen.append(e)); import lmerbridge; print(len(seen), 'rpy2' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return run.stdout.split()


def main():
    data = load_dataset("sleepstudy")
    columns = table(data, ["Reaction", "Days", "Subject"], ["Subject"])
    for _ in range(10):  # R compiles what it has met twice
        facade(data), inside_r("time_face", columns), inside_r("time_call", columns)
    runs = [  # interleaved, so that all meet the same load
        (facade(data), inside_r("time_face", columns), inside_r("time_call", columns)) for _ in range(REPEATS)
    ]
    ours, accessors, call = (median(column) for column in zip(*runs, strict=True))
    started, rpy2 = processes_started_by_import()
    shown = Table("what", "bar", "measured", title="lmerbridge bench: both sides of a ratio in one run")
    shown.add_row("sleepstudy, fit and whole face / the same inside R", "1.30", f"{ours / accessors:.3f}")
    shown.add_row("the same / the one call of R it makes", "", f"{ours / call:.3f}")
    shown.add_row("processes started by `import lmerbridge`", "0", f"{started} (rpy2 imported: {rpy2})")
    shown.add_row("`import lmerbridge` beyond numpy and pandas", "", f"{import_seconds('lmerbridge'):.3f} s")
    Console(width=100).print(shown)


if __name__ == "__main__":
    main()
