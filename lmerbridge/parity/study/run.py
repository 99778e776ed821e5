"""Fit the blocks of a plan: what a report has left is read, the rest is fitted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import chain
from typing import Any, TypeAlias

from joblib import Parallel, delayed

from lmerbridge.parity import cases, process, suite
from lmerbridge.parity.study import designs, known, rows
from lmerbridge.parity.study.fits import REFERENCES, StudyFits
from lmerbridge.parity.study.plan import KNOWN, SUITE, StudyPlan
from lmerbridge.parity.version import engine_version

Status: TypeAlias = Callable[[str], AbstractContextManager[None]]  # says what is done, for as long as it lasts
ADDED = {"scales": designs.scales, "small": designs.small}
SAME = ("R", "lme4", "Matrix", "BLAS", "BLAS kernel", "Python", "numpy", "scipy", "pandas")  # what numbers depend on


def fit_plan(plan: StudyPlan, status: Status) -> StudyFits:
    """Fit every block of a plan.

    Parameters
    ----------
    plan : StudyPlan
    status : callable
        Text -> a context in which that is being done.
    """
    with status("asking each engine for its version"):
        versions = {name: process.call_apart(engine_version, name) for name in (*REFERENCES, *plan.engines)}
        provenance = dict(suite.collect([]).provenance)
    left = _left(plan, versions, provenance)
    found = [*_suite(plan, left, status), *_added(plan, status)]
    scores = [*_known(plan, status)]
    return StudyFits(
        rows=tuple(rows.worst(chain(found, *(each.rows for each in scores)))),
        digits=tuple(chain.from_iterable(each.digits for each in scores)),
        printed=tuple(chain.from_iterable(each.printed for each in scores)),
        doubts=tuple(chain.from_iterable(each.doubts for each in scores)),
        versions=versions,
        provenance=provenance,
        suite=_suite_facts(plan.report) if plan.report and left else {},
    )


def report_versions(report: Mapping[str, Any]) -> dict[str, str]:
    """Return the versions of the engines that a ``parity.json`` tells of."""
    told = [each["engine"].rpartition(" ") for each in (*report["engines"], *report["references"])]
    return {name: version for name, _, version in told}


def _suite_facts(report: Mapping[str, Any]) -> dict[str, str]:
    """Return what a report was made with, and how many planted faults its referee caught."""
    counts = {f"faults {name}": str(sum(each[name] for each in report["planted"])) for name in ("planted", "caught")}
    return dict(report["provenance"]) | counts


def _left(plan: StudyPlan, versions: Mapping[str, str], provenance: Mapping[str, str]) -> tuple[str, ...]:
    """Return the engines whose fits of the suite a report has left, made with what is installed here."""
    if plan.report is None or any(dict(plan.report["provenance"]).get(k) != provenance.get(k) for k in SAME):
        return ()
    told = report_versions(plan.report)
    return tuple(name for name in plan.engines if told.get(name) == versions[name])


def _suite(plan: StudyPlan, left: Sequence[str], status: Status) -> Iterable[rows.Row]:
    wanted = {block for block in plan.blocks if block in SUITE}
    if wanted and plan.report and left:
        named = {case.name for case in plan.picked(cases.every_case())}
        told = rows.rows_of_report(plan.report, left)
        yield from (row for row in told if row.block in wanted and row.case in named)
    others = [name for name in plan.engines if name not in left]
    if wanted and others:
        asked = [case for case in plan.picked(cases.every_case()) if rows.block_of(case.model, case.kind) in wanted]
        with status(f"fitting the suite with {', '.join(others)}"):
            yield from _judge(plan, asked, others)


def _added(plan: StudyPlan, status: Status) -> Iterable[rows.Row]:
    for block in (block for block in plan.blocks if block in ADDED):
        with status(f"fitting the block {block}"):
            yield from _judge(plan, plan.picked(ADDED[block]()), plan.engines, block)


def _judge(plan: StudyPlan, asked: Sequence[cases.Case], engines: Sequence[str], block: str = "") -> list[rows.Row]:
    """Judge engines on cases of one block, or of those of the suite."""
    given: dict[str, Any] = {"jobs": plan.jobs, "timeout": plan.timeout, "cache": plan.cache}
    results = chain.from_iterable(suite.run_cases(asked, engines, **given))
    found = [rows.rows_of_result(r, block or rows.block_of(r.case.model, r.case.kind)) for r in results]
    return [*chain.from_iterable(found)]


def _known(plan: StudyPlan, status: Status) -> Iterable[known.Scores]:
    for source in (block for block in plan.blocks if block in KNOWN):
        models = plan.picked(known.known_models(source), "case")
        calls = [delayed(known.score_model)(source, model, plan.everyone, plan.timeout) for model in models]
        with status(f"fitting the block {source}"):
            yield from Parallel(n_jobs=plan.jobs, batch_size=1)(calls) if calls else []
