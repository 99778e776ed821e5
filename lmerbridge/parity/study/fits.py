"""What the study has found: fits, digits, printed numbers, and with which versions."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import TypeVar

from lmerbridge.parity import DigitRow
from lmerbridge.parity.study.known import Doubt, PrintedCount
from lmerbridge.parity.study.rows import Row, worst

REFERENCES = ("lme4", "lme4[tight]")  # of linear and of generalized models
Each = TypeVar("Each")


@dataclass(frozen=True)
class StudyFits:
    """What was found.

    Attributes
    ----------
    rows : tuple of Row
    digits : tuple of DigitRow
    printed : tuple of PrintedCount
    doubts : tuple of Doubt
    versions : mapping of str to str
        Of the engines.
    provenance, suite : mapping of str to str
        What the fits were made with, and what those of the suite were that a report has left.
    """

    rows: tuple[Row, ...] = ()
    digits: tuple[DigitRow, ...] = ()
    printed: tuple[PrintedCount, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)
    suite: Mapping[str, str] = field(default_factory=dict)

    def after(self, older: StudyFits) -> StudyFits:
        """Return these fits, and of an older study those that were not made again.

        A reference is judged beside every engine, so that the worst that was ever said of it stands.
        """
        return StudyFits(
            rows=tuple(worst([*_kept(older.rows, self.rows), *self.rows])),
            digits=_updated(older.digits, self.digits, lambda d: (d.engine, d.case, d.quantity)),
            printed=_updated(older.printed, self.printed, lambda p: (p.engine, p.case)),
            doubts=_updated(older.doubts, self.doubts, lambda d: (d.case, d.quantity)),
            versions={**older.versions, **self.versions},
            provenance=self.provenance,
            suite=self.suite or older.suite,
        )


def _kept(older: Iterable[Row], newer: Iterable[Row]) -> list[Row]:
    """Return the older rows that no newer one replaces."""
    new = {(row.block, row.case, row.engine) for row in newer}
    return [row for row in older if row.engine in REFERENCES or (row.block, row.case, row.engine) not in new]


def _updated(older: Iterable[Each], newer: Iterable[Each], key: Callable[[Each], Hashable]) -> tuple[Each, ...]:
    return tuple({key(each): each for each in chain(older, newer)}.values())
