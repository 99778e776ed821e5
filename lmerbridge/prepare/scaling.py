"""Columns centred and scaled by constants that are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from lmerbridge.errors import InvalidArgument, UnfitData
from lmerbridge.inputs import Frame, check_methods, check_signature, pandas_frame
from lmerbridge.prepare.columns import (
    Array,
    Prepared,
    RowGroups,
    check_columns,
    check_new,
    describe_levels,
    groups_of,
    numbers_of,
)

Center = Literal["mean", "median", "none"]
Scale = Literal["sd", "2sd", "mad", "none"]
MAD = 1.4826  # R's mad(): of a normal variable it is the standard deviation
CENTERS: Mapping[str, Callable[[Array], float]] = {
    "mean": lambda x: float(np.mean(x)),
    "median": lambda x: float(np.median(x)),
    "none": lambda x: 0.0,
}
SCALES: Mapping[str, Callable[[Array], float]] = {
    "sd": lambda x: float(np.std(x, ddof=1)) if len(x) > 1 else np.nan,
    "2sd": lambda x: 2 * SCALES["sd"](x),
    "mad": lambda x: MAD * float(np.median(np.abs(x - np.median(x)))),
    "none": lambda x: 1.0,
}


@check_methods
@dataclass(frozen=True, eq=False)
class Standardized(Prepared):
    """A frame with columns centred and scaled.

    Attributes
    ----------
    frame : DataFrame
    constants : DataFrame
        One row per column, and per level where there is ``by``: ``column``, ``level``, which is empty without it,
        ``center``, ``scale``, and the number of ``rows`` that they are of. A value is ``(x - center) / scale``.
    columns, by : tuple of str
    suffix : str
        Of the new columns; empty where they took the place of the old ones.
    """

    constants: pd.DataFrame
    columns: tuple[str, ...]
    by: tuple[str, ...]
    suffix: str

    def __str__(self) -> str:
        return self.constants.to_string(index=False)

    __repr__ = __str__

    def apply(self, new: Frame) -> pd.DataFrame:
        """Return new data standardized by the constants of the old.

        Raises
        ------
        MissingColumns
            It lacks a column.
        InvalidArgument
            It has a level that the constants have not.

        Examples
        --------
        >>> scaled = standardize(sleepstudy, "Days")
        >>> scaled.apply(sleepstudy[:2])["Days"].round(3).tolist()
        [-1.562, -1.215]
        """
        data = pandas_frame(new)
        check_columns(data, self.columns, "columns")
        made = {
            f"{name}{self.suffix}": (numbers_of(data[name], "columns") - center) / scale
            for name, center, scale in self._per_row(data)
        }
        if self.suffix:
            check_new(data, made, "take it out first")
        return data.assign(**made)

    def undo(self, frame: Frame | None = None) -> pd.DataFrame:
        """Return a frame with its standardized columns as they were: this one, or another on the same scale.

        Raises
        ------
        MissingColumns, InvalidArgument
            As `apply`.

        Examples
        --------
        >>> standardize(sleepstudy, "Days").undo()["Days"].round(9).tolist()[:3]
        [0.0, 1.0, 2.0]
        """
        data = self.frame if frame is None else pandas_frame(frame)
        check_columns(data, [f"{name}{self.suffix}" for name in self.columns], "columns")
        made = {
            name: numbers_of(data[f"{name}{self.suffix}"], "columns") * scale + center
            for name, center, scale in self._per_row(data)
        }
        dropped = [f"{name}{self.suffix}" for name in self.columns] if self.suffix else []
        return data.assign(**made).drop(columns=dropped)

    def _per_row(self, data: pd.DataFrame) -> Iterator[tuple[str, Array, Array]]:
        """Yield, for each column, the constants of every row."""
        groups = _groups(data, check_columns(data, self.by, "by") if self.by else [])
        known = self.constants.set_index(["column", "level"])
        if unknown := [i for i, label in enumerate(groups.labels) if (self.columns[0], label) not in known.index]:
            raise InvalidArgument(
                f"there are no constants for {describe_levels(groups, unknown)}; levels are expected "
                "that had rows when the constants were computed: leave its rows out, or standardize without by=."
            )
        for name in self.columns:
            center, scale = known.loc[[(name, label) for label in groups.labels]].iloc[:, :2].to_numpy(float).T
            yield name, groups.spread(center), groups.spread(scale)


@check_signature
def standardize(
    frame: Frame,
    columns: str | Sequence[str],
    by: str | Sequence[str] | None = None,
    *,
    center: Center = "mean",
    scale: Scale = "sd",
    suffix: str = "",
) -> Standardized:
    """Centre and scale columns, and keep the constants: no R is started.

    Parameters
    ----------
    frame : DataFrame
    columns : str or sequence of str
        Columns of numbers. A missing value stays missing, and the constants are of those that are there.
    by : str or sequence of str, optional
        Columns whose levels have constants of their own; of several, each combination is a level.
    center : {"mean", "median", "none"}
    scale : {"sd", "2sd", "mad", "none"}
        The standard deviation has n - 1; of two, a slope compares with that of a 0/1 variable (Gelman, 2008). R's
        ``mad`` is the median absolute deviation times 1.4826.
    suffix : str
        New columns are named so, as in ``"_z"``. Without it they take the place of the old ones.

    Returns
    -------
    Standardized
        `Standardized.apply` takes new data, `Standardized.undo` brings the old units back.

    Raises
    ------
    MissingColumns
        The frame lacks a column.
    UnfitData
        A column, or a level of it, does not vary, has no value, or has one alone, and is to be scaled.
    InvalidArgument
        A column holds no numbers, or also groups.

    Source: R's ``scale``, and datawizard's ``standardize``.

    Examples
    --------
    >>> print(standardize(sleepstudy, "Days"))
    column level  center    scale  rows
      Days           4.5 2.880293   180
    """
    data = pandas_frame(frame)
    names = check_columns(data, columns, "columns")
    levels = [] if by is None else check_columns(data, by, "by")
    if both := [name for name in names if name in levels]:
        raise InvalidArgument(f"{both[0]!r} groups and is to be standardized; one of both is expected.")
    groups = _groups(data, levels)
    rows = [row for name in names for row in _constants(numbers_of(data[name], "columns"), name, groups, center, scale)]
    table = pd.DataFrame(rows, columns=["column", "level", "center", "scale", "rows"])
    found = Standardized(data, table, tuple(names), tuple(levels), suffix)
    return Standardized(found.apply(data), table, tuple(names), tuple(levels), suffix)


def _groups(data: pd.DataFrame, by: Sequence[str]) -> RowGroups:
    """Return the rows by the levels of some columns, or all of them in one level that has no name."""
    return groups_of(data, by) if by else RowGroups("", np.zeros(len(data), np.int64), ("",))


def _constants(values: Array, name: str, groups: RowGroups, center: str, scale: str) -> list[tuple[object, ...]]:
    """Return the constants of a column, level by level."""
    parts = [values[(groups.codes == code) & ~np.isnan(values)] for code in range(len(groups.labels))]
    found = [(CENTERS[center](part), SCALES[scale](part)) if len(part) else (np.nan, np.nan) for part in parts]
    if flat := [i for i, (_, size) in enumerate(found) if not size > 0]:
        where = f" in {describe_levels(groups, flat)}" if groups.name else ""
        raise UnfitData(
            f"{name!r} has no two values{where} from which a scale above 0 could be computed; leave it out, or "
            f"{'scale it over all rows, without by=' if where else 'give another scale'}."
        )
    return [(name, label, *each, len(part)) for label, each, part in zip(groups.labels, found, parts, strict=True)]
