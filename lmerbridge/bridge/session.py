"""What the lme4 of this session can do."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version

from lmerbridge.bridge import host
from lmerbridge.bridge.from_r import notices
from lmerbridge.errors import NeedsNewer
from lmerbridge.setup import GATES, has, packages


@cache
def session_facts() -> dict[str, str]:
    """Return what a last bit depends on: versions of R, lme4, Matrix, BLAS, LAPACK, platform and locale."""
    values = host.call("session_facts").values
    facts = dict(zip(values["name"], values["value"], strict=True))
    facts |= {name: version(name) for name in ("lmerbridge", "rpy2-rinterface")}
    notices.give(notices.of_versions(facts["R"], facts["rpy2-rinterface"]))
    return facts


@cache
def lme4_version() -> str:
    """Return the version of lme4 that the worker runs, as its DESCRIPTION has it."""
    facts = host.call("session_facts").values
    return str(facts["value"][facts["name"].index("lme4")])


def lme4_has(feature: str) -> bool:
    """Return whether the lme4 of this session has a feature of `compat.GATES`.

    Examples
    --------
    >>> lme4_has("predict_se_fit") is has("predict_se_fit", lme4_version())
    True
    """
    return has(feature, lme4_version())


def need(feature: str) -> None:
    """Check that the lme4 of this session has a feature of `compat.GATES`.

    Raises
    ------
    NeedsNewer
        It has not; the message names the first version that has.
    """
    if not lme4_has(feature):
        gate = GATES[feature]
        raise NeedsNewer(
            f"{gate.what} needs lme4 {gate.since} or later; {lme4_version()} is installed. "
            f"This installs a newer one:\n{packages.newest('lme4')}"
        )
