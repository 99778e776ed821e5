"""Remedies for a fit that did not converge or is singular: each tried, and shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from lmerbridge.bridge import notices, time_limit
from lmerbridge.models.change import all_fit, ladder, rescale, trials, wording
from lmerbridge.models.extract import estimates
from lmerbridge.models.kept import KeptFit
from lmerbridge.results import SINGULAR


def remedies(
    fit: KeptFit,
    optimizers: Sequence[str] | None = None,
    *,
    maxfun: int | None = all_fit.MAXFUN,
    alpha: float = 0.05,
    progress: bool | None = None,
    timeout: float | None = None,
) -> wording.Remedies:
    """Try each remedy for a fit that did not converge or is singular, and show what came of it.

    The model is fitted again from where the fit ended, with tighter tolerances, by other optimizers from the same
    start, and on centred and scaled numeric predictors, whose optimum is the start of a last fit on the columns as
    they are. Then it is simplified after Bates et al. (2015): without correlations, and without its smallest
    component as long as a likelihood ratio test does not see it. Nothing is told as a warning: what each fit says is
    in the result. Of a generalized model the inner iterations, by which random effects are found, go to their end in
    every other fit, ``tolPwrss = 1e-10``, and the first of these is the same model with nothing else changed.

    Parameters
    ----------
    optimizers : sequence of str
        Those of `all_fit` to try; all, if it is not given.
    maxfun : int or None
        Evaluations each may make; None is each one's own limit.
    alpha : float
        A simplification is kept, and the next one tried, where the p-value of its test is above.
    progress : bool, optional
        Whether to show a progress bar. The default shows it where standard error is a terminal.
    timeout : float, optional
        Seconds after which R is stopped, all fits together. The default is no limit.

    Returns
    -------
    Remedies
        ``frame`` has one row per trial, ``best`` is the fit of the lowest criterion, ``simplest`` that after the last
        simplification that was kept, and ``explain()`` says it in words.

    Raises
    ------
    InvalidArgument
        There is no such optimizer.
    UnfitData
        The fit has no finite criterion, as with rows of weight zero.
    TimedOut

    References
    ----------
    D. Bates, R. Kliegl, S. Vasishth, H. Baayen (2015): Parsimonious mixed models. arXiv:1506.04967.

    Examples
    --------
    >>> sleepstudy = load_dataset("sleepstudy").assign(D=lambda data: data.Days * 1e5)
    >>> fit = lmer("Reaction ~ D + (D | Subject)", sleepstudy)
    >>> found = fit.remedies(["bobyqa"])
    >>> round(found.best.criterion, 3), found.scaled.singular
    (1766.654, False)
    >>> found.frame.remedy.tolist()[:5]
    ['as fitted', 'restart at the end', 'tighter tolerances', 'optimizer bobyqa', 'centre and scale']
    """
    trials.check_criterion(fit)
    with time_limit(timeout):
        exact = replace(fit, spec=trials.with_inner(fit.spec))
        own, absent = _other_fits(exact, optimizers, maxfun, progress)
        scaled = rescale.rescale(exact)
        inner = [trials.attempt(trials.INNER, lambda: trials.fit_like(fit, exact.spec))] if fit.kind.inner else []
        found = wording.Remedies(
            trials=(trials.trial_of(trials.FITTED, fit), *inner, *own, *scaled.trials),
            scaling=scaled.scales,
            mapped=scaled.mapped,
            digits_lost=scaled.digits_lost,
            dimensions=_dimensions(next((trial.fit for trial in scaled.trials if trial.fit is not None), fit)),
            not_installed=absent,
            alpha=alpha,
        )
        return replace(found, steps=tuple(ladder.simplify(found)))


def _dimensions(fit: KeptFit) -> pd.DataFrame:
    """Return how many principal components the random effects of each group have, and how many are above zero."""
    sizes = {group: pca.standard_deviations for group, pca in estimates.re_pca(fit).items()}
    counts = {group: (len(sd), int((sd > SINGULAR).sum())) for group, sd in sizes.items()}
    return pd.DataFrame.from_dict(counts, orient="index", columns=["components", "above_zero"])


def _other_fits(
    fit: KeptFit, optimizers: Sequence[str] | None, maxfun: int | None, progress: bool | None
) -> tuple[list[trials.Trial], Mapping[str, str]]:
    """Fit the model on its own columns from its end, more tightly, and by other optimizers."""
    with notices.gather():  # what each fit says is in its trial
        every = all_fit.all_fit(fit, optimizers, maxfun=maxfun, start_from_mle=False, progress=progress)
    again = replace(trials.optimized(fit.spec), start=all_fit.end_of(fit))
    tried = [
        trials.attempt("restart at the end", lambda: trials.fit_like(fit, again)),
        trials.attempt("tighter tolerances", lambda: trials.fit_like(fit, trials.tightened(fit.spec))),
    ]
    for optimizer, found in every.fits.items():
        label, seconds = f"optimizer {optimizer}", float(every.times[optimizer])
        if isinstance(found, KeptFit):
            tried.append(trials.trial_of(label, found, seconds))
        else:
            tried.append(trials.Trial(remedy=label, fit=None, messages=(str(found),), seconds=seconds))
    return tried, every.not_installed
