"""The analyst's verbs of a generalized model are on the scale that holds, or not there with a reason."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

mpl.use("agg")
import matplotlib.pyplot as plt

from lmerbridge import compare_models, glmer, glmer_nb, hausman, lmer, load_dataset, model_table, mundlak_test
from lmerbridge.errors import InvalidArgument, UnknownName
from tests.oracle import plain

COWS = load_dataset("cbpp").assign(
    prop=lambda d: d["incidence"] / d["size"],
    ill=lambda d: d["incidence"] > 0,
    state=lambda d: pd.Categorical(np.where(d["incidence"] > 0, "ill", "well"), ["well", "ill"]),
)
TICKS = load_dataset("grouseticks")
BOTH = "cbind(incidence, size - incidence)"
MODELS = {  # formula, data, family, further arguments; R's text of the draws as numbers
    "cbind": (f"{BOTH} ~ period + (1 | herd)", COWS, "binomial", {}, "sapply(s, function(each) each[, 1])"),
    "proportion": ("prop ~ period + (1 | herd)", COWS, "binomial", {"weights": "size"}, "round(as.matrix(s) * w)"),
    "truth": ("ill ~ size + (1 | herd)", COWS, "binomial", {}, "sapply(s, as.numeric)"),
    "levels": ("state ~ size + (1 | herd)", COWS, "binomial", {}, "sapply(s, as.integer) - 1"),
    "counts": ("TICKS ~ YEAR + cHEIGHT + (1 | BROOD)", TICKS, "poisson", {}, "as.matrix(s)"),
    "offset": ("incidence ~ period + offset(log(size)) + (1 | herd)", COWS, "poisson", {}, "as.matrix(s)"),
    "shape": ("TICKS ~ YEAR + (1 | BROOD)", TICKS, "negative.binomial(3)", {}, "as.matrix(s)"),
}
EACH = pytest.mark.parametrize("model", MODELS)
made = {}


def fitted(model):
    """One of the models, fitted once."""
    if model not in made:
        formula, data, family, given, _ = MODELS[model]
        made[model] = glmer(formula, data, family, **given)
    return made[model]


@EACH
def test_contributions_sum_to_the_linear_predictor(model):
    fit = fitted(model)
    found = fit.contributions()
    sums = found.frame.sum(axis="columns")
    np.testing.assert_allclose(sums, fit.linear_predictor, rtol=1e-12, atol=1e-12)
    assert found.prediction.to_numpy().tobytes() == fit.linear_predictor.tobytes()
    assert found.link == fit.kind.link
    assert f"The {fit.kind.link} of a prediction" in found.explain()
    new = fit.spec.data.iloc[[3, 40, 7]]
    of_new = fit.contributions(new)
    np.testing.assert_allclose(of_new.frame.sum(axis="columns"), fit.predict(new), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(of_new.values, found.values.iloc[[3, 40, 7]], rtol=1e-12, atol=1e-12)


@EACH
def test_simulated_residuals_lie_between_r_s_shares(model):
    fit, draws = fitted(model), MODELS[model][4]
    given = "w <- weights(m, type = 'prior'); s <- simulate(m, 250, seed = 1)"
    share = f"{{{given}; d <- {draws}; y <- getME(m, 'y'); if (family(m)$family == 'binomial') y <- round(y * w)"
    below = np.array(plain(fit, f"{share}; unname(rowMeans(d < y))}}"))
    up_to = np.array(plain(fit, f"{share}; unname(rowMeans(d <= y))}}"))
    residuals = fit.simulated_residuals(seed=1).residuals.to_numpy()
    assert ((below <= residuals) & (residuals <= up_to + 1e-15)).all()
    alone = below == up_to
    assert residuals[alone].tobytes() == below[alone].tobytes()
    assert len(np.unique(residuals[~alone])) > 0.9 * (~alone).sum()  # drawn between them


@EACH
def test_simulated_residuals_are_tested_for_dispersion_and_zeros(model):
    fit = fitted(model)
    found = fit.simulated_residuals(seed=1)
    assert {"dispersion", "zero inflation", "outliers", "uniformity"} <= {*found.table["check"]}
    trials = fit.design().weights if fit.kind.family == "binomial" else 1
    np.testing.assert_allclose(found.frame["predicted"], fit.predict(type="response", re_form="~0") * trials)
    np.testing.assert_allclose(found.frame["observed"], fit.design().y * trials)


@pytest.mark.filterwarnings("ignore::lmerbridge.errors.SingularFitWarning")
def test_too_many_zeros_are_seen():
    rng = np.random.default_rng(4)
    counts = np.where(rng.uniform(size=600) < 0.4, 0, rng.poisson(6, 600))
    fit = glmer("n ~ 1 + (1 | g)", pd.DataFrame({"n": counts, "g": np.arange(600) % 20}).astype({"g": str}), "poisson")
    p_values = fit.simulated_residuals(seed=1).table.set_index("check")["p_value"]
    assert p_values["zero inflation"] < 0.01
    assert p_values["dispersion"] < 0.01


@pytest.mark.filterwarnings("ignore::lmerbridge.errors.DispersionFamilyWarning")
def test_check_has_the_tests_that_hold():
    fit = fitted("counts")
    found = fit.check(seed=1)
    assert list(found.frame["check"]) == ["overdispersion", "normality", "outliers", "collinearity", "collinearity"]
    total, df = plain(fit, "c(sum(residuals(m, 'pearson')^2), df.residual(m))")
    test = found.tests[0]
    assert (test.statistic, test.df) == (pytest.approx(total, rel=1e-12), df)
    # performance::check_overdispersion of R's performance 0.10.2; another lme4 ends elsewhere by 1e-4
    assert test.statistic == pytest.approx(689.307376360883, rel=1e-3)
    assert "Evidence of overdispersion. Its ratio to df is 1.73" in test.finding
    outliers = fit.simulated_residuals(seed=1).table.set_index("check").loc["outliers"]
    assert found.frame.set_index("check").loc["outliers", "statistic"] == outliers["statistic"]
    assert len(found.plot()) == 2
    plt.close("all")
    assert "single outcomes" in fitted("truth").check(seed=1).tests[0].finding
    assert "ratio to df" in fitted("cbind").check(seed=1).tests[0].finding


def test_variances_are_explained_on_the_scale_of_the_link():
    for model, scale in (("cbind", "log odds"), ("counts", "logarithms of the mean")):
        told = fitted(model).varcorr.explain()
        assert f"on the scale of the link, {scale}." in told
        assert "residual" not in told
    assert "scale" not in lmer("Yield ~ 1 + (1 | Batch)", load_dataset("Dyestuff")).varcorr.explain()


def test_models_are_compared_by_their_likelihoods():
    fit = fitted("cbind")
    null = fit.update(". ~ 1 + (1 | herd)")
    table = compare_models(null=null, period=fit).frame
    assert table.loc["period", "chisq"] == pytest.approx(null.anova(fit).frame["chisq"].iloc[1], rel=1e-12)
    assert table.loc["period", ["aic", "bic"]].tolist() == pytest.approx([fit.aic, fit.bic], rel=1e-14)
    assert table["sigma"].isna().all()
    assert table.loc["period", "icc"] == fit.icc().adjusted
    in_r = plain(fit, "sqrt(mean(residuals(m, type = 'response')^2))")
    assert table.loc["period", "rmse"] == pytest.approx(in_r[0], rel=1e-12)


@pytest.mark.parametrize("nodes", [0, 5])
def test_models_by_other_numbers_of_nodes_are_not_compared(nodes):
    fit = fitted("cbind")
    with pytest.raises(InvalidArgument, match=f"are by n_agq=1 and {nodes}"):
        compare_models(fit, fit.update(n_agq=nodes))
    with pytest.raises(InvalidArgument, match="other distributions"):
        compare_models(fit, fit.update(family="binomial(probit)"), names=["a", "b"])


def test_a_table_has_z_values_and_no_sigma():
    fit, linear = fitted("cbind"), lmer("Yield ~ 1 + (1 | Batch)", load_dataset("Dyestuff"))
    table = model_table(fit, statistic=["z_value", "p_value"], stars=True)
    assert f"z = \N{MINUS SIGN}{-fit.coefficients['z_value'].iloc[0]:.3f}" in str(table)
    assert "(1) is a binomial model, on the scale of the link logit." in table.notes
    rows = table.frame.index.get_level_values("row")
    assert not {"SD of residual", "REML"} & {*rows}
    both = model_table(linear, fit, ddf="Satterthwaite", statistic=["p_value", "conf_int"])
    values = both.frame.xs("p_value", level="statistic").droplevel("section")["(2)"]
    assert values["period2"] == fit.coefficients.loc["period2", "p_value"]
    with pytest.raises(InvalidArgument, match="no fit has a t_value; z_value is expected"):
        model_table(fit, statistic="t_value")
    with pytest.raises(InvalidArgument, match="p-values need degrees of freedom"):
        model_table(linear, fit, statistic="p_value")


def test_mundlak_s_test_is_wald_s_of_the_means():
    data = TICKS.assign(height=TICKS["cHEIGHT"] / 50)
    fit = glmer("TICKS ~ height + (1 | LOCATION)", data, "poisson")
    if data.groupby("LOCATION", observed=True)["height"].nunique().max() == 1:
        fit = glmer("TICKS ~ height + (1 | YEAR)", data, "poisson")
    found = mundlak_test(fit)
    between = found.fit.terms.index("height_between")
    wald = found.fit.beta[between] ** 2 / found.fit.covariance[between, between]
    assert (found.statistic, found.df) == (pytest.approx(wald, rel=1e-12), 1)
    with pytest.raises(InvalidArgument, match="a poisson model with link log has no such estimate"):
        hausman(fit)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("step", "for linear models"),
        ("deviance_of", "residual_deviance"),
        ("devfun2", "no one value"),
        ("reml_crit", "no REML"),
    ],
)
def test_what_is_not_there_has_a_reason(name, reason):
    with pytest.raises(UnknownName, match=reason):
        getattr(fitted("cbind"), name)


def test_an_estimated_shape_counts_as_a_parameter():
    fit = glmer_nb("TICKS ~ YEAR + (1 | BROOD)", TICKS)
    assert fit.check(seed=1).tests[0].df == fit.nobs - 6 + (fit.npar != 6)
    assert fit.contributions().link == "log"
