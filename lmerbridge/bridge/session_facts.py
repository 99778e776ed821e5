"""The R session: what a last bit depends on."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version

from lmerbridge.bridge import host
from lmerbridge.bridge.from_r import notices


@cache
def session_facts() -> dict[str, str]:
    """Return what a last bit depends on: versions of R, lme4, Matrix, BLAS, LAPACK, platform and locale."""
    values = host.call("session_facts").values
    facts = dict(zip(values["name"], values["value"], strict=True))
    facts |= {name: version(name) for name in ("lmerbridge", "rpy2-rinterface")}
    notices.give(notices.of_versions(facts["R"], facts["rpy2-rinterface"]))
    return facts
