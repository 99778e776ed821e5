"""Pictures of contributions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lmerbridge.drawing import COLOR, LINE, NAMED, one_panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DOWN = "#b5533c"
SHORT = 24  # characters of a value
NOISE = 1e-12  # of the largest end: rounding, and no contribution


def waterfall(ax: Axes | None, values: pd.Series, shown: pd.Series, base: float, k: int) -> Axes:
    """Draw contributions one on the other, from the base below to the prediction on top."""
    ax = one_panel(ax)
    order = np.argsort(np.abs(values.to_numpy()), kind="stable")
    rest, own = (order[:-k], order[-k:]) if len(order) > k + 1 else (order[:0], order)
    steps = [values.iloc[rest].sum()] * bool(len(rest)) + list(values.iloc[own])
    names = [f"{len(rest)} other effects"] * bool(len(rest))
    names += [f"{values.index[i]} = {_brief(shown.iloc[i])}" for i in own]
    ends = base + np.cumsum([0.0, *steps])
    colors = [COLOR if step >= 0 else DOWN for step in steps]
    ax.barh(range(len(steps)), steps, left=ends[:-1], color=colors, height=0.6)
    for i, (step, start) in enumerate(zip(steps, ends[:-1], strict=True)):
        ax.plot([start + step] * 2, [i - 0.3, min(i + 1, len(steps) - 1) + 0.3], **LINE)
        right = max(start, start + step)
        told = "0" if abs(step) < NOISE * np.abs(ends).max() else f"{step:+.4g}"
        ax.annotate(told, (right, i), (4, 0), textcoords="offset points", va="center", fontsize=8)
    ax.axvline(base, **LINE, linestyle="dashed")
    ax.set_yticks(range(len(steps)), [_quoted(name) for name in names], fontsize=8)
    ax.use_sticky_edges = False
    ax.margins(x=0.25)
    ax.set_xlabel(f"from the base {base:.5g} to the prediction {base + values.sum():.5g}")
    return ax


def bars(ax: Axes | None, sizes: pd.Series) -> Axes:
    """Draw one bar per effect, the largest on top."""
    ax = one_panel(ax)
    ax.barh(range(len(sizes)), sizes.to_numpy()[::-1], color=COLOR, height=0.6)
    ax.set_yticks(range(len(sizes)), [_quoted(str(name)) for name in sizes.index[::-1]], fontsize=8)
    ax.set_xlabel("mean absolute contribution")
    return ax


def heat_map(ax: Axes | None, table: pd.DataFrame, by: str) -> Axes:
    """Draw effects by levels, dark where the mean absolute contribution is large."""
    ax = one_panel(ax)
    image = ax.imshow(table.to_numpy(float), aspect="auto", cmap="Blues", vmin=0)
    ax.set_yticks(range(len(table)), [_quoted(str(name)) for name in table.index], fontsize=8)
    levels = [_quoted(_brief(level)) for level in table.columns]
    shown = levels if len(levels) <= NAMED else []
    ax.set_xticks(range(len(shown)), shown, fontsize=8, rotation=90 if len(levels) > 6 else 0)
    ax.set_xlabel(_quoted(by))
    ax.figure.colorbar(image, ax=ax, label="mean absolute contribution")
    return ax


def _brief(value: object) -> str:
    text = f"{value:.5g}" if isinstance(value, float | np.floating) else str(value)
    return text if len(text) <= SHORT else f"{text[:SHORT]}..."


def _quoted(text: str) -> str:
    """Return a text as matplotlib draws it, to which dollar signs are mathematics."""
    return text.replace("$", r"\$")
