"""The pictures of a report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes

from lmerbridge.parity import Line
from lmerbridge.report.description import Report
from lmerbridge.report.digits import Panel
from lmerbridge.report.findings import Finding
from lmerbridge.report.forest import EffectShift
from lmerbridge.report.svg import CANDIDATE, LINE, PANEL, PAPER, REFERENCE, SOFT, canvas, style, svg
from lmerbridge.report.wording import brief, short
from lmerbridge.results import Array

LABELS, NUMBERS = 3.3, 0.75  # inches beside the lines of the forest
CONCLUSIONS = 2.0  # standard errors; beyond them the axis of the forest is logarithmic


@dataclass(frozen=True)
class Pictures:
    """All pictures of a report.

    Attributes
    ----------
    forest : Markup or None
    digits : tuple of Markup
        One for each kind of quantity with an exact value.
    lines : dict of str to tuple of Markup
        By a finding's anchor.
    """

    forest: Markup | None
    digits: tuple[Markup, ...]
    lines: dict[str, tuple[Markup, ...]]


def pictures(report: Report) -> Pictures:
    """Draw a report's pictures.

    The same report gives the same pictures, byte for byte.
    """
    return Pictures(
        forest=draw_forest(report.forest) if report.forest else None,
        digits=tuple(draw_digits(panel) for panel in report.digits),
        lines={f.anchor: tuple(draw_line(f, line) for line in f.comparison.lines) for f in report.summary},
    )


def draw_forest(effects: Sequence[EffectShift]) -> Markup:
    """Draw each effect as a point with its standard error, between its label and its number."""
    label = f"Differences of {len(effects)} fixed effects in standard errors, the largest {effects[0].text}."
    with style("forest"):
        figure, axes = canvas(6.9, 0.55 + 0.21 * len(effects), left=LABELS, right=NUMBERS)
        axes.axvspan(-1, 1, color=PANEL)
        axes.axvline(0, color=SOFT, linewidth=0.8)
        for place, effect in enumerate(reversed(effects), start=1):
            _effect(axes, effect, place)
        _signed_scale(axes, max(2.5, *(abs(e.shift) + e.half for e in effects)))
        axes.set(ylim=(0.4, len(effects) + 0.6), yticks=[])
        axes.spines["left"].set_visible(False)
        axes.set_xlabel("difference in the reference's standard errors")
        return svg(figure, label)


def _effect(axes: Axes, effect: EffectShift, place: float) -> None:
    aside = axes.get_yaxis_transform()
    ends = [effect.shift - effect.half, effect.shift + effect.half]
    axes.plot(ends, [place] * 2, color=CANDIDATE, linewidth=1.2)
    axes.plot(effect.shift, place, "s", color=CANDIDATE, markersize=4.5)
    axes.text(-0.02, place, effect.label, transform=aside, va="center", ha="right")
    axes.text(1.02, place, effect.text, transform=aside, va="center")


def _signed_scale(axes: Axes, reach: float) -> None:
    """Show the middle as it is, what lies beyond by its decade."""
    decades = range(1, math.floor(math.log10(reach)) + 1)
    sizes = [1.0, *(10.0**k for k in list(decades)[:: 1 + len(decades) // 4])]
    ticks = [-size for size in sizes] + [0.0] + sizes
    axes.set_xscale("symlog", linthresh=CONCLUSIONS, linscale=1.5)
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_xlim(-1.1 * reach, 1.1 * reach)


def draw_digits(panel: Panel) -> Markup:
    """Draw each engine's correct digits of one kind of quantity.

    There is one mark per case, and the worst is filled and in figures.
    """
    names = [brief(score.engine, 20) for score in panel.scores]
    with style(f"digits {panel.kind}"):
        figure, axes = canvas(3.8, 0.8 + 0.24 * len(names), left=1.4, top=0.25)
        for place, score in enumerate(panel.scores):
            axes.axhline(place, color=LINE, linewidth=0.6)
            axes.plot(score.digits, [place] * len(score.digits), "o", mec=CANDIDATE, mfc=PAPER, markersize=4.5)
            axes.plot(min(score.digits), place, "o", color=CANDIDATE, markersize=4.5)
            axes.text(16, place, score.text, va="center")
        axes.set(xlim=(-0.5, 20), ylim=(len(names) - 0.5, -0.5), xticks=range(0, 16, 3))
        axes.set_yticks(range(len(names)), names)
        axes.tick_params(axis="y", length=0)
        axes.set_title(panel.kind, loc="left", fontsize=9)
        axes.set_xlabel("correct digits")
        told = ", ".join(f"{score.engine} {score.text}" for score in panel.scores)
        return svg(figure, f"Correct digits of {panel.kind} at worst: {told}.")


def draw_line(f: Finding, line: Line) -> Markup:
    """Draw the objective along one line, the reference's answer filled and the candidate's open."""
    at, above = np.array(line.at), np.array(line.above)
    order = np.argsort(at)
    heights = np.interp([line.reference, line.candidate], at[order], above[order])
    with style(f"{f.anchor} {brief(line.along, len(line.along))}"):
        figure, axes = canvas(3.4, 1.9, left=0.6)
        axes.plot(at, above, color=SOFT, linewidth=1.2)
        axes.plot(line.reference, heights[0], "o", color=REFERENCE, markersize=6, clip_on=False)
        axes.plot(line.candidate, heights[1], "s", mec=CANDIDATE, mfc=PAPER, mew=1.6, markersize=6, clip_on=False)
        _heights(axes, line, above)
        _ways(axes, line, [brief(name, 20) for name in (f.comparison.reference, f.comparison.candidate)])
        told = f"{f.comparison.reference} {short(heights[0])}, {f.comparison.candidate} {short(heights[1])}"
        return svg(figure, f"Deviance units above the best optimum known {_way(line)}: {told}.")


def _heights(axes: Axes, line: Line, above: Array) -> None:
    """Show what lies between the answers whole, and beyond them as much as fits."""
    low, high = sorted((line.reference, line.candidate))
    between = above[(np.array(line.at) >= low) & (np.array(line.at) <= high)]
    top = np.nanmax(between, initial=0.0) or 1.0
    axes.set_ylim(-0.08 * top, 1.3 * top)
    axes.locator_params(axis="y", nbins=4)
    axes.set_ylabel("deviance above best", labelpad=2)


def _ways(axes: Axes, line: Line, names: Sequence[str]) -> None:
    if line.along:
        axes.locator_params(axis="x", nbins=4)
        axes.set_xlabel(f"theta: {brief(line.along, 32)}")
    else:
        axes.set_xlim(-0.6, 1.6)  # room for the names, wherever the line ends
        axes.set_xticks([line.reference, line.candidate], names)
        axes.set_xlabel("on the line through both answers")


def _way(line: Line) -> str:
    return f"along theta {line.along}" if line.along else "on the line through both answers"
