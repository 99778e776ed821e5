"""Summaries, tests of terms and contrasts: lme4's and lmerTest's, against plain R."""

import pickle
from functools import partial
from itertools import product

import numpy as np
import pandas as pd
import pytest

from lmerbridge import lmer
from lmerbridge.bridge.session import lme4_has
from lmerbridge.errors import (
    FormulaError,
    InvalidArgument,
    LmerBridgeWarning,
    MissingColumns,
    RWarning,
    UnsafeFormula,
)
from tests.oracle import MODELS, fitted, plain, same_bits
from tests.processes import in_r, run

SLOW = ("cake", "Kenward-Roger")  # a dense matrix inverted for each of 18 coefficients
APPROXIMATE = ("Satterthwaite", "Kenward-Roger")
# A derivative by differences, of a criterion whose last digits depend on lme4's choice among equal permutations.
BY_DIFFERENCES = 1e-6


def r_table(fit, code):
    """Plain R's table, column by column, and the names of its rows; `t` is the model as lmerTest's."""
    table = f"{{x <- {code}; c(rownames(x), sprintf('%a', as.double(unlist(x, use.names = FALSE))), nrow(x))}}"
    *texts, rows = plain(fit, f"t <- suppressWarnings(lmerTest::as_lmerModLmerTest(m)); {table}")
    values = [np.nan if text == "NA" else float.fromhex(text) for text in texts[int(rows) :]]
    return np.array(values), texts[: int(rows)]


def agrees(table, fit, code, rtol=BY_DIFFERENCES):
    """Whether one of our tables has plain R's numbers and row names."""
    values, rows = r_table(fit, code)
    numbers = table.select_dtypes("number").to_numpy()
    np.testing.assert_allclose(numbers.ravel(order="F"), values, rtol=rtol)
    return list(table.index) == (["<none>"] if rows == ["1"] else rows)  # R loses the name of a single row


@pytest.mark.parametrize("name", MODELS)
def test_a_summary_without_ddf_is_lme4s_to_the_bit_and_has_no_p_values(name):
    fit = fitted(name)
    summary = fit.summary()
    assert same_bits(summary.coefficients, plain(fit, "as.vector(coef(summary(m)))"))
    assert list(summary.coefficients.columns) == ["estimate", "std_error", "t_value"]
    assert summary.ddf == "lme4"
    assert same_bits(summary.residual_quantiles, plain(fit, "unname(quantile(resid(m, 'pearson', scaled = TRUE)))"))
    assert same_bits(summary.ngrps, plain(fit, "unname(ngrps(m))"))
    assert list(summary.ngrps.index) == list(plain(fit, "names(ngrps(m))"))
    criteria = plain(fit, "c(AIC(m), BIC(m), logLik(m), if (isREML(m)) REMLcrit(m) else deviance(m), df.residual(m))")
    assert same_bits(summary.criteria, criteria)
    correlations = plain(fit, "as.vector(cov2cor(as.matrix(vcov(m))))")
    np.testing.assert_allclose(summary.correlation.to_numpy().ravel(), correlations, rtol=1e-14)
    assert str(summary) == "\n".join(plain(fit, "capture.output(print(summary(m)))")) == str(fit)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "ddf"), [each for each in product(MODELS, APPROXIMATE) if each != SLOW])
def test_a_summary_with_ddf_is_lmertests_and_names_the_method_in_each_row(name, ddf):
    fit = fitted(name)
    summary = fit.summary(ddf)
    assert agrees(summary.coefficients, fit, f"coef(summary(t, ddf = '{ddf}'))")
    assert list(summary.coefficients.columns) == ["estimate", "std_error", "df", "t_value", "p_value", "ddf"]
    assert set(summary.coefficients["ddf"]) == {ddf} == {summary.ddf}
    shown = f"capture.output(print(summary(lmerTest::as_lmerModLmerTest(m), ddf = '{ddf}')))"
    assert str(summary) == "\n".join(plain(fit, shown))


def test_correlations_are_printed_where_asked_for():
    fit = fitted("cake")
    shown = "capture.output(print(summary(m, correlation = %s), correlation = %s))"
    for asked, text in ((True, "TRUE"), (False, "FALSE")):
        assert str(fit.summary(correlation=asked)) == "\n".join(plain(fit, shown % (text, text)))
    assert "Correlation of Fixed Effects" in str(fit.summary("Satterthwaite", correlation=True))
    assert "Correlation of Fixed Effects" not in str(fit.summary("Satterthwaite", correlation=False))


