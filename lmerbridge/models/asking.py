"""A verb's call of R: what R signals on the way is told, and what R refuses is ours to say."""

from __future__ import annotations

import re
from typing import Protocol

from lmerbridge.bridge import host
from lmerbridge.bridge.from_r import notices
from lmerbridge.bridge.limit import time_limit
from lmerbridge.bridge.wire import Value
from lmerbridge.errors import InvalidArgument, LmerBridgeError, RError, SetupError
from lmerbridge.setup import packages


class InR(Protocol):
    """What has a model in R."""

    def in_r(self) -> host.Model:
        """Return it, rebuilt first if its process has gone."""


def ask(fit: InR, function: str, *, timeout: float | None = None, **arguments: Value) -> host.Reply:
    """Call a function of the R package on a fit's model, for a public method, whose caller R's warnings are given to.

    Raises
    ------
    InvalidArgument
        The function refused the model or an argument.
    SetupError
        It needs an R package that is not installed.
    """
    try:
        with time_limit(timeout):
            model = fit.in_r()
            reply = model.worker.call(function, handle=model.handle, **arguments)
    except RError as error:
        raise _ours(error) from error
    notices.give(notices.of_conditions(reply.conditions), stacklevel=3)
    return reply


def _ours(error: RError) -> LmerBridgeError:
    if "lmerbridge_refusal" in error.classes:
        return InvalidArgument(f"{error.text}.")
    missing = re.search(r"no package called .([\w.]+)", error.text)
    if missing:
        remedy = packages.remedy(missing[1])
        return SetupError(f"R's package {missing[1]} is not installed. This installs it:\n{remedy}")
    return error
