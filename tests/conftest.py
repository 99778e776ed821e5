"""What the tests share: data sets and fits, each made once."""

from functools import cache

import pytest

from lmerbridge import load_dataset
from lmerbridge.models.lmer import lmer


@pytest.fixture(scope="session")
def datasets():
    """Data sets by name and, if need be, package: ``datasets("Oxide", "nlme")``."""
    return load_dataset


@pytest.fixture(scope="session")
def sleepstudy(datasets):
    return datasets("sleepstudy")


@pytest.fixture(scope="session")
def fits(datasets):
    """Fits by formula, data set and criterion; a model is fitted once a session."""

    @cache
    def fit(formula, dataset, reml=True, package=None):
        return lmer(formula, datasets(dataset, package), reml=reml)

    return fit
