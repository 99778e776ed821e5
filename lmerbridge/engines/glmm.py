"""The package glmm as an engine.

It reads lme4's formula language, and codes factors itself.
"""

from __future__ import annotations

from itertools import combinations_with_replacement
from typing import Any

import numpy as np

from lmerbridge.translate import Plain, PlainEngine, PlainEstimates


class Glmm(PlainEngine):
    """``glmm.fit`` with its defaults and its Gaussian family."""

    name = "glmm"
    requirement = "lmerbridge[engines]"
    lacks = frozenset({"contrasts", "a slope without an intercept", "a slope that is no fixed effect"})

    def estimate(self, model: Plain) -> PlainEstimates:
        """Fit the model: see `lmerbridge.engines.PlainEngine`."""
        import glmm

        reml = bool(model.spec.reml)
        result: Any = glmm.fit(model.text, model.formula, reml=reml, weights=model.weights, offset=model.offset)
        x, terms = glmm.model_matrix(model.text, f"~ {model.fixed()}")
        return PlainEstimates(
            terms=terms,
            x=x,
            beta=result.beta,
            covariance=result.vcov,
            sigma=float(np.sqrt(result.dispersion)),
            loglik=float(result.loglik),
            npar=int(result.df),
            covariances=model.covariances(
                (group, *pair, value)
                for (group, terms), packed in zip(result.re_groups, result.varcorr, strict=True)
                for pair, value in zip(combinations_with_replacement(terms, 2), packed, strict=True)
            ),
            modes=model.modes(
                (block["group"], level, term, value)
                for block in result.ranef_blocks
                for level, row in zip(block["levels"], block["values"], strict=True)
                for term, value in zip(block["terms"], row, strict=True)
            ),
            fitted=result.fitted,
            converged=bool(result.converged),
            optimizer="BFGS" if result.n_grad else "without derivatives",
        )
