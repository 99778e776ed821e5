"""Run the suite: every case through the reference and each candidate."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version

from joblib import Parallel, delayed

from lmerbridge.engines import find
from lmerbridge.errors import LmerBridgeError
from lmerbridge.lmm import session_facts
from lmerbridge.parity import tolerances
from lmerbridge.parity.cases import Case
from lmerbridge.parity.compare import judge_candidate, no_fit
from lmerbridge.parity.reproduce import python_code, r_code
from lmerbridge.parity.verdict import Comparison, Verdict

PYTHON_PACKAGES = ("statsmodels", "numpy", "scipy", "pandas", "patsy")


@dataclass(frozen=True, eq=False)
class CaseResult:
    """A case, how the engines compared on it, and how to see the same by hand.

    Attributes
    ----------
    case : Case
    comparison : Comparison
    r_code, python_code : str
        Scripts to paste that show the finding.
    """

    case: Case
    comparison: Comparison
    r_code: str
    python_code: str


@dataclass(frozen=True, eq=False)
class SuiteRun:
    """All results of one run, and what they were computed with.

    Attributes
    ----------
    results : tuple of CaseResult
        Case by case, candidate by candidate.
    provenance : tuple of (name, value) pairs
        Versions of R, lme4, BLAS, Python packages, platform, locale.
    tolerances : tuple of (quantity, measure, limit, reason)
    """

    results: tuple[CaseResult, ...]
    provenance: tuple[tuple[str, str], ...]
    tolerances: tuple[tuple[str, str, float, str], ...]


def run_cases(
    cases: Sequence[Case], candidates: Sequence[str], *, reference: str = "lme4", jobs: int = 1
) -> Iterator[tuple[CaseResult, ...]]:
    """Judge every candidate on every case, and yield each case's results in order as they come.

    Parameters
    ----------
    cases : sequence of Case
    candidates : sequence of str
        Names of engines.
    reference : str
    jobs : int
        Processes, each with an R of its own.
    """
    parallel = Parallel(n_jobs=jobs, return_as="generator", batch_size=1)
    yield from parallel(delayed(run_case)(case, tuple(candidates), reference) for case in cases)


def run_case(case: Case, candidates: Sequence[str], reference: str) -> tuple[CaseResult, ...]:
    """Fit the reference once and judge every candidate against it; whatever fails costs this case only."""
    try:
        spec = case.spec()
        fit = find(reference).fit(spec)
    except LmerBridgeError as error:
        failed = [no_fit(case, (reference, name), Verdict.ENGINE_FAILED, str(error), None) for name in candidates]
        return tuple(_result(case, comparison) for comparison in failed)
    return tuple(_result(case, judge_candidate(spec, reference, fit, find(name))) for name in candidates)


def _result(case: Case, comparison: Comparison) -> CaseResult:
    return CaseResult(case, comparison, r_code(case, comparison), python_code(case, comparison))


def collect(results: Sequence[tuple[CaseResult, ...]]) -> SuiteRun:
    """Gather the results of a run with its provenance and tolerances."""
    facts = session_facts() | {"Python": platform.python_version()}
    facts |= {name: version(name) for name in PYTHON_PACKAGES}
    flat = tuple(result for group in results for result in group)
    return SuiteRun(flat, tuple(facts.items()), tolerances.default().rows())
