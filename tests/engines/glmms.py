"""Generalized models that several tests fit with every engine: a model is fitted once a session by each."""

from functools import cache

from lmerbridge import load_dataset
from lmerbridge.engines import find, fit_with
from lmerbridge.inputs import GlmerSpec
from lmerbridge.inputs.glmerspec import GlmerNbSpec

HERDS = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
TICKS = "TICKS ~ YEAR + scale(HEIGHT) + (1 | BROOD)"
MODELS = {  # name: data set, formula, and the other arguments
    "logit": ("cbpp", HERDS, {"family": "binomial"}),
    "probit": ("cbpp", HERDS, {"family": "binomial(probit)"}),
    "cloglog": ("cbpp", HERDS, {"family": "binomial(cloglog)"}),
    "ticks": ("grouseticks", f"{TICKS} + (1 | INDEX) + (1 | LOCATION)", {"family": "poisson"}),
    "shape": ("grouseticks", TICKS, {"family": "negative.binomial(3.3064)"}),
    "estimated shape": ("grouseticks", TICKS, {}),
    "gamma": ("sleepstudy", "Reaction ~ Days + (1 | Subject)", {"family": "Gamma(log)"}),
    "nine nodes": ("cbpp", HERDS, {"family": "binomial", "n_agq": 9}),
    "no node": ("cbpp", HERDS, {"family": "binomial", "n_agq": 0}),
}


@cache
def spec_of(model):
    """The specification of one of the models."""
    dataset, formula, given = MODELS[model]
    kind = GlmerSpec if given else GlmerNbSpec
    return kind(formula=formula, data=load_dataset(dataset), **given)


@cache
def fit_of(model, engine):
    """The fit of one of the models by an engine."""
    return fit_with(find(engine), spec_of(model))
