"""A fit as a model of the package marginaleffects: the methods that it asks a model for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
from marginaleffects.classes import ModelAbstract, ModelVault

from lmerbridge.bridge.wire import Factor, Logical, Value
from lmerbridge.errors import InvalidArgument
from lmerbridge.formula import Name, deparse, tree_names
from lmerbridge.models.kept import KeptFit
from lmerbridge.models.predict import rows
from lmerbridge.results import Array

RESERVED = {
    *("rowid", "type", "group", "term", "contrast", "statistic", "estimate", "std_error"),
    *("p_value", "s_value", "conf_low", "conf_high"),
}  # of its tables: no column is called so


class MarginalModel(ModelAbstract):  # type: ignore[misc]  # the package has no types
    """The fixed part of a fit, as marginaleffects takes a model."""

    def __init__(self, fit: KeptFit) -> None:
        if fit.spec.offset is not None:
            raise InvalidArgument(rows.OFFSET)
        formula = fit.spec.parsed
        names = list(dict.fromkeys([*tree_names(formula.response), *tree_names(formula.fixed)]))
        if taken := [name for name in names if name in RESERVED]:
            told = f"the formula uses {', '.join(map(repr, taken))}, which marginaleffects has in tables of its own"
            raise InvalidArgument(f"{told}; rename the column, and fit again.")
        texts = [deparse(Name(name)) for name in names]
        shown = [*names, *(name for name in formula.groups if name not in RESERVED)]
        columns = rows.columns_of_fit(fit)
        vault = ModelVault(
            coef=fit.beta,
            coefnames=np.array(fit.terms),
            formula=f"{texts[0]} ~ {' + '.join(texts[1:]) or 1}",  # it reads no bars; the design is R's
            modeldata=pl.DataFrame([_series(fit, name, columns[name]) for name in shown]),
            package="lmerbridge",
            variable_names=names,
        )
        super().__init__(fit, vault)

    def __repr__(self) -> str:
        return f"<model for marginaleffects of {self.model.formula}>"

    def find_predictors(self) -> list[str] | None:
        """Return the predictors, None for none: of no column at all it cannot look for missing values."""
        return super().find_predictors() or None

    def get_vcov(self, vcov: object = True) -> Array | None:
        """Return the covariance of the coefficients, None for none."""
        if isinstance(vcov, str) and vcov.casefold() == "kenward-roger":
            return np.array(self.model.vcov_kr())
        if isinstance(vcov, bool | None):
            return np.array(self.model.covariance) if vcov else None
        raise InvalidArgument(f"vcov is {vcov!r}; True, False, an array or 'Kenward-Roger' is expected.")

    def get_exog(self, newdata: pl.DataFrame) -> Array:
        """Return the design of rows, and beside it their offset."""
        frame = pd.DataFrame({name: newdata[name].to_list() for name in newdata.columns})
        x = self.model.fixed_design(frame).to_numpy()
        if not self.model.spec.parsed.terms.offsets:
            return np.column_stack([x, np.zeros(len(x))])
        whole = self.model.predict(frame, re_form="~0").to_numpy()
        return np.column_stack([x, whole - x @ self.model.beta])

    def get_predict(self, params: Array, newdata: Array) -> pl.DataFrame:
        """Return what coefficients predict of rows."""
        estimate = newdata[:, :-1] @ np.asarray(params) + newdata[:, -1]
        return pl.DataFrame({"rowid": pl.Series(range(len(estimate)), dtype=pl.Int32), "estimate": estimate})


def _series(fit: KeptFit, name: str, column: Value) -> pl.Series:
    """Return a column of the rows used: factors as enums of their levels, in R's order."""
    if isinstance(column, Factor):
        used = column.codes[fit.rows]
        levels = [label for code, label in enumerate(column.labels) if (used == code).any()]
        return pl.Series(name, [column.labels[code] for code in used], dtype=pl.Enum(levels))
    if isinstance(column, Logical):
        return pl.Series(name, column.codes[fit.rows].astype(bool))
    values = fit.spec.data[name].iloc[fit.rows]
    return pl.Series(name, values.to_list())
