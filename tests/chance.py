"""What random tests draw: the same in every run, or, with ``HYPOTHESIS_PROFILE=explore``, something new."""

import os
import secrets

import numpy as np
from hypothesis import settings

EXPLORES = os.environ.get("HYPOTHESIS_PROFILE") == "explore"
MORE = 10 if EXPLORES else 1  # times as many examples
if EXPLORES:  # the processes of pytest-xdist and scripts inherit it
    os.environ.setdefault("EXPLORE_SEED", str(secrets.randbits(32)))

settings.register_profile("ci", derandomize=True, database=None, deadline=None)  # a deadline measures the machine
settings.register_profile("explore", max_examples=100 * MORE, deadline=None, print_blob=True)


def examples(count):
    """Have a test tried with so many examples, and with more where it explores."""
    return settings(max_examples=count * MORE)


def generator(seed):
    """Return numpy's generator of a seed; where the tests explore, of that and of one drawn for this run."""
    return np.random.default_rng([seed, int(os.environ["EXPLORE_SEED"])] if EXPLORES else seed)
