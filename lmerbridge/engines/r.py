"""nlme, mgcv and glmmTMB as engines: in R, each on the rows and columns that lme4 reads from the formula."""

from __future__ import annotations

from typing import Any

import numpy as np

from lmerbridge.bridge import arguments, build, host, refusals, replies, session_facts
from lmerbridge.errors import EngineFailed, LmerBridgeError, NotExpressible, RError, SetupError
from lmerbridge.inputs import Spec
from lmerbridge.results import Fit, Provenance, covariance
from lmerbridge.setup import remedy
from lmerbridge.translate import LME4S, refuse_lme4s, refuse_structures


class RPackage:
    """An R package beside lme4. The design is lme4's, so that the estimator alone is judged."""

    name: str
    capabilities: frozenset[str] = frozenset()

    def fit(self, spec: Spec) -> Fit:
        """Fit the model: see `lmerbridge.engines.Engine`.

        Raises
        ------
        SetupError
            R does not have the package.
        """
        refuse_lme4s(spec, self.name)
        refuse_structures(spec, self.name)
        given = {name: value for name, value in arguments(spec).items() if name not in LME4S}
        try:
            model = host.keep(f"fit_{self.name}", **given)
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
        fields = replies.fit_fields(build(replies.FitReply, values | derived), weighted=spec.weights is not None)
        roots = [covariance.lower_root(block.covariance / fields["sigma"] ** 2) for block in fields["varcorr"]]
        derived = {"theta": covariance.join(roots), "singular": any(map(covariance.singular, roots))}
        return Fit(
            engine=self.name,
            formula=spec.parsed.text,
            index=spec.data.index,
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


class Mgcv(RPackage):
    """``mgcv::gam`` with a smooth ``s(bs = "re")`` per random effect, to tolerances of rounding level.

    It has no correlated random effects.
    """

    name = "mgcv"


class GlmmTMB(RPackage):
    """``glmmTMB::glmmTMB`` with its Gaussian family."""

    name = "glmmTMB"


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
