"""A refit of a model: the response and the weights it takes, and the model that R makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lmerbridge.bridge import Factor, Logical, Value, columns, host, lme4_version
from lmerbridge.errors import InvalidArgument, amount
from lmerbridge.formula import Call, Name, deparse, parse, tree_names
from lmerbridge.inputs import Spec
from lmerbridge.models.kept import KeptFit, keep_model, model_of
from lmerbridge.results import Array
from lmerbridge.setup import defects

DEFECT = "refit_reml"
ByRow: TypeAlias = Annotated[Sequence[float] | NDArray[Any] | pd.Series | pd.DataFrame, "see `response_by_row`"]


def new_response(fit: KeptFit, given: ByRow) -> Array:
    """Return a response per row of the frame: numbers, or successes and failures where the fit has ``cbind()``."""
    count = len(fit.spec.response_columns)
    if count == 1:
        return response_by_row(fit, "newresp", given)
    columns = given if isinstance(given, pd.DataFrame) else pd.DataFrame(np.asarray(given))
    if np.ndim(given) != 2 or columns.shape[1] != count:
        told = "two columns, of successes and failures, are expected, as the fit's response has"
        raise InvalidArgument(f"newresp has shape {np.shape(given)}; {told}.")
    indexed = isinstance(given, pd.DataFrame)
    parts = (columns.iloc[:, i] if indexed else columns.iloc[:, i].to_numpy() for i in range(count))
    return np.column_stack([response_by_row(fit, "newresp", part) for part in parts])


def response_by_row(fit: KeptFit, argument: str, given: ByRow) -> Array:
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
    values: Value = columns.encode_column(series.rename(argument), "response", fit.kind)
    if fit.kind.functions and isinstance(values, Logical | Factor) and not (values.codes < 0).any():
        values = values.codes.astype(float)  # 1 is the second level
    if not isinstance(values, np.ndarray) or np.isnan(values).any():
        raise InvalidArgument(f"{argument} has dtype {series.dtype}; numbers are expected, and none of them missing.")
    whole = np.full(len(fit.index), np.nan)
    whole[fit.rows] = values
    return whole


def _vector(argument: str, given: Any) -> Any:  # noqa: ANN401  # whatever has values in one row
    if np.ndim(given) != 1:
        raise InvalidArgument(f"{argument} has shape {np.shape(given)}; one value per row is expected.")
    return given


def with_response(
    spec: Spec, response: Array | None, weights: Array | None, rename: str | None
) -> tuple[Spec, tuple[str, ...]]:
    """Return the specification with other weights and another response, and the names of its columns, none without."""
    spec = spec if weights is None else replace(spec, weights=weights)
    if response is None:
        return spec, ()
    names, right = spec.response_columns, parse(spec.formula, spec.functions, spec.own_values).tree.args[1]
    if rename is not None:
        if len(names) > 1:
            raise InvalidArgument(f"rename_response is {rename!r}, and the response has two columns; leave it out.")
        names = (rename,)
    for name in names:
        if name in tree_names(right):
            told = "stands on the right of the formula too; use update(data=...)"
            raise InvalidArgument(f"the response {name!r} {told}.")
    data = spec.data.assign(**dict(zip(names, response.reshape(len(response), -1).T, strict=True)))
    columns.check_names(data, names)
    left = Name(names[0]) if len(names) == 1 else Call("cbind", tuple(map(Name, names)), (None, None))
    return replace(spec, formula=deparse(Call("~", (left, right))), data=data), names


def refit_model(fit: KeptFit, name: Sequence[str], response: Array | None, weights: Array | None) -> host.RModel:
    """Refit a fit's model, to a response of that name, or those, and with other weights where they are given."""
    of = model_of(fit)
    defect = DEFECT in (found.name for found in defects("lme4", lme4_version()))
    given: dict[str, Value] = {
        "of": of.handle,
        "name": list(name) or None,
        "response": None if response is None else response.ravel(order="F"),
        "weights": weights,
        "defect": defect,
    }
    return keep_model(fit.spec, "refit_model", **given)


def refit_model_ml(fit: KeptFit) -> host.RModel:
    """Refit a fit's model by maximum likelihood."""
    of = model_of(fit)
    return keep_model(fit.spec, "refit_model_ml", of=of.handle)
