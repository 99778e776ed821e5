"""`lmer`, as in R, and the fit it gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lmerbridge.bridge import notices, time_limit
from lmerbridge.inputs import (
    DoubleBar,
    FactorContrasts,
    Frame,
    LmerControl,
    NaAction,
    RowVector,
    Spec,
    Start,
    check_keywords,
    check_methods,
    pandas_frame,
)
from lmerbridge.models.change import all_fit, remedies, update
from lmerbridge.models.diagnose import check, residuals, simulated
from lmerbridge.models.explain import contributions
from lmerbridge.models.extract import estimates, getme, matrices, objective, optimum, structured, variances
from lmerbridge.models.infer import anova, contrasts, modcomp, selection
from lmerbridge.models.intervals import confint, parameters
from lmerbridge.models.kept import KeptFit, fit_spec, notices_of
from lmerbridge.models.many import many
from lmerbridge.models.means import effect, emmeans
from lmerbridge.models.predict import predict, rows, scenarios, simulate
from lmerbridge.models.resample import bootstrap, interval_of, power
from lmerbridge.models.tidy import plots, tidy


@check_methods
class LmerFit(KeptFit):
    """A fit of lme4: its numbers, and every verb that R has for it.

    The numbers need no R, and they are all that is pickled. A verb rebuilds the model from the specification where
    it is gone. `time_limit` bounds what takes no ``timeout``. In the examples of the verbs ``fit`` is that of
    ``lmer("Reaction ~ Days + (Days | Subject)", sleepstudy)``. The verbs by task:

    ========== =========================================================================================
    Task       Verbs
    ========== =========================================================================================
    infer      summary, anova, drop1, contest, ls_means, ranova, step, kr_modcomp, sat_modcomp, pb_modcomp,
               vcov_kr, ddf_lb
    intervals  confint, profile, devfun2, parameters
    means      emmeans, emtrends, ref_grid, joint_tests, effect, plot_effect
    predict    predict, simulate, fixed_design, scenarios
    change     update, refit, refit_ml, all_fit, remedies
    diagnose   resid, hatvalues, rstudent, cooks_distance, influence, check,
               simulated_residuals
    resample   bootstrap, interval_of, power, power_curve
    many       refit_many
    explain    contributions
    tidy       tidy, glance, augment, plot_residuals, plot_qq, plot_ranef
    extract    coef, ranef_table, cond_var, fixef_with, vcov_of, vcov_full, varcorr_of, varcorr_text, re_pca, re_covs,
               par, get_me, me_parts, random_index, model_matrix, model_frame, model_terms, formula_of, get_data,
               get_call, weights, offset, ngrps, family, is_lmm, is_glmm, is_nlmm, is_reml, design, icc, r2
    optimum    optinfo, convergence, is_singular, singular_terms, loglik_of, deviance_of, deviance_at, devfun,
               reml_crit, df_residual, extract_aic, llik_aic
    ========== =========================================================================================
    """

    # infer
    drop1 = anova.drop1
    summary = anova.summary
    contest = contrasts.contest
    ls_means = contrasts.ls_means
    ranova = selection.ranova
    step = selection.step
    kr_modcomp = modcomp.kr_modcomp
    sat_modcomp = modcomp.sat_modcomp
    pb_modcomp = modcomp.pb_modcomp
    vcov_kr = modcomp.vcov_kr
    ddf_lb = modcomp.ddf_lb
    anova = anova.anova

    # intervals
    profile = confint.profile
    devfun2 = confint.devfun2
    parameters = property(parameters.parameters)
    confint = confint.confint

    # means
    emtrends = emmeans.emtrends
    ref_grid = emmeans.ref_grid
    joint_tests = emmeans.joint_tests
    emmeans = emmeans.emmeans
    plot_effect = effect.plot_effect
    effect = effect.effect

    # predict
    predict = predict.predict
    simulate = simulate.simulate
    fixed_design = rows.fixed_design
    scenarios = scenarios.scenarios

    # change
    refit = update.refit
    refit_ml = update.refit_ml
    update = update.update
    all_fit = all_fit.all_fit
    remedies = remedies.remedies

    # diagnose
    resid = residuals.resid
    hatvalues = residuals.hatvalues
    rstudent = residuals.rstudent
    cooks_distance = residuals.cooks_distance
    influence = residuals.influence
    check = check.check
    simulated_residuals = simulated.simulated_residuals

    # resample
    bootstrap = bootstrap.bootstrap
    interval_of = interval_of.interval_of
    power_curve = power.power_curve
    power = power.power

    # many
    refit_many = many.refit_many

    # explain
    contributions = contributions.contributions

    # tidy
    glance = tidy.glance
    augment = tidy.augment
    tidy = tidy.tidy
    plot_residuals = plots.plot_residuals
    plot_qq = plots.plot_qq
    plot_ranef = plots.plot_ranef

    # extract
    coef = property(estimates.coef)
    ranef_table = estimates.ranef_table
    cond_var = estimates.cond_var
    fixef_with = estimates.fixef_with
    vcov_of = estimates.vcov_of
    vcov_full = estimates.vcov_full
    varcorr_of = estimates.varcorr_of
    varcorr_text = estimates.varcorr_text
    re_pca = estimates.re_pca
    re_covs = structured.re_covs
    par = property(structured.par)
    get_me = getme.get_me
    me_parts = getme.me_parts
    random_index = property(getme.random_index)
    model_matrix = matrices.model_matrix
    model_frame = matrices.model_frame
    model_terms = matrices.model_terms
    formula_of = matrices.formula_of
    get_data = matrices.get_data
    get_call = matrices.get_call
    weights = matrices.weights
    offset = matrices.offset
    ngrps = property(matrices.ngrps)
    family = property(matrices.family)
    is_lmm = property(matrices.is_lmm)
    is_glmm = property(matrices.is_glmm)
    is_nlmm = property(matrices.is_nlmm)
    is_reml = property(matrices.is_reml)
    design = objective.design
    icc = variances.icc
    r2 = variances.r2

    # optimum
    optinfo = property(optimum.optinfo)
    convergence = optimum.convergence
    is_singular = optimum.is_singular
    singular_terms = optimum.singular_terms
    loglik_of = optimum.loglik_of
    deviance_of = optimum.deviance_of
    deviance_at = objective.deviance_at
    devfun = getme.devfun
    reml_crit = property(optimum.reml_crit)
    df_residual = property(optimum.df_residual)
    extract_aic = optimum.extract_aic
    llik_aic = optimum.llik_aic


@check_keywords
def lmer(
    formula: str,
    data: Frame,
    *,
    reml: bool = True,
    weights: RowVector = None,
    offset: RowVector = None,
    subset: RowVector = None,
    na_action: NaAction | None = None,
    contrasts: FactorContrasts | None = None,
    start: Start | None = None,
    control: LmerControl | Mapping[str, Any] | None = None,
    allow: Sequence[str] = (),
    double_bar: DoubleBar = "split",
    timeout: float | None = None,
) -> LmerFit:
    """Fit a linear mixed model with R's ``lme4::lmer``.

    Parameters
    ----------
    formula : str
        As in R: ``"Reaction ~ Days + (Days | Subject)"``. From lme4 2.0-1 on a random term may have a covariance
        structure: ``us(f | g)``, ``diag(f | g)``, ``cs(f | g, hom = TRUE)``, ``ar1(0 + f | g)``.
    data : DataFrame
        Only the columns the formula names travel to R. Strings become factors with levels in code-point
        order, categoricals keep theirs, ordered ones stay ordered, booleans stay logical.
    reml : bool
        REML, or maximum likelihood.
    weights, offset : column name or array of one number per row
    subset : column name or array of one boolean per row
    na_action : {"omit", "exclude", "fail"}
        What to do with rows that lack a value. ``exclude`` keeps them, as NaN, in fitted and residuals. If
        it is not given, they are left out as by ``omit``, with a warning.
    contrasts : mapping
        R's contrast function for a factor: ``{"treatment": "contr.sum"}``; or a matrix, an array or a DataFrame with
        a row per level. Rows of a DataFrame are found by the names of the levels where its index has them, and its
        columns name the coefficients.
    start : array or mapping
        Theta to start from, alone or as ``{"theta": ...}``; from lme4 2.0-1 on ``{"par": ...}``. Fixed effects have no
        start: they follow from theta.
    control : LmerControl or mapping
        How to optimize and what to check; as a mapping, arguments of ``lme4::lmerControl`` by R's names, with
        ``optCtrl`` a mapping of its own.
    allow : sequence of str
        Functions of R packages that the formula may call beside those it always may, as ``"package::function"``; the
        formula calls them by that name. They run in R: allow what you would run there.
    double_bar : {"split", "diag_special"}
        What ``(x || g)`` means, as R's option ``lme4.doublevert.default``: ``(1 | g) + (0 + x | g)``, in which the
        columns of a factor ``x`` are still correlated, or ``diag(x | g)``, in which none are (lme4 2.0-1 or later).
    timeout : float, optional
        Seconds after which R is stopped. The default is no limit. `time_limit` sets one for several calls.

    Returns
    -------
    LmerFit
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
        What lme4 has to say of the fit, and `LmerFit.conditions` keep.
    RowsLeftOutWarning

    Examples
    --------
    >>> from lmerbridge import lmer, load_dataset
    >>> fit = lmer("Reaction ~ Days + (Days | Subject)", load_dataset("sleepstudy"))
    >>> fit.fixef.round(4).to_dict()
    {'(Intercept)': 251.4051, 'Days': 10.4673}
    """
    spec = Spec(
        formula=formula,
        data=pandas_frame(data),
        reml=reml,
        weights=weights,
        offset=offset,
        subset=subset,
        na_action=na_action,
        contrasts=contrasts,
        start=start,
        control=control,
        allow=allow,
        double_bar=double_bar,
    )
    with time_limit(timeout):
        fit = fit_spec(LmerFit, spec)
    notices.give(notices_of(fit))
    return fit
