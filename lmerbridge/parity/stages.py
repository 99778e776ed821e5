"""The stages of the decision procedure."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from lmerbridge.parity import align
from lmerbridge.parity.causes import cause
from lmerbridge.parity.definitions import of_criteria
from lmerbridge.parity.evidence import Evidence
from lmerbridge.parity.pair import Trial
from lmerbridge.parity.pinned import same_report
from lmerbridge.parity.quantities import kind_of
from lmerbridge.parity.verdict import Ruling, Verdict
from lmerbridge.parity.words import Code
from lmerbridge.results import Array, CovarianceBlock, Fit, RandomTerm, covariance

NAME = re.compile(r"[^\W\d][\w.]*")  # of a variable
SAME = 1e-9  # relative: the same numbers through two programs
SINGLE = 1e-6  # relative: the same numbers, of which one program keeps single precision


def same_rows(trial: Trial) -> Ruling:
    """Stage 0: criterion, rows, response, weights and offset."""
    differences = dict(_data_differences(trial))
    if differences:
        figures = _names(trial) | {"rows_differing": {}} | differences
        return Ruling(Evidence(Code.OTHER_DATA, figures), Verdict.SPEC_MISMATCH)
    fit = trial.reference
    return Ruling(Evidence(Code.SAME_DATA, {"rows": fit.nobs, "dropped": fit.rows_dropped}))


def _names(trial: Trial) -> dict[str, Any]:
    return dict(zip(("reference", "candidate"), trial.names, strict=True))


def _data_differences(trial: Trial) -> Iterator[tuple[str, Any]]:
    """Yield what differs in the data, with its figures.

    Values are compared row by row only where both engines used the same rows.
    """
    a, b = trial.reference, trial.as_given
    families = f"{a.kind.family}({a.kind.link})", f"{b.kind.family}({b.kind.link})"
    if families[0] != families[1]:
        yield from zip(("reference_family", "candidate_family"), families, strict=True)
    if a.reml != b.reml:
        yield from {"reference_method": _method(a), "candidate_method": _method(b)}.items()
    if not np.array_equal(np.sort(a.rows), np.sort(b.rows)):
        yield "only_reference", len(np.setdiff1d(a.rows, b.rows))
        yield "only_candidate", len(np.setdiff1d(b.rows, a.rows))
        return
    if differing := {what: n for what in ("y", "weights", "offset") if (n := _rows_differing(trial, what))}:
        yield "rows_differing", differing
    if a.rows_dropped != b.rows_dropped:
        yield "dropped", (a.rows_dropped, b.rows_dropped)
    if not a.index.equals(b.index):
        yield "labels", True


def _rows_differing(trial: Trial, what: str) -> int:
    mine, its = getattr(trial.design, what), _vector(trial, what)
    rebuilt = what == "y" and trial.other is None
    close = SINGLE if rebuilt and in_single(trial.as_given) else SAME
    return int((~(np.abs(mine - its) <= close * np.abs(mine).max())).sum())


def in_single(fit: Fit) -> bool:
    """Whether a fit's values by row are numbers of single precision."""
    values = np.concatenate([fit.fitted_values, fit.residual_values])
    return bool(np.array_equal(values, values.astype(np.float32), equal_nan=True)) and not _whole(values)


def _whole(values: Array) -> bool:
    return bool(np.all(values == np.round(values)))


def _vector(trial: Trial, what: str) -> Array:
    """Return the candidate's response, weights or offset by the reference's rows.

    Weights and an offset that the candidate keeps to itself are taken to be the reference's, and so is the response
    where the residuals are not what it differs by from its means.
    """
    if trial.other is not None:
        vector: Array = getattr(trial.other, what)[trial.order]
        return vector
    if what == "y" and trial.reference.kind.residuals == "response":
        return (trial.as_given.fitted_values + trial.as_given.residual_values)[trial.order]
    unsaid: Array = getattr(trial.design, what)
    return unsaid


