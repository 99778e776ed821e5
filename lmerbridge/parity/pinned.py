"""What an engine reports against the common code held at the engine's own theta."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from lmerbridge.parity import generalized
from lmerbridge.parity.definitions import Definition, lookup, of_criteria
from lmerbridge.parity.evidence import Evidence
from lmerbridge.parity.information import Information, information
from lmerbridge.parity.pair import Side, Trial
from lmerbridge.parity.sizes import block_differences, correlation_difference, largest, se_difference
from lmerbridge.parity.verdict import Ruling, Verdict
from lmerbridge.parity.words import Code
from lmerbridge.results import Array

ERRORS = ("se", "vcov")
TIGHT = 1e-4  # deviance units that lme4's inner iterations may leave of the reference's criterion, and no other cause


def sound_reference(trial: Trial) -> Ruling:
    """Hold the reference to its own theta, before anything is held to the reference."""
    side = trial.sides[0]
    name = {"reference": side.name}
    off = abs(side.fit.criterion - trial.reference_value)
    rounding = trial.rounding_at(trial.objective.point(side.fit), trial.reference_value)
    cause = "" if off <= rounding else trial.objective.read(side.fit, rounding).cause
    tight = cause.startswith("pirls_tolerance") and off <= TIGHT
    if not (off <= rounding or tight):
        figures = name | {"difference": off} | ({"constant": cause} if cause else {})
        return Ruling(Evidence(Code.REFERENCE_CRITERION, figures), Verdict.REFERENCE_FAULTY)
    define = DEFINITIONS[trial.reference.kind.objective]
    beyond = {what: size for what, size in _beyond(trial, side).items() if not _undefined(side, what, size)}
    found = {what: (size, define(trial, side, what)) for what, size in beyond.items()}
    if over := {what: size for what, (size, entry) in found.items() if not entry}:
        return Ruling(Evidence(Code.REFERENCE_REPORT, name | {"differences": over}), Verdict.REFERENCE_FAULTY)
    generalized_model = not trial.reference.kind.linear
    accounted = tuple((what, entry.name) for what, (_, entry) in found.items() if entry and generalized_model)
    accounted += of_criteria("pirls_tolerance") if tight else ()
    return Ruling(Evidence(Code.SOUND_REFERENCE, name), None, accounted)


def _undefined(side: Side, what: str, size: float) -> bool:
    """Whether a difference in standard errors is NaN by the common code, which has none at a point off the optimum."""
    return what in ERRORS and math.isnan(size) and bool(np.all(np.isfinite(side.fit.covariance)))


def same_report(trial: Trial) -> Ruling:
    """Stage 4: the candidate's report against the common code held at the candidate's theta."""
    side = trial.sides[1]
    over = _beyond(trial, side)
    if not over:
        return Ruling(Evidence(Code.SAME_REPORT, {"candidate": side.name}))
    define = DEFINITIONS[trial.reference.kind.objective]
    found = {what: entry for what in over if (entry := define(trial, side, what))}
    accounted = tuple((what, entry.name) for what, entry in found.items())
    figures = {"candidate": side.name, "differences": over, "definitions": tuple(name for _, name in accounted)}
    if "df" in found:
        accounted += tuple((kind, found["df"].name) for kind in found["df"].kinds)
    if len(found) < len(over):
        return Ruling(Evidence(Code.OTHER_REPORT, figures), Verdict.UNEXPLAINED, accounted)
    limits = {what: trial.profile.quantities.get(what) for what in over}
    if all(limit and over[what] <= limit.limit for what, limit in limits.items()):
        return Ruling(Evidence(Code.DEFINED_WITHIN, figures), None, accounted)
    joint = [entry for entry in found.values() if entry.borne_out_by == "joint_information"]
    if not all(_information(trial, side, entry).definite for entry in joint):
        return Ruling(Evidence(Code.INDEFINITE, figures), Verdict.FAULTY_REPORT, accounted)
    return Ruling(Evidence(Code.DEFINED_BEYOND, figures), Verdict.OTHER_DEFINITION, accounted)


def _beyond(trial: Trial, side: Side) -> dict[str, float]:
    """What of a report differs from the common code by more than its limit, in the unit of the limit."""
    lost = dict.fromkeys(("fitted", "ranef"), trial.lost(side.fit.theta))
    sizes, limits = DIFFERENCES[trial.reference.kind.objective](trial, side), trial.profile.pinned
    return {
        what: size
        for what, size in sizes.items()
        if what not in side.untold and not size <= limits[what].limit + lost.get(what, 0.0)
    }


def _differences(trial: Trial, side: Side) -> dict[str, float]:
    """Size up each reported quantity against the common code at the same theta, in the unit of its limit."""
    fit, held = side.fit, trial.linear.at(side.fit.theta)
    se = np.sqrt(np.diag(held.covariance))
    own_modes, own_fitted = trial.linear.effects(fit.theta, fit.beta)  # its own beta, so that beta counts once
    terms = zip(trial.design.random, fit.modes, own_modes, strict=True)
    modes = [largest(term.z @ np.ravel(its.modes - mine)) for term, its, mine in terms]  # by what they add to a row
    fitted, residuals = fit.fitted_values[side.order], fit.residual_values[side.order]
    npar = len(fit.beta) + len(fit.theta) + 1
    counted = (fit.loglik.df, fit.loglik.nobs) == (npar, len(fit.rows))
    return {
        "beta": largest((fit.beta - held.beta) / se),
        "sigma": abs(fit.sigma / held.sigma - 1),
        "se": se_difference(fit.covariance, held.covariance),
        "vcov": correlation_difference(fit.covariance, held.covariance),
        "varcorr": float(np.max([*block_differences(trial.design, fit)])),  # NaN where one is NaN
        "fitted": largest(fitted - own_fitted) / held.sigma,
        "residuals": largest(fitted + residuals - trial.design.y) / held.sigma,
        "ranef": float(np.max(modes)) / held.sigma,
        "logLik": abs(2 * float(fit.loglik) + fit.criterion),
        "df": 0.0 if counted else math.inf,
    }


def _definition(trial: Trial, side: Side, what: str) -> Definition | None:
    """The definition that accounts for a pinned difference, where the common code bears it out."""
    entry, limit = lookup(side.name, what), trial.profile.quantities["se"].limit
    if entry is not None and entry.borne_out_by == "residual_df":
        return entry if se_difference(side.fit.covariance, _by_residual_df(trial, side)) <= limit else None
    if entry is None or entry.borne_out_by != "joint_information":
        return None
    joint = _information(trial, side, entry).fixed
    if np.all(np.isfinite(joint)):
        same = se_difference(side.fit.covariance, joint), correlation_difference(side.fit.covariance, joint)
        return entry if all(size <= limit for size in same) else None  # none is NaN
    given = side.fit.covariance_given_theta  # where there is no joint information to compute
    held = trial.linear.at(side.fit.theta).covariance
    return entry if given is not None and se_difference(given, held) <= limit else None


def _by_residual_df(trial: Trial, side: Side) -> Array:
    """lme4's covariance of beta with the mean square of the residuals over their own df as residual variance."""
    held, design = trial.linear.at(side.fit.theta), trial.design
    squares = float(design.weights @ (design.y - held.fitted) ** 2)
    return held.covariance * squares / trial.linear.residual_df(side.fit.theta) / held.sigma**2


def _information(trial: Trial, side: Side, entry: Definition) -> Information:
    found = information(trial.linear, side.fit.theta, side.fit.beta)
    return found.by(entry.parameters_of(side.name) or "relative covariances")


# by the objective of a kind of model
DIFFERENCES: dict[str, Callable[[Trial, Side], dict[str, float]]] = {
    "Objective": _differences,
    "Joint": generalized.differences,
}
DEFINITIONS: dict[str, Callable[[Trial, Side, str], Definition | None]] = {
    "Objective": _definition,
    "Joint": generalized.definition,
}
