"""The pytest plugin: a test for each case, and a report of the run.

::

    import lmerbridge

    @lmerbridge.parametrize_parity(engine="statsmodels", cases="sleepstudy*")
    def test_parity(comparison): ...

pytest loads this module wherever lmerbridge is installed, so it imports nothing of it before it is used.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

if TYPE_CHECKING:
    from lmerbridge.engines import Engine
    from lmerbridge.parity import Case, CaseResult, Comparison, Known, Verdict

Test = TypeVar("Test", bound=Callable[..., object])
Expected = Mapping[str, "str | Verdict"] | str | os.PathLike[str]
MARK = "lmerbridge_parity"


@dataclass(frozen=True)
class Plan:
    """What a parametrized test does with its cases."""

    engine: str | Engine
    reference: str | None
    known: tuple[Known, ...]

    def run(self, case: Case) -> CaseResult:
        """Judge the engine on a case."""
        from lmerbridge.parity import run_case, run_here

        if not isinstance(self.engine, str):
            return run_here(case, self.engine, self.reference)
        (result,) = run_case(case, [self.engine], self.reference)
        return result


@dataclass
class Record:
    """What the tests of a session found, by case and engine, and the differences they expected."""

    results: dict[tuple[str, str], CaseResult]
    known: dict[tuple[str, str, str], Known]

    def add(self, result: CaseResult, known: Sequence[Known]) -> None:
        """Note a result and what was expected of it."""
        self.results[result.key] = result
        self.known |= {(e.case, e.engine, e.quantity): e for e in known if (e.case, e.engine) == result.key}

    def write(self, folder: Path) -> list[Path]:
        """Write the report, the same whatever order the tests ran in."""
        from lmerbridge.parity import collect
        from lmerbridge.report import describe, write

        ordered = [(self.results[key],) for key in sorted(self.results)]
        return write(describe(collect(ordered, tuple(self.known.values()))), folder)


RECORD = pytest.StashKey[Record]()


def parametrize_parity(
    *,
    engine: str | Engine,
    cases: str | Sequence[Case] = "*",
    expected: Expected | None = None,
    reference: str | None = None,
) -> Callable[[Test], Test]:
    """Make a test of each case: it fails where the engine disagrees with the reference, or no longer does as expected.

    Parameters
    ----------
    engine : str or Engine
        Under test. One of the installed by its name, which runs in a process of its own and may crash, or an object,
        which runs in that of the test.
    cases : str or sequence of Case
        A glob of names in the suite, or cases; ``cbpp/Laplace`` is a generalized model.
    expected : mapping of case to verdict, or path of a ledger
        Findings that are known: they are reported as expected failures, and anything else, an agreement too, fails.
    reference : str, optional
        The default is ``lme4`` for linear models and ``lme4[tight]`` for generalized ones.

    Returns
    -------
    callable
        A decorator. The test takes an argument ``comparison``, and runs where the engines agree.

    Raises
    ------
    InvalidArgument
        No case has the name that is asked for or expected, or what is expected is no verdict.
    """
    _check_types(engine, cases, expected, reference)
    chosen = _cases(cases)
    name = engine if isinstance(engine, str) else engine.name
    plan = Plan(engine, reference, _known_differences(expected, name, [case.name for case in chosen]))

    def mark(test: Test) -> Test:
        each = pytest.mark.parametrize("comparison", chosen, ids=[case.name for case in chosen])
        marked: Test = getattr(pytest.mark, MARK)(plan=plan)(each(test))
        return marked

    return mark


def _check_types(engine: object, cases: object, expected: object, reference: object) -> None:
    from lmerbridge.engines import Engine
    from lmerbridge.errors import InvalidArgument
    from lmerbridge.parity import Case

    several = isinstance(cases, list | tuple) and all(isinstance(case, Case) for case in cases)
    for name, value, fits, told in (
        ("engine", engine, isinstance(engine, str | Engine), "a name, or an object with fit(),"),
        ("cases", cases, several or isinstance(cases, str), "a glob, or a sequence of Case,"),
        ("expected", expected, isinstance(expected, Mapping | str | os.PathLike | None), "a mapping or a path"),
        ("reference", reference, isinstance(reference, str | None), "a name"),
    ):
        if not fits:
            raise InvalidArgument(f"{name} is {value!r}; {told} is expected.")


def _cases(cases: str | Sequence[Case]) -> Sequence[Case]:
    from lmerbridge.parity import pick

    return pick(cases) if isinstance(cases, str) else cases


def _known_differences(expected: Expected | None, engine: str, cases: Sequence[str]) -> tuple[Known, ...]:
    from lmerbridge.errors import InvalidArgument
    from lmerbridge.parity import ledger

    if expected is None:
        return ()
    entries = (
        ledger.expectations(expected, engine) if isinstance(expected, Mapping) else ledger.load_ledger(Path(expected))
    )
    mine = [entry for entry in ledger.select(entries, cases, [engine]) if entry.engine == engine]
    if unused := [entry.case for entry in mine if entry.case not in cases]:
        raise InvalidArgument(f"expected names {', '.join(unused)}; the cases are {', '.join(cases)}.")
    return tuple(mine)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--parity-report``."""
    group = parser.getgroup("lmerbridge")
    group.addoption("--parity-report", metavar="DIR", type=Path, help="write the parity tests' report to DIR")