def same_space(trial: Trial) -> Ruling:
    """Stage 1: rank and column space of X, and the terms, levels and columns of Z."""
    differences = dict(_space_differences(trial))
    if differences:
        figures = _names(trial) | {"terms_differing": ()} | differences
        return Ruling(Evidence(Code.OTHER_SPACE, figures), Verdict.SPEC_MISMATCH)
    figures = {
        "columns": trial.design.x.shape[1],
        "same_columns": trial.recoding.same_columns,
        "dropped": trial.reference.dropped_terms,
        "random": _bars(trial.design.random),
    }
    return Ruling(Evidence(Code.SAME_SPACE, figures))


def _space_differences(trial: Trial) -> Iterator[tuple[str, Any]]:
    p, q = len(trial.design.terms), len(trial.as_given.terms)
    if p != q:
        yield from {"reference_columns": p, "candidate_columns": q}.items()
    elif not trial.recoding.distance <= trial.profile.space:
        yield "distance", trial.recoding.distance
    elif named := _names_differing(trial):
        yield "names_differing", named
    if groups := _unknown_groups(trial):
        yield "unknown_groups", groups
    blocks = trial.as_given.varcorr.blocks
    if align.match(trial.design.random, blocks) is None:
        yield from {"reference_random": _bars(trial.design.random), "candidate_random": _bars(blocks)}.items()
    elif trial.other is not None and (terms := tuple(_z_differences(trial, trial.other.random))):
        yield "terms_differing", terms


def _names_differing(trial: Trial) -> tuple[str, ...]:
    """Terms that have another name in the candidate, where both have the same columns.

    A package may have words of its own for the column of a level: ``Machine[T.B]`` is ``MachineB``.
    """
    if not trial.recoding.same_columns:
        return ()
    ours = trial.recoding.transform.T @ np.arange(len(trial.design.terms))
    known, given = trial.design.terms, trial.as_given.terms
    pairs = [(its, known[int(place)]) for its, place in zip(given, ours, strict=True)]
    repeated = len(set(given)) < len(given)
    variables = ["(Intercept)", *NAME.findall(trial.reference.formula)]
    return tuple(
        mine for its, mine in pairs if its != mine and (its in known or repeated or not _means(its, mine, variables))
    )


def _means(its: str, mine: str, variables: Sequence[str]) -> bool:
    """Whether a package's own word for a column names each variable that R's name begins its parts with."""
    heads = (max((v for v in variables if part.startswith(v)), key=len, default="") for part in mine.split(":"))
    return all(head.strip("()").lower() in its.lower() for head in heads)


def _unknown_groups(trial: Trial) -> tuple[str, ...]:
    """Grouping factors of conditional modes that the model does not have, or that come twice."""
    groups = [group.group for group in trial.as_given.modes]
    known = {term.group for term in trial.design.random}
    extra = [g for g in groups if not any(align.same_group(g, name) for name in known)]
    return tuple(dict.fromkeys([*extra, *(g for g in groups if groups.count(g) > 1)]))


def _z_differences(trial: Trial, others: tuple[RandomTerm, ...]) -> Iterator[dict[str, str]]:
    places = align.match(trial.design.random, others)
    for term, place in zip(trial.design.random, places or (), strict=bool(places)):
        z = align.columns_of(others[place], term)
        if z is None:
            yield {"group": term.group, "in": "levels"}
        elif not abs(z[trial.order] - term.z).max() <= SAME * abs(term.z).max():
            yield {"group": term.group, "in": "rows"}


def _bars(terms: Sequence[RandomTerm | CovarianceBlock]) -> tuple[str, ...]:
    """Write random terms as a formula would."""
    return tuple(f"({', '.join(t.terms)} | {t.group})" for t in terms)


