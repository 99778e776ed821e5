"""R's conditions as Python's warnings, each once per call of the user, under a category of this package."""

from __future__ import annotations

import itertools
import re
import sys
import traceback
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType
from typing import Any

from lmerbridge.bridge.host import Reply
from lmerbridge.errors import (
    Condition,
    ConvergenceWarning,
    KnownDefectWarning,
    LmerBridgeError,
    LmerBridgeWarning,
    RankDeficientWarning,
    RowsLeftOutWarning,
    RWarning,
    SingularFitWarning,
)
from lmerbridge.setup import DEFECTS, fits

TOLD = "|".join(  # messages of what the result tells itself
    (
        r"^refitting model\(s\) with ML",
        r"^before 1\.1-33 lme4's refit",
        r"^some theta parameters on the boundary, restarting",
        r"parameter vector not named: assuming same order",
        r"^\s*Correlation (matrix not shown|of fixed effects could)",
    )
)
CATEGORIES: tuple[tuple[str, str, type[LmerBridgeWarning] | None], ...] = (  # kind and text of R's condition
    ("message", r"boundary \(singular\) fit", SingularFitWarning),
    ("message", r"rank deficient", RankDeficientWarning),
    ("message", TOLD, None),
    ("message", r"", RWarning),
    ("warning", r"^the shape is held", KnownDefectWarning),
    ("warning", r"converge|Hessian|gradient|unidentifiable", ConvergenceWarning),
    ("warning", r"", RWarning),
)
Distinct = dict[tuple[type, str], LmerBridgeWarning]
_waiting: ContextVar[Distinct | None] = ContextVar("waiting", default=None)


def category(condition: Condition) -> type[LmerBridgeWarning] | None:
    """Return the warning category of one of R's conditions, None where it is no warning.

    Examples
    --------
    >>> category(Condition("warning", "Model failed to converge with max|grad| = 0.01")).__name__
    'ConvergenceWarning'
    """
    found = (c for kind, text, c in CATEGORIES if condition.kind == kind and re.search(text, condition.text))
    return next(found, None)


def of_conditions(conditions: Iterable[Condition]) -> Iterator[LmerBridgeWarning]:
    """Yield a warning for each of R's conditions that calls for one."""
    for condition in conditions:
        kind = category(condition)
        if kind is not None:
            notice = kind(condition.text)
            notice.condition = condition
            yield notice


def of_refits(conditions: Iterable[Condition]) -> Iterator[LmerBridgeWarning]:
    """Yield the warnings of many refits, less those that their table has columns for."""
    columns = (ConvergenceWarning, SingularFitWarning)
    return (notice for notice in of_conditions(conditions) if not isinstance(notice, columns))


def of_rows(dropped: int, total: int, missing: Mapping[str, int], functions: Sequence[str] = ()) -> LmerBridgeWarning:
    """Return the warning that rows were left out without an ``na_action``, and which columns lack values.

    Functions may give none where no column lacks one, as log() of a negative number.
    """
    where = f" ({', '.join(f'{name!r} in {count}' for name, count in missing.items())})" if missing else ""
    if functions and sum(missing.values()) < dropped:
        where += f" (a function gives none, of {', '.join(functions)}, as log() of a negative number)"
    return RowsLeftOutWarning(
        f"{dropped} of {total} rows {'lacks' if dropped == 1 else 'lack'} a value{where} and "
        f"{'is' if dropped == 1 else 'are'} left out; fit.left_out lists them, and na_action says what is wanted."
    )


def of_fewer_rows(fewer: int, total: int) -> LmerBridgeWarning:
    """Return the warning that some of many responses lack values."""
    told = f"{fewer} of {total} responses {'lacks' if fewer == 1 else 'lack'} values"
    return RowsLeftOutWarning(f"{told}; nobs tells the rows that each fit uses, and na_action says what is wanted.")


def of_versions(r: str, rinterface: str) -> Iterator[LmerBridgeWarning]:
    """Yield a warning where rpy2 was not made for this R."""
    if not fits(r, rinterface):
        yield KnownDefectWarning(
            f"rpy2-rinterface {rinterface} was not made for R {r}; `lmerbridge doctor` says which release was."
        )


def of_count(counted: int, right: int, lme4: str) -> Iterator[LmerBridgeWarning]:
    """Yield a warning where lme4 counts other parameters than the model has."""
    if counted != right:
        defect = next(defect for defect in DEFECTS if defect.name == "structured_npar")
        yield KnownDefectWarning(
            f"lme4 {lme4} counts {counted} parameters of this model, which has {right}, so npar, AIC and BIC are "
            f"wrong; lme4 {defect.versions.below} and later count right."
        )


def of_autoscale() -> LmerBridgeWarning:
    """Return the warning that lme4's numbers of an autoscaled fit do not belong together, as seen in 2.1-0."""
    return KnownDefectWarning(
        "with autoscale, lme4 gives fixed effects of the scaled columns, and their covariance for the columns as they "
        "are; a t value has one of each. Scale the columns yourself instead."
    )


def give(notices: Iterable[LmerBridgeWarning]) -> None:
    """Give the first of equal warnings at the user's line, however many functions of ours lie between.

    Those of a verb wait for its end.
    """
    waiting = _waiting.get()
    if waiting is None:
        _warn(_distinct(notices, {}))
    else:
        _distinct(notices, waiting)


def values_of(reply: Reply) -> dict[str, Any]:
    """Return the values of R's answer, and give R's warnings."""
    give(of_conditions(reply.conditions))
    return reply.values


@contextmanager
def gather() -> Iterator[Distinct]:
    """Gather the warnings of all that runs inside, and give none."""
    found: Distinct = {}
    token = _waiting.set(found)
    try:
        yield found
    finally:
        _waiting.reset(token)


@contextmanager
def together() -> Iterator[None]:
    """Give the warnings of all that runs inside at its end, or put them into the error that ends it."""
    if _waiting.get() is not None:
        yield
        return
    with gather() as waiting:
        try:
            yield
        except LmerBridgeError as error:
            error.after(notice.condition for notice in waiting.values() if notice.condition)
            raise
    _warn(waiting)


def _distinct(notices: Iterable[LmerBridgeWarning], known: Distinct) -> Distinct:
    for notice in notices:
        known.setdefault((type(notice), str(notice)), notice)
    return known


def _warn(distinct: Distinct) -> None:
    """Give warnings, the later ones as notes of one that a filter turns into an error."""
    left, level = [*distinct.values()], 1 + frames_of_ours()
    try:
        while left:
            warnings.warn(left.pop(0), stacklevel=level)
    except LmerBridgeWarning as first:
        for later in left:
            first.add_note(str(later))
        raise


def frames_of_ours() -> int:
    """Count the frames from the caller's up to the first that is not this package's."""
    callers = itertools.takewhile(is_ours, (frame for frame, _ in traceback.walk_stack(sys._getframe(1))))
    return sum(1 for _ in callers)


def is_ours(frame: FrameType) -> bool:
    """Whether a frame runs code of this package, or of functools and contextlib on its behalf."""
    return frame.f_globals.get("__name__", "").partition(".")[0] in ("lmerbridge", "functools", "contextlib")
