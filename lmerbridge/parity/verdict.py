"""The verdict on one pair of fits, what a stage rules, and what is known of a difference."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Literal

import pandas as pd

from lmerbridge.errors import InvalidArgument
from lmerbridge.inputs import Spec, check_methods
from lmerbridge.parity.evidence import Evidence, Judged, Line, Native
from lmerbridge.parity.quantities import QuantityRow, kind_of
from lmerbridge.parity.reproduce import reproduce
from lmerbridge.parity.words import definition_sentence, optimizer_sentence
from lmerbridge.results import Fit, Kind, shown
from lmerbridge.text import clean

SAME_NUMBER = 1e-5  # relative: numbers of two definitions that agree to more are printed once


class Verdict(StrEnum):
    """The first stage at which two fits differ, or that they do not."""

    SAME_OPTIMUM = "same_optimum"
    LOOSE_STOP = "loose_stop"
    OTHER_OPTIMUM = "other_optimum"
    BOTH_SHORT = "both_short"
    OTHER_DEFINITION = "other_definition"
    FAULTY_REPORT = "faulty_report"
    OTHER_OBJECTIVE = "other_objective"
    SPEC_MISMATCH = "spec_mismatch"
    REFERENCE_FAULTY = "reference_faulty"
    UNEXPLAINED = "unexplained"
    NOT_EXPRESSIBLE = "not_expressible"
    TOO_LARGE = "too_large"
    ENGINE_FAILED = "engine_failed"

    @property
    def agrees(self) -> bool:
        """Whether the two engines found the same answer, as far as each defines it."""
        return self in (Verdict.SAME_OPTIMUM, Verdict.LOOSE_STOP, Verdict.OTHER_DEFINITION)

    @property
    def compared(self) -> bool:
        """Whether there were two fits to compare."""
        return self not in (Verdict.NOT_EXPRESSIBLE, Verdict.TOO_LARGE, Verdict.ENGINE_FAILED)


@dataclass(frozen=True)
class Ruling:
    """What one stage found, the verdict if it is a cause, and the definitions it verified by kind of quantity."""

    evidence: Evidence
    verdict: Verdict | None = None
    accounted: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Known:
    """A difference somebody has looked into.

    Attributes
    ----------
    case, engine : str
        Of the finding: one case, one engine under test.
    verdict : Verdict
    reason, link : str
        Why it differs, and where that is told.
    expires : date
        The last day on which the entry holds.
    quantity : str
        A name such as ``se[Days]``, or all of its kind, such as ``se``; "" is the whole finding. A finding is known by
        its quantities only where all that are beyond tolerance are.
    """

    case: str
    engine: str
    verdict: Verdict
    reason: str
    link: str
    expires: date
    quantity: str = ""

    def __str__(self) -> str:
        of = f", {self.quantity}" if self.quantity else ""
        return f"{self.case}, {self.engine}{of}: {self.verdict}"

    def covers(self, quantity: str) -> bool:
        """Whether the entry speaks of a quantity."""
        return self.quantity in ("", quantity, kind_of(quantity))


def family_of(kind: Kind) -> str:
    """Return the family and link of a generalized model, "" of a linear one."""
    return "" if kind.linear else f"{kind.family}({kind.link})"


NOT_JUDGED = Judged(gap={}, worse=None, minimum=math.nan, noise=math.nan)


@check_methods
@shown()
@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Comparison:
    """Two fits of one model, with a verdict.

    The attributes of `Judged` can be read from it too: ``gap``, ``worse``, ``minimum``, ``noise``, ``marks``,
    ``optimizers``, ``native``, ``lines``. They are empty, None or NaN where the fits could not be judged.

    Attributes
    ----------
    formula : str
    reml : bool
    family : str
        Of a generalized model its family and link, as ``binomial(logit)``; "" of a linear one.
    n_agq : int
        Nodes of a generalized model's quadrature; 1 is Laplace's approximation.
    reference, candidate : str
        Names of the engines.
    verdict : Verdict
    cause : Evidence
        What the verdict rests on; ``reason`` is its sentence.
    judged : Judged or None
        None where an engine gave no fit, or the two are not of one model.
    rows : tuple of QuantityRow
    evidence : tuple of Evidence
        Of every stage reached, the cause among them.
    definitions : tuple of str
        Names of the entries of the definition table that were needed.
    reference_fit, candidate_fit : Fit or None
        None where that engine gave no fit.
    known : Known or None
        The entry of the ledger that explains the difference.
    spec : Spec or None
        What was fitted, where `lmerbridge.compare` was asked to.
    """

    formula: str
    reml: bool
    reference: str
    candidate: str
    verdict: Verdict
    cause: Evidence
    judged: Judged | None = None
    rows: tuple[QuantityRow, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    definitions: tuple[str, ...] = ()
    reference_fit: Fit | None
    candidate_fit: Fit | None
    known: Known | None = None
    spec: Spec | None = None
    family: str = ""
    n_agq: int = 1

    def __repr__(self) -> str:
        return clean(f"<{self.candidate} against {self.reference}: {self.verdict}. {self.reason}>")

    @property
    def reason(self) -> str:
        """One sentence: why this verdict."""
        return self.cause.text

    @property
    def _judged(self) -> Judged:
        return self.judged or NOT_JUDGED

    @property
    def gap(self) -> dict[str, float]:
        """For each engine, deviance units above the best optimum known.

        It is empty where no objective was evaluated.
        """
        return self._judged.gap

    @property
    def worse(self) -> str | None:
        """The engine at fault: one that stopped short, that reports what is not so, or a reference that gave no fit."""
        if self.reference_fit is None or self.verdict is Verdict.REFERENCE_FAULTY:
            return self.reference
        return self.candidate if self.verdict is Verdict.FAULTY_REPORT else self._judged.worse

    @property
    def minimum(self) -> float:
        """The lowest value of the objective found by anyone, or NaN."""
        return self._judged.minimum

    @property
    def noise(self) -> float:
        """Rounding error of the objective at the minimum, in deviance units."""
        return self._judged.noise

    @property
    def marks(self) -> tuple[str, ...]:
        """``boundary`` and ``flat``: see `Judged`."""
        return self._judged.marks

    @property
    def optimizers(self) -> dict[str, float]:
        """For each of lme4's own optimizers, deviance units above the best optimum known."""
        return self._judged.optimizers

    @property
    def native(self) -> tuple[Native, ...]:
        """What the candidate defines in its own way, by its definition and by the reference's."""
        return self._judged.native

    @property
    def lines(self) -> tuple[Line, ...]:
        """The objective between the two answers: see `Judged`."""
        return self._judged.lines

    @property
    def candidate_theta(self) -> tuple[float, ...]:
        """The candidate's theta in the reference's order, empty where it has none."""
        return self._judged.theta

    @property
    def frame(self) -> pd.DataFrame:
        """Long table with one row per quantity: see `QuantityRow`."""
        return pd.DataFrame(self.rows, columns=list(QuantityRow.__dataclass_fields__))

    def beside(self) -> Iterator[str]:
        """Tell what a difference is to be seen against: lme4's own optimizers, and other definitions."""
        if self.optimizers:
            yield optimizer_sentence(self.optimizers)
        for row in self.native:
            if not math.isclose(row.native, row.corrected, rel_tol=SAME_NUMBER):
                numbers = row.native, row.corrected, row.reference
                yield definition_sentence(row.quantity, (self.reference, self.candidate), numbers)

    def explain(self) -> str:
        """Tell the verdict and the evidence of every stage, one sentence per line."""
        others = [e.text for e in self.evidence if e != self.cause]
        return clean("\n".join([f"{self.verdict}: {self.reason}", *others, *self.beside()]))

    def reproduce(self, language: Literal["r", "python"], folder: str | Path = ".") -> Path:
        """Write a script and a data file that show the finding on their own.

        Parameters
        ----------
        language : {"r", "python"}
            R needs lme4 only.
        folder : path
            Where ``finding.R`` or ``finding.py``, and ``finding.csv``, go; it must be there.

        Returns
        -------
        Path
            The script; it is to be run in its folder.

        Raises
        ------
        InvalidArgument
            Another language, or a comparison that does not know its data: one not made by `lmerbridge.compare`.
        """
        if self.spec is None:
            raise InvalidArgument("the comparison does not know its data; make it with lmerbridge.compare.")
        return reproduce(self, self.spec, language, folder)