@pytest.mark.parametrize("name", MODELS)
def test_anova_without_ddf_is_lme4s_sequential_table_to_the_bit(name):
    fit = fitted(name)
    table = fit.anova()
    assert agrees(table.frame, fit, "anova(m)", rtol=0)
    assert list(table.frame.columns) == ["npar", "sum_sq", "mean_sq", "f_value"]
    assert table.ddf == "lme4"
    assert not table.refitted
    assert str(table) == "\n".join(plain(fit, "capture.output(print(anova(m)))"))
    assert table.frame.equals(fit.anova(type="I").frame)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "ddf"), list(product(MODELS, APPROXIMATE)))
def test_anova_with_ddf_is_lmertests_of_each_type(name, ddf):
    fit = fitted(name)
    for kind in ("I", "II", "III")[2 * (ddf == "Kenward-Roger") :]:  # which takes its time
        table = fit.anova(type=kind, ddf=ddf)
        assert agrees(table.frame, fit, f"anova(t, type = '{kind}', ddf = '{ddf}')")
        columns = ["sum_sq", "mean_sq", "num_df", "den_df", "f_value", "p_value", "ddf"]
        assert list(table.frame.columns) == columns  # of a model with an intercept alone too
        assert set(table.frame["ddf"]) <= {ddf}
        assert str(table).startswith(f"Type {kind} Analysis of Variance Table with {ddf}'s method") or table.frame.empty
    assert fit.anova(ddf=ddf).frame.equals(table.frame)  # type III
    assert fit.anova(type=3, ddf=ddf).frame.equals(table.frame)
    assert list(table.hypotheses) == list(table.frame.index)
    for term, contrasts in table.hypotheses.items():
        tested = plain(
            fit, f"as.vector(lmerTest::show_tests(anova(lmerTest::as_lmerModLmerTest(m)))${term!r})".replace("'", "`")
        )
        assert same_bits(contrasts, tested)
        assert list(contrasts.columns) == list(fit.terms)


def test_lme4s_own_table_has_no_other_type():
    with pytest.raises(InvalidArgument, match=r"sequential \(type 'I'\); name a method too"):
        fitted("cake").anova(type="III")
    with pytest.raises(InvalidArgument, match="type is 'IV'"):
        fitted("cake").anova(type="IV", ddf="Satterthwaite")
    with pytest.raises(InvalidArgument, match="ddf is 'exact'; one of 'lme4', 'Satterthwaite', 'Kenward-Roger'"):
        fitted("cake").anova(ddf="exact")
    with pytest.raises(InvalidArgument, match="for the comparison of several"):
        fitted("cake").anova(refit=False)


SMALLER = {  # what to take from each model for two smaller ones
    "sleepstudy": ("Reaction ~ Days + (1 | Subject)", "Reaction ~ 1 + (Days | Subject)"),
    "pastes": ("strength ~ 1 + (1 | batch)", "strength ~ 1 + (1 | cask:batch)"),
    "penicillin": ("diameter ~ 1 + (1 | plate)", "diameter ~ 1 + (1 | sample)"),
    "cake": ("angle ~ recipe + temperature + (1 | recipe:replicate)", "angle ~ temperature + (1 | recipe:replicate)"),
    "orthodont": ("distance ~ age + Sex + (age | Subject)", "distance ~ age * Sex + (1 | Subject)"),
    "double_bar": ("Reaction ~ Days + (1 | Subject)", "Reaction ~ Days + (0 + Days | Subject)"),
}


def several(name, **options):
    """One of the models and its smaller ones, compared by us and by plain R."""
    formula, dataset, package = MODELS[name]
    data = fitted(name).spec.data
    fits = [fitted(name), *(lmer(smaller, data) for smaller in SMALLER[name])]
    ours = fits[0].anova(*fits[1:], **options)
    models = ", ".join(f"lme4::lmer({text}, d, REML = TRUE)" for text in (formula, *SMALLER[name]))
    return fits, ours, f"{{d <- {package or 'lme4'}::{dataset}; anova({models}, model.names = c('m1', 'm2', 'm3'))}}"


@pytest.mark.parametrize("name", MODELS)
def test_several_models_are_compared_as_r_compares_them_to_the_bit(name):
    fits, ours, code = several(name)
    values, rows = r_table(fits[0], f"suppressMessages({code})")
    assert same_bits(ours.frame.drop(columns="formula"), values)
    assert list(ours.frame.index) == list(rows)
    assert list(ours.frame.columns)[1:] == ["npar", "aic", "bic", "loglik", "deviance", "chisq", "df", "p_value"]
    assert list(ours.frame["formula"]) == [fits[int(row[1]) - 1].formula for row in rows]
    assert ours.refitted
    assert str(ours).startswith("refitting model(s) with ML (instead of REML)\nData: data\nModels:\n")


