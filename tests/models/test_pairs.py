"""Pairs of options: what holds of each alone holds of the two together, against plain R."""

from functools import cache

import numpy as np
import pandas as pd
import pytest

from lmerbridge import LmerControl, lmer, load_dataset
from lmerbridge.errors import InputError, LmerBridgeWarning, SingularFitWarning
from tests.oracle import fitted, plain, same_bits

LEVELS = (0.5, 0.9, 0.99)
# A derivative by differences, of a criterion whose last digits depend on lme4's choice among equal permutations.
BY_DIFFERENCES = {"rtol": 1e-6}
DIGITS = {"rtol": 1e-12}  # the same t quantile by scipy and by R
GENERATORS = 'RNGkind("Mersenne-Twister", "Inversion", "Rejection")'
EACH_LEVEL = pytest.mark.parametrize("level", LEVELS)


def numbers(table, *columns):
    """Return columns one below the other."""
    return table[list(columns)].to_numpy().ravel(order="F")


# Confidence level x degrees of freedom.


@EACH_LEVEL
@pytest.mark.parametrize("ddf", ["asymptotic", "satterthwaite", "kenward-roger"])
def test_limits_of_means_are_those_of_emmeans(level, ddf):
    fit = fitted("cake")
    ends = "asymp.LCL", "asymp.UCL"
    if ddf != "asymptotic":
        ends = "lower.CL", "upper.CL"
    means = fit.emmeans("recipe", ddf=ddf, level=level)
    code = f'g <- suppressMessages(emmeans::emmeans(m, "recipe", lmer.df = "{ddf}"))'
    columns = ", ".join(f'"{name}"' for name in ("emmean", "df", *ends))
    theirs = plain(
        fit, f"{code}; unlist(unclass(summary(g, infer = TRUE, level = {level}))[c({columns})], FALSE, FALSE)"
    )
    assert same_bits(numbers(means.frame, "estimate", "df", "conf_low", "conf_high"), theirs)


@pytest.mark.slow
@EACH_LEVEL
@pytest.mark.parametrize("ddf", ["Satterthwaite", "Kenward-Roger"])
@pytest.mark.parametrize("model", ["sleepstudy", "cake"])
def test_limits_of_coefficients_and_of_contrasts_are_those_by_lmertest(level, ddf, model):
    fit = fitted(model)
    code = f"""t <- suppressWarnings(lmerTest::as_lmerModLmerTest(m)); s <- coef(summary(t, ddf = "{ddf}"))
      half <- qt(1 - (1 - {level}) / 2, s[, "df"]) * s[, "Std. Error"]
      as.vector(c(s[, "df"], s[, "Estimate"] - half, s[, "Estimate"] + half))"""
    theirs = plain(fit, code)
    tidied = fit.tidy("fixed", conf_int=True, conf_level=level, ddf_method=ddf)
    np.testing.assert_allclose(numbers(tidied, "df", "conf_low", "conf_high"), theirs, **BY_DIFFERENCES)
    tested = fit.contest(np.eye(len(fit.terms)), joint=False, ddf=ddf, level=level)
    np.testing.assert_allclose(numbers(tested, "df", "conf_low", "conf_high"), theirs, **BY_DIFFERENCES)


@EACH_LEVEL
def test_limits_without_degrees_of_freedom_are_walds(level):
    fit = fitted("cake")
    tidied = fit.tidy("fixed", conf_int=True, conf_level=level)
    theirs = plain(fit, f'as.vector(confint(m, "beta_", level = {level}, method = "Wald"))')
    np.testing.assert_allclose(numbers(tidied, "conf_low", "conf_high"), theirs, **DIGITS)


# A fit singular in one of two terms x each verb that reads a covariance.


@cache
def half_singular():
    """A fit with slopes by subject, and with batches that differ in nothing."""
    data = load_dataset("sleepstudy").assign(batch=np.tile(["p", "q", "r", "s", "t"], 36))
    return lmer("Reaction ~ Days + (Days | Subject) + (1 | batch)", data)


def test_one_term_is_singular_and_the_fit_is_so_and_says_so():
    fit = half_singular()
    assert fit.singular_terms().to_dict() == {"Subject": False, "batch": True}
    assert fit.singular
    assert fit.is_singular()
    with pytest.warns(SingularFitWarning):
        lmer(fit.formula, fit.spec.data)
    assert plain(fit, "isSingular(m)")


