"""Fits of one model to many responses, in this process or in others."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lmerbridge import parallel
from lmerbridge.bridge import Value, arguments, build, current, host, limit_until, notices, pieces, refusals
from lmerbridge.errors import Condition, InvalidArgument, LmerBridgeError, RError, TimedOut, UnfitData, WorkerDied
from lmerbridge.inputs import Spec
from lmerbridge.models.kept import RESCALE, SATURATED
from lmerbridge.models.many.shape import Integers, Shape, Shapes, shapes_of

Array: TypeAlias = NDArray[np.float64]
Take: TypeAlias = Callable[[int, int], tuple[Array, dict[int, str]]]

WORK = 1.0  # seconds of work in a block at least
FIRST = 8  # responses that show how long a fit takes
MOST = 2**23  # numbers in a block at most, 64 MB
EMPTY = "has no value in any row that can be used; see why its values are missing"
SHARED = "its rows give other terms than the rest, and several share a name; rename a column"


@dataclass(frozen=True)
class Told:
    """Conditions, each with the number of the fit it is of, from 1."""

    fit: Integers
    kind: tuple[str, ...]
    text: tuple[str, ...]
    classes: tuple[str, ...]
    call: tuple[str, ...]
    count: Integers


@dataclass(frozen=True)
class ManyReply:
    """The flat list of R's ``fit_many``.

    ``which`` is the number of the shape of each fit, from 1, 0 where it failed.
    """

    value: Array
    which: Integers
    shape: Shapes
    told: Told


@dataclass(frozen=True, eq=False)
class ManyPlan:
    """What all fits share.

    Attributes
    ----------
    spec : Spec
        The model, with any response.
    given : mapping
        Arguments of R's ``fit_many``.
    shape : Shape
        Of the fits to all rows that can be used.
    rows : ndarray of int
        These rows.
    weights : ndarray
        The weight of each of these rows.
    """

    spec: Spec
    given: Mapping[str, Value]
    shape: Shape
    rows: NDArray[np.int64]
    weights: Array

    @property
    def offset(self) -> bool:
        """Whether an offset is taken off the response."""
        return self.spec.offset is not None or bool(self.spec.parsed.terms.offsets)


@dataclass(frozen=True, eq=False)
class Fits:
    """Some fits, a row of ``values`` each."""

    values: Array
    nobs: NDArray[np.int64]
    errors: list[str]
    conditions: list[tuple[Condition, ...]]

    @classmethod
    def none(cls, count: int, width: int) -> Fits:
        """Return so many fits without numbers."""
        return cls(np.full((count, width), np.nan), np.zeros(count, np.int64), [""] * count, [()] * count)


def fit_block(plan: ManyPlan, names: Sequence[str], values: Array, wrong: Mapping[int, str], until: float) -> Fits:
    """Fit to some responses, the columns of ``values``, of which ``wrong`` tells what is known to be wrong."""
    found = Fits.none(len(names), len(plan.shape.keys))
    used = values[plan.rows]
    for i, name in enumerate(names):
        found.errors[i] = wrong.get(i) or _refusal(plan, name, used[:, i])
    sound = [i for i, error in enumerate(found.errors) if not error]
    with limit_until(until):
        _fit(plan, names, values, sound, found)
    return found


def _refusal(plan: ManyPlan, name: str, used: Array) -> str:
    """Return what is wrong with a response before it is fitted, as `lmer` tells it."""
    there = used[~np.isnan(used)]
    if not len(there):
        return f"the response {name!r} {EMPTY}."
    told = plan.spec.kind.check_response(there, plan.offset)
    return f"the response {name!r} {told}." if told else ""


def _fit(plan: ManyPlan, names: Sequence[str], values: Array, sound: list[int], found: Fits) -> None:
    """Have R fit to responses, by halves where it dies of them, so that one alone bears what it did."""
    if not sound:
        return
    try:
        reply = host.call("fit_many", response=values[:, sound].ravel(order="F"), **plan.given)
    except WorkerDied as error:
        if len(sound) == 1:
            found.errors[sound[0]] = str(error)
            return
        middle = len(sound) // 2
        _fit(plan, names, values, sound[:middle], found)
        _fit(plan, names, values, sound[middle:], found)
        return
    _read(plan, build(ManyReply, reply.values), sound, found)
    numbers, _ = plan.shape.split(found.values)
    for i in sound:
        there = ~np.isnan(values[plan.rows, i])
        if not found.errors[i]:
            found.errors[i] = _fault(
                plan, {k: v[i] for k, v in numbers.items()}, values[plan.rows, i][there], there, names[i]
            )
        found.nobs[i] = 0 if found.errors[i] else there.sum()
        found.values[i, :] = np.nan if found.errors[i] else found.values[i]


def _read(plan: ManyPlan, raw: ManyReply, sound: list[int], found: Fits) -> None:
    """Put the numbers of R's reply in their places."""
    shapes = shapes_of(raw.shape)
    fitted = [(i, shapes[number - 1]) for i, number in zip(sound, raw.which, strict=True) if number]
    for (i, shape), numbers in zip(fitted, pieces(raw.value, [len(s.keys) for _, s in fitted]), strict=True):
        placed = plan.shape.place(numbers, shape)
        if placed is None:
            found.errors[i] = f"{SHARED}."
        else:
            found.values[i] = placed
    told = raw.told
    for number, *parts in zip(told.fit, told.kind, told.text, told.classes, told.call, told.count, strict=True):
        i, condition = sound[number - 1], _condition(*parts)
        found.conditions[i] = (*found.conditions[i], condition)
        if condition.kind == "error":
            found.errors[i] = _in_our_words(plan, condition)