LINEAR = {  # without a random effect
    "sleepstudy": ("Reaction ~ Days", "Reaction ~ 1"),
    "pastes": ("strength ~ 1", "strength ~ batch"),
    "penicillin": ("diameter ~ plate", "diameter ~ 1"),
    "cake": ("angle ~ recipe * temperature", "angle ~ recipe"),
    "orthodont": ("distance ~ age * Sex", "distance ~ age + Subject"),
    "double_bar": ("Reaction ~ factor(Days)", "Reaction ~ Days + I(Days^2)"),
}


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("name", MODELS)
def test_a_linear_model_is_compared_as_r_compares_it_to_the_bit(name, reml):
    (formula, dataset, package), fit = MODELS[name], fitted(name, reml=reml)
    linear = LINEAR[name]
    ours = fit.anova(*linear)
    fits = ", ".join(f"lm({text}, d)" for text in linear)
    models = f"lme4::lmer({formula}, d, REML = {str(reml).upper()}), {fits}"
    names = ", ".join(f"'m{i}'" for i in range(1, len(linear) + 2))
    code = f"{{d <- {package or 'lme4'}::{dataset}; anova({models}, model.names = c({names}))}}"
    values, rows = r_table(fit, f"suppressMessages({code})")
    assert same_bits(ours.frame.drop(columns="formula"), values)
    assert list(ours.frame.index) == list(rows)
    assert list(ours.frame["formula"]) == [[fit.formula, *linear][int(row[1]) - 1] for row in rows]
    assert ours.refitted == reml


def test_a_linear_model_has_the_fit_s_weights_offset_and_subset(sleepstudy):
    data = sleepstudy.assign(w=np.arange(180.0) + 1, z=np.arange(180.0), use=sleepstudy.Days > 1, person=range(180))
    fit = lmer("Reaction ~ Days + (1 | Subject)", data, weights="w", offset="z", subset="use", reml=False)
    ours = fit.anova("Reaction ~ Days", fit.update(". ~ . - Days")).frame
    code = "{d <- lme4::sleepstudy; d$w <- 1:180; d$z <- 0:179; lm(Reaction ~ Days, d, Days > 1, w, offset = z)}"
    theirs = plain(fit, f"{{l <- {code}; c(logLik(l), attr(logLik(l), 'df'), AIC(l), BIC(l))}}")
    assert same_bits(ours.loc["m2", ["loglik", "npar", "aic", "bic"]], theirs)
    assert set(ours.index[:2]) == {"m2", "m3"}


def test_a_number_that_groups_is_a_number_in_a_linear_model(sleepstudy):
    data = sleepstudy.assign(person=sleepstudy.Subject.astype(int))
    fit = lmer("Reaction ~ Days + (1 | person)", data)
    assert fit.anova("Reaction ~ Days + person").frame.loc["m2", "npar"] == 4


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("Reaction ~ Days + (1 | Subject)", FormulaError, "without random terms"),
        ("Reaction ~ .", FormulaError, "is expected"),
        ("~ Days", FormulaError, "'response ~ terms' is expected"),
        ("Reaction ~ system('ls')", UnsafeFormula, "system"),
        ("Reaction ~ hours", MissingColumns, "'hours'"),
        ("log(Reaction) ~ Days", InvalidArgument, "m1 and m2 have different responses"),
    ],
)
def test_a_linear_model_that_cannot_be_compared_is_an_error(text, error, words):
    with pytest.raises(error, match=words):
        fitted("sleepstudy").anova(text)


def test_a_linear_model_of_more_rows_is_an_error(sleepstudy):
    data = sleepstudy.assign(x=sleepstudy.Days.where(sleepstudy.index > 4))
    fit = lmer("Reaction ~ Days + x + (1 | Subject)", data, na_action="omit")
    with pytest.raises(InvalidArgument, match=r"not fitted to the same rows \(175 and 180 of them\)"):
        fit.anova("Reaction ~ Days")
    assert list(fit.anova("Reaction ~ x").frame.index) == ["m2", "m1"]


