"""Models and data drawn for a hunt: a small grammar, then a design, effects, and scales and means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations, starmap
from typing import Any

import numpy as np
import pandas as pd

from lmerbridge.errors import InvalidArgument, LmerBridgeError
from lmerbridge.formula import tree_names
from lmerbridge.inputs import GlmerSpec, Spec
from lmerbridge.results import Array
from lmerbridge.translate import Block, Plain

COLUMNS = ("y", "n", "x", "z", "f", "g", "h", "w", "o")
FAMILIES = ("gaussian", "binomial", "poisson")
RANDOM = {  # random terms, by how often they are drawn
    "(x | g)": 8,
    "(1 | g)": 4,
    "(x || g)": 2,
    "(0 + x | g)": 1,
    "(1 | g/h)": 2,
    "(1 | g) + (1 | h)": 3,
    "(x | g) + (1 | h)": 1,
    "(f | g)": 1,
    "(x + z | g)": 1,
}
FIXED = {"x": 6, "x + f": 2, "x * f": 1, "x + z": 1, "1": 1, "0 + x": 1, "0 + f": 1}
CONTRASTS = ("contr.sum", "contr.helmert")
RARELY, SOMETIMES, OFTEN = 0.15, 0.3, 0.6  # chances
ATTEMPTS = 100
MOST_ROWS = 80  # a fit of these takes an engine little time
LEVELS = 3  # of a grouping factor at least, so that its variance is not of two numbers
PERFECT = 1e-3  # of the response's spread; a model that fits without residual has no optimum
RANK = 1e-7  # relative; lme4 drops a column that is nearer to a combination of others
SPARE = 3  # rows at least beyond the fixed effects, and one beyond the random effects of a term, as lme4 asks for


def draw_design(seed: int, index: int, families: Sequence[str] = ("gaussian",)) -> Spec:
    """Return the design of a number: the same for the same seed, index and families.

    Parameters
    ----------
    seed, index : int
    families : sequence of {"gaussian", "binomial", "poisson"}
        The designs take them in turn.

    Examples
    --------
    >>> spec = draw_design(1, 0)
    >>> spec.formula, spec.data.equals(draw_design(1, 0).data)
    ('y ~ 0 + f + (1 | g)', True)
    """
    family = families[index % len(families)]
    drawn = (_draw(np.random.default_rng([seed, index, attempt]), family) for attempt in range(ATTEMPTS))
    return next(filter(is_sound, drawn))


def check_families(families: Sequence[str]) -> None:
    """Check that models of families are drawn.

    Raises
    ------
    InvalidArgument
        Nothing is drawn of one.
    """
    if unknown := [family for family in families if family not in FAMILIES]:
        raise InvalidArgument(f"a family is {unknown[0]!r}; some of {', '.join(FAMILIES)} are expected.")


def is_sound(spec: Spec) -> bool:
    """Whether the model is one that nobody refuses or dismisses.

    No column is a combination of others, not even nearly so that lme4 would drop it, no two random terms are one, each
    grouping factor has three levels, covariates vary within three groups, and there are more rows than fixed effects
    and than random effects of a term. No effects fit without residual.
    """
    groups = {name for bar in spec.parsed.random for node in bar.group for name in tree_names(node)}
    if len(spec.data) < LEVELS or any(spec.data[name].nunique() < LEVELS for name in groups - {"h"}):
        return False
    if any(moving(spec.data, name) < LEVELS for name in ("", "x", "z") if name in {"", *spec.data}):
        return False
    try:
        model = Plain(spec)
        x = model.x
    except LmerBridgeError:
        return False
    n, p = x.shape
    enough = n >= p + SPARE and all(len(b.levels) >= LEVELS and len(b.levels) * b.width < n for b in model.blocks)
    if not enough or not x.any(axis=0).all() or _rank(x) < p or any(starmap(_are_one, combinations(model.blocks, 2))):
        return False
    return spec.data["y"].nunique() > 1 and (not spec.kind.linear or _residual(model, x) > PERFECT)


def _rank(x: Array) -> int:
    """How many columns are no combination of others, to the digits that lme4 asks for."""
    sizes = np.linalg.svd(x / np.linalg.norm(x, axis=0), compute_uv=False)
    return int(np.sum(sizes > RANK * sizes[0]))


def _are_one(first: Block, second: Block) -> bool:
    """Whether two random terms have the same groups of rows, and columns that are combinations of each other's."""
    pairs = {*zip(first.codes, second.codes, strict=True)}
    if not len(pairs) == len(first.levels) == len(second.levels):
        return False
    return _rank(np.hstack([first.columns, second.columns])) < first.width + second.width


