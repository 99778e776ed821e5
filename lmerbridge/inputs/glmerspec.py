"""What generalized linear mixed model is to be fitted: the arguments that lme4's glmer takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from lmerbridge.errors import InvalidArgument
from lmerbridge.inputs.spec import RowVector, Spec
from lmerbridge.results import GLMM, Family, Kind, glmm, read_family

NODES = 100  # lme4's GHrule goes no further


@dataclass(frozen=True, eq=False, kw_only=True)
class GlmerSpec(Spec):
    """One generalized linear mixed model to fit.

    Attributes
    ----------
    family : str or Family
    n_agq : int
        Nodes of the adaptive Gauss-Hermite quadrature: 1 is Laplace's approximation, 0 a quicker and rougher one.
    mustart, etastart : column name, array of one number per row, or None
        Where the iterations begin: means, or values of the linear predictor.
    """

    family: str | Family
    n_agq: int = 1
    mustart: RowVector = None
    etastart: RowVector = None
    reml: bool = field(default=False, init=False)
    kind: Kind = field(default=GLMM, init=False)

    vectors: ClassVar[tuple[str, ...]] = (*Spec.vectors, "mustart", "etastart")

    def __post_init__(self) -> None:
        family = read_family(self.family)
        if (*family,) == ("gaussian", "identity"):
            raise InvalidArgument("family is gaussian with the link identity, a linear mixed model; use lmer().")
        object.__setattr__(self, "family", family)
        object.__setattr__(self, "kind", glmm(family))
        if isinstance(self.n_agq, bool | np.bool_) or not isinstance(self.n_agq, int | np.integer):
            raise InvalidArgument(f"n_agq is {self.n_agq!r}; a whole number from 0 to {NODES} is expected.")
        if not 0 <= self.n_agq <= NODES:
            raise InvalidArgument(f"n_agq is {self.n_agq}; a whole number from 0 to {NODES} is expected.")
        if self.n_agq == 0 and isinstance(self.start, Mapping) and "beta" in self.start:
            raise InvalidArgument("n_agq is 0 and start names 'beta'; then the fixed effects follow from theta.")
        super().__post_init__()

    @property
    def distribution(self) -> Family:
        """The family, read."""
        return read_family(self.family)

    @property
    def particulars(self) -> dict[str, bool | int | float | str | None]:
        """Arguments of the R function that fits such a model and no other."""
        family = self.distribution
        return {"family": family.name, "link": family.link, "theta": family.theta, "n_agq": int(self.n_agq)}
