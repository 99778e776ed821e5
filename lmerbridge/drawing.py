"""Drawing on matplotlib's Axes: panels, quantiles, intervals, densities."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lmerbridge.errors import InvalidArgument, SetupError
from lmerbridge.results import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Panels: TypeAlias = NDArray[Any]  # of Axes
NORMAL = NormalDist()
COLOR = "#1f5a8a"
POINTS: dict[str, Any] = {"s": 12, "color": COLOR, "alpha": 0.7, "linewidths": 0}
LINE: dict[str, Any] = {"color": "0.45", "linewidth": 1}
NAMED = 40  # names that have room on an axis


def new_panels(rows: int, columns: int, size: tuple[float, float], *, shared: bool = False) -> Panels:
    """Return the Axes of a new figure of pyplot's of a size in inches, row by row.

    Raises
    ------
    SetupError
        matplotlib is not installed.
    """
    try:
        import matplotlib.pyplot as plt  # slow to load
    except ModuleNotFoundError as error:
        told = "a picture needs matplotlib, which is not installed: pip install 'lmerbridge[plot]'"
        raise SetupError(told) from error
    how: dict[str, Any] = {"squeeze": False, "sharex": shared, "sharey": shared, "layout": "constrained"}
    return plt.subplots(rows, columns, figsize=size, **how)[1].ravel()  # type: ignore[no-any-return]  # numpy's object


def one_panel(ax: Axes | None) -> Axes:
    """Return the Axes given, or those of a new figure of pyplot's."""
    return several_panels(None if ax is None else [ax], 1)[0]  # type: ignore[no-any-return]  # numpy's object


def panel_grid(axes: Sequence[Axes] | Panels | None, count: int, columns: int = 3) -> Panels:
    """Return the Axes given, as many as there are panels, or those of a new figure, several in a row."""
    if axes is not None:
        return several_panels(axes, count)
    rows = -(-count // columns)
    found = new_panels(rows, columns, (4.2 * columns, 3.4 * rows))
    for empty in found[count:]:
        empty.remove()
    return found[:count]


def several_panels(axes: Sequence[Axes] | Panels | None, count: int) -> Panels:
    """Return the Axes given, as many as there are panels, or those of a new figure of pyplot's.

    Raises
    ------
    InvalidArgument
        Another number of Axes than of panels.
    """
    if axes is None:
        return new_panels(1, count, (4.2 * count + 0.6, 4))
    from matplotlib.axes import Axes

    given = np.atleast_1d(np.asarray(axes, dtype=object)).ravel()
    if len(given) != count:
        raise InvalidArgument(f"axes holds {len(given)} Axes; one per panel is expected, {count} in all.")
    if wrong := [type(ax).__name__ for ax in given if not isinstance(ax, Axes)]:
        raise InvalidArgument(f"where to draw is a {wrong[0]}; Axes of matplotlib are expected, or None.")
    return given


def quantile_plot(ax: Axes, values: Array) -> Axes:
    """Draw values against normal quantiles, with the line through the quartiles, as R's ``qqnorm`` and ``qqline``."""
    quantiles = normal_quantiles(len(values))
    low, high = np.quantile(values, [0.25, 0.75])
    slope = (high - low) / (2 * NORMAL.inv_cdf(0.75))
    ax.axline((0, (low + high) / 2), slope=slope, **LINE)
    ax.scatter(quantiles, np.sort(values), **POINTS)
    ax.set_xlabel("standard normal quantiles")
    return ax


def normal_quantiles(count: int) -> Array:
    """Return the normal quantiles that sorted values are drawn against (R's ``qnorm(ppoints(n))``)."""
    a = 3 / 8 if count <= 10 else 1 / 2
    return np.array([NORMAL.inv_cdf((i - a) / (count + 1 - 2 * a)) for i in range(1, count + 1)])


def interval_plot(
    ax: Axes, estimates: Array, low: Array, high: Array, heights: Array | None = None, names: Sequence[str] = ()
) -> Axes:
    """Draw a point and a line for each interval, one above the other or at some heights.

    Names are written where there is room.
    """
    at = np.arange(len(estimates)) if heights is None else heights
    ax.errorbar(estimates, at, xerr=[estimates - low, high - estimates], fmt="o", ms=3.5, lw=1, color=COLOR)
    if heights is None:
        shown = names if len(names) <= NAMED else []
        ax.set_yticks(range(len(shown)), shown, fontsize=8)
    return ax


def effect_line(ax: Axes, at: Array, limits: tuple[Array, Array, Array], color: str, name: str | None) -> None:
    """Draw a line through means, with a band between their limits."""
    mean, low, high = limits
    ax.fill_between(at, low, high, color=color, alpha=0.2, linewidth=0, zorder=2)
    ax.plot(at, mean, color=color, linewidth=1.8, zorder=3, label=name)


def effect_points(ax: Axes, at: Array, limits: tuple[Array, Array, Array], color: str, name: str | None) -> None:
    """Draw means with intervals, joined by a thin line where they have a name."""
    mean, low, high = limits
    ax.errorbar(at, mean, yerr=[mean - low, high - mean], fmt="o", ms=5, capsize=3, color=color, zorder=3, label=name)
    if name:
        ax.plot(at, mean, color=color, linewidth=1, alpha=0.6, zorder=2)
