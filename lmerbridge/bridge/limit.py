"""How long calls of R may take."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from math import inf

from lmerbridge.errors import InvalidArgument, TimedOut

LONGEST = 1e9  # seconds: what is longer is no limit


@dataclass(frozen=True)
class Limit:
    """The time that calls of R may take: its end by the monotonic clock, and its length."""

    until: float = inf
    seconds: float = inf

    @property
    def remaining(self) -> float:
        """Seconds that remain, never quite zero."""
        return max(1e-6, self.until - time.monotonic())

    @property
    def deadline(self) -> float:
        """When it ends, by the clock that processes share."""
        return time.time() + self.remaining

    def error(self) -> TimedOut:
        """Return the error of a call that took longer."""
        return TimedOut(f"R was stopped after the time limit of {self.seconds:g} s; the next call works.")


current: ContextVar[Limit] = ContextVar("limit", default=Limit())  # noqa: B039  # frozen, so no call changes it


@contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Limit how long the calls of R inside may take, all calls taken together.

    Parameters
    ----------
    seconds : float or None
        None is no limit; an outer one still holds.

    Raises
    ------
    TimedOut
        Out of the call that is running when the time is up. R is interrupted, or, where it does not listen, killed.

    Examples
    --------
    >>> from lmerbridge import lmer, load_dataset, time_limit
    >>> with time_limit(60):
    ...     fit = lmer("Reaction ~ Days + (Days | Subject)", load_dataset("sleepstudy"))
    ...     summary = str(fit)
    """
    if seconds is not None and not (isinstance(seconds, int | float) and seconds is not True and seconds > 0):
        raise InvalidArgument(f"the time limit is {seconds!r}; a positive number of seconds is expected.")
    outer = current.get()
    inner = outer if seconds is None or seconds > LONGEST else Limit(time.monotonic() + seconds, seconds)
    token = current.set(min(inner, outer, key=lambda limit: limit.until))
    try:
        yield
    finally:
        current.reset(token)


def limit_until(deadline: float) -> AbstractContextManager[None]:
    """Limit calls of R inside as `Limit.deadline` of another process says."""
    return time_limit(None if deadline == inf else max(1e-3, deadline - time.time()))
