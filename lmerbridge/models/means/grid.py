"""Grids of estimated marginal means, trends and contrasts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import pandas as pd

from lmerbridge.bridge import Value, frame_from_r
from lmerbridge.drawing import interval_plot, one_panel
from lmerbridge.errors import InvalidArgument
from lmerbridge.inputs import check_methods
from lmerbridge.models.kept import KeptFit, ask
from lmerbridge.models.means.methods import (
    Adjustment,
    Names,
    Side,
    Transformation,
    contrasts_for,
    interactions,
    name_list,
)
from lmerbridge.results import Array, Condition, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Step: TypeAlias = "Mapping[str, Value]"

DDF, LIMITS, TESTS = "Degrees-of-freedom method: ", "Conf-level adjustment: ", "P value adjustment: "  # emmeans' notes
ESTIMATES = ("estimate", "std_error", "df", "conf_low", "conf_high")  # columns


@check_methods
@shown()
@dataclass(frozen=True, eq=False, repr=False)
class EmmGrid:
    """Linear functions of the fixed effects, as emmeans makes them: means, trends or contrasts.

    Attributes
    ----------
    fit : LmerFit
    steps : tuple
        How the grid is made from the fit, to make it again where R has gone.
    level : float
        Confidence level, between 0 and 1.
    grid : DataFrame
        What each row is: levels of factors, values of covariates, names of contrasts.
    frame : DataFrame
        The columns of ``grid``; ``estimate``, in the response's unit; ``std_error``; ``df``; and ``conf_low`` and
        ``conf_high``. Of a generalized model also ``scale``, where no predictor has that name. Its ``attrs`` hold
        ``level``, ``ddf`` and ``adjust``, how the limits are adjusted for the number of rows.
    scale : str
        What the estimates are on: ``"link"``, the linear predictor, and differences on it; ``"response"``; ``"ratio"``
        of two means or odds; or, after `regrid`, ``"log"`` or ``"logit"`` of means. A linear model has the same where
        its response is transformed, as in ``log(y)``, and else ``"response"`` alone.
    estimate_name : str
        What emmeans calls the estimates: ``"emmean"``, ``"Days.trend"``, ``"estimate"``.
    linfct : DataFrame, shape (k, p)
        The linear functions, one column per coefficient; of the estimates themselves after `regrid`.
    vcov : DataFrame, shape (k, k)
        Covariance of the estimates, adjusted by Kenward and Roger where that is the method.
    ddf : str
        Method for the denominator degrees of freedom, as emmeans writes it: ``"kenward-roger"``, ``"satterthwaite"`` or
        ``"asymptotic"``.
    by : tuple of str
        Columns of ``grid`` whose values part it into families.
    notes : tuple of str
        What emmeans says of how the numbers were made.
    conditions : tuple of Condition
        R's messages and warnings.
    """

    fit: KeptFit = field(repr=False)
    steps: tuple[Step, ...] = field(repr=False)
    level: float
    grid: pd.DataFrame
    frame: pd.DataFrame
    scale: str
    estimate_name: str
    linfct: pd.DataFrame
    vcov: pd.DataFrame
    ddf: str
    by: tuple[str, ...]
    notes: tuple[str, ...]
    conditions: tuple[Condition, ...]

    @classmethod
    def of(cls, fit: KeptFit, steps: Sequence[Step], silent: int, level: float, timeout: float | None) -> EmmGrid:
        """Compute the grid to which steps lead from the model.

        Messages of the first ``silent`` steps are not given again.
        """
        reply = ask(fit, "means_grid", timeout=timeout, steps=_number_steps(steps), told=silent, level=level)
        found = reply.values
        grid, notes = _table(found, "grid."), tuple(found["notes"])
        ddf = _read_note(notes, DDF, "asymptotic")
        limits = {name: found[name] for name in ESTIMATES}
        if taken := [name for name in ESTIMATES if name in grid]:
            raise InvalidArgument(f"{taken[0]!r} is a column of the table of means; rename it, and fit again.")
        scale = _scale(fit, steps, found)
        frame = pd.concat([grid, pd.DataFrame(limits), *_scale_column(fit, scale, grid)], axis=1)
        frame.attrs = {"level": level, "ddf": ddf, "adjust": _read_note(notes, LIMITS, "none")}
        rows, terms = pd.RangeIndex(len(grid)), pd.Index(found["term"])
        return cls(
            fit=fit,
            steps=tuple(steps),
            level=level,
            grid=grid,
            frame=frame,
            scale=scale,
            estimate_name=found["estimate_name"][0],
            linfct=pd.DataFrame(found["linfct"].reshape(len(rows), -1, order="F"), rows, terms),
            vcov=pd.DataFrame(found["vcov"].reshape(len(rows), -1, order="F"), rows, rows),
            ddf=ddf,
            by=tuple(found["by"]),
            notes=notes,
            conditions=reply.conditions,
        )

    def __str__(self) -> str:
        return "\n".join([self.frame.to_string(index=False), "", *self.notes])

    def plot(self, ax: Axes | None = None) -> Axes:
        """Plot of the estimates with their intervals, one line per row: R's ``plot`` of a grid.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw. The default is a new figure of pyplot's.

        Returns
        -------
        Axes
        """
        names = [" ".join(map(str, row)) for row in self.grid.itertuples(index=False)]
        estimates, low, high = (self.frame[name].to_numpy() for name in ("estimate", "conf_low", "conf_high"))
        ax = interval_plot(one_panel(ax), estimates, low, high, names=names)
        ax.set_xlabel(f"{self.estimate_name}, {self.level:.0%} interval")
        return ax

    def contrast(
        self,
        method: str | Mapping[str, Sequence[float]] | pd.DataFrame | Array | Sequence[Any] = "pairwise",
        *,
        by: Names | None = None,
        adjust: Adjustment | None = None,
        interaction: bool | Names = False,
        timeout: float | None = None,
    ) -> EmmGrid:
        """Contrast the rows, within each combination of ``by``: emmeans' ``contrast``.

        Parameters
        ----------
        method : str, mapping of str to weights, DataFrame, or array of shape (k,) or (m, k)
            One of emmeans' families, such as ``"pairwise"``, ``"trt.vs.ctrl"``, ``"consec"``, ``"poly"`` or ``"eff"``;
            or contrasts of your own, each a name and one weight per row of the grid, or of one of its families: a
            mapping, the columns of a DataFrame, or the rows of an array, which are called c1, c2 and so on. emmeans
            has none of these where factors are nested.
        by : str or sequence of str
            Columns of the grid; without it, `by`; an empty sequence is none.
        adjust : str
            For multiplicity: ``"tukey"``, ``"holm"``, ``"none"`` ...; without it, emmeans' choice for the method.
        interaction : bool, str or sequence of str
            Contrasts of contrasts: by ``method`` in each factor, or by these methods.
        timeout : float, optional
            Seconds after which R is stopped. The default is no limit.

        Returns
        -------
        EmmGrid

        Examples
        --------
        >>> fit = lmer("angle ~ recipe + temp + (1 | recipe:replicate)", load_dataset("cake"))
        >>> means = fit.emmeans("recipe")
        >>> means.contrast({"A - others": [1, -0.5, -0.5]}).test()[["contrast", "estimate", "p_value"]].round(4)
             contrast  estimate  p_value
        0  A - others       1.5   0.4846
        """
        families = self.by if by is None else self._names("by", by)
        given: dict[str, Value] = {"method": contrasts_for(method, self._family(families))}
        if interaction not in (False, [], ()):
            given["interaction"] = interactions(interaction)
        if by is not None:
            given["by"] = families
        if adjust is not None:
            given["adjust"] = adjust
        return self._then("contrast", given, timeout)

    def pairs(
        self,
        *,
        by: Names | None = None,
        adjust: Adjustment | None = "tukey",
        reverse: bool = False,
        timeout: float | None = None,
    ) -> EmmGrid:
        """Contrast every two rows: emmeans' ``pairs``.

        The arguments are those of `contrast`.
        """
        return self.contrast("revpairwise" if reverse else "pairwise", by=by, adjust=adjust, timeout=timeout)

    def test(
        self,
        null: float = 0.0,
        *,
        side: Side = "two-sided",
        adjust: Adjustment | None = None,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """Test each row: emmeans' ``test``.

        Parameters
        ----------
        null : float
            The estimate under the null hypothesis.
        side : {"two-sided", "left", "right"}
            "right" is that the estimate is larger.
        adjust : str
            For multiplicity, as in `contrast`.
        timeout : float, optional
            Seconds after which R is stopped. The default is no limit.

        Returns
        -------
        DataFrame
            The columns of `grid`; ``estimate``, ``std_error``, ``df``, ``null``, ``statistic`` (t; z where ``df`` is
            infinite), ``p_value``, and by which methods it is: ``ddf`` and ``adjust``. Where `frame` has ``scale``, it
            is last: emmeans tests on the scale of the link, and ``null`` is on it, whatever the estimates are on.
        """
        found = self._summary(timeout, null=float(null), side=side, adjust=adjust, level=self.level)
        tests = {name: found[name] for name in ("estimate", "std_error", "df")} | {"null": null}
        tests |= {name: found[name] for name in ("statistic", "p_value")}
        methods = {"ddf": self.ddf, "adjust": _read_note(found["notes"], TESTS, "none")}
        columns = [self.grid, pd.DataFrame(tests | methods), *_scale_column(self.fit, self.scale, self.grid)]
        return pd.concat(columns, axis=1)

    def confint(
        self, level: float | None = None, *, adjust: Adjustment | None = None, timeout: float | None = None
    ) -> pd.DataFrame:
        """Confidence limits of each row, as `frame` has them, at another level or with another adjustment.

        Source: emmeans' ``confint``.
        """
        level = self.level if level is None else level
        found = self._summary(timeout, level=level, adjust=adjust)
        frame = self.frame.assign(conf_low=found["conf_low"], conf_high=found["conf_high"])
        frame.attrs = {"level": level, "ddf": self.ddf, "adjust": _read_note(found["notes"], LIMITS, "none")}
        return frame

    def joint_tests(self, by: Names | None = None, *, timeout: float | None = None) -> pd.DataFrame:
        """F tests of each term of the grid's factors: emmeans' ``joint_tests``.

        The columns are those of `LmerFit.joint_tests`.
        """
        by = () if by is None else self._names("by", by)
        return test_jointly(self.fit, self.steps, len(self.steps), by, timeout)

    def regrid(self, transform: Transformation = "response", *, timeout: float | None = None) -> EmmGrid:
        """The grid with its estimates on another scale: emmeans' ``regrid``.

        Parameters
        ----------
        transform : {"response", "none", "log", "logit", "pass"}
            "response" undoes a transformation of the response, such as ``log(y)``.
        timeout : float, optional
            Seconds after which R is stopped. The default is no limit.
        """
        return self._then("regrid", {"transform": transform}, timeout)

    def eff_size(self, sigma: float, edf: float, method: str = "pairwise", *, timeout: float | None = None) -> EmmGrid:
        """Cohen's effect sizes: emmeans' ``eff_size``.

        Parameters
        ----------
        sigma : float
            The standard deviation that differences are measured in. A mixed model has several to choose from.
        edf : float
            Its degrees of freedom.
        method : str
            As in `contrast`.
        timeout : float, optional
            Seconds after which R is stopped. The default is no limit.
        """
        if not 0 < sigma < float("inf"):
            raise InvalidArgument(f"sigma is {sigma!r}; a positive finite number is expected.")
        given: dict[str, Value] = {"sigma": float(sigma), "edf": float(edf)}
        return self._then("eff_size", given | {"method": contrasts_for(method, self._family(self.by))}, timeout)

    def _then(self, verb: str, arguments: Mapping[str, Value], timeout: float | None) -> EmmGrid:
        steps: list[Step] = [*self.steps, {"verb": verb, "arguments": arguments}]
        return EmmGrid.of(self.fit, steps, len(self.steps), self.level, timeout)

    def _summary(self, timeout: float | None, *, adjust: Adjustment | None, **arguments: Value) -> dict[str, Any]:
        steps = _number_steps(self.steps)
        return ask(self.fit, "means_summary", timeout=timeout, steps=steps, adjust=adjust, **arguments).values

    def _family(self, by: Sequence[str]) -> int:
        """Return how many rows one family of contrasts has."""
        return int(self.grid.groupby(list(by), observed=True, dropna=False).size().max()) if by else len(self.grid)

    def _names(self, argument: str, given: Names) -> list[str]:
        return name_list(argument, given, self.grid.columns)


def test_jointly(fit: KeptFit, steps: Sequence[Step], silent: int, by: Names, timeout: float | None) -> pd.DataFrame:
    """Return emmeans' joint tests of a grid or, of its first step alone, of a model."""
    reply = ask(fit, "means_joint_tests", timeout=timeout, steps=_number_steps(steps), told=silent, by=list(by))
    note = pd.Series(reply.values["note"], dtype=str)
    return _table(reply.values, "table.").assign(ddf=reply.values["ddf"][0], note=note)


