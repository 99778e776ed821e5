"""Generalized linear mixed models: their responses, families, numbers and refusals."""

import pickle
from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest

from lmerbridge import Family, GlmerControl, LmerControl, glmer, lmer, load_dataset
from lmerbridge.bridge.session import lme4_version
from lmerbridge.errors import (
    BinaryResponseWarning,
    DispersionFamilyWarning,
    FormulaError,
    InvalidArgument,
    InvalidCall,
    MissingColumns,
    SeparationWarning,
    UnfitData,
    UnsafeFormula,
    UnsupportedColumn,
)
from lmerbridge.results import read_family
from lmerbridge.setup import Range
from tests.oracle import plain, same_bits

COWS = "cbind(incidence, size - incidence) ~ period + (1 | herd)"


@pytest.fixture(scope="module")
def cbpp():
    d = load_dataset("cbpp")
    ill = d["incidence"] > 0
    return d.assign(
        prop=d["incidence"] / d["size"],
        ill=ill.to_numpy(),
        state=pd.Categorical(np.where(ill, "ill", "well"), ["well", "ill"]),
        spare=pd.Categorical(np.where(ill, "ill", "well"), ["dead", "well", "ill"]),
        word=np.where(ill, "ill", "well"),
        three=pd.Categorical(np.resize(["a", "b", "c"], len(d))),
        half=d["incidence"] + 0.5,
        below=d["incidence"] - 1,
        none=0.0,
    )


@pytest.fixture(scope="module")
def cows(cbpp):
    return glmer(COWS, cbpp, "binomial")


FAMILIES = {
    "binomial": Family("binomial", "logit"),
    "Binomial(PROBIT)": Family("binomial", "probit"),
    'binomial(link = "cloglog")': Family("binomial", "cloglog"),
    "poisson": Family("poisson", "log"),
    "gamma(log)": Family("Gamma", "log"),
    "inverse.gaussian": Family("inverse.gaussian", "1/mu^2"),
    "inverse.gaussian(1/mu^2)": Family("inverse.gaussian", "1/mu^2"),
    "gaussian(log)": Family("gaussian", "log"),
    "negative.binomial(2.5)": Family("negative.binomial", "log", 2.5),
}
NO_FAMILIES = {
    "quasibinomial": "no density",
    "quasi": "no density",
    "tweedie": "one of binomial",
    "binomial(x)": "one of logit",
    "binomial(logit": "text such as",
    "negative.binomial": "glmer_nb",
    "negative.binomial(-1)": "positive number",
    "gaussian": r"use lmer\(\)",
}


@pytest.mark.parametrize("text", FAMILIES)
def test_a_family_is_read_from_text(text):
    assert read_family(text) == FAMILIES[text]


@pytest.mark.parametrize("text", NO_FAMILIES)
def test_what_is_no_family_is_refused_in_words(text, cbpp):
    with pytest.raises(InvalidArgument, match=NO_FAMILIES[text]):
        glmer(COWS, cbpp, text)


@pytest.mark.parametrize("given", [None, 1, ("binomial", "logit"), pd.Series(["binomial"])])
def test_a_family_of_another_type_is_refused(given, cbpp):
    with pytest.raises(InvalidArgument, match="family is"):
        glmer(COWS, cbpp, given)


def test_a_family_is_a_pair_of_its_name_and_link():
    family = Family("poisson")
    assert (*family,) == (family[0], family[1]) == ("poisson", "log")
    assert (len(family), family.family, str(family)) == (2, "poisson", "poisson(log)")


def test_theta_is_of_the_negative_binomial_alone():
    with pytest.raises(InvalidArgument, match="poisson has none"):
        Family("poisson", theta=2.0)


def test_counts_and_proportions_with_weights_are_one_model(cbpp, cows):
    other = glmer("prop ~ period + (1 | herd)", cbpp, "binomial", weights="size")
    assert same_bits(other.beta, cows.beta)
    assert other.loglik == cows.loglik


@pytest.mark.parametrize("name", ["state", "spare"])
def test_truth_values_and_two_levels_are_one_model(name, cbpp):
    one = glmer("ill ~ size + (1 | herd)", cbpp, "binomial")
    other = glmer(f"{name} ~ size + (1 | herd)", cbpp, "binomial")
    assert same_bits(one.beta, other.beta)


