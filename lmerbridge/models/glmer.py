"""`glmer`, as in R, and the fit it gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from lmerbridge.inputs import (
    OF_GLMER,
    DoubleBar,
    FactorContrasts,
    Frame,
    GlmerControl,
    GlmerNbSpec,
    GlmerSpec,
    NaAction,
    RowVector,
    Start,
    check_keywords,
    check_methods,
    pandas_frame,
)
from lmerbridge.models.diagnose import doubts
from lmerbridge.models.extract import glmm
from lmerbridge.models.kept import KeptFit, fit_told
from lmerbridge.models.lmer import LmerFit
from lmerbridge.models.predict import scale
from lmerbridge.models.tidy import glmm as row_parts
from lmerbridge.results import Family, GlmNumbers


@check_methods
@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class GlmerFit(KeptFit, GlmNumbers):
    """A fit of a generalized linear mixed model by lme4: its numbers, and the verbs that R has for it.

    ``coefficients`` have Wald's z tests. ``criterion`` is -2 log-likelihood, and ``residual_deviance`` what R's
    ``deviance`` is of such a fit. ``residuals`` are R's, of the deviance. What is not here has no meaning for such a
    model, as REML and denominator degrees of freedom have none, or is wrong in lme4: studentized residuals are NaN
    where a leverage is above 1, as lme4's are here, and its deviance function has no one value at a point. The verbs by
    task:

    ========== =========================================================================================
    Task       Verbs
    ========== =========================================================================================
    infer      summary, anova, drop1, pb_modcomp
    intervals  confint, profile, parameters
    means      emmeans, emtrends, ref_grid, joint_tests, effect, plot_effect
    predict    predict, simulate, fixed_design, scenarios
    change     update, refit, all_fit, remedies
    diagnose   resid, hatvalues, cooks_distance, influence, check, simulated_residuals
    resample   bootstrap, interval_of, power, power_curve
    explain    contributions
    tidy       tidy, glance, augment, plot_residuals, plot_qq, plot_ranef
    extract    coef, ranef_table, cond_var, fixef_with, vcov_of, vcov_full, varcorr_of, varcorr_text, re_pca, re_covs,
               par, get_me, me_parts, random_index, model_matrix, model_frame, model_terms, formula_of, get_data,
               get_call, weights, offset, ngrps, family, is_lmm, is_glmm, is_nlmm, is_reml, design, icc, r2
    optimum    optinfo, convergence, is_singular, singular_terms, df_residual, extract_aic, llik_aic
    ========== =========================================================================================
    """

    spec: GlmerSpec

    _hints = OF_GLMER

    # infer
    drop1 = LmerFit.drop1
    summary = LmerFit.summary
    pb_modcomp = LmerFit.pb_modcomp
    anova = LmerFit.anova

    # intervals
    profile = LmerFit.profile
    parameters = LmerFit.parameters
    confint = LmerFit.confint

    # means
    emtrends = LmerFit.emtrends
    ref_grid = LmerFit.ref_grid
    joint_tests = LmerFit.joint_tests
    emmeans = LmerFit.emmeans
    plot_effect = LmerFit.plot_effect
    effect = LmerFit.effect

    # predict
    predict = scale.predict
    simulate = LmerFit.simulate
    fixed_design = LmerFit.fixed_design
    scenarios = LmerFit.scenarios

    # change
    refit = LmerFit.refit
    update = LmerFit.update
    all_fit = LmerFit.all_fit
    remedies = LmerFit.remedies

    # diagnose
    resid = LmerFit.resid
    hatvalues = LmerFit.hatvalues
    cooks_distance = LmerFit.cooks_distance
    influence = LmerFit.influence
    check = LmerFit.check
    simulated_residuals = LmerFit.simulated_residuals

    # resample
    bootstrap = LmerFit.bootstrap
    interval_of = LmerFit.interval_of
    power_curve = LmerFit.power_curve
    power = LmerFit.power

    # explain
    contributions = LmerFit.contributions

    # tidy
    glance = LmerFit.glance
    augment = row_parts.augment
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
    vcov_full = LmerFit.vcov_full
    varcorr_of = LmerFit.varcorr_of
    varcorr_text = LmerFit.varcorr_text
    re_pca = LmerFit.re_pca
    re_covs = LmerFit.re_covs
    par = LmerFit.par
    get_me = LmerFit.get_me
    me_parts = LmerFit.me_parts
    random_index = LmerFit.random_index
    model_matrix = LmerFit.model_matrix
    model_frame = LmerFit.model_frame
    model_terms = LmerFit.model_terms
    formula_of = LmerFit.formula_of
    get_data = LmerFit.get_data
    get_call = LmerFit.get_call
    weights = LmerFit.weights
    offset = LmerFit.offset
    ngrps = LmerFit.ngrps
    family = property(glmm.family)
    is_lmm = LmerFit.is_lmm
    is_glmm = LmerFit.is_glmm
    is_nlmm = LmerFit.is_nlmm
    is_reml = LmerFit.is_reml
    design = LmerFit.design
    icc = LmerFit.icc
    r2 = LmerFit.r2

    # optimum
    optinfo = LmerFit.optinfo
    convergence = LmerFit.convergence
    is_singular = LmerFit.is_singular
    singular_terms = LmerFit.singular_terms
    df_residual = LmerFit.df_residual
    extract_aic = LmerFit.extract_aic
    llik_aic = LmerFit.llik_aic

    _doubts = doubts.doubts

    @property
    def _method(self) -> str:
        if self.spec.n_agq > 1:
            return f"quadrature of {self.spec.n_agq} nodes"
        return "Laplace's approximation" if self.spec.n_agq else "penalized weighted least squares"

    @cached_property
    def coefficients(self) -> pd.DataFrame:
        """Table by term: estimate, std_error, z_value, p_value."""
        return super().coefficients.assign(p_value=self.p_values)


@check_keywords
def glmer(
    formula: str,
    data: Frame,
    family: str | Family,
    *,
    n_agq: int = 1,
    weights: RowVector = None,
    offset: RowVector = None,
    subset: RowVector = None,
    na_action: NaAction | None = None,
    contrasts: FactorContrasts | None = None,
    start: Start | None = None,
    control: GlmerControl | Mapping[str, Any] | None = None,
    mustart: RowVector = None,
    etastart: RowVector = None,
    allow: Sequence[str] = (),
    double_bar: DoubleBar = "split",
    timeout: float | None = None,
) -> GlmerFit:
    """Fit a generalized linear mixed model with lme4: R's ``glmer``.

    Parameters
    ----------
    formula : str
        As for `lmer`. The response is a column of counts, of proportions with their numbers of trials as ``weights``,
        of booleans, or a categorical with two levels, of which the second is the success; or, of a binomial model,
        ``cbind(successes, failures)``.
    data : DataFrame
        As for `lmer`.
    family : str or Family
        Distribution of the response and link: ``"binomial"``, ``"binomial(probit)"``, ``"poisson"``,
        ``"Gamma(log)"``, ``"inverse.gaussian"``, ``"gaussian(log)"``, ``"negative.binomial(2)"`` with a known shape.
    n_agq : int
        Nodes of the adaptive Gauss-Hermite quadrature by which random effects are integrated out. 1 is Laplace's
        approximation. More are for one random effect per group, and their log-likelihood lacks that of the saturated
        model, ``fit.loglik.constant``, before lme4 2.1-0. 0 is quicker, and no maximum likelihood.
    weights : column name or array of one number per row
        Numbers of trials of proportions; of other families, prior weights. A negative binomial model with weights is
        wrong in lme4, and a `KnownDefectWarning` says so.
    offset, subset, na_action, contrasts
        As for `lmer`; the offset is on the scale of the link.
    start : array or mapping
        Theta, or ``{"theta": ..., "beta": ...}``.
    control : GlmerControl or mapping
        How to optimize and what to check; as a mapping, arguments of ``lme4::glmerControl`` by R's names.
    mustart, etastart : column name or array of one number per row
        Means, or values of the linear predictor, where the iterations begin.
    allow, double_bar, timeout
        As for `lmer`.

    Returns
    -------
    GlmerFit
        Every number the double that R computes.

    Raises
    ------
    InputError
        The formula, the data or an argument cannot be used.
    RError
        R refused the model for another reason.
    EngineFailed
        lme4 gave a fit without numbers.
    TimedOut
    WorkerDied

    Warns
    -----
    ConvergenceWarning, SingularFitWarning, RankDeficientWarning, RWarning
        What lme4 has to say of the fit, and `GlmerFit.conditions` keep.
    RowsLeftOutWarning
    SeparationWarning
        Columns of the model part the outcomes of a binomial response.
    DispersionFamilyWarning
        The family has a dispersion, as Gamma, whose variances lme4 gets wrong before 2.1-0.

    Notes
    -----
    Before lme4 2.1-0, with its own ``tolPwrss = 1e-7``, the criterion is known to some 1e-4 only, and standard errors,
    which are made of its second differences, are up to a percent off. ``control=GlmerControl(tol_pwrss=1e-10)`` mends
    both.

    Examples
    --------
    >>> from lmerbridge import glmer, load_dataset
    >>> cbpp = load_dataset("cbpp")
    >>> fit = glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", cbpp, "binomial")
    >>> fit.coefficients[["estimate", "p_value"]].round(2)
                 estimate  p_value
    (Intercept)     -1.40      0.0
    period2         -0.99      0.0
    period3         -1.13      0.0
    period4         -1.58      0.0
    >>> round(fit.criterion, 2), round(fit.residual_deviance, 2)
    (184.05, 73.47)
    """
    spec = GlmerSpec(
        formula=formula,
        data=pandas_frame(data),
        family=family,
        n_agq=n_agq,
        weights=weights,
        offset=offset,
        subset=subset,
        na_action=na_action,
        contrasts=contrasts,
        start=start,
        control=control,
        mustart=mustart,
        etastart=etastart,
        allow=allow,
        double_bar=double_bar,
    )
    return fit_told(GlmerFit, spec, timeout)


@check_keywords
def glmer_nb(
    formula: str,
    data: Frame,
    *,
    init_theta: float | None = None,
    n_agq: int = 1,
    weights: RowVector = None,
    offset: RowVector = None,
    subset: RowVector = None,
    na_action: NaAction | None = None,
    contrasts: FactorContrasts | None = None,
    start: Start | None = None,
    control: GlmerControl | Mapping[str, Any] | None = None,
    mustart: RowVector = None,
    etastart: RowVector = None,
    allow: Sequence[str] = (),
    double_bar: DoubleBar = "split",
    timeout: float | None = None,
) -> GlmerFit:
    """Fit a negative binomial mixed model, and its shape, with lme4: R's ``glmer.nb``.

    Parameters
    ----------
    init_theta : float, optional
        The shape to begin with; without it, an estimate from a Poisson model.
    formula, data, n_agq, weights, offset, subset, na_action, contrasts, start, control, mustart, etastart
        As for `glmer`; the response are counts.
    allow, double_bar, timeout
        As for `glmer`.

    Returns
    -------
    GlmerFit
        Its ``nb_theta`` is the shape, which `GlmerFit.update` estimates anew. ``drop1``, ``refit`` and ``bootstrap``
        hold it, as lme4's do, and say so.

    Raises
    ------
    InputError, RError, EngineFailed, TimedOut, WorkerDied
        As of `glmer`.

    Examples
    --------
    >>> from lmerbridge import glmer_nb, load_dataset
    >>> fit = glmer_nb("TICKS ~ YEAR + (1 | BROOD)", load_dataset("grouseticks"))
    >>> round(fit.nb_theta, 2), fit.loglik.df
    (3.3, 5)
    """
    spec = GlmerNbSpec(
        formula=formula,
        data=pandas_frame(data),
        init_theta=init_theta,
        n_agq=n_agq,
        weights=weights,
        offset=offset,
        subset=subset,
        na_action=na_action,
        contrasts=contrasts,
        start=start,
        control=control,
        mustart=mustart,
        etastart=etastart,
        allow=allow,
        double_bar=double_bar,
    )
    return fit_told(GlmerFit, spec, timeout)
