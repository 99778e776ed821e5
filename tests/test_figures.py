"""The figures of the house stay within their limits."""

import pytest

from tests.figures import LIMITS, details, figures


@pytest.fixture(scope="module")
def found():
    return figures()


@pytest.mark.parametrize("name", LIMITS)
def test_a_figure_is_within_its_limit(found, name):
    assert found[name] <= LIMITS[name], "\n".join(details())