HALF_SINGULAR = {  # verb: what it finds, R's
    "varcorr": (
        lambda fit: np.concatenate(
            [np.append(b.stddev, b.correlation[np.tril_indices(len(b.stddev), -1)]) for b in fit.varcorr]
        ),
        """unlist(lapply(VarCorr(m), function(block) {
          c(attr(block, "stddev"), attr(block, "correlation")[lower.tri(block)])
        }), FALSE, FALSE)""",
    ),
    "ranef": (
        lambda fit: numbers(fit.ranef_table(), "estimate", "std_error"),
        "r <- as.data.frame(ranef(m)); c(r$condval, r$condsd)",
    ),
    "cond_var": (
        lambda fit: np.concatenate([found.values.ravel(order="F") for found in fit.cond_var().values()]),
        "as.vector(unlist(lapply(ranef(m), attr, 'postVar')))",
    ),
    "re_pca": (
        lambda fit: np.concatenate([pca.sdev for pca in fit.re_pca().values()]),
        "unlist(lapply(rePCA(m), `[[`, 'sdev'), FALSE, FALSE)",
    ),
    "confint by Wald": (
        lambda fit: numbers(fit.confint("beta_", method="Wald"), "conf_low", "conf_high"),
        "as.vector(na.omit(confint(m, method = 'Wald')))",
    ),
    "vcov": (lambda fit: fit.vcov.to_numpy(), "as.vector(as.matrix(vcov(m)))"),
    "predict": (lambda fit: fit.predict(re_form="~ (1 | batch)"), "as.vector(predict(m, re.form = ~ (1 | batch)))"),
    "predict new rows": (
        lambda fit: fit.predict(fit.spec.data.iloc[::50]),
        "d <- eval(m@call$data, environment(formula(m))); as.vector(predict(m, d[seq(1, 180, 50), ]))",
    ),
    "simulate": (
        lambda fit: fit.simulate(2, seed=7),
        f"{GENERATORS}; unlist(simulate(m, 2, seed = 7), FALSE, FALSE)",
    ),
    "simulate with the modes": (
        lambda fit: fit.simulate(2, seed=7, use_u=True),
        f"{GENERATORS}; unlist(simulate(m, 2, seed = 7, use.u = TRUE), FALSE, FALSE)",
    ),
}


@pytest.mark.parametrize("verb", HALF_SINGULAR)
def test_a_verb_finds_in_a_fit_that_is_singular_in_one_term_what_r_finds(verb):
    ours, theirs = HALF_SINGULAR[verb]
    assert same_bits(ours(half_singular()), plain(half_singular(), theirs))


def test_replicates_of_a_fit_that_is_singular_in_one_term_are_refits_of_what_r_draws():
    fit = half_singular()
    boot = fit.bootstrap(lambda r: [r.sigma, *r.beta], nsim=4, seed=7)
    theirs = plain(
        fit,
        f"""{GENERATORS}; set.seed(7); y <- simulate(m, 4)
        as.vector(sapply(y, function(one) {{u <- suppressMessages(refit(m, one)); c(sigma(u), fixef(u))}}))""",
    )
    # Each replicate is an optimum found by another way, to some 1e-5 of the deviance's flat top.
    np.testing.assert_allclose(boot.t.to_numpy().ravel(), theirs, rtol=2e-3)


# A check that is ignored x a fit: lme4 judges the fit then, and we do not.

CHECKS = {  # a check: the model that it refuses, the words of the refusal
    "check.nlev.gtr.1": ("Reaction ~ Days + (1 | one)", "has one level"),
    "check.nobs.vs.nlev": ("Reaction ~ Days + (1 | each)", "a level of its own"),
}
FIELDS = {"check.nobs.vs.rankZ": "check_nobs_vs_rank_z", "check.nobs.vs.nRE": "check_nobs_vs_n_re"}
CHECKED = "d <- lme4::sleepstudy; d$one <- factor('a'); d$each <- factor(1:180); "


@pytest.mark.parametrize("check", CHECKS)
def test_a_model_that_a_check_refuses_is_lme4s_to_judge_where_the_check_is_ignored(check):
    formula, words = CHECKS[check]
    data = load_dataset("sleepstudy").assign(one="a", each=[f"{i:03d}" for i in range(180)])
    with pytest.raises(InputError, match=words):
        lmer(formula, data)
    off = dict.fromkeys((check, "check.nobs.vs.rankZ", "check.nobs.vs.nRE"), "ignore")
    fields = {FIELDS.get(name, name.replace(".", "_")): action for name, action in off.items()}
    theirs = ", ".join(f'{name} = "{action}"' for name, action in off.items())
    code = f"u <- suppressMessages(suppressWarnings(lmer({formula}, d, control = lmerControl({theirs}))))"
    expected = plain(fitted("sleepstudy"), f"{CHECKED}{code}; c(u@theta, fixef(u), sigma(u), REMLcrit(u))")
    for control in (off, LmerControl(**fields)):
        found = lmer(formula, data, control=control)
        assert same_bits([*found.theta, *found.beta, found.sigma, found.criterion], expected)
    with pytest.raises(InputError, match=words):  # another check is not this one
        lmer(formula, data, control={"check.nobs.vs.rankZ": "ignore", "check.nlev.gtreq.5": "ignore"})


