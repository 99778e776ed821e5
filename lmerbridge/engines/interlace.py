"""The package interlace-lme as an engine.

It reads the fixed part with formulaic, and codes factors itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lmerbridge.errors import SetupError
from lmerbridge.inputs import Spec
from lmerbridge.results import Array, Fit
from lmerbridge.translate import Plain, PlainEstimates, fit_foreign, refuse_lme4s, refuse_structures


class Interlace:
    """``interlace.fit`` with its defaults. Functions in the formula are evaluated before, as lme4 does."""

    name = "interlace"
    capabilities: frozenset[str] = frozenset()

    def fit(self, spec: Spec) -> Fit:
        """Fit the model: see `lmerbridge.engines.Engine`."""
        refuse_lme4s(spec, self.name)
        refuse_structures(spec, self.name)
        model = Plain(spec)
        return fit_foreign(self.name, lambda: model.fit(self.name, "interlace-lme", _estimates(model)))


def _estimates(model: Plain) -> PlainEstimates:
    try:
        import interlace
    except ModuleNotFoundError as error:
        raise SetupError("interlace is not installed; pip install 'lmerbridge[interlace]' installs it.") from error
    contrasts = model.contrasts()
    result = interlace.fit(
        f"y_ ~ {model.fixed(lambda name: f'C({name}, {contrasts[name]})' if name in contrasts else name)}",
        model.data,
        random=model.bars,
        method="REML" if model.spec.reml else "ML",
        weights=model.weights,
        offset=model.offset,
    )
    keys = [f"g{i}_" for i in range(len(model.blocks))]
    return PlainEstimates(
        terms=list(result.fe_params.index),
        x=np.asarray(result.model.exog, dtype=np.float64),
        beta=result.fe_params.to_numpy(),
        covariance=np.asarray(result.fe_cov),
        sigma=float(np.sqrt(result.scale)),
        loglik=float(result.llf),
        npar=int(result.nparams),
        covariances=[_square(result.variance_components[key]) for key in keys],
        modes=[_table(result.random_effects[key]) for key in keys],
        fitted=result.fittedvalues,
        residuals=result.resid,
        converged=bool(result.converged),
        optimizer="lbfgsb",
    )


def _square(found: Any) -> Array:  # noqa: ANN401 - a number of one column, a frame of several
    return np.atleast_2d(np.asarray(found, dtype=np.float64))


def _table(found: Any) -> Array:  # noqa: ANN401 - a series of one column, a frame of several
    values = np.asarray(found.sort_index(), dtype=np.float64)
    return values.reshape(len(values), -1)
