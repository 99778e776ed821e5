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
