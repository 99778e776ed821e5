"""Simpler models than one, each tested against the last that was kept: the ladder of Bates et al. (2015)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from lmerbridge.inputs import Spec
from lmerbridge.models.change import rescale, scaling, simpler, trials
from lmerbridge.models.extract import objective
from lmerbridge.models.kept import KeptFit, call_on


def simplify(found: trials.Trials) -> Iterator[trials.Trial]:
    """Yield simpler models, each tested against the last that was kept, until one is worse."""
    last = found.best_trial
    scales = _plain_scaling(found)
    parted = None if last.fit is None else simpler.without_correlations(last.fit, last.fit.spec.parsed)
    if parted is not None:
        step = _step("without correlations", last, parted, scales)
        yield step
        last = step if step.p_value > found.alpha else last
    while last.fit is not None:
        component = simpler.smallest_component(last.fit, last.fit.spec.parsed, objective.design(last.fit))
        if component is None:
            return
        bars = simpler.without_component(last.fit.spec.parsed, component)
        step = _step(f"without {component.name}", last, bars, scales)
        yield step
        if not step.p_value > found.alpha:
            return
        last = step


def _plain_scaling(found: trials.Trials) -> scaling.Scaling | None:
    """Return the scaling without centres, which keeps every model, where lme4 needs one to find the optimum."""
    if found.scaling is None or found.gap <= trials.ENOUGH or not found.exact:
        return None
    return found.scaling.without_center(list(found.scaling.frame.index))


def _step(name: str, last: trials.Trial, bars: simpler.Bars, scales: scaling.Scaling | None) -> trials.Trial:
    """Fit a model with other random terms, and test it against the last one."""
    like = last.fit
    assert like is not None  # noqa: S101 - the ladder ends there
    if not bars:
        return _tested(_without_random(name, like, last), last)
    spec = _on_rows(like, simpler.with_random(like.spec, bars))
    trial = trials.attempt(f"{name}: {spec.formula}", lambda: trials.fit_like(like, spec))
    if scales is not None and trial.fit is not None:
        trial = min(trial, _by_scaling(trial, spec, scales), key=lambda t: np.nan_to_num(t.criterion, nan=np.inf))
    return _tested(trial, last)


def _on_rows(fit: KeptFit, spec: Spec) -> Spec:
    """Return the specification on the rows of a fit, of which a smaller model could use more."""
    if not fit.rows_dropped:
        return spec
    used = np.zeros(len(fit.index), np.bool_)
    used[fit.rows] = True
    return replace(spec, subset=used)


def _by_scaling(trial: trials.Trial, spec: Spec, scales: scaling.Scaling) -> trials.Trial:
    """Fit a model on scaled columns, and then on its own from that optimum."""
    plain = trial.fit
    assert plain is not None  # noqa: S101 - it is asked for where there is one
    scaled = trials.attempt(
        trial.remedy, lambda: trials.fit_like(plain, scaling.scaled_spec(spec, scales.of(spec.data)))
    ).fit
    mapped = scaled and scaling.map_back(scaled, objective.design(scaled), objective.design(plain), plain)
    return replace(rescale.start_at(plain, mapped), remedy=trial.remedy) if mapped else trial


def _without_random(name: str, fit: KeptFit, last: trials.Trial) -> trials.Trial:
    """Return the model without its last random term, whose criterion is that of the fit at a theta of zero."""
    remedy = f"{name}: no random term is left"
    if any(block.kind in ("cs", "ar1") for block in fit.varcorr):
        return trials.Trial(remedy=remedy, fit=None, messages=("its structure has no theta of zero.",))
    if fit.kind.linear:
        value = rescale.criterion_at(fit, np.zeros(len(fit.theta)))
    else:
        value = call_on(fit, "criterion_of_glm")["value"][0] + 2 * fit.loglik.constant
    if np.isnan(value):
        return trials.Trial(remedy=remedy, fit=None, messages=("its family has a dispersion or a shape to estimate.",))
    return trials.Trial(remedy=remedy, fit=None, criterion=value, npar=last.npar - trials.free_parameters(fit))


def _tested(trial: trials.Trial, last: trials.Trial) -> trials.Trial:
    """Return the trial with its likelihood ratio test against the last one.

    Both have the same fixed columns, and so the same Jacobian where these are scaled.
    """
    from scipy.stats import chi2  # slow to load

    if not np.isfinite(trial.criterion) or last.fit is None:
        return trial
    criterion = trial.criterion + (last.criterion - last.fit.criterion)
    chisq, df = max(0.0, criterion - last.criterion), last.npar - trial.npar
    return replace(trial, criterion=criterion, chisq=chisq, df=float(df), p_value=float(chi2.sf(chisq, df)))