def test_without_refit_likelihoods_are_the_fits_own_and_other_fixed_parts_are_warned_of():
    fit = fitted("sleepstudy")
    data = fit.spec.data
    smaller = lmer("Reaction ~ Days + (1 | Subject)", data)
    table = fit.anova(smaller, refit=False, model_names=["slopes", "intercepts"])
    assert list(table.frame["loglik"]) == [float(smaller.loglik), float(fit.loglik)]
    assert list(table.frame.index) == ["intercepts", "slopes"]
    assert not table.refitted
    assert not str(table).startswith("refitting")
    with pytest.warns(LmerBridgeWarning, match="by REML of models with other fixed effects"):
        fit.anova(lmer("Reaction ~ 1 + (1 | Subject)", data), refit=False)
    with pytest.warns(RWarning, match="some models fit with REML = TRUE, some not"):
        fit.anova(lmer("Reaction ~ Days + (1 | Subject)", data, reml=False), refit=False)
    by_ml = fitted("sleepstudy", reml=False)
    assert not by_ml.anova(lmer("Reaction ~ Days + (1 | Subject)", data, reml=False)).refitted


def test_models_of_other_rows_responses_or_values_are_not_compared(sleepstudy):
    fit = lmer("Reaction ~ Days + (1 | Subject)", sleepstudy)
    other = sleepstudy.assign(Days=sleepstudy["Days"] ** 2)
    for formula, data, words in (
        ("Reaction ~ 1 + (1 | Subject)", sleepstudy[:90], r"same rows \(180 and 90 of them\)"),
        ("Reaction ~ 1 + (1 | Subject)", sleepstudy.assign(Reaction=np.sqrt(sleepstudy["Reaction"])), "responses"),
        ("log(Reaction) ~ Days + (1 | Subject)", sleepstudy, "m1 and m2 have different responses"),
        ("Reaction ~ Days + (Days | Subject)", other, "different values of Days"),
    ):
        with pytest.raises(InvalidArgument, match=words):
            fit.anova(lmer(formula, data))
    with pytest.raises(InvalidArgument, match="anova is given a str; fits of lmer are expected"):
        fit.anova("Satterthwaite")
    with pytest.raises(InvalidArgument, match="2 different names are expected"):
        fit.anova(fit, model_names=["a", "a"])
    with pytest.raises(InvalidArgument, match="likelihood ratios have neither"):
        fit.anova(fit, ddf="Satterthwaite")


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("test", ["none", "Chisq"])
def test_drop1_without_ddf_is_lme4s_to_the_bit(name, test):
    fit = fitted(name)
    table = fit.drop1(test=test)
    assert agrees(table.frame, fit, f"drop1(m, test = '{test}')", rtol=0)
    assert list(table.frame.columns) == ["npar", "aic", *(["lrt", "p_value"] if test == "Chisq" else [])]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "ddf"), list(product(MODELS, APPROXIMATE)))
def test_drop1_with_ddf_is_lmertests(name, ddf):
    fit = fitted(name)
    table = fit.drop1(ddf=ddf)
    assert agrees(table.frame, fit, f"drop1(t, ddf = '{ddf}')")
    assert set(table.frame["ddf"]) <= {ddf}


def test_drop1_takes_a_scope_and_a_price_of_parameters():
    fit = fitted("cake")
    assert agrees(fit.drop1(["recipe:temperature"], k=5).frame, fit, "drop1(m, 'recipe:temperature', k = 5)", rtol=0)
    assert list(fit.drop1(["recipe:temperature"], ddf="Satterthwaite").frame.index) == ["recipe:temperature"]
    with pytest.raises(InvalidArgument, match="scope names time; the terms that can be dropped are recipe:temperature"):
        fit.drop1(["time"])
    with pytest.raises(InvalidArgument, match="scope is empty"):
        fit.drop1([])
    with pytest.raises(InvalidArgument, match="scope names recipe"):
        fit.drop1(["recipe"], ddf="Satterthwaite")  # its interaction contains it
    with pytest.raises(InvalidArgument, match="'F' with another is expected"):
        fit.drop1(test="F")


NO_QUESTION = {  # contrasts of the model of sleepstudy -> what is wrong with them
    "zero": ([0, 0], "no weight but zero"),
    "zeros": (np.zeros((3, 2)), "no weight but zero in row 0"),
    "a term of no weight": ({"Days": 0.0}, "no weight but zero"),
    "no row": (np.zeros((0, 2)), "no weight but zero"),
    "no term": ({}, "the contrast"),
    "huge": ([0, 1e200], r"a weight of size 1e\+200"),
    "tiny": ({"Days": -1e-200}, "a weight of size 1e-200"),
}
ASKED = {  # what takes contrasts, and whether it asks about each row by itself
    "jointly": (lambda fit, given, ddf: fit.contest(given, ddf=ddf), False),
    "by t tests": (lambda fit, given, ddf: fit.contest(given, ddf=ddf, joint=False), True),
    "kr_modcomp": (lambda fit, given, ddf: fit.kr_modcomp(given), False),
    "sat_modcomp": (lambda fit, given, ddf: fit.sat_modcomp(given), False),
    "ddf_lb": (lambda fit, given, ddf: fit.ddf_lb(given), True),
}


