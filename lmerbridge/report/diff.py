"""Two parity runs, told apart from their JSON: what is new, mended, worse."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, TypedDict

from lmerbridge.errors import InvalidArgument
from lmerbridge.inputs import check_type, document, parse_json, words
from lmerbridge.parity import Verdict
from lmerbridge.report.description import Report
from lmerbridge.report.machine import OLDER, SCHEMA, json_text

GREW = 1.1  # a gap this many times the old one has grown: less is the last step of an optimizer
KERNEL = "BLAS kernel"  # the code path that OpenBLAS chose for the processor
ROUNDING = 1e-6  # deviance units, as for the same optimum
BADNESS = (  # the least first
    Verdict.SAME_OPTIMUM,
    Verdict.OTHER_DEFINITION,
    Verdict.LOOSE_STOP,
    Verdict.NOT_EXPRESSIBLE,
    Verdict.TOO_LARGE,
    Verdict.OTHER_OPTIMUM,
    Verdict.BOTH_SHORT,
    Verdict.FAULTY_REPORT,
    Verdict.ENGINE_FAILED,
    Verdict.OTHER_OBJECTIVE,
    Verdict.SPEC_MISMATCH,
    Verdict.REFERENCE_FAULTY,
    Verdict.UNEXPLAINED,
)


class Change(StrEnum):
    """What became of a case and engine from one run to the next.

    A known difference counts as the difference that it is.
    """

    NEW = "new"  # disagrees, and did not before or was not run
    WORSE = "worse"  # a worse verdict than before, or a larger gap
    MENDED = "mended"  # disagreed, and agrees
    BETTER = "better"  # a better verdict, or a smaller gap
    ADDED = "added"  # was not run before, and does not disagree
    GONE = "gone"  # was run before
    UNCHANGED = "unchanged"

    @property
    def fails(self) -> bool:
        """Whether it fails a comparison of runs."""
        return self in (Change.NEW, Change.WORSE)


@dataclass(frozen=True)
class Answer:
    """What a run says of one case and engine."""

    verdict: Verdict
    disagrees: bool
    gap: float | None

    @property
    def badness(self) -> int:
        """Rank of the verdict, the least first.

        A fault of the reference counts as agreement, or as no comparison.
        """
        rank = BADNESS.index(self.verdict)
        if self.disagrees or rank < BADNESS.index(Verdict.OTHER_OPTIMUM):
            return rank
        return 0 if self.verdict.compared else BADNESS.index(Verdict.TOO_LARGE)

    def __str__(self) -> str:
        return str(self.verdict) if self.gap is None else f"{self.verdict} (gap {self.gap:.2g})"


class _Result(TypedDict):
    """What is read of a result."""

    case: str
    candidate: str
    reference: str
    verdict: Verdict
    fails: bool
    gap: dict[str, Any]


class _Report(TypedDict):
    """What is read of a report in JSON."""

    results: list[_Result]
    provenance: list[tuple[str, str]]


Key = tuple[str, str, str]  # case, engine under test, reference


@dataclass(frozen=True)
class Difference:
    """What became of one case and engine."""

    key: Key
    change: Change
    old: Answer | None
    new: Answer | None

    def __str__(self) -> str:
        case, candidate, _ = self.key
        told = " -> ".join(str(answer or "not run") for answer in (self.old, self.new))
        return f"{self.change}: {case}, {candidate}: {told}"


@dataclass(frozen=True)
class Run:
    """A run as its JSON tells it."""

    answers: dict[Key, Answer]
    provenance: dict[str, str]


@dataclass(frozen=True)
class Diff:
    """What lies between two runs.

    Attributes
    ----------
    differences : tuple of Difference
        By kind of change, then by case; the unchanged among them.
    versions : tuple of (name, old, new)
        What the runs were computed with, where it differs.
    """

    differences: tuple[Difference, ...]
    versions: tuple[tuple[str, str, str], ...]

    @property
    def exit_code(self) -> int:
        """1 where something is new or worse, else 0."""
        return int(any(d.change.fails for d in self.differences))

    def __str__(self) -> str:
        changed = [str(d) for d in self.differences if d.change is not Change.UNCHANGED]
        versions = [f"{name}: {old or 'none'} -> {new or 'none'}" for name, old, new in self.versions]
        if any(name == KERNEL for name, *_ in self.versions):
            versions.append("Another processor's code gives other last bits: a verdict at a limit may change with it.")
        tally = Counter(d.change for d in self.differences)
        return "\n".join([*versions, *changed, ", ".join(f"{tally[change]} {change}" for change in Change)])


def load_run(path: Path) -> Run:
    """Read the JSON of a run, of an older schema too.

    Raises
    ------
    InvalidArgument
        The file cannot be read, or is no report of a schema that is known.
    """
    with document(path) as text:
        data = parse_json(text)
        if isinstance(data, dict) and data.get("schema") not in (SCHEMA, *OLDER):
            older = " or ".join(map(str, OLDER))
            raise InvalidArgument(
                f"it has schema {words(data.get('schema'))}; {SCHEMA}, or an older run's {older}, is expected."
            )
        check_type(data, _Report)
        for place, result in enumerate(data["results"]):
            engine = result["candidate"]
            check_type(result["gap"].get(engine), float | None, f"results[{place}].gap.{engine}")
        run = _run(data)
        if len(run.answers) < len(data["results"]):
            raise InvalidArgument("results has a case and its engines twice; each once is expected.")
        return run


def since(old: Run, report: Report) -> Report:
    """Return the report with what has changed since an older run."""
    told = compare_runs(old, _run(json.loads(json_text(report))))
    return replace(report, since=tuple(str(told).splitlines()))


def _run(data: Mapping[str, Any]) -> Run:
    answers = {(r["case"], r["candidate"], r["reference"]): _answer(r) for r in data["results"]}
    return Run(answers, dict(data["provenance"]))


def _answer(result: Mapping[str, Any]) -> Answer:
    disagrees = bool(result["fails"] or result.get("known"))
    return Answer(Verdict(result["verdict"]), disagrees, result["gap"].get(result["candidate"]))


def compare_runs(old: Run, new: Run) -> Diff:
    """Compare two runs.

    Raises
    ------
    InvalidArgument
        They have no case and engine in common.
    """
    if not old.answers.keys() & new.answers.keys():
        raise InvalidArgument(
            "the two runs have no case of the same engines in common; runs of one suite are expected."
        )
    differences = [_difference(key, old.answers.get(key), new.answers.get(key)) for key in old.answers | new.answers]
    order = list(Change)
    names = old.provenance | new.provenance
    versions = [(name, old.provenance.get(name, ""), new.provenance.get(name, "")) for name in names]
    return Diff(
        tuple(sorted(differences, key=lambda d: (order.index(d.change), d.key))),
        tuple(version for version in versions if version[1] != version[2]),
    )


def _difference(key: Key, old: Answer | None, new: Answer | None) -> Difference:
    return Difference(key, _change(old, new), old, new)


def _change(old: Answer | None, new: Answer | None) -> Change:
    if new is None:
        return Change.GONE
    if old is None:
        return Change.NEW if new.disagrees else Change.ADDED
    if new.disagrees and not old.disagrees:
        return Change.NEW
    if old.disagrees and not new.disagrees and new.verdict.compared:
        return Change.MENDED
    if old.badness != new.badness:
        return Change.WORSE if new.badness > old.badness else Change.BETTER
    return _by_gap(old.gap, new.gap) if new.badness else Change.UNCHANGED


def _by_gap(old: float | None, new: float | None) -> Change:
    if old is None or new is None:
        return Change.UNCHANGED if old == new else Change.WORSE
    if new > max(GREW * old, old + ROUNDING):
        return Change.WORSE
    return Change.BETTER if old > max(GREW * new, new + ROUNDING) else Change.UNCHANGED
