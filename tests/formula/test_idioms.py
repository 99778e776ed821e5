"""What users of R write: harmless idioms are fitted as in R, and predict with the fit's own constants, or are told."""

import itertools

import numpy as np
import pandas as pd
import pytest

from lmerbridge import errors, lm_list, lmer
from lmerbridge.formula.formula import parse
from lmerbridge.formula.syntax import PACKAGES
from tests.oracle import plain, same_bits

IDIOMS = {  # a term, and whether other data than the fit's can be predicted
    **dict.fromkeys(("poly(x, 2, raw = T)", "scale(x, scale = F)", "I(x * pi)", "(n > 20)", "x * (n > 20)"), True),
    **dict.fromkeys(("splines::ns(x, 3)", "splines::bs(x, 4)", "stats::poly(x, 2)", "base::scale(x)"), True),
    **dict.fromkeys(("base::log(x + 9)", "sign(x)", "trunc(x)", "tanh(x)", "plogis(x)", "qlogis(pnorm(x))"), True),
    **dict.fromkeys(("I(x - mean(x))", "I((x - mean(x)) / sd(x))", "I(x > median(x))", "I(x / max(abs(x)))"), True),
    **dict.fromkeys(("I((x - min(x)) / (max(x) - min(x)))", "I(x > quantile(x, 0.9))", "I(x * var(x))"), True),
    **dict.fromkeys(("I(x > 1)", "ifelse(x > mean(x), x, 0)", "poly(I(x - base::mean(x)), 2)", "(n %% 3 == 1)"), True),
    **dict.fromkeys(("rank(x)", "as.vector(scale(x))", "I(x - mean(rank(x)) * rank(x))"), False),
}
DRAW = np.random.default_rng(5)
FRAME = pd.DataFrame({"x": DRAW.normal(size=60), "n": DRAW.integers(1, 40, 60), "g": np.repeat(list("abcdef"), 10)})
FRAME = FRAME.assign(y=DRAW.normal(size=60) + FRAME["x"], f=np.tile(list("uvw"), 20), w=np.exp(FRAME["x"]))
AGAIN = """as.vector(lme4::fixef(lme4::lmer(y ~ %s + (1 | g), get("data", environment(formula(m))))))"""


def fit(term, data=FRAME, **arguments):
    return lmer(f"y ~ {term} + (1 | g)", data, control={"check.conv.singular": "ignore"}, **arguments)


@pytest.mark.parametrize("term", IDIOMS)
def test_an_idiom_is_fitted_to_the_bits_and_under_the_names_of_r(term):
    found = fit(term)
    assert same_bits(found.beta, plain(found, AGAIN % term))
    assert list(found.terms) == plain(found, "names(lme4::fixef(m))")


@pytest.mark.parametrize("term", IDIOMS)
def test_new_data_are_predicted_with_the_fit_s_own_constants_whatever_rows_they_are(term):
    found = fit(term)
    if not IDIOMS[term]:
        with pytest.raises(errors.InvalidArgument, match="depends on all the rows"):
            found.predict(FRAME)
        return
    for rows in ([3], [7, 7, 12], range(30, 60)):
        np.testing.assert_allclose(found.predict(FRAME.iloc[rows]), found.fitted.iloc[rows], rtol=1e-9)


@pytest.mark.parametrize("option", [{"weights": "w"}, {"subset": FRAME["n"] > 10}, {"reml": False}])
def test_constants_are_the_fit_s_beside_any_option_in_slopes_and_after_update_and_refit(option):
    found = lmer("y ~ I(x - mean(x)) + (0 + I(x / sd(x)) | g)", FRAME, **option)
    for model in (found, found.update(". ~ . + f", data=FRAME), found.refit(FRAME["y"].to_numpy() * 2)):
        expected = model.fitted.reindex(FRAME.index)[[5, 6]].dropna()
        np.testing.assert_allclose(model.predict(FRAME.loc[expected.index]), expected, rtol=1e-9)


def test_means_and_trends_have_the_constants_too():
    """A statistic of R's grid, which holds each value once, is another than the fit's."""
    found, mean = fit("f + I((x - mean(x))^2) + poly(x, 2, raw = T)"), float(FRAME["x"].mean())
    same = fit(f"f + I((x - {mean!r})^2) + poly(x, 2, raw = TRUE)")
    at = {"x": [-1.0, 0.0, 2.0]}
    for ask in (lambda m: m.emmeans("x", at=at).frame, lambda m: m.emtrends("f", "x").frame):
        pd.testing.assert_frame_equal(ask(found), ask(same), rtol=1e-6)


def test_a_list_of_models_whose_statistics_r_would_compute_anew_predicts_no_other_data():
    with pytest.raises(errors.InvalidArgument, match=r"mean\(\) anew"):
        lm_list("y ~ I(x - mean(x)) | g", FRAME).predict(FRAME)


@pytest.mark.parametrize("name", ["T", "F", "pi"])
def test_a_column_of_the_data_wins_over_a_value_of_r_as_in_r(name):
    data = FRAME.assign(**{name: FRAME["x"] * 2})
    found = fit(f"{name} + I({name}^2)", data)
    assert list(found.terms)[1:] == [name, f"I({name}^2)"]
    assert same_bits(found.beta, fit("u + I(u^2)", data.assign(u=data[name])).beta)
    assert same_bits(found.update(". ~ . - 1").beta, fit("u + I(u^2) - 1", data.assign(u=data[name])).beta)
    with pytest.raises(errors.FormulaError, match="instead of"):
        fit(f"poly(x, degree = {name})", data)


