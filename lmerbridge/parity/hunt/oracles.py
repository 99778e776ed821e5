"""What is wrong with an engine's answer to one model, first by a cheap reference, then by lme4 and plain R."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from lmerbridge.engines import Engine, find, fit_with
from lmerbridge.errors import InputError, LmerBridgeError, NotExpressible, shorten
from lmerbridge.inputs import Spec
from lmerbridge.parity import compare, tolerances, words
from lmerbridge.parity.evidence import Evidence
from lmerbridge.parity.hunt import common, invariance, optimum
from lmerbridge.parity.verdict import Comparison, Verdict
from lmerbridge.results import Fit

TIGHT = "lme4[tight]"
PROFILE = "screening"  # only what might change a conclusion is a finding
GAP = 0.1  # deviance units: what is less moves a z-value by 0.3 at most, and engines' own tolerances leave 1e-3
CRITERION = 0.01  # deviance units between a criterion reported and the common one: rounding leaves 1e-3 at the worst
REPORT = 0.01  # a hundredth of a standard error, of sigma, or of the number: rounding leaves 1e-4 at the worst
SHARE, ROUNDING = 0.01, 1e-3  # of a gap, and deviance units: how near plain R's gap must be to it
EXTREME = 12.0  # a linear predictor beyond it is on its way to infinity: outcomes are separated, and no optimum exists
NOT_NUMBERS = (
    words.Code.NO_THETA,
    words.Code.NO_ESTIMATE,
    words.Code.NO_CRITERION,
    words.Code.NO_VALUE,
)
WARNED = 300  # characters of its warnings
NAMES = ("reference", "candidate")  # among the figures of an evidence


@dataclass(frozen=True, eq=False, kw_only=True)
class Symptom:
    """What is wrong with an engine's answer.

    Attributes
    ----------
    oracle : str
        ``gap``, ``objective``, ``model``, ``pinned``, ``nan``, ``crash``, or the name of a change.
    verdict : str
        Of the referee, "" where a change shows it.
    what : tuple of str
        Quantities that are wrong, or the error of a crash without its numbers.
    size : float
        Of the fault: deviance units of a gap or of a criterion, else in the unit of the limit; NaN where it has none.
    silent : bool
        Whether the engine says that it converged, and warns of nothing.
    figures : mapping of str to float or str
    comparison : Comparison or None
    """

    oracle: str
    verdict: str = ""
    what: tuple[str, ...] = ()
    size: float = math.nan
    silent: bool = False
    figures: Mapping[str, float | str] = field(default_factory=dict)
    comparison: Comparison | None = None

    def repeats(self, other: Symptom) -> bool:
        """Whether this is the behaviour of another symptom, and no less than half its size up to one."""
        same = (self.oracle, self.verdict, self.silent) == (other.oracle, other.verdict, other.silent)
        shared = not other.what or bool({*self.what} & {*other.what})
        return same and shared and not self.size < min(other.size, 1.0) / 2


def find_symptom(engine: Engine, spec: Spec, change: str = "") -> Symptom | None:
    """Say what is wrong with an engine's answer, by a cheap reference and without R for a linear model.

    Parameters
    ----------
    engine : Engine
    spec : Spec
    change : str
        A name of `invariance.CHANGES`, to be tried where nothing else is wrong.

    Returns
    -------
    Symptom or None
        None where nothing is wrong, or the engine refuses the model.
    """
    result = _cheap(engine, spec) if spec.kind.linear else _by(engine, TIGHT, spec)
    if result is None:
        return None
    found = read(result, exact=_is_exact(engine, spec))
    return found if found or not change or not _is_exact(engine, spec) else _changed(engine, spec, change, result)


def _is_exact(engine: Engine, spec: Spec) -> bool:
    """Whether an engine takes its criterion of a model for the model's own, and no approximation by random numbers."""
    return not getattr(engine, "is_approximate", lambda _: False)(spec)


def _cheap(engine: Engine, spec: Spec) -> Comparison | None:
    try:
        reference = common.ManyStarts().fit(spec)
    except (LmerBridgeError, ArithmeticError, ValueError):  # the cheap reference's: nothing is known of the engine then
        return None
    return compare.judge_candidate(spec, common.ManyStarts.name, reference, engine, _profile(), {}, common.CheapTrial)


def _by(engine: Engine, name: str, spec: Spec) -> Comparison | None:
    """Judge an engine by a reference, None where the reference has no answer to hold it to."""
    try:
        reference = fit_with(find(name), spec)
    except LmerBridgeError:
        return None
    if not spec.kind.linear and _is_extreme(reference):
        return None
    return replace(compare.judge_candidate(spec, name, reference, engine, _profile()), spec=spec)


