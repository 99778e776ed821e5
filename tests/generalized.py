"""Designs of small generalized linear mixed models, made without R."""

import numpy as np
import scipy.sparse as sp

from lmerbridge.results import Design, Family, RandomTerm
from lmerbridge.results.glm import Response
from tests import chance

FAMILIES = {
    "binary": Family("binomial"),
    "trials": Family("binomial"),
    "probit": Family("binomial", "probit"),
    "cloglog": Family("binomial", "cloglog"),
    "counts": Family("poisson"),
    "overdispersed": Family("negative.binomial", theta=1.5),
    "Gamma": Family("Gamma", "log"),
    "gaussian": Family("gaussian", "log"),
}
KINDS = ("intercepts", "slopes", "crossed", "rows")


def term(name, codes, columns):
    """A random term of the columns given, with a level for each code."""
    n, k = columns.shape
    levels = codes.max() + 1
    places = np.repeat(np.arange(n), k), (codes[:, None] * k + np.arange(k)).ravel()
    z = sp.csc_array((columns.ravel(), places), shape=(n, levels * k))
    return RandomTerm(name, ("(Intercept)", "x")[:k], tuple(f"{name}{i}" for i in range(levels)), z)


def draw(family, mean, trials, rng):
    """Responses of a family; proportions where it is binomial."""
    size = 0.3
    match family.name:
        case "binomial":
            return rng.binomial(trials.astype(int), mean) / trials
        case "poisson":
            return rng.poisson(mean).astype(float)
        case "negative.binomial":
            return rng.negative_binomial(family.theta, family.theta / (family.theta + mean)).astype(float)
        case "Gamma":
            return rng.gamma(1 / size, mean * size)
        case "inverse.gaussian":
            return rng.wald(mean, 1 / size)
        case "gaussian":
            return rng.normal(mean, size**0.5)


def model(family, kind, seed, *, base=0.4, spread=(0.05, 1.5), scales=(-1, 1)):
    """A design of uneven groups, whose x is badly scaled and whose effects are large or next to none."""
    rng = chance.generator(seed)
    sizes = rng.integers(1, 11, int(rng.integers(5, 20)))
    g, n = np.repeat(np.arange(len(sizes)), sizes), sizes.sum()
    unit = 10.0 ** rng.uniform(*scales)
    x = rng.normal(size=n)
    one, both = np.ones((n, 1)), np.column_stack([np.ones(n), x * unit])
    random = {
        "intercepts": [term("g", g, one)],
        "slopes": [term("g", g, both)],
        "crossed": [term("g", g, both), term("h", rng.integers(0, 4, n), one)],
        "rows": [term("row", np.arange(n), one), term("g", g, one)],
    }[kind]
    sds = np.exp(rng.uniform(*np.log(spread), 3))
    eta = base + 0.3 * x + sds[0] * rng.normal(size=len(sizes))[g] + sds[1] * rng.normal(size=len(sizes))[g] * x
    family = FAMILIES.get(family, family)
    trials = np.ones(n) if seed % 2 else rng.integers(1, 9, n).astype(float)
    trials = trials if family.name == "binomial" else np.ones(n)
    eta = np.clip(eta, -3.0, 3.0)
    y = draw(family, Response(family, eta, trials, eta).mean, trials, rng)
    return Design(("(Intercept)", "x"), both, y, trials, np.zeros(n), np.arange(n), tuple(random)), family
