"""Engines against numbers that are known: exact ones, and those that others printed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from lmerbridge.errors import NotExpressible
from lmerbridge.models import LmerFit, fit_spec
from lmerbridge.parity import Outcome, accuracy, kind_of, process, published, reference
from lmerbridge.parity.study.rows import Row

NEEDED = {  # digits that make a number right: what a paper prints; a variance is known to half those of a criterion
    **dict.fromkeys(("fixef",), 4.0),
    **dict.fromkeys(("var", "sd", "cov", "cor", "sigma", "sigma2"), 3.0),
    **dict.fromkeys(("logLik", "deviance", "REMLcrit"), 6.0),
}
ZERO = 4.0  # of a variance that is zero, over sigma squared: a standard deviation of a hundredth of sigma
DECIMALS = 2  # of digits, which a reader compares
LARGEST = 20_000  # rows


class PrintedCount(NamedTuple):
    """How many printed numbers of a model were compared, and how many of them an engine reproduces."""

    engine: str
    case: str
    compared: int
    reproduced: int


class Doubt(NamedTuple):
    """A printed number that lme4 gives neither by default nor at the optimum, and that is held against nobody."""

    case: str
    quantity: str
    printed: float
    found: float


@dataclass(frozen=True)
class Scores:
    """Engines on models of which numbers are known."""

    rows: list[Row] = field(default_factory=list)
    digits: list[accuracy.DigitRow] = field(default_factory=list)
    printed: list[PrintedCount] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)


def known_models(source: str, pattern: str = "*") -> list[reference.KnownModel]:
    """Return the linear models of a source, ``exact`` or ``published``, that have a number to compare."""
    found = [model for model in reference.models(source, pattern) if not model.family]
    return [model for model in found if source == "exact" or (_comparable(model) and len(model.data()) <= LARGEST)]


def score_model(source: str, model: reference.KnownModel, engines: Sequence[str], timeout: float | None) -> Scores:
    """Fit one model with each engine and hold its answer against the known numbers."""
    found = Scores()
    exact = {number.quantity: number.value for number in model.numbers}
    if source == "published":
        found.doubts.extend(process.call_apart(_doubts, model, seconds=timeout))
    doubted = {doubt.quantity for doubt in found.doubts}
    numbers = [number for number in _comparable(model) if number.quantity not in doubted]
    for engine in engines if source == "exact" or numbers else ():
        told = _ask(model, engine, timeout)
        known = told.quantities if isinstance(told, accuracy.KnownAnswer) else {}
        if source == "exact":
            digits = [*map(_rounded, accuracy.digit_rows(model, engine, known))]
            found.digits.extend(digits)
            right = all(suffices(row, exact) for row in digits)
        else:
            reproduced = sum(reproduces(known, number) for number in numbers)
            found.printed.append(PrintedCount(engine, model.case, len(numbers) if known else 0, reproduced))
            right = reproduced == len(numbers)
        found.rows.append(_row(source, model, engine, told, right))
    return found


def _ask(model: reference.KnownModel, engine: str, timeout: float | None) -> accuracy.KnownAnswer | Outcome:
    try:
        found: accuracy.KnownAnswer = process.call_apart(accuracy.known_answer, model, engine, seconds=timeout)
    except NotExpressible:
        return "refuses"
    except Exception:  # an engine is anybody's code, and its failure is a result
        return "fails"
    return found if found.quantities else "fails"


def _row(
    block: str, model: reference.KnownModel, engine: str, found: accuracy.KnownAnswer | Outcome, right: bool
) -> Row:
    if not isinstance(found, accuracy.KnownAnswer):
        return Row(block, "", model.case, engine, found, converged=False)
    outcome: Outcome = "right" if right else "silent" if found.silent else "warned"
    return Row(block, "", model.case, engine, outcome, found.converged)


def reproduces(found: Mapping[str, float], number: reference.KnownNumber) -> bool:
    """Whether an answer has a printed number to its last digit, or to so many digits as are needed."""
    value, kind = found.get(number.quantity, math.nan), kind_of(number.quantity)
    power = {"var": 1.0, "sd": 0.5}.get(kind, 0.0)
    size = found.get("sigma2", math.nan) ** power
    if power and number.value <= size * 10 ** (-2 * ZERO * power):
        return bool(abs(value) <= size * 10 ** (-ZERO * power))
    unit = 10.0 ** (math.floor(math.log10(abs(number.value))) + 1 - number.digits) if number.value else 0.0
    return abs(value - number.value) <= max(0.5 * unit * (1 + 1e-9), 10 ** -NEEDED[kind] * abs(number.value))


def suffices(digits: accuracy.DigitRow, exact: Mapping[str, float]) -> bool:
    """Whether the digits of an exact number are as many as are needed, or as its data can give."""
    needed = NEEDED[kind_of(digits.quantity)] if exact[digits.quantity] else ZERO
    return digits.digits >= min(needed, digits.floor)


def _rounded(row: accuracy.DigitRow) -> accuracy.DigitRow:
    return row._replace(digits=round(row.digits, DECIMALS))


def _comparable(model: reference.KnownModel) -> list[reference.KnownNumber]:
    return [number for number in model.numbers if kind_of(number.quantity) in NEEDED]


def _doubts(model: reference.KnownModel) -> list[Doubt]:
    """Find the printed numbers that lme4 gives neither by default nor at the optimum."""
    spec = model.spec()
    fits = [fit_spec(LmerFit, each).quantities() for each in (spec, replace(spec, control=published.TIGHT))]
    return list(_unreproduced(model.case, _comparable(model), fits))


def _unreproduced(
    case: str, numbers: Iterable[reference.KnownNumber], fits: Sequence[Mapping[str, float]]
) -> Iterator[Doubt]:
    for number in numbers:
        if not any(reproduces(fit, number) for fit in fits):
            yield Doubt(case, number.quantity, number.value, fits[-1].get(number.quantity, math.nan))
