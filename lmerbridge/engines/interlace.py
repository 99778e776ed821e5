"""The package interlace-lme as an engine.

It reads the fixed part with formulaic, and codes factors itself.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from lmerbridge.results import Array, split
from lmerbridge.translate import Plain, PlainEngine, PlainEstimates


class Interlace(PlainEngine):
    """``interlace.fit`` or ``interlace.glmer`` with its defaults.

    Functions in the formula are evaluated before, as lme4 does. Covariances of a generalized model are made of its
    ``theta``, of which its own table has a part.
    """

    name = "interlace"
    package = "interlace-lme"
    requirement = "lmerbridge[interlace]"
    families: ClassVar = {"binomial": ("logit",), "poisson": ("log",), "negative.binomial": ("log",)}
    reasons: ClassVar = {"Gamma": "interlace holds the shape of Gamma at 1, which makes another model."}
    lacks_glmm = frozenset({"n_agq=0", "an estimated shape"})

    def estimate(self, model: Plain) -> PlainEstimates:
        """Fit the model: see `lmerbridge.engines.PlainEngine`."""
        import interlace

        method = "REML" if model.spec.reml else "ML"
        result = interlace.fit(_formula(model), model.data, method=method, **_given(model))
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

    def estimate_glmm(self, model: Plain) -> PlainEstimates:
        """Fit the model: see `lmerbridge.engines.PlainEngine`."""
        import interlace

        family = model.family if model.shape is None else interlace.NegativeBinomial2Family(model.shape)
        result = interlace.glmer(_formula(model), model.data, family, nAGQ=model.nodes, **_given(model))
        factors = split(result.theta, [block.width for block in model.blocks])
        return PlainEstimates(
            terms=list(result.fe_params.index),
            x=interlace.parse_formula(_formula(model), model.data, "g0_").X,
            beta=result.fe_params,
            std_errors=result.fe_bse,
            loglik=float(result.llf),
            covariances=[factor @ factor.T for factor in factors],
            modes=[_table(result.random_effects[f"g{i}_"]) for i in range(len(model.blocks))],
            fitted=result.fittedvalues,
            converged=bool(result.converged),
            optimizer="lbfgsb",
        )


def _given(model: Plain) -> dict[str, Any]:
    return {"random": model.bars, "weights": model.weights, "offset": model.offset}


def _formula(model: Plain) -> str:
    contrasts = model.contrasts()
    return f"y_ ~ {model.fixed(lambda name: f'C({name}, {contrasts[name]})' if name in contrasts else name)}"


def _table(found: Any) -> Array:  # noqa: ANN401 - a series of one column, a frame of several
    values = np.asarray(found.sort_index(), dtype=np.float64)
    return values.reshape(len(values), -1)
