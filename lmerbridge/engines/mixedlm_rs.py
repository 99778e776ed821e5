"""The package mixedlm-rs as an engine.

It has the interface of statsmodels' MixedLM, reads formulas with patsy, and codes factors itself.
"""

from __future__ import annotations

import numpy as np

from lmerbridge.translate import Plain, PlainEngine, PlainEstimates


class MixedlmRs(PlainEngine):
    """``mixedlm_rs.mixedlm`` with its defaults, on one grouping factor. It has no offset."""

    name = "mixedlm-rs"
    requirement = "lmerbridge[engines]"
    lacks = frozenset({"weights", "contrasts", "two random terms"})
    subtracts_offset = True

    def estimate(self, model: Plain) -> PlainEstimates:
        """Fit the model: see `lmerbridge.engines.PlainEngine`."""
        import mixedlm_rs

        formula = f"y_ ~ {model.fixed()}"
        built = mixedlm_rs.mixedlm(formula, model.text, groups="g0_", re_formula=f"~ {model.lefts[0]}")
        result = built.fit(reml=bool(model.spec.reml))
        modes = result.random_effects
        p = len(result.fe_params)
        return PlainEstimates(
            terms=list(result.model.exog_names)[:p],
            x=result.model.exog,
            beta=result.fe_params,
            covariance=np.asarray(result.cov_params())[:p, :p],
            sigma=result.scale**0.5,
            loglik=result.llf,
            covariances=[np.atleast_2d(result.cov_re)],
            modes=[np.array([np.ravel(modes[level]) for level in sorted(modes)])],
            fitted=result.fittedvalues,
            converged=result.converged,
        )
