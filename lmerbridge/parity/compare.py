"""Compare two engines on one model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from lmerbridge.engines import Engine, find
from lmerbridge.errors import EngineFailed, LmerBridgeError, NotExpressible, RError, TooLarge
from lmerbridge.parity.stages import judge
from lmerbridge.parity.tolerances import default
from lmerbridge.parity.trial import Trial
from lmerbridge.parity.verdict import Comparison, Verdict
from lmerbridge.results import Fit
from lmerbridge.spec import NaAction, RowVector, Spec


def compare(
    formula: str,
    data: pd.DataFrame,
    *,
    reference: str | Engine = "lme4",
    candidate: str | Engine = "statsmodels",
    reml: bool = True,
    weights: RowVector = None,
    offset: RowVector = None,
    subset: RowVector = None,
    na_action: NaAction = "omit",
    contrasts: Mapping[str, str] | None = None,
) -> Comparison:
    """Fit one model with two engines and say whether they agree, and if not which is right, by how much and why.

    Parameters
    ----------
    formula : str
        R's formula text.
    data : DataFrame
    reference, candidate : str or Engine
        Names of installed engines (see `lmerbridge.engines.names`), or engines.
    reml : bool
    weights, offset, subset, na_action, contrasts
        As for `lmerbridge.lmer`.

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
    """
    spec = Spec(
        formula=formula,
        data=data,
        reml=reml,
        weights=weights,
        offset=offset,
        subset=subset,
        na_action=na_action,
        contrasts=contrasts,
    )
    engines = [find(engine) if isinstance(engine, str) else engine for engine in (reference, candidate)]
    return judge_candidate(spec, engines[0].name, engines[0].fit(spec), engines[1])


def judge_candidate(spec: Spec, reference: str, reference_fit: Fit, candidate: Engine) -> Comparison:
    """Fit a candidate and judge it against a reference's fit; what the candidate cannot do is a verdict."""
    shared = "shared_design" in candidate.capabilities
    try:
        fit = candidate.fit(replace(spec, design=reference_fit.design()) if shared else spec)
        return judge(Trial(reference_fit, fit, (reference, candidate.name), default()))
    except TooLarge as error:
        return no_fit(spec, (reference, candidate.name), Verdict.TOO_LARGE, error, reference_fit)
    except NotExpressible as error:
        return no_fit(spec, (reference, candidate.name), Verdict.NOT_EXPRESSIBLE, error, reference_fit)
    except (EngineFailed, RError) as error:
        return no_fit(spec, (reference, candidate.name), Verdict.ENGINE_FAILED, error, reference_fit)


def no_fit(
    spec: Spec, names: tuple[str, str], verdict: Verdict, error: LmerBridgeError, reference_fit: Fit | None
) -> Comparison:
    """Return the comparison where an engine gave no fit."""
    return Comparison(
        formula=spec.formula,
        reml=spec.reml,
        reference=names[0],
        candidate=names[1],
        verdict=verdict,
        reason=str(error),
        gap={},
        worse=None,
        minimum=math.nan,
        noise=math.nan,
        marks=(),
        rows=(),
        evidence=(),
        definitions=(),
        reference_fit=reference_fit,
        candidate_fit=None,
    )