REFUSED = {  # response and family: the error and its words
    ("three", "binomial"): (UnfitData, "has 3 levels, a, b, c"),
    ("size", "binomial"): (UnfitData, r"is 14 in a row.* cbind\(successes, failures\)"),
    ("none", "binomial"): (UnfitData, "same in every row"),
    ("none", "poisson"): (UnfitData, "same in every row"),
    ("word", "binomial"): (UnsupportedColumn, "categorical with two levels"),
    ("word", "poisson"): (UnsupportedColumn, "numbers"),
    ("state", "poisson"): (UnsupportedColumn, "count or measure"),
    ("half", "poisson"): (UnfitData, r"is 2\.5 in a row, and counts are whole.* offset\(log\(exposure\)\)"),
    ("half", "negative.binomial(2)"): (UnfitData, "whole numbers"),
    ("below", "poisson"): (UnfitData, "negative in a row"),
    ("incidence", "Gamma"): (UnfitData, "positive throughout"),
    ("cbind(incidence, size)", "poisson"): (UnfitData, "two columns"),
    ("cbind(below, size)", "binomial"): (UnfitData, "negative count"),
    ("cbind(word, size)", "binomial"): (UnfitData, "has word, which is not of numbers"),
    ("cbind(three, size)", "binomial"): (UnfitData, "has three, which is not of numbers"),
    ("cbind(none, size)", "binomial"): (UnfitData, "same in every row"),
    ("cbind(incidence, size, herd)", "binomial"): (FormulaError, "two columns"),
    ("cbind(a = incidence, size)", "binomial"): (FormulaError, "without names"),
    ("log(cbind(incidence, size))", "binomial"): (UnsafeFormula, "whole left side"),
    ("cbind(cbind(incidence, size), size)", "binomial"): (UnsafeFormula, "whole left side"),
}


@pytest.mark.parametrize(("response", "family"), REFUSED)
def test_a_response_that_is_not_of_its_family_is_refused_in_words(response, family, cbpp):
    error, words = REFUSED[response, family]
    with pytest.raises(error, match=words):
        glmer(f"{response} ~ period + (1 | herd)", cbpp, family)


def test_cbind_is_for_the_left_side(cbpp):
    with pytest.raises(UnsafeFormula, match="whole left side"):
        glmer("incidence ~ cbind(size, size) + (1 | herd)", cbpp, "poisson")


def test_a_constant_response_is_left_to_r_where_its_own_check_is_set(cbpp):
    control = GlmerControl(check_response_not_const="ignore", calc_derivs=False)
    fit = glmer("none ~ 1 + (1 | herd)", cbpp, "poisson", control=control, n_agq=0)
    assert fit.fitted.max() < 0.01


def test_missing_rows_are_judged_by_what_is_left(cbpp):
    holes = cbpp.assign(half=cbpp["half"].where(cbpp.index > 0, np.nan).round())
    assert glmer("half ~ period + (1 | herd)", holes, "poisson", na_action="omit").nobs == 55


def test_the_numbers_are_those_of_the_tables_of_lme4(cows):
    assert abs(cows.criterion - 184.0526) < 1e-3  # what the inner iterations of lme4 before 2.1-0 leave
    assert abs(cows.residual_deviance - 73.473) < 2e-3
    assert cows.covariance_from == "hessian"
    assert cows.loglik.constant == 0
    assert list(cows.coefficients) == ["estimate", "std_error", "z_value", "p_value"]
    assert same_bits(cows.coefficients["p_value"], plain(cows, "coef(summary(m))[, 4]"))
    assert list(cows.varcorr.frame["group"]) == ["herd"]
    assert [*cows.family] == ["binomial", "logit"]
    assert "sigma" not in cows.quantities()
    assert repr(cows).startswith("<lme4 fit by Laplace's approximation: cbind(")


def test_quadrature_says_what_its_likelihood_lacks(cbpp):
    fit = glmer(COWS, cbpp, "binomial", n_agq=25)
    left_out = lme4_version() not in Range("2.1-0")
    assert round(float(fit.loglik), 6) == (-50.005015 if left_out else -91.983369)
    assert (fit.loglik.constant != 0) is left_out
    assert round(fit.loglik + fit.loglik.constant, 6) == -91.983369  # by adaptive quadrature in Python
    assert "25 nodes" in repr(fit)
    assert pickle.loads(pickle.dumps(fit.loglik)).constant == fit.loglik.constant


def test_single_outcomes_leave_nothing_out(cbpp):
    assert glmer("ill ~ size + (1 | herd)", cbpp, "binomial", n_agq=5).loglik.constant == 0


def test_a_family_with_a_dispersion_has_a_sigma(cbpp):
    wrong = lme4_version() not in Range("2.1-0")
    told = pytest.warns(DispersionFamilyWarning, match="Gamma model is not its dispersion") if wrong else nullcontext()
    with told:
        fit = glmer("half ~ period + (1 | herd)", cbpp, "Gamma(log)")
    assert list(fit.varcorr.frame["group"]) == ["herd", *["Residual"] * wrong]
    assert fit.quantities()["sigma"] == fit.sigma != 1