def moving(data: pd.DataFrame, name: str) -> int:
    """In how many groups a covariate varies, or there are two rows where none is named."""
    groups = data.groupby("g" if "g" in data else "h")
    return int(((groups[name].nunique() if name else groups.size()) > 1).sum())


def _residual(model: Plain, x: Array) -> float:
    """The share of the response's spread that fixed and random effects cannot fit together, however large they are."""
    y = model.frame.response - model.frame.offset
    z = [block.random_term.z.toarray() for block in model.blocks]
    q = np.linalg.qr(x)[0]
    rest, columns = y - q @ (q.T @ y), np.hstack(z) - q @ (q.T @ np.hstack(z))
    columns /= np.maximum(np.linalg.norm(columns, axis=0), 1e-9 * np.linalg.norm(np.hstack(z), axis=0).max())
    left = rest - columns @ np.linalg.lstsq(columns, rest, rcond=1e-9)[0]
    return float(np.linalg.norm(left) / max(float(np.linalg.norm(y - y.mean())), np.finfo(float).tiny))


def _draw(rng: np.random.Generator, family: str) -> Spec:
    random, fixed = _pick(rng, RANDOM), _pick(rng, FIXED)
    fixed = "x + z" if "z |" in random else "x + f" if "(f" in random else fixed
    fixed = "x" if fixed == "1" and "x" in random else fixed
    formula = f"y ~ {fixed} + {random}"
    data, whole = _groups(rng, nested="/" in random), rng.random() < OFTEN
    n = len(data)
    data["f"] = np.array(["a", "b", "c"])[np.arange(n) % 3 if rng.random() < OFTEN else rng.integers(0, 3, n)]
    units = {name: rng.integers(-3, 4, n).astype(float) if whole else rng.normal(size=n) for name in ("x", "z")}
    eta = _predictor(rng, formula, data.assign(**units))
    measured = {name: _measure(rng, values, whole) for name, values in units.items()}
    data = data.assign(**measured, **_response(rng, family, eta, whole))
    if rng.random() < SOMETIMES:
        data = data.sample(frac=1.0, random_state=rng).reset_index(drop=True)
    return _spec(rng, formula, family, data)


def _pick(rng: np.random.Generator, chances: Mapping[str, int]) -> str:
    weights = np.array([*chances.values()])
    return str(rng.choice([*chances], p=weights / weights.sum()))


def _groups(rng: np.random.Generator, nested: bool) -> pd.DataFrame:
    """Levels of g, of even or uneven sizes, and of h, within or across them."""
    groups = int(10 ** rng.uniform(np.log10(3), np.log10(16)))
    even, most = int(10 ** rng.uniform(0, 1)), int(rng.integers(2, 9))
    sizes = np.full(groups, even) if rng.random() < 0.5 else rng.integers(1, most + 1, groups)
    g = np.repeat(np.arange(groups), sizes)[:MOST_ROWS]
    across = rng.integers(0, int(rng.integers(3, 7)), len(g))
    within = np.arange(len(g)) % int(rng.integers(2, 4))
    h = within if nested else across
    return pd.DataFrame({"g": [f"g{i:02d}" for i in g], "h": [f"h{i}" for i in h]})


