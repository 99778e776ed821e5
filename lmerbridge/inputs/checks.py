"""Checks of arguments that many verbs have, each with one error."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from lmerbridge.errors import InvalidArgument

Ddf = Literal["lme4", "Satterthwaite", "Kenward-Roger"]
ApproximateDdf = Literal["Satterthwaite", "Kenward-Roger"]
SEEDS = 2**31  # R's are integers smaller than this


def check_level(level: object) -> float:
    """Return a level of confidence."""
    if not (isinstance(level, int | float) and 0 < level < 1):
        raise InvalidArgument(f"level is {level!r}; a number between 0 and 1 is expected, such as 0.95.")
    return float(level)


def check_count(nsim: object) -> int:
    """Check a number of simulations, and return it as an int."""
    if not isinstance(nsim, int | np.integer) or isinstance(nsim, bool) or nsim < 1:
        raise InvalidArgument(f"nsim is {nsim!r}; a whole number of at least 1 is expected.")
    return int(nsim)


def check_seed(seed: object) -> int:
    """Check a seed for R, and draw one where there is none."""
    if seed is None:
        return int(np.random.SeedSequence().generate_state(1)[0]) % SEEDS
    if not isinstance(seed, int | np.integer) or isinstance(seed, bool) or abs(int(seed)) >= SEEDS:
        raise InvalidArgument(f"seed is {seed!r}; a whole number between -2**31 and 2**31 is expected.")
    return int(seed)


def check_ddf(ddf: object, kind: object = Ddf) -> None:
    """Check that a method for the denominator degrees of freedom is one of ``kind``."""
    if ddf not in get_args(kind):
        known = ", ".join(map(repr, get_args(kind)))
        raise InvalidArgument(f"ddf is {ddf!r}; one of {known} is expected.")
