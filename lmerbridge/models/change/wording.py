"""Remedies of a fit, in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

import numpy as np

from lmerbridge.errors import amount
from lmerbridge.models.change.trials import ENOUGH, Trial, Trials

SIZES = "Some columns are far from the size of one, or from zero, which lme4's optimizers and checks are made for."
USE, NEAR = "The estimates of the fit are not to be used.", "That is little beside a test, and the estimates are near."
SMALL = 0.1  # of the criterion
LITTLE, SAME = 5e-4, "are the same to 0.05%"  # of a standard error: no digit that is reported


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Remedies(Trials):
    """What was tried to mend a fit, and what came of it: `Trials`, in words."""

    def explain(self) -> str:
        """Return in words what is wrong with the fit, what mends it, and what a simpler model costs."""
        return explain(self)

    def __repr__(self) -> str:
        return f"<remedies: {len(self.trials)} fits, {len(self.steps)} simpler models; gap {self.gap:.3g}>"

    def __str__(self) -> str:
        shown = self.frame.drop(columns="messages").to_string(index=False, na_rep="")
        return f"{shown}\n\n{self.explain()}"

    def _repr_html_(self) -> str:
        paragraphs = "".join(f"<p>{escape(line)}</p>" for line in self.explain().splitlines())
        return self.frame.to_html(index=False) + paragraphs


def explain(found: Trials) -> str:
    """Return what is wrong with a fit, what mends it, and what a simpler model costs: one finding a line."""
    parts = (_of_gap, _of_inner, _of_singular, _of_messages, _of_steps, _of_failures)
    lines = (line for part in parts for line in part(found))
    return "\n".join(lines)


def _of_gap(found: Trials) -> Iterator[str]:
    name = found.best.kind.criteria[found.best.reml]
    fits = amount(sum(np.isfinite(trial.criterion) for trial in found.trials[1:]), "other fit")
    if found.gap <= ENOUGH and found.exact:
        mend = "The optimizer ended where it should" if found.truly_singular else "Nothing to mend"
        yield f"{mend}: the {name}, {found.fitted.criterion:.10g}, is within {ENOUGH:g} of the lowest of {fits}."
        return
    if found.inner is not None and found.inner.criterion - found.lowest <= ENOUGH:
        yield (
            f"The {name}, {found.fitted.criterion:.10g}, is {found.gap:.6g} too high, since the inner iterations ended "
            "early; the optimizer ended where it should."
        )
    elif found.gap > ENOUGH:
        by = next(trial.remedy for trial in found.trials if trial.criterion == found.lowest)
        yield (
            f"The optimizer stopped {found.gap:.6g} above the optimum: its {name} is {found.fitted.criterion:.10g}, "
            f"and {by!r} finds {found.lowest:.10g}. {USE if found.gap > SMALL else NEAR}"
        )
    if found.scaled is not None and found.scaled.criterion - found.lowest <= ENOUGH < found.gap:
        because = f"{SIZES} " if found.scaling is not None and found.scaling.extreme else ""
        yield f"{because}On centred and scaled columns the optimum is found."
    if found.best_trial is not found.scaled:
        yield f"`best` is the fit of {found.best_trial.remedy!r}, on the columns as they are."
        return
    lost = f"at the same parameters its {name} is {found.digits_lost:.2g} off"
    digits = f"The columns as they are do not hold the digits that lme4 needs: {lost}."
    yield (
        f"{'No fit on the columns as they are reaches it.' if found.exact else digits} `best` is therefore the fit on "
        "the columns that `scaling` makes, for which new data go through `scaling.apply`; `mapped` has its estimates "
        "in the original units."
    )


def _of_inner(found: Trials) -> Iterator[str]:
    fit, inner = found.fitted.fit, found.inner
    if fit is None or inner is None or inner.fit is None:
        return
    name, own, other = fit.kind.criteria[fit.reml], fit.std_errors, inner.fit.std_errors
    told = ", ".join(f"{option} = {value:g}" for option, value in fit.kind.inner.items())
    changes = np.abs(other / own - 1)
    if not len(changes) or not np.isfinite(changes).any():
        return
    most = int(np.nanargmax(changes))
    errors = f"change by up to {changes[most]:.2%}, that of {fit.terms[most]} from {own[most]:.5g} to {other[most]:.5g}"
    yield (
        f"With the inner iterations to their end, {told}, the {name} is {inner.criterion:.10g} and was "
        f"{found.fitted.criterion:.10g}, and standard errors {errors if changes[most] > LITTLE else SAME}. `inner` is "
        "that fit."
    )


def _of_singular(found: Trials) -> Iterator[str]:
    if found.fitted.singular and not found.truly_singular:
        artefact = found.best_trial.singular
        yield (
            "lme4 calls the fit singular, and the model is not: on columns of one size no variance is zero and no "
            "correlation one. "
            + (
                "The word is an artefact of scale, since lme4 takes a relative standard deviation below 1e-4 for zero, "
                "whatever the unit of the column; it says so of `best` too."
                if artefact
                else "The optimizer stopped at the edge too early."
            )
        )
    elif found.truly_singular and not found.best_trial.singular:
        yield (
            "The model is singular, and lme4 does not say so: on columns of one size a variance is zero or a "
            "correlation one, and the unit of a column hides it."
        )
    elif found.truly_singular:
        yield (
            "The fit is singular, and nothing mends it: the optimum itself lies where a variance is zero or a "
            "correlation one. The data do not support this random part; simpler ones are below."
        )
        for group, count, above in found.dimensions[["components", "above_zero"]].itertuples():
            if above < count:
                yield f"Of {amount(count, 'principal component')} of the random effects of {group}, {above} above zero."


def _of_messages(found: Trials) -> Iterator[str]:
    scaled, best = found.scaled, found.best_trial
    if found.gap > ENOUGH and scaled is not None and scaled.converged and not best.converged:
        yield (
            "The convergence warnings that `best` has are artefacts of scale too, since the fit on scaled columns has "
            f"none at the same optimum: {'; '.join(best.messages)}."
        )
    if found.gap <= ENOUGH and not found.fitted.converged and found.fitted.messages:
        yield (
            "The convergence warnings of the fit are false alarms, since no other optimizer, start or scale finds a "
            f"lower criterion: {'; '.join(found.fitted.messages)}."
        )


def _of_steps(found: Trials) -> Iterator[str]:
    for step in found.steps:
        yield _step(step, found.alpha)
    if found.kept_steps and not found.truly_singular:
        yield (
            "The fit needs no simplification to be estimated. A p-value above alpha says that the data do not "
            "show the difference, and not that there is none."
        )
    if any(np.isfinite(step.p_value) for step in found.steps):
        yield (
            "A variance of zero is at the edge of what it may be, so that a p-value of leaving one out is too large, "
            "for a single variance twofold."
        )


def _step(step: Trial, alpha: float) -> str:
    if not np.isfinite(step.p_value):
        return f"{step.remedy}: could not be fitted: {'; '.join(step.messages)}"
    test = f"{step.df:.0f} df, p = {step.p_value:.3g}"
    if step.chisq <= ENOUGH:
        return f"{step.remedy}: it costs nothing ({test})."
    verdict = "not worse by the test, and kept" if step.p_value > alpha else "worse, and not kept"
    return f"{step.remedy}: the criterion rises by {step.chisq:.4g} ({test}): {verdict}."


def _of_failures(found: Trials) -> Iterator[str]:
    for trial in found.trials:
        if trial.fit is None:
            yield f"{trial.remedy!r} failed: {'; '.join(trial.messages)}"
        elif not np.isfinite(trial.criterion):
            yield f"{trial.remedy!r} gives another model on these columns, whose criterion is not comparable."
    if found.not_installed:
        packages = ", ".join(f"{name} (R package {package})" for name, package in found.not_installed.items())
        yield f"Not tried: {packages}."
