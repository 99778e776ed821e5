"""What nonlinear mixed model is to be fitted: the arguments that lme4's nlmer takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import isfinite
from numbers import Real
from typing import Any

from lmerbridge.errors import InvalidArgument
from lmerbridge.formula import Nonlinear, parse_nonlinear, source
from lmerbridge.inputs.spec import Spec
from lmerbridge.results import NLMM, Kind


@dataclass(frozen=True, eq=False, kw_only=True)
class NlmerSpec(Spec):
    """One nonlinear mixed model to fit.

    Attributes
    ----------
    start : mapping of str to float, or None
        Where each parameter begins. None is for a self-starting function, which finds it.
    n_agq : int
        1 is Laplace's approximation, 0 a quicker and rougher one.
    """

    n_agq: int = 1
    start: Mapping[str, float] | None = None  # type: ignore[assignment]  # of parameters, where others have theta
    reml: bool = field(default=False, init=False)
    kind: Kind = field(default=NLMM, init=False)

    def __post_init__(self) -> None:
        if isinstance(self.n_agq, bool) or not isinstance(self.n_agq, int) or self.n_agq not in (0, 1):
            raise InvalidArgument(f"n_agq is {self.n_agq!r}; 0 or 1 is expected: lme4 fits no nonlinear one with more.")
        super().__post_init__()
        given = self.start
        right = isinstance(given, Mapping) and given and all(isinstance(name, str) for name in given)
        if given is not None and not (right and all(map(_is_number, given.values()))):
            raise InvalidArgument(f"start is {given!r}; a mapping of parameters to finite numbers is expected.")

    @cached_property
    def parsed(self) -> Nonlinear:
        """The formula as a value, its parameters those of ``start``, or all names of the model that are no columns."""
        columns = [name for name in self.data.columns if isinstance(name, str)]
        formula = parse_nonlinear(self.formula, columns, None if self.start is None else [*self.start])
        if self.start is None and not formula.is_self_starting:
            told = f"start is to have a number for each of {', '.join(formula.parameters)}"
            raise InvalidArgument(f"the model is no function that finds its own start; {told}.")
        if unused := [name for name in self.start or () if name not in formula.parameters]:
            raise InvalidArgument(f"start names {', '.join(unused)}, which the model does not use.")
        if taken := [name for name in formula.parameters if name in columns]:
            raise InvalidArgument(f"the parameter {taken[0]!r} has the name of a column; rename one of the two.")
        return formula

    @property
    def particulars(self) -> dict[str, Any]:
        """Arguments of the R function that fits such a model and no other."""
        model, parameters = self.parsed.model, self.parsed.parameters
        start = None if self.start is None else {name: float(self.start[name]) for name in parameters}
        expression = None if self.parsed.is_self_starting else source(model)
        return {"parameters": parameters, "expression": expression, "start": start, "n_agq": int(self.n_agq)}


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)
