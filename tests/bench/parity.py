"""What the referee adds to the engines' own time, and what a rerun takes where nothing has changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from tempfile import TemporaryDirectory

from lmerbridge.engines import find, fit_with
from lmerbridge.errors import LmerBridgeError
from lmerbridge.parity import cases, process, suite
from lmerbridge.parity.study.cpu import cpu_seconds
from tests.bench.row import Row

CANDIDATES = ("statsmodels", "mixedlm", "interlace", "nlme", "glmmTMB")
EACH = 14  # of the suite's cases one in so many


def fit_all(case: cases.Case) -> None:
    """Fit a case with the reference and each candidate, and judge nothing."""
    spec = case.spec()
    for name in (case.reference, *CANDIDATES):
        with suppress(LmerBridgeError):
            fit_with(find(name), spec)


def rows() -> Iterator[Row]:
    """Yield a row for linear and for generalized models, and one for a rerun of both."""
    linear, generalized = cases.suite()[::EACH], cases.generalized()[::EACH]
    for kind, chosen in ("linear", linear), ("generalized", generalized):
        process.call_apart(fit_all, chosen[0])
        fits = judged = 0.0
        for case in chosen:
            fits += cpu_seconds(lambda: process.call_apart(fit_all, case))  # noqa: B023  # called at once
            judged += cpu_seconds(lambda: suite.run_case(case, CANDIDATES))  # noqa: B023
        detail = f"{len(chosen)} cases, {len(CANDIDATES)} engines and lme4: {judged:.1f} s / {fits:.1f} s"
        yield Row(f"parity run / the engines' own time, {kind} models", 1.2, judged / fits, detail=detail)
    chosen = (*linear, *generalized)
    with TemporaryDirectory() as folder:
        first, again = (cpu_seconds(lambda: [*suite.run_cases(chosen, CANDIDATES, cache=folder)]) for _ in range(2))
    yield Row("parity rerun / first run, nothing changed", 0.1, again / first, detail=f"{again:.2f} s / {first:.1f} s")
