"""Whether lme4 gives again what others printed, and why not where it does not."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from lmerbridge.engines import find, fit_with
from lmerbridge.models import LmerFit, fit_spec
from lmerbridge.parity import accuracy, reference
from lmerbridge.parity.quantities import kind_of
from lmerbridge.results import Fit

TIGHT = {"optimizer": "bobyqa", "optCtrl": {"rhoend": 1e-9, "maxfun": 100_000}}  # theta to the noise of the criterion


@dataclass(frozen=True)
class Printed:
    """A printed number, and lme4's.

    Attributes
    ----------
    case, source : str
    quantity : str
    printed, found : float
        ``found`` is the nearer of lme4's by default and at the optimum.
    reproduced : bool
        It rounds to what was printed.
    digits : float
        To how many they agree.
    reason : str
        Why it is not reproduced, or "" where nobody knows.
    """

    case: str
    source: str
    quantity: str
    printed: float
    found: float
    reproduced: bool
    digits: float
    reason: str = ""


def reproduce_printed(cases: str = "*") -> list[Printed]:
    """Fit the models of the published numbers with lme4 and hold its answers against what was printed.

    Parameters
    ----------
    cases : str
        Only the models whose names match this glob.
    """
    return [row for model in reference.models("published", cases) for row in _printed_numbers(model)]


def unused_reasons(found: Iterable[Printed]) -> list[str]:
    """Return the reasons of the exceptions that explain no number of those found."""
    used = {row.reason for row in found}
    return [entry["reason"] for entry in _table()["exception"] if entry["reason"] not in used]


def exclusion(quantity: str) -> str:
    """Return why a published quantity is not compared, or ""."""
    kind = kind_of(quantity)
    return next((entry["reason"] for entry in _table()["uncovered"] if kind in entry["quantities"]), "")


def _printed_numbers(model: reference.KnownModel) -> Iterator[Printed]:
    numbers = [number for number in model.numbers if not exclusion(number.quantity)]
    if numbers:
        told = [_quantities(fit, numbers) for fit in _fits(model)]
        for number in numbers:
            yield _row(model, number, [quantities.get(number.quantity, math.nan) for quantities in told])


def _fits(model: reference.KnownModel) -> Iterator[Fit]:
    """Fit by default and at the optimum, that of a converged PIRLS where the model is generalized."""
    spec = model.spec()
    if model.family:
        yield from (fit_with(find(name), spec) for name in ("lme4", "lme4[tight]"))
    else:
        yield from (fit_spec(LmerFit, each) for each in (spec, replace(spec, control=TIGHT)))


def _row(model: reference.KnownModel, number: reference.KnownNumber, found: list[float]) -> Printed:
    best = min(found, key=lambda value: abs(value - number.value))
    digits = accuracy.lre(best, number.value)
    table = "most_generalized" if model.family else "most"
    reproduced = any(_reproduces(value, number, table) for value in found)
    row = Printed(model.case, number.source, number.quantity, number.value, best, reproduced, digits)
    return row if reproduced else replace(row, reason=_reason(row))


def _reproduces(found: float, number: reference.KnownNumber, table: str = "most") -> bool:
    most = _table()[table]
    known = most.get(kind_of(number.quantity), most["other"])
    rounded = float(f"{found:.{min(number.digits, accuracy.DOUBLE)}g}") == float(f"{number.value:.{accuracy.DOUBLE}g}")
    return rounded or (number.digits > known and accuracy.lre(found, number.value) >= known)


def _reason(row: Printed) -> str:
    for entry in _table()["exception"]:
        about = fnmatchcase(row.case, entry["cases"]) and fnmatchcase(row.source, entry["sources"])
        if about and kind_of(row.quantity) in entry["quantities"] and row.digits >= entry["digits"]:
            return str(entry["reason"])
    return ""


def _quantities(fit: Fit, numbers: Iterable[reference.KnownNumber]) -> dict[str, float]:
    """Everything of a fit that was printed by somebody, under its name there."""
    error = fit.std_errors
    pairs = [(i, j, f"[{a},{b}]") for i, a in enumerate(fit.terms) for j, b in enumerate(fit.terms)]
    points = [n.quantity for n in numbers if kind_of(n.quantity) == "dev_at_theta"]
    return {
        **fit.quantities(),
        "logLik_whole": fit.loglik + fit.loglik.constant,
        **_by_position("theta", fit.theta),
        **_by_position("fitted", fit.fitted_values),
        **_by_position("resid", fit.residual_values),
        **{f"vcov{name}": float(fit.covariance[i, j]) for i, j, name in pairs},
        **{f"cor_fixef{name}": float(fit.covariance[i, j] / error[i] / error[j]) for i, j, name in pairs},
        **{f"t[{term}]": float(t) for term, t in zip(fit.terms, fit.beta / error, strict=True)},
        **dict(_modes(fit)),
        **{name: _deviance_at(fit, name) for name in points if isinstance(fit, LmerFit)},
    }


def _by_position(name: str, values: Iterable[float]) -> dict[str, float]:
    return {f"{name}[{i}]": float(value) for i, value in enumerate(values, start=1)}


def _modes(fit: Fit) -> Iterator[tuple[str, float]]:
    """Yield the conditional modes by group, level and term.

    The first level has the name ``first`` too, and each level has a mode without a term: that of the first term.
    """
    for group in fit.modes:
        for label, modes in [*zip(group.levels, group.modes, strict=True), ("first", group.modes[0])]:
            for term, mode in zip(group.terms, modes, strict=True):
                yield f"ranef[{group.group},{label},{term}]", float(mode)
            yield f"ranef[{group.group},{label}]", float(modes[0])


def _deviance_at(fit: LmerFit, name: str) -> float:
    theta = np.array(name.removeprefix("dev_at_theta[").removesuffix("]").split(","), dtype=np.float64)
    return float(fit.deviance_at(theta)[0])


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(files(__package__).joinpath("published.toml").read_text(encoding="utf-8"))
