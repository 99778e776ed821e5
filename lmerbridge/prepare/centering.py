"""What of a variable lies between groups, and what within them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, permutations
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lmerbridge.bridge import Factor, column_kind, columns, describe_numbers
from lmerbridge.errors import InvalidArgument, MissingColumns, UnfitData, amount
from lmerbridge.formula import parse
from lmerbridge.inputs import Frame, check_signature, pandas_frame
from lmerbridge.prepare.columns import (
    Array,
    Prepared,
    RowGroups,
    check_columns,
    check_new,
    groups_of,
    is_nested_in,
    numbers_of,
)


@dataclass(frozen=True, eq=False)
class Demeaned(Prepared):
    """A frame with columns of what varies between groups and within them.

    Attributes
    ----------
    frame : DataFrame
        The frame given, with the new columns at its end.
    between, within : tuple of str
        The new columns.
    means : DataFrame
        One row per factor, level and variable: the ``mean``, and how many ``rows`` it is of.
    rows : ndarray of bool, shape (n,)
        Whether a row has what was to be complete.
    nested : bool
        Whether each of several factors was taken to be nested in the one before.
    """

    between: tuple[str, ...]
    within: tuple[str, ...]
    means: pd.DataFrame
    rows: NDArray[np.bool_]
    nested: bool

    def __str__(self) -> str:
        told = f"{', '.join(self.between)}; {', '.join(self.within)}"
        lie = f", of {'nested' if self.nested else 'crossed'} groups" if self.means["factor"].nunique() > 1 else ""
        return f"{told}\nmeans over {self.rows.sum()} of {amount(len(self.rows), 'row')}{lie}"

    __repr__ = __str__


@check_signature
def demean(
    frame: Frame,
    select: str | Sequence[str],
    by: str | Sequence[str],
    *,
    nested: bool | None = None,
    formula: str | None = None,
    complete: str | Sequence[str] = (),
    suffix_between: str = "_between",
    suffix_within: str = "_within",
) -> Demeaned:
    """Part variables into what varies between groups and what varies within them: no R is started.

    A mean is over the rows that have the variable, its group, and whatever `formula` or `complete` names: over those
    that a fit uses, and not over all of the frame.

    Parameters
    ----------
    frame : DataFrame
    select : str or sequence of str
        Columns of numbers or booleans. A factor of two levels is 0 and 1; one of more is parted level by level, as
        ``f_level_between`` and ``f_level_within``.
    by : str or sequence of str
        The column that groups. Of several that are crossed each has its own part, ``x_g_between``, and ``x_within`` is
        what is left when all their means are taken off.
    nested : bool, optional
        Whether each of several ``by``, the outermost first, is nested in the one before. Each part is then what its
        mean adds to that of the one before, so that all parts sum to the variable. ``by="school/class"`` says so too,
        and labels may then repeat in each outer level. Without it the labels tell: they are nested where each lies in
        one level of the column before.
    formula : str, optional
        The model that is to be fitted. Rows that lack a value of its columns have no part in the means. The new columns
        may stand in it.
    complete : str or sequence of str
        More columns that a row is to have a value of.
    suffix_between, suffix_within : str

    Returns
    -------
    Demeaned
        The new columns are also there for rows that no mean is over, where their level has one.

    Raises
    ------
    MissingColumns
        The frame lacks a column.
    InvalidArgument
        A column holds no numbers and is no factor, one is there already that is to be made, or of several ``by`` some
        are nested and others are not.
    UnfitData
        No row has all.

    Source: datawizard's ``demean``; Bell, Fairbrother and Jones (2019); Guo, Dhaliwal and Rights (2024) for crossed
    groups; Brincks et al. (2017) for nested ones.

    Examples
    --------
    >>> import pandas as pd
    >>> pupils = pd.DataFrame({"school": ["a", "a", "b", "b"], "ses": [1.0, 3.0, 4.0, 8.0]})
    >>> demean(pupils, "ses", "school").frame
      school  ses  ses_between  ses_within
    0      a  1.0          2.0        -1.0
    1      a  3.0          2.0         1.0
    2      b  4.0          6.0        -2.0
    3      b  8.0          6.0         2.0
    """
    data = pandas_frame(frame)
    levels, is_nested = _levels(data, by, nested)
    variables = dict(_variables(data, check_columns(data, select, "select")))
    names = {v: [f"{v}_{g}{suffix_between}" for g in levels] for v in variables}
    if len(levels) == 1:
        names = {v: [f"{v}{suffix_between}"] for v in variables}
    between = [name for each in names.values() for name in each]
    within = {v: f"{v}{suffix_within}" for v in variables}
    new = [*between, *within.values()]
    _check_names(data, new)
    used = _complete(data, [*([complete] if isinstance(complete, str) else complete), *_columns_of(formula, data, new)])
    factors = [groups_of(data, levels[: i + 1] if is_nested else [g]) for i, g in enumerate(levels)]
    parts = {v: [_mean(v, values, g, used) for g in factors] for v, values in variables.items()}
    made: dict[str, Array] = {}
    for v, each in parts.items():
        spread = np.stack([part.spread for part in each])
        made |= dict(zip(names[v], np.diff(spread, axis=0, prepend=0) if is_nested else spread, strict=True))
        made[within[v]] = variables[v] - (spread[-1] if is_nested else spread.sum(axis=0))
    means = pd.concat([part.table for each in parts.values() for part in each], ignore_index=True)
    return Demeaned(
        data.assign(**{name: made[name] for name in new}),
        tuple(between),
        tuple(within.values()),
        means,
        used,
        is_nested,
    )


class _Mean(NamedTuple):
    """Means of a variable by the levels of a factor, in a value per row and in a table."""

    spread: Array
    table: pd.DataFrame


def _mean(variable: str, values: Array, groups: RowGroups, used: NDArray[np.bool_]) -> _Mean:
    rows = used & groups.there & ~np.isnan(values)
    if not rows.any():
        raise UnfitData(f"no row has a value of {variable!r}, of {groups.name!r} and of all that is to be complete.")
    means = groups.means(values, rows)
    told = {"factor": groups.name, "level": groups.labels, "variable": variable, "mean": means}
    counts = np.bincount(groups.codes[rows], minlength=len(groups.labels))
    return _Mean(groups.spread(means), pd.DataFrame(told | {"rows": counts}))


def _check_names(data: pd.DataFrame, new: list[str]) -> None:
    if len(set(new)) < len(new):
        raise InvalidArgument(f"two of the new columns have one name, of {', '.join(new)}; give other suffixes.")
    check_new(data, new, "rename it, or give suffix_between= and suffix_within=")


def _levels(data: pd.DataFrame, by: str | Sequence[str], nested: bool | None) -> tuple[list[str], bool]:
    """Return the columns that group, and whether each is nested in the one before."""
    if isinstance(by, str) and by not in data.columns and "/" in by:
        by, nested = [part.strip() for part in by.split("/")], True
    names = check_columns(data, by, "by")
    told = len(names) > 1 and nested is None
    return names, _are_nested(data, names) if told else bool(nested) and len(names) > 1


def _are_nested(data: pd.DataFrame, names: Sequence[str]) -> bool:
    """Whether each factor lies in the one before, by its labels."""
    inside = [is_nested_in(data, inner, outer) for outer, inner in pairwise(names)]
    others = [(inner, outer) for inner, outer in permutations(names, 2) if is_nested_in(data, inner, outer)]
    if others and not all(inside):
        told = " and ".join(f"{inner!r} is nested in {outer!r}" for inner, outer in others)
        raise InvalidArgument(
            f"by is {list(names)}, where {told}; name factors that are nested, the outermost first, or factors that "
            "are crossed, or say nested=True or False."
        )
    return all(inside)


def _variables(data: pd.DataFrame, names: Sequence[str]) -> Iterator[tuple[str, Array]]:
    """Yield columns as numbers, a factor of more than two levels as one column per level."""
    for name in names:
        kind = column_kind(data[name])[0] if data[name].notna().any() else "number"
        if kind not in ("text", "category") or describe_numbers(data[name], mixed=True):
            yield name, numbers_of(data[name], "select")
            continue
        factor = columns.encode_column(data[name])
        assert isinstance(factor, Factor)  # noqa: S101 - text and categories are
        absent = np.where(factor.codes < 0, np.nan, 0.0)
        if len(factor.labels) <= 2:
            yield name, absent + factor.codes
        else:
            yield from ((f"{name}_{label}", absent + (factor.codes == i)) for i, label in enumerate(factor.labels))


def _columns_of(formula: str | None, data: pd.DataFrame, new: Sequence[str]) -> list[str]:
    """Return the columns of a formula that the frame has, where the others are those to be made."""
    if formula is None:
        return []
    names = parse(formula).expand_dot([*map(str, data.columns), *new]).variables
    if missing := [name for name in names if name not in data.columns and name not in new]:
        raise MissingColumns(missing, [*data.columns, *new])
    return [name for name in names if name in data.columns]


def _complete(data: pd.DataFrame, names: Sequence[str]) -> NDArray[np.bool_]:
    if not names:
        return np.ones(len(data), bool)
    return np.asarray(data[check_columns(data, names, "complete")].notna().all(axis=1), bool)
