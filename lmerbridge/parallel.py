"""joblib's backends, here or on a cluster, and the progress bar."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lmerbridge.errors import InvalidArgument

DASK = "dask://"
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
    try:
        from dask.distributed import Client
        from joblib import parallel_config

        client = Client(f"tcp://{address}", set_as_default=False)  # type: ignore[no-untyped-call]  # theirs
    except ImportError as error:
        raise InvalidArgument("dask is not installed; pip install 'lmerbridge[dask]'.") from error
    except (OSError, ValueError) as error:
        raise InvalidArgument(f"{DASK}{address} cannot be reached: {error}") from error
    with client, parallel_config(backend="dask", client=client):
        yield


@contextmanager
def progress_bar(what: str, total: int, progress: bool | None) -> Iterator[Callable[[int], None]]:
    """Show a progress bar, by default only where standard error is a terminal.

    It yields a function that takes the number of parts just done.
    """
    if progress is False or (progress is None and not sys.stderr.isatty()):
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(what, total=total)
        yield lambda done: shown.update(task, advance=done)
