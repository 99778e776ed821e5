"""Nonlinear mixed models: a safe formula of three parts, lme4's bits, and no verb that is wrong in lme4."""

import inspect
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest

from lmerbridge import NlmerControl, NlmerFit, load_dataset, nlmer
from lmerbridge.errors import (
    FormulaError,
    InvalidArgument,
    InvalidCall,
    MissingColumns,
    UnknownName,
    UnsafeFormula,
    UnsupportedColumn,
)
from lmerbridge.formula import parse_nonlinear
from tests.exact import bits, bits_of, numbers, plain_numbers
from tests.oracle import same_bits

LOGISTIC = "circumference ~ SSlogis(age, Asym, xmid, scal) ~ Asym | Tree"
WRITTEN = "circumference ~ Asym / (1 + exp((xmid - age) / scal)) ~ (Asym | Tree)"
BEGIN = {"Asym": 200.0, "xmid": 725.0, "scal": 350.0}
MODELS = {  # formula, data set, what else is given, and the same in R
    "orange": (LOGISTIC, "Orange", {"start": BEGIN}, ""),
    "orange quick": (LOGISTIC, "Orange", {"start": BEGIN, "n_agq": 0}, ", nAGQ = 0L"),
    "two effects": (LOGISTIC.replace("Asym |", "Asym + xmid |"), "Orange", {"start": BEGIN}, ""),
    "two terms": (
        LOGISTIC.replace("Asym | Tree", "(Asym | Tree) + (xmid | Tree)"),
        "Orange",
        {"start": BEGIN},
        "",
    ),
    "theoph": (
        "conc ~ SSfol(Dose, Time, lKe, lKa, lCl) ~ (lKe + lKa + lCl | Subject)",
        "Theoph",
        {"start": {"lKe": -2.5, "lKa": 0.5, "lCl": -3.0}},
        "",
    ),
}


@pytest.fixture(scope="module")
def orange():
    return load_dataset("Orange", "datasets")


@pytest.fixture(scope="module")
def fit(orange):
    return nlmer(LOGISTIC, orange, start=BEGIN)


def call(formula, given, more):
    start = ", ".join(f"{name} = {value}" for name, value in given["start"].items())
    return f"nlmer({formula}, d, start = c({start}){more})"


@pytest.fixture(scope="module")
def plain_r(tmp_path_factory):
    calls = {
        name: (load_dataset(data, "datasets"), call(formula, given, more))
        for name, (formula, data, given, more) in MODELS.items()
    }
    return plain_numbers(calls, tmp_path_factory.mktemp("models"))


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_every_number_is_the_double_that_rscript_computes(name, plain_r):
    formula, data, given, _ = MODELS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = nlmer(formula, load_dataset(data, "datasets"), **given)
    assert bits_of(numbers(found)) == bits_of(plain_r[name])


def test_an_expression_is_the_self_starting_function_to_the_bit(fit, orange):
    written = nlmer(WRITTEN, orange, start=BEGIN)
    assert bits(written.beta) == bits(fit.beta)
    assert bits(written.criterion) == bits(fit.criterion)


def test_numbers_are_those_that_lme4_prints(fit):
    assert fit.beta.round(3).tolist() == [192.053, 727.904, 348.072]
    assert fit.varcorr["Tree"].stddev.round(3).tolist() == [31.646]
    assert round(fit.sigma, 3) == 7.843
    assert round(float(fit.loglik), 4) == -131.5719
    assert repr(fit).startswith("<lme4 fit by Laplace's approximation: circumference ~ SSlogis(")
    assert (fit.is_nlmm, fit.is_lmm, fit.is_glmm) == (True, False, False)


def test_a_self_starting_function_finds_its_start(fit, orange):
    found = nlmer(LOGISTIC, orange)
    assert np.allclose(found.beta, fit.beta, rtol=1e-3)
    assert "start = c(Asym = 192.68" in found.get_call()


def test_an_expression_is_to_have_a_start(orange):
    with pytest.raises(InvalidArgument, match="a number for each of Asym, xmid, scal"):
        nlmer(WRITTEN, orange)


