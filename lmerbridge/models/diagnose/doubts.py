"""What is doubtful of a generalized model that lme4 has fitted without a word."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lmerbridge.errors import (
    DispersionFamilyWarning,
    KnownDefectWarning,
    LmerBridgeWarning,
    SeparationWarning,
    amount,
)
from lmerbridge.models.kept import KeptFit
from lmerbridge.setup import Range

CERTAIN = 1e-8  # variance of a response of 0 or 1: the linear predictor of a logit is beyond 18
FEW = 0.01  # of the rows: some may be so by their random effects
DISPERSION = (
    "before lme4 2.1-0 sigma of {article} {name} model is not its dispersion, before 2.0-1 standard deviations of "
    "random effects are multiplied by it, and the likelihood is not that of others (lme4's issues 643, 852 and 936): "
    "fixed effects are sound, variances, AIC and the log-likelihood are not. glmmTMB of R fits such models by maximum "
    "likelihood."
)
UNCOMPILED = (
    "compDev = FALSE, comp_dev=False here, gives wrong estimates before lme4 2.0-6, which took one step of the inner "
    "iterations for another (its NEWS); leave it out."
)
MENDED = Range("2.0-6")
BY_MOMENTS = Range("2.1-0")  # which estimates a dispersion by moments, in the inner iterations too
SHAPE = (
    "lme4 counts the shape of the negative binomial family as a parameter though it is given, so npar is 1 and AIC 2 "
    "too large; glmer_nb() estimates it."
)
WEIGHTED_SHAPE = (
    "lme4's estimates of a negative binomial model with weights are wrong, its fixed effects among them: a model of "
    "the repeated rows has others. Repeat the rows in place of whole weights, or take a random effect per row with the "
    "family poisson; glmmTMB of R fits the weighted model."
)


def doubts(fit: KeptFit) -> Iterator[LmerBridgeWarning]:
    """Yield a warning for each reason to doubt a generalized model."""
    if fit.kind.scale(fit.sigma) and fit.provenance.version not in BY_MOMENTS:
        yield DispersionFamilyWarning(
            DISPERSION.format(name=fit.kind.family, article="an" if fit.kind.family[0] in "aeiou" else "a")
        )
    if fit.kind.family == "negative.binomial" and "theta" in fit.spec.particulars:  # which is given
        yield KnownDefectWarning(SHAPE)
    if fit.kind.family == "negative.binomial" and is_weighted(fit):
        yield KnownDefectWarning(WEIGHTED_SHAPE)
    if fit.spec.controls.get("compDev") is False and fit.provenance.version not in MENDED:
        yield KnownDefectWarning(UNCOMPILED)
    if fit.kind.family == "binomial" and (told := separation(fit)):
        yield SeparationWarning(told)


def is_weighted(fit: KeptFit) -> bool:
    """Return whether a row that was used has another weight than 1."""
    weights = fit.spec.per_row("weights")
    return weights is not None and bool((weights.to_numpy(float)[fit.rows] != 1).any())


def separation(fit: KeptFit) -> str:
    """Return what is told of a fit whose columns part the outcomes, "" of any other."""
    certain = int((fit.fitted_values * (1 - fit.fitted_values) < CERTAIN).sum())
    if certain < max(2, FEW * fit.nobs) or not len(fit.terms):
        return ""
    widest = int(np.argmax(np.nan_to_num(fit.std_errors)))
    estimate, error = fit.beta[widest], fit.std_errors[widest]
    term = f"{fit.terms[widest]!r} has the estimate {estimate:.3g} and the standard error {error:.3g}"
    return (
        f"the response is fitted as certain in {amount(certain, 'row')}: columns of the model part its outcomes, and "
        f"estimates run off until the optimizer stops; {term}. Leave such a term out, merge levels, or bring more data."
    )
