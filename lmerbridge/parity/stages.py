"""The decision procedure: six stages in order, and the first that differs is the cause."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from lmerbridge.covariance import Array
from lmerbridge.design import RandomTerm
from lmerbridge.parity import align
from lmerbridge.parity.definitions import Definition, lookup
from lmerbridge.parity.objective import Objective
from lmerbridge.parity.quantities import compare_quantities
from lmerbridge.parity.trial import Trial
from lmerbridge.parity.verdict import Comparison, Evidence, Verdict
from lmerbridge.results import Fit


@dataclass(frozen=True)
class Ruling:
    """What one stage found, the verdict if it is a cause, and the definitions it verified by kind of quantity."""

    evidence: Evidence
    verdict: Verdict | None = None
    accounted: tuple[tuple[str, str], ...] = ()


def judge(trial: Trial) -> Comparison:
    """Run the stages; stages after a mismatch of the model itself would compare different things."""
    rulings: list[Ruling] = []
    for stage in STAGES:
        rulings.append(stage(trial))
        if rulings[-1].verdict in (Verdict.SPEC_MISMATCH, Verdict.ENGINE_FAILED):
            return _comparison(trial, rulings, compared=False)
    return _comparison(trial, rulings, compared=True)


def _comparison(trial: Trial, rulings: list[Ruling], *, compared: bool) -> Comparison:
    deciding = next((r for r in rulings if r.verdict), None)
    accounted = {kind: name for ruling in rulings for kind, name in ruling.accounted}
    rows = compare_quantities(trial.reference, trial.candidate, trial.profile, accounted)
    needed = [*accounted.values(), *(row.definition for row in rows if row.definition)]
    return Comparison(
        formula=trial.reference.formula,
        reml=trial.reference.reml,
        reference=trial.names[0],
        candidate=trial.names[1],
        verdict=deciding.verdict if deciding and deciding.verdict else Verdict.SAME_OPTIMUM,
        reason=deciding.evidence.text if deciding else rulings[STAGES.index(same_optimum)].evidence.text,
        gap=trial.gap if compared else {},
        worse=trial.worse if compared else None,
        minimum=trial.minimum if compared else math.nan,
        noise=trial.noise if compared else math.nan,
        marks=trial.marks if compared else (),
        rows=rows,
        evidence=tuple(r.evidence for r in rulings),
        definitions=tuple(dict.fromkeys(needed)),
        candidate_theta=tuple(map(float, trial.thetas[1])) if compared else (),
        reference_fit=trial.reference,
        candidate_fit=trial.candidate,
    )


def same_rows(trial: Trial) -> Ruling:
    """Stage 0: criterion, rows, response, weights and offset."""
    differences = list(_row_differences(trial))
    if differences:
        text = f"Not the same data: {'; '.join(differences)}."
        return Ruling(Evidence("rows", False, text), Verdict.SPEC_MISMATCH)
    fit = trial.reference
    dropped = f", {fit.rows_dropped} left out for a missing value" if fit.rows_dropped else ""
    return Ruling(Evidence("rows", True, f"Both used the same {fit.nobs} rows{dropped}."))


def _row_differences(trial: Trial) -> Iterator[str]:
    a, b, (first, second) = trial.reference, trial.candidate, trial.names
    if a.reml != b.reml:
        yield f"{first} fitted by {method(a)}, {second} by {method(b)}"
    if not np.array_equal(np.sort(a.rows), np.sort(b.rows)):
        only = len(np.setdiff1d(a.rows, b.rows)), len(np.setdiff1d(b.rows, a.rows))
        yield f"{only[0]} rows only {first} used and {only[1]} only {second} did"
        return
    for what in ("y", "weights", "offset"):
        mine, its = getattr(trial.design, what), _vector(trial, what)
        far = np.abs(mine - its) > 1e-9 * np.abs(mine).max()
        if far.any():
            yield f"{int(far.sum())} rows differ in {WORDS[what]}"


def _vector(trial: Trial, what: str) -> Array:
    """The candidate's response, weights or offset by the reference's rows; what it does not tell is taken as equal."""
    if trial.other is not None:
        vector: Array = getattr(trial.other, what)[trial.order]
        return vector
    if what == "y":
        return (trial.candidate.fitted_values + trial.candidate.residual_values)[trial.order]
    unsaid: Array = getattr(trial.design, what)
    return unsaid


def same_space(trial: Trial) -> Ruling:
    """Stage 1: rank and column space of X; terms and levels of Z."""
    differences = list(_space_differences(trial))
    if differences:
        text = f"Not the same model: {'; '.join(differences)}."
        return Ruling(Evidence("model_space", False, text), Verdict.SPEC_MISMATCH)
    coded = "in the same columns" if trial.coding.same_columns else "in another coding, carried over"
    columns, random = trial.design.x.shape[1], describe(trial.design.random)
    text = f"Same model space: {columns} fixed effect{'s' * (columns != 1)} {coded}, and {random}."
    return Ruling(Evidence("model_space", True, text))


def _space_differences(trial: Trial) -> Iterator[str]:
    (first, second), p, q = trial.names, len(trial.design.terms), len(trial.candidate.terms)
    if p != q:
        yield f"{first} has {p} fixed effects, {second} {q}"
    elif not trial.coding.distance <= trial.profile.space:
        yield f"the column spaces of X are {trial.coding.distance:.2g} apart"
    blocks = trial.candidate.varcorr
    if len(blocks) != len(trial.design.random) or trial.candidate_theta is None:
        its = " and ".join(f"({', '.join(b.terms)} | {b.group})" for b in blocks)
        yield f"{first} has {describe(trial.design.random)}, {second} {its}"
    for term in trial.design.random:
        others = trial.other.random if trial.other else ()
        counts = {len(t.levels) for t in others if align.same_group(t.group, term.group)}
        if counts - {len(term.levels)}:
            yield f"{term.group} has {len(term.levels)} levels in {first}, {max(counts)} in {second}"


def same_objective(trial: Trial) -> Ruling:
    """Stage 2: the common objective at the candidate's theta against what the candidate reports there."""
    if not trial.finite:
        text = f"{trial.names[1]} returned a variance that is not a number."
        return Ruling(Evidence("objective", False, text), Verdict.ENGINE_FAILED)
    reported, common = trial.reported, float(trial.at[1])
    differ = reported - common
    if abs(differ) <= trial.profile.objective.bound(common):
        text = f"Same objective: at the estimates of {trial.names[1]} the two criteria differ by {abs(differ):.1e}."
        return Ruling(Evidence("objective", True, text))
    text = (
        f"{trial.names[1]} reports a criterion of {reported:.6f}; the common objective at its estimates is "
        f"{common:.6f}, and the difference is {_constant(trial, differ)}."
    )
    return Ruling(Evidence("objective", False, text), Verdict.OTHER_OBJECTIVE)


