"""The package gpboost as an engine.

It takes matrices, and one variance per random effect.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from typing import Any

import numpy as np

from lmerbridge.translate import Plain, PlainEngine, PlainEstimates


@contextmanager
def _hear() -> Iterator[None]:
    """Make a warning of each that gpboost prints, and leave out what else it prints."""
    with redirect_stdout(StringIO()) as printed:
        yield
    for line in printed.getvalue().splitlines():
        if "[Warning]" in line:
            warnings.warn(line, stacklevel=2)


def _random(model: Plain) -> tuple[Any, ...]:
    """Codes of the groups, columns of the slopes, the group of each slope from 1, and whether a group has a slope."""
    slope = np.array([names != ["1"] for names in model.columns])
    slopes = np.flatnonzero(slope)
    z = np.column_stack([model.blocks[i].columns for i in slopes]) if len(slopes) else None
    return np.column_stack([block.codes for block in model.blocks]), z, slopes + 1, slope


class Gpboost(PlainEngine):
    """``gpboost.GPModel`` with its defaults, on one thread. It fits by ML.

    Parameters
    ----------
    method : str
        How it inverts covariances. By default it does so iteratively where there are two random terms, and its
        likelihood is then an approximation by random vectors, which ``"cholesky"`` is not.
    """

    requirement = "lmerbridge[engines]"
    package = "gpboost"
    lacks = frozenset({"REML", "correlated random effects", "a slope alone"})
    options = ("cholesky",)

    def __init__(self, method: str = "default") -> None:
        self.method = method
        self.name = "gpboost" if method == "default" else f"gpboost[{method}]"

    @_hear()
    def estimate(self, model: Plain) -> PlainEstimates:
        """Fit the model: see `lmerbridge.engines.PlainEngine`."""
        import gpboost

        codes, z, groups, drop = _random(model)
        how = {"weights": model.weights, "matrix_inversion_method": self.method, "num_parallel_threads": 1}
        fit = gpboost.GPModel("gaussian", codes, z, groups, drop, **how)
        fit.fit(y=model.data["y_"].to_numpy(), X=model.x, offset=model.offset)
        (beta, errors), (residual, *variances) = fit.get_coef(True, False), fit.get_cov_pars(False, False)
        modes = fit.predict_training_data_random_effects().to_numpy()
        places = np.argsort(np.argsort(drop, kind="stable"))  # its intercepts come before its slopes
        new = {"group_data_pred": codes, "group_rand_coef_data_pred": z, "X_pred": model.x, "offset_pred": model.offset}
        return PlainEstimates(
            beta=beta,
            std_errors=errors,
            sigma=residual**0.5,
            loglik=-fit.get_current_neg_log_likelihood(),
            covariances=[[[variances[j]]] for j in places],
            modes=[modes[np.unique(codes[:, i], return_index=True)[1], [j]][:, None] for i, j in enumerate(places)],
            fitted=fit.predict(**new, offset=model.offset)["mu"],
            converged=fit._get_convergence_status() == 0,
        )
