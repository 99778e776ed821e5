"""lme4 as an engine."""

from __future__ import annotations

from lmerbridge.lmm import LmerFit, fit_spec
from lmerbridge.spec import Spec


class Lme4:
    """R's ``lme4::lmer``, through the bridge."""

    name = "lme4"
    capabilities: frozenset[str] = frozenset()

    def fit(self, spec: Spec) -> LmerFit:
        """Fit the model: see `lmerbridge.lmer`."""
        return fit_spec(spec)
