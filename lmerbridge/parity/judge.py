"""The decision procedure: the stages in order, and the first that differs is the cause."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from lmerbridge.parity.evidence import Judged
from lmerbridge.parity.own_definitions import natives
from lmerbridge.parity.pair import Trial
from lmerbridge.parity.pinned import sound_reference
from lmerbridge.parity.quantities import QuantityRow, kind_of
from lmerbridge.parity.slices import lines
from lmerbridge.parity.spread import optimizer_gaps, spread
from lmerbridge.parity.stages import STAGES
from lmerbridge.parity.verdict import Comparison, Ruling, Verdict, family_of


def judge(trial: Trial) -> Comparison:
    """Hold the reference to its own theta, then run the stages, and stop at a mismatch of the model itself.

    The stages after such a mismatch would compare different things.
    """
    reference, rulings = trial.once("sound", lambda: sound_reference(trial)), list[Ruling]()
    for stage in STAGES:
        rulings.append(stage(trial))
        if rulings[-1].verdict in (Verdict.SPEC_MISMATCH, Verdict.ENGINE_FAILED):
            return _comparison(trial, [*rulings, reference], None, {})
    return _comparison(trial, [*rulings, reference], _judgement(trial), spread(trial))


def _comparison(
    trial: Trial, rulings: Sequence[Ruling], judged: Judged | None, noise: Mapping[str, float]
) -> Comparison:
    cause = _cause(trial, rulings)
    accounted = {kind: name for ruling in rulings for kind, name in ruling.accounted}
    rows = tuple(_row(row, accounted, noise) for row in trial.rows)
    definitions = [*accounted.values(), *(row.definition for row in rows if row.definition)]
    return Comparison(
        formula=trial.reference.formula,
        reml=trial.reference.reml,
        family=family_of(trial.reference.kind),
        n_agq=getattr(trial.spec, "n_agq", 1),
        reference=trial.names[0],
        candidate=trial.names[1],
        verdict=cause.verdict or Verdict.SAME_OPTIMUM,
        cause=cause.evidence,
        judged=judged,
        rows=rows,
        evidence=tuple(r.evidence for r in rulings),
        definitions=tuple(dict.fromkeys(definitions)),
        reference_fit=trial.reference,
        candidate_fit=trial.as_given,
    )


def _cause(trial: Trial, rulings: Sequence[Ruling]) -> Ruling:
    """Find the first ruling against the candidate, else the first with any verdict, else that on the optimum.

    A reference whose report is faulty comes before all. A loose stop or a definition does not excuse what a later stage
    finds, nor does a reference that stopped short alone.
    """
    ruled = [r for r in rulings if r.verdict]
    if ruled and ruled[-1].verdict is Verdict.REFERENCE_FAULTY:
        return ruled[-1]
    against = [r for r in ruled if r.verdict and not r.verdict.agrees and not _blames_reference(trial, r)]
    optimum = [r for r in rulings if r.evidence.stage == "optimum"]
    return next(iter(against or ruled or optimum))


def _blames_reference(trial: Trial, ruling: Ruling) -> bool:
    short = ruling.verdict in (Verdict.LOOSE_STOP, Verdict.OTHER_OPTIMUM)
    return short and trial.worse == trial.names[0]


def _row(row: QuantityRow, accounted: Mapping[str, str], noise: Mapping[str, float]) -> QuantityRow:
    """Give a row its spread, and the definition that accounts for a difference of its kind."""
    row = replace(row, spread=noise.get(row.quantity, math.nan))
    if row.agrees or row.definition:
        return row
    return replace(row, definition=accounted.get(kind_of(row.quantity), ""))


def _judgement(trial: Trial) -> Judged:
    return Judged(
        gap=trial.gap,
        worse=trial.worse,
        minimum=trial.minimum,
        noise=trial.noise,
        marks=trial.marks,
        theta=tuple(map(float, trial.candidate.theta)),
        optimizers=optimizer_gaps(trial),
        native=natives(trial),
        lines=lines(trial),
    )
