# ruff: noqa: N818  # a name that says what happened needs no "Error" behind it
"""Everything that can go wrong, as one tree.

::

    LmerBridgeError
    ├── SetupError            R, lme4 or rpy2 is missing or they do not fit together
    │   └── NeedsNewer            the lme4 that is installed cannot do this, and a later one can
    ├── InputError            what the caller gave cannot be used (also a ValueError)
    │   ├── FormulaError          the formula is not one of R's mixed-model formulas
    │   │   └── UnsafeFormula         it calls something that is not on the list of allowed functions
    │   ├── MissingColumns        the formula names a column that the data lacks
    │   ├── UnsupportedColumn     a column has no faithful form in R
    │   ├── MissingValues         rows lack a value, and na_action is "fail" or a smaller model would use them
    │   ├── UnfitData             the data cannot identify the model: one group, one group per row, a constant response
    │   └── InvalidArgument       any other argument
    │       └── InvalidCall           an argument is unknown, missing or given twice (also a TypeError)
    ├── UnknownName           a fit, or the package, has no such name (also an AttributeError)
    ├── RError                R stopped with an error of its own
    ├── WorkerDied            the R process ended, and the next call starts another
    ├── TimedOut              a call took longer than its time limit (also a TimeoutError)
    ├── ProtocolError         host and worker disagree about a message: a bug of ours
    ├── NotExpressible        an engine has no such model
    │   └── TooLarge              it has, and would take too much memory or time
    └── EngineFailed          an engine raised or returned something unusable

And every warning::

    LmerBridgeWarning (a UserWarning)
    ├── RWarning              a warning of R's, or a message that the result does not tell
    │   └── ConvergenceWarning    the optimizer may have stopped short
    ├── SingularFitWarning    an estimated covariance has no full rank
    ├── RankDeficientWarning  columns of the fixed part were left out
    ├── RowsLeftOutWarning    rows lack a value, and na_action was not given
    ├── BinaryResponseWarning a linear model was fitted to a response of 0 and 1
    ├── DispersionFamilyWarning lme4's variances of a family with a dispersion are not to be trusted
    ├── SeparationWarning     columns of the model part the outcomes of a binomial response
    ├── NumbersAsTextWarning  a column of text, most of whose values are numbers, was fitted as a factor
    └── KnownDefectWarning    this version of R's package computes something wrong
"""

from __future__ import annotations

from collections.abc import Iterable
from copyreg import __newobj__  # type: ignore[attr-defined]  # typeshed lacks it, pickle names it
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal, Self

INNER = ("(function", "doTryCatch(", "withCallingHandlers(")  # calls that tell a user nothing


def amount(count: int, noun: str) -> str:
    """Return a count with its noun, in the plural unless the count is one.

    Examples
    --------
    >>> amount(1, "row"), amount(2, "row")
    ('1 row', '2 rows')
    """
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def shorten(text: str, longest: int = 2000) -> str:
    """Return a text, or its beginning and its length where it is longer: an error of others may have any size.

    Examples
    --------
    >>> shorten("abc", 3), shorten("abcd", 3)
    ('abc', 'abc... (4 characters)')
    """
    return text if len(text) <= longest else f"{text[:longest]}... ({len(text)} characters)"


@dataclass(frozen=True)
class Condition:
    """A message, warning or error that arose while an engine worked.

    Attributes
    ----------
    kind : {"message", "warning", "error"}
    text : str
    classes : tuple of str
        R's condition classes, or the name of Python's warning class.
    call : str
        The call it came from; empty where unknown.
    count : int
        How often it arose. Of conditions of R that differ in their numbers alone, the tenth counts all that follow.
    """

    kind: Literal["message", "warning", "error"]
    text: str
    classes: tuple[str, ...] = ()
    call: str = ""
    count: int = 1