@pytest.mark.parametrize(("name", "verb", "ddf"), list(product(NO_QUESTION, ASKED, APPROXIMATE)))
def test_a_contrast_that_asks_nothing_is_refused(name, verb, ddf):  # pbkrtest would test the intercept
    (given, text), (ask, _) = NO_QUESTION[name], ASKED[verb]
    with pytest.raises(InvalidArgument, match=text):
        ask(fitted("sleepstudy"), given, ddf)


@pytest.mark.parametrize("verb", ASKED)
def test_a_row_of_zeros_adds_nothing_to_a_joint_test_and_is_none_by_itself(verb):
    ask, alone = ASKED[verb]
    if alone:
        with pytest.raises(InvalidArgument, match="no weight but zero in row 1"):
            ask(fitted("sleepstudy"), [[0, 1], [0, 0]], "Satterthwaite")
        return
    tests = [ask(fitted("sleepstudy"), given, "Satterthwaite") for given in ([0, 1], [[0, 1], [0, 0]])]
    first, second = (test if isinstance(test, pd.DataFrame) else test.tests for test in tests)
    pd.testing.assert_frame_equal(first, second)


def test_without_fixed_effects_there_is_an_empty_test_and_none_by_itself(sleepstudy):
    fit = lmer("Reaction ~ 0 + (1 | Subject)", sleepstudy)
    for given in ([], np.empty((0, 0)), np.empty((2, 0))):
        assert list(fit.contest(given).columns) == list(fitted("sleepstudy").contest([0, 1]).columns)
        assert len(fit.contest(given)) == 0
        with pytest.raises(InvalidArgument, match="no weight but zero"):
            fit.contest(given, joint=False)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "ddf"), list(product(MODELS, APPROXIMATE)))
def test_a_contrast_is_lmertests_jointly_and_one_by_one(name, ddf):
    fit = fitted(name)
    p = len(fit.terms)
    weights = np.vander(np.arange(1.0, min(p, 3) + 1), p)  # full rank
    matrix = f"L <- matrix(c({', '.join(map(str, weights.ravel()))}), ncol = {p}, byrow = TRUE)"
    rhs = np.arange(len(weights)) / 2
    given = f"rhs = c({', '.join(map(str, rhs))})"
    joint = fit.contest(weights, rhs=rhs, ddf=ddf)
    assert agrees(joint.set_axis(["<none>"]), fit, f"{{{matrix}; lmerTest::contestMD(t, L, {given}, ddf = '{ddf}')}}")
    for i, row in enumerate(weights):
        one = fit.contest(dict(zip(fit.terms, row, strict=True)), rhs=rhs[i], joint=False, ddf=ddf, level=0.9)
        code = f"lmerTest::contest1D(t, L[{i + 1}, ], rhs = {rhs[i]}, ddf = '{ddf}', confint = TRUE, level = 0.9)"
        values, _ = r_table(fit, f"{{{matrix}; {code}}}")
        columns = ["estimate", "std_error", "df", "t_value", "conf_low", "conf_high", "p_value"]
        np.testing.assert_allclose(one[columns].to_numpy()[0], values, rtol=BY_DIFFERENCES)
        assert list(one["ddf"]) == [ddf]


def test_a_contrast_is_found_by_its_terms():
    fit = fitted("cake")
    named = pd.DataFrame({"recipeC": [0, 1], "recipeB": [1, -1]}, index=["B - A", "C - B"])
    table = fit.contest(named, joint=False)
    assert list(table.index) == ["B - A", "C - B"]
    assert list(table["estimate"]) == [fit.fixef["recipeB"], -fit.fixef["recipeB"] + fit.fixef["recipeC"]]
    with pytest.raises(InvalidArgument, match=r"'recipeD', which is no term; the terms are .* Did you mean 'recipeC'?"):
        fit.contest({"recipeD": 1})
    with pytest.raises(InvalidArgument, match="one finite number per term is expected, 18 in all"):
        fit.contest([1, 0])
    with pytest.raises(InvalidArgument, match="one finite number per term is expected, 18 in all"):
        fit.contest({"recipeB": np.nan})
    with pytest.raises(InvalidArgument, match="one for each of the 2 contrasts"):
        fit.contest(named, rhs=[1, 2, 3])
    with pytest.raises(InvalidArgument, match="level is 95"):
        fit.contest(named, level=95)
    with pytest.raises(InvalidArgument, match="ddf is 'lme4'"):
        fit.contest(named, ddf="lme4")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "ddf"), list(product(MODELS, APPROXIMATE)))
