"""Refits of a model without each of its rows or levels, in this process or in others."""

from __future__ import annotations

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from numpy.typing import NDArray

from lmerbridge import parallel
from lmerbridge.bridge import build, current, limit_until
from lmerbridge.errors import RError, TimedOut
from lmerbridge.models.diagnose.influence import Refit, Without
from lmerbridge.models.kept import KeptFit, model_of
from lmerbridge.models.resample.refits import SharedFit
from lmerbridge.results import Condition

PIECES = 4  # per process, so that a bar moves
Codes = NDArray[np.int32]


def refit_without_each(
    fit: KeptFit, codes: Codes, n: int, *, jobs: int | None, backend: str | None, progress: bool | None
) -> list[Without]:
    """Refit without each of ``n`` rows or levels.

    ``codes`` has the number of its row or level for each row of the data.
    """
    found: list[Without] = []
    with parallel.progress_bar("influence", n, progress) as advance, parallel.backend(backend, jobs):
        processes, until = effective_n_jobs(jobs), current.get().deadline
        pieces = np.array_split(np.arange(n), n if processes == 1 else min(n, PIECES * processes))
        run, shared = Parallel(n_jobs=jobs, return_as="generator", batch_size=1), SharedFit(fit)
        try:
            for done in run(delayed(refit_without)(shared, codes, piece, until) for piece in pieces):
                found += done
                advance(len(done))
        except TimedOut as error:
            raise current.get().error() from error  # not what was left of the limit when the piece began
    return found


def refit_without(shared: SharedFit, codes: Codes, deleted: NDArray[np.int64], until: float) -> list[Without]:
    """Refit without each of some rows or levels, one after another."""
    used = np.zeros(len(codes), np.bool_)
    used[shared.fit.rows] = True
    with limit_until(until):
        return [_refit(shared.fit, used & (codes != code)) for code in deleted]


def _refit(fit: KeptFit, rows: NDArray[np.bool_]) -> Without:
    model = model_of(fit)
    try:
        reply = model.worker.call("refit_without", handle=model.handle, rows=rows)
    except RError as error:
        none = np.empty(0)
        return Refit((), none, none, none, False, False, 0), (
            *error.conditions,
            Condition("error", error.text, error.classes, error.call),
        )
    return build(Refit, reply.values), reply.conditions
