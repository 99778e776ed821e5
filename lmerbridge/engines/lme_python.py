"""The package lme-python as an engine.

It reads lme4's formula language, and codes factors itself.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from lmerbridge.translate import Plain, PlainEngine, PlainEstimates


class LmePython(PlainEngine):
    """``lme_python.lmer`` or ``glmer`` with its defaults, or ``lmer_weighted`` and ``glmer_weighted``."""

    name = "lme-python"
    requirement = "lmerbridge[engines]"
    lacks = frozenset({"contrasts", "interactions of three"})
    subtracts_offset = True
    families: ClassVar = {
        "binomial": ("logit", "probit", "cloglog"),
        "poisson": ("log",),
        "Gamma": ("log", "inverse"),
    }

    def estimate(self, model: Plain) -> PlainEstimates:
        """Fit the model: see `lmerbridge.engines.PlainEngine`."""
        import lme_python

        fit: Any = lme_python.lmer if model.weights is None else lme_python.lmer_weighted
        weights = {} if model.weights is None else {"weights": list(model.weights)}
        result = fit(model.formula, model.text, reml=bool(model.spec.reml), **weights)
        return _estimates(model, result, result.sigma2)

    def estimate_glmm(self, model: Plain) -> PlainEstimates:
        """Fit the model: see `lmerbridge.engines.PlainEngine`."""
        import lme_python

        fit: Any = lme_python.glmer if model.weights is None else lme_python.glmer_weighted
        weights = {} if model.weights is None else {"weights": list(model.weights)}
        given = {"n_agq": model.nodes, "link_name": model.link, **weights}
        result = fit(model.formula, model.text, model.family.lower(), **given)
        return replace(_estimates(model, result, 1.0), residuals=None)


def _estimates(model: Plain, result: Any, scale: float) -> PlainEstimates:  # noqa: ANN401 - it has no types
    """Return what a fit has found. ``scale`` is what its ``v_beta_unscaled`` lacks."""
    rows = [row for row in result.var_corr if row[0] != "Residual"]
    return PlainEstimates(
        terms=result.fixed_names,
        x=result.design_matrix(model.text),
        beta=result.coefficients,
        covariance=scale * np.array(result.v_beta_unscaled),
        sigma=(result.sigma2 or 1.0) ** 0.5,
        loglik=result.log_likelihood,
        covariances=model.covariances([row[:3] for row in rows], [row[3] for row in rows]),
        modes=model.modes([row[:3] for row in result.ranef], [row[3] for row in result.ranef]),
        fitted=result.fitted,
        residuals=result.residuals,
        converged=result.converged,
    )
