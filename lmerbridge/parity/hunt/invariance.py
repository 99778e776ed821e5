"""Changes of the data that change an answer in a known way: what needs no second engine."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from lmerbridge.inputs import Spec
from lmerbridge.results import Fit

FACTOR = 1000.0  # grams for kilograms; whole numbers stay whole
DEVIANCE = 0.1  # units between two answers that are more than two stops near one optimum
NEAR = 1e-4  # deviance units within which two answers are one stop, whose numbers are then compared
LIMIT = 0.05  # standard errors, or relative; two stops that 1e-4 parts leave 0.02 standard errors between estimates


@dataclass(frozen=True, eq=False)
class Invariance:
    """A change of a model's data.

    Attributes
    ----------
    words : str
        What is done.
    applies : function of a Spec
    apply : function of a Spec and a generator
        The changed model.
    response, covariate, weight : float
        What the response, x, and the weights are times in it.
    """

    words: str
    applies: Callable[[Spec], bool]
    apply: Callable[[Spec, np.random.Generator], Spec]
    response: float = 1.0
    covariate: float = 1.0
    weight: float = 1.0

    def __call__(self, spec: Spec) -> Spec:
        """Return the changed model, the same each time."""
        return self.apply(spec, np.random.default_rng(1))

    def differences(self, before: Fit, after: Fit) -> dict[str, float]:
        """Say in which quantities an answer is not what the change makes of another.

        A criterion that lacks the sum of log weights is no difference: weighted models show that by themselves.

        Returns
        -------
        dict of str to float
            ``criterion`` in deviance units alone, where the answers are two stops; else ``beta`` in standard errors,
            and ``se`` and ``sigma`` relative. It is empty where all that may be compared is the same.
        """
        moved = after.criterion - before.criterion - self.shift(before)
        apart = min(abs(moved), abs(moved - before.nobs * math.log(self.weight)))  # a sum of log weights left out
        if not apart <= DEVIANCE:
            return {"criterion": apart}
        if not apart <= NEAR or set(before.terms) != set(after.terms):
            return {}
        units = np.array([self.unit(term) for term in before.terms])
        order = [after.terms.index(term) for term in before.terms]
        beta, se = after.beta[order] / units, after.std_errors[order] / units
        slopes = np.array([term != "(Intercept)" for term in before.terms])  # a shift of y moves the intercept alone
        sigma = self.response * math.sqrt(self.weight)
        sizes = {
            "beta": np.abs(beta - before.beta)[slopes] / before.std_errors[slopes],
            "se": np.abs(se / before.std_errors - 1),
            "sigma": np.abs(np.array([after.sigma / sigma / before.sigma - 1])),
        }
        largest = {what: float(np.max(size, initial=0.0)) for what, size in sizes.items()}
        return {what: size for what, size in largest.items() if not size <= LIMIT}

    def unit(self, term: str) -> float:
        """What the effect of a term is times in the changed model."""
        return self.response / self.covariate ** term.split(":").count("x")

    def shift(self, before: Fit) -> float:
        """What the change adds to the criterion."""
        if not before.kind.linear:
            return 0.0
        squares = before.nobs - before.reml * len(before.terms)
        columns = sum(term.split(":").count("x") for term in before.terms)
        return 2 * squares * math.log(self.response) + 2 * before.reml * columns * math.log(self.covariate)


def _linear(spec: Spec) -> bool:
    return spec.kind.linear


def _has_intercept(spec: Spec) -> bool:
    return spec.kind.linear and spec.parsed.terms.intercept


def _any(spec: Spec) -> bool:
    return True


def _with(spec: Spec, **columns: pd.Series) -> Spec:
    return replace(spec, data=spec.data.assign(**columns))


def _rescale_y(spec: Spec, rng: np.random.Generator) -> Spec:
    offset = {name: FACTOR * spec.data[name] for name in (spec.offset,) if isinstance(name, str)}
    return _with(spec, y=FACTOR * spec.data["y"], **offset)


def _shift_y(spec: Spec, rng: np.random.Generator) -> Spec:
    size = 10.0 ** (math.floor(math.log10(float(spec.data["y"].std()))) + 3)
    return _with(spec, y=spec.data["y"] + size)


def _relabel(spec: Spec, rng: np.random.Generator) -> Spec:
    found = {}
    for name in {"g", "h"} & {*spec.data}:
        levels = spec.data[name].unique()
        found[name] = spec.data[name].map(dict(zip(levels, rng.permutation(levels), strict=True)))
    return _with(spec, **found)


def _permute_rows(spec: Spec, rng: np.random.Generator) -> Spec:
    return replace(spec, data=spec.data.iloc[rng.permutation(len(spec.data))].reset_index(drop=True))


def _double_weights(spec: Spec, rng: np.random.Generator) -> Spec:
    weights = spec.data[spec.weights] if isinstance(spec.weights, str) else pd.Series(1.0, spec.data.index)
    return replace(spec, data=spec.data.assign(w=2 * weights), weights="w")


CHANGES: Mapping[str, Invariance] = {
    "rescale_x": Invariance(
        "x is multiplied by 1000",
        lambda spec: "x" in spec.data,
        lambda spec, rng: _with(spec, x=FACTOR * spec.data["x"]),
        covariate=FACTOR,
    ),
    "rescale_y": Invariance("y is multiplied by 1000", _linear, _rescale_y, response=FACTOR),
    "shift_y": Invariance("a constant of some thousand standard deviations is added to y", _has_intercept, _shift_y),
    "relabel": Invariance("the levels of the grouping factors swap their names", _any, _relabel),
    "permute_rows": Invariance("the rows are put in another order", _any, _permute_rows),
    "double_weights": Invariance("every weight is doubled", _linear, _double_weights, weight=2.0),
}