NODES = {
    "two terms": (COWS + " + (1 | period)", 7, "one random term of one column"),
    "too many": (COWS, 101, "0 to 100"),
    "a fraction": (COWS, 1.5, "0 to 100"),
    "a truth value": (COWS, True, "0 to 100"),
}


@pytest.mark.parametrize("case", NODES)
def test_nodes_that_lme4_has_no_quadrature_for_are_refused(case, cbpp):
    formula, n_agq, words = NODES[case]
    with pytest.raises(InvalidArgument, match=words):
        glmer(formula, cbpp, "binomial", n_agq=n_agq)


def test_a_slope_has_no_quadrature(cbpp):
    with pytest.raises(InvalidArgument, match="one random term of one column"):
        glmer("cbind(incidence, size - incidence) ~ size + (size | herd)", cbpp, "binomial", n_agq=5)


ARGUMENTS = {
    "a control of lmer": ({"control": LmerControl()}, InvalidArgument, "GlmerControl"),
    "an unknown control": ({"control": {"tolPwrs": 1}}, InvalidArgument, "glmerControl of the lme4 installed takes"),
    "an unknown optimizer": ({"control": {"optimizer": ["bobyqa", "system"]}}, InvalidArgument, "one or two of"),
    "an unknown start": ({"start": {"fixef": [1.0]}}, InvalidArgument, "'theta' or 'par', and 'beta'"),
    "a start of no stage": ({"start": {"beta": [1.0]}, "n_agq": 0}, InvalidArgument, "n_agq is 0"),
    "a missing column": ({"mustart": "nothing"}, MissingColumns, "mustart names 'nothing'"),
    "means of another length": ({"mustart": [0.5]}, InvalidArgument, "mustart has shape"),
    "REML": ({"REML": True}, InvalidCall, "no REML"),
}


@pytest.mark.parametrize("case", ARGUMENTS)
def test_a_wrong_argument_is_refused(case, cbpp):
    given, error, words = ARGUMENTS[case]
    with pytest.raises(error, match=words):
        glmer(COWS, cbpp, "binomial", **given)


@pytest.mark.parametrize("name", ["mustart", "etastart"])
def test_iterations_may_begin_at_given_values(name, cbpp, cows):
    values = cows.fitted if name == "mustart" else pd.Series(cows.linear_predictor, cbpp.index)
    fit = glmer(COWS, cbpp, "binomial", **{name: values})
    assert abs(fit.criterion - cows.criterion) < 1e-3  # lme4's own tolerance leaves that much
    assert f"{name} = .{name}" in plain(fit, "deparse1(getCall(m))")[0]


def test_a_fit_pickles_and_finds_its_model_again(cows):
    other = pickle.loads(pickle.dumps(cows))
    assert same_bits(other.p_values, cows.p_values)
    assert str(other) == str(cows)


@pytest.mark.parametrize("given", [True, 1.0, 1])
def test_lmer_says_that_a_response_of_0_and_1_is_for_glmer(given, cbpp):
    data = cbpp.assign(y=pd.Series(np.where(cbpp["ill"], given, type(given)(0))))
    with pytest.warns(BinaryResponseWarning, match=r"'y' has the values 0 and 1 alone.* glmer\("):
        lmer("y ~ size + (1 | herd)", data)


def test_lmer_says_nothing_of_another_response_nor_glmer_of_any(cbpp):
    lmer("prop ~ size + (1 | herd)", cbpp.assign(prop=cbpp["prop"] + 1))
    glmer("ill ~ size + (1 | herd)", cbpp, "binomial")


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog"])
def test_outcomes_that_a_column_parts_are_said_by_name(link, cbpp):
    data = cbpp.assign(apart=cbpp["period"] == "4", y=cbpp["ill"] & (cbpp["period"] != "4"))
    with pytest.warns() as told:
        glmer("y ~ apart + (1 | herd)", data, f"binomial({link})")
    (found,) = [w for w in told if issubclass(w.category, SeparationWarning)]
    assert "fitted as certain in 13 rows" in str(found.message)
    assert "'apartTRUE' has the estimate -" in str(found.message)


def test_nothing_is_said_of_outcomes_that_are_not_parted():
    glmer("r2 ~ Anger + (1 | id)", load_dataset("VerbAgg"), "binomial", n_agq=0)


def test_iterations_that_leave_the_link_are_told_in_our_words(cbpp):
    with pytest.raises(UnfitData, match=r"mustart=.* R said: .*PIRLS"):
        glmer("ill ~ size + (1 | herd)", cbpp, "binomial(log)")
