"""Small random-slope designs with few rows a group and a badly scaled x: where optimizers lose their way."""

import numpy as np
import pandas as pd

FORMULA = "y ~ x + (x | g)"


def design(seed):
    rng = np.random.default_rng(seed)
    groups, rows = int(rng.integers(6, 16)), int(rng.integers(3, 6))
    scale, shift = 10.0 ** rng.uniform(-2, 4), rng.uniform(0, 3)
    g = np.repeat(np.arange(groups), rows)
    x = (shift + rng.normal(size=len(g))) * scale
    intercepts = rng.normal(0, rng.uniform(0.2, 3), groups)
    slopes = rng.normal(0, rng.uniform(0, 2), groups) / scale
    y = 1 + x / scale + intercepts[g] + slopes[g] * x + rng.normal(size=len(g))
    return pd.DataFrame({"y": y, "x": x, "g": [f"g{i:02d}" for i in g]})


def uneven(seed):
    """Few groups of unequal size, some of two rows: variances near zero and correlations near one are common."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(2, 11, int(rng.integers(4, 21)))
    g = np.repeat(np.arange(len(sizes)), sizes)
    x = rng.normal(size=len(g)) * 10 ** rng.uniform(-1, 2)
    sds, rho = 10 ** rng.uniform(-2, 1, 2), rng.uniform(-0.99, 0.99)
    first, second = rng.normal(size=(2, len(sizes)))
    slopes = sds[1] * (rho * first + np.sqrt(1 - rho**2) * second)
    y = 1 + 0.5 * x + sds[0] * first[g] + slopes[g] * x + rng.normal(size=len(g))
    return pd.DataFrame({"y": y, "x": x, "g": [f"g{i:02d}" for i in g]})
