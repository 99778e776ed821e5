"""The models that the study adds to the suite: hostile units, and small groups with variances at zero."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from lmerbridge.datasets import draw_normal, load_dataset
from lmerbridge.parity.cases import Case

BASES = (  # name and method, data set, package, formula, response, covariate
    ("sleepstudy/REML", "sleepstudy", "lme4", "Reaction ~ Days + (Days | Subject)", "Reaction", "Days"),
    ("orthodont/ML", "Orthodont", "nlme", "distance ~ age + (1 | Subject)", "distance", "age"),
    ("drawn/REML", "weighted_2", "lmerbridge", "y ~ x + (x | g)", "y", "x"),
)
UNITS = (1e-6, 1e-3, 1e3, 1e6)
FAR = (1e3, 1e6)  # what is added to a column
GROUPS, ROWS, SLOPES = (5, 10, 30), (3, 8), (0.0, 0.5)
SEEDS = 6
THREE = (0.5, 0.0625, 0.0)  # slopes of which one varies much, one hardly and one not at all


@dataclass(frozen=True)
class ScaledCase(Case):
    """A case whose response and covariate are in other units, or far from zero.

    Attributes
    ----------
    changes : tuple of (column, factor, shift)
    """

    changes: tuple[tuple[str, float, float], ...] = ()

    def data(self, load: Callable[[str, str], pd.DataFrame] = load_dataset) -> pd.DataFrame:
        """Load the data set and change its columns."""
        frame = super().data(load)
        changed = {name: frame[name].astype(float) * factor + shift for name, factor, shift in self.changes}
        return frame.assign(**changed)


@dataclass(frozen=True)
class DrawnCase(Case):
    """A case with so many groups of so many rows, whose intercepts and residuals have a standard deviation of one.

    Attributes
    ----------
    groups, size : int
    slopes : tuple of float
        Standard deviations of the slopes.
    seed : int
    """

    groups: int = 0
    size: int = 0
    slopes: tuple[float, ...] = ()
    seed: int = 0

    def data(self, load: Callable[[str, str], pd.DataFrame] = load_dataset) -> pd.DataFrame:
        """Draw the data, the same bits on every machine; nothing is loaded."""
        bits = np.random.PCG64([self.groups, self.size, *(int(64 * sd) for sd in self.slopes), self.seed])
        g = np.repeat(np.arange(self.groups), self.size)
        y = 1 + draw_normal(bits, self.groups)[g] + draw_normal(bits, len(g))
        columns = {}
        for name, sd in zip(_covariates(self.slopes), self.slopes, strict=True):
            columns[name] = x = draw_normal(bits, len(g))
            y = y + x / 2 + sd * draw_normal(bits, self.groups)[g] * x
        return pd.DataFrame({"y": y, **columns, "g": [f"g{code:02d}" for code in g]})


@cache
def scales() -> tuple[Case, ...]:
    """Return three models, each with the response or the covariate in other units or shifted, and as they are."""
    return tuple(case for base in BASES for case in _scaled(*base))


@cache
def small() -> tuple[Case, ...]:
    """Return models of few small groups whose slopes vary or do not, and models with a slope of each sort."""
    one = [(n, size, (sd,)) for n in GROUPS for size in ROWS for sd in SLOPES]
    three = [(n, ROWS[-1], THREE) for n in GROUPS[1:]]
    return tuple(_drawn(*plan, seed) for plan in (*one, *three) for seed in range(1, SEEDS + 1))


def _scaled(name: str, dataset: str, package: str, formula: str, y: str, x: str) -> Iterator[Case]:
    for kind, changes in _changes(y, x):
        base, _, method = name.partition("/")
        label = f"{base}_{kind.replace(' ', '_')}/{method}"
        yield ScaledCase(label, dataset, package, formula, reml=method == "REML", kind=kind, changes=changes)


def _changes(y: str, x: str) -> Iterator[tuple[str, tuple[tuple[str, float, float], ...]]]:
    yield "as it is", ()
    for letter, column in (("x", x), ("y", y)):
        yield from ((f"{letter} times {unit:g}", ((column, unit, 0.0),)) for unit in UNITS)
        yield from ((f"{letter} plus {far:g}", ((column, 1.0, far),)) for far in FAR)
    for first, second in ((UNITS[0], UNITS[-1]), (UNITS[-1], UNITS[0])):
        yield f"x times {first:g} y times {second:g}", ((x, first, 0.0), (y, second, 0.0))


def _drawn(groups: int, size: int, slopes: tuple[float, ...], seed: int) -> Case:
    sum_of = " + ".join(_covariates(slopes))
    told = f"slope SD {slopes[0]:g}" if len(slopes) == 1 else f"slope SDs {', '.join(f'{sd:g}' for sd in slopes)}"
    kind = f"{groups} groups of {size}, {told}"
    method = "REML" if seed % 2 else "ML"
    name = f"groups_{groups}_of_{size}_slopes_{'_'.join(f'{sd:g}' for sd in slopes)}_{seed}/{method}"
    plan = {"groups": groups, "size": size, "slopes": slopes, "seed": seed}
    formula = f"y ~ {sum_of} + ({sum_of} | g)"
    return DrawnCase(name, "small", "lmerbridge", formula, method == "REML", kind=kind, **plan)  # type: ignore[arg-type]  # of one type each


def _covariates(slopes: tuple[float, ...]) -> list[str]:
    return ["x"] if len(slopes) == 1 else [f"x{i}" for i in range(1, len(slopes) + 1)]