@lru_cache(maxsize=1024)
def _condition(kind: Any, text: str, classes: str, call: str, count: int) -> Condition:  # noqa: ANN401  # one of three words
    return Condition(kind, text.rstrip("\n"), tuple(classes.split("\x1f")), call, int(count))


def _in_our_words(plan: ManyPlan, condition: Condition) -> str:
    error = RError(condition.text, condition.classes, condition.call)
    return str(refusals.translate(error, plan.spec) or error)


def _fault(plan: ManyPlan, numbers: dict[str, Any], response: Array, there: NDArray[np.bool_], name: str) -> str:
    """Return why `lmer` would refuse a fit, or ""."""
    used = plan.weights[there]
    columns = int((~np.isnan(numbers["beta"])).sum())
    finite = ("sigma", "theta") if (used == 0).any() else ("sigma", "theta", "criterion")
    try:
        if columns >= len(response):
            raise UnfitData(SATURATED.format(columns=columns, rows=len(response)))
        plan.spec.kind.check_sigma(float(numbers["sigma"]), response, used)
    except LmerBridgeError as error:
        return str(error).replace("the response ", f"the response {name!r} ", 1)
    wrong = [field for field in finite if np.isinf(numbers[field]).any() or np.isnan(numbers[field]).all()]
    return f"lme4 gave numbers that are not finite: {', '.join(wrong)}. {RESCALE}" if wrong else ""


def fit_blocks(
    plan: ManyPlan, names: pd.Index, take: Take, jobs: int | None, backend: str | None, progress: bool | None
) -> Iterator[tuple[int, Fits]]:
    """Yield the fits of one block of responses after another, each with the number of its first."""
    from joblib import Parallel, delayed, effective_n_jobs  # slow to load

    total, until = len(names), current.get().deadline

    def block(lo: int, hi: int) -> tuple[ManyPlan, list[str], Array, dict[int, str], float]:
        return plan, list(map(str, names[lo:hi])), *take(lo, hi), until

    with parallel.progress_bar("fits", total, progress) as advance, parallel.backend(backend, jobs):
        began, first = time.perf_counter(), min(FIRST, total)
        yield 0, fit_block(*block(0, first))
        advance(first)
        each = (time.perf_counter() - began) / first
        share = -(-(total - first) // effective_n_jobs(jobs))
        size = max(1, min(round(WORK / each), MOST // max(1, len(plan.spec.data)), share))
        starts = range(first, total, size)
        run = Parallel(n_jobs=jobs, return_as="generator", batch_size=1)
        try:
            tasks = (delayed(fit_block)(*block(lo, min(lo + size, total))) for lo in starts)
            for lo, fits in zip(starts, run(tasks), strict=True):
                yield lo, fits
                advance(len(fits.errors))
        except TimedOut as error:
            raise current.get().error() from error  # not what was left of the limit when the block began


def plan_fits(spec: Spec, name: str, *, exact: bool, theta: Array | None) -> ManyPlan:
    """Return what all fits share, once R has read the formula and the frame."""
    model: dict[str, Value] = {**arguments(spec), "name": name}
    try:
        reply = host.call("describe_shape", **model)
    except RError as error:
        ours = refusals.translate(error, spec)
        if ours is None:
            raise
        raise ours.after(error.conditions) from error
    values = dict(notices.values_of(reply))
    rows = values.pop("rows").astype(np.int64) - 1
    (shape,) = shapes_of(build(Shapes, {key.removeprefix("shape."): value for key, value in values.items()}))
    start = spec.start.get("theta") if isinstance(spec.start, Mapping) else spec.start
    if start is not None and len(start) != len(shape.theta):
        told = f"{len(start)} numbers; {len(shape.theta)}, of {', '.join(shape.theta)}, are expected"
        raise InvalidArgument(f"start has {told}.")
    weights = spec.per_row("weights")
    own = np.ones(len(rows)) if weights is None else weights.to_numpy(float)[rows]
    return ManyPlan(spec, model | {"exact": exact, "theta": theta}, shape, rows, own)


def join_fits(fits: Sequence[Fits]) -> tuple[Array, Any, list[str], list[Any]]:
    """Return the numbers, rows used, errors and conditions of some fits."""
    return (
        np.concatenate([each.values for each in fits]),
        np.concatenate([each.nobs for each in fits]),
        [error for each in fits for error in each.errors],
        [conditions for each in fits for conditions in each.conditions],
    )
