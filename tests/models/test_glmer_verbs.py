"""Verbs of a generalized linear mixed model: their numbers are R's, and what lme4 gets wrong is said or refused."""

import inspect
import warnings
from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest

from lmerbridge import GlmerFit, glmer, glmer_nb, lmer, load_dataset
from lmerbridge.bridge.session import lme4_version
from lmerbridge.errors import (
    DispersionFamilyWarning,
    InvalidArgument,
    InvalidCall,
    KnownDefectWarning,
    RWarning,
    UnfitData,
    UnknownName,
)
from lmerbridge.setup.compat import Range
from tests.oracle import plain, same_bits

COWS = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
MODELS = {  # formula, family, further arguments
    "cbind": (COWS, "binomial", {}),
    "proportion": ("prop ~ period + (1 | herd)", "binomial", {"weights": "size"}),
    "truth": ("ill ~ size + (1 | herd)", "binomial", {}),
    "levels": ("state ~ size + (1 | herd)", "binomial", {}),
    "counts": ("incidence ~ period + offset(log(size)) + (1 | herd)", "poisson", {}),
    "two terms": ("incidence ~ period + (1 | herd) + (1 | obs)", "poisson", {}),
    "probit slope": ("cbind(incidence, size - incidence) ~ x + (x || herd)", "binomial(probit)", {}),
    "shape": ("incidence ~ period + (1 | herd)", "negative.binomial(3)", {}),
    "excluded": ("cbind(incidence, size - incidence) ~ z + (1 | herd)", "binomial", {"na_action": "exclude"}),
}


@pytest.fixture(scope="module")
def cbpp():
    d = load_dataset("cbpp")
    ill = (d["incidence"] > 0).to_numpy()
    x = np.random.default_rng(1).normal(size=len(d))
    return d.assign(
        prop=d["incidence"] / d["size"],
        ill=ill,
        state=pd.Categorical(np.where(ill, "ill", "well"), ["well", "ill"]),
        obs=[f"o{i:02}" for i in range(len(d))],
        x=x,
        z=np.where(np.arange(len(d)) % 20 == 3, np.nan, x),
        rate=np.random.default_rng(2).gamma(4, np.exp(0.3 * x)),
        o=np.log(d["size"]),
    )


@pytest.fixture(scope="module")
def fits(cbpp):
    made = {}

    def fit(name):
        if name not in made:
            formula, family, given = MODELS[name]
            made[name] = glmer(formula, cbpp, family, **given)
        return made[name]

    return fit


@pytest.fixture
def cows(fits):
    return fits("cbind")


def of_r(fit, code):
    """A vector of plain R, without the warnings of its making."""
    return plain(fit, f"suppressWarnings(unname(unlist({code})))")


VERBS = {
    "infer": "summary anova drop1 pb_modcomp",
    "intervals": "confint profile parameters",
    "means": "emmeans emtrends ref_grid joint_tests effect plot_effect",
    "predict": "predict simulate fixed_design scenarios",
    "change": "update refit all_fit remedies",
    "diagnose": "resid hatvalues cooks_distance influence check simulated_residuals",
    "resample": "bootstrap interval_of power power_curve",
    "explain": "contributions",
    "tidy": "tidy glance augment plot_residuals plot_qq plot_ranef",
    "extract": """coef ranef_table cond_var fixef_with vcov_of vcov_full varcorr_of varcorr_text re_pca re_covs par
        get_me me_parts random_index model_matrix model_frame model_terms formula_of get_data get_call weights offset
        ngrps family is_lmm is_glmm is_nlmm is_reml design icc r2""",
    "optimum": "optinfo convergence is_singular singular_terms df_residual extract_aic llik_aic",
}


