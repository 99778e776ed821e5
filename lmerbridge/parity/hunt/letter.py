"""The letter to an engine's maintainers: what was fitted, expected and got, by how much, and why."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from lmerbridge.parity.hunt.finding import Finding
from lmerbridge.parity.hunt.scripts import Shown, fill_template
from lmerbridge.parity.words import TERMS

CLAIM = {True: "says that it converged, and warns of nothing", False: "warns, or does not say that it converged"}
PLAIN_R = "lme4's own deviance function, minimized in plain R from many starts,"
CHANGED = "One answer follows from the other, and no fit is needed to know it."
ENDS = "At the data it lies {before:.3g} deviance units above the best optimum known, and {after:.3g} when {change}."


def subject(finding: Finding) -> str:
    """Return one line that says what an engine does."""
    who, size = f"{finding.engine} {finding.version}".rstrip(), _size(finding)
    silent = " and says nothing" if finding.silent else ""
    if finding.oracle == "gap":
        return f"{who} stops {size} deviance units above the optimum{silent}"
    if finding.oracle in TITLES:
        return f"{who} {TITLES[finding.oracle].format(size=size)}{silent}"
    return f"{who} gives another answer when {finding.figures.get('change', finding.oracle)}{silent}"


TITLES = {
    "objective": "reports a criterion that is {size} off the model's at its own estimates",
    "pinned": "reports numbers that its own estimates do not give",
    "nan": "returns NaN for a model that has an answer",
    "crash": "fails on a model that has an answer",
    "model": "fits another model",
}
EXPECTED = {
    "gap": "The lowest value of the {criterion}: {best:.8g}. {who} confirms it.",
    "objective": "The {criterion} that the model has at the estimates.",
    "pinned": "The numbers that the model gives at the estimates of its variances.",
    "nan": "Finite numbers, for the model has a finite optimum: its {criterion} is {best:.8g}.",
    "crash": "An answer, for the model has a finite optimum: its {criterion} is {best:.8g}.",
    "model": "The model of the formula, on every row of the data.",
}


def letter(shown: Shown, *, in_r: bool) -> str:
    """Return a bug report in Markdown.

    Parameters
    ----------
    shown : Shown
    in_r : bool
        Whether the script in R calls the engine.
    """
    finding, spec = shown.finding, shown.finding.spec
    given: dict[str, Any] = {
        "title": shown.title,
        "engine": finding.engine,
        "version": finding.version,
        "versions": [*_versions(shown)],
        "formula": spec.formula,
        "method": _method(shown),
        "options": [*_options(shown)],
        "rows": len(spec.data),
        "sizes": "".join(f", {spec.data[name].nunique()} levels of {name}" for name in ("g", "h") if name in spec.data),
        "expected": _expected(shown),
        "got": _got(shown),
        "table": [*_table(shown)],
        "why": _why(finding),
        "warned": _claim(shown),
        "python": bool(shown.package),
        "in_r": in_r,
        "criterion": _criterion(shown),
        "data": spec.data.to_csv(index=False),
    }
    return fill_template("finding.md.jinja", **given)


def _criterion(shown: Shown) -> str:
    return "REML criterion" if shown.finding.spec.reml and shown.finding.spec.kind.linear else "deviance"


def _method(shown: Shown) -> str:
    spec = shown.finding.spec
    if not spec.kind.linear:
        return f"{spec.kind.family}, maximum likelihood by Laplace's approximation"
    return "REML" if spec.reml else "maximum likelihood"


def _options(shown: Shown) -> Iterator[tuple[str, str]]:
    spec = shown.finding.spec
    yield from ((name, f"column `{column}`") for name in ("weights", "offset") if (column := getattr(spec, name)))
    yield from ((f"contrasts of {name}", f"`{kind}`") for name, kind in (spec.contrasts or {}).items())


def _versions(shown: Shown) -> Iterator[tuple[str, str]]:
    """What both were computed with; where nothing but the engine is known, nothing."""
    comparison = shown.finding.comparison
    fits = (comparison.candidate_fit, comparison.reference_fit) if comparison else ()
    found = {name: value for fit in fits if fit for name, value in fit.provenance.versions}
    names = ("Python", "numpy", "scipy", "pandas", "R", "lme4")
    yield from ((name, found[name]) for name in names if name in found)


def _expected(shown: Shown) -> str:
    finding, better = shown.finding, shown.better
    best = float(finding.figures.get("best_optimum", better.criterion if better else float("nan")))
    if finding.oracle in EXPECTED:
        who = PLAIN_R if "best_optimum" in finding.figures else "Minimization from other starts"
        return EXPECTED[finding.oracle].format(criterion=_criterion(shown), best=best, who=who)
    return f"The same answer, in the units of the data, when {finding.figures.get('change', finding.oracle)}."


def _got(shown: Shown) -> str:
    finding, size = shown.finding, _size(shown.finding)
    said: dict[str, Callable[[], str]] = {
        "gap": lambda: f"A point {size} deviance units above it.",
        "objective": lambda: f"{finding.engine} reports a criterion that is {size} off it.",
        "pinned": lambda: f"{_quantities(shown)} that are off, {_at_most(shown.finding)}.",
        "nan": lambda: _sentence(str(finding.figures.get("reason", "Estimates that are no numbers"))),
        "crash": lambda: _sentence(str(finding.figures.get("reason", "An error"))),
        "model": lambda: _sentence(str(finding.figures.get("reason", "Another model"))),
    }
    if finding.oracle in said:
        return said[finding.oracle]()
    if "difference" not in finding.figures:
        return f"An error after the change: {_sentence(str(finding.figures.get('reason', '')))}"
    before, after = (float(finding.figures[f"criterion_{when}"]) for when in ("before", "after"))
    return f"Two answers that do not go together, {size} apart; the criteria are {before:.8g} and {after:.8g}."


def _at_most(finding: Finding) -> str:
    return "some of them NaN" if math.isnan(finding.size) else f"by {_size(finding)} at most"


def _why(finding: Finding) -> str:
    """The cause, or of a change what both answers are worth."""
    figures = finding.figures
    if "gap_after" in figures:
        before, after = float(figures["gap_before"]), float(figures["gap_after"])
        return f"{CHANGED} {ENDS.format(before=before, after=after, change=figures['change'])}"
    return _sentence(str(figures.get("reason", CHANGED)))


def _claim(shown: Shown) -> str:
    """What the engine says of its answer."""
    finding = shown.finding
    if finding.oracle == "crash" or ("change" in finding.figures and "difference" not in finding.figures):
        return "The failure is an error."
    if "converged" not in finding.figures:
        return f"{finding.engine} {CLAIM[finding.silent]}."
    says = "says that it converged" if finding.figures["converged"] == "True" else "says that it did not converge"
    warned, message = (str(finding.figures.get(name, "")) for name in ("warned", "message"))
    told = f" Its message: {message}" if message else ""
    return f"{finding.engine} {says}, and warns{f': {_sentence(warned)}' if warned else ' of nothing.'}{told}"


def _quantities(shown: Shown) -> str:
    comparison = shown.finding.comparison
    sizes = comparison.cause.figures.get("differences", {}) if comparison else {}
    told = " and ".join(TERMS.get(what, what) for what in sizes)
    return (told[:1].upper() + told[1:]) or "Numbers"


def _size(finding: Finding) -> str:
    return f"{finding.size:.3g}"


def _table(shown: Shown) -> Iterator[tuple[str, str, str]]:
    its, right = shown.stopped, shown.better
    if its is None or right is None or set(its.terms) != set(right.terms):
        return
    yield _criterion(shown), f"{its.criterion:.8g}", f"{right.criterion:.8g}"
    order = [its.terms.index(term) for term in right.terms]
    for i, term in enumerate(right.terms):
        yield f"`{term}`", f"{its.beta[order][i]:.6g}", f"{right.beta[i]:.6g}"
        yield "its standard error", f"{its.std_errors[order][i]:.6g}", f"{right.std_errors[i]:.6g}"
    if right.kind.linear:
        yield "residual SD", f"{its.sigma:.6g}", f"{right.sigma:.6g}"


def _sentence(text: str) -> str:
    """The first line of a text as a sentence, in which no machine's path stands."""
    line = text.strip().partition("\n")[0]
    return line if line.endswith(".") else f"{line}."