STARTS = {
    "a name that is not there": ({**BEGIN, "x": 1.0}, InvalidArgument, "start names x, which the model does not use"),
    "one too few": ({"Asym": 1.0, "xmid": 2.0}, MissingColumns, "scal"),
    "no numbers": ({"Asym": "a", "xmid": 2.0, "scal": 3.0}, InvalidArgument, "mapping of parameters to finite numbers"),
    "an infinite one": (BEGIN | {"scal": float("inf")}, InvalidArgument, "finite"),
    "no mapping": ([1.0, 2.0, 3.0], InvalidArgument, "mapping"),
    "a column": (BEGIN | {"age": 3.0}, InvalidArgument, "has the name of a column"),
}


@pytest.mark.parametrize("case", STARTS)
def test_a_wrong_start_is_refused(case, orange):
    start, error, words = STARTS[case]
    with pytest.raises(error, match=words):
        nlmer(LOGISTIC, orange, start=start)


ATTACKS = {  # no model but names, numbers and a few functions
    "y ~ system('id') ~ (a | g)": UnsafeFormula,
    "y ~ a + system('id') ~ (a | g)": UnsafeFormula,
    "y ~ I(a * x) ~ (a | g)": UnsafeFormula,
    "y ~ base::exp(a * x) ~ (a | g)": UnsafeFormula,
    "y ~ (function(x) x)(a) ~ (a | g)": FormulaError,
    "y ~ exp(a * x, 2) ~ (a | g)": UnsafeFormula,
    "y ~ a * 'x' ~ (a | g)": UnsafeFormula,
    "y ~ a * TRUE ~ (a | g)": UnsafeFormula,
    "y ~ a * pi ~ (a | g)": UnsafeFormula,
    "y ~ a * `system(1)` ~ (a | g)": UnsafeFormula,
    "y ~ a * x ~ (a | `system('id')`)": UnsafeFormula,
    "`q()` ~ a * x ~ (a | g)": UnsafeFormula,
    "y ~ a * \u00e9t\u00e9 ~ (a | g)": UnsafeFormula,
    "y ~ SSlogis(x, a, b, c + 1) ~ (a | g)": FormulaError,
    "y ~ SSlogis(input = x, a, b, c) ~ (a | g)": FormulaError,
    "y ~ SSlogis(x, a, b, c) + 1 ~ (a | g)": UnsafeFormula,
    "log(y) ~ a * x ~ (a | g)": FormulaError,
    "y ~ a * x": FormulaError,
    "y ~ a * x ~ b ~ (a | g)": FormulaError,
    "y ~ a * x ~ a": FormulaError,
    "y ~ a * x ~ (1 | g)": FormulaError,
    "y ~ a * x ~ (x | g)": FormulaError,
    "y ~ a * x ~ (a || g)": FormulaError,
    "y ~ a * x ~ a:x + (a | g)": FormulaError,
    "y ~ a * x ~ (a | system('id'))": UnsafeFormula,
    "y ~ x ~ (x | g)": FormulaError,
    "~ a * x ~ (a | g)": FormulaError,
    "": FormulaError,
}


@pytest.mark.parametrize("text", ATTACKS)
def test_what_is_no_safe_formula_is_refused(text):
    with pytest.raises(ATTACKS[text]):
        parse_nonlinear(text, ["y", "x", "g", "\u00e9t\u00e9", "system(1)", "system('id')", "q()"])


def test_the_parameters_may_stand_in_the_last_part_as_lme4_writes_them(fit, orange):
    other = nlmer(LOGISTIC.replace("Asym |", "0 + Asym + xmid + scal + (0 + Asym |") + ")", orange, start=BEGIN)
    assert np.allclose(other.beta, fit.beta, rtol=1e-6)


def test_data_are_judged_as_for_a_linear_model(orange):
    with pytest.raises(MissingColumns, match="Baum"):
        nlmer(LOGISTIC.replace("Tree", "Baum"), orange)
    with pytest.raises(UnsupportedColumn, match="response must be numbers"):
        nlmer(LOGISTIC, orange.assign(circumference=orange["circumference"].astype(str) + "cm"))
    with pytest.raises(InvalidArgument, match="0 or 1"):
        nlmer(LOGISTIC, orange, n_agq=2)
    with pytest.raises(InvalidArgument, match="NlmerControl"):
        nlmer(LOGISTIC, orange, control=3)
    with pytest.raises(InvalidCall, match="reml"):
        nlmer(LOGISTIC, orange, reml=True)
    holes = orange.assign(age=orange["age"].where(orange.index > 2))
    assert nlmer(LOGISTIC, holes, start=BEGIN, na_action="omit").nobs == 32