def _constant(trial: Trial, differ: float) -> str:
    """Name a difference of two objectives: the other criterion, or a constant some packages leave out."""
    n, p = trial.design.x.shape
    log_xx = 2 * float(np.log(np.abs(np.diag(np.linalg.qr(trial.design.x, mode="r")))).sum())
    other = Objective(trial.design, not trial.reference.reml)(trial.thetas[1]) - float(trial.at[1])
    named = {f"that of {'ML' if trial.reference.reml else 'REML'} to {method(trial.reference)}": other}
    for what, size in (("log det X'X", log_xx), ("p log 2 pi", p * _LOG_2PI), ("n log 2 pi", n * _LOG_2PI)):
        named |= {what: size, f"-{what}": -size}
    limit = 10 * trial.profile.objective.bound(float(trial.at[1]))
    return next((name for name, size in named.items() if abs(differ - size) <= limit), f"{differ:.6g}, without a name")


_LOG_2PI = math.log(2 * math.pi)


def same_optimum(trial: Trial) -> Ruling:
    """Stage 3: how far each engine stopped above the best optimum known."""
    marks = f" ({', '.join(trial.marks)})" if trial.marks else ""
    if trial.worse is None:
        reach = max(trial.gap.values())
        text = f"Same optimum: both lie within {reach:.1e} deviance units of {trial.minimum:.6f}{marks}."
        return Ruling(Evidence("optimum", True, text))
    worse, right = trial.worse, next(name for name in trial.names if name != trial.worse)
    fit = trial.candidate if worse == trial.names[1] else trial.reference
    said = "says that it converged" if fit.converged else "says that it did not converge"
    text = (
        f"{worse} stopped {trial.gap[worse]:.3g} deviance units above the best optimum known, "
        f"{trial.minimum:.6f}, and {said}; "
        f"{right} lies {trial.gap[right]:.1e} above it{marks}."
    )
    verdict = Verdict.LOOSE_STOP if trial.gap[worse] <= trial.profile.loose else Verdict.OTHER_OPTIMUM
    return Ruling(Evidence("optimum", False, text), verdict)