def test_least_squares_means_are_lmertests(name, ddf):
    fit = fitted(name)
    which = {"cake": ["recipe"], "orthodont": ["Sex"]}.get(name, [])
    of = f"which = c({', '.join(map(repr, which))})" if which else "which = NULL"
    for verb in ("ls_means", "difflsmeans"):
        table = fit.ls_means(which or None, pairwise=verb == "difflsmeans", ddf=ddf, level=0.8)
        means = f"lmerTest::{verb}(t, {of}, ddf = '{ddf}', level = 0.8)"
        values, rows = r_table(fit, f"as.data.frame({means}, add_levels = FALSE)")
        np.testing.assert_allclose(table.select_dtypes(float).to_numpy().ravel(order="F"), values, rtol=BY_DIFFERENCES)
        columns = ["estimate", "std_error", "df", "t_value", "conf_low", "conf_high", "p_value", "ddf"]
        assert list(table.columns) == ["term", "level", *columns]
        assert set(table["term"]) == set(which)
        pairs = zip(table["term"], table["level"], strict=True)
        assert [" - ".join(term + part for part in level.split(" - ")) for term, level in pairs] == rows


def test_means_are_of_the_factors_asked_for():
    fit = fitted("cake")
    table = fit.ls_means(["recipe"])
    assert list(table["level"]) == ["A", "B", "C"]
    assert set(table["term"]) == {"recipe"}
    with pytest.raises(InvalidArgument, match="which names age; the terms of factors alone are Sex"):
        fitted("orthodont").ls_means(["age"])


def test_lmertests_means_are_refused_where_a_name_needs_backticks_and_emmeans_are_not(sleepstudy):
    data = sleepstudy.rename(columns={"Days": "the days"}).assign(f=["a", "b"] * 90)
    fit = lmer("Reaction ~ `the days` + f + (1 | Subject)", data)
    with pytest.raises(InvalidArgument, match="names need backticks: the days; rename them"):
        fit.ls_means()
    plain_names = lmer("Reaction ~ Days + f + (1 | Subject)", data.rename(columns={"the days": "Days"}))
    expected = plain_names.ls_means(ddf="Kenward-Roger")["estimate"]
    np.testing.assert_allclose(fit.emmeans("f").frame["estimate"], expected, rtol=1e-12)


WAYS = {  # how lmer is called, here and in plain R
    "weights": ({"weights": "w"}, "weights = w"),
    "offset": ({"offset": "o"}, "offset = o"),
    "subset": ({"subset": "s"}, "subset = s"),
    "exclude": ({"na_action": "exclude"}, "na.action = na.exclude"),
    "control": ({"control": {"optimizer": "bobyqa"}}, "control = lmerControl(optimizer = 'bobyqa')"),
    "start": ({"start": [1.0, 0.0, 0.5]}, "start = c(1, 0, 0.5)"),
    "contrasts": ({"contrasts": {"half": "contr.sum"}}, "contrasts = list(half = 'contr.sum')"),
    "all": (
        {"weights": "w", "offset": "o", "subset": "s", "na_action": "exclude"},
        "weights = w, offset = o, subset = s, na.action = na.exclude",
    ),
}
EXTRA = """d <- lme4::sleepstudy
  d$w <- rep(c(1, 2, 0.5), 60); d$o <- d$Days / 7; d$s <- d$Days != 3; d$half <- factor(rep(c("a", "b"), 90))
  if (%s) d$Reaction[c(3, 50)] <- NA
  m <- lmer(Reaction ~ Days + half + (Days | Subject), d, %s)
  m0 <- lmer(Reaction ~ half + (Days | Subject), d, %s)"""


