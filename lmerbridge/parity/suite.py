"""Run the suite: every case through the reference and each candidate."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property, lru_cache
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Any, TypeAlias

from joblib import Parallel, delayed

from lmerbridge.bridge import session_facts
from lmerbridge.datasets import load_dataset
from lmerbridge.engines import RECORDED, Engine, find, fit_with
from lmerbridge.errors import EngineFailed, LmerBridgeError, NotExpressible, SetupError
from lmerbridge.inputs import Spec, check_signature
from lmerbridge.parity import archive, process, tolerances
from lmerbridge.parity.cases import Case
from lmerbridge.parity.compare import failure_text, judge_candidate, no_fit
from lmerbridge.parity.ledger import Stale, hold
from lmerbridge.parity.rates import Rate, rates
from lmerbridge.parity.reproduce import python_code, r_code
from lmerbridge.parity.verdict import Comparison, Known, Verdict
from lmerbridge.parity.words import Code
from lmerbridge.results import Fit

Asked: TypeAlias = tuple[Case, tuple[str, ...]]  # and the engines under test
How: TypeAlias = tuple[str | None, float | None, str]  # the reference, seconds, and the profile
LAST_COMMIT = ("log", "-1", "--abbrev=12", "--format=%h of %cs")
PYTHON_PACKAGES = (
    *("statsmodels", "numpy", "scipy", "pandas", "patsy"),
    *("mixedlm", "interlace-lme", "glmm", "mixedlm-rs", "lme-python", "gpboost"),
)


@dataclass(frozen=True, eq=False)
class CaseResult:
    """A case, how the engines compared on it, and how to see the same by hand.

    Attributes
    ----------
    case : Case
    comparison : Comparison
    r_code, python_code : str
        Scripts to paste that show the finding.
    cut_short : bool
        Whether the process that an engine ran in has ended or was stopped, which may go otherwise the next time.
    """

    case: Case
    comparison: Comparison
    r_code: str
    python_code: str
    cut_short: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """The case's name and the engine's under test."""
        return self.case.name, self.comparison.candidate


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
    stale : tuple of Stale
        Entries of the ledger of known differences that do not hold; each fails the run.
    rates : tuple of Rate
        On the simulated cases, how often each engine is right by kind of data.
    planted : tuple of (fault, planted, caught)
        Faults planted on purpose, and how many the referee caught; empty where none were.
    """

    results: tuple[CaseResult, ...]
    provenance: tuple[tuple[str, str], ...]
    tolerances: tuple[tuple[str, str, float, str], ...]
    stale: tuple[Stale, ...] = ()
    planted: tuple[tuple[str, int, int], ...] = ()

    @cached_property
    def rates(self) -> tuple[Rate, ...]:
        """See the class."""
        return rates((r.case.name, r.case.kind, r.comparison) for r in self.results if r.case.kind)


def run_cases(
    cases: Sequence[Case],
    candidates: Sequence[str],
    *,
    reference: str | None = None,
    jobs: int | None = None,
    timeout: float | None = None,
    profile: str = "default",
    cache: str | Path | None = None,
) -> Iterator[tuple[CaseResult, ...]]:
    """Judge every candidate on every case, and give each case's results in order as they come.

    Parameters
    ----------
    cases : sequence of Case
    candidates : sequence of str
        Names of engines.
    reference : str, optional
        The default is each case's own: ``lme4`` of a linear model, ``lme4[tight]`` of a generalized one, and no engine
        is then judged against itself.
    jobs : int, optional
        Processes, each with an R of its own; by default one, or what `joblib.parallel_config` says, whose backend
        is used in any case.
    timeout : float, optional
        Seconds that one engine may take on one case, its comparison included.
    profile : str
        How close is close enough: see `lmerbridge.parity.tolerances.profiles`.
    cache : path, optional
        A folder that keeps results: one whose data, engines, versions and limits are the same is not computed again.

    Raises
    ------
    InvalidArgument
        An engine is not installed, or there is no such profile.
    """
    tolerances.profile(profile)
    for name in {*candidates, *([reference] if reference else (case.reference for case in cases))}:
        find(name)
    asked = [(c, tuple(n for n in candidates if reference or n != c.reference)) for c in cases]
    how = reference, timeout, profile
    if cache is None:
        return _computed(asked, how, jobs)
    return _kept_or_computed(asked, how, jobs, archive.Archive(Path(cache)))


def _computed(asked: Sequence[Asked], how: How, jobs: int | None) -> Iterator[tuple[CaseResult, ...]]:
    """Begin the calls when the first result is asked for, in the backend of that moment."""
    if asked:
        calls = [delayed(run_case)(case, names, *how) for case, names in asked]
        yield from Parallel(n_jobs=jobs, return_as="generator", batch_size=1)(calls)


def _kept_or_computed(
    asked: Sequence[Asked], how: How, jobs: int | None, cache: archive.Archive
) -> Iterator[tuple[CaseResult, ...]]:
    """Give what the cache has, and compute and keep the rest."""
    cases, engines = [case for case, _ in asked], {name for _, names in asked for name in names}
    keys = [*archive.keys(cases, engines, how[0], how[2])]
    kept = [{name: found for name, key in each.items() if (found := cache.get(key))} for each in keys]
    lacking = [(c, tuple(n for n in names if n not in found)) for (c, names), found in zip(asked, kept, strict=True)]
    computed = _computed([(case, names) for case, names in lacking if names], how, jobs)
    for key, found, (_, wanted), (_, names) in zip(keys, kept, asked, lacking, strict=True):
        new = dict(zip(names, next(computed), strict=True)) if names else {}
        for name in (name for name, result in new.items() if name in key and not result.cut_short):
            cache.put(key[name], new[name])
        yield tuple((found | new)[name] for name in wanted)
    cache.sweep()