def test_a_fit_has_the_verbs_that_its_help_lists_each_a_function_of_its_room():
    own = {name for name in vars(GlmerFit) if not name.startswith("_")} - {*GlmerFit.__annotations__, "coefficients"}
    assert own == {*" ".join(VERBS.values()).split()}
    for task, verbs in VERBS.items():
        for verb in verbs.split():
            found = inspect.getattr_static(GlmerFit, verb)
            function = found.fget if isinstance(found, property) else found
            room = "extract" if task == "optimum" else task
            assert function.__module__.startswith(f"lmerbridge.models.{room}."), verb
            assert verb in GlmerFit.__doc__


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("scale", ["link", "response"])
@pytest.mark.parametrize("re_form", [None, "~0"])
def test_predictions_are_r_s(name, scale, re_form, fits):
    fit, form = fits(name), "NULL" if re_form is None else "NA"
    expected = of_r(fit, f"predict(m, type = '{scale}', re.form = {form})")
    assert same_bits(fit.predict(type=scale, re_form=re_form), expected)


@pytest.mark.parametrize("name", ["cbind", "counts", "probit slope"])
@pytest.mark.parametrize("scale", ["link", "response"])
def test_predictions_of_new_data_are_r_s(name, scale, fits, cbpp):
    fit = fits(name)
    new = cbpp.iloc[[40, 3, 7]]
    rows = "m@call$data <- NULL; d <- environment(formula(m))$data[c(41, 4, 8), ]; predict(m, d, type = '%s')"
    assert same_bits(fit.predict(new, type=scale), plain(fit, rows % scale))


def test_an_offset_argument_is_refused_in_new_data_where_lme4_forgets_it(cbpp):
    fit = glmer("incidence ~ period + (1 | herd)", cbpp, "poisson", offset="o")
    assert same_bits(fit.predict(), fit.linear_predictor)
    with pytest.raises(InvalidArgument, match=r"offset\(x\) in the formula"):
        fit.predict(cbpp)
    new = cbpp.iloc[[5, 1]].assign(o=[1.0, 2.0])
    link = fit.predict(new, offset="o")
    assert np.allclose(link, fit.linear_predictor[[5, 1]] - cbpp["o"].iloc[[5, 1]] + [1.0, 2.0], atol=1e-10)
    assert np.allclose(fit.predict(new, offset=[1.0, 2.0], type="response"), np.exp(link), rtol=1e-12)
    both = fit.predict(new, offset="o", type="response", se_fit=True)
    assert np.allclose(both["fit"], np.exp(link), rtol=1e-12)
    assert np.allclose(both["se_fit"], fit.predict(new, offset="o", se_fit=True)["se_fit"] * np.exp(link), rtol=1e-12)
    with pytest.raises(InvalidArgument, match="newdata of a fit with an offset= argument"):
        fit.predict(offset="o")
    inner = glmer("incidence ~ period + offset(o) + (1 | herd)", cbpp, "poisson")
    assert np.allclose(inner.predict(cbpp), fit.predict(), atol=1e-10)  # one model, and a sum in another order


def test_standard_errors_are_those_of_the_joint_covariance_given_theta(cows, cbpp):
    found = cows.predict(cbpp.head(1), se_fit=True, re_form="~0")
    rx = cows.vcov_of(use_hessian=False)
    assert np.isclose(found["se_fit"].iloc[0], np.sqrt(rx.iloc[0, 0]), rtol=1e-10)
    response = cows.predict(cbpp.head(1), se_fit=True, re_form="~0", type="response")
    p = response["fit"].iloc[0]
    assert np.isclose(response["se_fit"].iloc[0], found["se_fit"].iloc[0] * p * (1 - p), rtol=1e-12)


SIMULATED = {  # what makes a column of R's numbers
    "cbind": "lapply(simulate(m, 2, seed = 5), function(s) s[, 1])",
    "levels": "lapply(simulate(m, 2, seed = 5), function(s) as.integer(s) - 1L)",
}


@pytest.mark.parametrize("name", [name for name in MODELS if name != "excluded"])
def test_simulated_responses_are_r_s(name, fits):
    fit = fits(name)
    found = fit.simulate(2, seed=5)
    ours = {
        "cbind": lambda: np.concatenate([found[sim].iloc[:, 0] for sim in ("sim_1", "sim_2")]),
        "probit slope": lambda: np.concatenate([found[sim].iloc[:, 0] for sim in ("sim_1", "sim_2")]),
        "levels": lambda: np.concatenate([found[sim].cat.codes for sim in found]),
    }.get(name, lambda: found.to_numpy().ravel(order="F"))()
    code = SIMULATED["cbind"] if name == "probit slope" else SIMULATED.get(name, "simulate(m, 2, seed = 5)")
    assert same_bits(ours, of_r(fit, code))


