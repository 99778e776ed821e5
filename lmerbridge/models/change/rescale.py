"""A model fitted by way of centred and scaled columns."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lmerbridge.bridge import lme4_has, notices
from lmerbridge.models.change import scaling, trials
from lmerbridge.models.extract import objective
from lmerbridge.models.kept import KeptFit
from lmerbridge.results import Array, Design


@dataclass(frozen=True)
class Rescaled:
    """Fits by way of scaled columns: what `Remedies` has of them."""

    scales: scaling.Scaling | None = None
    trials: tuple[trials.Trial, ...] = ()
    mapped: scaling.Mapped | None = None
    digits_lost: float = np.nan


def rescale(fit: KeptFit) -> Rescaled:
    """Fit the model on scaled columns, and then on its own columns from that optimum."""
    scales = scaling.numeric_scaling(fit.spec, fit.rows)
    if scales.frame.empty:
        return Rescaled()
    original = objective.design(fit)
    scales = _keeping_model(fit, scales, original)
    trial = trials.attempt(
        trials.SCALED, lambda: trials.fit_like(fit, trials.tightened(scaling.scaled_spec(fit.spec, scales)))
    )
    if trial.fit is None:
        return Rescaled(scales, (trial,))
    mapped = scaling.map_back(trial.fit, objective.design(trial.fit), original, fit)
    if mapped is None:
        return Rescaled(scales, (replace(trial, criterion=np.nan),))
    trial = replace(trial, criterion=mapped.criterion)
    plain = fit.kind.linear and all(
        block.kind == "us" for block in fit.varcorr
    )  # rounding would leave another structure
    return Rescaled(scales, (trial, start_at(fit, mapped)), mapped, _digits_lost(fit, mapped) if plain else np.nan)


def _keeping_model(fit: KeptFit, scales: scaling.Scaling, original: Design) -> scaling.Scaling:
    """Return the scales without the centres that would make another model, as that of `x` in `(0 + x | g)`."""
    if _spans(fit, scales, original):
        return scales
    names = list(scales.frame.index)
    others = [scales.without_center([other for other in names if other != name]) for name in names]
    free = [name for name, alone in zip(names, others, strict=True) if len(names) > 1 and _spans(fit, alone, original)]
    kept = scales.without_center([name for name in names if name not in free])
    return kept if not free or _spans(fit, kept, original) else scales.without_center(names)


def _spans(fit: KeptFit, scales: scaling.Scaling, original: Design) -> bool:
    """Whether the scaled columns, of a fit that is not optimized, span those of the model."""
    spec = scaling.scaled_spec(fit.spec, scales)
    made = trials.attempt("", lambda: trials.fit_like(fit, spec.quick())).fit
    return made is not None and scaling.change_of_basis(objective.design(made), original) is not None


def start_at(fit: KeptFit, mapped: scaling.Mapped) -> trials.Trial:
    """Fit a model on its own columns from an optimum that is mapped back."""
    par = lme4_has("get_me_par")
    start = {"par": np.concatenate([block.par for block in mapped.varcorr])} if par else {"theta": mapped.theta}
    if fit.spec.particulars.get("n_agq"):
        start["beta"] = mapped.fixef.to_numpy()
    return trials.attempt(
        trials.FROM_SCALED, lambda: trials.fit_like(fit, trials.optimized(replace(fit.spec, start=start)))
    )


def _digits_lost(fit: KeptFit, mapped: scaling.Mapped) -> float:
    """Return how far the criterion on a fit's own columns is from that on scaled ones, at the same parameters."""
    return abs(criterion_at(fit, mapped.theta) - mapped.criterion)


def criterion_at(fit: KeptFit, theta: Array) -> float:
    """Return the criterion at a theta, without the warnings of the columns that the fit has given already."""
    with notices.gather():
        return float(objective.deviance_at(fit, theta)[0])
