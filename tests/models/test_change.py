"""Another model from a fit: update, refit, refit_ml."""

import pickle
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from lmerbridge import LmerControl, lmer
from lmerbridge.bridge import host
from lmerbridge.bridge.session import lme4_has, lme4_version
from lmerbridge.errors import (
    FormulaError,
    InvalidArgument,
    MissingColumns,
    NeedsNewer,
    RowsLeftOutWarning,
    UnsafeFormula,
    UnsupportedColumn,
)
from lmerbridge.setup.compat import defects
from tests.chance import generator
from tests.oracle import MODELS, fitted, plain, same_bits
from tests.processes import in_r

BOTH = [(name, reml) for name in MODELS for reml in (True, False)]
NUMBERS = "{u <- %s; c(u@theta, lme4::fixef(u), sigma(u), logLik(u), as.vector(vcov(u)), as.vector(fitted(u)))}"
UPDATES = {  # model, change of the formula
    "a term more": ("sleepstudy", ". ~ . + I(Days^2)"),
    "a term less": ("cake", ". ~ . - recipe:temperature"),
    "a random term for another": ("sleepstudy", ". ~ . - (Days | Subject) + (1 | Subject)"),
    "a random term less": ("penicillin", "~ . - (1 | sample)"),
    "a double bar more": ("orthodont", ". ~ age + Sex + (age || Subject)"),
    "a response transformed": ("pastes", "log(.) ~ ."),
    "a double bar kept": ("double_bar", ". ~ . + poly(Days, 2) - Days"),
    "another formula altogether": ("sleepstudy", "sqrt(Reaction) ~ factor(Days) + (1 | Subject)"),
}
DEFECT = "refit_reml" in {defect.name for defect in defects("lme4", lme4_version())}


def numbers(fit):
    """What `NUMBERS` asks of R."""
    parts = fit.theta, fit.beta, [fit.sigma, fit.loglik], fit.covariance.ravel(order="F"), fit.fitted_values
    return np.concatenate(parts)


def other_response(fit):
    """A response that is not the fit's own, by the frame's index."""
    return fit.fitted + fit.residuals.to_numpy()[::-1]


@pytest.mark.parametrize("case", UPDATES)
def test_a_formula_is_changed_as_r_changes_it(case):
    name, change = UPDATES[case]
    fit = fitted(name)
    found = fit.update(change)
    assert same_bits(numbers(found), plain(fit, NUMBERS % f"update(m, {change})"))
    written = 'gsub("[()]", "", deparse1(formula(%s)))'  # R writes "||" out, with more parentheses or less
    assert plain(fit, written % f"update(m, {change})") == plain(found, written % "m")


@pytest.mark.parametrize("name", MODELS)
def test_another_criterion_is_an_update_as_in_r(name):
    found = fitted(name).update(reml=False)
    assert not found.reml
    assert same_bits(numbers(found), plain(fitted(name), NUMBERS % "update(m, REML = FALSE)"))