def test_a_response_of_two_columns_is_drawn_as_two(cows, cbpp):
    drawn = cows.simulate(1, seed=1)["sim_1"]
    assert list(drawn) == ["incidence", "size - incidence"]
    assert (drawn.sum(axis=1) == cbpp["size"]).all()
    with pytest.raises(InvalidArgument, match="weights, the number of trials"):
        cows.simulate(newdata=cbpp.head(3))
    new = cows.simulate(newdata=cbpp.head(3), weights=[5.0, 6.0, 7.0], seed=1)["sim_1"]
    assert list(new.sum(axis=1)) == [5, 6, 7]


def test_rows_left_out_stay_missing_in_what_is_drawn(fits):
    fit = fits("excluded")
    drawn = fit.simulate(1, seed=1)
    assert drawn.isna().any(axis=1).sum() == fit.rows_dropped == 3


def test_nothing_is_drawn_from_a_family_whose_dispersion_lme4_gets_wrong(cbpp):
    wrong = lme4_version() not in Range("2.1-0")
    with pytest.warns(DispersionFamilyWarning) if wrong else nullcontext():
        fit = glmer("rate ~ x + (1 | herd)", cbpp, "Gamma(log)")
    if lme4_version() in Range("2.0-1"):
        assert fit.simulate(2, seed=1).std().max() < 10 * cbpp["rate"].std()
        return
    for draw in (fit.simulate, fit.bootstrap):
        with pytest.raises(InvalidArgument, match="not the dispersion"):
            draw(nsim=2)


@pytest.mark.parametrize("name", ["cbind", "proportion", "truth", "levels", "counts", "shape"])
def test_a_refit_is_lme4_s(name, fits):
    fit = fits(name)
    drawn = fit.simulate(1, seed=3)["sim_1"]
    other = fit.refit(drawn)
    assert same_bits(other.beta, of_r(fit, "fixef(refit(m, simulate(m, 1, seed = 3)[[1]]))"))
    assert same_bits(other.theta, of_r(fit, "getME(refit(m, simulate(m, 1, seed = 3)[[1]]), 'theta')"))
    again = other.update(control={"tolPwrss": 1e-10})
    assert abs(again.criterion - other.criterion) < 0.01  # the model of the new response, by the default tolerance


def test_a_response_for_a_refit_is_judged_by_the_family(cows, fits):
    with pytest.raises(InvalidArgument, match="two columns, of successes and failures"):
        cows.refit(np.ones(56))
    with pytest.raises(UnfitData, match="counts are whole numbers"):
        fits("counts").refit(np.full(56, 0.5) + np.arange(56))
    with pytest.raises(InvalidArgument, match="rename_response"):
        cows.refit(cows.simulate(1, seed=3)["sim_1"], rename_response="y")


def test_a_refit_can_be_rebuilt_and_keeps_its_two_columns(cows):
    drawn = cows.simulate(1, seed=3)["sim_1"]
    other = cows.refit(drawn.to_numpy())
    other._in_r.model = None
    assert same_bits(other.predict(), other.linear_predictor)
    assert other.spec.data["incidence"].tolist() == drawn["incidence"].tolist()


def test_an_update_changes_what_glmer_takes(cows):
    assert cows.update(". ~ . - period").terms == ("(Intercept)",)
    assert cows.update(family="binomial(probit)").family.link == "probit"
    assert "5 nodes" in repr(cows.update(n_agq=5))
    with pytest.raises(InvalidCall, match="reml"):
        cows.update(reml=False)
    with pytest.raises(InvalidArgument, match="one of binomial"):
        cows.update(family="normal")


def test_tests_of_terms_and_models_are_r_s(cows):
    smaller = cows.update(". ~ . - period")
    dropped = cows.drop1(test="Chisq").frame
    assert same_bits(dropped["lrt"][1:], of_r(cows, "drop1(m, test = 'Chisq')$LRT[2]"))
    compared = cows.anova(smaller).frame
    assert np.isclose(compared["chisq"].iloc[1], 25.6099, atol=1e-4)  # glmm.md's, of R
    assert np.isclose(compared["p_value"].iloc[1], 1.151e-05, rtol=1e-3)
    assert same_bits(cows.anova().frame["f_value"], of_r(cows, "anova(m)[['F value']]"))


