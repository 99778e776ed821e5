"""What an engine reports of a generalized model against the common code held at the engine's own answer."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import cast

import numpy as np

from lmerbridge.parity.definitions import Definition, definitions, named
from lmerbridge.parity.early import STEP
from lmerbridge.parity.joint import LEFT, Joint
from lmerbridge.parity.pair import Side, Trial
from lmerbridge.parity.sizes import block_differences, correlation_difference, largest, se_difference
from lmerbridge.parity.sparse import rms
from lmerbridge.parity.tolerances import ZERO_SD
from lmerbridge.results import Array, covariance

JOINT = "joint"  # the definition of standard errors that a reference is expected to have
PIRLS = "pirls_tolerance"
SCATTER = 1e-4  # deviance units that inner iterations may leave here and there; more is another objective


def differences(trial: Trial, side: Side) -> dict[str, float]:
    """Size up each reported quantity against the common code at the same point, in the unit of its limit."""
    fit, joint = side.fit, _joint(trial, side)
    held = joint.at(joint.point(fit))
    errors = _errors(trial, side, _definition_of_reference(trial))
    npar = len(fit.beta) + len(fit.theta) + trial.reference.kind.others
    counted = (fit.loglik.df, fit.loglik.nobs) == (npar, len(fit.rows))
    return {
        "sigma": 0.0 if joint.family.has_scale else abs(fit.sigma - 1),
        "se": se_difference(fit.covariance, errors),
        "vcov": correlation_difference(fit.covariance, errors),
        "varcorr": float(np.max([*block_differences(trial.design, fit, joint.scale_of(fit))])),  # NaN where one is NaN
        "logLik": abs(2 * float(fit.loglik) + fit.criterion),
        "df": 0.0 if counted else math.inf,
    } | _conditional(trial, side, held.fitted, held.modes, held.deviance_residuals)


def _joint(trial: Trial, side: Side) -> Joint:
    return cast(Joint, trial.surface_of(side))


def _conditional(
    trial: Trial, side: Side, means: Array, modes: tuple[Array, ...], residuals: Array
) -> dict[str, float]:
    """Size up what follows from the conditional modes."""
    fit, joint = side.fit, _joint(trial, side)
    units = zip(fit.modes, modes, _mode_units(trial, side), strict=True)
    return {
        "fitted": largest((fit.fitted_values[side.order] - means) / joint.sd(joint.point(fit))),
        "residuals": largest(fit.residual_values[side.order] - residuals),
        "ranef": float(np.max([largest((its.modes - mine) / unit) for its, mine, unit in units])),
    }


def _mode_units(trial: Trial, side: Side) -> list[Array]:
    """Standard deviations of the random effects, none smaller than a zero's."""
    scale = _joint(trial, side).scale_of(side.fit)
    factors = covariance.split(side.fit.theta * scale, trial.design.widths)
    return [
        np.maximum(np.linalg.norm(t, axis=1), ZERO_SD / rms(term))
        for t, term in zip(factors, trial.design.random, strict=True)
    ]


def _errors(trial: Trial, side: Side, by: str) -> Array:
    """Covariance of the fixed effects at a side's answer, by a definition."""
    joint = _joint(trial, side)
    return joint.errors(joint.point(side.fit), by)


def _definition_of_reference(trial: Trial) -> str:
    """By which definition the reference's standard errors are; the joint one where they are by none."""
    return trial.once("errors", lambda: _matching(trial, trial.sides[0]) or JOINT)


def _matching(trial: Trial, side: Side) -> str:
    """The first definition by which a side's standard errors are, or ""."""
    limit = trial.profile.pinned["se"].limit
    for by in (JOINT, *(entry.borne_out_by for entry in definitions() if entry.generalized)):
        errors = _errors(trial, side, by)
        sizes = [se_difference(side.fit.covariance, errors), correlation_difference(side.fit.covariance, errors)]
        if all(size <= limit for size in sizes[: 1 + (not side.fit.only_std_errors)]):  # none is NaN
            return by
    return ""


def definition(trial: Trial, side: Side, what: str) -> Definition | None:
    """The definition that accounts for a pinned difference, where the common code bears it out."""
    if named(PIRLS).covers(side.name, what) and _stopped_early(trial, side, what):
        return named(PIRLS)
    if what == "df":
        return named("given_shape") if _without_given_shape(trial, side) else None
    if what not in ("se", "vcov"):
        return None
    by = _matching(trial, side)
    return next((entry for entry in definitions() if entry.generalized and entry.borne_out_by == by), None)


def _without_given_shape(trial: Trial, side: Side) -> bool:
    """Whether the parameters are counted rightly but for a shape that is given, which lme4 counts."""
    joint, fit = _joint(trial, side), side.fit
    given = joint.family.theta is not None and not joint.estimated
    return given and (fit.loglik.df, fit.loglik.nobs) == (len(fit.beta) + len(fit.theta), len(fit.rows))


def _stopped_early(trial: Trial, side: Side, what: str) -> bool:
    """Whether lme4's inner iterations, stopped at its tolerance, give what it reports, or move it as far."""
    fit, limit = side.fit, trial.profile.pinned[what].limit
    if what in ("se", "vcov"):
        size = se_difference if what == "se" else correlation_difference
        joint = _joint(trial, side)
        early, held = joint.early(fit).covariance, _errors(trial, side, _definition_of_reference(trial))
        left, off, moved = size(fit.covariance, early), size(fit.covariance, held), size(early, held)
        scatter = abs(fit.criterion - joint(joint.point(fit)))
        if scatter <= SCATTER:  # of what second differences are made of
            moved = max(moved, scatter / STEP**2 * float(np.max(np.diag(held))))
    elif what in ("fitted", "residuals", "ranef"):
        left, off, moved = _sizes_of_modes(trial, side, what)
    else:
        return False
    return left <= max(limit, LEFT * off) or moved >= off / 2


def _sizes_of_modes(trial: Trial, side: Side, what: str) -> tuple[float, float, float]:
    """How far a report is from where the iterations stop, and from the mode, and how far these are apart."""
    joint, fit = _joint(trial, side), side.fit
    early, held = joint.early(fit).mode, joint.model.mode(*joint.parts(joint.point(fit)))
    if early is None:
        return math.inf, math.inf, 0.0
    parts = [(m.response.mean, m.loadings.modes(m.u), m.response.deviance_residuals) for m in (early, held)]
    means, modes, residuals = parts[0]
    order = np.argsort(side.order)
    groups = tuple(replace(its, modes=mode) for its, mode in zip(fit.modes, modes, strict=True))
    stopped = replace(fit, fitted_values=means[order], residual_values=residuals[order], modes=groups)
    left, off = (_conditional(trial, side, *part)[what] for part in parts)
    return left, off, _conditional(trial, replace(side, fit=stopped), *parts[1])[what]
