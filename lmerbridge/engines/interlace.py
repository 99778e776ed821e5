"""The package interlace-lme as an engine.

It reads the fixed part with formulaic, and codes factors itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lmerbridge.results import Array
from lmerbridge.translate import Plain, PlainEngine, PlainEstimates


class Interlace(PlainEngine):
    """``interlace.fit`` with its defaults. Functions in the formula are evaluated before, as lme4 does."""

    name = "interlace"
    package = "interlace-lme"
    requirement = "lmerbridge[interlace]"

    def estimate(self, model: Plain) -> PlainEstimates:
        """Fit the model: see `lmerbridge.engines.PlainEngine`."""
        import interlace

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
            x=result.model.exog,
            beta=result.fe_params,
            covariance=result.fe_cov,
            sigma=float(np.sqrt(result.scale)),
            loglik=float(result.llf),
            npar=int(result.nparams),
            covariances=[np.atleast_2d(result.variance_components[key]) for key in keys],
            modes=[_table(result.random_effects[key]) for key in keys],
            fitted=result.fittedvalues,
            residuals=result.resid,
            converged=bool(result.converged),
            optimizer="lbfgsb",
        )


def _table(found: Any) -> Array:  # noqa: ANN401 - a series of one column, a frame of several
    values = np.asarray(found.sort_index(), dtype=np.float64)
    return values.reshape(len(values), -1)