def pinned(trial: Trial) -> Ruling:
    """Stage 4: the candidate's report against the common code held at the candidate's theta."""
    sizes = _pinned_differences(trial)
    over = {what: size for what, size in sizes.items() if not size <= trial.profile.pinned[what].limit}
    if not over:
        text = f"Held at the theta of {trial.names[1]}, the common code gives every number it reports."
        return Ruling(Evidence("pinned", True, text))
    listed = ", ".join(f"{WORDS[what]} by {size:.1e}" for what, size in over.items())
    entries = {what: _definition(trial, what) for what in over}
    known = {what: entry for what, entry in entries.items() if entry}
    accounted = tuple((what, entry.name) for what, entry in known.items())
    if len(known) == len(over):
        why = " ".join(dict.fromkeys(entry.text for entry in known.values()))
        text = f"Another definition: at the same theta {trial.names[1]} differs in {listed}. {why}"
        return Ruling(Evidence("pinned", False, text), Verdict.OTHER_DEFINITION, accounted)
    text = f"At the same theta {trial.names[1]} differs in {listed}, and no known definition accounts for it."
    return Ruling(Evidence("pinned", False, text), Verdict.UNEXPLAINED, accounted)


def _pinned_differences(trial: Trial) -> dict[str, float]:
    held, fit, t = trial.solution, trial.candidate, trial.coding.transform
    se = np.sqrt(np.diag(held.covariance))
    modes = [
        np.abs(align.modes_of(fit, term) - modes).max()
        for term, modes in zip(trial.design.random, held.modes, strict=True)
    ]
    return {
        "beta": float(np.max(np.abs(t @ fit.beta - held.beta) / se)),
        "sigma": abs(fit.sigma / held.sigma - 1),
        "se": _se_difference(trial, fit.covariance),
        "fitted": float(np.abs(fit.fitted_values[trial.order] - held.fitted).max()) / held.sigma,
        "ranef": float(np.max(modes)) / held.sigma,
    }


def _se_difference(trial: Trial, covariance: Array) -> float:
    """Largest relative difference of standard errors, in the reference's coding, from the pinned ones."""
    t = trial.coding.transform
    pinned_se = np.sqrt(np.diag(trial.solution.covariance))
    with np.errstate(invalid="ignore"):  # a negative variance is NaN, which is beyond any limit
        return float(np.max(np.abs(np.sqrt(np.diag(t @ covariance @ t.T)) / pinned_se - 1)))


def _definition(trial: Trial, what: str) -> Definition | None:
    """The definition that accounts for a pinned difference, where the candidate's own fit bears it out."""
    entry, given = lookup(trial.names[1], what), trial.candidate.covariance_given_theta
    if entry is None or given is None or entry.corrected != "covariance_given_theta":
        return None
    borne_out = _se_difference(trial, given) <= trial.profile.quantities["se"].limit
    return entry if borne_out and _se_difference(trial, trial.candidate.covariance) <= entry.at_most else None


def all_there(trial: Trial) -> Ruling:
    """Stage 5: no quantity is missing or NaN; those beyond tolerance are told."""
    rows = compare_quantities(trial.reference, trial.candidate, trial.profile, {})
    missing = [row.quantity for row in rows if not math.isfinite(row.abs) and not row.definition]
    if missing:
        text = f"There is no number to compare for {', '.join(missing)}."
        return Ruling(Evidence("quantities", False, text), Verdict.UNEXPLAINED)
    beyond = ", ".join(row.quantity for row in rows if not row.agrees)
    text = f"Beyond tolerance: {beyond}." if beyond else "Every quantity agrees within its tolerance."
    return Ruling(Evidence("quantities", not beyond, text))


STAGES: tuple[Callable[[Trial], Ruling], ...] = (
    same_rows,
    same_space,
    same_objective,
    same_optimum,
    pinned,
    all_there,
)

WORDS = {
    "y": "the response",
    "weights": "weights",
    "offset": "offset",
    "beta": "fixed effects",
    "sigma": "sigma",
    "se": "standard errors",
    "fitted": "fitted values",
    "ranef": "random effects",
}


def method(fit: Fit) -> str:
    """``REML`` or ``ML``."""
    return "REML" if fit.reml else "ML"


def describe(random: tuple[RandomTerm, ...]) -> str:
    """Random terms as a formula would write them."""
    return " and ".join(f"({', '.join(t.terms)} | {t.group})" for t in random)
