"""What a stage of the procedure finds, and the words it tells it in."""

from __future__ import annotations

from dataclasses import dataclass

from lmerbridge.parity.verdict import Evidence, Verdict

WORDS = {
    "y": "the response",
    "weights": "weights",
    "offset": "offset",
    "beta": "fixed effects",
    "sigma": "sigma",
    "se": "standard errors",
    "varcorr": "variances or correlations",
    "fitted": "fitted values",
    "ranef": "random effects",
    "logLik": "the log-likelihood",
    "df": "the number of parameters or rows",
}


@dataclass(frozen=True)
class Ruling:
    """What one stage found, the verdict if it is a cause, and the definitions it verified by kind of quantity."""

    evidence: Evidence
    verdict: Verdict | None = None
    accounted: tuple[tuple[str, str], ...] = ()
