"""The residual variance of a generalized model on the scale of its linear predictor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from math import log1p, pi

import numpy as np

from lmerbridge.inputs import GlmerSpec
from lmerbridge.models.change.update import update
from lmerbridge.models.extract import glmm, matrices
from lmerbridge.models.kept import KeptFit, once

SMALL = 6.0  # a mean count below which the variance of its logarithm is a rough one
LATENT: Mapping[tuple[str, str], float] = {  # of the threshold model, or by the delta method
    ("binomial", "logit"): pi**2 / 3,
    ("binomial", "probit"): 1.0,
    ("binomial", "cloglog"): pi**2 / 6,
    ("poisson", "sqrt"): 0.25,
}


COUNTS = frozenset([("poisson", "log"), ("negative.binomial", "log")])


def variance(fit: KeptFit) -> float:
    """Return the residual variance, of counts with the link log as of a log-normal: ``log(1 + variance / mean**2)``."""
    if (fit.kind.family, fit.kind.link) not in COUNTS:
        return LATENT[fit.kind.family, fit.kind.link]
    shape = glmm.family(fit).theta
    return log1p(1 / mean_count(fit) + (1 / shape if shape else 0))


@once
def mean_count(fit: KeptFit) -> float:
    """Return the mean that the model without predictors has where random effects and offset are zero.

    It is fitted to the same rows, and the shape of a negative binomial family held.
    """
    return float(np.exp(_null(fit).beta[0]))


def _null(fit: KeptFit) -> KeptFit:
    terms = matrices.model_terms(fit)
    if terms.intercept and not terms.labels:
        return fit
    given = {f.name: getattr(fit.spec, f.name) for f in fields(GlmerSpec) if f.init} | {"family": glmm.family(fit)}
    used = np.isin(np.arange(len(fit.index)), fit.rows)
    removed = "".join(f" - {label}" for label in terms.labels)
    return update(replace(fit, spec=GlmerSpec(**given)), f". ~ .{removed} + 1", subset=used, start=None)
