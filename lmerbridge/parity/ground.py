"""A model to plant faults in."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any, cast

import numpy as np
import pandas as pd

from lmerbridge.engines import find
from lmerbridge.inputs import GlmerSpec, Spec
from lmerbridge.parity.cases import Case
from lmerbridge.parity.joint import Joint
from lmerbridge.results import Array, Design, Family, Fit

ENGINE = "planted"
SHIFT = 0.3  # of an offset, in units of the linear predictor


class Ground:
    """A model to plant faults in: its case, and lme4's fit of it."""

    def __init__(self, case: Case, spec: Spec | None = None) -> None:
        self.case, self.spec = case, spec or case.spec()
        self.shared: dict[str, Any] = {}

    @cached_property
    def fit(self) -> Fit:
        """lme4's fit: the reference."""
        return find(self.case.reference).fit(self.spec)

    @cached_property
    def sound(self) -> Fit:
        """The same fit as another engine would tell it, with nothing wrong."""
        return _as_another_engine(self.fit)

    @cached_property
    def weighted(self) -> Ground:
        """The same model with weights and an offset, which are of no meaning."""
        rows = len(self.spec.data)
        rng = np.random.default_rng(rows)
        weights, offset = rng.uniform(0.5, 3.0, rows), self.fit.sigma * rng.normal(size=rows)
        return Ground(self.case, replace(self.spec, weights=weights, offset=offset))

    @cached_property
    def moved(self) -> Ground | None:
        """The same model with an offset, which is of no meaning, where it has none."""
        if np.any(self.joint.design.offset):
            return None
        offset = SHIFT * np.random.default_rng(len(self.spec.data)).normal(size=len(self.spec.data))
        return Ground(self.case, replace(self.spec, offset=offset))

    @cached_property
    def counted(self) -> Ground | None:
        """The same model of counts with weights, which are of no meaning, and None of a binomial one's trials."""
        rows = len(self.spec.data)
        if self.spec.kind.family == "binomial":
            return None
        return Ground(self.case, replace(self.spec, weights=np.random.default_rng(rows).uniform(0.5, 3.0, rows)))

    @cached_property
    def by_probit(self) -> Ground | None:
        """The same binomial model with the link probit, for which Laplace's approximation has two definitions."""
        if not isinstance(self.spec, GlmerSpec) or self.spec.kind.family != "binomial":
            return None
        return Ground(self.case, replace(self.spec, family=Family("binomial", "probit")))

    @cached_property
    def joint(self) -> Joint:
        """The objective of a generalized model."""
        return Joint.of(self.fit, cast(Design, self.fit.design()))  # lme4 gives one

    @cached_property
    def by_reml(self) -> Ground:
        """The same model fitted by REML, whose criterion moves with the coding of the fixed part."""
        name = self.case.name.replace("/ML", "/REML")
        return self if self.spec.reml else Ground(replace(self.case, reml=True, name=name))

    @property
    def response(self) -> str:
        """The response as the formula writes it."""
        return self.fit.formula.partition(" ~")[0]

    def again(self, **changed: Any) -> Fit:  # noqa: ANN401  # what a Spec holds
        """Fit another specification with lme4."""
        return _as_another_engine(find(self.case.reference).fit(replace(self.spec, **changed)))

    def under_its_names(self, **changed: Any) -> Fit | None:  # noqa: ANN401  # what a Spec holds
        """Fit another specification and tell it as if it were this one, None where it has other fixed effects."""
        fit = self.again(**changed)
        same = len(fit.terms) == len(self.fit.terms)
        return replace(fit, formula=self.fit.formula, terms=self.fit.terms, _design=None) if same else None

    def with_column(self, name: str, values: pd.Series | Array) -> pd.DataFrame:
        """Return the data with one column replaced."""
        data: pd.DataFrame = self.spec.data.assign(**{name: values})
        return data


def _as_another_engine(fit: Fit) -> Fit:
    return replace(fit.numbers(), engine=ENGINE, _design=fit.design())
