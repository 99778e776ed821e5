"""A plugin of pytest: what every example in a docstring finds at hand."""

import pytest
from _pytest.doctest import DoctestItem

from lmerbridge import glmer, lmer, load_dataset
from tests.fits import fit_of


@pytest.fixture(autouse=True)
def at_hand(request, doctest_namespace):
    """Give the examples these names; a test that is none does not start R for it."""
    if isinstance(request.node, DoctestItem):
        fit = fit_of("Reaction ~ Days + (Days | Subject)", "sleepstudy")
        doctest_namespace.update(
            glmer=glmer, lmer=lmer, load_dataset=load_dataset, sleepstudy=load_dataset("sleepstudy"), fit=fit
        )
