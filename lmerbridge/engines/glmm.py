"""The package glmm as an engine.

It reads lme4's formula language, and codes factors itself.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, combinations_with_replacement
from typing import Any, ClassVar

from lmerbridge.translate import Plain, PlainEngine, PlainEstimates

FAMILIES = {"negative.binomial": "negativebinomial", "Gamma": "gamma"}


class Glmm(PlainEngine):
    """``glmm.fit`` with its defaults.

    Its Laplace's approximation has the second derivatives of the density, as TMB's has.
    """

    name = "glmm"
    requirement = "lmerbridge[engines]"
    lacks = frozenset({"contrasts", "a slope without an intercept", "a slope that is no fixed effect"})
    families: ClassVar = {
        "binomial": ("logit", "probit", "cloglog"),
        "poisson": ("log",),
        "negative.binomial": ("log",),
        "Gamma": ("log", "inverse"),
    }
    lacks_glmm = frozenset({"n_agq=0", "an even number of nodes", "a known shape"})

    def estimate(self, model: Plain) -> PlainEstimates:
        """Fit the model: see `lmerbridge.engines.PlainEngine`."""
        return _estimates(model, family="gaussian", reml=bool(model.spec.reml))

    def estimate_glmm(self, model: Plain) -> PlainEstimates:
        """Fit the model: see `lmerbridge.engines.PlainEngine`."""
        family = FAMILIES.get(model.family, model.family)
        found = _estimates(model, family=family, link=model.link, nagq=model.nodes)
        return replace(found, sigma=1.0, nb_theta=found.sigma**2) if model.family == "negative.binomial" else found


def _estimates(model: Plain, **given: Any) -> PlainEstimates:  # noqa: ANN401 - arguments of the package
    import glmm

    data = model.text
    result: Any = glmm.fit(data, model.formula, weights=model.weights, offset=model.offset, **given)
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