def extra(datasets, way):
    """Two fits of a model with arguments a row, and plain R's."""
    ours, theirs = WAYS[way]
    missing = "na_action" in ours
    data = datasets("sleepstudy")
    data["w"] = np.tile([1, 2, 0.5], 60)
    data["o"] = data["Days"] / 7
    data["s"] = data["Days"] != 3
    data["half"] = pd.Categorical(["a", "b"] * 90)
    if missing:
        data.loc[[2, 49], "Reaction"] = np.nan
    fits = [lmer(f"Reaction ~ {fixed} + (Days | Subject)", data, **ours) for fixed in ("Days + half", "half")]
    return fits, EXTRA % ("TRUE" if missing else "FALSE", theirs, theirs)


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_lmertest_finds_what_the_fit_was_called_with(datasets, way):
    (fit, _), script = extra(datasets, way)

    def theirs(code):
        found = f"{script}\n t <- lmerTest::as_lmerModLmerTest(m)\n as.double(unlist({code}, use.names = FALSE))"
        return in_r(f"local({{{found}}}, new.env(parent = asNamespace('lme4')))")

    def ours(table):
        return table.select_dtypes("number").to_numpy().ravel(order="F")

    for table, code in (
        (fit.summary("Satterthwaite").coefficients, "coef(summary(t))"),
        (fit.anova(ddf="Satterthwaite").frame, "anova(t)"),
        (fit.drop1(ddf="Satterthwaite").frame, "drop1(t)"),
        (fit.drop1(test="Chisq").frame, "drop1(m, test = 'Chisq')"),
        (fit.ls_means(), "as.data.frame(lmerTest::ls_means(t), add_levels = FALSE)"),
    ):
        np.testing.assert_allclose(ours(table), theirs(code), rtol=BY_DIFFERENCES)


def test_a_refit_and_an_update_are_tested_as_what_they_are(sleepstudy):
    fit = fitted("sleepstudy")
    new = sleepstudy.assign(Reaction=sleepstudy["Reaction"].to_numpy()[::-1] + 3.0 * sleepstudy["Days"])
    fresh = lmer("Reaction ~ Days + (Days | Subject)", new)
    for changed in (fit.refit(new["Reaction"]), fit.update(data=new)):
        for verb in (
            lambda each: each.summary("Satterthwaite").coefficients,
            lambda each: each.drop1(test="Chisq").frame,
        ):
            ours, theirs = verb(changed).select_dtypes("number"), verb(fresh).select_dtypes("number")
            np.testing.assert_allclose(ours, theirs, rtol=0.01)  # theta from another start; p is 1e-14
    by_ml = fit.refit_ml().summary("Satterthwaite").coefficients["df"]
    np.testing.assert_allclose(
        by_ml, fitted("sleepstudy", reml=False).summary("Satterthwaite").coefficients["df"], rtol=1e-3
    )


def test_kenward_roger_is_refused_where_its_implementation_is_wrong_or_has_none(datasets):
    (weighted, _), _ = extra(datasets, "weights")
    for ask in (weighted.summary, weighted.drop1):
        with pytest.raises(InvalidArgument, match="leaves out of the covariance of the response; use Satterthwaite's"):
            ask(ddf="Kenward-Roger")
    with pytest.raises(InvalidArgument, match="for a fit by REML, and this one is by ML"):
        fitted("sleepstudy", reml=False).anova(ddf="Kenward-Roger")


def test_a_structured_covariance_is_refused_by_all_that_is_not_known_to_hold_for_it(sleepstudy):
    if not lme4_has("structured_covariance"):
        pytest.skip("lme4 has no covariance structures")
    fit = lmer("Reaction ~ Days + diag(Days | Subject)", sleepstudy)
    verbs = (fit.summary, fit.anova, fit.drop1, fit.step, partial(fit.contest, {"Days": 1}), fit.ls_means)
    asked = [partial(verb, ddf=ddf) for verb in verbs for ddf in APPROXIMATE]
    for ask in (*asked, fit.ranova, fit.vcov_kr, partial(fit.kr_modcomp, [0, 1]), partial(fit.sat_modcomp, [0, 1])):
        with pytest.raises(InvalidArgument, match=r"this one has diag\. Compare models by anova\(\) or pb_modcomp\(\)"):
            ask()
    smaller = lmer("Reaction ~ 1 + diag(Days | Subject)", sleepstudy)
    assert fit.anova(smaller).frame["chisq"].iloc[1] == pytest.approx(fit.pb_modcomp(smaller, nsim=1).statistic)


