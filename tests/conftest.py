"""What the tests share: data sets, fits, and how random tests draw."""

import os
import signal

import pytest
from hypothesis import settings

from lmerbridge import load_dataset
from tests import chance
from tests.fits import fit_of

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell has it for what runs in its background
    signal.signal(signal.SIGINT, signal.default_int_handler)
settings.load_profile(chance.PROFILE)


def pytest_terminal_summary(terminalreporter):
    """Say, where a random test failed, how it is drawn again."""
    if chance.EXPLORES and terminalreporter.stats.get("failed"):
        seed = os.environ["EXPLORE_SEED"]
        terminalreporter.write_line(f"Drawn with HYPOTHESIS_PROFILE=explore EXPLORE_SEED={seed}")


@pytest.fixture(scope="session")
def datasets():
    """Data sets by name and, if need be, package: ``datasets("Oxide", "nlme")``."""
    return load_dataset


@pytest.fixture(scope="session")
def sleepstudy(datasets):
    return datasets("sleepstudy")


@pytest.fixture(scope="session")
def fits():
    """Fits by formula and data set, each made once: see `tests.fits`."""
    return fit_of
