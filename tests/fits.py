"""Fits that the tests and the examples share: a model is fitted once a session, and nobody changes a fit."""

from functools import cache

from lmerbridge import lmer, load_dataset


def fit_of(formula, dataset, package=None, *, reml=True):
    """Fit a model to a data set, or return the fit that there is."""
    return _fit(formula, dataset, package, reml)


@cache  # one key a model, however the arguments were given
def _fit(formula, dataset, package, reml):
    return lmer(formula, load_dataset(dataset, package), reml=reml)
