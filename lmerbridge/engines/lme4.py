"""lme4 as an engine, with its default optimizer or another one, and to a tight tolerance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from lmerbridge.errors import EngineFailed, InvalidArgument, RError, UnfitData
from lmerbridge.inputs import OPTIMIZERS, Spec
from lmerbridge.models import GlmerFit, KeptFit, LmerFit, NlmerFit, fit_spec

FITS: Mapping[str, type[KeptFit]] = {"lmm": LmerFit, "glmm": GlmerFit, "nlmm": NlmerFit}
TIGHT = "tight"
TOLERANCES = (1e-13, 1e-12, 1e-11, 1e-10)  # each where PIRLS does not converge to the one before


class Lme4:
    """R's ``lme4``, through the bridge: ``lmer``, ``glmer``, ``glmer.nb`` or ``nlmer``.

    Parameters
    ----------
    option : str or None
        An optimizer, or ``"tight"``, both of which are in ``options``; None is lme4 with its defaults. ``optimx`` and
        ``nmkbw`` may need the R packages optimx and dfoptim. ``"tight"`` sets ``tolPwrss`` of a generalized model to
        1e-15, or to the smallest of ten times that and so on to which its inner iterations converge: the log-likelihood
        is then that of its estimates, which with lme4's own 1e-7 it is not. The fit's provenance tells the tolerance.
        A linear model has no such iterations, and is fitted as by default.
    """

    capabilities: frozenset[str] = frozenset({"glmm", "nlmm"})
    options = (*OPTIMIZERS, TIGHT)

    def __init__(self, option: str | None = None) -> None:
        self.option = option

    @property
    def name(self) -> str:
        """``lme4``, or ``lme4[option]``."""
        return f"lme4[{self.option}]" if self.option else "lme4"

    def fit(self, spec: Spec) -> KeptFit:
        """Fit the model: see `lmerbridge.lmer` and `lmerbridge.glmer`."""
        if self.option == TIGHT and spec.kind.name == "glmm":
            return replace(self._fit_tight(spec), engine=self.name)
        if self.option in (None, TIGHT):
            return replace(_fit(spec), engine=self.name)
        return replace(_fit(self._with(spec, "optimizer", self.option)), engine=self.name)

    def _fit_tight(self, spec: Spec) -> KeptFit:
        for tolerance in TOLERANCES[:-1]:
            try:
                return _told(_fit(self._with(spec, "tolPwrss", tolerance)), tolerance)
            except (UnfitData, EngineFailed, RError):  # as of PIRLS; what is wrong besides comes again
                continue
        return _told(_fit(self._with(spec, "tolPwrss", TOLERANCES[-1])), TOLERANCES[-1])

    def _with(self, spec: Spec, name: str, value: str | float | None) -> Spec:
        """Return the model with a value in its control, which must not ask for another."""
        control = {name: value, **spec.controls}
        if control[name] != value:
            what = "the optimizer" if name == "optimizer" else name
            raise InvalidArgument(f"control asks for {what} {control[name]!r} of {self.name}.")
        return replace(spec, control=control)


def _fit(spec: Spec) -> KeptFit:
    return fit_spec(FITS[spec.kind.name], spec)


def _told(fit: KeptFit, tolerance: float) -> KeptFit:
    versions = (*fit.provenance.versions, ("tolPwrss", f"{tolerance:.0e}"))
    return replace(fit, provenance=replace(fit.provenance, versions=versions))
