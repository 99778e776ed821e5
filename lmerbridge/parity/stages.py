"""The decision procedure: six stages in order, and the first that differs is the cause."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from lmerbridge.parity import align
from lmerbridge.parity.own_definitions import natives
from lmerbridge.parity.pair import Trial
from lmerbridge.parity.pinned import pinned
from lmerbridge.parity.quantities import QuantityRow, kind_of
from lmerbridge.parity.slices import lines
from lmerbridge.parity.sparse import Objective
from lmerbridge.parity.spread import optimizer_gaps, spread
from lmerbridge.parity.verdict import WORDS, Comparison, Evidence, Ruling, Verdict
from lmerbridge.results.covariance import Array
from lmerbridge.results.design import RandomTerm
from lmerbridge.results.fit import Fit

SAME = 1e-9  # relative: the same numbers through two programs


def judge(trial: Trial) -> Comparison:
    """Run the stages; stages after a mismatch of the model itself would compare different things."""
    rulings: list[Ruling] = []
    for stage in STAGES:
        rulings.append(stage(trial))
        if rulings[-1].verdict in (Verdict.SPEC_MISMATCH, Verdict.ENGINE_FAILED):
            return _comparison(trial, rulings, compared=False)
    return _comparison(trial, rulings, compared=True)


def _deciding(trial: Trial, rulings: list[Ruling]) -> Ruling | None:
    """The first ruling against the candidate; without one, the first with any verdict.

    A loose stop or a definition does not excuse what a later stage finds, nor does a fault of the reference.
    """
    ruled = [r for r in rulings if r.verdict]
    against = [r for r in ruled if r.verdict and not r.verdict.agrees and not _blames_reference(trial, r)]
    return next(iter(against or ruled), None)


def _blames_reference(trial: Trial, ruling: Ruling) -> bool:
    return ruling.evidence.stage == "optimum" and trial.worse == trial.names[0]


def _comparison(trial: Trial, rulings: list[Ruling], *, compared: bool) -> Comparison:
    deciding = _deciding(trial, rulings)
    accounted = {kind: name for ruling in rulings for kind, name in ruling.accounted}
    noise = spread(trial) if compared else {}
    rows = tuple(replace(_named(row, accounted), spread=noise.get(row.quantity, math.nan)) for row in trial.rows)
    needed = [*accounted.values(), *(row.definition for row in rows if row.definition)]
    agreed = next((r for r in rulings if r.evidence.stage == "optimum"), rulings[-1])
    return Comparison(
        formula=trial.reference.formula,
        reml=trial.reference.reml,
        reference=trial.names[0],
        candidate=trial.names[1],
        verdict=(deciding and deciding.verdict) or Verdict.SAME_OPTIMUM,
        reason=(deciding or agreed).evidence.text,
        gap=trial.gap if compared else {},
        worse=trial.worse if compared else None,
        minimum=trial.minimum if compared else math.nan,
        noise=trial.noise if compared else math.nan,
        marks=trial.marks if compared else (),
        rows=rows,
        evidence=tuple(r.evidence for r in rulings),
        definitions=tuple(dict.fromkeys(needed)),
        candidate_theta=tuple(map(float, trial.thetas[1])) if compared else (),
        optimizers=optimizer_gaps(trial) if compared else {},
        native=natives(trial) if compared else (),
        lines=lines(trial) if compared else (),
        reference_fit=trial.reference,
        candidate_fit=trial.as_given,
    )


def _named(row: QuantityRow, accounted: Mapping[str, str]) -> QuantityRow:
    """A row under the definition that accounts for a difference of its kind."""
    if row.agrees or row.definition:
        return row
    return replace(row, definition=accounted.get(kind_of(row.quantity), ""))


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
    a, b, (first, second) = trial.reference, trial.as_given, trial.names
    if a.reml != b.reml:
        yield f"{first} fitted by {method(a)}, {second} by {method(b)}"
    if not np.array_equal(np.sort(a.rows), np.sort(b.rows)):
        only = len(np.setdiff1d(a.rows, b.rows)), len(np.setdiff1d(b.rows, a.rows))
        yield f"{only[0]} rows only {first} used and {only[1]} only {second} did"
        return
    for what in ("y", "weights", "offset"):
        mine, its = getattr(trial.design, what), _vector(trial, what)
        same = np.abs(mine - its) <= SAME * np.abs(mine).max()
        if not same.all():
            yield f"{int((~same).sum())} rows differ in {WORDS[what]}"


def _vector(trial: Trial, what: str) -> Array:
    """The candidate's response, weights or offset by the reference's rows; what it does not tell is taken as equal."""
    if trial.other is not None:
        vector: Array = getattr(trial.other, what)[trial.order]
        return vector
    if what == "y":
        return (trial.as_given.fitted_values + trial.as_given.residual_values)[trial.order]
    unsaid: Array = getattr(trial.design, what)
    return unsaid


def same_space(trial: Trial) -> Ruling:
    """Stage 1: rank and column space of X; terms, levels and columns of Z."""
    differences = list(_space_differences(trial))
    if differences:
        text = f"Not the same model: {'; '.join(differences)}."
        return Ruling(Evidence("model_space", False, text), Verdict.SPEC_MISMATCH)
    coded = "in the same columns" if trial.coding.same_columns else "in another coding, carried over"
    columns, random = trial.design.x.shape[1], describe(trial.design.random)
    dropped = f", {', '.join(trial.reference.dropped_terms)} left out" if trial.reference.dropped_terms else ""
    text = f"Same model space: {columns} fixed effect{'s' * (columns != 1)} {coded}{dropped}, and {random}."
    return Ruling(Evidence("model_space", True, text))


def _space_differences(trial: Trial) -> Iterator[str]:
    (first, second), p, q = trial.names, len(trial.design.terms), len(trial.as_given.terms)
    if p != q:
        yield f"{first} has {p} fixed effects, {second} {q}"
    elif not trial.coding.distance <= trial.profile.space:
        yield f"the column spaces of X are {trial.coding.distance:.2g} apart"
    blocks = trial.as_given.varcorr.blocks
    if align.match(trial.design.random, blocks) is None:
        its = " and ".join(f"({', '.join(b.terms)} | {b.group})" for b in blocks)
        yield f"{first} has {describe(trial.design.random)}, {second} {its}"
    elif trial.other is not None:
        yield from _z_differences(trial, trial.other.random)


def _z_differences(trial: Trial, others: tuple[RandomTerm, ...]) -> Iterator[str]:
    places = align.match(trial.design.random, others)
    for term, place in zip(trial.design.random, places or (), strict=bool(places)):
        z = align.columns_of(others[place], term)
        if z is None:
            yield f"{term.group} has other levels in {trial.names[1]}"
        elif not abs(z[trial.order] - term.z).max() <= SAME * abs(term.z).max():
            yield f"rows belong to other levels of {term.group}, or its columns differ"


def same_objective(trial: Trial) -> Ruling:
    """Stage 2: the common objective at the candidate's answer against what the candidate reports there."""
    if trial.defect:
        text = f"{trial.names[1]} returned {trial.defect}."
        return Ruling(Evidence("objective", False, text), Verdict.ENGINE_FAILED)
    if not np.all(np.isfinite([*trial.answers, trial.minimum])):
        text = f"The common objective has no value at the answer of {trial.names[1]}."
        return Ruling(Evidence("objective", False, text), Verdict.ENGINE_FAILED)
    reported, common = trial.candidate.criterion, float(trial.answers[1])
    if abs(reported - common) <= trial.rounding:
        differ = abs(reported - common)
        text = f"Same objective: at the estimates of {trial.names[1]} the two criteria differ by {differ:.1e}."
        return Ruling(Evidence("objective", True, text))
    text = (
        f"{trial.names[1]} reports a criterion of {reported:.6f}; the common objective at its estimates is "
        f"{common:.6f}, and the difference is {_constant(trial, reported - float(trial.profiled[1]))}."
    )
    return Ruling(Evidence("objective", False, text), Verdict.OTHER_OBJECTIVE)