def test_an_autoscaled_model_has_no_degrees_of_freedom(sleepstudy):
    """lme4 2.1 gives a covariance of other columns than the estimates: Satterthwaite's came out as 2e-13 for 17."""
    if not lme4_has("autoscale"):
        pytest.skip("lme4 has no autoscale")
    fit = lmer("Reaction ~ Days + (Days | Subject)", sleepstudy, control={"autoscale": True})
    for ask in (
        partial(fit.summary, "Satterthwaite"),
        partial(fit.kr_modcomp, [0, 1]),
        partial(fit.sat_modcomp, [0, 1]),
    ):
        with pytest.raises(InvalidArgument, match="fitted with autoscale"):
            ask()


def test_what_lmertest_says_of_a_model_it_says_whenever_it_is_asked(sleepstudy):
    noise = in_r("{set.seed(4); rnorm(180)}")  # on these lmertest's Hessian has a negative eigenvalue
    with pytest.warns(LmerBridgeWarning, match="singular"):
        fit = lmer("y ~ Days + (Days | Subject)", sleepstudy.assign(y=noise))
    for _ in range(2):
        with pytest.warns(RWarning, match="failed to converge with 1 negative eigenvalue"):
            summary = fit.summary("Satterthwaite")
        assert any("eigenvalue" in condition.text for condition in summary.conditions)


def test_a_model_without_fixed_effects_has_tables_with_the_same_columns(sleepstudy):
    fit = lmer("Reaction ~ 0 + (1 | Subject)", sleepstudy)
    columns = list(fitted("sleepstudy").summary("Satterthwaite").coefficients.columns)
    assert list(fit.summary("Satterthwaite").coefficients.columns) == columns
    assert fit.summary().coefficients.shape == (0, 3)
    assert fit.summary().correlation.shape == (0, 0)
    for ddf in ("lme4", *APPROXIMATE):
        empty, other = fit.anova(ddf=ddf).frame, fitted("sleepstudy").anova(ddf=ddf).frame
        assert len(empty) == 0
        assert dict(empty.dtypes) == dict(other.dtypes)
    for ddf in APPROXIMATE:
        ours = list(fit.anova(ddf=ddf).text.splitlines())
        theirs = f"capture.output(print(anova(lmerTest::lmer(Reaction ~ 0 + (1 | Subject), m@frame), ddf = '{ddf}')))"
        assert ours == plain(fit, theirs)


@pytest.mark.parametrize("verb", ["summary", "vcov_kr", "drop1"])
@pytest.mark.parametrize("reml", [True, False])
def test_kenward_roger_of_no_fixed_effect_is_refused_for_that_and_not_for_the_criterion(verb, reml, sleepstudy):
    fit = lmer("Reaction ~ 0 + (1 | Subject)", sleepstudy, reml=reml)
    with pytest.raises(InvalidArgument, match="is for tests of fixed effects, and this model has none") as refusal:
        getattr(fit, verb)(**({} if verb == "vcov_kr" else {"ddf": "Kenward-Roger"}))
    assert "reml=" not in str(refusal.value)


def test_dropped_columns_are_no_terms_of_a_contrast(sleepstudy):
    with pytest.warns(LmerBridgeWarning, match="rank deficient"):
        fit = lmer("Reaction ~ Days + twice + (1 | Subject)", sleepstudy.assign(twice=2 * sleepstudy["Days"]))
    assert fit.contest({"Days": 1})["num_df"].to_list() == [1]
    with pytest.raises(InvalidArgument, match="'twice', which is no term"):
        fit.contest({"twice": 1})


def test_results_survive_a_pickle():
    fit = fitted("cake")
    for result in (fit.summary("Satterthwaite"), fit.anova(ddf="Satterthwaite"), fit.drop1()):
        again = pickle.loads(pickle.dumps(result))
        assert str(again) == str(result)
        assert again.ddf == result.ddf


PLAIN = """
from lmerbridge import lmer, load_dataset
from lmerbridge.bridge import host
def loaded():
    asked = {"X": ["lmerTest", "pbkrtest", "ggplot2"], "FUN": "isNamespaceLoaded", "simplify": False}
    return {name for name, there in host.call("call_named", fun="sapply", args=asked).values.items() if there[0]}
fit = lmer("Reaction ~ Days + (Days | Subject)", load_dataset("sleepstudy", "lme4"))
fit.summary(), fit.anova(), fit.drop1(), str(fit)
print(sorted(loaded()))
fit.summary("Satterthwaite")
print("lmerTest" in loaded(), "pbkrtest" in loaded())
fit.summary("Kenward-Roger")
print("pbkrtest" in loaded())
"""


@pytest.mark.slow
def test_other_packages_of_r_are_loaded_when_they_are_asked_for():
    assert run(PLAIN).split("\n") == ["[]", "True False", "True"]
