"""Arguments that many verbs have: the words and the ranges of each, and a seed."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Ddf = Literal["lme4", "Satterthwaite", "Kenward-Roger"]
ApproximateDdf = Literal["Satterthwaite", "Kenward-Roger"]
SEEDS = 2**31  # R's are integers smaller than this
LIMITS: tuple[tuple[str, Callable[[Any], bool], str], ...] = (  # of numbers, by the argument's name in any function
    ("level conf_level", lambda x: 0 < x < 1, "a number between 0 and 1 is expected, such as 0.95"),
    ("alpha", lambda x: 0 < x < 1, "a number between 0 and 1 is expected, such as 0.05"),
    ("alpha_random alpha_fixed alpha_max", lambda x: 0 <= x <= 1, "a number from 0 to 1 is expected"),
    ("nsim maxfun groups per_group", lambda x: x >= 1, "a whole number of at least 1 is expected"),
    ("max_degree", lambda x: 1 <= x <= 5, "a whole number from 1 to 5 is expected"),
    ("max_points", lambda x: x >= 4, "a number from 4 is expected, since a spline takes four points"),
    ("sigma", lambda x: x >= 0, "a positive number, or 0, is expected"),
    ("dev_tol tol limit named", lambda x: x >= 0, "a number of at least 0 is expected"),
    ("tol_pwrss", lambda x: 0 < x < 1, "a number between 0 and 1 is expected, such as 1e-10"),
    ("delta delta_cutoff df edf", lambda x: x > 0, "a positive number is expected"),
    ("delta_var", lambda x: 0 < abs(x) < inf, "a finite number other than 0 is expected"),
    ("k null", lambda x: abs(x) < inf, "a finite number is expected"),
    ("base", lambda x: 0 < x < inf and x != 1, "a positive number other than 1 is expected"),
    ("seed", lambda x: abs(x) < SEEDS, "a whole number between -2**31 and 2**31 is expected"),
    ("jobs", lambda x: x != 0, "a number of processes, -1 for one per core, or None is expected"),
)
ANY: tuple[Callable[[Any], bool], str] = (lambda x: True, "")
RANGES = {name: (allowed, told) for names, allowed, told in LIMITS for name in names.split()}


def draw_seed(seed: int | None) -> int:
    """Return a seed for R, a drawn one where none is given."""
    return int(np.random.SeedSequence().generate_state(1)[0]) % SEEDS if seed is None else seed


def as_numbers(given: object) -> NDArray[np.float64]:
    """Return a value as an array of numbers, NaN alone where it holds anything else.

    Examples
    --------
    >>> as_numbers([1, 2]).tolist(), as_numbers(["a"]).tolist()
    ([1.0, 2.0], nan)
    """
    try:
        return np.asarray(given, np.float64)
    except (TypeError, ValueError, OverflowError):
        return np.array(np.nan)
