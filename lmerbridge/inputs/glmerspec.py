"""What generalized linear mixed model is to be fitted: the arguments that lme4's glmer takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

import numpy as np

from lmerbridge.errors import InvalidArgument
from lmerbridge.inputs.spec import RowVector, Spec
from lmerbridge.results import GLMM, NEGATIVE_BINOMIAL, Family, Kind, glmm, read_family

NODES = 100  # lme4's GHrule goes no further
HUGE = 1e300  # a shape beyond it is no negative binomial but Poisson


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
        self._check_nodes()
        super().__post_init__()

    def _check_nodes(self) -> None:
        if isinstance(self.n_agq, bool | np.bool_) or not isinstance(self.n_agq, int | np.integer):
            raise InvalidArgument(f"n_agq is {self.n_agq!r}; a whole number from 0 to {NODES} is expected.")
        if not 0 <= self.n_agq <= NODES:
            raise InvalidArgument(f"n_agq is {self.n_agq}; a whole number from 0 to {NODES} is expected.")
        if self.n_agq == 0 and isinstance(self.start, Mapping) and "beta" in self.start:
            raise InvalidArgument("n_agq is 0 and start names 'beta'; then the fixed effects follow from theta.")

    def quick(self) -> Self:
        """Return a specification of the same design whose fit is quick: its estimates do not count."""
        return replace(self, n_agq=0)

    @property
    def shape(self) -> float | None:
        """The shape of a negative binomial family that is known, None where it is estimated or there is none."""
        return read_family(self.family).theta

    @property
    def particulars(self) -> dict[str, bool | int | float | str | None]:
        """Arguments of the R function that fits such a model and no other."""
        kind = self.kind
        return {"family": kind.family, "link": kind.link, "theta": self.shape, "n_agq": int(self.n_agq)}


@dataclass(frozen=True, eq=False, kw_only=True)
class GlmerNbSpec(GlmerSpec):
    """One negative binomial mixed model to fit, whose shape is estimated.

    Attributes
    ----------
    init_theta : float or None
        The shape to begin with. None is an estimate from a Poisson model.
    """

    family: str | Family = field(default="negative.binomial", init=False)
    init_theta: float | None = None
    kind: Kind = field(default=NEGATIVE_BINOMIAL, init=False)

    def __post_init__(self) -> None:
        given = self.init_theta
        right = isinstance(given, int | float | np.number) and not isinstance(given, bool) and 0 < given < HUGE
        if given is not None and not right:
            raise InvalidArgument(f"init_theta is {given!r}; a positive number, or None, is expected.")
        self._check_nodes()
        Spec.__post_init__(self)

    @property
    def shape(self) -> float | None:
        """None: the shape is estimated."""
        return None

    @property
    def particulars(self) -> dict[str, bool | int | float | str | None]:
        """Arguments of the R function that fits such a model and no other."""
        return {"init_theta": None if self.init_theta is None else float(self.init_theta), "n_agq": int(self.n_agq)}
