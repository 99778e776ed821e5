"""Pictures of the study: gaps on a logarithmic scale, and time beside accuracy."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lmerbridge.parity.study.summary import study_fits
from lmerbridge.report import figures
from lmerbridge.report.digits import digit_panels
from lmerbridge.report.study.tables import FLOOR, MODELS, models_with_gaps
from lmerbridge.report.svg import BOTTOM, CANDIDATE, LINE, PAPER, REFERENCE, SOFT, canvas, style, svg
from lmerbridge.report.wording import brief, short

LETTERS = 20
AREA = 190.0  # square points of the disk of all fits of an engine
LEFT = 1.5  # inches for names
HIGH = 0.27  # inches of a line


def study_pictures(told: Mapping[str, Any], times: Mapping[str, Any]) -> dict[str, list[tuple[str, Markup]]]:
    """Draw the pictures of a study: by section, each with its caption; the same study gives the same bytes."""
    loose = told["limits"]["loose"]
    shares = "Left the share right with its interval, right the time with its quartiles."
    drawn = [(shares, draw_times(told, times))] if times["table"] and told["linear"] else []
    return {
        "digits": [
            (f"Correct digits of {p.kind}.", figures.draw_digits(p)) for p in digit_panels(study_fits(told).digits)
        ],
        "gaps": [(f"{MODELS[model]}.", draw_gaps(told, model, loose)) for model in models_with_gaps(told)],
        "time": drawn,
    }


def draw_gaps(told: Mapping[str, Any], model: str, loose: float) -> Markup:
    """Draw for each engine its gaps by half decades as disks, their median and their 90th percentile."""
    quantiles = [row for row in told["gaps"] if row["model"] == model]
    gaps = _gaps(told["rows"], model)
    with style(f"study gaps {model}"):
        figure, axes = canvas(7.0, 0.75 + HIGH * len(quantiles), left=LEFT, top=0.25)
        axes.axvline(loose, color=SOFT, linewidth=0.8, linestyle=(0, (5, 4)))
        axes.text(loose, -0.75, f" right up to {loose:g}", va="center")
        for place, row in enumerate(quantiles):
            _strip(axes, place, gaps[row["engine"]], row)
        _names(axes, [row["engine"] for row in quantiles])
        axes.set_xscale("log")
        axes.set_xlim(FLOOR / 3, 3e4)
        decades = range(-9, 5, 2)
        axes.set_xticks([10.0**k for k in decades], [f"≤ {FLOOR:g}" if k == -9 else short(10.0**k) for k in decades])
        axes.minorticks_off()
        axes.set_xlabel("deviance units above the best optimum known")
        worst = ", ".join(f"{row['engine']} {short(row['q90'])}" for row in quantiles)
        return svg(figure, f"Gaps of {model} models by engine; the 90th percentile: {worst}.")


def draw_times(told: Mapping[str, Any], times: Mapping[str, Any]) -> Markup:
    """Draw the share right with its interval beside the time over lme4's with its quartiles."""
    ratios = {row["engine"]: row for row in times["table"]}
    rows = [row for row in told["linear"] if row["engine"] in ratios and row["taken"]]
    with style("study times"):
        figure, left = canvas(7.0, 0.75 + HIGH * len(rows), left=LEFT, top=0.25, right=3.0)
        right = _beside(figure, left, 0.35, 2.55)
        for place, row in enumerate(rows):
            _interval(left, place, 100 * row["low"], 100 * row["share"], 100 * row["high"])
            ratio = ratios[row["engine"]]
            _interval(right, place, ratio["low"], ratio["median"], ratio["high"], CANDIDATE)
        _names(left, [row["engine"] for row in rows])
        left.set_xlim(0, 102)
        left.set_xlabel("right, %, of linear models")
        _ratio_scale(right, [ratios[row["engine"]] for row in rows])
        words = ", ".join(f"{row['engine']} {ratios[row['engine']]['median']:.2g}" for row in rows)
        return svg(figure, f"Share right, and CPU time over lme4's: {words}.")


def _gaps(groups: Iterable[Mapping[str, Any]], model: str) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for group in groups:
        if (group["block"] == "glmm") == (model == "generalized"):
            found.setdefault(group["engine"], []).extend(gap for gap in group["gap"] if gap is not None)
    return found


def _strip(axes: Axes, place: int, gaps: Sequence[float], row: Mapping[str, Any]) -> None:
    axes.axhline(place, color=LINE, linewidth=0.6)
    bins = Counter(round(2 * math.log10(max(gap, FLOOR))) / 2 for gap in gaps)
    for decade, number in sorted(bins.items()):
        size = math.sqrt(AREA * number / len(gaps)) + 1.2
        axes.plot(10.0**decade, place, "o", mec=REFERENCE, mfc=PAPER, mew=0.9, markersize=size)
    ends = [max(row["q50"], FLOOR), max(row["q90"], FLOOR)]
    axes.plot(ends, [place] * 2, color=CANDIDATE, linewidth=1.6)
    axes.plot(ends[0], place, "|", color=CANDIDATE, markersize=9, mew=1.8)


def _names(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), [brief(name, LETTERS) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)


def _beside(figure: Figure, axes: Axes, gap: float, width: float) -> Axes:
    """Return axes to the right of others, inches apart and wide, with the same lines."""
    total, height = figure.get_size_inches()
    box = axes.get_position()
    other = figure.add_axes((box.x1 + gap / total, BOTTOM / height, width / total, box.height), sharey=axes)
    other.patch.set_visible(False)
    other.tick_params(axis="y", length=0, labelleft=False)
    return other


def _interval(axes: Axes, place: int, low: float, middle: float, high: float, color: str = REFERENCE) -> None:
    axes.axhline(place, color=LINE, linewidth=0.6)
    axes.plot([low, high], [place] * 2, color=color, linewidth=1.4)
    axes.plot(middle, place, "o", color=color, markersize=4.5)


def _ratio_scale(axes: Axes, ratios: Sequence[Mapping[str, float]]) -> None:
    low, high = min(r["low"] for r in ratios), max(r["high"] for r in ratios)
    axes.axvline(1, color=SOFT, linewidth=0.8, linestyle=(0, (5, 4)))
    axes.set_xscale("log")
    axes.set_xlim(low / 1.4, high * 1.4)
    ticks = [tick for tick in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100) if low / 1.4 <= tick <= high * 1.4]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel("CPU time over lme4's")
