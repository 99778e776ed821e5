"""How many digits of an engine's answers are right, where the right answer is known."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from importlib.resources import files
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from joblib import Parallel, delayed

from lmerbridge.engines import find, fit_with, with_design
from lmerbridge.errors import InvalidArgument
from lmerbridge.inputs import Spec
from lmerbridge.models import LmerFit, fit_spec
from lmerbridge.parity import align, process, quantities, reference
from lmerbridge.parity.outcomes import is_silent
from lmerbridge.results import Design, Fit

DOUBLE = 15  # decimal digits that every double keeps


class DigitRow(NamedTuple):
    """One quantity of one model by one engine, against its exact value."""

    case: str
    engine: str
    quantity: str
    digits: float
    floor: float

    @property
    def enough(self) -> bool:
        """Whether the digits reach the floor, which NaN never does."""
        return self.digits >= self.floor


def score(
    engines: Sequence[str], cases: str = "*", timeout: float | None = None, jobs: int | None = None
) -> list[DigitRow]:
    """Hold engines against exact values: model by model, engine by engine, quantity by quantity.

    Parameters
    ----------
    engines : sequence of str
        Names of engines.
    cases : str
        Only the models whose names match this glob.
    timeout : float, optional
        Seconds that an engine may take for one model.
    jobs : int, optional
        Processes; by default one, or what `joblib.parallel_config` says.

    Returns
    -------
    list of DigitRow
        ``digits`` is the log relative error, and NaN where the engine gave no number.

    Raises
    ------
    InvalidArgument
        No model matches, or an engine is not installed.
    """
    for name in engines:
        find(name)
    models = reference.models("exact", cases)
    if not models:
        names = ", ".join(model.case for model in reference.models("exact"))
        raise InvalidArgument(f"no exact model matches {cases!r}; there are {names}.")
    calls = [delayed(_scores_of)(model, engines, timeout) for model in models]
    return list(chain.from_iterable(Parallel(n_jobs=jobs)(calls)))


def lre(found: float, exact: float, digits: int = DOUBLE) -> float:
    """Log relative error: how many decimal digits are right, not more than are known.

    The error is absolute where the exact value is zero.

    Examples
    --------
    >>> round(lre(3.1416, math.pi), 1), lre(0.5, 0.5), lre(1e-9, 0.0)
    (5.6, 15.0, 9.0)
    """
    error = abs(found - exact) / (abs(exact) or 1.0)
    if error == 0:
        return float(digits)
    return min(float(digits), -math.log10(error)) if math.isfinite(error) else math.nan


def _scores_of(model: reference.KnownModel, engines: Sequence[str], timeout: float | None) -> list[DigitRow]:
    return [row for name in engines for row in _scores(model, name, timeout)]


def _scores(model: reference.KnownModel, engine: str, timeout: float | None) -> Iterator[DigitRow]:
    try:
        found = process.call_apart(known_answer, model, engine, seconds=timeout).quantities
    except Exception:  # an engine is anybody's code, and no number is its result
        found = {}
    return digit_rows(model, engine, found)


def digit_rows(model: reference.KnownModel, engine: str, found: Mapping[str, float]) -> Iterator[DigitRow]:
    """Yield the right digits of each quantity that has a floor, NaN where an engine's quantities lack it."""
    for number in model.numbers:
        if quantities.kind_of(number.quantity) in _table()["floors"]:
            digits = _digits(number, found)
            yield DigitRow(model.case, engine, number.quantity, digits, _floor(model.case, number))


def _digits(number: reference.KnownNumber, found: Mapping[str, float]) -> float:
    value = found.get(number.quantity, math.nan)
    if number.value == 0:
        return lre(value / (found.get("sigma2") or math.nan), 0.0)
    return lre(value, number.value, min(number.digits, DOUBLE))


def _floor(case: str, number: reference.KnownNumber) -> float:
    kind = quantities.kind_of(number.quantity) if number.value else "zero"
    for exception in _table()["exception"]:
        if fnmatchcase(case, exception["case"]) and kind in exception["quantities"]:
            return float(exception["floor"])
    return float(_table()["floors"][kind])


class KnownAnswer(NamedTuple):
    """What an engine says of a model of which numbers are known, in lme4's words."""

    quantities: dict[str, float]
    converged: bool
    silent: bool


def known_answer(model: reference.KnownModel, engine: str) -> KnownAnswer:
    """Fit a linear model with an engine and say its numbers as lme4 would."""
    spec, lme4 = _lme4_fit(model)
    fitter, design = find(engine), lme4.design()
    fit = fit_with(fitter, with_design(fitter, spec, lambda: design))
    told = align.restate(fit, design, [block.name for block in lme4.varcorr], _recoding(design, fit))
    return KnownAnswer(told.quantities() if told else {}, bool(fit.converged), is_silent(fit))


def _recoding(design: Design, fit: Fit) -> align.Recoding:
    """How the engine's fixed effects are written in lme4's, in whose words the exact values are."""
    other = fit.design()
    if other is None:
        return align.recoding_by_name(design.terms, fit.terms)
    return align.recoding(design.x, other.x[np.argsort(fit.rows)])


@lru_cache(maxsize=1)
def _lme4_fit(model: reference.KnownModel) -> tuple[Spec, LmerFit]:
    spec = model.spec()
    return spec, fit_spec(LmerFit, spec)


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(files(__package__).joinpath("accuracy.toml").read_text(encoding="utf-8"))
