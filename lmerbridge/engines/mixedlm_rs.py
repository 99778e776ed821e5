"""The package mixedlm-rs as an engine.

It has the interface of statsmodels' MixedLM, reads formulas with patsy, and codes factors itself.
"""

from __future__ import annotations

import numpy as np

from lmerbridge.translate import Plain, PlainEngine, PlainEstimates


class MixedlmRs(PlainEngine):
    """``mixedlm_rs.mixedlm`` with its defaults, on one grouping factor. An offset is taken from the response."""

    name = "mixedlm-rs"
    requirement = "lmerbridge[engines]"
    lacks = frozenset({"weights", "contrasts", "two random terms"})

    def estimate(self, model: Plain) -> PlainEstimates:
        """Fit the model: see `lmerbridge.engines.PlainEngine`."""
        import mixedlm_rs

        offset = 0.0 if model.offset is None else model.offset
        data = model.text.assign(y_=model.data["y_"] - offset)
        random = model.bars[0].strip("()").partition(" | ")[0]
        built = mixedlm_rs.mixedlm(f"y_ ~ {model.fixed()}", data, groups="g0_", re_formula=f"~ {random}")
        result = built.fit(reml=bool(model.spec.reml))
        p = len(result.fe_params)
        return PlainEstimates(
            terms=list(result.model.exog_names)[:p],
            x=result.model.exog,
            beta=result.fe_params,
            covariance=np.asarray(result.cov_params())[:p, :p],
            sigma=float(np.sqrt(result.scale)),
            loglik=float(result.llf),
            covariances=[np.atleast_2d(result.cov_re)],
            modes=[np.array([np.ravel(result.random_effects[level]) for level in sorted(result.random_effects)])],
            fitted=np.asarray(result.fittedvalues) + offset,
            converged=bool(result.converged),
        )