def _changed(engine: Engine, spec: Spec, name: str, result: Comparison) -> Symptom | None:
    """Say where the answer to a changed model is not what the change makes of an answer that is right."""
    change, before = invariance.CHANGES[name], result.candidate_fit
    if before is None or not change.applies(spec):
        return None
    changed = change(spec)
    try:
        after = common.fit_by(engine, changed)
    except (NotExpressible, InputError):
        return None
    except Exception as error:  # an engine is anybody's code, and its failure is a result
        told = compare.failure_text(error)
        return replace(crash(told), oracle=name, figures={"change": change.words, "reason": shorten(told)})
    beyond = change.differences(before, after)
    if not beyond:
        return None
    moved = after.criterion - before.criterion - change.shift(before)
    ends = {"gap_before": result.gap[result.candidate], "gap_after": result.gap[result.candidate] + moved}
    return Symptom(
        oracle=name,
        what=tuple(sorted(beyond)),
        size=max(beyond.values()),
        silent=says_nothing(before) and says_nothing(after),
        figures={
            "change": change.words,
            "difference": max(beyond.values()),
            "criterion_before": before.criterion,
            "criterion_after": after.criterion,
            **(ends if "criterion" in beyond else {}),
            **_claims(before, after),
        },
        comparison=replace(result, spec=spec),
    )


def confirm(engine: Engine, reference: str, spec: Spec, found: Symptom) -> Symptom | None:
    """Return what a reference and plain R say of a symptom, None where they do not bear it out.

    Without a reference it is the cheap one that says it again.
    """
    change = found.oracle if found.oracle in invariance.CHANGES else ""
    if change:
        seen = find_symptom(engine, spec, change)
        return seen if seen and seen.repeats(found) and _is_invariant(spec, change, reference) else None
    result = _by(engine, reference, spec) if reference else _cheap(engine, spec)
    seen = None if result is None else read(result, exact=_is_exact(engine, spec))
    if result is None or seen is None or (seen.oracle, seen.silent) != (found.oracle, found.silent):
        return None
    seen = replace(seen, comparison=replace(result, spec=spec))
    return _by_plain_r(spec, seen, result) if seen.oracle == "gap" and reference and spec.kind.linear else seen


def _by_plain_r(spec: Spec, seen: Symptom, result: Comparison) -> Symptom | None:
    """Hold a gap to the optimum that plain R finds from many starts."""
    if result.reference_fit is None:
        return None
    r = optimum.optimum(spec, result.candidate_theta, result.reference_fit.theta)
    gap = r.at_point - r.best
    if not (gap > GAP and abs(gap - seen.size) <= ROUNDING + SHARE * gap):
        return None
    figures = {"best_optimum": r.best, "criterion_at_point": r.at_point, "gap": gap}
    return replace(seen, size=gap, figures={**seen.figures, **figures})


def _is_invariant(spec: Spec, name: str, reference: str) -> bool:
    """Whether the best answers, by plain R where there is a reference, are what the change makes of each other."""
    change = invariance.CHANGES[name]
    try:
        before, after = (common.ManyStarts().fit(model) for model in (spec, change(spec)))
        if reference and spec.kind.linear:
            lowest = [optimum.optimum(m, f.theta, f.theta).best for m, f in ((spec, before), (change(spec), after))]
            before, after = (replace(f, criterion=best) for f, best in zip((before, after), lowest, strict=True))
    except (LmerBridgeError, ArithmeticError, ValueError):
        return False
    return abs(after.criterion - before.criterion - change.shift(before)) <= CRITERION


def _profile() -> tolerances.ToleranceProfile:
    return tolerances.profile(PROFILE)


def _is_extreme(fit: Fit) -> bool:
    means = fit.fitted_values
    sides = (means, 1 - means) if fit.kind.family == "binomial" else (means,)
    return bool(min(np.min(np.abs(side)) for side in sides) < math.exp(-EXTREME))


