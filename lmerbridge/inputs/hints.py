"""Words of R, statsmodels and pymer4, and what is written for them here."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from difflib import get_close_matches

from lmerbridge.errors import UnknownName

SYNONYMS = {"ddf": "ddf_method", "level": "conf_level"}  # broom's, which tidy has, beside those of the other verbs
GROUPING = "the grouping stands in the formula, as '... + (x | group)'."
INTERVALS = "predict(newdata, interval='confidence') or 'prediction' gives limits, at level=."
OPTIMIZER = "give it as control=LmerControl(optimizer=..., opt_ctrl={...})."
WITH_P = "p-values need a method: summary(ddf='Satterthwaite').coefficients, or tidy(ddf_method=...)."
GLMER = "lmer fits a Gaussian response, and glmer(formula, data, family) those of other families."
PARALLEL = "write jobs=, the number of processes."
TESTS = "contest() tests linear combinations of the fixed effects, anova(ddf=...) the terms."
MEANS = "emmeans(specs, by) has the means, and its contrast() and pairs() their contrasts."

ARGUMENTS = {  # of one function, or of any
    "family": GLMER,
    "nAGQ": "write n_agq=, which glmer has.",
    "glmer.REML": "there is no REML of a generalized model; leave it out.",
    "lmer.method": f"reml=True or False chooses the criterion; of an optimizer, {OPTIMIZER}",
    **dict.fromkeys(("optimizer", "maxiter", "full_output"), OPTIMIZER),
    "verbose": "R's trace is not wrapped; fit.optinfo tells where the optimizer ended.",
    "devFunOnly": "fit.devfun() returns the deviance function.",
    **dict.fromkeys(("lmer.groups", "random", "re_formula", "vc_formula", "exog_re"), GROUPING),
    "missing": "write na_action='omit', 'exclude' or 'fail'.",
    "start_params": "write start=, with the theta to start from.",
    "exog": "write newdata=, a frame with the columns of the formula.",
    "factors": "a categorical column is a factor; contrasts={'factor': 'contr.sum'} names its coding.",
    "interval": INTERVALS,
    "predict.type": "a Gaussian response has one scale; leave it out.",
    **dict.fromkeys(("ncpus", "parallel"), PARALLEL),
    "FUN": "write statistic=, a function of a fit.",
    "interval_of.FUN": "write fun=, a function of a fit.",
    "se": "write se_fit=True.",
    "use_rfx": "write re_form='~0' for the fixed effects alone.",
    "marginal_vars": MEANS,
    "summary.p_values": WITH_P,
}
ATTRIBUTES = {
    "params": "fixef has the fixed effects, theta and varcorr the others, parameters all of them.",
    "fe_params": "fixef has the fixed effects.",
    "fixefs": "coef has the coefficients of each group, fixef the fixed effects.",
    **dict.fromkeys(("bse", "bse_fe"), "std_errors has the standard errors of the fixed effects."),
    "bse_re": "confint('theta_') has intervals of SDs and correlations; lme4 has no standard errors of them.",
    "tvalues": "coefficients has the t values.",
    **dict.fromkeys(("pvalues", "p_value"), WITH_P),
    "coefs": f"coefficients has estimates, standard errors and t values; {WITH_P}",
    "conf_int": "confint() gives the intervals.",
    "cov_params": "vcov has the covariance of the fixed effects.",
    "cov_re": "varcorr has the covariances of the random effects.",
    "scale": "sigma is the residual standard deviation; its square is the variance.",
    **dict.fromkeys(("save", "load"), "a fit pickles, as by pickle.dump(fit, file)."),
    "llf": "loglik has the log-likelihood.",
    "fittedvalues": "fitted has the fitted values.",
    **dict.fromkeys(("random_effects", "ranefs"), "ranef has the conditional modes."),
    "random_effects_cov": "cond_var() has the covariances of the conditional modes.",
    **dict.fromkeys(("ranef_var", "ranef_corr"), "varcorr has the variances and covariances of the random effects."),
    "result_fit": "tidy() and summary().coefficients are the tables of the fixed effects.",
    "result_fit_stats": "glance() has AIC, BIC and the likelihood.",
    "fit": "lmer() has fitted the model already; update() fits it with changes.",
    **dict.fromkeys(("post_hoc", "emmeans_contrast"), MEANS),
    **dict.fromkeys(("plot", "plot_summary"), "plot_residuals(), plot_qq() and plot_ranef(group) draw."),
    "design_matrix": "model_matrix() has the design of the fixed part.",
    **dict.fromkeys(("t_test", "f_test", "wald_test"), TESTS),
    "data": "get_data() has the data of the fit.",
    **dict.fromkeys(("check_model", "diagnose"), "check() tests what it assumes, remedies() mends where it ended."),
    "simulateResiduals": "write simulated_residuals().",
    "warnings": "conditions has the messages and warnings of R.",
    "bootstrap_ci": "confint(method='boot') gives intervals by bootstrap.",
    "bootMer": "write bootstrap().",
    "lsmeans": "write emmeans(), or ls_means() for lmerTest's.",
    **dict.fromkeys(("to_html", "to_latex"), "model_table() sets fits side by side, for HTML, LaTeX or Word."),
    "shap_values": "contributions() has what each term adds to a prediction.",
    "rank_deficient": "dropped_terms has the terms that were left out.",
}
NO_DDF = "it is for linear models; coefficients have z tests, drop1(test='Chisq') and anova() likelihood ratios."
NO_FUNCTION = "lme4's deviance function of such a model has no one value."
NO_REML = "a generalized model has no REML; criterion is -2 log-likelihood."
NO_MANY = "it keeps the design, which is 2 to 20 % of such a model's time; call refit(response) for each."
OF_GLMER = ATTRIBUTES | {
    "refit_many": NO_MANY,
    **dict.fromkeys(("pvalues", "p_value"), "p_values has them, coefficients the table."),
    "tvalues": "coefficients has the z values.",
    "scale": "a binomial or Poisson model has none; sigma is 1 there.",
    "deviance": "criterion is -2 log-likelihood, residual_deviance what R's deviance() is.",
    "rstudent": "lme4's are NaN where a leverage is above 1; resid() has four types.",
    **dict.fromkeys(("devfun", "devfun2", "deviance_at"), NO_FUNCTION),
    **dict.fromkeys(
        ("contest", "ls_means", "ranova", "step", "kr_modcomp", "sat_modcomp", "vcov_kr", "ddf_lb"), NO_DDF
    ),
    **dict.fromkeys(("reml_crit", "refit_ml", "loglik_of"), NO_REML),
    "deviance_of": "criterion is -2 log-likelihood, residual_deviance what R's deviance() is.",
}
NO_NLMER = "in lme4 it fails of a nonlinear model, or is wrong."
NO_LINES = (
    "it is made of a linear predictor, which a nonlinear model has not; predict(newdata, re_form='~0') has its means."
)
NO_DRAWS = "it draws responses and refits, and in lme4 either fails of a nonlinear model."
NO_TESTS = "it is for linear models; coefficients have t values, anova(other) likelihood ratios."
BROKEN = """
all_fit bootstrap cooks_distance drop1 emmeans emtrends hatvalues influence joint_tests profile ref_grid refit rstudent
simulate
"""
OF_LINES = """
augment contributions design effect fixed_design icc model_matrix model_terms offset plot_effect r2 scenarios vcov_full
"""
OF_NLMER = ATTRIBUTES | {
    "refit_many": "it is for linear models; call nlmer() for each response.",
    **dict.fromkeys(BROKEN.split(), NO_NLMER),
    **dict.fromkeys(OF_LINES.split(), NO_LINES),
    **dict.fromkeys(
        ["check", "interval_of", "pb_modcomp", "power", "power_curve", "remedies", "simulated_residuals"], NO_DRAWS
    ),
    **dict.fromkeys(
        ["contest", "ddf_lb", "kr_modcomp", "ls_means", "ranova", "sat_modcomp", "step", "vcov_kr"], NO_TESTS
    ),
    **dict.fromkeys(["deviance_of", "loglik_of", "refit_ml", "reml_crit"], "there is no REML of a nonlinear model."),
    **dict.fromkeys(["deviance_at", "devfun", "devfun2", "me_parts"], NO_FUNCTION),
    "family": "the response is normal about the model; is_nlmm tells its kind.",
}
ASKED = """
all_fit anova augment bootstrap coef confint contest cooks_distance drop1 emmeans emtrends fitted fixef get_me glance
hatvalues icc influence interval_of is_singular joint_tests kr_modcomp loglik ls_means model_matrix ngrps nobs
pb_modcomp predict profile r2 ranef ranova re_pca ref_grid refit refit_ml resid sat_modcomp sigma simulate step
summary tidy update varcorr vcov
"""
EXPORTS = {
    "Lmer": "lmer(formula, data) fits at once.",
    "Lm": "a model without random effects is one for statsmodels.",
    **dict.fromkeys(
        ("mixedlm", "MixedLM"), "lmer(formula, data) fits with lme4, compare() beside it with statsmodels' MixedLM."
    ),
    "Glmer": GLMER,
    "glmerControl": "write GlmerControl(...).",
    "nlmerControl": "write NlmerControl(...).",
    **{name: f"it is asked of a fit, as fit.{name}: lmer(formula, data) makes one." for name in ASKED.split()},
    "bootMer": "it is fit.bootstrap().",
    **dict.fromkeys(("modelsummary", "tab_model", "stargazer", "texreg"), "write model_table(fit1, fit2)."),
}


def synonym(name: str, known: Collection[str]) -> str:
    """Return the name that an argument has in a function that knows it by another.

    Examples
    --------
    >>> synonym("level", ["effects", "conf_level"]), synonym("conf_level", ["parm", "level"])
    ('conf_level', 'level')
    """
    pairs = {**SYNONYMS, **{other: name for name, other in SYNONYMS.items()}}
    return pairs[name] if name not in known and pairs.get(name) in known else name


def hint_of_argument(function: str, name: str, known: Iterable[str]) -> str:
    """Return what to write in place of an argument that a function has not.

    Examples
    --------
    >>> hint_of_argument("lmer", "REML", ["formula", "data", "reml"])
    "lmer has no argument 'REML': write reml=."
    """
    told = ARGUMENTS.get(f"{function}.{name}") or ARGUMENTS.get(name)
    if told is None:
        near = nearest(name, known)
        told = f"write {near}=." if near else f"the arguments are {', '.join(known) or 'none'}."
    return f"{function} has no argument {name!r}: {told}"


def unknown_name(owner: str, name: str, known: Iterable[str], hints: dict[str, str]) -> UnknownName:
    """Return the error of a name that a fit or the package has not."""
    near, hint = nearest(name, (each for each in known if not each.startswith("_"))), nearest(name, hints)
    other = hints[hint] if hint else "dir() lists the names that are there."
    told = hints.get(name) or (f"did you mean {near}?" if near else other)
    return UnknownName(f"{owner} has no {name!r}: {told}")


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is meant by one of R's spelling, as ``getME``, or with a typing error."""
    spelled = {_letters(each): each for each in known}
    found = get_close_matches(_letters(name), spelled, n=1, cutoff=0.75)
    return spelled[found[0]] if found else None


def _letters(name: str) -> str:
    return name.replace("_", "").replace(".", "").casefold()