def test_likelihoods_of_two_scales_are_not_compared(cows, fits):
    with pytest.raises(InvalidArgument, match=r"by 1 and 5 nodes.* one n_agq"):
        cows.anova(cows.update(n_agq=5))
    with pytest.raises(InvalidArgument, match=r"families poisson and Negative Binomial"):
        fits("counts").anova(fits("shape").refit(fits("counts").simulate(1, seed=1)["sim_1"]))


@pytest.mark.parametrize("verb", ["summary", "anova", "drop1"])
def test_degrees_of_freedom_are_those_of_a_linear_model(verb, cows):
    with pytest.raises(InvalidArgument, match="z and chi-squared"):
        getattr(cows, verb)(ddf="Satterthwaite")


def test_a_summary_is_r_s(cows):
    found = cows.summary()
    assert same_bits(found.coefficients.to_numpy().ravel(order="F"), of_r(cows, "as.vector(coef(summary(m)))"))
    assert found.criteria["criterion"] == cows.criterion
    assert "Pr(>|z|)" in found.text


def test_intervals_are_r_s(cows):
    wald = cows.confint(method="Wald")
    expected = plain(cows, "as.vector(confint(m, method = 'Wald')[-1, ])").reshape(2, -1).T
    assert np.allclose(wald[["conf_low", "conf_high"]].iloc[1:], expected, rtol=1e-14)
    assert wald.iloc[0][["conf_low", "conf_high"]].isna().all()
    profiled = cows.confint("sd_(Intercept)|herd")
    assert np.allclose(profiled[["conf_low", "conf_high"]], [[0.3461, 1.1000]], atol=1e-4)
    fixed = cows.profile("period2").confint()[["conf_low", "conf_high"]]
    own = "{m@pp <- m@pp$copy(); m@resp <- m@resp$copy(); m}"  # lme4 changes the model that it profiles
    assert same_bits(fixed, of_r(cows, f"as.vector(confint(profile({own}, 3)))"))


def test_a_bootstrap_is_r_s(cows):
    ours = cows.bootstrap(lambda replicate: replicate.fixef, nsim=4, seed=7).t
    theirs = of_r(cows, "as.vector(bootMer(m, fixef, 4, seed = 7)$t)")
    assert same_bits(ours.to_numpy().ravel(order="F"), theirs)


def test_a_bootstrap_has_the_parameters_that_the_model_has(fits):
    boot = fits("truth").bootstrap(nsim=2, seed=7)
    assert list(boot.t) == ["sd_(Intercept)|herd", "(Intercept)", "size"]
    assert boot.replicates.succeeded.tolist() == [0, 1]


def test_a_replicate_can_be_refitted_for_a_fit_with_every_verb(cows):
    found = []
    boot = cows.bootstrap(lambda r: found.append(r) or r.criterion, nsim=1, seed=7)
    assert np.isclose(found[1].refit().criterion, boot.t.iloc[0, 0], rtol=1e-12)


@pytest.mark.parametrize("kind", ["deviance", "pearson", "response", "working"])
@pytest.mark.parametrize("name", ["cbind", "counts", "excluded"])
def test_residuals_are_r_s(kind, name, fits):
    assert same_bits(fits(name).resid(kind), of_r(fits(name), f"residuals(m, '{kind}')"))
    assert same_bits(fits(name).resid(), fits(name).residuals)


def test_leverages_come_with_r_s_warning(cows):
    with pytest.warns(RWarning, match="may not make sense"):
        hat = cows.hatvalues()
    assert same_bits(hat, of_r(cows, "hatvalues(m)"))
    with pytest.warns(RWarning, match="may not make sense"):
        assert same_bits(cows.cooks_distance(), of_r(cows, "cooks.distance(m)"))


