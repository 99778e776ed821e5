"""The examples of lme4's help pages that fit generalized models, each beside the same lines in plain R."""

import itertools
import warnings

import numpy as np
import pandas as pd
import pytest

from lmerbridge import GlmerControl, glmer, glmer_nb, load_dataset
from tests.oracle import plain, same_bits

pytestmark = pytest.mark.slow

GM1 = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
IN_R = "glmer(cbind(incidence, size - incidence) ~ period + (1 | herd), data = lme4::cbpp, family = binomial)"


@pytest.fixture(scope="module")
def cbpp():
    return load_dataset("cbpp")


@pytest.fixture(scope="module")
def gm1(cbpp):
    return glmer(GM1, cbpp, "binomial")


def in_r(fit, code):
    """Values of R code, quietly."""
    return plain(fit, f"suppressMessages(suppressWarnings(unname(unlist({{ {code} }}))))")


def quiet(function):
    """What a function gives, without its warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function()


def test_glmer_by_counts_and_by_proportions(gm1, cbpp):
    """``?glmer``: gm1 and gm1a."""
    again = glmer("incidence / size ~ period + (1 | herd)", cbpp, "binomial", weights="size")
    assert same_bits(again.beta, in_r(gm1, f"fixef({IN_R})"))


def test_glmer_with_an_effect_per_row(gm1, cbpp):
    """``?glmer``: gm2, with overdispersion, compared with gm1."""
    data = cbpp.assign(obs=np.arange(1, len(cbpp) + 1))
    gm2 = glmer("cbind(incidence, size - incidence) ~ period + (1 | herd) + (1 | obs)", data, "binomial")
    code = (
        "d <- transform(lme4::cbpp, obs = seq(nrow(lme4::cbpp))); gm2 <- glmer(cbind(incidence, size - incidence) ~ "
        "period + (1 | herd) + (1 | obs), family = binomial, data = d)"
    )
    theta = in_r(gm1, f"{code}; getME(gm2, 'theta')")
    assert np.allclose(gm2.theta, theta, rtol=1e-6)  # crossed: the last digits vary
    table = gm1.update(data=data).anova(gm2).frame
    assert np.allclose(table["chisq"].iloc[1], 2 * (gm2.loglik - gm1.loglik), rtol=1e-12)


def test_glmer_by_more_nodes(gm1, cbpp):
    """``?glmer``: nAGQ = 9."""
    nodes = glmer(GM1, cbpp, "binomial", n_agq=9)
    assert same_bits(nodes.beta, in_r(gm1, IN_R.replace(", family", ", nAGQ = 9L, family").join(["fixef(", ")"])))


def test_grouseticks(gm1):
    """``?grouseticks``: the full model of the paper, by another scale of the height."""
    data = load_dataset("grouseticks")
    data["cHEIGHT"] = data["HEIGHT"] - data["HEIGHT"].mean()
    full = glmer("TICKS ~ YEAR + cHEIGHT + (1 | BROOD) + (1 | INDEX) + (1 | LOCATION)", data, "poisson")
    code = (
        "d <- transform(lme4::grouseticks, cHEIGHT = HEIGHT - mean(HEIGHT)); "
        "m <- glmer(TICKS ~ YEAR + cHEIGHT + (1 | BROOD) + (1 | INDEX) + (1 | LOCATION), d, family = 'poisson'); "
        "c(fixef(m), getME(m, 'theta'))"
    )
    assert np.allclose([*full.beta, *full.theta], in_r(gm1, code), rtol=1e-5)


def test_verbal_aggression(gm1):
    """``?VerbAgg``: two crossed terms and all pairs of factors, quickly."""
    data = load_dataset("VerbAgg")
    fit = glmer("r2 ~ (Anger + Gender + btype + situ)^2 + (1 | id) + (1 | item)", data, "binomial", n_agq=0)
    code = (
        "m <- glmer(r2 ~ (Anger + Gender + btype + situ)^2 + (1 | id) + (1 | item), family = binomial, "
        "data = lme4::VerbAgg, nAGQ = 0L); fixef(m)"
    )
    assert np.allclose(fit.beta, in_r(gm1, code), rtol=1e-6)
    smaller = fit.update(". ~ . - Gender:btype")
    assert fit.anova(smaller).frame["df"].iloc[1] == 2


def test_predictions_of_a_grid(gm1, cbpp):
    """``?predict.merMod``: all periods and herds, herds that are new, some or no random effects."""
    pairs = itertools.product(map(str, range(1, 16)), "1234")
    grid = pd.DataFrame([(period, herd) for herd, period in pairs], columns=["period", "herd"])
    code = (
        "nd <- with(lme4::cbpp, expand.grid(period = unique(period), herd = unique(herd))); "
        "predict(m, newdata = nd, re.form = {})"
    )
    assert same_bits(gm1.predict(grid), in_r(gm1, code.format("NULL")))
    assert same_bits(gm1.predict(grid, re_form="~0"), in_r(gm1, code.format("NA")))
    assert same_bits(gm1.predict(grid, re_form="~ (1 | herd)"), in_r(gm1, code.format("~ (1 | herd)")))
    new = grid.replace({"herd": {"15": "new"}})
    code = "nd$herd <- factor(replace(as.character(nd$herd), nd$herd == '15', 'new')); "
    r = (
        "nd <- with(lme4::cbpp, expand.grid(period = unique(period), herd = unique(herd))); " + code
    ) + "predict(m, nd, allow.new.levels = TRUE, type = 'response')"
    assert same_bits(gm1.predict(new, allow_new_levels=True, type="response"), in_r(gm1, r))


def test_a_negative_binomial_of_drawn_data(gm1):
    """``?glmer.nb``: a factor, a covariate and blocks, with data of our own."""
    rng = np.random.default_rng(101)
    data = pd.DataFrame(
        itertools.product(["a", "b"], ["1", "2", "3"], [*"ABCDEFGHI"], range(5)), columns=["f1", "f2", "g", "rep"]
    )
    mu = 5 * (
        -4 + data["f1"].eq("a") + 4 * data["f2"].astype(int) + rng.normal(0, 1, 9)[data["g"].map("ABCDEFGHI".index)]
    )
    data["y"] = rng.negative_binomial(0.5, 0.5 / (0.5 + mu.clip(lower=0.1))).astype(float)
    fit = glmer_nb("y ~ f1 * f2 + (1 | g)", data)
    assert 0.3 < fit.nb_theta < 0.8
    poisson = glmer("y ~ f1 * f2 + (1 | g)", data, "poisson")
    assert fit.aic < poisson.aic - 100
    with_term = fit.update(". ~ . - f1:f2")
    assert fit.anova(with_term).frame["df"].iloc[1] == 2


def test_all_optimizers_and_a_profile(gm1, cbpp):
    """``?allFit`` and ``?profile-methods``: gm1."""
    found = quiet(lambda: gm1.all_fit(["bobyqa", "Nelder_Mead", "nlminbwrap", "nloptwrap.NLOPT_LN_BOBYQA"]))
    assert found.ok.all()
    assert found.fixef.std().max() < 1e-3
    ends = gm1.confint("beta_")[["conf_low", "conf_high"]]
    assert ((ends["conf_low"] < gm1.fixef) & (gm1.fixef < ends["conf_high"])).all()


def test_a_control_stops_early_with_a_warning(cbpp):
    """``?glmerControl``: few evaluations, and lme4 says so."""
    control = GlmerControl(optimizer="bobyqa", opt_ctrl={"maxfun": 10})
    with pytest.warns() as told:
        glmer(GM1, cbpp, "binomial", control=control)
    assert any("maximum number of function evaluations" in str(w.message) for w in told)
