"""lme4 as an engine, with its default optimizer or another one, and to a tight tolerance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from lmerbridge.bridge import object_from_r
from lmerbridge.errors import EngineFailed, InvalidArgument, LmerBridgeError, RError, UnfitData
from lmerbridge.inputs import OPTIMIZERS, Spec
from lmerbridge.models import GlmerFit, KeptFit, LmerFit, NlmerFit, fit_spec, model_of

FITS: Mapping[str, type[KeptFit]] = {"lmm": LmerFit, "glmm": GlmerFit, "nlmm": NlmerFit}
TIGHT = "tight"
# Each where PIRLS does not converge to the one before. On some 80 models the first leaves the criterion within 2e-6 of
# the converged one; by 1e-15, rounding decides where PIRLS stops, and standard errors are up to half off.
TOLERANCES = (1e-14, 1e-13, 1e-12, 1e-11, 1e-10)
ENOUGH = 2  # tolerances that are tried for the sake of standard errors
FACTOR = 1.5  # within which standard errors by the Hessian are of those with theta held, if no step of it has failed


class Lme4:
    """R's ``lme4``, through the bridge: ``lmer``, ``glmer``, ``glmer.nb`` or ``nlmer``.

    Parameters
    ----------
    option : str or None
        An optimizer, or ``"tight"``, both of which are in ``options``; None is lme4 with its defaults. ``optimx`` and
        ``nmkbw`` may need the R packages optimx and dfoptim. ``"tight"`` sets ``tolPwrss`` of a generalized model to
        1e-14, or to the smallest of ten times that and so on to which its inner iterations converge: the log-likelihood
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
        found: list[KeptFit] = []
        failures: list[LmerBridgeError] = []
        for tolerance in TOLERANCES:
            try:
                found.append(_told(_fit(self._with(spec, "tolPwrss", tolerance)), tolerance))
            except (UnfitData, EngineFailed, RError) as error:  # as of PIRLS; what is wrong besides comes again
                failures.append(error)
                continue
            if _is_near_rx(found[-1]):
                return found[-1]
            if len(found) == ENOUGH:
                break
        if not found:
            raise failures[-1]
        return found[0]

    def _with(self, spec: Spec, name: str, value: str | float | None) -> Spec:
        """Return the model with a value in its control, which must not ask for another."""
        control = {name: value, **spec.controls}
        if control[name] != value:
            what = "the optimizer" if name == "optimizer" else name
            raise InvalidArgument(f"control asks for {what} {control[name]!r} of {self.name}.")
        return replace(spec, control=control)


def _fit(spec: Spec) -> KeptFit:
    return fit_spec(FITS[spec.kind.name], spec)


def _is_near_rx(fit: KeptFit) -> bool:
    """Whether no difference of which the Hessian is made has met a step in the criterion."""
    told = model_of(fit).call("vcov_of", correlation=False, use_hessian=False)
    held = np.sqrt(np.diag(object_from_r(told)))
    return bool(np.all((fit.std_errors < FACTOR * held) & (held < FACTOR * fit.std_errors)))


def _told(fit: KeptFit, tolerance: float) -> KeptFit:
    versions = (*fit.provenance.versions, ("tolPwrss", f"{tolerance:.0e}"))
    return replace(fit, provenance=replace(fit.provenance, versions=versions))