@pytest.mark.parametrize(("package", "name"), [(p, n) for p, names in PACKAGES.items() for n in names])
def test_a_function_is_found_in_its_own_package_alone(package, name):
    call = f"{name}(x)" if not name.startswith("contr.") else f"{name}(3)"
    assert f"{package}::{call}" in parse(f"y ~ {package}::{call} + (1 | g)").text
    for other in {*PACKAGES, "utils"} - {package}:
        with pytest.raises(errors.UnsafeFormula, match=f"calls {other}::{name}"):
            parse(f"y ~ {other}::{call} + (1 | g)")


LIMITED = [  # what would take R minutes or all memory
    *(
        f"{f}(x, {a} = {b})"
        for f, a, b in itertools.product(("ns", "bs", "splines::bs"), ("knots",), ("1:10000", "c(1:200)"))
    ),
    *("bs(x, Boundary.knots = c(1:500, 2))", "bs(x, df = 1e6)", "bs(x, degree = 1e6)", "ns(x, intercept = 1e9)"),
    *("cut(x, 0:10000)", "cut(x, c(0:900, 1:900))", "cut(x, 1e6)", "poly(x, 200)", "poly(x, degree = 1:5000)"),
    *("I(x + 1:1e9)", "I(x + 1e9:1)", "I(x * c(1:2, 1:1e8))", "(n > 1:1e9)", "C(f, contr.helmert(1:5000))"),
    *("mean(1:1e9)", "quantile(x, 1:1e9)", "factor(n, levels = 1:20000)", "pmax(x, 1:1e7)"),
]


@pytest.mark.parametrize("term", LIMITED)
def test_what_would_take_all_time_or_memory_is_refused_before_r(term, monkeypatch):
    monkeypatch.setattr("lmerbridge.bridge.host.worker", lambda: pytest.fail("R was asked"))
    with pytest.raises(errors.FormulaError, match=r"up to|at most"):
        fit(term)


@pytest.mark.parametrize("unit", ["sec", "secs", "1 min", "min"])
def test_times_are_cut_into_a_limited_number_of_pieces(unit):
    data = FRAME.assign(t=pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(60), "D"))
    with pytest.raises(errors.InvalidArgument, match=r"cut\(\) would make .* levels, of which at most 10000"):
        fit(f"cut(t, '{unit}')", data)
    assert len(fit("cut(t, 'month')", data).terms) == 2


TOLD = {  # what is written: what is told
    "(1 || g)": r"write \(1 \| g\)",
    "(1 | factor(n))": r"write \(1 \| a\) for \(1 \| factor\(a\)\)",
    "(1 | interaction(f, g))": r"\(1 \| a:b\) for \(1 \| interaction\(a, b\)\)",
    "C(n) + (1 | g)": r"C\(factor\(x\)\)",
    "np.log(w) + (1 | g)": r"write log\(\)",
    "numpy.sqrt(w) + (1 | g)": r"write sqrt\(\)",
    "np.where(x > 0, 1, 0) + (1 | g)": r"write ifelse\(test, yes, no\)",
    "center(x) + (1 | g)": r"write scale\(x\)",
    "Q('x') + (1 | g)": "name in backticks",
    "ave(x, g) + (1 | g)": "made in Python before the fit",
    "n > 20 + (1 | g)": r"write parentheses .* \(x > 1\)",
}


@pytest.mark.parametrize("right", TOLD)
def test_an_error_says_what_to_write(right):
    if right.startswith("C(n)") and plain(fit("x"), "tryCatch(is.factor(C(c(1, 2, 1))), error = function(e) FALSE)")[0]:
        pytest.skip("this R makes a factor of the numbers in C()")
    with pytest.raises(errors.FormulaError, match=TOLD[right]):
        lmer(f"y ~ {right}", FRAME)


def test_a_response_of_several_columns_is_told_to_be_one():
    with pytest.raises(errors.FormulaError, match="one column as the response"):
        lmer("cbind(y, x) ~ 1 + (1 | g)", FRAME)


def test_a_function_as_a_grouping_factor_is_fitted_where_r_fits_it():
    found = lmer("y ~ n + (1 | factor(n))", FRAME)
    assert same_bits(found.theta, lmer("y ~ n + (1 | n)", FRAME).theta)


@pytest.mark.parametrize("formula", ["log(x) ~ n + (1 | g)", "y ~ log(x) + (1 | g)", "y ~ n + (0 + sqrt(x) | g)"])
def test_rows_for_which_a_function_has_no_value_are_told_to_lack_its_value(formula):
    call = "sqrt" if "sqrt" in formula else "log"
    with pytest.warns(errors.RWarning, match="NaNs"), pytest.warns(errors.RowsLeftOutWarning, match=rf"of {call}\(x\)"):
        lmer(formula, FRAME, control={"check.conv.singular": "ignore"})
    with pytest.raises(errors.UnfitData, match=rf"no row has a value of {call}\(x\)"):
        lmer(formula, FRAME.assign(x=-FRAME["w"]))


@pytest.mark.parametrize("argument", ["weights", "offset", "subset"])
def test_an_argument_written_as_an_expression_is_told_to_be_a_column_or_an_array(argument):
    with pytest.raises(errors.MissingColumns, match=rf"{argument}= also takes an array .* 1 / data\['z'\]"):
        fit("x", **{argument: "1 / w"})


def test_joint_tests_without_a_term_and_a_dropped_comparison_are_refused_in_words():
    with pytest.raises(errors.InvalidArgument, match="and there are none"):
        fit("1").joint_tests()
    found = fit("x + (n > 20)")
    for verb in (found.drop1, found.step):
        with pytest.raises(errors.InvalidArgument, match=r"write I\(n > 20\)"):
            verb()
    assert found.update(". ~ . - x").formula == "y ~ (n > 20) + (1 | g)"
