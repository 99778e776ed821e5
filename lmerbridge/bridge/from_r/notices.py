"""R's conditions as Python's warnings, each once, under a category of this package."""

from __future__ import annotations

import itertools
import re
import sys
import traceback
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import FrameType

from lmerbridge.errors import (
    ConvergenceWarning,
    KnownDefectWarning,
    LmerBridgeWarning,
    RankDeficientWarning,
    RowsLeftOutWarning,
    RWarning,
    SingularFitWarning,
)
from lmerbridge.results import Condition
from lmerbridge.setup import DEFECTS, fits

CATEGORIES = (  # kind and text of R's condition; the first that fits. R's other messages are conditions only.
    ("message", r"boundary \(singular\) fit", SingularFitWarning),
    ("message", r"rank deficient", RankDeficientWarning),
    ("warning", r"converge|Hessian|gradient|unidentifiable", ConvergenceWarning),
    ("warning", r"", RWarning),
)


def category(condition: Condition) -> type[LmerBridgeWarning] | None:
    """Return the warning category of one of R's conditions, None where it is no warning.

    Examples
    --------
    >>> category(Condition("warning", "Model failed to converge with max|grad| = 0.01")).__name__
    'ConvergenceWarning'
    """
    found = (c for kind, text, c in CATEGORIES if condition.kind == kind and re.search(text, condition.text))
    return next(found, None)


def of_conditions(conditions: tuple[Condition, ...]) -> Iterator[LmerBridgeWarning]:
    """Yield a warning for each of R's conditions that calls for one, the first of equal ones."""
    for condition in dict.fromkeys(conditions):
        kind = category(condition)
        if kind is not None:
            yield kind(condition.text)


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
    """Give the warnings at the user's line, however many functions of ours lie between."""
    for notice in notices:
        warnings.warn(notice, stacklevel=1 + frames_of_ours())


def frames_of_ours() -> int:
    """Count the frames from the caller's up to the first that is not this package's."""
    callers = itertools.takewhile(is_ours, (frame for frame, _ in traceback.walk_stack(sys._getframe(1))))
    return sum(1 for _ in callers)


def is_ours(frame: FrameType) -> bool:
    """Whether a frame runs code of this package, or of functools and contextlib on its behalf."""
    return frame.f_globals.get("__name__", "").partition(".")[0] in ("lmerbridge", "functools", "contextlib")