def _scale(fit: KeptFit, steps: Sequence[Step], found: Mapping[str, Any]) -> str:
    """Return what the estimates of a grid are on."""
    if found["back"][0]:
        return "ratio" if "ratio" in found["estimate_name"][0] else "response"
    changes = [transform for step in steps if (transform := _new_scale(step)) not in ("none", "pass")]
    transformed = not fit.kind.linear or fit.spec.parsed.response_name is None
    return changes[-1] if changes else "link" if transformed else "response"


def _new_scale(step: Step) -> str:
    arguments = step["arguments"]
    return str(arguments.get("transform", "none")) if isinstance(arguments, Mapping) else "none"


def _scale_column(fit: KeptFit, scale: str, grid: pd.DataFrame) -> list[pd.Series]:
    """Return a column that tells the scale, of a generalized model without a predictor of that name."""
    told = not fit.kind.linear and "scale" not in grid
    return [pd.Series(scale, grid.index, dtype=str, name="scale")] if told else []


def _number_steps(steps: Sequence[Step]) -> dict[str, Value]:
    return {str(i): step for i, step in enumerate(steps)}


def _table(found: Mapping[str, Any], start: str) -> pd.DataFrame:
    described = {name.removeprefix(start): values for name, values in found.items() if name.startswith(start)}
    return frame_from_r(described).reset_index(drop=True)


def _read_note(notes: Sequence[str], start: str, otherwise: str) -> str:
    """Return the text of one of emmeans' notes, or ``otherwise``."""
    return next((note.removeprefix(start) for note in notes if note.startswith(start)), otherwise)