CHANGES = {  # our arguments, R's
    "weights": ({"weights": np.arange(180.0) + 1}, "weights = 1:180"),
    "an offset": ({"offset": np.arange(180.0)}, "offset = 1:180 - 1"),
    "a subset": ({"subset": np.arange(180) < 90}, "subset = 1:180 < 91"),
    "a start": ({"start": {"theta": [2.0, 0.1, 0.5]}}, "start = list(theta = c(2, 0.1, 0.5))"),
    "a control": ({"control": LmerControl(optimizer="bobyqa")}, 'control = lmerControl(optimizer = "bobyqa")'),
    "no optimizer": ({"control": LmerControl(optimizer="none")}, "control = lmerControl(optimizer = NULL)"),
    "contrasts": (
        {"formula": ". ~ factor(Days) + (1 | Subject)", "contrasts": None},
        "formula. = . ~ factor(Days) + (1 | Subject)",
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_every_argument_of_lmer_can_be_changed(case):
    ours, theirs = CHANGES[case]
    found = fitted("sleepstudy").update(**ours)
    assert same_bits(numbers(found), plain(fitted("sleepstudy"), NUMBERS % f"update(m, {theirs})"))


def test_an_argument_that_is_not_changed_stays(sleepstudy):
    weights = np.arange(180.0) + 1
    fit = lmer("Reaction ~ Days + (1 | Subject)", sleepstudy, weights=weights, reml=False)
    again = lmer("Reaction ~ 1 + (1 | Subject)", sleepstudy, weights=weights, reml=False)
    assert same_bits(numbers(fit.update(". ~ . - Days")), numbers(again))


def test_weights_given_by_a_column_are_taken_from_the_new_data(sleepstudy):
    data = sleepstudy.assign(w=np.arange(180.0) + 1, use=sleepstudy.Days < 9)
    fit = lmer("Reaction ~ Days + (1 | Subject)", data, weights="w", subset="use")
    half = data.iloc[:90].assign(w=2.0)
    again = lmer("Reaction ~ Days + (1 | Subject)", half, weights="w", subset="use")
    assert same_bits(numbers(fit.update(data=half)), numbers(again))


def test_a_column_that_weights_name_is_told_of_once(sleepstudy):
    data = sleepstudy.assign(w=np.where(sleepstudy.index == 3, np.nan, 1.0))
    with pytest.warns(RowsLeftOutWarning, match=r"^1 of 180 rows lacks a value \('w' in 1\) and"):
        fit = lmer("Reaction ~ Days + (1 | Subject)", data, weights="w")
    assert list(fit.left_out) == [3]


def test_new_columns_come_with_new_data(sleepstudy):
    data = sleepstudy.assign(night=sleepstudy.Days % 2)
    found = fitted("sleepstudy").update(". ~ . + night", data)
    assert same_bits(numbers(found), numbers(lmer("Reaction ~ Days + night + (Days | Subject)", data)))
    with pytest.raises(MissingColumns, match=r"names 'night', .* keeps no columns but its own; .* as data="):
        fitted("sleepstudy").update(". ~ . + night")
    with pytest.raises(MissingColumns, match=r"'night', which the data lacks; its columns are [^;]*\.$"):
        fitted("sleepstudy").update(". ~ . + night", data=sleepstudy)


def test_contrasts_of_a_factor_that_goes_go_with_it():
    fit = fitted("cake").update(contrasts={"recipe": "contr.sum"})
    assert same_bits(
        fit.update("angle ~ 1 + (1 | temperature)").beta,
        fit.update("angle ~ 1 + (1 | temperature)", contrasts=None).beta,
    )
    with pytest.raises(InvalidArgument, match="contrasts names 'recipe'"):
        fit.update("angle ~ 1 + (1 | temperature)", contrasts={"recipe": "contr.sum"})


HOSTILE = {
    "a call": ('. ~ . + I(system("touch x"))', UnsafeFormula, "system"),
    "a call of the response": ("system(.) ~ .", UnsafeFormula, "system"),
    "a dot in a function": (". ~ log(.)", FormulaError, r"'\.' in a function"),
    "a dot that groups": (". ~ . + (1 | .)", FormulaError, r"'\.' in a function or a grouping factor"),
    "too high a power": (". ~ (.)^1000000", FormulaError, "a power of terms"),
    "too many terms": (". ~ (. + a + b + c + d + e + f)^8 * (g + h + i + j)^8", FormulaError, "multiply to more than"),
    "no formula": ("Days", FormulaError, "'response ~ terms', such as"),
    "no text": (3, FormulaError, "text such as"),
    "no random term": (". ~ Days", FormulaError, "no random term"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_change_is_checked_before_r_sees_it(case):
    change, error, told = HOSTILE[case]
    with pytest.raises(error, match=told):
        fitted("sleepstudy").update(change)


def test_an_argument_lmer_does_not_have_is_an_error():
    with pytest.raises(InvalidArgument, match=r"given 'REML'; formula, data, reml, weights"):
        fitted("sleepstudy").update(REML=False)


@pytest.mark.parametrize(("name", "reml"), BOTH)
def test_a_refit_is_lme4s(name, reml):
    """To the bit where lme4 is right; else what lmer finds from the same start."""
    fit, response = fitted(name, reml=reml), other_response(fitted(name, reml=reml))
    found = fit.refit(response)
    if reml and DEFECT:
        again = fit.update(data=fit.spec.data.assign(**{fit.formula.split(" ~ ")[0]: response}), start=fit.theta)
        assert abs(found.criterion - again.criterion) < 1e-6
        assert found.singular or same_bits(numbers(found), numbers(again))  # on a bound lmer looks further
    else:
        told = NUMBERS % "refit(m, fitted(m) + rev(m@resp$y - fitted(m)))"
        assert same_bits(numbers(found), plain(fit, told))


def test_the_example_of_lme4s_help_page_refits_each_column_of_a_matrix():
    columns, x = in_r("{set.seed(101); rnorm(1000)}").reshape(10, 100), in_r("{set.seed(102); rnorm(100)}")
    fit = lmer("y ~ x + (1 | f)", pd.DataFrame({"y": columns[0], "x": x, "f": np.tile(range(1, 11), 10)}), reml=False)
    for i, column in enumerate(columns[1:], start=2):
        told = NUMBERS % f"refit(m, {{set.seed(101); matrix(rnorm(1000), ncol = 10)[, {i}]}})"
        assert same_bits(numbers(fit.refit(column)), plain(fit, told))


@pytest.mark.parametrize(("name", "reml"), BOTH)
def test_a_refit_to_its_own_response_is_the_fit(name, reml):
    """The criterion may fall only by what the optimizer had left."""
    fit = fitted(name, reml=reml)
    gained = fit.criterion - fit.refit(fit.fitted + fit.residuals).criterion
    assert -1e-7 < gained < 1e-5


@pytest.mark.parametrize(("name", "reml"), BOTH)
def test_a_refit_without_a_response_is_lme4s(name, reml):
    fit = fitted(name, reml=reml)
    found = fit.refit()
    assert found.formula == fit.formula
    assert same_bits(numbers(found), numbers(fit.refit(fit.fitted + fit.residuals)))
    assert same_bits(numbers(fit.refit(newresp=None)), numbers(found))
    if not (reml and DEFECT):
        assert same_bits(numbers(found), plain(fit, NUMBERS % "refit(m)"))


def test_a_refit_without_a_response_keeps_what_the_fit_has(sleepstudy):
    data = sleepstudy.assign(w=np.arange(180.0) + 1)
    data.loc[5, "Reaction"] = np.nan
    fit = lmer(
        "log(Reaction) ~ Days + (1 | Subject)", data, weights="w", subset=data.Days < 9, na_action="exclude", reml=False
    )
    found = fit.refit()
    assert (found.formula, found.spec.weights) == (fit.formula, "w")
    theirs = plain(fit, "{r <- refit(m); c(r@theta, r@beta, sigma(r), logLik(r))}")
    assert same_bits([*found.theta, *found.beta, found.sigma, found.loglik], theirs)
    assert found.fitted.index.equals(fit.fitted.index)
    assert found.update(". ~ . - Days").formula == "log(Reaction) ~ (1 | Subject)"
    again = pickle.loads(pickle.dumps(found))
    assert same_bits(again.deviance_at(again.theta), [found.criterion])


def test_a_name_without_a_new_response_is_an_error():
    with pytest.raises(InvalidArgument, match="rename_response is 'y' and newresp is None"):
        fitted("sleepstudy").refit(rename_response="y")


def test_the_refit_of_this_lme4_is_wrong_by_reml_as_its_version_says():
    """Where a model has one fixed effect only, counting one is right."""
    wrong = {
        name: abs(plain(fitted(name), "{r <- refit(m, m@resp$y); REMLcrit(r)}")[0] - fitted(name).criterion) > 1
        for name in MODELS
    }
    several = {name: len(fitted(name).beta) > 1 for name in MODELS}
    assert wrong == (several if DEFECT else dict.fromkeys(MODELS, False))
    told = [c for c in fitted("cake").refit(other_response(fitted("cake"))).conditions if "counts one" in c.text]
    assert len(told) == DEFECT


def test_the_defect_is_that_lme4_counts_one_fixed_effect():
    """Told the number where it asks whether, lme4's own code gives what lmer gives from the same start."""
    fit = fitted("sleepstudy")
    if DEFECT:
        assert plain(fit, 'grepl("REML = isREML(object)", deparse1(body(refit.merMod)), fixed = TRUE)')[0]
    response = other_response(fit)
    again = fit.update(data=fit.spec.data.assign(Reaction=response), start=fit.theta)
    assert same_bits(numbers(fit.refit(response)), numbers(again))


def test_a_refit_is_found_by_its_response_wherever_it_is_asked(sleepstudy):
    before = fitted("sleepstudy")
    assert same_bits(before.deviance_at(before.theta), [before.criterion])
    fit = before.refit(other_response(before))
    assert same_bits(fit.deviance_at(fit.theta), [fit.criterion])
    assert same_bits(
        plain(fit, "as.vector(fitted(do.call(update, list(m, start = m@theta))))"), fit.update(start=fit.theta).fitted
    )
    assert abs(fit.update().criterion - fit.criterion) < 1e-5
    assert same_bits(plain(fitted("sleepstudy"), "as.vector(m@resp$y)"), sleepstudy.Reaction)


@pytest.mark.slow
def test_a_model_that_was_refitted_is_made_again_where_its_process_died():
    fit = fitted("orthodont")
    refits = [fit.refit(other_response(fit)), fit.refit_ml()]
    copies = pickle.loads(pickle.dumps(refits))
    host.close()
    for made, copy in zip(refits, copies, strict=True):
        assert same_bits(plain(copy, NUMBERS % "m"), numbers(made))
        assert same_bits(plain(made, NUMBERS % "m"), numbers(made))


def test_a_chain_of_refits_keeps_the_last_model_in_r_and_no_others():
    fit = fitted("pastes")
    chain = [fit]
    for _ in range(3):
        chain.append(chain[-1].refit(other_response(chain[-1])))
    assert all(later._in_r.rebuild.args[0]._in_r.model is None for _, later in pairwise(chain))
    assert same_bits(
        chain[-1].theta,
        fit.refit(chain[1].fitted + chain[1].residuals)
        .refit(chain[2].fitted + chain[2].residuals)
        .refit(chain[3].fitted + chain[3].residuals)
        .theta,
    )


@pytest.fixture(scope="module")
def gaps(sleepstudy):
    """A fit that leaves out rows for missing values and by its subset, under labels for an index."""
    data = sleepstudy.set_index("r" + pd.Series(range(180)).astype(str))
    data.iloc[[3, 50], 0] = np.nan
    return data, lmer("Reaction ~ Days + (Days | Subject)", data, subset=data.Days < 9, na_action="exclude")


def test_a_response_is_aligned_by_its_index(gaps):
    data, fit = gaps
    response = pd.Series(generator(1).normal(300, 30, 180), index=data.index)
    used = fit.index.take(fit.rows)
    expected = fit.refit(response[used].to_numpy())
    forms = response, response.to_numpy(), response[used], response.sample(frac=1, random_state=2), list(response[used])
    for form in forms:
        assert same_bits(numbers(fit.refit(form)), numbers(expected))
    again = lmer(fit.formula, data.assign(Reaction=response).loc[used], start=fit.theta)
    assert same_bits(numbers(expected), numbers(again))
    assert expected.fitted.index.equals(fit.fitted.index)
    assert expected.update().nobs == fit.nobs


BAD = {
    "too few": (lambda y: y[:-1], InvalidArgument, r"has 179 values; one for each of the 180 rows used"),
    "a matrix": (lambda y: np.ones((180, 1)), InvalidArgument, r"shape \(180, 1\)"),
    "missing": (lambda y: np.where(np.arange(180) == 5, np.nan, y), InvalidArgument, "none of them missing"),
    "infinite": (lambda y: np.where(np.arange(180) == 5, np.inf, y), ValueError, "infinite"),
    "text": (lambda y: y.astype(str), UnsupportedColumn, "a response must be numbers"),
    "booleans": (lambda y: y > 300, InvalidArgument, "numbers are expected"),
    "other labels": (lambda y: pd.Series(y, index=range(1000, 1180)), InvalidArgument, "index lacks rows"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_response_that_is_none_is_an_error(case, sleepstudy):
    make, error, told = BAD[case]
    with pytest.raises(error, match=told):
        fitted("sleepstudy").refit(make(sleepstudy.Reaction.to_numpy()))


def test_a_transformed_response_is_refitted_under_its_name(sleepstudy):
    fit = lmer("log(Reaction) ~ Days + (Days | Subject)", sleepstudy)
    new = np.log(other_response(fitted("sleepstudy")))
    found = fit.refit(new)
    assert found.formula == "`log(Reaction)` ~ Days + (Days | Subject)"
    assert same_bits(found.deviance_at(found.theta), [found.criterion])
    again = lmer(fit.formula, sleepstudy.assign(Reaction=other_response(fitted("sleepstudy"))), start=fit.theta)
    assert abs(found.criterion - again.criterion) < 1e-6


def test_weights_an_offset_and_a_subset_stay_in_a_refit(sleepstudy):
    data = sleepstudy.assign(w=np.linspace(1, 2, 180), o=np.arange(180.0) / 9).rename(columns={"Reaction": "my y"})
    fit = lmer("`my y` ~ Days + (1 | Subject)", data, weights="w", offset="o", subset=data.Days < 8, reml=False)
    found = fit.refit(other_response(fit))
    assert same_bits(numbers(found), plain(fit, NUMBERS % "refit(m, fitted(m) + rev(m@resp$y - fitted(m)))"))
    assert found.formula == fit.formula
    assert same_bits(numbers(found.update(start=fit.theta)), numbers(found))


def test_a_response_can_be_renamed():
    found = fitted("sleepstudy").refit(other_response(fitted("sleepstudy")), rename_response="sim 1")
    assert found.formula == "`sim 1` ~ Days + (Days | Subject)"
    assert plain(found, "c(names(m@frame)[1L], deparse1(formula(m)))") == ["sim 1", found.formula]
    assert found.update(". ~ . - Days").formula == "`sim 1` ~ (Days | Subject)"
    with pytest.raises(InvalidArgument, match="'Days' stands on the right"):
        fitted("sleepstudy").refit(other_response(fitted("sleepstudy")), rename_response="Days")
    with pytest.raises(InvalidArgument, match=r"no column named '\.weights'"):
        fitted("sleepstudy").refit(other_response(fitted("sleepstudy")), rename_response=".weights")


def test_new_weights_need_a_newer_lme4(sleepstudy):
    fit, weights = fitted("sleepstudy"), np.arange(180.0) + 1
    if not lme4_has("refit_newweights"):
        with pytest.raises(NeedsNewer, match=r"1\.1-33 or later"):
            fit.refit(sleepstudy.Reaction, newweights=weights)
        return
    found = fit.refit(sleepstudy.Reaction, newweights=weights)
    assert same_bits(numbers(found), plain(fit, "{w <- 1:180; " + NUMBERS % "refit(m, m@resp$y, newweights = w)" + "}"))
    assert same_bits(found.deviance_at(found.theta), [found.criterion])
    assert same_bits(numbers(found), numbers(fit.update(weights=weights, start=fit.theta)))


@pytest.mark.parametrize("weight", [-1.0, 0.0])
def test_new_weights_that_no_model_has_are_refused_as_those_of_a_fit_are(sleepstudy, weight):
    with pytest.raises(InvalidArgument, match="newweights are negative in a row, or zero in all"):
        fitted("sleepstudy").refit(sleepstudy.Reaction, newweights=[weight] * 180)


@pytest.mark.parametrize("name", MODELS)
def test_a_fit_by_maximum_likelihood_is_lme4s_refit_ml(name):
    assert same_bits(fitted(name).deviance_at(fitted(name).theta), [fitted(name).criterion])
    found = fitted(name).refit_ml()
    assert not found.reml
    assert same_bits(numbers(found), plain(fitted(name), NUMBERS % "refitML(m)"))
    assert same_bits(found.deviance_at(found.theta), [found.criterion])
    assert abs(found.criterion - fitted(name, reml=False).criterion) < 1e-5  # another optimizer, from another start
    assert found.refit_ml() is found


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("double_bar", ". ~ . - (0 + Days | Subject)"),
        ("double_bar", ". ~ . - (1 | Subject)"),
        ("double_bar", ". ~ . + (0 + Days | Subject)"),
        ("double_bar", ". ~ . - (1 | Subject) + I(Days^2)"),
        ("sleepstudy", ". ~ . - (Days | Subject) + (Days + I(Days^2) || Subject) - Days"),
    ],
)
def test_one_term_of_a_double_bar_is_taken_out_or_put_in_as_in_r(name, change):
    found = fitted(name).update(change)
    assert same_bits(numbers(found), plain(fitted(name), NUMBERS % f"update(m, {change})"))
    assert found.npar == plain(fitted(name), f"attr(logLik(update(m, {change})), 'df')")[0]
