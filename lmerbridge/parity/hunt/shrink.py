"""A model and its data made small while an engine still goes wrong on it in the same way.

Delta debugging (Zeller and Hildebrandt 2002) by what a reader sees: terms, levels, rows, then the numbers themselves.
A library that shrinks what it has drawn itself, such as hypothesis, would draw the tables too; it knows of no terms or
levels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any

import pandas as pd

from lmerbridge.formula import Bar, deparse, expand, tree_names
from lmerbridge.inputs import Spec
from lmerbridge.parity.hunt import oracles, space

Ask = Callable[[Spec], oracles.Symptom | None]
GROUPS, NUMBERS = ("g", "h"), ("y", "x", "z", "n", "w", "o")
SPREADS = (2.0, 5.0, 20.0)  # whole numbers that a column's standard deviation becomes
LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Shrinker:
    """The smallest model so far, and what is asked of each smaller one.

    Parameters
    ----------
    spec : Spec
    found : oracles.Symptom
        What is to stay.
    ask : function of a Spec
        What is wrong with the engine's answer to it.
    most : int
        How often it may be asked.
    """

    def __init__(self, spec: Spec, found: oracles.Symptom, ask: Ask, most: int) -> None:
        self.spec, self.found, self.left, self.done = spec, found, most - 1, False
        self._first, self._ask, self._known = found, ask, {_text(spec)}
        self._way = [(spec, found)]

    def candidates(self) -> list[tuple[Spec, oracles.Symptom]]:
        """Return the smallest model, some that are larger, and the first, with what is wrong on each."""
        last = len(self._way) - 1
        return [self._way[i] for i in sorted({last, last * 3 // 4, last // 2, 0}, reverse=True)]

    def run(self) -> None:
        """Shrink until nothing gets smaller, which is ``done``, or no question is left."""
        steps = (self._terms, self._levels, self._rows, self._numbers, self._cells)
        before = ""
        while self.left > 0 and before != (before := _text(self.spec)):
            for step in steps:
                step()
        self.done = self.left > 0
        self.left += 1  # kept for this
        self._take(_named(self.spec))

    def _take(self, spec: Spec) -> bool:
        """Keep a model if it is sound and shows the same."""
        text = _text(spec)
        if self.left <= 0 or text in self._known or not space.is_sound(spec) or _still(spec) > _still(self.spec):
            return False
        self._known.add(text)
        self.left -= 1
        seen = self._ask(spec)
        if seen is None or not seen.repeats(self._first):
            return False
        self.spec, self.found = spec, seen
        self._way.append((spec, seen))
        return True

    def _terms(self) -> None:
        while any(self._take(spec) for spec in smaller_models(self.spec)):
            pass

    def _levels(self) -> None:
        for name in (name for name in GROUPS if name in self.spec.data):
            data = self.spec.data
            levels = sorted(data[name].unique(), key=lambda level: -_still_in(self.spec, data[data[name] == level]))
            self._drop(levels, partial(self._has, name))

    def _has(self, name: str, levels: Sequence[Any]) -> Any:  # noqa: ANN401  # a mask
        return self.spec.data[name].isin(levels)

    def _rows(self) -> None:
        self.spec = replace(self.spec, data=self.spec.data.reset_index(drop=True))
        self._drop([*self.spec.data.index], lambda kept: self.spec.data.index.isin(kept))  # noqa: PLW0108  # of the data then

    def _drop(self, parts: list[Any], rows: Callable[[Sequence[Any]], Any]) -> None:
        """Leave out parts, half of them at first and one by one at last."""
        size = max(1, len(parts) // 2)
        while size:
            start = 0
            while start < len(parts):
                kept = parts[:start] + parts[start + size :]
                if kept and self._take(replace(self.spec, data=self.spec.data[rows(kept)])):
                    parts = kept
                else:
                    start += size
            size //= 2

    def _numbers(self) -> None:
        """Give columns a plain unit and mean, and few digits."""
        for name in (name for name in NUMBERS if name in self.spec.data):
            for values in plainer(self.spec.data[name]):
                if self._take(_put(self.spec, name, values)):
                    break

    def _cells(self) -> None:
        """Bring single numbers to one that is there more often, or to zero."""
        for name in (name for name in ("x", "z", "y", "o") if name in self.spec.data):
            column = self.spec.data[name]
            if len(str(column.max())) > 6:  # no plain numbers: nobody reads them either way
                continue
            for value in column.value_counts().index[::-1]:
                near = [other for other in (0.0, float(column.mode()[0])) if other != value]
                any(self._take(_put(self.spec, name, self.spec.data[name].replace(value, other))) for other in near)


def smaller_models(spec: Spec) -> Iterator[Spec]:
    """Yield the models that lack a term, weights, an offset or contrasts.

    Examples
    --------
    >>> from lmerbridge.parity.hunt.space import draw_design
    >>> [smaller.formula for smaller in smaller_models(draw_design(1, 1))]
    ['y ~ x + (1 | g)']
    """
    for argument in ("weights", "offset", "contrasts"):
        if getattr(spec, argument) is not None:
            yield space.keep_used(replace(spec, **dict.fromkeys([argument])))  # type: ignore[arg-type]  # each may be None
    formula = spec.parsed
    products = [":".join(map(deparse, product)) for product in formula.terms.products]
    bars = list(formula.random)
    for i, bar in enumerate(bars):
        others = [_written(other) for other in bars[:i] + bars[i + 1 :]]
        lefts = chain([None] * (len(bars) > 1), _fewer(bar))
        for left in lefts:
            yield _model(spec, products, [*others, *([f"({left} | {_group(bar)})"] if left else [])])
    varying = {name for bar in bars for name in tree_names(bar.lhs)}  # whose fixed effects stay beside the random ones
    for i in (i for i, each in enumerate(products) if each not in varying and not _is_margin(each, products)):
        yield _model(spec, products[:i] + products[i + 1 :], None)


def _is_margin(product: str, others: Sequence[str]) -> bool:
    """Whether a term is part of an interaction that is there."""
    return any({*product.split(":")} < {*other.split(":")} for other in others)


def _fewer(bar: Bar) -> Iterator[str]:
    """Yield left-hand sides with a column fewer."""
    terms = expand(bar.lhs)
    names = [":".join(map(deparse, product)) for product in terms.products]
    if terms.intercept and names:
        yield from (" + ".join(names[:i] + names[i + 1 :]) or "1" for i in range(len(names)))
    elif names:
        yield "1"


def _written(bar: Bar) -> str:
    return f"({deparse(bar.lhs)} | {_group(bar)})"


def _group(bar: Bar) -> str:
    return ":".join(map(deparse, bar.group))


def _model(spec: Spec, fixed: Sequence[str], bars: Sequence[str] | None) -> Spec:
    """The model with other terms; the random ones as they are written where none is given."""
    response, _, right = spec.formula.partition(" ~ ")
    fixed = [*([] if spec.parsed.terms.intercept else ["0"]), *fixed] if fixed else ["1"]
    written = bars if bars is not None else [right[right.index("(") :]]
    formula = f"{response} ~ {' + '.join([*fixed, *written])}"
    coded = {name: kind for name, kind in (spec.contrasts or {}).items() if name in fixed or f":{name}" in formula}
    return space.keep_used(replace(spec, formula=formula, contrasts=coded or None))


def plainer(column: pd.Series) -> Iterator[pd.Series]:
    """Yield a column in whole numbers about zero, with one deviation or another, and with fewer digits.

    Examples
    --------
    >>> [list(values) for values in plainer(pd.Series([1000.0, 2000.0, 3000.0]))][0]
    [-2.0, 0.0, 2.0]
    """
    spread = float(column.std()) or 1.0
    for size in SPREADS:
        yield ((column - column.mean()) / spread * size).round() + 0.0
    for size in SPREADS:
        yield (column / spread * size).round() + 0.0
    for digits in (1, 2, 3, 5):
        yield column.map(lambda value, digits=digits: float(f"{value:.{digits}g}"))


def _put(spec: Spec, name: str, values: pd.Series) -> Spec:
    """The model with other numbers in a column, the same model where they are no shorter."""
    if name in ("w", "n") or (name == "y" and not spec.kind.linear):
        values = values.clip(lower=float(name != "y"))
    changed = replace(spec, data=spec.data.assign(**{name: values}))
    return changed if len(_text(changed)) < len(_text(spec)) or _distinct(values) < _distinct(spec.data[name]) else spec


def _distinct(values: pd.Series) -> int:
    return int(values.nunique())


def _named(spec: Spec) -> Spec:
    """The model with letters for levels, in the same order."""
    columns = {}
    for name in (name for name in GROUPS if name in spec.data):
        levels = sorted(spec.data[name].unique())
        names = dict(zip(levels, LETTERS, strict=False)) if len(levels) <= len(LETTERS) else {v: v for v in levels}
        columns[name] = spec.data[name].map(names)
    return replace(spec, data=spec.data.assign(**columns).reset_index(drop=True))


def _still(spec: Spec) -> int:
    """How often a covariate does not vary in a group, or a group has one row: a reader would blame that."""
    return sum(_still_in(spec, part) for _, part in spec.data.groupby("g" if "g" in spec.data else "h"))


def _still_in(spec: Spec, part: pd.DataFrame) -> int:
    return (len(part) < 2) + sum(part[name].nunique() < 2 for name in ("x", "z") if name in part)


def _text(spec: Spec) -> str:
    """All that is written of a model."""
    options = (spec.formula, spec.reml, spec.weights, spec.offset, spec.contrasts)
    return f"{options}\n{spec.data.to_csv(index=False)}"