def _predictor(rng: np.random.Generator, formula: str, data: pd.DataFrame) -> Array:
    """The linear predictor but for its residual: effects log-uniform in size, correlated up to 1."""
    model = Plain(Spec(formula=formula, data=data.assign(y=0.0)))
    eta = model.x @ (rng.choice([-1, 1], model.x.shape[1]) * 10 ** rng.uniform(-1, 1, model.x.shape[1]))
    for block in model.blocks:
        rho = rng.choice([rng.uniform(-1, 1), 1.0, -1.0], p=[0.8, 0.1, 0.1])
        shared, own = rng.normal(size=(len(block.levels), 1)), rng.normal(size=(len(block.levels), block.width))
        signs = np.where(np.arange(block.width) % 2, np.sign(rho), 1.0)
        effects = np.sqrt(abs(rho)) * signs * shared + np.sqrt(1 - abs(rho)) * own
        effects *= 10 ** rng.uniform(-2, 1, block.width)
        eta += (block.columns * effects[block.codes]).sum(axis=1)
    return np.asarray(eta)


def _measure(rng: np.random.Generator, values: Array, whole: bool) -> Array:
    """Values in a unit from a millionth to a million, about a mean that is zero or far off."""
    unit = 10.0 ** int(rng.integers(-6, 7)) if rng.random() < SOMETIMES else 1.0
    mean = float(rng.choice([10.0, 1000.0, 1e6])) if rng.random() < SOMETIMES else 0.0
    return np.round((values + mean) * unit, 12) if whole else (values + mean) * unit


def _response(rng: np.random.Generator, family: str, eta: Array, whole: bool) -> dict[str, Array]:
    n = len(eta)
    if family == "gaussian":
        y = eta + rng.normal(size=n) * 10 ** rng.uniform(-1, 1)
        return {"y": _measure(rng, np.round(y * 5 / float(np.std(y))) if whole else y, whole)}
    spread = max(float(np.std(eta)), 1.0) / rng.uniform(0.3, 1.5)
    eta = np.clip((eta - eta.mean()) / spread + rng.uniform(-0.5, 1), -5, 5)
    if family == "poisson":
        return {"y": rng.poisson(np.exp(eta)).astype(float)}
    trials = rng.integers(2, 11, n) if rng.random() < 0.5 else np.ones(n, dtype=int)
    return {"y": rng.binomial(trials, 1 / (1 + np.exp(-eta))).astype(float), "n": trials.astype(float)}


def _spec(rng: np.random.Generator, formula: str, family: str, data: pd.DataFrame) -> Spec:
    """The model, with weights, an offset or contrasts now and then, and the columns that it needs."""
    n, options = len(data), dict[str, Any]()
    weighted, shifted, coded, reml = rng.random(4) < (RARELY, RARELY, SOMETIMES, OFTEN)
    if weighted and family == "gaussian":
        options["weights"], data["w"] = "w", rng.integers(1, 6, n).astype(float)
    if shifted:
        options["offset"], data["o"] = "o", rng.integers(-2, 3, n).astype(float)
    if coded and "f" in formula:
        options["contrasts"] = {"f": str(rng.choice(CONTRASTS))}
    if "n" in data and (data["n"] > 1).any():
        formula = formula.replace("y ~", "cbind(y, n - y) ~")
    if family == "gaussian":
        return keep_used(Spec(formula=formula, data=data, reml=bool(reml), **options))
    return keep_used(GlmerSpec(formula=formula, data=data, family=family, **options))


def keep_used(spec: Spec) -> Spec:
    """Return the model with the columns that it needs alone."""
    used = [*spec.parsed.variables, *(name for name in (spec.weights, spec.offset) if isinstance(name, str))]
    return replace(spec, data=spec.data[[name for name in COLUMNS if name in used]])
