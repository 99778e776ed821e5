"""Faults planted on purpose: a referee that does not notice one of them is no referee.

Each fault is planted in lme4's own fit of a model, or made by fitting the wrong model, and judged as any engine's
answer is. It is caught where the verdict is the one it deserves, with its own words in the reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import minimize

from lmerbridge.engines import find
from lmerbridge.parity.at_theta import fit_at_theta
from lmerbridge.parity.cases import Case, suite
from lmerbridge.parity.judge import judge
from lmerbridge.parity.pair import Trial
from lmerbridge.parity.sparse import Objective
from lmerbridge.parity.tolerances import ToleranceProfile
from lmerbridge.parity.verdict import Comparison, Verdict
from lmerbridge.results import Array, CovarianceBlock, Fit, VarCorr, covariance

ENGINE = "planted"
MODELS = 5
FIRST_SLASH = re.compile(r"\(1 \| (\w+)/(\w+)\)")


class Ground:
    """A model to plant faults in: its case, and lme4's fit of it."""

    def __init__(self, case: Case) -> None:
        self.case, self.spec = case, case.spec()

    @cached_property
    def fit(self) -> Fit:
        """lme4's fit: the reference."""
        return find("lme4").fit(self.spec)

    @cached_property
    def sound(self) -> Fit:
        """The same fit as another engine would tell it, with nothing wrong."""
        return _as_another_engine(self.fit)

    def again(self, **changed: Any) -> Fit:  # noqa: ANN401  # what a Spec holds
        """Fit another specification with lme4."""
        return _as_another_engine(find("lme4").fit(replace(self.spec, **changed)))

    def with_column(self, name: str, values: pd.Series) -> Fit:
        """Fit with one column replaced."""
        return self.again(data=self.spec.data.assign(**{name: values}))


def _as_another_engine(fit: Fit) -> Fit:
    return replace(fit.numbers(), engine=ENGINE, _design=fit.design())


@dataclass(frozen=True)
class Fault:
    """Something an engine may do wrong.

    Attributes
    ----------
    name : str
    plant : callable
        Ground -> the fit that has the fault, or None where the model has no place for it.
    verdict : Verdict
        What it deserves.
    words : str
        What the reason must say.
    """

    name: str
    plant: Callable[[Ground], Fit | None]
    verdict: Verdict
    words: str


@dataclass(frozen=True, eq=False)
class Planting:
    """A fault, planted in one model and judged."""

    fault: Fault
    case: Case
    comparison: Comparison

    @property
    def caught(self) -> bool:
        """Whether the referee found it under its own name."""
        found = self.comparison
        blamed = found.worse == ENGINE if self.fault.verdict is Verdict.OTHER_OPTIMUM else True
        return found.verdict is self.fault.verdict and self.fault.words in found.reason and blamed


def plantings(profile: ToleranceProfile, models: int = MODELS) -> Iterator[Planting]:
    """Plant every fault in the first models of the suite that have a place for it, each on a data set of its own.

    Parameters
    ----------
    profile : ToleranceProfile
    models : int
        How many for each fault.

    Yields
    ------
    Planting
    """
    grounds = [Ground(case) for case in _one_a_model(suite())]
    for fault in FAULTS:
        found = (p for ground in grounds if (p := plant(fault, ground, profile)))
        yield from (p for p, _ in zip(found, range(models), strict=False))


def _one_a_model(cases: Sequence[Case]) -> Iterator[Case]:
    """Take each model once, by REML and by ML in turn."""
    once = {(case.dataset, case.formula): i for i, case in reversed(list(enumerate(cases[::2])))}
    for i in sorted(once.values()):
        yield cases[2 * i + i % 2]


def plant(fault: Fault, ground: Ground, profile: ToleranceProfile) -> Planting | None:
    """Plant a fault in a model and judge it.

    The result is None where the model has no place for the fault.
    """
    fit = fault.plant(ground)
    if fit is None:
        return None
    return Planting(fault, ground.case, judge(Trial(ground.fit, fit, ("lme4", ENGINE), profile)))


def _other_criterion(ground: Ground) -> Fit:
    return replace(ground.again(reml=not ground.spec.reml), reml=ground.spec.reml)


def _row_dropped(ground: Ground) -> Fit:
    kept = np.ones(len(ground.spec.data), bool)
    kept[ground.fit.rows[0]] = False
    return ground.again(subset=kept)


def _level_moved(ground: Ground) -> Fit | None:
    """The last level for the first, under the first's names."""
    formula, data = ground.fit.formula, ground.spec.data
    for name, dtype in data.dtypes.items():
        named = any(str(name) in term for term in ground.fit.terms)
        groups = re.search(rf"\|[^)]*\b{name}\b", formula)
        nominal = isinstance(dtype, pd.CategoricalDtype) and not dtype.ordered and len(dtype.categories) > 1
        if nominal and named and not groups:
            order = [dtype.categories[-1], *dtype.categories[:-1]]
            moved = ground.with_column(str(name), data[name].cat.reorder_categories(order))
            if len(moved.terms) == len(ground.fit.terms):
                return replace(moved, terms=ground.fit.terms, _design=None)
    return None


