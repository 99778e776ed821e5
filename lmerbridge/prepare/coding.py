"""R's ``model.matrix`` without R: the columns of a formula's terms, by their names, and their values where known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import product
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lmerbridge.formula import Terms, deparse
from lmerbridge.translate import SUFFIXES

NAMES: Mapping[str, Callable[[Sequence[str]], list[str]]] = {**SUFFIXES, "contr.SAS": lambda levels: list(levels[:-1])}
Array: TypeAlias = NDArray[np.float64]
Columns: TypeAlias = Mapping[str, Array | None]  # by name; None where only R knows the values


@dataclass(frozen=True, eq=False)
class CodedVariable:
    """A variable as R codes it.

    Attributes
    ----------
    full : mapping of name to column
        Indicators of a factor's levels, or the columns of a variable of numbers.
    contrasts : mapping of name to column, or None
        Of a factor beside its margin; None for a variable of numbers.
    """

    full: Columns
    contrasts: Columns | None = None


def code_factor(label: str, values: pd.Categorical, contrasts: object = None) -> CodedVariable:
    """Code a factor by R's default contrasts, by those of a name, or by a matrix."""
    levels = [str(level) for level in values.categories]
    indicators = np.equal.outer(values.codes, np.arange(len(levels))).astype(float)
    given = contrasts if contrasts is not None else "contr.poly" if values.ordered else "contr.treatment"
    matrix = contrasts_of(given, len(levels)) if isinstance(given, str) else np.asarray(given, float)
    if isinstance(given, pd.DataFrame):
        suffixes = list(map(str, given.columns))
    else:
        suffixes = NAMES[given](levels) if isinstance(given, str) else [str(j + 1) for j in range(matrix.shape[1])]
    coded = indicators @ matrix if len(matrix) == len(levels) else indicators[:, :0]
    return CodedVariable(
        {f"{label}{level}": indicators[:, j] for j, level in enumerate(levels)},
        {f"{label}{suffix}": coded[:, j] for j, suffix in enumerate(suffixes) if j < coded.shape[1]},
    )


def code_numbers(label: str, values: Array) -> CodedVariable:
    """Name a column of numbers by its label, those of a matrix by their place as well."""
    if values.ndim == 1:
        return CodedVariable({label: values})
    return CodedVariable({f"{label}{j + 1}": values[:, j] for j in range(values.shape[1])})


def contrasts_of(name: str, count: int) -> Array:
    """Return the contrasts of R's function of a name, one row per level.

    Examples
    --------
    >>> contrasts_of("contr.helmert", 3).tolist()
    [[-1.0, -1.0], [1.0, -1.0], [0.0, 2.0]]
    """
    unit, steps = np.eye(count), np.arange(1, count)
    match name:
        case "contr.sum":
            return np.vstack([np.eye(count - 1), -np.ones(count - 1)])
        case "contr.helmert":
            return np.vstack([-np.ones(count - 1), np.tril(-np.ones((count - 1, count - 1)), -1).T + np.diag(steps)])
        case "contr.SAS":
            return unit[:, :-1]
        case "contr.poly":
            q, r = np.linalg.qr((np.arange(count) - (count - 1) / 2)[:, None] ** np.arange(count))
            return np.asarray((q * np.sign(np.diag(r)))[:, 1:])
    return unit[:, 1:]


def design_columns(terms: Terms, coded: Mapping[str, CodedVariable], rows: int) -> Iterator[tuple[str, Columns]]:
    """Yield R's columns of each term, the intercept's first.

    A factor has contrasts where an earlier term, or the intercept, holds the rest of its term, and else an indicator
    per level: R's ``TermCode``. Without an intercept the first factor has indicators.
    """
    if terms.intercept:
        yield "(Intercept)", {"(Intercept)": np.ones(rows)}
    seen: list[set[str]] = []
    waiting = not terms.intercept  # for the first factor
    for nodes in terms.products:
        labels = [deparse(node) for node in nodes]
        parts = []
        for label in labels:
            rest = {*labels} - {label}
            marginal = not rest or any(rest <= earlier for earlier in seen)
            contrasts = coded[label].contrasts
            parts.append(coded[label].full if contrasts is None or not marginal or waiting else contrasts)
            waiting = waiting and contrasts is None
        seen.append({*labels})
        yield ":".join(labels), _multiply(parts)


def _multiply(parts: Sequence[Columns]) -> Columns:
    """Return all products of the columns of several variables, the first of which varies fastest."""
    combined = product(*(part.items() for part in reversed(parts)))
    found = ([*reversed(each)] for each in combined)
    return {":".join(name for name, _ in each): _product([values for _, values in each]) for each in found}


def _product(values: Sequence[Array | None]) -> Array | None:
    known: list[Any] = [each for each in values if each is not None]
    return reduce(np.multiply, known) if len(known) == len(values) else None


def dependent_columns(columns: Columns, tolerance: float = 1e-7) -> list[str]:
    """Return the columns that are combinations of those before them: what lme4 leaves out, by R's ``qr``."""
    kept: list[Array] = []
    found = []
    for name, values in columns.items():
        assert values is not None  # noqa: S101 - the caller has seen to that
        rest, size = values, float(np.linalg.norm(values))
        if kept:
            basis = np.stack(kept)
            for _ in range(2):
                rest = rest - basis.T @ (basis @ rest)
        length = float(np.linalg.norm(rest))
        if length <= tolerance * size:
            found.append(name)
        else:
            kept.append(rest / length)
    return found