# Weights x offset x rows without a value x each verb that gives a number a row.

GAPS = """d <- lme4::sleepstudy; d$Days[c(4, 78)] <- NA; d$w <- rep(c(1, 4, 0.25), 60); d$o <- 2 * (0:179) / 180
  n <- {action}; u <- lmer(Reaction ~ Days + (Days | Subject), d, {given} na.action = n)
  """
ROWS = {  # verb: what it finds, R's
    "fitted": (lambda fit: fit.fitted, "as.vector(fitted(u))"),
    "residuals": (lambda fit: fit.residuals, "as.vector(residuals(u))"),
    "pearson residuals": (lambda fit: fit.resid("pearson"), "as.vector(residuals(u, 'pearson'))"),
    "predict": (lambda fit: fit.predict(), "as.vector(predict(u))"),
    "hatvalues": (lambda fit: fit.hatvalues(), "as.vector(hatvalues(u))"),
    "vcov": (lambda fit: fit.vcov.to_numpy(), "as.vector(as.matrix(vcov(u)))"),
    "confint by Wald": (
        lambda fit: numbers(fit.confint("beta_", method="Wald"), "conf_low", "conf_high"),
        "as.vector(confint(u, 'beta_', method = 'Wald'))",
    ),
}


@cache
def with_gaps(weighted, offset, action):
    """A fit with weights, an offset, both or neither, to rows of which two lack a value; and R's script of it."""
    data = load_dataset("sleepstudy").assign(w=np.tile([1.0, 4.0, 0.25], 60), o=2.0 * np.arange(180) / 180)
    data.loc[[3, 77], "Days"] = np.nan
    given = ({"weights": "w"} if weighted else {}) | ({"offset": "o"} if offset else {})
    fit = lmer("Reaction ~ Days + (Days | Subject)", data, na_action=action, **given)
    arguments = "".join(f"{name} = {column}, " for name, column in given.items())
    return fit, GAPS.format(action=f"na.{action}", given=arguments)


@pytest.mark.parametrize("verb", ROWS)
@pytest.mark.parametrize("action", ["omit", "exclude"])
@pytest.mark.parametrize("offset", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_verb_finds_r_s_numbers_with_weights_an_offset_and_rows_left_out(weighted, offset, action, verb):
    fit, script = with_gaps(weighted, offset, action)
    ours, theirs = ROWS[verb]
    found = ours(fit)
    expected = plain(fit, script + theirs)
    assert same_bits(found, expected)
    if isinstance(found, pd.Series):
        assert len(found) == (180 if action == "exclude" else 178)


# The place that a warning points at: the user's line, whichever verb gives it.

SEED = 7
WARN = {
    "lmer": lambda fit: lmer(fit.formula, fit.spec.data),
    "update": lambda fit: fit.update("~ . - Days"),
    "refit": lambda fit: fit.refit(fit.spec.data["Reaction"].to_numpy()),
    "anova": lambda fit: fit.anova(intercepts(reml=False), refit=False),
    "anova by REML": lambda fit: fit.anova(intercepts(), refit=False),
    "emmeans": lambda fit: fit.emmeans("1", limit=100),
    "joint_tests": lambda fit: fit.joint_tests(limit=100),
    "profile": lambda fit: fitted("orthodont").profile("cor_age.(Intercept)|Subject"),
    "confint": lambda fit: fitted("orthodont").confint("cor_age.(Intercept)|Subject"),
    "confint of a profile": lambda fit: correlation().confint("cor_age.(Intercept)|Subject"),
    "confint of a bootstrap": lambda fit: replicates().confint(0.99),
    "confint by bootstrap": lambda fit: fit.confint("beta_", 0.99, method="boot", nsim=10, seed=SEED),
}


@cache
def intercepts(*, reml=True):
    return lmer("Reaction ~ 1 + (1 | Subject)", load_dataset("sleepstudy"), reml=reml)


@cache
def correlation():
    return fitted("orthodont").profile("cor_age.(Intercept)|Subject")


@cache
def replicates():
    return half_singular().bootstrap(nsim=10, seed=SEED)


@pytest.mark.slow
@pytest.mark.parametrize("verb", WARN)
def test_a_warning_points_at_the_line_that_called_the_verb(verb):
    fit = half_singular()
    for made in (intercepts, correlation, replicates):
        made()  # what they say is not the verb's
    with pytest.warns(LmerBridgeWarning) as given:
        WARN[verb](fit)
    lines = {(notice.filename, str(notice.message)) for notice in given}
    assert {name for name, _ in lines} == {__file__}, lines