def same_objective(trial: Trial) -> Ruling:
    """Stage 2: the common objective at the candidate's answer against what the candidate reports there."""
    name = {"candidate": trial.names[1]}
    if trial.defect:
        return Ruling(Evidence(trial.defect, name), Verdict.ENGINE_FAILED)
    if not np.all(np.isfinite([*trial.answers, trial.minimum])):
        return Ruling(Evidence(Code.NO_VALUE, name), Verdict.ENGINE_FAILED)
    reported, common = trial.candidate.criterion, float(trial.answers[1])
    if abs(reported - common) <= trial.rounding and not trial.reading.cause:
        return Ruling(Evidence(Code.SAME_OBJECTIVE, name | {"difference": abs(reported - common)}))
    difference = reported - float(trial.profile_values[1])
    constant = cause(trial)
    figures = {
        "reported": reported,
        "common": common,
        "difference": difference,
        "constant": constant,
        "method": _method(trial.reference),
    }
    accounted = of_criteria("pirls_tolerance") if constant.startswith("pirls_tolerance") else ()
    return Ruling(Evidence(Code.OTHER_OBJECTIVE, name | figures), Verdict.OTHER_OBJECTIVE, accounted)


def same_optimum(trial: Trial) -> Ruling:
    """Stage 3: how far each engine stopped above the best optimum known."""
    shared = {"minimum": trial.minimum, "marks": trial.marks}
    if trial.reading.surface is not trial.objective:
        shared["own"] = float(trial.own_values[1])
    if trial.worse is None:
        return Ruling(Evidence(Code.SAME_OPTIMUM, shared | {"reach": max(trial.gap.values())}))
    worse, better = trial.worse, next(name for name in trial.names if name != trial.worse)
    fit = trial.candidate if worse == trial.names[1] else trial.reference
    figures = {
        "worse": worse,
        "gap": trial.gap[worse],
        "converged": bool(fit.converged),
        "better": better,
        "better_gap": trial.gap[better],
    }
    short = [name for name in trial.names if not trial.gap[name] <= trial.profile.loose]
    verdict = (Verdict.LOOSE_STOP, Verdict.OTHER_OPTIMUM, Verdict.BOTH_SHORT)[len(short)]
    return Ruling(Evidence(Code.STOPPED_ABOVE, shared | figures), verdict)


def all_there(trial: Trial) -> Ruling:
    """Stage 5: no quantity is missing or NaN."""
    missing = tuple(
        row.quantity
        for row in trial.rows
        if not math.isfinite(row.abs) and not row.definition and kind_of(row.quantity) not in trial.untold
    )
    if missing:
        return Ruling(Evidence(Code.SOME_MISSING, {"quantities": missing}), Verdict.UNEXPLAINED)
    beyond = tuple(row.quantity for row in trial.rows if not row.agrees)
    return Ruling(Evidence(Code.SOME_BEYOND, {"quantities": beyond}) if beyond else Evidence(Code.ALL_WITHIN))


def same_flags(trial: Trial) -> Ruling:
    """Last: what the candidate says of its answer, which is a remark and no verdict."""
    fit, remarks = trial.candidate, dict[str, Any]()
    near = trial.gap[trial.names[1]] <= trial.profile.loose
    if bool(fit.converged) != near:
        remarks["converged"] = bool(fit.converged)
    at_zero = any(map(covariance.singular, covariance.split(trial.thetas[1], trial.design.widths)))
    if bool(fit.singular) != at_zero:
        remarks["singular"] = bool(fit.singular)
    if in_single(fit):
        remarks["single"] = True
    if trial.untold:
        remarks["untold"] = trial.untold
    figures = {"candidate": trial.names[1], "gap": trial.gap[trial.names[1]], "remarks": remarks}
    return Ruling(Evidence(Code.FLAGS_DIFFER if remarks else Code.SAME_FLAGS, figures))


STAGES: tuple[Callable[[Trial], Ruling], ...] = (
    same_rows,
    same_space,
    same_objective,
    same_optimum,
    same_report,
    all_there,
    same_flags,
)


def _method(fit: Fit) -> str:
    return "REML" if fit.reml else "ML"
