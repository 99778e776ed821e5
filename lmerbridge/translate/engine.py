"""An engine that takes a model as plain columns: what is left to write is the call and where its numbers are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from typing import ClassVar

import pandas as pd

from lmerbridge.errors import InvalidArgument, NotExpressible, SetupError
from lmerbridge.inputs import Spec
from lmerbridge.results import Family, Fit
from lmerbridge.translate.described import LINEAR
from lmerbridge.translate.foreign import fit_foreign, refuse_family, refuse_kind, refuse_lme4s, refuse_structures
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
    "n_agq=0": lambda model: model.nodes == 0,
    "quadrature": lambda model: model.nodes > 1,
    "an even number of nodes": lambda model: model.nodes > 1 and model.nodes % 2 == 0,
    "a known shape": lambda model: model.shape is not None,
    "an estimated shape": lambda model: model.family == "negative.binomial" and model.shape is None,
}


class PlainEngine(ABC):
    """An engine made of a package that takes columns and a formula, or matrices.

    A subclass has a ``name`` and `estimate`, and `estimate_glmm` where it has ``families``. The package is imported
    there, and nowhere else.

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
    lacks_glmm : frozenset of str
        The same of generalized models alone.
    families : mapping of str to sequence of str
        Families of generalized models, by R's names, and the links of each. Without any, such a model is
        `NotExpressible`.
    approximates : frozenset of str
        Where the package's criterion is an approximation by random numbers, in the words of `FEATURES`. A hunt then
        holds its estimates to the model, and not its criterion.
    reasons : mapping of str to str
        Sentences that say why not, by the name of a kind of model, ``"glmm"``, or of a family.
    subtracts_offset : bool
        Whether the response of a linear model comes without its offset, for a package that takes none. A generalized
        model with an offset is then `NotExpressible`.
    """

    name: str
    package: str = ""
    requirement: str = ""
    lacks: frozenset[str] = frozenset()
    lacks_glmm: frozenset[str] = frozenset()
    approximates: frozenset[str] = frozenset()
    families: ClassVar[Mapping[str, Collection[str]]] = {}
    reasons: ClassVar[Mapping[str, str]] = {}
    subtracts_offset: bool = False
    capabilities: frozenset[str] = frozenset()

    def __init_subclass__(cls) -> None:
        """Check the words of a class, and add the capability that its families are."""
        if unknown := sorted((cls.lacks | cls.lacks_glmm | cls.approximates) - set(FEATURES)):
            raise InvalidArgument(f"{cls.__name__} lacks {unknown[0]!r}; expected are {', '.join(FEATURES)}.")
        for family, links in cls.families.items():
            for link in links:
                Family(family, link, 1.0 if family == "negative.binomial" else None)
        if cls.families:
            cls.capabilities |= {"glmm"}
        if cls.subtracts_offset:
            cls.lacks_glmm |= {"an offset"}

    def fit(self, spec: Spec) -> Fit:
        """Fit the model: see `lmerbridge.engines.Engine`.

        Raises
        ------
        SetupError
            The package is not installed.
        """
        refuse_kind(spec, self.name, self.capabilities, self.reasons)
        refuse_family(spec, self.name, self.families, self.reasons)
        refuse_lme4s(spec, self.name)
        refuse_structures(spec, self.name)
        linear = spec.kind.name == LINEAR
        model = Plain(spec, self.subtracts_offset and linear)
        for feature in sorted(self.lacks if linear else self.lacks | self.lacks_glmm):
            if FEATURES[feature](model):
                raise NotExpressible(f"{self.name} has no form for {feature}.")
        return fit_foreign(self.name, lambda: model.fit(self.name, self.package or self.name, self._estimate(model)))

    def is_approximate(self, spec: Spec) -> bool:
        """Whether the criterion of a model is an approximation by random numbers: see ``approximates``."""
        return bool(self.approximates) and any(FEATURES[feature](Plain(spec)) for feature in self.approximates)

    @abstractmethod
    def estimate(self, model: Plain) -> PlainEstimates:
        """Fit a linear model with the package, and say what it has found."""

    def estimate_glmm(self, model: Plain) -> PlainEstimates:
        """Fit a generalized model with the package, and say what it has found."""
        raise NotImplementedError(f"{type(self).__name__} has families, and no estimate_glmm() to fit them.")

    def _estimate(self, model: Plain) -> PlainEstimates:
        try:
            return self.estimate(model) if model.spec.kind.name == LINEAR else self.estimate_glmm(model)
        except ModuleNotFoundError as error:
            requirement = self.requirement or self.package or self.name
            raise SetupError(f"{error.name} is not installed; pip install '{requirement}' installs it.") from error


def _is_ordered(values: pd.Series) -> bool:
    return isinstance(values.dtype, pd.CategoricalDtype) and bool(values.dtype.ordered)
