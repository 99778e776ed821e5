"""The package mixedlm as an engine.

It reads lme4's formula language, and codes factors itself.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from lmerbridge.errors import NotExpressible
from lmerbridge.results import Array
from lmerbridge.translate import Block, Plain, PlainEngine, PlainEstimates

CONTRASTS = {"contr.treatment": "treatment", "contr.sum": "sum", "contr.helmert": "helmert", "contr.poly": "poly"}


HELD = ("Gamma", "inverse.gaussian", "gaussian")
FAMILIES = {"binomial": "Binomial", "poisson": "Poisson"}


class Mixedlm(PlainEngine):
    """``mixedlm.lmer`` or ``mixedlm.glmer`` with its defaults.

    Functions in the formula are evaluated before: it has only powers.
    """

    name = "mixedlm"
    requirement = "lmerbridge[mixedlm]"
    families: ClassVar = {
        "binomial": ("logit", "probit", "cloglog", "cauchit", "log"),
        "poisson": ("log", "identity", "sqrt"),
        "negative.binomial": ("log",),
    }
    reasons: ClassVar = {
        name: f"mixedlm holds the dispersion of {name} at 1, which makes another model." for name in HELD
    }
    lacks_glmm = frozenset({"an estimated shape"})

    def estimate(self, model: Plain) -> PlainEstimates:
        """Fit the model: see `lmerbridge.engines.PlainEngine`."""
        import mixedlm

        result: Any = mixedlm.lmer(model.formula, model.data, REML=bool(model.spec.reml), **_given(model))
        return _estimates(model, result)

    def estimate_glmm(self, model: Plain) -> PlainEstimates:
        """Fit the model: see `lmerbridge.engines.PlainEngine`."""
        import mixedlm
        from mixedlm import families

        if model.shape is None:
            family = getattr(families, FAMILIES[model.family])(model.link)
        else:
            family = families.NegativeBinomial(model.shape, model.link)
        result: Any = mixedlm.glmer(model.formula, model.data, family, nAGQ=model.nodes, **_given(model))
        return _estimates(model, result)


def _given(model: Plain) -> dict[str, Any]:
    contrasts = {name: _contrast(kind) for name, kind in model.contrasts().items()}
    return {"weights": model.weights, "offset": model.offset, "contrasts": contrasts}


def _estimates(model: Plain, result: Any) -> PlainEstimates:  # noqa: ANN401 - imported only where it is used
    loglik, matrices = result.logLik(), result.matrices
    places = [s.grouping_factor for s in matrices.random_structures]
    covariances = [group.cov for group in result.VarCorr().groups.values()]
    keys = [f"g{i}_" for i in range(len(model.blocks))]
    return PlainEstimates(
        terms=list(matrices.fixed_names),
        x=matrices.X,
        beta=result.beta,
        covariance=result.vcov(),
        sigma=float(result.sigma),
        loglik=float(loglik),
        npar=int(loglik.df),
        covariances=[np.asarray(covariances[places.index(key)]) for key in keys],
        modes=[_modes(result, key, block) for key, block in zip(keys, model.blocks, strict=True)],
        fitted=result.fitted(),
        residuals=result.residuals(),
        converged=bool(result.converged),
        optimizer=str(result.optimizer),
    )


def _contrast(kind: str) -> str:
    if kind not in CONTRASTS:
        raise NotExpressible(f"the contrasts {kind!r} have no counterpart in mixedlm.")
    return CONTRASTS[kind]


def _modes(result: Any, key: str, block: Block) -> Array:  # noqa: ANN401 - imported only where it is used
    structure = next(s for s in result.matrices.random_structures if s.grouping_factor == key)
    order = [structure.level_map[code] for code in range(len(block.levels))]
    return np.column_stack(list(result.ranef()[key].values()))[order]
