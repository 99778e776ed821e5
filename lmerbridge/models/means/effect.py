"""The effect of one predictor: means along its values, by those of others, and the data beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from lmerbridge import drawing
from lmerbridge.errors import InvalidArgument
from lmerbridge.formula import deparse
from lmerbridge.inputs import check_methods
from lmerbridge.models.diagnose import residuals
from lmerbridge.models.extract import objective
from lmerbridge.models.kept import KeptFit
from lmerbridge.models.means import emmeans, methods, predictors
from lmerbridge.models.predict import scale
from lmerbridge.results import shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EffectPoints = Literal["partial", "observed", "none"]
TAKEN = {"estimate", "std_error", "df", "conf_low", "conf_high", "partial", "observed"}  # columns of the tables
CELLS = 10000  # of a grid, emmeans' own limit


@check_methods
@shown()
@dataclass(frozen=True, eq=False, repr=False)
class Effect:
    """Means of the response along a predictor, with the rows of the fit beside them.

    Attributes
    ----------
    x : str
        The predictor.
    by : tuple of str
        Those with a line for each of their values.
    frame : DataFrame
        One row per mean: the values of ``x`` and ``by``, ``estimate``, ``std_error``, ``df``, ``conf_low`` and
        ``conf_high``, in the response's unit or on the scale of the link, as `emmeans` has them; of a generalized
        model also ``scale``, which of them it is.
    points : DataFrame
        One row per row used: ``x``; the values of ``by`` whose line is the nearest; ``partial``, the line there plus
        the row's residual; and ``observed``, the response. Of a generalized model the residual is the working one, on
        the scale of the link, on which the response is the linear predictor plus that residual; on the scale of the
        response ``partial`` is taken over by the inverse of the link.
    level : float
        Confidence level, between 0 and 1.
    response : str
        What is predicted, as the formula has it.
    scale : str
        What means and ``points`` are on, ``"link"`` or ``"response"``, as `EmmGrid` has it.
    """

    x: str
    by: tuple[str, ...]
    frame: pd.DataFrame
    points: pd.DataFrame = field(repr=False)
    level: float
    response: str
    scale: str = "response"

    def __str__(self) -> str:
        return self.frame.to_string(index=False)

    def __repr__(self) -> str:
        by = f" by {', '.join(self.by)}" if self.by else ""
        return f"<Effect of {self.x}{by} on {self.response}>"

    def plot(self, ax: Axes | None = None, *, points: EffectPoints = "partial") -> Axes:
        """Draw a line with its band for each combination of ``by``, or means with intervals where ``x`` is a factor.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw. The default is a new figure of pyplot's.
        points : {"partial", "observed", "none"}
            Which points are drawn beside them.

        Returns
        -------
        Axes
        """
        ax = drawing.one_panel(ax)
        labels = [] if self.frame[self.x].dtype.kind in "iuf" else list(dict.fromkeys(map(str, self.frame[self.x])))
        draw = drawing.effect_points if labels else drawing.effect_line
        lines, data = _parts(self.frame, self.by), _parts(self.points, self.by)
        for i, (values, line) in enumerate(lines.items()):
            color = f"C{i % 10}" if self.by else drawing.COLOR
            shift = (i - (len(lines) - 1) / 2) * 0.6 / len(lines) if labels else 0.0
            if points != "none" and values in data:
                at = _places(data[values][self.x], labels) + shift
                if labels:  # points beside one another, the same in every drawing
                    at += ((np.arange(len(at)) * 0.618) % 1 - 0.5) * 0.3 / len(lines)
                ax.scatter(at, data[values][points], s=12, color=color, alpha=0.35, linewidths=0, zorder=1)
            estimate, low, high = (line[name].to_numpy() for name in ("estimate", "conf_low", "conf_high"))
            name = ", ".join(map(_show, values)) or None
            draw(ax, _places(line[self.x], labels) + shift, (estimate, low, high), color, name)
        if labels:
            ax.set_xticks(range(len(labels)), labels)
            ax.set_xlim(-0.6, len(labels) - 0.4)
        if self.by:
            ax.legend(title=", ".join(self.by), frameon=False)
        ax.set_xlabel(self.x)
        ax.set_ylabel(f"{self.response}, {self.level:.0%} interval")
        return ax


def effect(
    fit: KeptFit,
    x: str,
    by: methods.Names | None = None,
    *,
    at: emmeans.At | None = None,
    type: emmeans.MeansScale = "link",
    ddf: emmeans.MeansDdf = "asymptotic",
    level: float = 0.95,
    timeout: float | None = None,
) -> Effect:
    """Estimate means of the response along a predictor: what `plot_effect` draws.

    Parameters
    ----------
    x : str
        A column of the fixed part. A number runs from its least to its largest value in the rows used, a factor over
        its levels.
    by : str or sequence of str
        Columns with a line for each of their values: the levels of a factor; of a number its mean and one standard
        deviation below and above, or all its values where they are three or fewer.
    at : mapping
        Other values, of ``x``, ``by`` or what is held, as in `emmeans`.
    type : {"link", "response"}
        Scale of the means: that of the linear predictor, or that of the response, as probabilities and counts are. A
        linear model has one.
    ddf : {"asymptotic", "Kenward-Roger", "Satterthwaite"}
        Method for the denominator degrees of freedom: limits are normal quantiles, or those of t.
    level : float
        Confidence level, between 0 and 1.
    timeout : float, optional
        Seconds after which R is stopped. The default is no limit.

    Returns
    -------
    Effect
        By emmeans: other numbers are held at their means, and other factors averaged, each level alike. Random effects
        are zero, and their variance is not in the limits.

    Raises
    ------
    InvalidArgument
        A name is none of the fixed part's, or a date's; or ``type`` is "response" of a linear model whose response
        is transformed.

    Warns
    -----
    RWarning
        What emmeans says: of an interaction with a variable that is averaged.

    Examples
    --------
    >>> fit.effect("Days", at={"Days": [0, 9]}).frame.round(2)
       Days  estimate  std_error   df  conf_low  conf_high
    0   0.0    251.41       6.82  inf    238.03     264.78
    1   9.0    345.61      14.63  inf    316.94     374.28
    """
    known = predictors.predictors_of(fit)
    (x,) = methods.name_list("x", x, list(known))
    by = tuple(() if by is None else methods.name_list("by", by, list(known)))
    if x in by:
        raise InvalidArgument(f"by is {by!r}, which names x; other columns are expected.")
    if dates := [name for name in (x, *by) if known[name].is_date]:
        raise InvalidArgument(f"{dates[0]!r} is a date or a time; make a number of it before the fit, such as days.")
    if taken := [name for name in (x, *by) if name in TAKEN]:
        raise InvalidArgument(f"{taken[0]!r} is a column of the means or their points; rename it, and fit again.")
    held = {name: known[name].lines() for name in by if not known[name].is_factor}
    if not known[x].is_factor:
        held[x] = np.linspace(known[x].used.min(), known[x].used.max(), _count(known, x, held))
    if type == "response" and fit.kind.linear and fit.spec.parsed.response_name is None:
        raise InvalidArgument(
            "type is 'response', and the response is transformed; emmeans(type='response') has means."
        )
    given: dict[str, Any] = {"at": held | dict(at or {}), "ddf": ddf, "level": level, "timeout": timeout}
    found = emmeans.emmeans(fit, [x], by or None, type=type, **given)
    lines = found if type == "link" else emmeans.emmeans(fit, [x], by or None, **given)
    points = _points(fit, known[x], [known[name] for name in by], lines.frame)
    if type == "response":
        points["partial"] = scale.inverse_link(fit, points["partial"])["mean"]
        points["observed"] = objective.design(fit).y
    response = deparse(fit.spec.parsed.response)
    link = "" if fit.kind.linear or type == "response" else f"{fit.kind.link} of the mean of "
    return Effect(x, by, found.frame, points, level, f"{link}{response}", found.scale)


def plot_effect(
    fit: KeptFit,
    x: str,
    by: methods.Names | None = None,
    ax: Axes | None = None,
    *,
    points: EffectPoints = "partial",
    at: emmeans.At | None = None,
    type: emmeans.MeansScale = "link",
    ddf: emmeans.MeansDdf = "asymptotic",
    level: float = 0.95,
    timeout: float | None = None,
) -> Axes:
    """Draw the means of the response along a predictor, with bands and data: emmeans' ``emmip``.

    Parameters
    ----------
    x, by, at, type, ddf, level, timeout
        As in `effect`, which has the numbers.
    ax : Axes, optional
        Where to draw. The default is a new figure of pyplot's.
    points : {"partial", "observed", "none"}
        Partial residuals, each on its line plus the row's residual, so that other predictors and random effects are
        taken off; or the response as it is; or none.

    Returns
    -------
    Axes

    Examples
    --------
    >>> fit.plot_effect("Days").get_ylabel()
    'Reaction, 95% interval'
    """
    return effect(fit, x, by, at=at, type=type, ddf=ddf, level=level, timeout=timeout).plot(ax, points=points)


def _count(known: Mapping[str, predictors.Predictor], x: str, held: Mapping[str, Any]) -> int:
    """Return at how many values of a number means are taken, so that emmeans' grid stays within its limit."""
    cells = prod(len(np.unique(each.used)) for name, each in known.items() if name != x and each.is_factor)
    return int(np.clip(CELLS // (cells * prod(map(len, held.values()))), 2, predictors.ALONG))


def _points(
    fit: KeptFit, x: predictors.Predictor, by: Sequence[predictors.Predictor], frame: pd.DataFrame
) -> pd.DataFrame:
    """Return the rows used beside the means: the nearest lines, and what is left over on these."""
    held = {each.name: np.unique(np.asarray(frame[each.name])) for each in by}
    found = pd.DataFrame({each.name: each.nearest(held[each.name]) for each in by}, fit._rows_index)
    found.insert(0, x.name, x.used)
    on_line = np.full(len(found), np.nan)
    lines = _parts(frame, list(held))
    for values, row in _parts(found.reset_index(drop=True), list(held)).items():
        if (line := lines.get(values)) is not None:
            on_line[row.index] = _read(line, x, row[x.name])
    left, linear = fit.residual_values, getattr(fit, "linear_predictor", fit.fitted_values)
    if not fit.kind.linear:
        left = residuals.resid(fit, "working").dropna().to_numpy()
    return found.assign(partial=on_line + left, observed=linear + left)


def _read(line: pd.DataFrame, x: predictors.Predictor, at: pd.Series) -> Any:  # noqa: ANN401
    """Return a line's means at some values of the predictor, between two of them by a straight line."""
    if x.is_factor:
        return at.map(dict(zip(line[x.name].tolist(), line["estimate"], strict=True))).to_numpy(float)
    return np.interp(at, line[x.name], line["estimate"], left=np.nan, right=np.nan)


def _parts(frame: pd.DataFrame, by: Sequence[str]) -> dict[tuple[Any, ...], pd.DataFrame]:
    """Return the rows of each combination of values of some columns."""
    keys = pd.Series(list(zip(*(frame[name].tolist() for name in by), strict=True)) or [()] * len(frame), frame.index)
    return {values: frame[[key == values for key in keys]] for values in dict.fromkeys(keys)}


def _places(values: pd.Series, labels: Sequence[str]) -> Any:  # noqa: ANN401
    """Return where values stand on the axis: numbers as they are, levels in their order."""
    return np.array([labels.index(str(value)) for value in values], float) if labels else values.to_numpy(float)


def _show(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
