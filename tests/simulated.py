"""Small designs with few rows a group, linear and generalized: where optimizers lose their way."""

import numpy as np
import pandas as pd

from lmerbridge.inputs import GlmerSpec, Spec

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


KINDS = {  # of ten kinds each its model
    "weights": "y ~ x + (x | g)",
    "two rows a group": "y ~ x + (1 | g)",
    "near singular": "y ~ x + (x | g)",
    "nested": "y ~ x + (1 | a/g)",
    "crossed": "y ~ x + (x | g) + (1 | h)",
    "units": "y ~ x + (x | g)",
    "large mean": "y ~ x + (x | g)",
    "three bars": "y ~ x + (1 | g) + (1 | h) + (1 | k)",
    "uncorrelated": "y ~ x + (x || g)",
    "factor slopes": "y ~ f + (f | g)",
}


def of_kind(kind, seed):
    """A model of one of ten kinds and its data, by REML and ML in turn."""
    rng = np.random.default_rng([list(KINDS).index(kind), seed])
    sizes = rng.integers(4, 11, int(rng.integers(6, 21)))
    g = np.repeat(np.arange(len(sizes)), 2 if kind == "two rows a group" else sizes)
    f, x = np.arange(len(g)) % 3, rng.normal(size=len(g))
    sds = 10 ** rng.uniform(-1, 1, 3) * (1.0, 1e-3 if kind == "near singular" else 0.3, 0.3)
    effects = sds[:, None] * rng.normal(size=(3, len(sizes)))
    y = 1 + rng.normal(size=len(g)) + effects[0][g]
    y += np.choose(f, [0 * g, effects[1][g], effects[2][g]]) if kind == "factor slopes" else x / 2 + effects[1][g] * x
    others = {"a": g // 3, "h": rng.integers(0, 6, len(g)), "k": rng.integers(0, 4, len(g))}
    for name, codes in others.items():
        if name in KINDS[kind]:
            y += 10 ** rng.uniform(-1, 1) * rng.normal(size=codes.max() + 1)[codes]
    units = 10.0 ** rng.choice([-6, -3, 3, 6], 2) if kind == "units" else (1.0, 1.0)
    numbers = {"y": y * units[0] + 1e6 * (kind == "large mean"), "x": x * units[1], "w": rng.uniform(0.2, 5, len(g))}
    labels = {name: [f"{name}{code:02d}" for code in codes] for name, codes in {"g": g, "f": f, **others}.items()}
    weights = {"weights": "w"} if kind == "weights" else {}
    return Spec(formula=KINDS[kind], data=pd.DataFrame(numbers | labels), reml=seed % 2 == 0, **weights)


GENERALIZED = {  # of eight kinds each its family and its model
    "binary": ("binomial", "y ~ x + (1 | g)"),
    "binary slopes": ("binomial", "y ~ x + (x | g)"),
    "binary crossed": ("binomial", "y ~ x + f + (1 | g) + (1 | h)"),
    "trials": ("binomial", "cbind(y, n - y) ~ x + f + (1 | g)"),
    "trials near zero": ("binomial", "cbind(y, n - y) ~ x + (1 | g)"),
    "counts": ("poisson", "y ~ x + (1 | g)"),
    "counts slopes": ("poisson", "y ~ x + (x | g)"),
    "counts nested": ("poisson", "y ~ x + f + (1 | a/g)"),
}


def generalized(kind, seed):
    """A generalized model of one of eight kinds and its data."""
    family, formula = GENERALIZED[kind]
    rng = np.random.default_rng([list(GENERALIZED).index(kind), seed])
    sizes = rng.integers(3, 15, int(rng.integers(8, 31)))
    g = np.repeat(np.arange(len(sizes)), sizes)
    rows = len(g)
    x, f, h, trials = rng.normal(size=rows), np.arange(rows) % 3, rng.integers(0, 6, rows), rng.integers(2, 20, rows)
    sds = rng.uniform(0.3, 1.2, 3) * (1.0, 0.6, 0.8) * (0.05 if kind.endswith("near zero") else 1.0)
    first, second = sds[:2, None] * rng.normal(size=(2, len(sizes)))
    eta = rng.uniform(-0.5, 1) + 0.4 * x + first[g] + (second[g] * x if "slopes" in kind else 0.0)
    eta += sds[2] * rng.normal(size=6)[h] * ("h" in formula)
    eta += sds[2] * rng.normal(size=len(sizes))[g // 4] * ("a/" in formula)
    mean = 1 / (1 + np.exp(-eta))
    y = rng.poisson(np.exp(eta)) if family == "poisson" else rng.binomial(trials if "n" in formula else 1, mean)
    codes = {"g": g, "f": f, "h": h, "a": g // 4}
    labels = {name: [f"{name}{code:02d}" for code in each] for name, each in codes.items()}
    return GlmerSpec(formula=formula, data=pd.DataFrame({"y": y, "x": x, "n": trials} | labels), family=family)
