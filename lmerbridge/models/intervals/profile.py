"""The profile of a likelihood: how it falls as a parameter moves away from its estimate."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lmerbridge.bridge import notices
from lmerbridge.drawing import COLOR, LINE, Panels, several_panels
from lmerbridge.errors import InvalidArgument, RError, RWarning, amount
from lmerbridge.models.intervals.parameters import (
    Which,
    interval_table,
    quantiles_of,
    rename_parameters,
    select_rows,
    variance_name,
)
from lmerbridge.models.intervals.spline import Spline, interpolate
from lmerbridge.results import Array, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes


import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Literal, TypeAlias

from lmerbridge.bridge import Value, build
from lmerbridge.inputs import OPTIMIZERS, check_methods
from lmerbridge.models.intervals.spline import Pieces
from lmerbridge.results import Condition

Start: TypeAlias = Literal["prev", "global"]
Scale: TypeAlias = Literal["sdcor", "varcov"]
IN_R = {
    "alpha_max": "alphamax",
    "max_points": "maxpts",
    "delta_cutoff": "delta.cutoff",
    "dev_tol": "devtol",
    "start_method": "startmethod",
    "prof_scale": "prof.scale",
}
LOWER_IN_R = "new, lower deviance"
LOWER = (
    "the profile of {name!r} found a deviance that is lower than the optimum's by more than dev_tol: the optimizer had "
    "stopped short. all_fit() compares the optimizers; fit again with the best, by control={{'optimizer': ...}}."
)


def options(optimizer: str | None, **others: Value) -> dict[str, Value]:
    """Return the options of R's ``profile`` under R's names.

    Raises
    ------
    InvalidArgument
    """
    if optimizer not in (None, *OPTIMIZERS):
        raise InvalidArgument(f"optimizer is {optimizer!r}; one of {', '.join(OPTIMIZERS)}, or None, is expected.")
    given: dict[str, Value] = {"optimizer": optimizer, **others}
    return {IN_R.get(name, name): value for name, value in given.items()}


@dataclass(frozen=True)
class Trace:
    """R's profile of one parameter: the values of all parameters, one after another in lme4's order."""

    zeta: Array
    values: Array
    lower: float
    upper: float
    forward: Pieces
    backward: Pieces


def profile_from_r(parameters: pd.DataFrame, replies: Mapping[str, Mapping[str, Any]], scale: Scale) -> Profile:
    """Return the profile from R's replies by parameter.

    ``parameters`` has the place of each in lme4's order.
    """
    traced = {name: build(Trace, values) for name, values in replies.items()}
    if scale == "varcov":
        random = list(parameters.index[parameters["effect"] == "ran_pars"])
        traced = {variance_name(name) if name in random else name: part for name, part in traced.items()}
        parameters = rename_parameters(parameters, random, variance_name)
    return Profile(
        frame=_frame(parameters, traced),
        forward={name: part.forward.spline() for name, part in traced.items()},
        backward={name: part.backward.spline() for name, part in traced.items()},
        bounds=pd.DataFrame({name: (part.lower, part.upper) for name, part in traced.items()}, ["lower", "upper"]).T,
        parameters=parameters.drop(columns="place"),
    )


def _frame(parameters: pd.DataFrame, traced: Mapping[str, Trace]) -> pd.DataFrame:
    names = pd.Categorical(np.repeat([*traced], [len(part.zeta) for part in traced.values()]), [*traced])
    tables = [part.values.reshape((len(part.zeta), -1), order="F") for part in traced.values()]
    values = pd.DataFrame(np.concatenate(tables)[:, parameters["place"]], columns=list(parameters.index))
    focal = values.to_numpy()[np.arange(len(values)), values.columns.get_indexer(pd.Index(names))]
    zeta = np.concatenate([part.zeta for part in traced.values()])
    return pd.concat([pd.DataFrame({"parameter": names, "zeta": zeta, "focal": focal}), values], axis=1)


def rename_conditions(parameters: pd.DataFrame, conditions: Iterable[Condition]) -> Iterator[Condition]:
    """Yield R's conditions with names of parameters in place of lme4's short ones, ``.sig01`` and ``.sigma``."""
    short = {f".sig{place + 1:02d}": name for name, place in parameters["place"].items()} | {".sigma": "sigma"}
    for condition in conditions:
        text = re.sub(r"\.sig(\d+|ma)\b", lambda found: str(short.get(found[0], found[0])), condition.text)
        yield replace(condition, text=text)


def rename_error(parameters: pd.DataFrame, error: RError, name: str) -> RError:
    """Return R's error with names of parameters, and with what to do about a deviance below the optimum's."""
    text = f"{LOWER.format(name=name)} R said: {error.text}" if LOWER_IN_R in error.text else error.text
    return RError(text, error.classes, error.call).after(rename_conditions(parameters, error.conditions))


@check_methods
@shown()
@dataclass(frozen=True, eq=False, repr=False)
class Profile:
    """The signed root of the deviance's rise, zeta, as each parameter moves and all others follow.

    It is of maximum likelihood, of a REML fit too, which ``lme4::profile`` refits.

    Attributes
    ----------
    frame : DataFrame
        The points, parameter by parameter: parameter, zeta, focal (that parameter's value), and a column for each
        parameter of the model with the values that all had there; R's ``as.data.frame``.
    forward, backward : mapping of str to Spline
        By parameter, from its value to zeta, and back.
    bounds : DataFrame
        By parameter: lower, upper; NaN where there is none.
    parameters : DataFrame
        Effect, group and term of all the model's parameters, those that were not profiled too.
    reml : bool
        False.
    """

    frame: pd.DataFrame
    forward: Mapping[str, Spline]
    backward: Mapping[str, Spline]
    bounds: pd.DataFrame
    parameters: pd.DataFrame
    reml: bool = False

    def __repr__(self) -> str:
        return f"<profile of {', '.join(self.forward)}: {amount(len(self.frame), 'point')}>"

    def confint(self, parm: Which = None, level: float = 0.95) -> pd.DataFrame:
        """Intervals by profile likelihood: ``confint`` of a profile.

        Parameters
        ----------
        parm : str or sequence of str
            Names of parameters, ``"theta_"`` for those of the random part, ``"beta_"`` for the fixed effects.
        level : float
            Confidence level, between 0 and 1.

        Returns
        -------
        DataFrame
            By parameter: effect, group, term, conf_low, conf_high, method. Where a profile ends before zeta has
            reached its quantile, the parameter's bound, or NaN without one.

        Raises
        ------
        InvalidArgument
            The parameter was not profiled.

        Warns
        -----
        RWarning
            There is no spline back from zeta, as where a profile is not monotonic: its points are interpolated.

        Notes
        -----
        Bounds are found by the parameter's name. ``confint`` of lme4 before 2.0 takes those of the first parameters
        of the profile, whichever ``parm`` names.
        """
        profiled = self.parameters[self.parameters.index.isin(list(self.forward))]
        parameters, quantiles = select_rows(profiled, parm), quantiles_of(level)
        ends = pd.DataFrame(np.nan, parameters.index, ["conf_low", "conf_high"])
        for name in parameters.index:
            ends.loc[name] = self._ends(name, quantiles)
        return interval_table(parameters, ends, "profile")

    def _ends(self, name: str, quantiles: Array) -> Array:
        points = self.frame.loc[self.frame["parameter"] == name, ["zeta", "focal"]].dropna()
        if points.empty:
            notices.give([RWarning(f"bad profile for {name}")])
            return np.full(2, np.nan)
        found = self.backward[name](quantiles)
        if not self.backward[name]:
            notices.give([RWarning(f"bad spline fit for {name}: falling back to linear interpolation")])
            values = points.groupby("zeta")["focal"].mean()
            found = np.interp(quantiles, values.index, values, left=np.nan, right=np.nan)
        return np.asarray(np.where(np.isnan(found), self.bounds.loc[name], found))

    def plot(
        self, axes: Sequence[Axes] | Panels | None = None, *, absolute: bool = False, level: float = 0.95
    ) -> Panels:
        """Zeta against each parameter, a straight line where the likelihood is normal: R's ``xyplot`` of a profile.

        Parameters
        ----------
        axes : sequence of Axes, optional
            One per parameter. The default is a new figure of pyplot's.
        absolute : bool
            The absolute value of zeta.
        level : float
            Confidence level, between 0 and 1.

        Returns
        -------
        ndarray of Axes
        """
        found, intervals = several_panels(axes, len(self.forward)), self.confint(level=level)
        for ax, (name, zeta) in zip(found, self.forward.items(), strict=True):
            points = self.frame[self.frame["parameter"] == name]
            shape = np.abs if absolute else np.positive
            values = np.linspace(points["focal"].min(), points["focal"].max(), 200)
            ends = intervals.loc[name, ["conf_low", "conf_high"]].to_numpy(np.float64)
            ax.axhline(0, **LINE)
            ax.plot(values, shape(zeta(values)), color=COLOR)
            ax.scatter(points["focal"], shape(points["zeta"]), s=9, color=COLOR)
            ax.vlines(ends, 0, shape(zeta(ends)), color=LINE["color"], linestyles="dashed")
            ax.set_xlabel(name)
        found[0].set_ylabel("|zeta|" if absolute else "zeta")
        return found

    def log_prof(self, base: float = math.e, *, ranef: bool = True) -> Profile:
        """The profile on the scale of the logarithms of standard deviations: ``logProf``.

        Parameters
        ----------
        base : float
        ranef : bool
            Standard deviations of random effects too, or only the residual one.

        Returns
        -------
        Profile
            Its parameters are ``log_sd_(Intercept)|Subject``, ``log_sigma``. Points where a standard deviation is
            zero are left out. Correlations stay as they are, of which ``logProf`` takes the logarithm. The bound of a
            standard deviation is minus infinity, where ``confint`` of a ``logProf`` says zero.
        """
        return self._transform(lambda values: np.log(values) / np.log(base), "log_{}".format, ranef)

    def variance_prof(self, *, ranef: bool = True) -> Profile:
        """The profile on the scale of variances: ``varianceProf``.

        Parameters
        ----------
        ranef : bool
            Variances of random effects too, or only the residual one.

        Returns
        -------
        Profile
            Its parameters are ``var_(Intercept)|Subject``, ``sigma2``. Correlations stay as they are;
            ``varianceProf`` squares them.
        """
        return self._transform(np.square, variance_name, ranef)

    def _transform(self, transform: Callable[[Any], Any], rename: Callable[[str], str], ranef: bool) -> Profile:
        """Return the profile of transformed standard deviations, with splines through the new points."""
        moved = self._deviations(ranef)
        names = {name: rename(name) for name in moved}
        frame, bounds = self.frame.copy(), self.bounds.copy()
        focal = frame["parameter"].isin(moved)
        with np.errstate(divide="ignore"):
            frame[moved] = transform(frame[moved])
            frame.loc[focal, "focal"] = transform(frame.loc[focal, "focal"])
            bounds[bounds.index.isin(moved)] = transform(bounds[bounds.index.isin(moved)])
        splines = {name: _through(frame[frame["parameter"] == name]) for name in moved if name in self.forward}
        frame = frame[~(frame[moved] == -np.inf).any(axis=1)].rename(columns=names)
        return Profile(
            frame=frame.assign(parameter=frame["parameter"].cat.rename_categories(names)),
            forward={names.get(n, n): splines[n][0] if n in splines else old for n, old in self.forward.items()},
            backward={names.get(n, n): splines[n][1] if n in splines else old for n, old in self.backward.items()},
            bounds=bounds.rename(index=names),
            parameters=rename_parameters(self.parameters, moved, rename),
        )

    def _deviations(self, ranef: bool) -> list[str]:
        if not any(name == "sigma" or str(name).startswith("sd_") for name in self.frame):
            raise InvalidArgument("the profile is not of standard deviations; transform one that is.")
        random = self.parameters.index[self.parameters["effect"] == "ran_pars"]
        return [name for name in random if name == "sigma" or (ranef and name.startswith("sd_"))]


def _through(points: pd.DataFrame) -> tuple[Spline, Spline]:
    finite = points[np.isfinite(points["focal"])]
    return interpolate(finite["focal"].to_numpy(), finite["zeta"].to_numpy())
