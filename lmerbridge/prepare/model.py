"""A formula over a frame: variables, the rows that have them, columns, levels, and what lmer would say of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lmerbridge.bridge import Value, columns, fitness, refusals
from lmerbridge.errors import UnfitData, amount
from lmerbridge.formula import Bar, Call, Constant, Name, Node, Terms, deparse, expand, walk
from lmerbridge.inputs import Spec
from lmerbridge.prepare import coding, variables
from lmerbridge.prepare import columns as table_columns
from lmerbridge.translate import LOGICAL, Variable, as_factor, variable_of

Design: TypeAlias = "list[tuple[str, coding.Columns | None]]"
LARGE = 2e7  # numbers of a matrix whose rank is not looked at
RATIO = 1e3  # of two columns' standard deviations, beyond which lme4 warns
FEW = 5  # levels, from which a variance can be estimated at all well


class Model:
    """A formula over a frame, as far as it is known without R.

    Parameters
    ----------
    spec : Spec

    Raises
    ------
    FormulaError, MissingColumns, UnsupportedColumn, InvalidArgument, UnfitData
        As of `lmer`.
    """

    def __init__(self, spec: Spec) -> None:
        self.spec, self.formula = spec, spec.parsed
        self.sent: dict[str, Value] = dict(columns.encode_table(spec.data, self.formula).columns)
        self.have: dict[str, Variable] = {name: variable_of(value) for name, value in self.sent.items()}
        nodes = (self.formula.response, *self.formula.design_variables)
        self.values = {deparse(node): variables.value_of(node, self.have) for node in nodes}

    @cached_property
    def complete(self) -> NDArray[np.bool_]:
        """Whether a row of the frame has a value of every variable."""
        formula, spec = self.formula, self.spec
        groups = [node for bar in formula.random for node in bar.group]
        nodes = [formula.response, *formula.design_variables, *groups, *formula.terms.offsets]
        absent = [variables.is_absent(node, variables.value_of(node, self.have), self.have) for node in nodes]
        given = [spec.per_row("weights"), spec.per_row("offset")]
        absent += [each.isna().to_numpy() for each in given if each is not None]
        return np.asarray(~np.any(absent, axis=0), bool)

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """Positions of the rows used."""
        inside = self.spec.rows_in_subset()
        return inside[self.complete[inside]]

    @cached_property
    def lacking(self) -> NDArray[np.int64]:
        """Positions of the rows of the subset that lack a value."""
        inside = self.spec.rows_in_subset()
        return inside[~self.complete[inside]]

    def design(self, terms: Terms) -> Design:
        """Return R's columns of each term, None where a variable of it is R's alone."""
        nodes = {deparse(node): node for each in terms.products for node in each}
        coded = {
            label: variables.code(node, self.values[label], self.spec.contrasts or {}, self.rows)
            for label, node in nodes.items()
        }
        known = {label: each or coding.CodedVariable({f"{label}?": None}) for label, each in coded.items()}
        unknown = {label for label, each in coded.items() if each is None}
        products = [{deparse(node) for node in each} for each in terms.products]
        names = [set[str]()] * terms.intercept + products
        found = coding.design_columns(terms, known, len(self.rows))
        return [(term, None if of & unknown else each) for of, (term, each) in zip(names, found, strict=True)]

    @cached_property
    def groups(self) -> pd.DataFrame:
        """Levels of each grouping factor, and the fewest, the median and the most rows of one."""
        sizes = {bar.group_name: self._sizes(bar) for bar in self.formula.random}
        found = {
            name: (len(each), *((each.min(), np.median(each), each.max()) if len(each) else (0, np.nan, 0)))
            for name, each in sizes.items()
        }
        table = pd.DataFrame.from_dict(found, orient="index", columns=["levels", "min", "median", "max"])
        return table.astype(dict.fromkeys(("levels", "min", "max"), int))

    def _sizes(self, bar: Bar) -> NDArray[np.int64]:
        values = [variables.value_of(node, self.have) for node in bar.group]
        none = np.zeros(len(self.spec.data), np.int64)
        return table_columns.cells_of([(none if v is None else as_factor(v).codes)[self.rows] for v in values])[2]

    def refusals(self, widths: Sequence[tuple[Bar, int | None]], beta: int | None) -> Iterator[str]:
        """Yield what lmer refuses, by the number of columns of each random term and of fixed effects."""
        told = ""
        if self.spec.na_action == "fail" and len(self.lacking):
            yield f"na_action is 'fail', and {amount(len(self.lacking), 'row')} of the data lack a value."
        try:
            fitness.check(self.spec, self.sent)
        except UnfitData as error:
            told = str(error)
            yield told
        if not len(self.rows):
            yield f"{refusals.NO_ROWS}."
            return
        yield from self._of_polynomials()
        for label, values in self.values.items():
            if repr(label) not in told and isinstance(values, pd.Categorical) and self._has_one_level(values):
                yield f"{label}: {refusals.CONTRASTS}."
        if infinite := [label for label, values in self.values.items() if self._is_infinite(values)]:
            yield f"{table_columns.first_few(infinite)}: {refusals.FINITE}."
        elif beta is not None and beta >= len(self.rows) and not told:
            yield f"{beta} fixed effects of {amount(len(self.rows), 'row')} fit any response exactly; leave terms out."
        for bar, width in widths:
            if repr(bar.group_name) not in told and (why := self._of_levels(bar, width or 1)):
                yield f"({deparse(bar.lhs)} | {bar.group_name}): {why}."

    def _has_one_level(self, values: pd.Categorical) -> bool:
        return tuple(values.categories) != LOGICAL and len(np.unique(values.codes[self.rows])) < 2

    def _is_infinite(self, values: Variable | None) -> bool:
        return isinstance(values, np.ndarray) and bool(np.isinf(values[self.rows]).any())

    def _of_levels(self, bar: Bar, width: int) -> str:
        rows, levels = len(self.rows), int(self.groups["levels"][bar.group_name])
        if any(not isinstance(node, Name) for node in bar.group):
            return refusals.GROUPING
        if levels < 2:
            return refusals.TWO_LEVELS
        if levels >= rows:
            return f"{levels} levels in {rows} rows; {refusals.FEWER_LEVELS}"
        return (
            f"{levels * width} random effects in {rows} rows; {refusals.FEWER_EFFECTS}"
            if levels * width >= rows
            else ""
        )

    def _of_polynomials(self) -> Iterator[str]:
        """Yield the polynomials of columns that lack a value in any row, which R does not compute."""
        calls = dict.fromkeys(n for node in self.formula.design_variables for n in walk(node) if isinstance(n, Call))
        for call in calls:
            raw = any(name == "raw" and arg in (Constant("TRUE"), Constant("T")) for name, arg in _named(call))
            if call.function == "poly" and not raw and variables.is_absent(call, None, self.have).any():
                yield f"{deparse(call)} of a column that lacks values is an error in R; drop those rows from the data."

    def notes(
        self, widths: Sequence[tuple[Bar, int | None]], x: dict[str, Any] | None, dropped: Sequence[str]
    ) -> Iterator[str]:
        """Yield what lmer warns of, and what an estimate of a variance suffers from."""
        if len(self.lacking):
            counts = self.spec.count_missing(self.formula.variables)
            where = ", ".join(f"{name!r} in {count}" for name, count in counts.items())
            lack = "lacks" if len(self.lacking) == 1 else "lack"
            inside = amount(len(self.rows) + len(self.lacking), "row")
            yield f"{len(self.lacking)} of {inside} {lack} a value{f' ({where})' * bool(where)}, and will be left out."
        yield from columns.describe_text(self.spec.data, self.formula)
        if dropped:
            yield f"{table_columns.first_few(dropped)}: combinations of the other columns of X, which lme4 leaves out."
        if x is None:
            yield "a variable of the fixed part is one that only R computes; the columns of X are not counted."
        elif scale := _scale(x, dropped):
            yield scale
        for name, levels in self.groups["levels"].items():
            if 2 <= levels < FEW:
                yield f"{name!r} has {levels} levels: a variance is hardly estimated from fewer than {FEW}."
        for bar, width in widths:
            if width is None:
                yield f"the columns of ({deparse(bar.lhs)} | {bar.group_name}) are counted by R alone."
        yield from self._of_double_bars()

    def _of_double_bars(self) -> Iterator[str]:
        """Yield the factors whose effects stay correlated, since ``||`` parts terms and not the columns of one."""
        for call in walk(self.formula.tree):
            for node in expand(call.args[0]).products if isinstance(call, Call) and call.function == "||" else ():
                label = ":".join(map(deparse, node))
                if any(isinstance(self.values.get(deparse(each)), pd.Categorical) for each in node):
                    yield f"{deparse(call)} parts terms alone: the effects of the factor {label!r} stay correlated."


def dropped_columns(x: dict[str, Any]) -> list[str]:
    """Return the columns that lme4 leaves out, none where values are unknown or too many."""
    unknown = not all(map(_is_finite, x.values())) or sum(map(len, x.values())) > LARGE
    return [] if unknown else coding.dependent_columns(x)


def _is_finite(values: NDArray[np.float64] | None) -> bool:
    """Whether a column is known, and all of it finite."""
    return values is not None and bool(np.isfinite(values).all())


def _scale(x: dict[str, Any], dropped: Sequence[str]) -> str:
    """Describe columns of very different sizes, of which lme4 warns."""
    kept = {name: values for name, values in x.items() if name not in dropped and _is_finite(values)}
    numbers = {name: values for name, values in kept.items() if not np.isin(values, (0, 1)).all()}
    sizes = {name: float(np.std(values, ddof=1)) for name, values in numbers.items() if len(values) > 1}
    sizes = {name: size for name, size in sizes.items() if size > 0}
    if not sizes or max(sizes.values()) <= RATIO * min(sizes.values()):
        return ""
    low, high = (pick(sizes, key=lambda name: sizes[name]) for pick in (min, max))
    told = f"{low!r} (standard deviation {sizes[low]:.3g}) and {high!r} ({sizes[high]:.3g})"
    return f"{told} are on very different scales; standardize() them."


def _named(call: Call) -> Iterator[tuple[str | None, Node]]:
    return iter(zip(call.names, call.args, strict=False))
