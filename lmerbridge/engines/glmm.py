"""The package glmm as an engine.

It reads lme4's formula language, and codes factors itself.
"""

from __future__ import annotations

from itertools import chain, combinations_with_replacement
from typing import Any

from lmerbridge.translate import Plain, PlainEngine, PlainEstimates


class Glmm(PlainEngine):
    """``glmm.fit`` with its defaults and its Gaussian family."""

    name = "glmm"
    requirement = "lmerbridge[engines]"
    lacks = frozenset({"contrasts", "a slope without an intercept", "a slope that is no fixed effect"})

    def estimate(self, model: Plain) -> PlainEstimates:
        """Fit the model: see `lmerbridge.engines.PlainEngine`."""
        import glmm

        reml, data = bool(model.spec.reml), model.text
        result: Any = glmm.fit(data, model.formula, reml=reml, weights=model.weights, offset=model.offset)
        x, terms = glmm.model_matrix(data, f"~ {model.fixed()}")
        pairs = [(g, *pair) for g, names in result.re_groups for pair in combinations_with_replacement(names, 2)]
        places = [(b["group"], level, t) for b in result.ranef_blocks for level in b["levels"] for t in b["terms"]]
        return PlainEstimates(
            terms=terms,
            x=x,
            beta=result.beta,
            covariance=result.vcov,
            sigma=result.dispersion**0.5,
            loglik=result.loglik,
            npar=result.df,
            covariances=model.covariances(pairs, chain(*result.varcorr)),
            modes=model.modes(places, result.ranef),
            fitted=result.fitted,
            converged=result.converged,
        )