def test_weights_a_subset_and_a_control_are_lme4_s(fit, orange):
    same = nlmer(LOGISTIC, orange, start=BEGIN, weights=np.ones(len(orange)))
    assert np.allclose(same.beta, fit.beta, rtol=1e-8)
    some = nlmer(LOGISTIC, orange, subset=orange["Tree"] != "3", control=NlmerControl(optimizer="bobyqa"))
    assert some.nobs == 28
    assert some.optinfo.optimizer == "bobyqa"


def test_predictions_are_the_model_at_its_parameters(fit, orange):
    def logistic(age, asym):
        return asym / (1 + np.exp((fit.beta[1] - age) / fit.beta[2]))

    new = pd.DataFrame({"age": [100.0, 1000.0], "Tree": ["3", "1"]}, index=["a", "b"])
    effects = fit.ranef["Tree"]["Asym"].loc[["3", "1"]].to_numpy()
    assert np.allclose(fit.predict(new, re_form="~0"), logistic(new["age"], fit.beta[0]), rtol=1e-12)
    assert np.allclose(fit.predict(new), logistic(new["age"], fit.beta[0] + effects), rtol=1e-12)
    assert list(fit.predict(new).index) == ["a", "b"]
    assert same_bits(fit.predict(), fit.fitted.to_numpy())
    assert np.allclose(fit.predict(orange), fit.fitted, atol=1e-4)  # which lme4 keeps from an iteration before the last
    assert fit.predict(re_form="~0").nunique() == 7


def test_new_levels_are_an_error_or_have_no_effect(fit):
    new = pd.DataFrame({"age": [100.0], "Tree": ["9"]})
    with pytest.raises(InvalidArgument, match="has not seen"):
        fit.predict(new)
    assert same_bits(fit.predict(new, allow_new_levels=True), fit.predict(new, re_form="~0").to_numpy())
    assert fit.predict(new.assign(age=np.nan), re_form="~0").isna().all()


BROKEN = (
    *("simulate", "refit", "bootstrap", "influence", "hatvalues", "profile", "drop1", "emmeans", "all_fit"),
    *("rstudent", "cooks_distance"),
)


@pytest.mark.parametrize("verb", BROKEN)
def test_what_is_broken_in_lme4_is_not_there(verb, fit):
    with pytest.raises(UnknownName, match="in lme4 it fails"):
        getattr(fit, verb)


def test_each_verb_is_a_function_of_a_room_and_told_in_the_help(fit):
    own = {name for name in vars(NlmerFit) if not name.startswith("_")} - {*NlmerFit.__annotations__}
    assert len(own) > 20
    for verb in own:
        found = inspect.getattr_static(NlmerFit, verb)
        function = found.fget if isinstance(found, property) else found
        assert function.__module__.startswith("lmerbridge.models.")
        assert verb in NlmerFit.__doc__


def test_models_are_compared_and_terms_are_not(fit):
    larger = fit.update(LOGISTIC.replace("Asym |", "Asym + xmid |"))
    table = fit.anova(larger).frame
    assert table["npar"].tolist() == [5, 7]
    assert np.isclose(table["chisq"].iloc[1], 2 * (larger.loglik - fit.loglik))
    with pytest.raises(InvalidArgument, match="give it another model"):
        fit.anova()


def test_intervals_and_tables_are_by_standard_errors(fit):
    ends = fit.confint("xmid")[["conf_low", "conf_high"]].to_numpy()[0]
    assert np.allclose(ends, fit.beta[1] + np.array([-1, 1]) * 1.959964 * fit.std_errors[1], rtol=1e-6)
    assert list(fit.tidy()["term"]) == [*fit.terms, "sd__Asym", "sd__Observation"]
    assert list(fit.coef["Tree"]) == ["Asym", "xmid", "scal"]
    assert "Nonlinear mixed model" in str(fit)
    assert list(fit.optinfo.value.index) == ["Tree.Asym", *fit.terms]


def test_a_fit_pickles_and_finds_its_model_again(fit, orange):
    for each in (fit, nlmer(WRITTEN, orange, start=BEGIN)):
        other = pickle.loads(pickle.dumps(each))
        assert bits(other.predict(orange)) == bits(each.predict(orange))
