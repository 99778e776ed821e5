"""Refits of a model to many responses, in this process or in others."""

from __future__ import annotations

import pickle
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from functools import cached_property, lru_cache
from math import ceil, inf
from typing import Any, TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from lmerbridge import parallel
from lmerbridge.bridge import current, limit_until, notices
from lmerbridge.errors import LmerBridgeWarning, TimedOut, WorkerDied
from lmerbridge.models.kept import KeptFit, call_on, once
from lmerbridge.models.resample.draws import Draws
from lmerbridge.models.resample.replicates import Common, Replicates
from lmerbridge.models.resample.store import Store
from lmerbridge.results import Array

WORK = 1.0, 8.0  # seconds of work in a chunk at least, as a process may have to start R first, and at most
SHARE = 8  # chunks that each process has at least, where there is so much work, so that all end together
FIRST, AGAIN = 8, 32  # replicates that show how long one takes, and more where the first ones were slow to begin
TRIES = 2

Rows = NDArray[np.int64]
Chunk = tuple[Rows, Array, list[str], tuple[LmerBridgeWarning, ...]]
Batch = tuple[Rows, Array | dict[str, Any]]  # a tuple travels with its task; dask may lose what it takes from a task


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


def refit_batch(shared: SharedFit, batch: Batch, theta: Array, until: float) -> Chunk:
    """Refit to some responses, or to those drawn here by a recipe, a second time where R dies of it.

    If R dies again, these refits have failed.
    """
    rows, given = batch
    with limit_until(until):
        for _ in range(TRIES):
            try:
                with notices.gather() as told:  # this may be another process
                    responses = Draws(shared.fit, **given)[rows] if isinstance(given, dict) else given
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
        responses: Array | Draws,
        theta: Array,
        jobs: int | None = None,
        backend: str | None = None,
        progress: bool | None = None,
        store: Store | None = None,
    ) -> None:
        """Do the remaining refits, each from theta on, and keep each chunk in a store, if there is one."""
        if store is not None:
            self._share(store)
        if not len(self.remaining):
            return
        shared = SharedFit(fit)
        with parallel.progress_bar("refits", len(self._errors), progress) as advance, parallel.backend(backend, jobs):
            advance(len(self._errors) - len(self.remaining))

            def add(chunk: Chunk) -> None:
                if store is not None:
                    store.append(*chunk[:3])
                self._keep(chunk)
                notices.give(chunk[3])
                advance(len(chunk[0]))

            most = responses.block if isinstance(responses, Draws) else len(responses)
            each, died = inf, 0
            for count in (FIRST, AGAIN):
                if each == inf or (len(self.remaining) > 4 * AGAIN and each * FIRST < WORK[0]):
                    began, first = time.perf_counter(), self._first(min(count, most))
                    add(refit_batch(shared, (first, responses[first]), theta, inf))
                    each = (time.perf_counter() - began) / len(first)
            while len(self.remaining):
                left = self.remaining
                try:
                    with closing(self._chunks(shared, responses, theta, each, jobs)) as chunks:
                        for chunk in chunks:
                            add(chunk)
                except Exception as error:
                    if not parallel.is_process_death(error):
                        raise
                    died = died + 1 if len(self.remaining) == len(left) else 1
                    if died == TRIES:
                        add(_failure(self.remaining, f"its process died {TRIES} times: {error}"))

    def _first(self, most: int) -> Rows:
        """Return the first numbers that remain, as many as are consecutive."""
        return _runs(self.remaining)[0][:most]

    def _share(self, store: Store) -> None:
        """Take what a store holds, and give it what it lacks."""
        for chunk in store.read():
            self._keep(chunk)
        lacking = np.setdiff1d(np.flatnonzero([error is not None for error in self._errors]), store.held)
        if len(lacking):
            store.append(lacking, self._values[lacking], [str(self._errors[row]) for row in lacking])

    def _keep(self, chunk: Chunk) -> None:
        rows, values, errors = chunk[:3]
        for i, row in enumerate(rows):
            if not errors[i]:
                self._values[row] = values[i]
            self._errors[row] = errors[i]  # last: an interrupt may come between, or another thread may look

    def _chunks(
        self, shared: SharedFit, responses: Array | Draws, theta: Array, each: float, jobs: int | None
    ) -> Generator[Chunk]:
        from joblib import Parallel, delayed, effective_n_jobs  # slow to load

        size = _size(len(self.remaining), each, effective_n_jobs(jobs))
        until = current.get().deadline
        batches = parallel.in_context(_batches(self.remaining, responses, size))
        with parallel.broadcast(shared):
            run = Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1)
            try:
                yield from run(delayed(refit_batch)(shared, batch, theta, until) for batch in batches)
            except TimedOut as error:
                raise current.get().error() from error  # not what was left of the limit when the chunk began


def _size(count: int, each: float, processes: int) -> int:
    """Return how many refits make a chunk, of so many that take so many seconds each.

    Each process has as many chunks as the others.
    """
    least, most = WORK
    seconds = min(most, max(least, count * each / (SHARE * processes)))
    chunks_of_one = ceil(count * each / seconds / processes)
    return -(-count // (chunks_of_one * processes))


def _batches(rows: Rows, responses: Array | Draws, size: int) -> Iterator[Batch]:
    """Yield consecutive numbers with their responses, which are drawn now, or with the recipe by which to draw them."""
    recipe = responses.recipe if isinstance(responses, Draws) else None
    size = min(size, responses.block) if isinstance(responses, Draws) else size
    for run in _runs(rows):
        for at in range(0, len(run), size):
            piece = run[at : at + size]
            yield piece, recipe or responses[piece]


def _runs(rows: Rows) -> list[Rows]:
    """Cut ascending numbers where one is missing."""
    return np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)


@once
def common(fit: KeptFit) -> tuple[Common, Array]:
    """Return what all refits of a model have in common, and its own response."""
    described = call_on(fit, "describe_refits")
    return Common.of(fit, described["index"]), described["response"]


def refit_all(
    fit: KeptFit, draws: Draws, theta: Array | None = None, store: Store | None = None, **how: Unpack[How]
) -> Replicates:
    """Refit to all responses, or to those that remain of an earlier call."""
    if draws.key not in open_refits(fit):
        open_refits(fit).clear()  # the refits of one call are kept, no more
        width = 4 + len(fit.theta) + len(fit.beta) * (1 + len(fit.beta))
        open_refits(fit)[draws.key] = Refits(len(draws), width)
    refits = open_refits(fit)[draws.key]
    refits.run(fit, draws, fit.theta if theta is None else theta, store=store, **how)
    return refits.replicates(len(fit.theta))


@once
def open_refits(fit: KeptFit) -> dict[bytes, Refits]:
    """Refits that a call began, by the key of their responses."""
    return {}