class LmerBridgeError(Exception):
    """Base of every error this package raises.

    Attributes
    ----------
    conditions : tuple of Condition
        What R, or another engine, warned of and said before. The text of the error tells it too.
    """

    conditions: tuple[Condition, ...] = ()

    def after(self, conditions: Iterable[Condition]) -> Self:
        """Return the error with conditions that came before it, put before those that it has."""
        self.conditions = tuple(dict.fromkeys((*conditions, *self.conditions)))
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how another process makes the error: by its text and attributes, without ``__init__``."""
        return __newobj__, (type(self), *self.args), self.__dict__

    def __str__(self) -> str:
        told = (f"Before that, a {each.kind}: {' '.join(each.text.split())}" for each in self.conditions)
        return "\n".join([super().__str__(), *dict.fromkeys(told)])


class SetupError(LmerBridgeError):
    """R, lme4 or rpy2 is missing, or their versions do not fit together."""


class NeedsNewer(SetupError):
    """The lme4 that is installed cannot do this.

    The message names the version that can.
    """


class InputError(LmerBridgeError, ValueError):
    """What the caller gave cannot be used."""


class FormulaError(InputError):
    """The text is not a mixed-model formula."""


class UnsafeFormula(FormulaError):
    """The formula calls a function that is not on the list of allowed ones."""


class MissingColumns(InputError):
    """The formula, or another argument, names columns that the data lacks."""

    def __init__(self, missing: Iterable[str], available: Iterable[object], where: str = "the formula") -> None:
        missing, available = list(missing), list(available)
        have = ", ".join(map(repr, available))
        texts = [name for name in available if isinstance(name, str)]
        near = dict.fromkeys(name for wanted in missing for name in get_close_matches(wanted, texts, n=1))
        meant = f" Did you mean {', '.join(map(repr, near))}?" if near else ""
        super().__init__(
            f"{where} names {', '.join(map(repr, missing))}, which the data lacks; its columns are {have}.{meant}"
        )


class UnsupportedColumn(InputError):
    """A column has no faithful form in R."""

    def __init__(self, name: object, dtype: object, remedy: str) -> None:
        super().__init__(f"column {name!r} of dtype {dtype} cannot go to R unchanged; {remedy}.")


class MissingValues(InputError):
    """Rows lack a value, and ``na_action`` is "fail" or a smaller model would use them."""


class UnfitData(InputError):
    """The data cannot identify the model."""


class InvalidArgument(InputError):
    """An argument is of the wrong kind, length or value."""


class InvalidCall(InvalidArgument, TypeError):
    """An argument is unknown, missing or given twice."""


class UnknownName(LmerBridgeError, AttributeError):
    """A fit, or the package, has no such name.

    The message says which name is meant by a word of R, statsmodels or pymer4.
    """


class RError(LmerBridgeError):
    """R stopped with an error of its own.

    Attributes
    ----------
    text : str
        R's message.
    classes : tuple of str
        The class vector of R's condition.
    call : str
        The R call that raised it, deparsed; empty where R gave none.
    """

    def __init__(self, text: str, classes: tuple[str, ...] = (), call: str = "") -> None:
        self.text, self.classes, self.call = text, classes, call
        super().__init__(f"{text} (in {call})" if call and not call.startswith(INNER) else text)


class WorkerDied(LmerBridgeError):
    """The process that runs R ended.

    The next call starts another one.
    """


class TimedOut(LmerBridgeError, TimeoutError):
    """A call took longer than its time limit.

    R was stopped, and the next call works.
    """


class ProtocolError(LmerBridgeError):
    """Host and worker disagree about a message."""


class NotExpressible(LmerBridgeError):
    """An engine has no form for this model.

    Attributes
    ----------
    reason : str
        Why, in the words a report prints.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)

    def __str__(self) -> str:
        return self.reason


class TooLarge(NotExpressible):
    """An engine could fit this model only with far too much memory or time."""


class EngineFailed(LmerBridgeError):
    """An engine raised an error or returned something unusable."""


class LmerBridgeWarning(UserWarning):
    """Base of every warning this package gives.

    Attributes
    ----------
    condition : Condition or None
        What R said, where the warning repeats it.
    """

    condition: Condition | None = None


class RWarning(LmerBridgeWarning):
    """A warning of R's, or a message that the result does not tell."""


class ConvergenceWarning(RWarning):
    """lme4 doubts that the optimizer found the optimum."""


class SingularFitWarning(LmerBridgeWarning):
    """An estimated covariance matrix has no full rank: a variance of zero or a correlation of one."""


class RankDeficientWarning(LmerBridgeWarning):
    """Columns of the fixed part are combinations of others, and were left out."""


class RowsLeftOutWarning(LmerBridgeWarning):
    """Rows lack a value and were left out, and ``na_action`` was not given."""


class BinaryResponseWarning(LmerBridgeWarning):
    """A linear model was fitted to a response of 0 and 1, or of False and True."""


class DispersionFamilyWarning(LmerBridgeWarning):
    """lme4's variances and likelihood of a family with a dispersion, as Gamma, are not to be trusted."""


class SeparationWarning(LmerBridgeWarning):
    """Columns of the model part the outcomes of a binomial response, so that estimates have no end."""


class NumbersAsTextWarning(LmerBridgeWarning):
    """A column of text, most of whose values are numbers, was fitted as a factor."""


class KnownDefectWarning(LmerBridgeWarning):
    """The version of an R package that is installed computes something wrong."""
