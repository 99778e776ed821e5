"""Means of a model with two scales tell which of them each estimate is on, beside emmeans' numbers."""

from functools import partial

import numpy as np
import pandas as pd
import pytest

from lmerbridge import glmer, lmer, load_dataset
from lmerbridge.errors import InvalidArgument
from tests.oracle import plain

FORMULA = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
VERBS = {  # our call on the means; R's on `g`; the scale where they are on the link, and where on the response
    "means": (lambda means: means, "g", "link", "response"),
    "pairs": (lambda means: means.pairs(), "pairs(g)", "link", "ratio"),
    "effects": (lambda means: means.contrast("eff"), 'contrast(g, "eff")', "link", "ratio"),
    "regrid": (lambda means: means.regrid(), 'regrid(g, transform = "response")', "response", "response"),
    "differences": (
        lambda means: means.regrid().pairs(),
        'pairs(regrid(g, transform = "response"))',
        "response",
        "response",
    ),
    "as they are": (lambda means: means.regrid("none"), 'regrid(g, transform = "none")', "link", "response"),
}
ESTIMATE = """local({
  suppressMessages(attachNamespace("emmeans"))
  on.exit(detach("package:emmeans"))
  g <- emmeans(m, "%s", type = "%s")
  s <- summary(%s, infer = TRUE)
  as.vector(s[[attr(s, "estName")]])
})"""


@pytest.fixture(scope="module")
def models():
    cbpp, sleepstudy = load_dataset("cbpp"), load_dataset("sleepstudy")
    sleepstudy = sleepstudy.assign(half=np.where(sleepstudy["Days"] > 4, "late", "early"))
    return {
        "logit": (glmer(FORMULA, cbpp, "binomial"), "period"),
        "probit": (glmer(FORMULA, cbpp, "binomial(probit)"), "period"),
        "log": (glmer("incidence ~ period + offset(log(size)) + (1 | herd)", cbpp, "poisson"), "period"),
        "response": (lmer("log(Reaction) ~ half + (1 | Subject)", sleepstudy), "half"),
    }


@pytest.mark.parametrize("model", ["logit", "probit", "log", "response"])
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("type", ["link", "response"])
def test_each_estimate_has_its_scale_and_emmeans_number(models, model, verb, type):
    fit, factor = models[model]
    ours, theirs, on_link, on_response = VERBS[verb]
    expected = on_link if type == "link" else on_response
    if expected == "ratio" and model == "probit":
        expected = "link"  # differences of probits are no ratios: emmeans leaves them
    found = ours(fit.emmeans(factor, type=type))
    np.testing.assert_allclose(found.frame["estimate"], plain(fit, ESTIMATE % (factor, type, theirs)), rtol=1e-12)
    assert found.scale == expected
    for frame in (found.frame, found.confint(0.9), found.test()) if not fit.kind.linear else ():
        assert frame["scale"].tolist() == [expected] * len(found.grid)


def test_logs_of_means_and_trends_are_told(models):
    fit, factor = models["probit"]
    assert fit.emmeans(factor).regrid("log").scale == "log"
    growing, _ = models["log"]
    assert growing.ref_grid(type="response").frame["scale"].unique().tolist() == ["response"]
    data = load_dataset("cbpp").assign(x=np.linspace(0, 1, 56))
    slopes = glmer("cbind(incidence, size - incidence) ~ x + (1 | herd)", data, "binomial").emtrends("1", "x")
    assert slopes.frame["scale"].tolist() == ["link"]


@pytest.mark.parametrize("type", ["link", "response"])
def test_an_effect_tells_its_scale(models, type):
    fit, factor = models["logit"]
    effect = fit.effect(factor, type=type)
    assert effect.scale == type
    assert effect.frame["scale"].unique().tolist() == [type]


def test_a_linear_model_has_no_column_for_it():
    fit = lmer("Reaction ~ Days + (1 | Subject)", load_dataset("sleepstudy"))
    means = fit.emmeans("1")
    assert means.scale == "response"
    assert "scale" not in means.frame
    assert "scale" not in means.test()
    assert fit.effect("Days").scale == "response"


def test_a_predictor_keeps_the_name_of_the_column_and_others_are_refused():
    cbpp = load_dataset("cbpp")
    fit = glmer(FORMULA.replace("period", "scale"), cbpp.rename(columns={"period": "scale"}), "binomial")
    means = fit.emmeans("scale", type="response")
    assert means.frame["scale"].tolist() == ["1", "2", "3", "4"]
    assert means.scale == "response"
    assert isinstance(means.test()["scale"], pd.Series)
    taken = glmer(FORMULA.replace("period", "df"), cbpp.rename(columns={"period": "df"}), "binomial")
    with pytest.raises(InvalidArgument, match="'df' is a column of the table of means; rename it"):
        taken.emmeans("df")


@pytest.mark.parametrize("fit_by", [lmer, partial(glmer, family="poisson")])
@pytest.mark.parametrize("how", ["formula", "argument"])
def test_slopes_and_tests_of_terms_do_not_depend_on_an_offset(fit_by, how):
    """emmeans before 2.0 stops at either."""
    d = load_dataset("cbpp").assign(**{"the x": np.random.default_rng(1).normal(size=56)})
    term = " + offset(log(size))" if how == "formula" else ""
    given = {} if term else {"offset": np.log(d["size"].to_numpy())}
    fit = fit_by(f"incidence ~ `the x` + period{term} + (1 | herd)", d, **given)
    slopes = fit.emtrends("period", "the x").frame["estimate"]
    np.testing.assert_allclose(slopes, fit.beta[1], rtol=1e-8)
    rows = fit.emtrends("period", "the x", max_degree=2, ddf="asymptotic").frame
    np.testing.assert_allclose(rows["estimate"][:4], fit.beta[1], rtol=1e-8)  # the quadratic ones are noise about 0
    assert rows["degree"].tolist() == ["linear"] * 4 + ["quadratic"] * 4
    for reduction in (None, "range", {"the x": "range"}):
        found = fit.joint_tests(ddf="asymptotic", cov_reduce=reduction)
        assert found["term"].tolist() == ["the x", "period"]
        wald = (fit.beta[1] / fit.std_errors[1]) ** 2
        np.testing.assert_allclose(found["statistic"][0], wald, atol=6e-4)  # which emmeans rounds
