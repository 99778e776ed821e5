"""joblib's backends, here or on a cluster, and the progress bar."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from contextvars import copy_context
from importlib.util import find_spec
from typing import TypeVar

from lmerbridge.errors import InvalidArgument, SetupError
from lmerbridge.setup.extras import import_extra

T = TypeVar("T")

DASK = "dask://"
DEATHS = ("KilledWorker", "FutureCancelledError", "FuturesCancelledError")  # what dask raises where workers died
LOCAL = ("loky", "threading", "sequential")  # joblib's, less the one that gives no result before the last


@contextmanager
def backend(name: str | None, jobs: int | None = None) -> Iterator[None]:
    """Have joblib compute what is run inside with one of its backends.

    Parameters
    ----------
    name : str or None
        ``dask://HOST:PORT`` is the scheduler of a dask.distributed cluster, whose workers have lmerbridge, R and lme4;
        else ``loky``, ``threading`` or ``sequential``; None is joblib's own choice.
    jobs : int or None
        Number of processes that it will be asked for, -1 for one per core.

    Raises
    ------
    InvalidArgument
        There is no such backend, no such scheduler, or dask is not installed; or no such number of jobs.
    """
    if jobs is not None and (not isinstance(jobs, int) or jobs == 0):
        raise InvalidArgument(f"jobs is {jobs!r}; a number of processes, -1 for one per core, or None is expected.")
    if name is None:
        yield
    elif name.startswith(DASK):
        with _dask(name.removeprefix(DASK)):
            yield
    elif name in LOCAL:
        from joblib import parallel_config

        with parallel_config(backend=name):
            yield
    else:
        raise InvalidArgument(f"the backend is {name!r}; {DASK}HOST:PORT or one of {', '.join(LOCAL)} is expected.")


@contextmanager
def _dask(address: str) -> Iterator[None]:
    from joblib import parallel_config

    distributed = import_extra("dask.distributed", "dask", f"{DASK}{address}")
    try:
        client = distributed.Client(f"tcp://{address}", set_as_default=False)
    except (OSError, ValueError) as error:
        raise InvalidArgument(f"{DASK}{address} cannot be reached: {error}") from error
    with client, parallel_config(backend="dask", client=client):
        yield


@contextmanager
def broadcast(value: object) -> Iterator[None]:
    """Have a value that all tasks take sent once to each worker, where the tasks inside go to a dask cluster."""
    from joblib import effective_n_jobs, parallel_config
    from joblib.parallel import get_active_backend

    client = getattr(get_active_backend()[0], "client", None)
    if client is None:
        yield
        return
    effective_n_jobs()  # waits for a worker
    with parallel_config(backend="dask", client=client, scatter=[value]):
        yield


def in_context(items: Iterator[T]) -> Iterator[T]:
    """Yield items that are made in the context of this call, whichever thread of joblib's asks for them."""
    context, end = copy_context(), object()
    while (item := context.run(next, items, end)) is not end:
        yield item  # type: ignore[misc]  # not the end


def is_process_death(error: Exception) -> bool:
    """Whether a process of joblib's, loky's or dask's, ended before it answered."""
    return isinstance(error, BrokenProcessPool) or type(error).__name__ in DEATHS


@contextmanager
def progress_bar(what: str, total: int | None, progress: bool | None) -> Iterator[Callable[[int], None]]:
    """Show a progress bar, by default only where standard error is a terminal and rich is installed.

    It yields a function that takes the number of parts just done.

    Raises
    ------
    SetupError
        A bar is asked for, and rich is not installed.
    """
    if progress and not find_spec("rich"):
        raise SetupError("a progress bar needs rich, which is not installed: pip install 'lmerbridge[cli]'")
    if progress is False or (progress is None and not (sys.stderr.isatty() and find_spec("rich"))):
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(what, total=total)
        yield lambda done: shown.update(task, advance=done)
