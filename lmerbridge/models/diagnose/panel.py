"""The panel of plots that shows what a model assumes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lmerbridge.drawing import COLOR, LINE, POINTS, Panels, panel_grid, quantile_plot, several_panels
from lmerbridge.models.diagnose import residuals
from lmerbridge.models.kept import KeptFit
from lmerbridge.models.predict import simulate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TREND = 12  # pieces of the fitted values, whose medians a line joins
LEAST = 12  # rows a piece
DENSE = 2000  # points from which on each is smaller and paler
NAMED = 5  # outliers with their names beside them
RED = "#b5452c"
QUARTILES = (0.25, 0.5, 0.75)
SPREAD = 4.0  # standard deviations that a density is drawn over, beyond the values
Array: TypeAlias = NDArray[np.float64]
Drawing = Callable[["Axes"], None]


def draw(
    fit: KeptFit, axes: Sequence[Axes] | Panels | None, limit: float, inflation: pd.DataFrame, nsim: int, seed: int
) -> Panels:
    """Draw the panel of a fit, one plot on each of the Axes."""
    values = residuals.resid(fit, "pearson", scaled=True).dropna().to_numpy()
    plots: list[Drawing] = [
        partial(_quantiles, values=values, title="Residuals"),
        partial(_density, values=values),
        partial(_residuals, fitted=fit.fitted_values, values=values),
        partial(_scale_location, fitted=fit.fitted_values, values=values),
        partial(_leverage, fit=fit, values=values, limit=limit),
        partial(_predictive, fit=fit, nsim=nsim, seed=seed),
    ]
    if len(inflation):
        plots.append(partial(_inflation, inflation=inflation))
    for modes in fit.modes:
        for term, effects in zip(modes.terms, modes.modes.T, strict=True):
            plots.append(partial(_quantiles, values=effects, title=f"{modes.group} {term}"))
    found = panel_grid(axes, len(plots))
    for ax, plot in zip(found, plots, strict=True):
        plot(ax)
    return found


def draw_simulated(used: pd.DataFrame, p_value: float, axes: Sequence[Axes] | Panels | None) -> Panels:
    """Draw simulated residuals against uniform quantiles and against the ranks of the predictions."""
    found = several_panels(axes, 2)
    _uniform(found[0], used["residual"].to_numpy(), p_value)
    _by_rank(found[1], used)
    return found


def _quantiles(ax: Axes, values: Array, title: str) -> None:
    quantile_plot(ax, values)
    ax.set_title(f"Q-Q: {title}", fontsize=10)
    ax.set_ylabel("sample quantiles")


def _density(ax: Axes, values: Array) -> None:
    from scipy.stats import norm  # slow to load

    at = np.linspace(values.min() - 0.5, values.max() + 0.5, 300)
    ax.hist(values, bins="auto", density=True, color=COLOR, alpha=0.25)
    ax.plot(at, norm.pdf(at, values.mean(), values.std(ddof=1)), **LINE, linestyle="--", label="normal")
    ax.plot(at, _kernel(values, at), color=COLOR, label="residuals")
    ax.set(xlabel="scaled residuals", ylabel="density")
    ax.set_title("Density of residuals", fontsize=10)
    ax.legend(fontsize=8)


def _kernel(values: Array, at: Array) -> Array:
    """Return a normal kernel density at equally spaced points, of the values' counts between them.

    It is zero where all values are one. The bandwidth is Scott's.
    """
    from scipy.ndimage import gaussian_filter1d  # slow to load

    step = at[1] - at[0]
    width = values.std(ddof=1) * len(values) ** -0.2
    if width <= 1e-10 * np.abs(values).max():
        return np.zeros(len(at))
    counts = np.histogram(values, bins=np.append(at - step / 2, at[-1] + step / 2))[0]
    smooth = gaussian_filter1d(counts.astype(float), width / step, mode="constant")
    return np.asarray(smooth / (len(values) * step), np.float64)


def _trend(ax: Axes, x: Array, y: Array) -> None:
    """Draw the medians of pieces of equal numbers of rows."""
    count = min(TREND, len(x) // LEAST)
    if count >= 2 and np.ptp(x) > 1e-10 * np.abs(x).max():
        pieces = np.array_split(np.argsort(x, kind="stable"), count)
        ax.plot([np.median(x[p]) for p in pieces], [np.median(y[p]) for p in pieces], color=RED, linewidth=1.2)


def _residuals(ax: Axes, fitted: Array, values: Array) -> None:
    ax.axhline(0, **LINE)
    _points(ax, fitted, values)
    _trend(ax, fitted, values)
    ax.set(xlabel="fitted values", ylabel="scaled residuals")
    ax.set_title("Residuals: no trend is expected", fontsize=10)


def _scale_location(ax: Axes, fitted: Array, values: Array) -> None:
    sizes = np.sqrt(np.abs(values))
    _points(ax, fitted, sizes)
    _trend(ax, fitted, sizes)
    ax.set(xlabel="fitted values", ylabel="√|scaled residuals|")
    ax.set_title("Scale-location: a level line is expected", fontsize=10)


def _points(ax: Axes, x: NDArray[Any], y: NDArray[Any]) -> None:
    ax.scatter(x, y, **POINTS | ({"s": 3, "alpha": 0.25} if len(x) > DENSE else {}))


def _leverage(ax: Axes, fit: KeptFit, values: Array, limit: float) -> None:
    leverage = residuals.hatvalues(fit).dropna()
    ax.axhline(0, **LINE)
    _points(ax, leverage.to_numpy(), values)
    if fit.terms:
        distances = residuals.cooks_distance(fit).dropna()
        far = (distances > limit).to_numpy()
        ax.scatter(leverage[far], values[far], s=18, color=RED, zorder=3)
        for i in [i for i in np.argsort(-distances.to_numpy(), kind="stable")[:NAMED] if far[i]]:
            ax.annotate(str(leverage.index[i]), (leverage.iloc[i], values[i]), fontsize=8, ha="right", va="bottom")
    ax.set_xlim(0, leverage.max() * 1.1)
    ax.set(xlabel="leverage", ylabel="scaled residuals")
    ax.set_title(f"Leverage: Cook's distance above {limit:.2g} in red", fontsize=10)


def _predictive(ax: Axes, fit: KeptFit, nsim: int, seed: int) -> None:
    drawn = simulate.simulate(fit, nsim, seed=seed).dropna().to_numpy()
    observed = fit.fitted_values + fit.residual_values
    low, high, sd = min(observed.min(), drawn.min()), max(observed.max(), drawn.max()), observed.std()
    at = np.linspace(low - sd / SPREAD, high + sd / SPREAD, 200)
    for column in drawn.T:
        ax.plot(at, _kernel(column, at), color="0.7", linewidth=0.6)
    ax.plot(at, _kernel(observed, at), color=COLOR, linewidth=1.8)
    ax.set(xlabel="response", ylabel="density")
    ax.set_title("Predictive check: simulated grey, observed blue", fontsize=10)


def _inflation(ax: Axes, inflation: pd.DataFrame) -> None:
    sizes = inflation["adjusted"].to_numpy() ** 2
    ax.barh(range(len(sizes)), sizes, color=COLOR, alpha=0.7)
    ax.set_yticks(range(len(sizes)), list(map(str, inflation.index)), fontsize=8)
    ax.invert_yaxis()
    for at in (5, 10):
        ax.axvline(at, **LINE, linestyle=":")
    ax.set_xlim(0, max(11, sizes.max() * 1.05))
    ax.set_xlabel("VIF, of several columns GVIF^(1/df)")
    ax.set_title("Collinearity: 5 is moderate, 10 high", fontsize=10)


def _uniform(ax: Axes, values: Array, p_value: float) -> None:
    n = len(values)
    ax.axline((0, 0), slope=1, **LINE)
    ax.scatter((np.arange(n) + 0.5) / n, np.sort(values), **POINTS)
    ax.set(xlabel="uniform quantiles", ylabel="simulated residuals")
    ax.set_title(f"Q-Q uniform: KS p = {p_value:.3g}", fontsize=10)


def _by_rank(ax: Axes, used: pd.DataFrame) -> None:
    ranks = (used["predicted"].rank() / len(used)).to_numpy(float)
    values, outlier = used["residual"].to_numpy(float), used["outlier"].to_numpy() > 0
    for share in QUARTILES:
        ax.axhline(share, **LINE, linestyle="--")
    _points(ax, ranks, values)
    ax.scatter(ranks[outlier], values[outlier], s=22, marker="*", color=RED, zorder=3)
    count = min(TREND, len(used) // LEAST)
    if count >= 2 and np.ptp(ranks) > 0:
        pieces = np.array_split(np.argsort(ranks, kind="stable"), count)
        for share in QUARTILES:
            at = [float(ranks[piece].mean()) for piece in pieces]
            ax.plot(at, [np.quantile(values[piece], share) for piece in pieces], color=RED, linewidth=1.2)
    ax.set(xlabel="rank of the prediction, over n", ylabel="simulated residuals", xlim=(0, 1), ylim=(-0.02, 1.02))
    ax.set_title("By prediction: quartiles on the dashed lines", fontsize=10)
