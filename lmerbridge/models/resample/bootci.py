"""Confidence intervals from bootstrap replicates, as R's package boot computes them."""

from __future__ import annotations

from typing import Literal

import numpy as np

from lmerbridge.bridge import notices
from lmerbridge.errors import RWarning, amount
from lmerbridge.results import Array

Interval = Literal["perc", "basic", "norm"]
EXTREME = "extreme order statistics used as endpoints"


def interval(t0: float, t: Array, level: float, type: Interval) -> tuple[float, float]:
    """Return the interval of one statistic, NaN where the replicates are all alike: ``boot::boot.ci``.

    Examples
    --------
    >>> interval(5.0, np.arange(1.0, 20.0), 0.9, "perc")
    (1.0, 19.0)
    """
    from scipy.special import ndtri  # slow to load

    t = t[np.isfinite(t)]
    mean = float(np.mean(t)) if len(t) > 1 else np.nan
    if len(t) < 2 or np.all(np.abs(t - mean) < min(1e-8, mean / 1e6)):  # boot's own measure
        return np.nan, np.nan
    if type == "norm":
        centre = 2 * t0 - mean
        half = float(np.std(t, ddof=1) * ndtri((1 + level) / 2))
        return centre - half, centre + half
    low, high = (quantile(t, (1 + sign * level) / 2) for sign in (-1, 1))
    if type == "perc":
        return low, high
    return 2 * t0 - high, 2 * t0 - low


def quantile(t: Array, alpha: float) -> float:
    """Interpolate between order statistics on the normal scale (Davison and Hinkley 1997, equation 5.8)."""
    from scipy.special import ndtri  # slow to load

    n = len(t)
    rank = (n + 1) * alpha
    if not 1 < rank < n:
        few = f"{amount(n, 'replicate')} {'is' if n == 1 else 'are'} too few for the level"
        notices.give([RWarning(f"{EXTREME}: {few}")])
    ordered, k = np.sort(t), int(rank)
    if k == 0 or k == n:
        return float(ordered[k and n - 1])
    below, above = float(ordered[k - 1]), float(ordered[k])
    if k == rank:
        return below
    at, left, right = ndtri([alpha, k / (n + 1), (k + 1) / (n + 1)])
    return below + float((at - left) / (right - left)) * (above - below)