def test_influence_is_r_s(cows):
    found = cows.influence("herd")
    code = "{m@call$data <- environment(formula(m))$data; as.vector(cooks.distance(influence(m, 'herd')))}"
    assert np.allclose(found.cooks_distance(), of_r(cows, code), rtol=1e-6)  # lme4 refits with another call
    assert np.allclose(
        found.cooks_distance().head(3), [0.2566, 0.00526, 0.1034], rtol=0.03
    )  # 0.2510 from lme4 2.1-0 on


def test_means_are_emmeans_on_both_scales(cows):
    link = cows.emmeans("period")
    assert link.ddf == "asymptotic"
    assert np.isinf(link.frame["df"]).all()
    response = cows.emmeans("period", type="response").frame
    assert np.allclose(response["estimate"].iloc[0], 0.1981, atol=1e-4)
    assert np.allclose(response["std_error"].iloc[0], 0.0367, atol=3e-4)  # 0.0369 from lme4 2.1-0 on
    pairs = cows.emmeans("period", type="response").pairs().frame
    assert np.allclose(pairs["estimate"].iloc[0], 2.70, atol=5e-3)
    assert np.allclose(np.log(pairs["estimate"]), link.pairs().frame["estimate"], rtol=1e-10)
    tests = cows.joint_tests()
    assert tests["df2"].tolist() == [np.inf]
    with pytest.raises(InvalidArgument, match="z and chi-squared"):
        cows.emmeans("period", ddf="Satterthwaite")


def test_a_covariance_by_the_hessian_or_without_is_r_s(cows, cbpp):
    assert same_bits(cows.vcov_of(), cows.vcov.to_numpy().ravel())
    with pytest.warns(RWarning, match="differ"):
        rx = cows.vcov_of(use_hessian=False)
    assert same_bits(rx, of_r(cows, "as.vector(as.matrix(vcov(m, use.hessian = FALSE)))"))
    with pytest.raises(InvalidArgument, match="no Hessian"):
        glmer(COWS, cbpp, "binomial", n_agq=0).vcov_of(use_hessian=True)


PARTS = ["X", "Z", "theta", "beta", "u", "b", "mu", "L", "RX", "Lambdat", "devcomp", "flist", "cnms", "p", "sigma"]


@pytest.mark.parametrize("name", PARTS)
def test_parts_of_the_model_are_there(name, cows):
    assert cows.get_me(name) is not None


def test_what_has_no_one_value_is_refused(cows):
    with pytest.raises(InvalidArgument, match="begins where it was evaluated last"):
        cows.get_me("devfun")


def test_where_the_optimizer_ended_has_names(cows):
    assert list(cows.optinfo.value.index) == ["herd.(Intercept)", *cows.terms]
    assert cows.convergence().codes == ()


def test_all_optimizers_agree(cows):
    found = cows.all_fit(["bobyqa", "Nelder_Mead", "nlminbwrap"])
    assert found.ok.all()
    assert found.llik.max() - found.llik.min() < 1e-4  # by lme4's own tolerance of the inner iterations
    assert list(found.sdcor) == ["sd[herd.(Intercept)]"]


def test_tidy_has_z_and_p_and_glance_the_residual_deviance(cows):
    table = cows.tidy("fixed", conf_int=True)
    assert same_bits(table["statistic"], cows.coefficients["z_value"])
    assert same_bits(table["p_value"], cows.p_values)
    assert list(cows.tidy("ran_pars")["term"]) == ["sd__(Intercept)"]
    assert cows.glance()["deviance"][0] == cows.residual_deviance


def test_a_profile_leaves_the_fit_as_it_was(cows):
    """lme4's own leaves theta where it ended, and simulate() then draws with that variance."""
    before = cows.simulate(1, seed=2).to_numpy()
    cows.profile("theta_")
    assert same_bits(cows.simulate(1, seed=2).to_numpy().ravel(), before.ravel())


@pytest.fixture(scope="module")
def ticks():
    data = load_dataset("grouseticks")
    return glmer_nb(
        "TICKS ~ YEAR + h + (1 | BROOD)", data.assign(h=(data.HEIGHT - data.HEIGHT.mean()) / data.HEIGHT.std())
    )


def test_a_shape_is_estimated_and_counted(ticks):
    assert abs(ticks.nb_theta - 3.3075) < 5e-5
    assert round(float(ticks.loglik), 3) == -889.972
    assert ticks.loglik.df == 6
    assert ticks.family.theta == ticks.nb_theta


