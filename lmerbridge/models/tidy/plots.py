"""Plots of a fit on matplotlib's Axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from lmerbridge.drawing import (
    LINE,
    NORMAL,
    POINTS,
    Panels,
    interval_plot,
    normal_quantiles,
    one_panel,
    quantile_plot,
    several_panels,
)
from lmerbridge.errors import InvalidArgument
from lmerbridge.models.diagnose import residuals
from lmerbridge.models.extract import estimates
from lmerbridge.models.kept import KeptFit

if TYPE_CHECKING:
    from matplotlib.axes import Axes


QUANTILES = "standard normal quantiles"


def plot_residuals(
    fit: KeptFit, ax: Axes | None = None, *, type: residuals.ResidualType = "pearson", scaled: bool = False
) -> Axes:
    """Residuals against fitted values: R's ``plot(fit)``.

    Parameters
    ----------
    ax : Axes, optional
        Where to draw. The default is a new figure of pyplot's.
    type : {"pearson", "response", "working", "deviance"}
    scaled : bool
        Divided by sigma.

    Returns
    -------
    Axes

    Examples
    --------
    >>> fit.plot_residuals().get_xlabel()
    'fitted values'
    """
    ax = one_panel(ax)
    ax.axhline(0, **LINE)
    ax.scatter(fit.fitted, residuals.resid(fit, type, scaled=scaled), **POINTS)
    ax.set_xlabel("fitted values")
    ax.set_ylabel(residual_name(type, scaled))
    return ax


def plot_qq(
    fit: KeptFit, ax: Axes | None = None, *, type: residuals.ResidualType = "pearson", scaled: bool = True
) -> Axes:
    """Residuals against normal quantiles: R's ``qqmath(fit)``.

    The arguments are those of `plot_residuals`.

    Examples
    --------
    >>> fit.plot_qq().get_ylabel()
    'scaled pearson residuals'
    """
    ax = quantile_plot(one_panel(ax), residuals.resid(fit, type, scaled=scaled).dropna().to_numpy())
    ax.set_ylabel(residual_name(type, scaled))
    return ax


def plot_ranef(
    fit: KeptFit,
    group: str | None = None,
    axes: Sequence[Axes] | Panels | None = None,
    *,
    level: float = 0.95,
    normal: bool = False,
) -> Panels:
    """Random effects with intervals from their conditional SDs: R's ``dotplot(ranef(fit))``.

    Parameters
    ----------
    group : str, optional
        A grouping factor. The default is all of them, one after another.
    axes : sequence of Axes, optional
        One per group and term. The default is a new figure of pyplot's.
    level : float
        Confidence level, between 0 and 1.
    normal : bool
        Against normal quantiles, as R's ``qqmath(ranef(fit))``, instead of one line per level.

    Returns
    -------
    ndarray of Axes
        One panel per group and term, its levels in the order of their effects.

    Raises
    ------
    InvalidArgument
        There is no such group, or another number of Axes than of panels.

    Examples
    --------
    >>> [ax.get_title() for ax in fit.plot_ranef()]
    ['(Intercept)', 'Days']
    >>> fit = lmer("diameter ~ 1 + (1 | plate) + (1 | sample)", load_dataset("Penicillin"))
    >>> [ax.get_ylabel() for ax in fit.plot_ranef()]
    ['plate', 'sample']
    """
    if group is not None and group not in fit.ranef:
        raise InvalidArgument(f"group is {group!r}; one of {', '.join(map(repr, fit.ranef))} is expected.")
    groups = list(fit.ranef) if group is None else [group]
    table = estimates.ranef_table(fit)
    parts = [(name, *part) for name in groups for part in enumerate(_by_term(table[table["group"] == name]))]
    found = several_panels(axes, len(parts))
    for ax, (name, place, effects) in zip(found, parts, strict=True):
        _effects_plot(ax, effects.sort_values("estimate"), level, normal)
        if place == 0:
            ax.set_ylabel(", ".join([name] * (not normal or len(groups) > 1) + [QUANTILES] * normal))
    return found


def _by_term(table: pd.DataFrame) -> list[pd.DataFrame]:
    """Return the effects of a group term by term: two of them may share a name."""
    levels = table["level"].nunique()
    return [table.iloc[i : i + levels] for i in range(0, len(table), levels)]


def _effects_plot(ax: Axes, effects: pd.DataFrame, level: float, normal: bool) -> None:
    """Draw the effects of one term."""
    modes, spread = (effects[c].to_numpy() for c in ("estimate", "std_error"))
    spread = NORMAL.inv_cdf((1 + level) / 2) * spread
    heights = normal_quantiles(len(effects)) if normal else None
    ax.axvline(0, **LINE)
    interval_plot(ax, modes, modes - spread, modes + spread, heights, list(effects["level"]))
    ax.set_title(str(effects["term"].iloc[0]))
    ax.set_xlabel(f"conditional mode, {level:.0%} interval")


def residual_name(kind: str, scaled: bool) -> str:
    """Return the label of an axis of residuals."""
    return f"scaled {kind} residuals" if scaled else f"{kind} residuals"
