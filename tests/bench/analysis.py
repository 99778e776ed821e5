"""What an analysis of a fit costs beside the same in R: the profile of a parameter, and Kenward and Roger's method."""

from __future__ import annotations

from collections.abc import Iterator

from lmerbridge import lmer
from lmerbridge.parity.study.cpu import cpu_seconds
from tests.bench.cpu import ratio
from tests.bench.many import slopes
from tests.bench.row import Row
from tests.bench.rscript import Rscript

TIMES = 4  # R collects garbage in one call of some
SD = "sd_(Intercept)|g"
SETUP = """
one <- lmer(y ~ x + (1 | g), d)
large <- lmer(y ~ x + (x | g), d)
small <- update(large, . ~ . - x)
invisible(capture.output(loadNamespace("pbkrtest")))
"""


def rows() -> Iterator[Row]:
    """Yield a row per analysis, of 2,000 rows in 50 groups."""
    data = slopes(groups=50, rows=40)
    one, large = lmer("y ~ x + (1 | g)", data), lmer("y ~ x + (x | g)", data)
    small = large.update(". ~ . - x")
    sides = (
        ("profile of one parameter / R, `(1 \\| g)`", 7, lambda: one.profile(SD), "profile(one, 1)"),
        ("profile of one parameter / R, `(x \\| g)`", 5, lambda: large.profile(SD), "profile(large, 1)"),
        ("kr_modcomp / KRmodcomp", 11, lambda: large.kr_modcomp(small), "pbkrtest::KRmodcomp(large, small)"),
        ("vcov_kr / vcovAdj", 11, large.vcov_kr, "pbkrtest::vcovAdj(large)"),
    )
    with Rscript(SETUP, d=data) as r:
        for what, repeats, ours, theirs in sides:
            found = ratio(
                repeats,
                lambda ours=ours: cpu_seconds(ours, TIMES),
                lambda theirs=theirs: r.seconds(theirs, TIMES),
                warm=2,
            )
            yield Row.of(f"2,000 rows, {what}", 1.10, found)