def test_an_update_estimates_the_shape_anew_where_other_verbs_say_that_they_hold_it(ticks):
    smaller = ticks.update(". ~ . - h")
    assert abs(smaller.nb_theta - ticks.nb_theta) > 1e-3
    held = r"held at 3\.3075 by drop1\(\)"
    with pytest.warns(KnownDefectWarning, match=held):
        lrt = ticks.drop1(["h"], test="Chisq").frame["lrt"]["h"]
    assert lrt > 2 * (ticks.loglik - smaller.loglik) - 1e-3  # which estimates of a shape leave
    with pytest.warns(KnownDefectWarning, match=r"by refit\(\)"):
        other = ticks.refit(ticks.simulate(1, seed=1)["sim_1"])
    assert other.nb_theta == ticks.nb_theta
    with pytest.warns(KnownDefectWarning, match=r"by bootMer\(\)"):
        ticks.bootstrap(lambda r: r.criterion, nsim=1, seed=1)


def test_a_shape_that_is_given_is_counted_by_lme4_all_the_same(cbpp):
    with pytest.warns(KnownDefectWarning, match=r"npar is 1.* glmer_nb\(\)"):
        fit = glmer("incidence ~ period + (1 | herd)", cbpp, "negative.binomial(3)")
    assert fit.family.theta == 3


@pytest.mark.filterwarnings("ignore::lmerbridge.errors.SingularFitWarning")
def test_weights_of_a_negative_binomial_model_are_a_defect_of_lme4_that_is_said():
    rng = np.random.default_rng(5)
    group = rng.integers(0, 15, 300)
    mean = np.exp(2 + rng.normal(0, 0.5, 15)[group])
    data = pd.DataFrame({"y": rng.negative_binomial(2, 2 / (2 + mean)), "g": group, "w": rng.integers(1, 3, 300)})
    shape = "negative.binomial(2)"
    with pytest.warns(KnownDefectWarning, match="negative binomial model with weights are wrong"):
        weighted = glmer("y ~ 1 + (1 | g)", data, shape, weights="w")
    repeated = data.loc[data.index.repeat(data["w"])].reset_index(drop=True)
    assert abs(weighted.beta[0] - glmer("y ~ 1 + (1 | g)", repeated, shape).beta[0]) > 0.5
    with pytest.warns(KnownDefectWarning, match="repeated rows"):
        glmer_nb("y ~ 1 + (1 | g)", data, weights="w")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        glmer_nb("y ~ 1 + (1 | g)", data, weights=np.ones(300))
        glmer("y ~ 1 + (1 | g)", data, "poisson", weights="w")
    assert not any(issubclass(each.category, KnownDefectWarning) for each in told)


@pytest.mark.parametrize("given", [0, -1, float("nan"), float("inf"), "3", True])
def test_a_shape_to_begin_with_is_a_positive_number(given, cbpp):
    with pytest.raises(InvalidArgument, match="init_theta is"):
        glmer_nb("incidence ~ period + (1 | herd)", cbpp, init_theta=given)


def test_a_negative_binomial_response_is_judged(cbpp):
    with pytest.raises(UnfitData, match="counts are whole numbers"):
        glmer_nb("prop ~ period + (1 | herd)", cbpp)


def test_a_model_without_random_effects_is_one_of_the_family(cows, fits):
    found = cows.anova("cbind(incidence, size - incidence) ~ period").frame
    glm = "glm(cbind(incidence, size - incidence) ~ period, 'binomial', lme4::cbpp)"
    assert same_bits(found["loglik"].iloc[:1], of_r(cows, f"as.numeric(logLik({glm}))"))
    assert found["npar"].tolist() == [4, 5]
    counts = fits("counts").anova("incidence ~ period + offset(log(size))").frame
    assert counts["chisq"].iloc[1] > 0
    quadrature, smaller = cows.update(n_agq=5), "cbind(incidence, size - incidence) ~ period"
    if lme4_version() in Range("2.1-0"):  # which leaves out nothing
        assert same_bits(quadrature.anova(smaller).frame["loglik"].iloc[:1], found["loglik"].iloc[:1])
        return
    with pytest.raises(InvalidArgument, match="two scales"):
        quadrature.anova(smaller)


