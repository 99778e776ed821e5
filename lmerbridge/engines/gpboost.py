"""The package gpboost as an engine.

It takes matrices, and one variance per random effect.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from typing import Any, ClassVar

import numpy as np

from lmerbridge.results import Array
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


LIKELIHOODS = {"poisson": "poisson", "negative.binomial": "negative_binomial", "Gamma": "gamma"}
OWN = {"negative.binomial": ("nb_theta", 1.0), "Gamma": ("sigma", -0.5)}  # what its shape is a power of, in our words


class Gpboost(PlainEngine):
    """``gpboost.GPModel`` with its defaults, on one thread. It fits by ML, or by Laplace's approximation.

    Parameters
    ----------
    method : str
        How it inverts covariances. By default it does so iteratively where there are two random terms, and its
        likelihood is then an approximation by random vectors, which ``"cholesky"`` is not.
    """

    requirement = "lmerbridge[engines]"
    package = "gpboost"
    lacks = frozenset({"REML", "correlated random effects", "a slope alone"})
    families: ClassVar = {
        "binomial": ("logit", "probit"),
        "poisson": ("log",),
        "negative.binomial": ("log",),
        "Gamma": ("log",),
    }
    lacks_glmm = frozenset({"n_agq=0", "quadrature", "a known shape"})
    options = ("cholesky",)

    def __init__(self, method: str = "default") -> None:
        self.method = method
        self.approximates = frozenset({"two random terms"}) if method == "default" else frozenset()
        self.name = "gpboost" if method == "default" else f"gpboost[{method}]"

    @_hear()
    def estimate(self, model: Plain) -> PlainEstimates:
        """Fit the model: see `lmerbridge.engines.PlainEngine`."""
        fit = self._fit(model, "gaussian")
        residual, *variances = fit.get_cov_pars(False, False)
        return _estimates(model, fit, variances, fitted=_predict(model, fit), sigma=residual**0.5)

    @_hear()
    def estimate_glmm(self, model: Plain) -> PlainEstimates:
        """Fit the model: see `lmerbridge.engines.PlainEngine`."""
        fit = self._fit(model, LIKELIHOODS.get(model.family, f"binomial_{model.link}"))
        own = {}
        if model.family in OWN:
            name, power = OWN[model.family]
            own = {name: float(fit.get_aux_pars(format_pandas=False)[0]) ** power}
        fitted = model.mean(_predict(model, fit, predict_response=False))
        return _estimates(model, fit, fit.get_cov_pars(False, False), fitted=fitted, **own)

    def _fit(self, model: Plain, likelihood: str) -> Any:  # noqa: ANN401 - imported only where it is used
        import gpboost

        weights = np.ones(len(model.data)) if model.family == "binomial" and model.weights is None else model.weights
        how = {"weights": weights, "matrix_inversion_method": self.method, "num_parallel_threads": 1}
        fit = gpboost.GPModel(likelihood, *_random(model), **how)
        fit.fit(y=model.data["y_"].to_numpy(), X=model.x, offset=model.offset)
        return fit


def _predict(model: Plain, fit: Any, **how: bool) -> Array:  # noqa: ANN401 - as above
    codes, z, *_ = _random(model)
    new = {"group_data_pred": codes, "group_rand_coef_data_pred": z, "X_pred": model.x, "offset_pred": model.offset}
    predicted: Array = fit.predict(**new, offset=model.offset, **how)["mu"]
    return predicted


def _estimates(model: Plain, fit: Any, variances: Sequence[float], **own: Any) -> PlainEstimates:  # noqa: ANN401
    """Return what a fit has found. Its intercepts come before its slopes."""
    codes, _, _, drop = _random(model)
    beta, errors = fit.get_coef(True, False)
    modes = fit.predict_training_data_random_effects().to_numpy()
    places = np.argsort(np.argsort(drop, kind="stable"))
    return PlainEstimates(
        beta=beta,
        std_errors=errors,
        loglik=-fit.get_current_neg_log_likelihood(),
        covariances=[[[variances[j]]] for j in places],
        modes=[modes[np.unique(codes[:, i], return_index=True)[1], [j]][:, None] for i, j in enumerate(places)],
        converged=fit._get_convergence_status() == 0,
        **own,
    )
