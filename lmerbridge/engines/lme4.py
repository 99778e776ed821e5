"""lme4 as an engine, with its default optimizer or another one."""

from __future__ import annotations

from dataclasses import replace

from lmerbridge.errors import InvalidArgument
from lmerbridge.inputs import OPTIMIZERS, Spec
from lmerbridge.models import LmerFit, fit_spec


class Lme4:
    """R's ``lme4::lmer``, through the bridge.

    Parameters
    ----------
    optimizer : str or None
        One of ``options``; None is lme4's default. ``optimx`` and ``nmkbw`` may need the R packages optimx and dfoptim.
    """

    capabilities: frozenset[str] = frozenset()
    options = OPTIMIZERS

    def __init__(self, optimizer: str | None = None) -> None:
        self.optimizer = optimizer

    @property
    def name(self) -> str:
        """``lme4``, or ``lme4[optimizer]``."""
        return f"lme4[{self.optimizer}]" if self.optimizer else "lme4"

    def fit(self, spec: Spec) -> LmerFit:
        """Fit the model: see `lmerbridge.lmer`."""
        if self.optimizer is None:
            return fit_spec(LmerFit, spec)
        control = {"optimizer": self.optimizer, **spec.controls}
        if control["optimizer"] != self.optimizer:
            raise InvalidArgument(f"control asks for the optimizer {control['optimizer']!r} of {self.name}.")
        return replace(fit_spec(LmerFit, replace(spec, control=control)), engine=self.name)
