"""What tests draw, and how much: a fifth of it on each push, all of it at night, where they also draw something new."""

import os
import secrets

import numpy as np
from hypothesis import settings

PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "push")
EXPLORES = PROFILE == "explore"
FULL = PROFILE != "push"
SHARE = 5  # of what the full tests draw, what those of a push draw is one part
MORE = 10 if EXPLORES else 1  # times as many examples
if EXPLORES:  # the processes of pytest-xdist and scripts inherit it
    os.environ.setdefault("EXPLORE_SEED", str(secrets.randbits(32)))

SAME = {"derandomize": True, "database": None, "deadline": None}  # a deadline measures the machine
settings.register_profile("push", max_examples=100 // SHARE, **SAME)
settings.register_profile("full", max_examples=100, **SAME)
settings.register_profile("explore", max_examples=100 * MORE, deadline=None, print_blob=True)


def amount(count):
    """Return how many of so many things a test is to draw or make."""
    return count if FULL else -(-count // SHARE)


def examples(count):
    """Have a test tried with so many examples, with more where it explores, and with a fifth of them on a push."""
    return settings(max_examples=amount(count) * MORE)


def some(cases):
    """Return all cases, or on a push every fifth, the same ones each time."""
    return [*cases] if FULL else [*cases][::SHARE]


def generator(seed):
    """Return numpy's generator of a seed; where the tests explore, of that and of one drawn for this run."""
    return np.random.default_rng([seed, int(os.environ["EXPLORE_SEED"])] if EXPLORES else seed)
