"""Checks of arguments that many verbs have, each with one error."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any, Literal, get_args

import numpy as np

from lmerbridge.errors import InvalidArgument

Ddf = Literal["lme4", "Satterthwaite", "Kenward-Roger"]
ApproximateDdf = Literal["Satterthwaite", "Kenward-Roger"]
SEEDS = 2**31  # R's are integers smaller than this
LIMITS: tuple[tuple[str, Callable[[Any], bool], str], ...] = (  # of numbers, by the argument's name in any function
    ("level conf_level", lambda x: 0 < x < 1, "a number between 0 and 1 is expected, such as 0.95"),
    ("alpha_random alpha_fixed alpha_max", lambda x: 0 <= x <= 1, "a number from 0 to 1 is expected"),
    ("nsim maxfun groups per_group", lambda x: x >= 1, "a whole number of at least 1 is expected"),
    ("sigma", lambda x: x >= 0, "a positive number, or 0, is expected"),
    ("dev_tol tol limit named", lambda x: x >= 0, "a number of at least 0 is expected"),
    ("delta delta_cutoff edf", lambda x: x > 0, "a positive number is expected"),
    ("delta_var", lambda x: 0 < abs(x) < inf, "a finite number other than 0 is expected"),
    ("k null", lambda x: abs(x) < inf, "a finite number is expected"),
    ("base", lambda x: 0 < x < inf and x != 1, "a positive number other than 1 is expected"),
    ("seed", lambda x: abs(x) < SEEDS, "a whole number between -2**31 and 2**31 is expected"),
    ("jobs", lambda x: x != 0, "a number of processes, -1 for one per core, or None is expected"),
)
RANGES = {name: (allowed, told) for names, allowed, told in LIMITS for name in names.split()}


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
