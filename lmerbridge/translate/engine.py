"""An engine that takes a model as plain columns: what is left to write is the call and where its numbers are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import pandas as pd

from lmerbridge.errors import NotExpressible, SetupError
from lmerbridge.inputs import Spec
from lmerbridge.results import Fit
from lmerbridge.translate.foreign import fit_foreign, refuse_lme4s, refuse_structures
from lmerbridge.translate.plain import Plain, PlainEstimates

FEATURES: dict[str, Callable[[Plain], bool]] = {
    "weights": lambda model: model.weights is not None,
    "an offset": lambda model: model.offset is not None,
    "contrasts": lambda model: bool(model.contrasts()),
    "ordered factors": lambda model: any(_is_ordered(model.data[key]) for key in model.names),
    "REML": lambda model: bool(model.spec.reml),
    "ML": lambda model: not model.spec.reml,
    "two random terms": lambda model: len(model.blocks) > 1,
    "correlated random effects": lambda model: any(block.width > 1 for block in model.blocks),
    "a slope without an intercept": lambda model: any("1" not in columns for columns in model.columns),
    "a slope that is no fixed effect": lambda model: any(c[0] == "z" for columns in model.columns for c in columns),
}


class PlainEngine(ABC):
    """An engine made of a package that takes columns and a formula, or matrices.

    A subclass has a ``name`` and `estimate`. The package is imported there, and nowhere else.

    Attributes
    ----------
    name : str
        As reports print it.
    package : str
        The distribution whose version a fit tells, where it is not called as the engine is.
    requirement : str
        What pip installs where the package is absent. The default is the package.
    lacks : frozenset of str
        What the package has no form for, in the words of `FEATURES`; such a model is `NotExpressible`.
    """

    name: str
    package: str = ""
    requirement: str = ""
    lacks: frozenset[str] = frozenset()
    capabilities: frozenset[str] = frozenset()

    def fit(self, spec: Spec) -> Fit:
        """Fit the model: see `lmerbridge.engines.Engine`.

        Raises
        ------
        SetupError
            The package is not installed.
        """
        refuse_lme4s(spec, self.name)
        refuse_structures(spec, self.name)
        model = Plain(spec)
        for feature in sorted(self.lacks):
            if FEATURES[feature](model):
                raise NotExpressible(f"{self.name} is not given {feature}: it has no form for that.")
        return fit_foreign(self.name, lambda: model.fit(self.name, self.package or self.name, self._estimate(model)))

    @abstractmethod
    def estimate(self, model: Plain) -> PlainEstimates:
        """Fit the model with the package, and say what it has found."""

    def _estimate(self, model: Plain) -> PlainEstimates:
        try:
            return self.estimate(model)
        except ModuleNotFoundError as error:
            requirement = self.requirement or self.package or self.name
            raise SetupError(f"{error.name} is not installed; pip install '{requirement}' installs it.") from error


def _is_ordered(values: pd.Series) -> bool:
    return isinstance(values.dtype, pd.CategoricalDtype) and bool(values.dtype.ordered)
