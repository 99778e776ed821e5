"""A refit of a model: the response and the weights it takes, and the model that R makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lmerbridge.bridge import Value, columns, host, lme4_version
from lmerbridge.errors import InvalidArgument, amount
from lmerbridge.formula import Call, Name, deparse, parse, tree_names
from lmerbridge.inputs import Spec
from lmerbridge.models.kept import KeptFit, keep_model, model_of
from lmerbridge.results import Array
from lmerbridge.setup import defects

DEFECT = "refit_reml"


def response_by_row(fit: KeptFit, argument: str, given: Sequence[float] | NDArray[Any] | pd.Series) -> Array:
    """Return one number per row of the frame, NaN for a row that the fit does not use."""
    used = fit.index.take(fit.rows)
    series = given if isinstance(given, pd.Series) else pd.Series(_vector(argument, given))
    if len(series) == len(fit.index) and (series is not given or series.index.equals(fit.index)):
        series = series.iloc[fit.rows]
    elif isinstance(given, pd.Series) and not series.index.equals(used):
        if not (series.index.is_unique and used.isin(series.index).all()):
            raise InvalidArgument(
                f"{argument} is a Series whose index lacks rows that the fit uses; see fit.fitted.index."
            )
        series = series.reindex(used)
    if len(series) != fit.nobs:
        expected = f"the {fit.nobs} rows used, or of the {len(fit.index)} of the frame"
        raise InvalidArgument(
            f"{argument} has {amount(len(series), 'value')}; one for each of {expected}, is expected."
        )
    values = columns.encode_column(series.rename(argument), "response")
    if not isinstance(values, np.ndarray) or np.isnan(values).any():
        raise InvalidArgument(f"{argument} has dtype {series.dtype}; numbers are expected, and none of them missing.")
    whole = np.full(len(fit.index), np.nan)
    whole[fit.rows] = values
    return whole


def _vector(argument: str, given: Sequence[float] | NDArray[Any]) -> Sequence[float] | NDArray[Any]:
    if np.ndim(given) != 1:
        raise InvalidArgument(f"{argument} has shape {np.shape(given)}; one value per row is expected.")
    return given


def with_response(
    spec: Spec, response: Array | None, weights: Array | None, rename: str | None
) -> tuple[Spec, str | None]:
    """Return the specification with other weights and another response, and the name it has there, None without one."""
    spec = spec if weights is None else replace(spec, weights=weights)
    if response is None:
        return spec, None
    formula = parse(spec.formula, tuple(spec.allow), spec.own_values)
    own = formula.response.name if isinstance(formula.response, Name) else deparse(formula.response)
    name = own if rename is None else rename
    right = formula.tree.args[1]
    if name in tree_names(right):
        raise InvalidArgument(f"the response {name!r} stands on the right of the formula too; use update(data=...).")
    data = spec.data.assign(**{name: response})
    columns.check_names(data, [name])
    text = deparse(Call("~", (Name(name), right)))
    return replace(spec, formula=text, data=data), name


def refit_model(fit: KeptFit, name: str | None, response: Array | None, weights: Array | None) -> host.RModel:
    """Refit a fit's model, to a response of that name and with other weights where they are given."""
    of = model_of(fit)
    defect = DEFECT in (found.name for found in defects("lme4", lme4_version()))
    given: dict[str, Value] = {
        "of": of.handle,
        "name": name,
        "response": response,
        "weights": weights,
        "defect": defect,
    }
    return keep_model(fit.spec, "refit_model", **given)


def refit_model_ml(fit: KeptFit) -> host.RModel:
    """Refit a fit's model by maximum likelihood."""
    of = model_of(fit)
    return keep_model(fit.spec, "refit_model_ml", of=of.handle)