def test_a_profile_goes_to_variances_and_logarithms(cows):
    profiled = cows.profile("theta_")
    low, high = profiled.confint()[["conf_low", "conf_high"]].to_numpy()[0]
    assert np.allclose(profiled.variance_prof().confint()[["conf_low", "conf_high"]], [[low**2, high**2]], rtol=1e-3)
    assert np.allclose(profiled.log_prof().confint()[["conf_low", "conf_high"]], [np.log([low, high])], rtol=1e-2)
    with pytest.raises(InvalidArgument, match="variance_prof"):
        cows.profile(prof_scale="varcov")


def test_power_is_of_responses_drawn_and_refitted(cows, fits):
    by_z = cows.power("period4", nsim=6, seed=1)
    by_hand = cows.power(lambda r: abs(r.fixef["period4"] / r.std_errors["period4"]) > 1.959964, nsim=6, seed=1)
    assert by_z.power == by_hand.power > 0.5
    assert cows.power(". ~ . - period", nsim=4, seed=1).power == 1
    none = cows.power("period4", nsim=6, seed=1, beta={"period4": 0.0})
    assert none.power < by_z.power
    curve = fits("counts").power_curve("period4", "herd", [8, 15], nsim=3, seed=1)
    assert len(curve.frame) == 2
    with pytest.raises(InvalidArgument, match="sigma"):
        cows.power("period4", nsim=2, sigma=1.0)


@pytest.mark.parametrize("name", ["cbind", "counts", "excluded"])
def test_rows_have_broom_s_columns(name, fits):
    fit = fits(name)
    table = fit.augment(prefix=".")
    code = {  # what augment() of broom.mixed 0.2.9 takes from the model
        ".fitted": "predict(m)",
        ".resid": "residuals(m)",
        ".hat": "hatvalues(m)",
        ".cooksd": "cooks.distance(m)",
        ".fixed": "predict(m, re.form = NA)",
        ".mu": "napredict(attr(model.frame(m), 'na.action'), m@resp$mu)",
        ".sqrt_xwt": "napredict(attr(model.frame(m), 'na.action'), as.vector(m@resp$sqrtXwt))",
        ".wtres": "napredict(attr(model.frame(m), 'na.action'), m@resp$wtres)",
    }
    for column, r in code.items():
        assert np.allclose(table[column], of_r(fit, r), rtol=1e-12, equal_nan=True), column
    assert len(table) == len(fit.fitted)


def test_exponentials_are_ratios(cows):
    plainly = cows.tidy("fixed", conf_int=True)
    ratios = cows.tidy(["fixed", "ran_pars"], conf_int=True, exponentiate=True)
    fixed = ratios[ratios["effect"] == "fixed"]
    for column in ("estimate", "conf_low", "conf_high"):
        assert np.allclose(fixed[column], np.exp(plainly[column]), rtol=1e-14)
    assert np.allclose(fixed["std_error"], plainly["std_error"] * np.exp(plainly["estimate"]), rtol=1e-14)
    assert np.allclose(fixed["p_value"], plainly["p_value"])
    assert ratios["estimate"].iloc[-1] == cows.varcorr["herd"].stddev[0]


@pytest.mark.parametrize("name", ["counts", "truth", "two terms", "shape"])
def test_draws_with_the_fit_s_effects_and_of_new_rows_are_r_s(name, fits, cbpp):
    fit = fits(name)
    kept = fit.simulate(2, seed=9, use_u=True)
    assert same_bits(kept.to_numpy().ravel(order="F"), of_r(fit, "simulate(m, 2, seed = 9, re.form = NULL)"))
    drawn = fit.simulate(1, seed=9, newdata=cbpp.iloc[:7])["sim_1"]
    rows = "d <- environment(formula(m))$data[1:7, ]; simulate(m, 1, seed = 9, newdata = d)"
    assert same_bits(drawn, of_r(fit, f"{{{rows}}}"))