def _labels_permuted(ground: Ground) -> Fit | None:
    (first, *_), data = ground.fit.varcorr.blocks, ground.spec.data
    if any(b.group not in data for b in ground.fit.varcorr):
        return None
    order = np.random.default_rng(1).permutation(len(data))
    return ground.with_column(first.group, pd.Series(data[first.group].array[order], data.index))


def _other_unit(ground: Ground) -> Fit | None:
    response = ground.fit.formula.partition(" ~")[0]
    return ground.with_column(response, 1000 * ground.spec.data[response]) if response in ground.spec.data else None


def _errors_too_wide(ground: Ground) -> Fit:
    return replace(ground.sound, covariance=1.01**2 * ground.sound.covariance)


def _blocks(fit: Fit, change: Callable[[CovarianceBlock], CovarianceBlock]) -> Fit:
    return replace(fit, varcorr=VarCorr(tuple(map(change, fit.varcorr)), fit.sigma))


def _sd_as_variance(ground: Ground) -> Fit | None:
    if all(np.allclose(b.stddev**2, b.stddev, rtol=1e-3) for b in ground.fit.varcorr):  # as where it is zero
        return None
    return _blocks(ground.sound, lambda b: replace(b, stddev=b.stddev**2))


def _sign_flipped(ground: Ground) -> Fit | None:
    """The sign of one correlation turned, its covariance with it, as in a wrong transposition."""
    widest = max(ground.fit.varcorr, key=lambda b: len(b.terms))
    if ground.fit.singular or len(widest.terms) == 1:
        return None
    flip = np.where(np.arange(len(widest.terms)) == 1, -1.0, 1.0)
    signs = np.outer(flip, flip)
    turned = replace(widest, covariance=signs * widest.covariance, correlation=signs * widest.correlation)
    return _blocks(ground.sound, lambda b: turned if b is widest else b)


def _saddle(ground: Ground) -> Fit | None:
    """The best answer without the first random effect: no gradient tells that the criterion falls from there."""
    fit, design = ground.fit, ground.fit.design()
    if fit.singular or design is None:
        return None
    factors = covariance.split(np.ones(len(fit.theta)), design.widths)
    factors[0][:, 0] = 0.0
    free = covariance.join(factors) > 0
    objective = Objective(design, fit.reml)

    theta = np.zeros(len(free))

    def of_the_rest(part: Array) -> float:
        theta[free] = part
        return objective(theta)

    if free.any():
        theta[free] = minimize(of_the_rest, fit.theta[free], method="Nelder-Mead", tol=1e-10).x
    found = fit_at_theta(ground.sound, design, theta, objective.at(theta))
    return found if found.criterion - fit.criterion > 0.1 else None


def three_digits(values: Array) -> Array:
    """Round to three significant digits, as a table in a paper has.

    Examples
    --------
    >>> three_digits(np.array([251.405, 0.0104673, 0.0]))
    array([2.51e+02, 1.05e-02, 0.00e+00])
    """
    return np.array([float(f"{value:.3g}") for value in np.ravel(values)]).reshape(np.shape(values))


def _three_digits(ground: Ground) -> Fit | None:
    fit = ground.sound
    rounded = replace(fit, beta=three_digits(fit.beta), covariance=three_digits(fit.covariance))
    return None if np.allclose(rounded.beta, fit.beta, rtol=1e-6) else rounded


def _nested_as_crossed(ground: Ground) -> Fit | None:
    """``(1 | a/b)`` read as if the labels of b meant the same in every a."""
    crossed = FIRST_SLASH.sub(r"(1 | \1) + (1 | \2)", ground.spec.formula)
    return None if crossed == ground.spec.formula else ground.again(formula=crossed)


def _not_a_number(ground: Ground) -> Fit:
    beta = ground.sound.beta.copy()
    beta[-1] = np.nan
    return replace(ground.sound, beta=beta)


FAULTS = (
    Fault("REML for ML, or ML for REML", _other_criterion, Verdict.OTHER_OBJECTIVE, "the difference is that of"),
    Fault("one row dropped", _row_dropped, Verdict.SPEC_MISMATCH, "1 rows only lme4 used"),
    Fault("a reference level moved", _level_moved, Verdict.UNEXPLAINED, "fixed effects"),
    Fault("group labels permuted", _labels_permuted, Verdict.SPEC_MISMATCH, "rows belong to other levels"),
    Fault("the response times 1000", _other_unit, Verdict.SPEC_MISMATCH, "rows differ in the response"),
    Fault("standard errors times 1.01", _errors_too_wide, Verdict.UNEXPLAINED, "standard errors"),
    Fault("an SD reported as a variance", _sd_as_variance, Verdict.UNEXPLAINED, "variances or correlations"),
    Fault("a correlation's sign flipped", _sign_flipped, Verdict.UNEXPLAINED, "variances or correlations"),
    Fault("theta at a saddle", _saddle, Verdict.OTHER_OPTIMUM, "planted stopped"),
    Fault("numbers rounded to three digits", _three_digits, Verdict.UNEXPLAINED, "fixed effects"),
    Fault("nested read as crossed", _nested_as_crossed, Verdict.SPEC_MISMATCH, "Not the same model"),
    Fault("a NaN", _not_a_number, Verdict.UNEXPLAINED, "fixed effects"),
)
