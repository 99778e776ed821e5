"""Refits of a model to many responses, in this process or in others."""

from __future__ import annotations

import pickle
import time
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from functools import cached_property, lru_cache
from math import inf
from typing import Any, TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from lmerbridge import parallel
from lmerbridge.bridge import Value, current, notices, time_limit
from lmerbridge.errors import LmerBridgeWarning, TimedOut, WorkerDied
from lmerbridge.models.kept import KeptFit, ask, call_on, once
from lmerbridge.models.resample.replicates import Common, Replicates
from lmerbridge.results import Array

WORK = 1.0  # seconds of work in a chunk at least, as a process may have to start R first
FIRST = 8  # replicates that show how long one takes
TRIES = 2

Rows = NDArray[np.int64]
Chunk = tuple[Rows, Array, list[str], tuple[LmerBridgeWarning, ...]]


class How(TypedDict):
    """Where refits are computed, on which their numbers do not depend."""

    jobs: int | None
    backend: str | None
    progress: bool | None


class SharedFit:
    """A fit that a process unpickles once, so that later chunks find it and its model in R by its content."""

    def __init__(self, fit: KeptFit) -> None:
        self.fit = fit

    @cached_property
    def _bytes(self) -> bytes:
        return pickle.dumps(self.fit)

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickle, (self._bytes,)


@lru_cache(maxsize=4)
def _unpickle(pickled: bytes) -> SharedFit:
    return SharedFit(pickle.loads(pickled))  # noqa: S301  # what `SharedFit` pickled


def refit_chunk(shared: SharedFit, rows: Rows, responses: Array, theta: Array, until: float) -> Chunk:
    """Refit to some responses, a second time where R dies of it.

    If R dies again, these refits have failed.
    """
    with time_limit(None if until == inf else max(1e-3, until - time.time())):
        for _ in range(TRIES):
            try:
                with notices.gather() as told:  # this may be another process
                    found = call_on(shared.fit, "refit_responses", response=responses.ravel(), theta=theta)
                return rows, found["values"].reshape(len(rows), -1), found["error"], (*told.values(),)
            except WorkerDied as error:
                died = str(error)
    return _failure(rows, died)


def _failure(rows: Rows, reason: str) -> Chunk:
    return rows, np.empty((len(rows), 0)), [reason] * len(rows), ()


class Refits:
    """Refits of a model, those done and those to be done.

    A run that broke off can be continued.

    Parameters
    ----------
    nsim : int
    width : int
        Numbers that one gives.
    """

    def __init__(self, nsim: int, width: int) -> None:
        self._values = np.full((nsim, width), np.nan)
        self._errors: list[str | None] = [None] * nsim

    @property
    def remaining(self) -> Rows:
        """Numbers of the refits to be done."""
        return np.flatnonzero([error is None for error in self._errors])

    def replicates(self, ntheta: int) -> Replicates:
        """Return the replicates, once no refit remains."""
        return Replicates.of_values(self._values, [str(error) for error in self._errors], ntheta)

    def run(
        self,
        fit: KeptFit,
        responses: Array,
        theta: Array,
        jobs: int | None = None,
        backend: str | None = None,
        progress: bool | None = None,
    ) -> None:
        """Do the remaining refits, each from theta on."""
        if not len(self.remaining):
            return
        with parallel.progress_bar("refits", len(self._errors), progress) as advance, parallel.backend(backend, jobs):
            advance(len(self._errors) - len(self.remaining))
            shared = SharedFit(fit)

            def add(chunk: Chunk) -> None:
                rows, *_, told = chunk
                self._keep(chunk)
                notices.give(told)
                advance(len(rows))

            began, first = time.perf_counter(), self.remaining[:FIRST]
            add(refit_chunk(shared, first, responses[first], theta, inf))
            size = max(1, round(WORK * len(first) / (time.perf_counter() - began)))
            for attempt in range(TRIES):
                try:
                    for chunk in self._chunks(shared, responses, theta, size, jobs):
                        add(chunk)
                except Exception as error:
                    if not _is_process_death(error):
                        raise
                    if attempt == TRIES - 1:
                        add(_failure(self.remaining, f"its process died {TRIES} times: {error}"))

    def _keep(self, chunk: Chunk) -> None:
        rows, values, errors = chunk[:3]
        for i, row in enumerate(rows):
            if not errors[i]:
                self._values[row] = values[i]
            self._errors[row] = errors[i]  # last: an interrupt may come between, or another thread may look

    def _chunks(
        self, shared: SharedFit, responses: Array, theta: Array, size: int, jobs: int | None
    ) -> Iterator[Chunk]:
        from joblib import Parallel, delayed, effective_n_jobs  # slow to load

        left = self.remaining
        size = max(1, min(size, -(-len(left) // effective_n_jobs(jobs))))
        parallel = Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1)
        until = time.time() + current.get().remaining
        pieces = (left[at : at + size] for at in range(0, len(left), size))
        try:
            yield from parallel(delayed(refit_chunk)(shared, rows, responses[rows], theta, until) for rows in pieces)
        except TimedOut as error:
            raise current.get().error() from error  # not what was left of the limit when the chunk began


def _is_process_death(error: Exception) -> bool:
    """Whether joblib's process, loky's or dask's, ended before it answered."""
    return isinstance(error, BrokenProcessPool) or type(error).__name__ == "KilledWorker"


@once
def common(fit: KeptFit) -> tuple[Common, Array]:
    """Return what all refits of a model have in common, and its own response."""
    described = call_on(fit, "describe_refits")
    return Common.of(fit, described["index"]), described["response"]


def draw(fit: KeptFit, **arguments: Value) -> Array:
    """Return simulated responses, shape (nsim, nobs)."""
    responses: Array = ask(fit, "draw_responses", timeout=None, **arguments).values["response"]
    return responses.reshape(-1, fit.nobs)


def refit_all(
    fit: KeptFit, responses: Array, drawn: dict[str, Value], theta: Array | None = None, **how: Unpack[How]
) -> Replicates:
    """Refit to all responses, or to those that remain of an earlier call."""
    key = pickle.dumps(drawn)
    if key not in open_refits(fit):
        open_refits(fit).clear()  # the refits of one call are kept, no more
        width = 4 + len(fit.theta) + len(fit.beta) * (1 + len(fit.beta))
        open_refits(fit)[key] = Refits(len(responses), width)
    refits = open_refits(fit)[key]
    refits.run(fit, responses, fit.theta if theta is None else theta, **how)
    return refits.replicates(len(fit.theta))


@once
def open_refits(fit: KeptFit) -> dict[bytes, Refits]:
    """Refits that a call began, by the pickled arguments of the draw."""
    return {}