def test_the_random_part_alone_and_other_parameters_are_predicted_as_by_r(fits):
    fit = fits("counts")
    assert same_bits(fit.predict(random_only=True), of_r(fit, "predict(m, random.only = TRUE)"))
    other = {"beta": [0.0, 0.1, 0.2, 0.3], "theta": [0.5]}
    code = "predict(m, newparams = list(beta = c(0, 0.1, 0.2, 0.3), theta = 0.5), type = 'response')"
    assert same_bits(fit.predict(newparams=other, type="response"), of_r(fit, f"suppressMessages({code})"))
    with pytest.raises(InvalidArgument, match="beta and theta are expected"):
        fit.predict(newparams={"sigma": 1.0})


def test_means_of_a_transformed_response_go_back_to_its_scale():
    fit = lmer("log(Reaction) ~ Days + (1 | Subject)", load_dataset("sleepstudy"))
    link = fit.emmeans("Days", at={"Days": [0, 5]}).frame
    back = fit.emmeans("Days", at={"Days": [0, 5]}, type="response").frame
    assert np.allclose(back["estimate"], np.exp(link["estimate"]), rtol=1e-12)
    assert np.allclose(back["std_error"], link["std_error"] * back["estimate"], rtol=1e-10)


def test_influence_of_each_row_refits_with_two_columns(fits, cbpp):
    found = fits("cbind").influence()
    assert found.fixed_effects_without.shape == (56, 4)
    without = glmer(COWS, cbpp.drop(index=3), "binomial")
    assert np.allclose(found.fixed_effects_without.iloc[3], without.beta, atol=1e-3)


HINTS = {
    "pvalues": "p_values has them",
    "rstudent": "NaN where a leverage",
    "devfun": "no one value",
    "contest": "for linear models",
    "refit_ml": "no REML",
    "refit_many": "call refit",
    "deviance": "residual_deviance",
    "llf": "loglik has",
}


@pytest.mark.parametrize("name", HINTS)
def test_a_name_of_linear_models_has_its_reason(name, cows):
    with pytest.raises(UnknownName, match=HINTS[name]):
        getattr(cows, name)


@pytest.mark.parametrize("name", ["cbind", "counts"])
def test_limits_of_a_mean_are_those_of_the_link_taken_over(name, fits, cbpp):
    fit, new = fits(name), cbpp.iloc[[0, 9]]
    link = fit.predict(new, re_form="~0", interval="confidence", level=0.9)
    assert np.allclose(link["conf_high"] - link["fit"], 1.6448536 * link["se_fit"], rtol=1e-7)
    response = fit.predict(new, re_form="~0", interval="confidence", level=0.9, type="response")
    back = {"logit": lambda eta: 1 / (1 + np.exp(-eta)), "log": np.exp}[fit.family.link]
    for column in ("fit", "conf_low", "conf_high"):
        assert np.allclose(response[column], back(link[column]), rtol=1e-12)


def test_limits_stay_in_order_where_a_link_falls(cbpp):
    fit = glmer("rate ~ 1 + (1 | herd)", cbpp, "Gamma", n_agq=0)
    table = fit.predict(cbpp.head(2), re_form="~0", interval="confidence", type="response")
    assert (table["conf_low"] < table["fit"]).all()
    assert (table["fit"] < table["conf_high"]).all()


@pytest.mark.parametrize("name", ["counts", "cbind", "levels"])
def test_a_likelihood_ratio_is_bootstrapped(name, fits):
    fit = fits(name)
    smaller = fit.update(". ~ . - size" if name == "levels" else ". ~ . - period")
    if of_r(fit, "utils::packageVersion('pbkrtest') >= '0.5.5'"):  # which asks glmer for ML
        with pytest.raises(InvalidArgument, match="fails on generalized models"):
            fit.pb_modcomp(smaller, nsim=5, seed=1)
        return
    found = fit.pb_modcomp(smaller, nsim=5, seed=1)
    assert np.isclose(found.tests["statistic"].iloc[0], 2 * (fit.loglik - smaller.loglik), rtol=1e-9)
    assert 0 < found.p_value <= 1
    assert np.isfinite(found.reference).all()


def test_variances_are_told_without_a_residual(cows):
    told = cows.varcorr.explain()
    assert "Across levels of herd, the intercept varies with a standard deviation of 0.642" in told
    assert "residual" not in told
