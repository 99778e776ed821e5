"""Scripts to paste: the same finding in R and in Python, with nothing left out."""

from __future__ import annotations

from lmerbridge.parity.cases import Case
from lmerbridge.parity.verdict import Comparison


def r_code(case: Case, comparison: Comparison) -> str:
    """R alone: lme4's fit, and lme4's own objective at the candidate's theta."""
    criterion = "REMLcrit(m)" if case.reml else "deviance(m)"
    r_given = "".join(f", {argument} = {column}" for argument, column in _given(case))
    lines = [
        "library(lme4)",
        *_r_data(case),
        f"m <- lmer({case.formula}, d, REML = {str(case.reml).upper()}{r_given})",
        f"{criterion}  # {_criterion(comparison)}",
    ]
    if comparison.candidate_theta:
        theta = ", ".join(repr(value) for value in comparison.candidate_theta)
        lines += [
            "objective <- update(m, devFunOnly = TRUE)",
            f"objective(c({theta})) - {criterion}  # what {comparison.candidate} lies above lme4",
        ]
    return "\n".join(lines) + "\n"


def python_code(case: Case, comparison: Comparison) -> str:
    """The same comparison through this package."""
    given = "".join(f", {argument}={column!r}" for argument, column in _given(case))
    lines = [
        "from lmerbridge import compare, load_dataset",
        f"data = load_dataset({case.dataset!r}, {case.package!r})",
        *([f"data = data.query({case.rows!r})"] if case.rows else []),
        f"result = compare({case.formula!r}, data, candidate={comparison.candidate!r}, reml={case.reml}{given})",
        "print(result.explain())",
        "print(result.frame.to_string())",
    ]
    return "\n".join(lines) + "\n"


def _given(case: Case) -> list[tuple[str, str]]:
    return [(name, column) for name, column in (("weights", case.weights), ("offset", case.offset)) if column]


def _criterion(comparison: Comparison) -> str:
    fit = comparison.reference_fit
    return repr(fit.criterion) if fit else comparison.reason


def _r_data(case: Case) -> list[str]:
    """Lines of R that load the case's rows; rows picked in Python are named by their position."""
    if case.package == "statsmodels":
        load = [f'd <- read.csv("{case.dataset}.csv")  # statsmodels/regression/tests/results/{case.dataset}.csv']
    else:
        load = [f'data("{case.dataset}", package = "{case.package}")', f"d <- as.data.frame({case.dataset})"]
    if case.rows:
        kept = (case.data().index + 1).to_list()
        load.append(f"d <- d[c({_ranges(kept)}), ]")
    return load


def _ranges(positions: list[int]) -> str:
    """Write positions as R's ranges.

    Examples
    --------
    >>> _ranges([1, 2, 3, 7, 9, 10])
    '1:3, 7, 9:10'
    """
    parts: list[list[int]] = []
    for position in positions:
        if parts and position == parts[-1][-1] + 1:
            parts[-1].append(position)
        else:
            parts.append([position])
    return ", ".join(str(p[0]) if len(p) == 1 else f"{p[0]}:{p[-1]}" for p in parts)
