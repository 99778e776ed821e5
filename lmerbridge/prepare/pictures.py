"""A scatter of the raw data with a trend per group, before any fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from lmerbridge.bridge import ClassVector, Factor, columns, notices
from lmerbridge.drawing import COLOR, LINE, POINTS, Panels, new_panels, several_panels
from lmerbridge.errors import InvalidArgument, RowsLeftOutWarning, UnfitData, amount
from lmerbridge.inputs import Frame, check_signature, pandas_frame
from lmerbridge.prepare.columns import Array, RowGroups, check_columns, groups_of, numbers_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Layout = Literal["auto", "panels", "colors", "lines"]
COLORED, PANELED = 8, 40  # groups that colours tell apart, and that have room for a panel each
PANELS = 100  # that are drawn at all
TREND: dict[str, Any] = {"color": "0.15", "linewidth": 1.4}


@dataclass(frozen=True, eq=False)
class _Scatter:
    """The rows that are drawn."""

    x: Array
    y: Array
    groups: RowGroups
    ticks: Sequence[str]

    def parts(self) -> Iterator[tuple[str, Array, Array]]:
        for code, label in enumerate(self.groups.labels):
            rows = self.groups.codes == code
            if rows.any():
                yield label, self.x[rows], self.y[rows]


@check_signature
def plot_groups(
    frame: Frame,
    x: str,
    y: str,
    by: str | Sequence[str],
    *,
    layout: Layout = "auto",
    axes: Any = None,  # noqa: ANN401  # Axes, which only type checkers import; checked where they are used
) -> Panels:
    """Draw a response against a variable, with a least squares line per group: no R is started.

    Parameters
    ----------
    frame : DataFrame
    x : str
        A column of numbers, of dates or times, or a factor, whose levels are drawn in their order, one unit apart.
    y : str
        A column of numbers.
    by : str or sequence of str
        The columns that group; of several, each combination is a group.
    layout : {"auto", "panels", "colors", "lines"}
        A panel per group; or one panel, with a colour per group and a dashed line through all rows; or the same with
        thin lines of one colour. "auto" takes colours for up to 8 groups, panels for up to 40, and lines for more.
    axes : Axes or sequence of Axes, optional
        Where to draw, one per panel. The default is a new figure of pyplot's.

    Returns
    -------
    ndarray of Axes
        One per panel. A group whose ``x`` does not vary has points and no line.

    Raises
    ------
    InvalidArgument
        ``y`` holds no numbers, or there are more than 100 panels.
    UnfitData
        No row has a value of all.

    Warns
    -----
    RowsLeftOutWarning
        Rows lack a value and are not drawn.

    Examples
    --------
    >>> len(plot_groups(sleepstudy, x="Days", y="Reaction", by="Subject"))
    18
    """
    data = pandas_frame(frame)
    scatter = _scatter(data, x, y, check_columns(data, by, "by"))
    groups = [*scatter.parts()]
    kind = layout if layout != "auto" else "colors" if len(groups) <= COLORED else "panels"
    kind = "lines" if layout == "auto" and len(groups) > PANELED else kind
    if kind == "panels":
        found = _draw_panels(axes, groups)
    else:
        found = several_panels(axes, 1)
        _draw_together(found[0], scatter, groups, colored=kind == "colors")
    _mark(found, scatter)
    if axes is None and len(found) > 1:  # a figure of ours
        found[0].figure.supxlabel(x, fontsize=10)
        found[0].figure.supylabel(y, fontsize=10)
        found[0].figure.suptitle(scatter.groups.name, fontsize=10)
    else:
        for ax in found:
            ax.set(xlabel=x, ylabel=y)
    return found


def _scatter(data: pd.DataFrame, x: str, y: str, by: list[str]) -> _Scatter:
    check_columns(data, [x, y], "x and y")
    groups, (at, ticks), heights = groups_of(data, by), _positions(data[x]), numbers_of(data[y], "y")
    rows = groups.there & ~np.isnan(np.asarray(heights)) & np.asarray(data[x].notna())
    if not rows.any():
        raise UnfitData(f"no row has a value of {x!r}, of {y!r} and of {groups.name!r}; there is nothing to draw.")
    if left := int((~rows).sum()):
        told = f"{left} of {amount(len(rows), 'row')} {'lacks' if left == 1 else 'lack'} a value"
        notices.give([RowsLeftOutWarning(f"{told} and {'is' if left == 1 else 'are'} not drawn.")])
    return _Scatter(at[rows], heights[rows], RowGroups(groups.name, groups.codes[rows], groups.labels), ticks)


def _positions(series: pd.Series) -> tuple[Any, Sequence[str]]:
    """Return where values stand on an axis, and the names of the places of a factor's levels."""
    if series.isna().all():
        return np.full(len(series), np.nan), ()
    found = columns.encode_column(series)
    if isinstance(found, Factor):
        return found.codes.astype(float), found.labels
    if isinstance(found, ClassVector) and found.classes[0] != "difftime":
        return pd.to_datetime(series.astype(object)).to_numpy("datetime64[us]"), ()
    return (found.values, ()) if isinstance(found, ClassVector) else (numbers_of(series, "x"), ())