def pytest_configure(config: pytest.Config) -> None:
    """Tell pytest of the mark."""
    config.addinivalue_line("markers", f"{MARK}(plan): set by lmerbridge.parametrize_parity")
    config.stash[RECORD] = Record({}, {})


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> None:
    """Judge the case of a parametrized test, and give the test the comparison."""
    mark = pyfuncitem.get_closest_marker(MARK)
    if mark is None:
        return
    plan: Plan = mark.kwargs["plan"]
    case: Any = pyfuncitem.funcargs["comparison"]
    result = plan.run(case)
    pyfuncitem.config.stash[RECORD].add(result, plan.known)
    pyfuncitem.funcargs["comparison"] = _check_agreement(result, plan.known)


def _check_agreement(result: CaseResult, known: Sequence[Known]) -> Comparison:
    """Return a comparison, unless the test ends with it."""
    from lmerbridge.parity import hold
    from lmerbridge.report import fails
    from lmerbridge.text import clean

    mine = [entry for entry in known if (entry.case, entry.engine) == result.key]
    reading = hold(mine, {result.key: result.comparison}, date.today())
    comparison = replace(result.comparison, known=reading.known.get(result.key))
    if reading.stale or fails(comparison):
        told = [*(f"expected {stale}" for stale in reading.stale), comparison.explain(), "", result.python_code]
        pytest.fail(clean("\n".join(told)), pytrace=False)
    if comparison.known:
        pytest.xfail(clean(f"{comparison.verdict}, as expected: {comparison.known.reason}"))
    if not comparison.verdict.compared:
        pytest.skip(clean(f"{comparison.verdict}: {comparison.reason}"))
    return comparison


def _write_report(record: Record, folder: Path) -> str:
    """Write the report and return its files' names, or end the session with status 2 where it cannot be written."""
    from lmerbridge.errors import InvalidArgument
    from lmerbridge.text import clean

    try:
        return clean(", ".join(map(str, record.write(folder))))
    except InvalidArgument as error:
        pytest.exit(clean(f"parity report: {error}"), returncode=2)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:  # noqa: ANN401  # pytest-xdist's controller of one of its processes
    """Take over what a process of pytest-xdist found."""
    found: Record = pickle.loads(node.workeroutput[MARK])  # noqa: S301  # our own process wrote it
    record = node.config.stash[RECORD]
    record.results |= found.results
    record.known |= found.known


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand what was found to the controller of pytest-xdist, if this is one of its processes."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput[MARK] = pickle.dumps(session.config.stash[RECORD])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Write the report, once the failures are shown."""
    folder: Path | None = config.getoption("parity_report")
    record = config.stash[RECORD]
    if folder and record.results:
        terminalreporter.write_line("parity report: " + _write_report(record, folder))
    elif folder:
        terminalreporter.write_line("parity report: none, for no parity test has run")