def read(result: Comparison, *, exact: bool = True) -> Symptom | None:
    """Say what a comparison blames on the candidate, None where that is nothing, or it refuses the model.

    A criterion that is not ``exact`` is not held to the model's.
    """
    gap, code = result.gap.get(result.candidate, math.nan), result.cause.code
    if result.verdict is Verdict.ENGINE_FAILED:
        return _failure(result)
    if code is words.Code.OTHER_DATA or code is words.Code.OTHER_SPACE:
        return _symptom(
            result, "model", tuple(k for k, value in result.cause.figures.items() if value and k not in NAMES)
        )
    if result.verdict is Verdict.OTHER_OBJECTIVE and exact and abs(result.cause.figures["difference"]) > CRITERION:
        constant = str(result.cause.figures["constant"])
        return _symptom(result, "objective", (constant,) if constant else (), abs(result.cause.figures["difference"]))
    if gap > GAP + 10 * result.noise and result.verdict is not Verdict.REFERENCE_FAULTY:
        return _stop(result, gap)
    if code is words.Code.SOME_MISSING:
        return _symptom(result, "nan", tuple(sorted({q.partition("[")[0] for q in result.cause.figures["quantities"]})))
    if result.verdict in (Verdict.FAULTY_REPORT, Verdict.UNEXPLAINED):
        sizes = result.cause.figures.get("differences", {})
        beyond = {what: size for what, size in sizes.items() if not size <= REPORT}
        return _symptom(result, "pinned", tuple(sorted(beyond)), max(beyond.values())) if beyond else None
    return None


def _stop(result: Comparison, gap: float) -> Symptom:
    """Blame a stop above the optimum on the candidate, wherever the reference stopped."""
    known = (e.figures for e in result.evidence if e.code in (words.Code.STOPPED_ABOVE, words.Code.SAME_OPTIMUM))
    figures = {"minimum": result.minimum, "marks": result.marks, **next(known, {})} | {
        "worse": result.candidate,
        "gap": gap,
        "converged": result.candidate_fit is not None and bool(result.candidate_fit.converged),
        "better": result.reference,
        "better_gap": result.gap[result.reference],
    }
    found = _symptom(result, "gap", (), gap)
    reason = Evidence(words.Code.STOPPED_ABOVE, figures).text
    return replace(found, verdict=str(Verdict.OTHER_OPTIMUM), figures={**found.figures, "reason": reason})


def _failure(result: Comparison) -> Symptom | None:
    """Say how an engine failed; a judgement that failed says nothing of it."""
    if result.cause.code in (words.Code.NOT_JUDGED, words.Code.STRUCTURED):
        return None
    message = str(result.cause.figures.get("message", ""))
    oracle = "nan" if result.cause.code in NOT_NUMBERS else "crash"
    return _symptom(result, oracle, (wording(message) or str(result.cause.code),))


def _symptom(result: Comparison, oracle: str, what: tuple[str, ...], size: float = math.nan) -> Symptom:
    fit = result.candidate_fit
    figures: dict[str, float | str] = {"reason": result.reason}
    if fit is not None:
        figures |= {"criterion_reported": fit.criterion, **_claims(fit)}
    if math.isfinite(size):
        figures |= {"gap" if oracle == "gap" else "difference": size}
    return Symptom(
        oracle=oracle,
        verdict=str(result.verdict),
        what=what,
        size=size,
        silent=fit is not None and says_nothing(fit),
        figures=figures,
        comparison=result,
    )


def _claims(*fits: Fit) -> dict[str, str]:
    """What an engine says of its answers: whether all converged, its warnings and its messages."""
    told = {"converged": str(all(fit.converged for fit in fits))}
    for name, messages in (("warned", False), ("message", True)):
        said = (each for fit in fits for each in fit.conditions if (each.kind == "message") == messages)
        told[name] = shorten("; ".join(sorted({each.text.partition("\n")[0].strip() for each in said})), WARNED)
    return told


def says_nothing(fit: Fit) -> bool:
    """Whether a fit claims to have converged and warns of nothing."""
    return bool(fit.converged) and all(said.kind == "message" for said in fit.conditions)


def crash(message: str) -> Symptom:
    """Return the symptom of an engine that ended its process, or never came back."""
    failed = str(Verdict.ENGINE_FAILED)
    return Symptom(oracle="crash", verdict=failed, what=(wording(message),), figures={"reason": shorten(message)})


def wording(message: str) -> str:
    """Return an error's first words without numbers and names, by which it is known again.

    Examples
    --------
    >>> wording("glmm raised ValueError: shape (3, 4) and 'x7' differ.")
    'ValueError: shape and differ'
    """
    line = message.partition("\n")[0].partition(" raised ")[2] or message.partition("\n")[0]
    words = re.sub(r"'[^']*'|\"[^\"]*\"|\([^)]*\)|[-+]?[\d.]+(?:e[-+]?\d+)?", " ", line)
    return " ".join(words.split()[:8]).rstrip(" .,:;")
