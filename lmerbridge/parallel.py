"""Where joblib computes: here, or on a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from joblib import parallel_config

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
        How many processes it will be asked for; -1 is one a core.

    Raises
    ------
    InvalidArgument
        There is no such backend, no such scheduler, or dask is not installed; or no such number of jobs.
    """
    if jobs is not None and (not isinstance(jobs, int) or jobs == 0):
        raise InvalidArgument(f"jobs is {jobs!r}; a number of processes, -1 for one a core, or None is expected.")
    if name is None:
        yield
    elif name.startswith(DASK):
        with _dask(name.removeprefix(DASK)):
            yield
    elif name in LOCAL:
        with parallel_config(backend=name):
            yield
    else:
        raise InvalidArgument(f"the backend is {name!r}; {DASK}HOST:PORT or one of {', '.join(LOCAL)} is expected.")


@contextmanager
def _dask(address: str) -> Iterator[None]:
    try:
        from dask.distributed import Client

        client = Client(f"tcp://{address}", set_as_default=False)  # type: ignore[no-untyped-call]  # theirs
    except ImportError as error:
        raise InvalidArgument("dask is not installed; pip install 'lmerbridge[dask]'.") from error
    except (OSError, ValueError) as error:
        raise InvalidArgument(f"{DASK}{address} cannot be reached: {error}") from error
    with client, parallel_config(backend="dask", client=client):
        yield
