"""Compare two engines on one model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lmerbridge.engines import Engine, find, fit_with, with_design
from lmerbridge.errors import (
    InputError,
    InvalidArgument,
    LmerBridgeError,
    NotExpressible,
    SetupError,
    TimedOut,
    TooLarge,
    WorkerDied,
    shorten,
)
from lmerbridge.inputs import (
    FactorContrasts,
    Frame,
    GlmerNbSpec,
    GlmerSpec,
    NaAction,
    RowVector,
    Spec,
    check_keywords,
    pandas_frame,
)
from lmerbridge.parity.cases import REFERENCES, Case
from lmerbridge.parity.evidence import Evidence
from lmerbridge.parity.judge import judge
from lmerbridge.parity.pair import Trial
from lmerbridge.parity.tolerances import ToleranceProfile, default
from lmerbridge.parity.tolerances import profile as limits
from lmerbridge.parity.verdict import Comparison, Verdict, family_of
from lmerbridge.parity.words import Code
from lmerbridge.results import Family, Fit

NO_REFERENCE = (
    "lme4 is no reference for the family {family}, whose dispersion it does not estimate by maximum likelihood; name "
    "another engine, as in reference='glmmTMB'."
)


@check_keywords
def compare(
    formula: str,
    data: Frame,
    *,
    reference: str | Engine | None = None,
    candidate: str | Engine = "statsmodels",
    family: str | Family | None = None,
    n_agq: int = 1,
    reml: bool = True,
    weights: RowVector = None,
    offset: RowVector = None,
    subset: RowVector = None,
    na_action: NaAction = "omit",
    contrasts: FactorContrasts | None = None,
    allow: Sequence[str] = (),
    profile: str = "default",
) -> Comparison:
    """Fit one model with two engines and say whether they agree, and if not which is right, by how much and why.

    Parameters
    ----------
    formula : str
    data : DataFrame
    reference, candidate : str or Engine
        Names of installed engines (see `lmerbridge.engines.names`), or engines. The reference is by default lme4, and
        for a generalized model ``lme4[tight]``: with lme4's default tolerance of its inner iterations, the
        log-likelihood and the standard errors are not those of its own objective.
    family : str or Family, optional
        Of a generalized model, as for `lmerbridge.glmer`; ``"negative.binomial"`` alone has its shape estimated, as by
        `lmerbridge.glmer_nb`. Without it the model is linear.
    n_agq : int
        As for `lmerbridge.glmer`.
    reml
        As for `lmerbridge.lmer`; a generalized model is fitted by maximum likelihood.
    weights, offset, subset, na_action, contrasts, allow
        As for `lmerbridge.lmer`.
    profile : {"default", "strict", "screening"}
        How close is close enough: see ``tolerances.toml``.

    Returns
    -------
    Comparison
        With ``verdict``, ``gap`` (deviance units above the best optimum known), ``worse``, ``frame``, ``explain()``.

    Raises
    ------
    InputError
        The model cannot be fitted by anyone: the formula, the data or an argument is wrong.
    RError
        The reference is lme4 and R refused the model.

    Examples
    --------
    >>> from lmerbridge import compare, load_dataset
    >>> result = compare("Reaction ~ Days + (Days | Subject)", load_dataset("sleepstudy"))
    >>> str(result.verdict), result.worse
    ('same_optimum', None)
    >>> formula = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
    >>> result = compare(formula, load_dataset("cbpp"), family="binomial", candidate="lme4")
    >>> result.reference, result.family
    ('lme4[tight]', 'binomial(logit)')
    """
    spec = _spec(
        family,
        n_agq,
        reml,
        formula=formula,
        data=pandas_frame(data),
        weights=weights,
        offset=offset,
        subset=subset,
        na_action=na_action,
        contrasts=contrasts,
        allow=allow,
    )
    return _compare(spec, _reference(spec) if reference is None else reference, candidate, limits(profile))


def _spec(family: str | Family | None, n_agq: int, reml: bool, **given: Any) -> Spec:  # noqa: ANN401  # fields of a Spec
    """Return what is to be fitted: a linear model where no family is given."""
    if family is None and not (isinstance(n_agq, int | np.integer) and n_agq == 1):
        raise InvalidArgument(f"n_agq is {n_agq!r} without a family; a linear model has an exact likelihood.")
    if family is None:
        return Spec(reml=reml, **given)
    if isinstance(family, str) and family.strip().casefold() == "negative.binomial":
        return GlmerNbSpec(n_agq=n_agq, **given)
    return GlmerSpec(family=family, n_agq=n_agq, **given)


def _reference(spec: Spec) -> str:
    generalized = not spec.kind.linear
    if generalized and spec.kind.scale(1.0):
        raise InvalidArgument(NO_REFERENCE.format(family=spec.kind.family))
    return REFERENCES["generalized" if generalized else "linear"]


def _compare(spec: Spec, reference: str | Engine, candidate: str | Engine, profile: ToleranceProfile) -> Comparison:
    first, second = (engine if isinstance(engine, Engine) else find(engine) for engine in (reference, candidate))
    for engine in (first, second):
        if not isinstance(engine.name, str):
            raise InvalidArgument(f"an engine's name is {engine.name!r}; a text is expected.")
    if "shared_design" in first.capabilities:
        raise InvalidArgument(f"{first.name} fits the matrices of a reference, so it cannot be the reference.")
    result = judge_candidate(spec, first.name, fit_with(first, spec), second, profile)
    return replace(result, spec=spec)


def judge_candidate(
    spec: Spec,
    reference: str,
    reference_fit: Fit,
    candidate: Engine,
    profile: ToleranceProfile | None = None,
    shared: dict[str, Any] | None = None,
    trial: type[Trial] = Trial,
) -> Comparison:
    """Fit a candidate and judge it against a reference's fit.

    What follows from the reference alone is kept in `shared`, for the next candidate. `trial` is how it is tried.
    Whatever the candidate cannot do is a verdict: the reference has fitted the model, so the input itself is not wrong.
    """
    names = (reference, candidate.name)
    try:
        fit = fit_with(candidate, with_design(candidate, spec, reference_fit.design))
    except TooLarge as error:
        return no_fit(spec, names, Verdict.TOO_LARGE, str(error), reference_fit)
    except (NotExpressible, InputError) as error:
        return no_fit(spec, names, Verdict.NOT_EXPRESSIBLE, str(error), reference_fit)
    except (Exception, SystemExit) as error:  # an engine is anybody's code, and its failure is a result
        return no_fit(spec, names, Verdict.ENGINE_FAILED, failure_text(error), reference_fit)
    if any(block.kind != "us" for block in reference_fit.varcorr):
        return no_fit(spec, names, Verdict.NOT_EXPRESSIBLE, "", reference_fit, Code.STRUCTURED)
    try:
        return judge(trial(reference_fit, fit, names, profile or default(), shared, spec))
    except (InputError, SetupError, TimedOut, WorkerDied):  # not of the answer
        raise
    except Exception as error:  # so are the numbers in its answer
        return no_fit(spec, names, Verdict.ENGINE_FAILED, failure_text(error), reference_fit, Code.NOT_JUDGED)


def failure_text(error: BaseException) -> str:
    """Return what an engine's failure says: an error of ours as it is, another with its class."""
    return str(error) if isinstance(error, LmerBridgeError) else f"{type(error).__name__}: {error}"


def no_fit(
    model: Spec | Case,
    names: tuple[str, str],
    verdict: Verdict,
    message: str,
    reference_fit: Fit | None,
    code: Code = Code.NO_FIT,
) -> Comparison:
    """Return the comparison where an engine gave no fit to judge: the reference, if there is no fit of it."""
    return Comparison(
        formula=model.formula,
        reml=model.reml,
        family=model.family if isinstance(model, Case) else family_of(model.kind),
        n_agq=getattr(model, "n_agq", 1),
        reference=names[0],
        candidate=names[1],
        verdict=verdict,
        cause=Evidence(code, {"message": shorten(message)} if message else {}),
        reference_fit=reference_fit,
        candidate_fit=None,
    )
