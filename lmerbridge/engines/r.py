"""nlme, mgcv and glmmTMB as engines: in R, each on the rows and columns that lme4 reads from the formula."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from lmerbridge.bridge import Value, arguments, build, host, refusals, replies, session_facts
from lmerbridge.errors import EngineFailed, LmerBridgeError, NotExpressible, RError, SetupError
from lmerbridge.inputs import GlmerSpec, Spec
from lmerbridge.results import Fit, Provenance, covariance
from lmerbridge.setup import remedy
from lmerbridge.translate import LME4S, lower_roots, refuse_family, refuse_kind, refuse_lme4s, refuse_structures

TMB_FAMILIES = ("binomial", "poisson", "negative.binomial", "Gamma", "gaussian")
TMB_LINKS = ("log", "logit", "probit", "inverse", "cloglog", "identity", "sqrt")


class RPackage:
    """An R package beside lme4. The design is lme4's, so that the estimator alone is judged."""

    name: str
    function: str  # of r/R, for linear models
    capabilities: frozenset[str] = frozenset()
    reasons: ClassVar[Mapping[str, str]] = {}

    def fit(self, spec: Spec) -> Fit:
        """Fit the model: see `lmerbridge.engines.Engine`.

        Raises
        ------
        SetupError
            R does not have the package.
        """
        refuse_kind(spec, self.name, self.capabilities, self.reasons)
        refuse_lme4s(spec, self.name)
        refuse_structures(spec, self.name)
        return self._fit(spec, self.function, arguments(spec))

    def _fit(self, spec: Spec, function: str, given: Mapping[str, Value]) -> Fit:
        try:
            model = host.keep(function, **{name: value for name, value in given.items() if name not in LME4S})
        except RError as error:
            ours = _translation(error, spec)
            if ours is None:
                raise
            raise ours.after(error.conditions) from error
        return self._describe(spec, model)

    def _describe(self, spec: Spec, model: host.RModel) -> Fit:
        values = dict(model.reply.values)
        version, optimizer = values.pop("version")[0], values["optimizer"][0]
        derived: dict[str, Any] = {"theta": np.empty(0), "singular": [False]}
        derived |= replies.us_structures(len(values["block.name"]))
        shape = values.pop("nb_theta", [math.nan])[0]
        described = build(replies.FitReply, values | derived)
        fields = replies.fit_fields(
            described,
            has_residual=bool(spec.kind.scale(described.sigma)),
            weighted=spec.weights is not None,
            link=spec.kind.link,
        )
        roots = lower_roots(spec.kind, (block.covariance for block in fields["varcorr"]), fields["sigma"])
        derived = {"theta": covariance.join(roots), "singular": any(map(covariance.singular, roots))}
        return Fit(
            engine=self.name,
            formula=spec.parsed.text,
            index=spec.data.index,
            kind=spec.kind,
            nb_theta=shape,
            _padded_rows=spec.padded_rows,
            conditions=model.reply.conditions,
            provenance=Provenance(self.name, version, optimizer, tuple(session_facts().items())),
            _design=replies.design_from_r(model.call("design")),
            **fields | derived,
        )


class Nlme(RPackage):
    """``nlme::lme``, to tolerances of rounding level.

    Crossed factors go into one constant group.
    """

    name = "nlme"
    function = "fit_nlme"
    reasons: ClassVar = {"glmm": "nlme::lme fits linear models; MASS::glmmPQL repeats it, and maximizes no likelihood."}


class Mgcv(RPackage):
    """``mgcv::gam`` with a smooth ``s(bs = "re")`` per random effect, to tolerances of rounding level.

    It has no correlated random effects.
    """

    name = "mgcv"
    function = "fit_mgcv"
    reasons: ClassVar = {
        "glmm": "mgcv::gam maximizes over fixed and random effects at once, as n_agq=0 does, and no likelihood of the "
        "fixed effects."
    }


class GlmmPQL:
    """``MASS::glmmPQL``, which is no maximum likelihood, so that none of its fits can be judged."""

    name = "glmmPQL"
    capabilities: frozenset[str] = frozenset()
    reasons: ClassVar = {
        "glmm": "MASS::glmmPQL is another estimator: it solves a linear model of working responses again and again, "
        "adds a dispersion that the family has not, and maximizes no likelihood."
    }

    def fit(self, spec: Spec) -> Fit:
        """Refuse the model: see `lmerbridge.engines.Engine`."""
        refuse_kind(spec, self.name, self.capabilities, self.reasons)
        raise NotExpressible("MASS::glmmPQL is for generalized models; of a linear one it is what nlme fits.")


class GlmmTMB(RPackage):
    """``glmmTMB::glmmTMB``, by Laplace's approximation where the model is generalized.

    The log-determinant of that has the second derivatives of the density, and lme4's their expectation: for other links
    than the family's canonical one these are two likelihoods.
    """

    name = "glmmTMB"
    function = "fit_glmmTMB"
    capabilities = frozenset({"glmm"})
    families: ClassVar[Mapping[str, Sequence[str]]] = dict.fromkeys(
        ("binomial", "poisson", "negative.binomial", "Gamma", "gaussian"), TMB_LINKS
    )

    def fit(self, spec: Spec) -> Fit:
        """Fit the model: see `lmerbridge.engines.Engine`."""
        if not isinstance(spec, GlmerSpec):
            return super().fit(spec)
        refuse_family(spec, self.name, self.families, self.reasons)
        refuse_lme4s(spec, self.name)
        refuse_structures(spec, self.name)
        if spec.n_agq != 1:
            raise NotExpressible(f"{self.name} has Laplace's approximation alone, and n_agq is {spec.n_agq}.")
        if spec.kind.family == "gaussian" and spec.weights is not None:
            raise NotExpressible("glmmTMB's weights multiply the likelihood; lme4's divide the variance.")
        own = {"family": spec.kind.family, "link": spec.kind.link, "theta": spec.shape}
        given = {name: value for name, value in arguments(spec).items() if name not in spec.particulars}
        return self._fit(spec, "fit_glmmTMB_glmm", given | own)


def _translation(error: RError, spec: Spec) -> LmerBridgeError | None:
    if "lmerbridge_not_installed" in error.classes:
        return SetupError(
            f"R has no package {error.text}, which the engine needs; to install it:\n{remedy(error.text)}"
        )
    if "lmerbridge_not_expressible" in error.classes:
        return NotExpressible(f"{error.text}.")
    if "lmerbridge_engine_failed" in error.classes:
        return EngineFailed(error.args[0])
    return refusals.translate(error, spec)
