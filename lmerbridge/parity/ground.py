"""A model to plant faults in."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from lmerbridge.engines import find
from lmerbridge.inputs import Spec
from lmerbridge.parity.cases import Case
from lmerbridge.results import Array, Fit

ENGINE = "planted"


class Ground:
    """A model to plant faults in: its case, and lme4's fit of it."""

    def __init__(self, case: Case, spec: Spec | None = None) -> None:
        self.case, self.spec = case, spec or case.spec()

    @cached_property
    def fit(self) -> Fit:
        """lme4's fit: the reference."""
        return find("lme4").fit(self.spec)

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
        return _as_another_engine(find("lme4").fit(replace(self.spec, **changed)))

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
