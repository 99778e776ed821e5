"""What the lme4 of this session can do."""

from __future__ import annotations

from functools import cache

from lmerbridge.bridge import host
from lmerbridge.errors import NeedsNewer
from lmerbridge.setup import packages
from lmerbridge.setup.compat import GATES, has


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
