"""How a profile is asked of R, a parameter at a time, and put together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from lmerbridge.bridge.from_r.flat import build
from lmerbridge.bridge.wire import Value
from lmerbridge.errors import InvalidArgument
from lmerbridge.inputs.control import OPTIMIZERS
from lmerbridge.models.intervals.parameters import renamed, squared
from lmerbridge.models.intervals.profile import Profile
from lmerbridge.models.intervals.spline import Pieces
from lmerbridge.results.covariance import Array
from lmerbridge.results.fit import Condition

Start: TypeAlias = Literal["prev", "global"]
Scale: TypeAlias = Literal["sdcor", "varcov"]
CHOICES: dict[str, tuple[object, ...]] = {
    "start_method": ("prev", "global"),
    "optimizer": (None, *OPTIMIZERS),
    "prof_scale": ("sdcor", "varcov"),
}
IN_R = {
    "alpha_max": "alphamax",
    "max_points": "maxpts",
    "delta_cutoff": "delta.cutoff",
    "dev_tol": "devtol",
    "start_method": "startmethod",
    "prof_scale": "prof.scale",
}


def options(**given: Value) -> dict[str, Value]:
    """Return the options of R's ``profile`` under R's names.

    Raises
    ------
    InvalidArgument
    """
    for name, value in given.items():
        if name in CHOICES:
            expected, right = f"one of {', '.join(map(repr, CHOICES[name]))}", value in CHOICES[name]
        else:
            high = 1 if name == "alpha_max" else np.inf
            low = 4 if name == "max_points" else 0  # a spline takes four points
            expected, right = f"a number from {low} to {high}", isinstance(value, int | float) and low <= value <= high
        if not (right or (name == "delta" and value is None)):
            raise InvalidArgument(f"{name} is {value!r}; {expected} is expected.")
    return {IN_R.get(name, name): value for name, value in given.items()}


@dataclass(frozen=True)
class Traced:
    """The profile of one parameter as R tells it: the values of all, parameter by parameter in lme4's order."""

    zeta: Array
    values: Array
    lower: float
    upper: float
    forward: Pieces
    backward: Pieces


def assembled(parameters: pd.DataFrame, replies: Mapping[str, Mapping[str, Any]], scale: Scale) -> Profile:
    """Return the profile of which R told the parts by parameter; `parameters` has the place of each in lme4's order."""
    traced = {name: build(Traced, values) for name, values in replies.items()}
    if scale == "varcov":
        random = list(parameters.index[parameters["effect"] == "ran_pars"])
        traced = {squared(name) if name in random else name: part for name, part in traced.items()}
        parameters = renamed(parameters, random, squared)
    return Profile(
        frame=_frame(parameters, traced),
        forward={name: part.forward.spline() for name, part in traced.items()},
        backward={name: part.backward.spline() for name, part in traced.items()},
        bounds=pd.DataFrame({name: (part.lower, part.upper) for name, part in traced.items()}, ["lower", "upper"]).T,
        parameters=parameters.drop(columns="place"),
    )


def _frame(parameters: pd.DataFrame, traced: Mapping[str, Traced]) -> pd.DataFrame:
    names = pd.Categorical(np.repeat([*traced], [len(part.zeta) for part in traced.values()]), [*traced])
    tables = [part.values.reshape((len(part.zeta), -1), order="F") for part in traced.values()]
    values = pd.DataFrame(np.concatenate(tables)[:, parameters["place"]], columns=list(parameters.index))
    focal = values.to_numpy()[np.arange(len(values)), values.columns.get_indexer(pd.Index(names))]
    zeta = np.concatenate([part.zeta for part in traced.values()])
    return pd.concat([pd.DataFrame({"parameter": names, "zeta": zeta, "focal": focal}), values], axis=1)


def said(parameters: pd.DataFrame, conditions: Iterable[Condition]) -> Iterator[Condition]:
    """Yield R's conditions with the names of parameters where lme4 has its short ones, ``.sig01`` and ``.sigma``."""
    short = {f".sig{place + 1:02d}": name for name, place in parameters["place"].items()} | {".sigma": "sigma"}
    for condition in conditions:
        text = re.sub(r"\.sig(\d+|ma)\b", lambda found: str(short.get(found[0], found[0])), condition.text)
        yield replace(condition, text=text)
