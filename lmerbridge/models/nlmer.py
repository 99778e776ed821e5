"""`nlmer`, as in R, and the fit it gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lmerbridge.inputs import (
    OF_NLMER,
    Frame,
    NaAction,
    NlmerControl,
    NlmerSpec,
    RowVector,
    check_keywords,
    check_methods,
    pandas_frame,
)
from lmerbridge.models.change import nonlinear as change
from lmerbridge.models.extract import glmm
from lmerbridge.models.intervals import wald
from lmerbridge.models.kept import KeptFit, fit_told
from lmerbridge.models.lmer import LmerFit
from lmerbridge.models.predict import nonlinear as prediction


@check_methods
@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class NlmerFit(KeptFit):
    """A fit of a nonlinear mixed model by lme4: its numbers, and the verbs of R that are right for it.

    In lme4 itself ``predict``, ``simulate``, ``refit``, ``bootMer``, ``influence``, ``hatvalues``, ``profile``,
    ``drop1`` and emmeans of such a model fail, or give wrong numbers in silence. They are not here, but for `predict`,
    which is computed from the model. The verbs by task:

    ========== =========================================================================================
    Task       Verbs
    ========== =========================================================================================
    infer      summary, anova
    intervals  confint, parameters
    predict    predict
    change     update
    diagnose   resid
    tidy       tidy, glance, plot_residuals, plot_qq, plot_ranef
    extract    coef, ranef_table, cond_var, fixef_with, vcov_of, varcorr_of, varcorr_text, re_pca, re_covs, par, get_me,
               random_index, model_frame, formula_of, get_data, get_call, weights, ngrps, is_lmm, is_glmm, is_nlmm,
               is_reml
    optimum    optinfo, convergence, is_singular, singular_terms, df_residual, extract_aic, llik_aic
    ========== =========================================================================================
    """

    spec: NlmerSpec

    _hints = OF_NLMER

    # infer
    summary = LmerFit.summary
    anova = LmerFit.anova

    # intervals
    parameters = LmerFit.parameters
    confint = wald.confint

    # predict
    predict = prediction.predict

    # change
    update = change.update

    # diagnose
    resid = LmerFit.resid

    # tidy
    glance = LmerFit.glance
    tidy = LmerFit.tidy
    plot_residuals = LmerFit.plot_residuals
    plot_qq = LmerFit.plot_qq
    plot_ranef = LmerFit.plot_ranef

    # extract
    coef = LmerFit.coef
    ranef_table = LmerFit.ranef_table
    cond_var = LmerFit.cond_var
    fixef_with = LmerFit.fixef_with
    vcov_of = glmm.vcov_of
    varcorr_of = LmerFit.varcorr_of
    varcorr_text = LmerFit.varcorr_text
    re_pca = LmerFit.re_pca
    re_covs = LmerFit.re_covs
    par = LmerFit.par
    get_me = LmerFit.get_me
    random_index = LmerFit.random_index
    model_frame = LmerFit.model_frame
    formula_of = LmerFit.formula_of
    get_data = LmerFit.get_data
    get_call = LmerFit.get_call
    weights = LmerFit.weights
    ngrps = LmerFit.ngrps
    is_lmm = LmerFit.is_lmm
    is_glmm = LmerFit.is_glmm
    is_nlmm = LmerFit.is_nlmm
    is_reml = LmerFit.is_reml

    # optimum
    optinfo = LmerFit.optinfo
    convergence = LmerFit.convergence
    is_singular = LmerFit.is_singular
    singular_terms = LmerFit.singular_terms
    df_residual = LmerFit.df_residual
    extract_aic = LmerFit.extract_aic
    llik_aic = LmerFit.llik_aic

    @property
    def _method(self) -> str:
        return "Laplace's approximation" if self.spec.n_agq else "penalized nonlinear least squares"


@check_keywords
def nlmer(
    formula: str,
    data: Frame,
    *,
    start: Mapping[str, float] | None = None,
    n_agq: int = 1,
    weights: RowVector = None,
    offset: RowVector = None,
    subset: RowVector = None,
    na_action: NaAction | None = None,
    control: NlmerControl | Mapping[str, Any] | None = None,
    timeout: float | None = None,
) -> NlmerFit:
    """Fit a nonlinear mixed model with lme4: R's ``nlmer``.

    Parameters
    ----------
    formula : str
        ``"response ~ model ~ (parameter | group)"``. The model is one of R's self-starting functions of names,
        ``SSlogis(age, Asym, xmid, scal)``, or an expression of names and numbers, ``Asym / (1 + exp((xmid - age) /
        scal))``, in + - * / ^, exp, log, sqrt, sin, cos and tan, which R differentiates. Names in it that are no
        columns are the parameters; each has a mean, and the random terms say which vary by group.
    data : DataFrame
        Its columns that the formula names have plain names: lme4 pastes them into code.
    start : mapping of str to float
        Where each parameter begins. A self-starting function finds it itself.
    n_agq : int
        1 is Laplace's approximation, 0 a quicker and rougher one.
    weights, offset, subset, na_action, timeout
        As for `lmer`.
    control : NlmerControl or mapping
        How to optimize; as a mapping, arguments of ``lme4::nlmerControl`` by R's names.

    Returns
    -------
    NlmerFit
        Every number the double that R computes.

    Raises
    ------
    InputError
        The formula, the data or an argument cannot be used.
    RError, EngineFailed, TimedOut, WorkerDied
        As of `lmer`.

    Examples
    --------
    >>> from lmerbridge import nlmer, load_dataset
    >>> orange = load_dataset("Orange", "datasets")
    >>> fit = nlmer("circumference ~ SSlogis(age, Asym, xmid, scal) ~ Asym | Tree", orange)
    >>> fit.fixef.round(1).to_dict()
    {'Asym': 192.1, 'xmid': 727.9, 'scal': 348.1}
    """
    spec = NlmerSpec(
        formula=formula,
        data=pandas_frame(data),
        start=start,
        n_agq=n_agq,
        weights=weights,
        offset=offset,
        subset=subset,
        na_action=na_action,
        control=control,
    )
    return fit_told(NlmerFit, spec, timeout)