@check_signature
def run_case(
    case: Case,
    candidates: Sequence[str],
    reference: str | None = None,
    timeout: float | None = None,
    profile: str = "default",
) -> tuple[CaseResult, ...]:
    """Fit the reference once, the case's own where none is named, and judge every candidate against it.

    A candidate that fails, crashes or hangs costs only its own result.
    """
    reference = reference or case.reference
    try:
        return tuple(_result_apart(case, (reference, name), timeout, profile) for name in candidates)
    except LmerBridgeError as error:  # the reference's: a candidate's is a verdict
        lacking = isinstance(error, NotExpressible) and reference.startswith(RECORDED)
        code = Code.NOT_RECORDED if lacking else Code.NO_FIT
        return tuple(_failure(case, (reference, name), str(error), None, code) for name in candidates)


def _result_apart(case: Case, names: tuple[str, str], timeout: float | None, profile: str) -> CaseResult:
    process.call_apart(_prepare, case, names[0], seconds=timeout)  # its time is not the candidate's
    try:
        result: CaseResult = process.call_apart(_judge_here, case, names, profile, seconds=timeout)
    except Exception as error:  # an engine is anybody's code, and so is what it raises and returns
        fit = process.call_apart(_reference_fit, case, names[0])  # again, within the limit a moment ago
        return _failure(case, names, f"{names[1]}: {failure_text(error)}", fit)
    return result


def _failure(
    case: Case, names: tuple[str, str], reason: str, reference_fit: Fit | None, code: Code = Code.NO_FIT
) -> CaseResult:
    failed = no_fit(case, names, Verdict.ENGINE_FAILED, reason, reference_fit, code)
    result: CaseResult = process.call_apart(_result, case, failed)
    return replace(result, cut_short=True)


@check_signature
def run_here(case: Case, candidate: Engine, reference: str | None = None, profile: str = "default") -> CaseResult:
    """Fit the reference and judge one candidate, an object, against it in this process."""
    reference = reference or case.reference
    spec, fit, shared = _ground(case, reference)
    return _result(case, judge_candidate(spec, reference, fit, candidate, tolerances.profile(profile), shared))


def _result(case: Case, comparison: Comparison) -> CaseResult:
    return CaseResult(case, comparison, r_code(case, comparison), python_code(case, comparison))


def _prepare(case: Case, reference: str) -> None:
    """Fit the reference, which stays in this process."""
    _reference_fit(case, reference)


def _reference_fit(case: Case, reference: str) -> Fit:
    try:
        return _ground(case, reference)[1]
    except LmerBridgeError:
        raise
    except Exception as error:  # an engine is anybody's code, and its failure is a result
        raise EngineFailed(failure_text(error)) from error


def _judge_here(case: Case, names: tuple[str, str], profile: str) -> CaseResult:
    return run_here(case, find(names[1]), names[0], profile)


@lru_cache(maxsize=1)
def _ground(case: Case, reference: str) -> tuple[Spec, Fit, dict[str, Any]]:
    """The model, the reference's fit, and what the candidates' trials share."""
    engine = find(reference)
    spec = case.spec(getattr(engine, "load_dataset", load_dataset))
    return spec, fit_with(engine, spec), {}


def _session_facts(results: Sequence[tuple[CaseResult, ...]]) -> dict[str, str]:
    """Give what the reference was computed with, where it was: a recording is of another machine."""
    fits = [fit for group in results for r in group if (fit := r.comparison.reference_fit)]
    try:
        return dict(fits[0].provenance.versions) if fits else session_facts()
    except SetupError:  # no R here, and no fit of elsewhere
        return {}


def _commit(package: Path) -> dict[str, str]:
    """Give the last commit that changed the code of lmerbridge, and its day, in a checkout.

    The commit of a report, which changes no code, is another. So the same code gives the same report.
    """
    code = [str(folder) for folder in (package, package.parent / "r" / "R") if folder.is_dir()]
    try:
        commit, changed = (_git(package, *words, "--", *code) for words in (LAST_COMMIT, ("status", "--porcelain")))
    except (OSError, subprocess.SubprocessError):  # no git, no checkout, or a git that waits
        return {}
    return {"commit": commit + ", and changes not committed" * bool(changed)} if commit else {}


def _git(folder: Path, *words: str) -> str:
    command = ["git", *words]  # the one that the user has, asked where this package is
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=10)  # noqa: S603
    return done.stdout.strip()


def _is_installed(package: str) -> bool:
    return any(True for _ in distributions(name=package))


@check_signature
def collect(
    results: Sequence[tuple[CaseResult, ...]], ledger: Sequence[Known] = (), profile: str = "default"
) -> SuiteRun:
    """Gather the results of a run with its provenance and tolerances, and hold a ledger against them."""
    facts = _session_facts(results) | _commit(Path(__file__).parents[1]) | {"Python": platform.python_version()}
    facts |= {name: version(name) for name in PYTHON_PACKAGES if _is_installed(name)}
    flat = [result for group in results for result in group]
    reading = hold(ledger, {r.key: r.comparison for r in flat}, date.today())
    marked = tuple(replace(r, comparison=replace(r.comparison, known=reading.known.get(r.key))) for r in flat)
    return SuiteRun(marked, tuple(facts.items()), tolerances.profile(profile).rows(), reading.stale)
