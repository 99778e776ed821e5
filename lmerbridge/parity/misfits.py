"""Faults of an engine that fits another model than it was asked for, or stops elsewhere. None: no place for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize

from lmerbridge.parity.at_theta import fit_at_theta
from lmerbridge.parity.ground import Ground
from lmerbridge.parity.sparse import Objective
from lmerbridge.results import Array, Fit, covariance

FIRST_SLASH = re.compile(r"\(1 \| (\w+)/(\w+)\)")


def other_criterion(ground: Ground) -> Fit:
    """Fit by REML for ML, or by ML for REML."""
    return replace(ground.again(reml=not ground.spec.reml), reml=ground.spec.reml)


def row_dropped(ground: Ground) -> Fit:
    """Leave out a row that was to be used."""
    kept = np.ones(len(ground.spec.data), bool)
    kept[ground.fit.rows[0]] = False
    return ground.again(subset=kept)


def rows_doubled(ground: Ground) -> Fit:
    """Fit to every row twice."""
    return ground.again(data=pd.concat([ground.spec.data] * 2))


def level_moved(ground: Ground) -> Fit | None:
    """Take the last level for the first, under the first's names."""
    for name in _factors(ground):
        levels = ground.spec.data[name].cat
        moved = levels.reorder_categories([levels.categories[-1], *levels.categories[:-1]])
        if fit := ground.under_its_names(data=ground.with_column(name, moved)):
            return fit
    return None


def sum_contrasts(ground: Ground) -> Fit | None:
    """Code a factor by sums, under the names of its levels."""
    name = next(_factors(ground), None)
    return ground.under_its_names(contrasts={name: "contr.sum"}) if name else None


def _factors(ground: Ground) -> Iterator[str]:
    """Nominal factors of the fixed part that stand behind no bar."""
    formula, data = ground.fit.formula, ground.spec.data
    for name, dtype in data.dtypes.items():
        named = any(str(name) in term for term in ground.fit.terms)
        groups = re.search(rf"\|[^)]*\b{name}\b", formula)
        nominal = isinstance(dtype, pd.CategoricalDtype) and not dtype.ordered and len(dtype.categories) > 1
        if nominal and named and not groups:
            yield str(name)


def labels_permuted(ground: Ground) -> Fit | None:
    """Give the rows the labels of other rows."""
    (first, *_), data = ground.fit.varcorr.blocks, ground.spec.data
    if any(b.group not in data for b in ground.fit.varcorr):
        return None
    order = np.random.default_rng(1).permutation(len(data))
    permuted = pd.Series(data[first.group].array[order], data.index)
    return ground.again(data=ground.with_column(first.group, permuted))


def other_unit(ground: Ground) -> Fit | None:
    """Fit to the response in another unit."""
    response, data = ground.response, ground.spec.data
    return ground.again(data=ground.with_column(response, 1000 * data[response])) if response in data else None


def older_response(ground: Ground) -> Fit | None:
    """Tell the fit of an older response, and residuals of the new one."""
    if ground.response not in ground.spec.data:
        return None
    y = ground.spec.data[ground.response]
    older = y + ground.fit.sigma * np.random.default_rng(1).normal(size=len(y))
    stale = ground.again(data=ground.with_column(ground.response, older))
    residuals = ground.fit.fitted_values + ground.fit.residual_values - stale.fitted_values
    return replace(stale, residual_values=residuals, _design=None)


def covariate_centred(ground: Ground) -> Fit | None:
    """Centre a covariate that has slopes, under its own name."""
    (first, *others), terms = ground.fit.varcorr, ground.fit.terms
    slopes = [term for term in first.terms if term in terms and term in ground.spec.data]
    if others or not slopes or "(Intercept)" not in first.terms or f"({slopes[0]}" in "".join(terms):
        return None
    column = ground.spec.data[slopes[0]]
    used = column.iloc[ground.fit.rows]
    return ground.under_its_names(data=ground.with_column(slopes[0], column - used.mean()))


def intercept_dropped(ground: Ground) -> Fit | None:
    """Fit without the intercept that was asked for, where that is another space."""
    if "~ 0" in ground.fit.formula or not set(ground.fit.terms) - {"(Intercept)"}:
        return None
    fit = ground.again(formula=ground.spec.formula.replace("~", "~ 0 +", 1))
    return fit if len(fit.terms) < len(ground.fit.terms) else None


def nested_as_crossed(ground: Ground) -> Fit | None:
    """Read ``(1 | a/b)`` as if the labels of b meant the same in every a."""
    crossed = FIRST_SLASH.sub(r"(1 | \1) + (1 | \2)", ground.spec.formula)
    return None if crossed == ground.spec.formula else ground.again(formula=crossed)


def weights_ignored(ground: Ground) -> Fit | None:
    """Fit without the weights."""
    return ground.under_its_names(weights=None)


def weights_squared(ground: Ground) -> Fit | None:
    """Weight twice."""
    return ground.under_its_names(weights=_weights(ground) ** 2)


def weights_rescaled(ground: Ground) -> Fit | None:
    """Rescale the weights of the rows used to a mean of one."""
    weights = _weights(ground)
    return ground.under_its_names(weights=weights / weights[ground.fit.rows].mean())


def _weights(ground: Ground) -> Array:
    return np.asarray(ground.spec.weights, float)


def offset_ignored(ground: Ground) -> Fit | None:
    """Fit without the offset, and add it to nothing."""
    return ground.under_its_names(offset=None)


def saddle(ground: Ground) -> Fit | None:
    """Stop at the best answer without the first random effect, where no gradient tells that the criterion falls."""
    if ground.fit.singular:
        return None
    factors = covariance.split(np.ones(len(ground.fit.theta)), _widths(ground))
    factors[0][:, 0] = 0.0
    return _constrained(ground, covariance.join(factors) > 0)


def correlation_fixed(ground: Ground) -> Fit | None:
    """Stop at the best answer whose correlations are zero."""
    factors = [np.eye(width) for width in _widths(ground)]
    free = covariance.join(factors) > 0
    return None if free.all() else _constrained(ground, free)


def _widths(ground: Ground) -> tuple[int, ...]:
    return tuple(len(block.terms) for block in ground.fit.varcorr)


def _constrained(ground: Ground, free: NDArray[np.bool_]) -> Fit | None:
    """The best answer where what is not free is zero, None where it is no worse."""
    design, theta = ground.fit.design(), np.zeros(len(free))
    if design is None:
        return None
    objective = Objective(design, ground.fit.reml)

    def of_the_rest(part: Array) -> float:
        theta[free] = part
        return objective(theta)

    if free.any():
        theta[free] = minimize(of_the_rest, ground.fit.theta[free], method="Nelder-Mead", tol=1e-10).x
    found = fit_at_theta(ground.sound, design, theta, objective.at(theta))
    return found if found.criterion - ground.fit.criterion > 0.1 else None


def short_stop(ground: Ground) -> Fit | None:
    """Stop a little past the optimum."""
    design, theta = ground.fit.design(), 1.003 * ground.fit.theta
    if design is None:
        return None
    found = fit_at_theta(ground.sound, design, theta, Objective(design, ground.fit.reml).at(theta))
    return found if 1e-5 < found.criterion - ground.fit.criterion < 5e-3 else None
