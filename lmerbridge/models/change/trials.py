"""What was tried to mend a fit, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from time import perf_counter

import numpy as np
import pandas as pd

from lmerbridge.bridge import notices
from lmerbridge.errors import LmerBridgeError, TimedOut, UnfitData
from lmerbridge.inputs import Spec
from lmerbridge.models.change.all_fit import MAXFUN
from lmerbridge.models.change.scaling import Mapped, Scaling
from lmerbridge.models.kept import KeptFit, fit_spec

TIGHT: dict[str, dict[str, float]] = {  # options of each optimizer
    "nloptwrap": {"xtol_abs": 1e-12, "ftol_abs": 1e-12, "maxeval": MAXFUN},
    "bobyqa": {"rhoend": 1e-10, "maxfun": MAXFUN},
    "Nelder_Mead": {"FtolAbs": 1e-10, "FtolRel": 1e-15, "XtolRel": 1e-12, "maxfun": MAXFUN},
    "nlminbwrap": {"rel.tol": 1e-14, "x.tol": 1e-12, "eval.max": MAXFUN, "iter.max": MAXFUN},
    "nmkbw": {"tol": 1e-12, "maxfeval": MAXFUN},
    "optimx": {"maxit": MAXFUN},
}
ENOUGH = 1e-3  # of the criterion: a difference that moves no test and no digit that is reported
DIGITS = 1e-5  # of the criterion at one theta, in two units: what rounding may leave
FITTED, SCALED, FROM_SCALED = "as fitted", "centre and scale", "start at the scaled optimum"
INNER = "inner iterations to their end"
COLUMNS = ["remedy", "npar", "criterion", "gap", "converged", "singular", "messages", "chisq", "df", "p_value"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Trial:
    """One remedy, tried.

    Attributes
    ----------
    remedy : str
    fit : LmerFit or None
        None where it failed, or where no random term is left.
    criterion : float
        The REML criterion or deviance in the units of the data as given. NaN where it failed.
    npar : int
        Number of parameters.
    messages : tuple of str
        What R said, or the error.
    seconds : float
    chisq, df, p_value : float
        Of a simplification: the likelihood ratio test against the model before it.
    """

    remedy: str
    fit: KeptFit | None = field(repr=False)
    criterion: float = np.nan
    npar: int = 0
    messages: tuple[str, ...] = ()
    seconds: float = np.nan
    chisq: float = np.nan
    df: float = np.nan
    p_value: float = np.nan

    @property
    def converged(self) -> bool:
        """Whether a fit converged by lme4's checks, as one without random terms always does."""
        return bool(np.isfinite(self.criterion)) if self.fit is None else self.fit.converged

    @property
    def singular(self) -> bool:
        """Whether lme4 calls the fit singular."""
        return self.fit is not None and self.fit.singular


def attempt(remedy: str, fit: Callable[[], KeptFit]) -> Trial:
    """Try a fit, and keep what was said or the error that there was instead."""
    began = perf_counter()
    try:
        found = fit()
    except TimedOut:
        raise
    except LmerBridgeError as error:
        return Trial(remedy=remedy, fit=None, messages=(str(error),), seconds=perf_counter() - began)
    return trial_of(remedy, found, perf_counter() - began)


def optimized(spec: Spec) -> Spec:
    """Return the specification with lme4's own optimizer where it has none."""
    controls = {name: value for name, value in spec.controls.items() if (name, value) != ("optimizer", None)}
    return replace(spec, control=controls or None)


def tightened(spec: Spec) -> Spec:
    """Return the specification with tight tolerances of its optimizer."""
    controls = dict(optimized(spec).controls)
    given = controls.get("optimizer", spec.kind.optimizer)
    name = controls["optimizer"] = given if isinstance(given, str) else given[-1]  # of the last stage
    return replace(spec, control={**controls, "optCtrl": {**controls.get("optCtrl", {}), **TIGHT.get(name, {})}})


def with_inner(spec: Spec) -> Spec:
    """Return the specification whose iterations inside the criterion go to their end, where there are some."""
    tolerances = {name: min(spec.controls.get(name, value), value) for name, value in spec.kind.inner.items()}
    return replace(spec, control={**spec.controls, **tolerances}) if tolerances else spec


def fit_like(fit: KeptFit, spec: Spec) -> KeptFit:
    """Fit a specification as a fit of the same class."""
    return fit_spec(type(fit), spec)


def free_parameters(fit: KeptFit) -> int:
    """Return the number of free parameters of the random part."""
    return sum(len(block.par) for block in fit.varcorr)


def check_criterion(fit: KeptFit) -> None:
    """Refuse a fit whose criterion is not finite, since none can be compared with it.

    Raises
    ------
    UnfitData
    """
    if not np.isfinite(fit.criterion):
        why = "rows of weight zero have no finite likelihood; leave them out with subset="
        raise UnfitData(f"the criterion of the fit is {fit.criterion:g}, with which none can be compared; {why}.")