def _constant(trial: Trial, differ: float) -> str:
    """Name a difference of two objectives: the other criterion, or a constant some packages leave out."""
    n, p = trial.design.x.shape
    log_xx = 2 * float(np.log(np.abs(np.diag(np.linalg.qr(trial.design.x, mode="r")))).sum())
    other = Objective(trial.design, not trial.reference.reml)(trial.thetas[1]) - float(trial.profiled[1])
    named = {f"that of {'ML' if trial.reference.reml else 'REML'} to {method(trial.reference)}": other}
    sizes = {"log det X'X": log_xx, "p log 2 pi": p * _LOG_2PI, "n log 2 pi": n * _LOG_2PI}
    sizes["the sum of log weights"] = float(np.log(trial.design.weights).sum())
    for what, size in sizes.items():
        named |= {what: size, f"-{what}": -size}
    close = (name for name, size in named.items() if abs(differ - size) <= 10 * trial.rounding)
    return next(close, f"{differ:.6g}, without a name")


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


def all_there(trial: Trial) -> Ruling:
    """Stage 5: no quantity is missing or NaN; those beyond tolerance are told."""
    missing = [row.quantity for row in trial.rows if not math.isfinite(row.abs) and not row.definition]
    if missing:
        text = f"There is no number to compare for {', '.join(missing)}."
        return Ruling(Evidence("quantities", False, text), Verdict.UNEXPLAINED)
    beyond = ", ".join(row.quantity for row in trial.rows if not row.agrees)
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


def method(fit: Fit) -> str:
    """``REML`` or ``ML``."""
    return "REML" if fit.reml else "ML"


def describe(random: tuple[RandomTerm, ...]) -> str:
    """Random terms as a formula would write them."""
    return " and ".join(f"({', '.join(t.terms)} | {t.group})" for t in random)
