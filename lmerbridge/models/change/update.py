"""Another model from this one: other formula, other data, other response."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from functools import partial
from typing import Any, TypedDict, Unpack, cast

from lmerbridge.bridge import check_weights, host, need, notices, time_limit
from lmerbridge.errors import InvalidArgument, InvalidCall, MissingColumns
from lmerbridge.formula import fold, hide_comparisons, parse, read_change, show_comparisons, source, write_out
from lmerbridge.inputs import (
    DoubleBar,
    FactorContrasts,
    Frame,
    GlmerControl,
    LmerControl,
    NaAction,
    RowVector,
    Spec,
    Start,
    hint_of_argument,
    pandas_frame,
)
from lmerbridge.models.change.refit import (
    ByRow,
    new_response,
    refit_model,
    refit_model_ml,
    response_by_row,
    with_response,
)
from lmerbridge.models.kept import K, fit_from_r, fit_spec, notices_of, without_model
from lmerbridge.results import Family

OWN_COLUMNS = "The fit keeps no columns but its own; give the frame that has the others as data=."


OF_UPDATE = ("formula", "data", "kind", "design")  # no changes, but arguments of update or of no function


class SpecChanges(TypedDict, total=False):
    """Arguments of `lmer`, or of `glmer`, beside the formula and the data."""

    reml: bool
    weights: RowVector
    offset: RowVector
    subset: RowVector
    na_action: NaAction | None
    contrasts: FactorContrasts | None
    start: Start | None
    control: LmerControl | GlmerControl | Mapping[str, Any] | None
    allow: Sequence[str]
    double_bar: DoubleBar
    family: str | Family
    n_agq: int
    mustart: RowVector
    etastart: RowVector
    init_theta: float | None


def update(
    fit: K,
    formula: str | None = None,
    data: Frame | None = None,
    *,
    timeout: float | None = None,
    **changes: Unpack[SpecChanges],
) -> K:
    """Fit the model again with something changed: R's ``update``.

    Parameters
    ----------
    formula : str
        The new formula, or a change: in ``". ~ . + x"`` the dots stand for what is there. A term that is taken out is
        one that is written there, or one that ``||`` stands for: ``". ~ . - (0 + x | g)"`` of ``(x || g)``.
    data : DataFrame
        The fit keeps no columns but its own: give the frame again where the new formula names another.
    timeout : float, optional
        Seconds after which R is stopped. The default is no limit.
    **changes
        Any other argument of `lmer`: ``reml``, ``weights``, ``offset``, ``subset``, ``na_action``, ``contrasts``,
        ``start``, ``control``, ``allow``, ``double_bar``; of `glmer` also ``family``, ``n_agq``, ``mustart``,
        ``etastart``, and no ``reml``; of `glmer_nb` ``init_theta``, and no ``family``. The others stay as they are;
        None is lmer's default. A start is of its random terms: where these change, it is lmer's own.
        Weights, an offset or a subset given by the name of a column are taken from the new data.

    Returns
    -------
    LmerFit or GlmerFit

    Raises
    ------
    InputError
        The new model cannot be fitted, or a term is taken out that is not there.

    Examples
    --------
    >>> fit.update(". ~ . - (Days | Subject) + (1 | Subject)", reml=False).formula
    'Reaction ~ Days + (1 | Subject)'
    """
    own = [field.name for field in fields(fit.spec) if field.init and field.name not in OF_UPDATE]
    if unknown := changes.keys() - set(own):
        known = ["formula", "data", *own]
        hints = " ".join(hint_of_argument(fit.kind.fit.removeprefix("fit_"), name, known) for name in sorted(unknown))
        raise InvalidCall(f"update is given {', '.join(map(repr, unknown))}; {', '.join(known)} are expected. {hints}")
    spec: Spec = replace(fit.spec, **cast("dict[str, Any]", changes))
    if data is not None:
        spec = replace(spec, data=pandas_frame(data))
    with time_limit(timeout):
        if formula is not None:
            spec = _with_formula(spec, formula, inherited="contrasts" not in changes)
            if "start" not in changes and spec.parsed.random != fit.spec.parsed.random:
                spec = replace(spec, start=None)  # it was of other random terms
            elif "start" not in changes and spec.parsed.fixed != fit.spec.parsed.fixed:
                spec = replace(spec, start=_without_beta(spec.start))
        try:
            updated = fit_spec(type(fit), spec)
        except MissingColumns as error:
            if data is None:
                error.args = (f"{error} {OWN_COLUMNS}",)
            raise
    notices.give(notices_of(updated))
    return updated


def _without_beta(start: Start | None) -> Start | None:
    """Return a start without that of fixed effects, which are others."""
    if not isinstance(start, Mapping):
        return start
    return {name: value for name, value in start.items() if name != "beta"} or None


def refit(
    fit: K,
    newresp: ByRow | None = None,
    *,
    newweights: ByRow | None = None,
    rename_response: str | None = None,
    timeout: float | None = None,
) -> K:
    """Fit the model to another response, from this fit's theta on: lme4's ``refit``.

    lme4 1.1-8 to 1.1-32 counts one fixed effect only when it refits by REML; there the count is set right, a
    message among the `conditions` says so, and the numbers are those of lme4 1.1-33 and later.

    Parameters
    ----------
    newresp : Series or array of numbers
        One value per row used, or per row of the frame. A Series is aligned by its index. Without it, the response is
        that of this fit. Of a response ``cbind(successes, failures)`` a DataFrame, or an array, of both.
    newweights : Series or array of numbers
        Other weights, likewise; from lme4 1.1-33 on.
    rename_response : str
        The new response's name in the formula; without it, it has the old one's.
    timeout : float, optional
        Seconds after which R is stopped. The default is no limit.

    Returns
    -------
    LmerFit
        Its `update` and its other verbs see the new response.

    Raises
    ------
    InvalidArgument
        The values are not finite numbers, one for each row used, or the formula's right side uses the response.
    NeedsNewer
        lme4 is too old for ``newweights``.

    Examples
    --------
    >>> dyestuff = load_dataset("Dyestuff")
    >>> fit = lmer("Yield ~ 1 + (1 | Batch)", dyestuff)
    >>> fit.refit(dyestuff.Yield / 10).fixef.round(4).to_dict()
    {'(Intercept)': 152.75}
    """
    if newresp is None and rename_response is not None:
        raise InvalidArgument(f"rename_response is {rename_response!r} and newresp is None; it names a new response.")
    response = None if newresp is None else new_response(fit, newresp)
    weights = None if newweights is None else response_by_row(fit, "newweights", newweights)
    if weights is not None:
        check_weights("newweights", weights)
        need("refit_newweights")
    spec, name = with_response(fit.spec, response, weights, rename_response)
    with time_limit(timeout):
        model = refit_model(fit, name, response, weights)
    remake = partial(refit_model, without_model(fit), name, response, weights)
    return _finish(fit, spec, model, remake)


def refit_ml(fit: K, *, timeout: float | None = None) -> K:
    """Fit the model by maximum likelihood, from this fit's theta on: lme4's ``refitML``.

    It optimizes with minqa's bobyqa, so the last digits may be others than those of ``update(reml=False)``.

    Parameters
    ----------
    timeout : float, optional
        Seconds after which R is stopped. The default is no limit.

    Returns
    -------
    LmerFit
        This very fit where it is one by maximum likelihood.

    Examples
    --------
    >>> fit = lmer("Yield ~ 1 + (1 | Batch)", load_dataset("Dyestuff"))
    >>> fit.refit_ml()
    <lme4 fit by ML: Yield ~ 1 + (1 | Batch), 30 rows, deviance 327.3270599>
    """
    if not fit.reml:
        return fit
    with time_limit(timeout):
        model = refit_model_ml(fit)
    return _finish(fit, replace(fit.spec, reml=False), model, partial(refit_model_ml, without_model(fit)))


def _finish(fit: K, spec: Spec, model: host.RModel, remake: partial[host.RModel]) -> K:
    changed = fit_from_r(type(fit), spec, model, remake)
    notices.give(notices.of_conditions(changed.conditions))
    return changed


def _with_formula(spec: Spec, text: str, *, inherited: bool) -> Spec:
    """Change the formula, without inherited contrasts of columns that it no longer uses."""
    old = parse(spec.formula, spec.functions, spec.own_values)
    before, change = read_change(text, old, spec.functions, split=spec.double_bar == "split", columns=spec.own_values)
    trees = {"old": source(fold(hide_comparisons(before), write_out)), "change": source(hide_comparisons(change))}
    reply = host.call("updated_formula", **trees, allow=spec.allow)
    (changed,) = notices.values_of(reply)["text"]
    changed = show_comparisons(changed, (before, change), spec.functions, spec.own_values)
    if not (inherited and spec.contrasts):
        return replace(spec, formula=changed)
    used = parse(changed, spec.functions, spec.own_values).variables
    contrasts = {factor: name for factor, name in spec.contrasts.items() if factor in used}
    return replace(spec, formula=changed, contrasts=contrasts)
