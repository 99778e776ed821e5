"""One call at a time, however the one before it ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context, copy_context
from queue import Empty, SimpleQueue
from typing import TypeVar

from lmerbridge.bridge.limit import Limit

T = TypeVar("T")

PATIENCE = 0.05  # seconds that a call waits for the bell, which an interrupt may have kept from ringing


class Turn:
    """What one thread has at a time, for as long as it runs a function.

    A lock stays taken where an interrupt comes between its `acquire` and the `try` that is to release it, or inside
    the `finally` that does. Python lets one thread at a time into a `Context`, and its C code leaves the context
    whatever the function raises and wherever: no interrupt comes between.
    """

    def __init__(self) -> None:
        self._room = Context()
        self._bell: SimpleQueue[None] = SimpleQueue()  # rung when the room is left; ringing it is no promise

    def run(self, limit: Limit, function: Callable[[], T]) -> T:
        """Call a function once no other runs, and return its value.

        The error of the limit is raised where another runs for longer.
        """
        while not (value := self.enter(function)):
            if limit.until <= time.monotonic():
                raise limit.error()
            self._wait(min(PATIENCE, limit.remaining))
        return value[0]

    def enter(self, function: Callable[[], T]) -> list[T]:
        """Call a function unless another runs, and return its value in a list, which is empty where another runs."""
        inside, entered = copy_context(), [False]
        try:
            value = self._room.run(_go, entered, inside, function)
        except RuntimeError as error:
            if entered[0] or "cannot enter context" not in str(error):
                raise
            return []
        finally:
            if entered[0]:
                self._ring()
        return [value]

    def _wait(self, seconds: float) -> None:
        with suppress(Empty):
            self._bell.get(timeout=seconds)

    def _ring(self) -> None:
        if self._bell.empty():
            self._bell.put(None)


def _go(entered: list[bool], inside: Context, function: Callable[[], T]) -> T:
    """Call the function in its caller's own context, inside that of the turn."""
    entered[0] = True
    return inside.run(function)