def trial_of(remedy: str, fit: KeptFit, seconds: float = np.nan) -> Trial:
    """Return the trial that a fit is."""
    said = tuple(str(notice) for notice in notices.of_conditions(fit.conditions))
    npar = len(fit.beta) + free_parameters(fit) + fit.kind.others
    return Trial(remedy=remedy, fit=fit, criterion=fit.criterion, npar=npar, messages=said, seconds=seconds)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Trials:
    """What was tried to mend a fit, and what came of it.

    Attributes
    ----------
    trials : tuple of Trial
        The fit itself, and the same model fitted otherwise.
    steps : tuple of Trial
        Simpler models, each tested against the one before it that was kept.
    scaling : Scaling or None
        Centre and scale of the numeric predictors, None where there is none.
    mapped : Mapped or None
        The estimates on scaled columns in the original units, None where they cannot be mapped.
    digits_lost : float
        How far lme4's criterion on the original columns is from that on the scaled ones at the same parameters.
    dimensions : DataFrame
        By grouping factor, the ``components`` of `re_pca` and how many are ``above_zero``, on columns of one size
        where there are some.
    not_installed : mapping of str to str
        The optimizers that were not tried, with the R package each needs.
    alpha : float
        A simplification is kept where its p-value is above.
    """

    trials: tuple[Trial, ...]
    steps: tuple[Trial, ...] = ()
    scaling: Scaling | None
    mapped: Mapped | None
    digits_lost: float
    dimensions: pd.DataFrame
    not_installed: Mapping[str, str]
    alpha: float

    @property
    def fitted(self) -> Trial:
        """The fit itself."""
        return self.trials[0]

    @property
    def scaled(self) -> Trial | None:
        """The fit on centred and scaled columns, None where there is none."""
        found = (trial for trial in self.trials if trial.remedy.startswith(SCALED) and trial.fit is not None)
        return next(found, None)

    @property
    def inner(self) -> Trial | None:
        """The fit of a generalized model whose inner iterations went to their end, None of a linear one."""
        return next((trial for trial in self.trials if trial.remedy == INNER and trial.fit is not None), None)

    @cached_property
    def lowest(self) -> float:
        """The lowest criterion of the model: on scaled columns, where the original ones do not hold the digits."""
        if self.scaled is not None and not self.exact:
            return self.scaled.criterion
        return float(np.nanmin([trial.criterion for trial in self.trials]))

    @property
    def gap(self) -> float:
        """How far the criterion of the fit is above the lowest."""
        return self.fitted.criterion - self.lowest

    @property
    def exact(self) -> bool:
        """Whether the original columns hold the digits that lme4 needs."""
        return not self.digits_lost > DIGITS

    @cached_property
    def best_trial(self) -> Trial:
        """The fit itself where it is as good as any, or the trial of the lowest criterion.

        It is one on the original columns where these hold enough digits and one of them reaches the lowest.
        """
        own = [trial for trial in self.trials if trial is not self.scaled and trial.fit is not None]
        near = [trial for trial in own if trial.criterion - self.lowest <= ENOUGH and self.exact]
        if self.fitted in near:
            return self.fitted
        return min(near, key=lambda trial: trial.criterion) if near else self._scaled_or(own)

    def _scaled_or(self, own: list[Trial]) -> Trial:
        return min(own, key=lambda trial: trial.criterion) if self.scaled is None else self.scaled

    @property
    def best(self) -> KeptFit:
        """The fit of the lowest criterion, with all verbs.

        Its columns are the original ones, or, where none of them reaches the optimum, those of `scaling`.
        """
        assert self.best_trial.fit is not None  # noqa: S101 - candidates have one
        return self.best_trial.fit

    @property
    def truly_singular(self) -> bool:
        """Whether the model is singular on columns of one size, where lme4's limit of 1e-4 means something."""
        scaled = self.scaled
        sound = scaled is not None and scaled.criterion - self.lowest <= ENOUGH
        return scaled.singular if sound and scaled is not None else self.best_trial.singular

    @property
    def kept_steps(self) -> tuple[Trial, ...]:
        """The simplifications that cost nothing which a test would see."""
        return tuple(step for step in self.steps if step.p_value > self.alpha)

    @property
    def simplest(self) -> KeptFit | None:
        """The fit after the last simplification that was kept, None where none was or no random term is left."""
        return self.kept_steps[-1].fit if self.kept_steps else None

    @cached_property
    def frame(self) -> pd.DataFrame:
        """Table with one row per trial.

        Columns ``remedy``, ``npar``, ``criterion``, ``gap`` (above the lowest), ``converged``, ``singular``,
        ``messages``; and, of a simplification, its test against the model before: ``chisq``, ``df``, ``p_value``.
        """
        every = (*self.trials, *self.steps)
        said = {"messages": ["; ".join(trial.messages) for trial in every]}
        gap = {"gap": [trial.criterion - self.lowest for trial in every]}
        columns = {name: [getattr(trial, name) for trial in every] for name in COLUMNS if name not in said | gap}
        return pd.DataFrame(columns | said | gap)[COLUMNS]
