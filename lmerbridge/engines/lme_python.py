"""The package lme-python as an engine.

It reads lme4's formula language, and codes factors itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lmerbridge.translate import Plain, PlainEngine, PlainEstimates


class LmePython(PlainEngine):
    """``lme_python.lmer`` with its defaults, or ``lmer_weighted`` where there are weights."""

    name = "lme-python"
    requirement = "lmerbridge[engines]"
    lacks = frozenset({"contrasts", "interactions of three"})
    subtracts_offset = True

    def estimate(self, model: Plain) -> PlainEstimates:
        """Fit the model: see `lmerbridge.engines.PlainEngine`."""
        import lme_python

        fit: Any = lme_python.lmer if model.weights is None else lme_python.lmer_weighted
        weights = {} if model.weights is None else {"weights": list(model.weights)}
        result = fit(model.formula, model.text, reml=bool(model.spec.reml), **weights)
        rows = [row for row in result.var_corr if row[0] != "Residual"]
        return PlainEstimates(
            terms=result.fixed_names,
            x=result.design_matrix(model.text),
            beta=result.coefficients,
            covariance=result.sigma2 * np.array(result.v_beta_unscaled),
            sigma=result.sigma2**0.5,
            loglik=result.log_likelihood,
            covariances=model.covariances([row[:3] for row in rows], [row[3] for row in rows]),
            modes=model.modes([row[:3] for row in result.ranef], [row[3] for row in result.ranef]),
            fitted=result.fitted,
            residuals=result.residuals,
            converged=result.converged,
        )