def _trend(x: Array, y: Array) -> tuple[Array, Array] | None:
    """Return the ends of the least squares line, None where there is no such line."""
    ends = np.array([x.min(), x.max()])
    if ends[0] == ends[1]:
        return None
    start, span = ends[0], (ends[1] - ends[0]).astype(float)
    at = (x - start).astype(float) / span  # times are counted from the first
    centred = at - at.mean()
    slope = centred @ (y - y.mean()) / (centred @ centred)
    return ends, y.mean() + slope * (np.array([0.0, 1.0]) - at.mean())


def _draw_line(ax: Axes, x: Array, y: Array, style: dict[str, Any]) -> None:
    if (trend := _trend(x, y)) is not None:
        ax.plot(*trend, **style)


def _draw_panels(axes: Any, groups: list[tuple[str, Array, Array]]) -> Panels:  # noqa: ANN401
    if len(groups) > PANELS:
        raise InvalidArgument(f"there are {len(groups)} groups, more than {PANELS} panels; layout='lines' is for them.")
    found = _grid(len(groups)) if axes is None else several_panels(axes, len(groups))
    for ax, (label, x, y) in zip(found, groups, strict=True):
        ax.scatter(x, y, **POINTS)
        _draw_line(ax, x, y, TREND)
        ax.set_title(label, fontsize=9)
    return found


def _grid(count: int) -> Panels:
    """Return the panels of a new figure, which share their axes."""
    wide = ceil(sqrt(1.4 * count))
    size = (min(1.7 * wide, 14) + 0.6, 1.7 * ceil(count / wide) + 0.4)
    panels = new_panels(ceil(count / wide), wide, size, shared=True)
    for ax in panels[count:]:
        ax.remove()
    for ax in panels[max(0, count - wide) : count]:  # the lowest of each column
        ax.tick_params(labelbottom=True)
    return np.asarray(panels[:count])


def _draw_together(ax: Axes, scatter: _Scatter, groups: list[tuple[str, Array, Array]], *, colored: bool) -> None:
    faint = {} if colored else {"alpha": max(0.04, min(0.5, 10 / len(groups)))}
    lines = {} if colored else {"alpha": max(0.1, min(0.5, 20 / len(groups)))}
    for i, (label, x, y) in enumerate(groups):
        color = f"C{i % 10}" if colored else COLOR
        ax.scatter(x, y, **(POINTS | {"color": color, "label": label if colored else None} | faint))
        _draw_line(ax, x, y, {"color": color, "linewidth": 1.4 if colored else 0.8} | lines)
    _draw_line(ax, scatter.x, scatter.y, LINE | {"color": "0.15", "linestyle": "--", "label": "all rows"})
    if colored:
        ax.legend(title=scatter.groups.name, fontsize=8, title_fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    else:
        ax.set_title(f"a line per level of {scatter.groups.name}, {len(groups)} in all; dashed: all rows", fontsize=9)


def _mark(panels: Panels, scatter: _Scatter) -> None:
    """Name the places of a factor's levels, and write times short."""
    from matplotlib import dates

    of_dates: Any = dates  # has no types

    for ax in panels:
        if scatter.ticks:
            ax.set_xticks(range(len(scatter.ticks)), scatter.ticks)
            ax.tick_params(axis="x", rotation=90 if len(panels) > 1 and max(map(len, scatter.ticks)) > 2 else 0)
        elif scatter.x.dtype.kind == "M":
            locator = of_dates.AutoDateLocator(minticks=2, maxticks=3 if len(panels) > 1 else 8)
            ax.xaxis.set_major_locator(locator)
            ax.xaxis.set_major_formatter(of_dates.ConciseDateFormatter(locator))
