"""The package mixedlm as an engine.

It reads lme4's formula language, and codes factors itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lmerbridge.errors import NotExpressible
from lmerbridge.results import Array
from lmerbridge.translate import Block, Plain, PlainEngine, PlainEstimates

CONTRASTS = {"contr.treatment": "treatment", "contr.sum": "sum", "contr.helmert": "helmert", "contr.poly": "poly"}


class Mixedlm(PlainEngine):
    """``mixedlm.lmer`` with its defaults. Functions in the formula are evaluated before: it has only powers."""

    name = "mixedlm"
    requirement = "lmerbridge[mixedlm]"

    def estimate(self, model: Plain) -> PlainEstimates:
        """Fit the model: see `lmerbridge.engines.PlainEngine`."""
        import mixedlm

        result: Any = mixedlm.lmer(
            model.formula,
            model.data,
            REML=bool(model.spec.reml),
            weights=model.weights,
            offset=model.offset,
            contrasts={name: _contrast(kind) for name, kind in model.contrasts().items()},
        )
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
