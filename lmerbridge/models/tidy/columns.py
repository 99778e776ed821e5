"""The column of a fit in a table of several: its numbers by section, row and statistic."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import pandas as pd

from lmerbridge.inputs import Ddf
from lmerbridge.models.extract import variances
from lmerbridge.models.infer import anova
from lmerbridge.models.kept import KeptFit
from lmerbridge.models.tidy.tidy import Interval, Scale
from lmerbridge.results import CovarianceBlock, Fit, GlmNumbers, VarCorr

Key: TypeAlias = tuple[str, str, str]
FIXED, RANDOM, OF_FIT = SECTIONS = "Fixed effects", "Random effects", "Fit"
RESIDUAL, LEVELS, ESTIMATE = "residual", "levels of ", "estimate"
NAMES = {"sdcor": ("SD of", "Correlation of"), "vcov": ("Variance of", "Covariance of")}
GOODNESS: dict[str, Callable[[Fit], float]] = {  # what tells of a fit as a whole, a row each
    "N": lambda fit: fit.nobs,
    "REML": lambda fit: fit.reml,
    "logLik": lambda fit: float(fit.loglik),
    "AIC": lambda fit: fit.aic,
    "BIC": lambda fit: fit.bic,
}
EXPLAINED = ("ICC", "R2 marginal", "R2 conditional")


def column(fit: Fit, fixed: pd.DataFrame, statistics: Sequence[str], scales: Scale) -> dict[Key, float]:
    """Return the numbers of a fit, with the table of its fixed effects from `fixed_effects`."""
    shares = variances.explained(fit) if isinstance(fit, KeptFit) else (math.nan,) * len(EXPLAINED)
    own = {name: value for name, value in GOODNESS.items() if not (name == "REML" and isinstance(fit, GlmNumbers))}
    of_fit = {name: float(value(fit)) for name, value in own.items()} | dict(zip(EXPLAINED, shares, strict=True))
    levels = {f"{LEVELS}{modes.group}": float(len(modes.levels)) for modes in fit.modes}
    return {
        **{(FIXED, *key): value for key, value in _of_terms(fixed, statistics)},
        **{(RANDOM, name, ESTIMATE): value for name, value in _of_variances(fit.varcorr, scales)},
        **{(OF_FIT, name, "value"): value for name, value in {**of_fit, **levels}.items()},
    }


def rank(key: Key) -> tuple[int, int]:
    """Return what sorts rows: section by section, the residual last, and levels of groups behind the rows."""
    section, name, _ = key
    late = name.endswith(f" of {RESIDUAL}") if section == RANDOM else 2 * (section == OF_FIT and name != "N")
    return SECTIONS.index(section), int(late) - (section == OF_FIT and name.startswith(LEVELS))


def fixed_effects(fit: Fit, level: float, ddf: Ddf) -> pd.DataFrame:
    """Return the table of fixed effects with intervals, under names that are no two the same."""
    asked = ddf != "lme4" and not isinstance(fit, GlmNumbers)
    found = anova.summary(fit, ddf).coefficients if asked and isinstance(fit, KeptFit) else fit.coefficients
    return Interval(level, "Wald", 0, None).around(found.set_axis(_numbered(fit.terms), axis=0))


def _numbered(names: Sequence[str]) -> list[str]:
    before = [names[:i].count(name) for i, name in enumerate(names)]
    return [f"{name} ({count + 1})" if count else name for name, count in zip(names, before, strict=True)]


def _of_terms(fixed: pd.DataFrame, statistics: Sequence[str]) -> Iterator[tuple[tuple[str, str], float]]:
    for term in fixed.index:
        for name in (ESTIMATE, *statistics):
            for each in ("conf_low", "conf_high") if name == "conf_int" else (name,):
                if each in fixed.columns:  # models have t values or z values
                    yield (term, each), float(fixed.loc[term, each])


def _of_variances(varcorr: VarCorr, scales: Scale) -> Iterator[tuple[str, float]]:
    """Yield the random effects under names that two models share whatever lme4 calls their terms."""
    size, pair = NAMES[scales]
    for block in varcorr:
        group, values = _label(varcorr, block), block.covariance if scales == "vcov" else block.correlation
        sizes = block.covariance.diagonal() if scales == "vcov" else block.stddev
        for i, term in enumerate(block.terms):
            yield f"{size} {term} | {group}", float(sizes[i])
        for i, term in enumerate(block.terms):
            yield from (
                (f"{pair} {term}, {block.terms[j]} | {group}", float(values[j, i])) for j in range(i + 1, len(sizes))
            )
    if varcorr.has_residual:
        yield f"{size} {RESIDUAL}", varcorr.residual_sd ** (2 if scales == "vcov" else 1)


def _label(varcorr: VarCorr, block: CovarianceBlock) -> str:
    """Return the group, or lme4's numbered name where two terms of a group share a column."""
    return varcorr.names_in(block)[0].removesuffix(f".{block.terms[0]}")
