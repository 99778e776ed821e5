"""An engine that takes a model as plain columns: what is left to write is the call and where its numbers are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import pandas as pd

from lmerbridge.errors import InvalidArgument, NotExpressible, SetupError
from lmerbridge.inputs import Spec
from lmerbridge.results import Fit
from lmerbridge.translate.foreign import fit_foreign, refuse_lme4s, refuse_structures
from lmerbridge.translate.plain import Plain, PlainEstimates

FEATURES: dict[str, Callable[[Plain], bool]] = {
    "weights": lambda model: model.weights is not None,
    "an offset": lambda model: model.offset is not None,
    "contrasts": lambda model: bool(model.contrasts()),
    "ordered factors": lambda model: any(_is_ordered(model.data[key]) for key in model.names),
    "interactions of three": lambda model: any(len(nodes) > 2 for nodes in model.frame.formula.terms.products),
    "REML": lambda model: bool(model.spec.reml),
    "ML": lambda model: not model.spec.reml,
    "two random terms": lambda model: len(model.blocks) > 1,
    "slopes": lambda model: any(columns != ["1"] for columns in model.columns),
    "correlated random effects": lambda model: any(block.width > 1 for block in model.blocks),
    "a slope without an intercept": lambda model: any("1" not in columns for columns in model.columns),
    "a slope alone": lambda model: len(model.columns) == 1 and "1" not in model.columns[0],
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
        What the package has no form for, in the words of `FEATURES`. Such a model is `NotExpressible`.
    subtracts_offset : bool
        Whether the model's response comes without its offset, for a package that takes none.
    """

    name: str
    package: str = ""
    requirement: str = ""
    lacks: frozenset[str] = frozenset()
    subtracts_offset: bool = False
    capabilities: frozenset[str] = frozenset()

    def __init_subclass__(cls) -> None:
        """Check the words of a class."""
        if unknown := sorted(cls.lacks - set(FEATURES)):
            raise InvalidArgument(f"{cls.__name__} lacks {unknown[0]!r}; expected are {', '.join(FEATURES)}.")

    def fit(self, spec: Spec) -> Fit:
        """Fit the model: see `lmerbridge.engines.Engine`.

        Raises
        ------
        SetupError
            The package is not installed.
        """
        refuse_lme4s(spec, self.name)
        refuse_structures(spec, self.name)
        model = Plain(spec, self.subtracts_offset)
        for feature in sorted(self.lacks):
            if FEATURES[feature](model):
                raise NotExpressible(f"{self.name} has no form for {feature}.")
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
