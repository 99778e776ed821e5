"""Estimated marginal means, trends and their contrasts: emmeans' numbers, with the method for their df beside them."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest

from lmerbridge import lmer
from lmerbridge.bridge import host
from lmerbridge.errors import InvalidArgument, RWarning
from tests.chance import generator
from tests.oracle import fitted, plain, same_bits

GRIDS = {  # model -> our specs, at; R's arguments
    "sleepstudy": ("1", {"Days": [0, 9]}, '"1", at = list(Days = c(0, 9))'),
    "double_bar": ("Days", {"Days": [0, 9]}, '"Days", at = list(Days = c(0, 9))'),
    "pastes": ("1", None, '"1"'),
    "penicillin": ("1", None, '"1"'),
    "cake": (["recipe", "temperature"], None, 'c("recipe", "temperature")'),
    "orthodont": ("Sex", {"age": 11}, '"Sex", at = list(age = 11)'),
}
METHODS = ("kenward-roger", "satterthwaite", "asymptotic")
COLUMNS = 'c("%s", "SE", "df", if (all(is.finite(s$df))) c("lower.CL", "upper.CL") else c("asymp.LCL", "asymp.UCL"))'
TESTS = 'c("%s", "SE", "df", if (all(is.finite(s$df))) "t.ratio" else "z.ratio", "p.value")'
NUMBERS = ["estimate", "std_error", "df", "conf_low", "conf_high"]
F = 'c("df1", "df2", "F.ratio", "p.value")'
TESTED = ["estimate", "std_error", "df", "statistic", "p_value"]


def in_plain_r(fit, code, columns=COLUMNS, name="emmean", arguments="infer = TRUE", more="NULL"):
    """Columns of emmeans' summary of a grid `g`, and more of it."""
    made = f"g <- suppressMessages({code}); s <- summary(g, {arguments})"
    return plain(fit, f"{made}; c(unlist(unclass(s)[{columns % name}], use.names = FALSE), {more})")


@pytest.fixture(scope="module")
def rich(sleepstudy):
    rng = generator(1)
    return sleepstudy.assign(
        f=np.array(list("abc"))[rng.integers(0, 3, 180)],
        h=np.array(list("pqrs"))[rng.integers(0, 4, 180)],
        w=rng.uniform(1, 2, 180),
        z=rng.normal(size=180),
        use=rng.integers(0, 4, 180) > 0,
    )


@pytest.fixture(scope="module")
def cake():
    return fitted("cake")


@pytest.fixture(scope="module")
def recipes(cake):
    """Means by recipe, without degrees of freedom: Kenward and Roger's take a second each time."""
    return cake.emmeans("recipe", ddf="asymptotic")


@pytest.mark.parametrize(
    ("name", "ddf"),
    [
        *((name, "kenward-roger") for name in GRIDS),
        *((name, "satterthwaite") for name in ("sleepstudy", "cake", "orthodont")),
        *((name, "asymptotic") for name in ("pastes", "cake")),
    ],
)
def test_means_and_their_limits_are_those_of_emmeans(name, ddf):
    fit, (specs, at, in_r) = fitted(name), GRIDS[name]
    means = fit.emmeans(specs, at=at, ddf=ddf)
    assert means.ddf == means.frame.attrs["ddf"] == ddf
    code = f'emmeans::emmeans(m, {in_r}, lmer.df = "{ddf}")'
    ours = [part.to_numpy().ravel(order="F") for part in (means.frame[NUMBERS], means.linfct, means.vcov)]
    assert same_bits(np.concatenate(ours), in_plain_r(fit, code, more="as.vector(g@linfct), as.vector(vcov(g))"))
    assert means.linfct.columns.tolist() == list(fit.terms)
    np.testing.assert_allclose(means.linfct @ fit.beta, means.frame["estimate"], rtol=1e-12)
    assert means.estimate_name == "emmean"


def test_rows_are_told_by_their_levels(cake):
    means = cake.emmeans("recipe", by="temperature", ddf="asymptotic")
    expected = pd.MultiIndex.from_product([["175", "185", "195", "205", "215", "225"], ["A", "B", "C"]])
    assert list(means.grid[["temperature", "recipe"]].astype(str).itertuples(index=False, name=None)) == list(expected)
    assert means.by == ("temperature",)
    formula = cake.emmeans("~ recipe | temperature", ddf="asymptotic")
    pd.testing.assert_frame_equal(formula.frame, means.frame)
    pd.testing.assert_frame_equal(means.frame[list(means.grid)], means.grid, check_column_type=False)


@pytest.mark.parametrize("adjust", ["tukey", "none", "holm", "sidak", "bonferroni", "scheffe"])
def test_pairs_within_levels_and_their_p_values_are_those_of_emmeans(cake, adjust):
    ddf = "kenward-roger" if adjust == "tukey" else "asymptotic"
    pairs = cake.emmeans("recipe", by="temperature", ddf=ddf).pairs(adjust=adjust)
    tests = pairs.test()
    of = f'emmeans::emmeans(m, "recipe", by = "temperature", lmer.df = "{ddf}")'
    code = f'emmeans::contrast({of}, "pairwise", adjust = "{adjust}")'
    limits = f"unlist(unclass(s)[{COLUMNS % 'estimate'}], use.names = FALSE)"
    ours = [part.to_numpy().ravel(order="F") for part in (tests[TESTED], pairs.frame[NUMBERS])]
    assert same_bits(np.concatenate(ours), in_plain_r(cake, code, TESTS, "estimate", more=limits))
    assert tests["contrast"].tolist()[:3] == ["A - B", "A - C", "B - C"]
    assert set(tests["ddf"]) == {ddf}
    assert tests["adjust"].str.contains(adjust[:6]).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "in_r"),
    [
        ("trt.vs.ctrl", '"trt.vs.ctrl"'),
        ("poly", '"poly"'),
        ("consec", '"consec"'),
        ("eff", '"eff"'),
        (
            {"A - rest": [1, -0.5, -0.5], "B - C": [0, 1, -1]},
            'list("A - rest" = c(1, -.5, -.5), "B - C" = c(0, 1, -1))',
        ),
        (pd.DataFrame({"sum": [1.0, 1.0, 1.0]}), "list(sum = c(1, 1, 1))"),
    ],
)
def test_contrasts_of_emmeans_and_of_one_s_own(cake, recipes, method, in_r):
    found = recipes.contrast(method)
    code = f'emmeans::contrast(emmeans::emmeans(m, "recipe", lmer.df = "asymptotic"), {in_r})'
    assert same_bits(found.test()[TESTED], in_plain_r(cake, code, TESTS, "estimate"))
    assert found.grid["contrast"].astype(str).tolist() == plain(cake, f"as.character({code}@grid$contrast)")


def test_contrasts_of_contrasts(cake):
    found = cake.emmeans(["recipe", "temperature"], ddf="asymptotic").contrast(interaction=["consec", "poly"]).test()
    of = 'emmeans::emmeans(m, c("recipe", "temperature"), lmer.df = "asymptotic")'
    code = f'emmeans::contrast({of}, interaction = c("consec", "poly"))'
    assert same_bits(found[TESTED], in_plain_r(cake, code, TESTS, "estimate"))


def test_tests_against_a_null_and_on_one_side_and_limits_at_another_level(cake, recipes):
    code = 'emmeans::emmeans(m, "recipe", lmer.df = "asymptotic")'
    for side, r in (("two-sided", "0"), ("left", "-1"), ("right", "1")):
        arguments = f'infer = TRUE, null = 30, side = {r}, adjust = "holm"'
        found = recipes.test(30, side=side, adjust="holm")
        assert same_bits(found[TESTED], in_plain_r(cake, code, TESTS, arguments=arguments))
        assert found["null"].tolist() == [30.0] * 3
    wide = recipes.confint(0.99, adjust="bonferroni")
    arguments = 'infer = TRUE, level = 0.99, adjust = "bonferroni"'
    assert same_bits(wide[NUMBERS], in_plain_r(cake, code, arguments=arguments))
    assert wide.attrs == {"level": 0.99, "ddf": "asymptotic", "adjust": "bonferroni method for 3 estimates"}
    pd.testing.assert_frame_equal(recipes.confint(), recipes.frame)


def test_an_adjustment_that_emmeans_changes_is_told__name(cake):
    """Tukey's is for differences of pairs."""
    tests = cake.emmeans("recipe").test(adjust="tukey")
    assert set(tests["adjust"]) == {"sidak method for 3 tests"}


@pytest.mark.slow
@pytest.mark.parametrize("ddf", METHODS)
def test_trends_are_those_of_emmeans(ddf):
    fit = fitted("orthodont")
    trends = fit.emtrends("Sex", "age", ddf=ddf)
    code = f'emmeans::emtrends(m, "Sex", var = "age", lmer.df = "{ddf}")'
    assert same_bits(trends.frame[NUMBERS], in_plain_r(fit, code, name="age.trend"))
    assert trends.estimate_name == "age.trend"
    by_hand = [fit.fixef["age"], fit.fixef["age"] + fit.fixef["age:SexFemale"]]
    np.testing.assert_allclose(trends.frame["estimate"], by_hand, rtol=1e-9)  # a difference quotient
    code = f"emmeans::contrast({code}, 'pairwise')"
    assert same_bits(trends.pairs().test()[TESTED], in_plain_r(fit, code, TESTS, "estimate"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "ddf", "terms"),
    [
        ("cake", "kenward-roger", ["recipe", "temperature", "recipe:temperature"]),
        ("cake", "asymptotic", ["recipe", "temperature", "recipe:temperature"]),
        ("orthodont", "kenward-roger", ["age", "Sex", "age:Sex"]),
        ("orthodont", "satterthwaite", ["age", "Sex", "age:Sex"]),
        ("double_bar", "satterthwaite", ["Days"]),
    ],
)
def test_joint_tests_are_those_of_emmeans(name, ddf, terms):
    fit = fitted(name)
    code = f'j <- suppressMessages(emmeans::joint_tests(m, lmer.df = "{ddf}"))'
    found = fit.joint_tests(ddf=ddf)
    numbers = found[["df1", "df2", "statistic", "p_value"]]
    assert same_bits(numbers, plain(fit, f"{code}; unlist(unclass(j)[{F}], use.names = FALSE)"))
    assert found["term"].tolist() == terms
    assert set(found["ddf"]) == {ddf}


def test_joint_tests_within_levels_and_of_a_grid(cake):
    code = 'j <- suppressMessages(emmeans::joint_tests(m, by = "recipe", lmer.df = "asymptotic"))'
    found = cake.joint_tests(by="recipe", ddf="asymptotic")
    assert same_bits(found["p_value"], plain(cake, f"{code}; as.vector(j$p.value)"))
    assert found["recipe"].astype(str).tolist() == ["A", "B", "C"]
    of_grid = cake.ref_grid(ddf="asymptotic").joint_tests()
    pd.testing.assert_frame_equal(of_grid, cake.joint_tests(ddf="asymptotic"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("formula", "ddf"),
    [
        ("Reaction ~ f + Days + (1 | Subject)", "satterthwaite"),
        ("Reaction ~ f + poly(Days, 2) + (1 | Subject)", "asymptotic"),
        ("log(Reaction) ~ f + log(Days + 1) + offset(z) + (Days | Subject)", "satterthwaite"),
    ],
)
def test_weights_subset_offset_and_functions_are_found_again(rich, formula, ddf):
    """emmeans recovers the data of a model with functions by evaluating its call again."""
    holes = rich.copy()
    holes.loc[[3, 77], "f"] = None
    fit = lmer(formula, holes, weights="w", subset=rich["use"], na_action="omit", offset=rich["z"] ** 2)
    means = fit.emmeans("f", ddf=ddf)
    offset_for_2_0 = 'm <- lmerTest::as_lmerModLmerTest(m); m@call$offset <- m@frame[["(offset)"]]'
    code = f'{{{offset_for_2_0}; emmeans::emmeans(m, "f", lmer.df = "{ddf}")}}'
    assert same_bits(means.frame[NUMBERS], in_plain_r(fit, code))
    assert len(rich) > fit.nobs
    offset = fit.design().offset.mean()
    np.testing.assert_allclose(means.frame["estimate"], means.linfct @ fit.beta + offset, rtol=1e-10)
    bare = lmer(
        "Reaction ~ f + poly(Days, 2) + (1 | Subject)", holes, weights="w", subset=rich["use"], na_action="omit"
    )
    new = pd.DataFrame({"f": ["a", "b", "c"], "Days": rich["Days"].iloc[bare.rows].mean()})
    found = bare.emmeans("f", ddf="asymptotic").frame["estimate"]
    np.testing.assert_allclose(found, bare.predict(new, re_form="~0"), rtol=1e-10)


def test_levels_are_averaged_as_the_weights_say(rich):
    fit = lmer("Reaction ~ f + h + (1 | Subject)", rich)
    for weights in ("equal", "proportional", "outer", "cells", "flat"):
        found = fit.emmeans("f", weights=weights, ddf="asymptotic")
        code = f'emmeans::emmeans(m, "f", weights = "{weights}", lmer.df = "asymptotic")'
        assert same_bits(found.frame[NUMBERS], in_plain_r(fit, code))


def test_a_transformed_response_is_told_and_undone(rich):
    fit = lmer("log(Reaction) ~ f + (1 | Subject)", rich)
    logs = fit.emmeans("f")
    back = logs.regrid()
    np.testing.assert_allclose(back.frame["estimate"], np.exp(logs.frame["estimate"]), rtol=1e-12)
    code = 'emmeans::regrid(emmeans::emmeans(m, "f"), transform = "response")'
    assert same_bits(back.frame[NUMBERS], in_plain_r(fit, code, name="response"))
    assert "log" in " ".join(logs.notes)
    assert back.pairs().frame["estimate"].iloc[0] == pytest.approx(-np.diff(back.frame["estimate"])[0], rel=1e-10)


def test_effect_sizes_are_those_of_emmeans(cake, recipes):
    found = recipes.eff_size(cake.sigma, 42)
    code = 'emmeans::eff_size(emmeans::emmeans(m, "recipe", lmer.df = "asymptotic"), sigma = sigma(m), edf = 42)'
    assert same_bits(found.frame[NUMBERS], in_plain_r(cake, code, name="effect.size"))


def test_beyond_the_limit_degrees_of_freedom_are_asymptotic_and_a_warning_says_so(cake):
    with pytest.warns(RWarning, match="number of observations exceeds 100"):
        means = cake.emmeans("recipe", limit=100)
    assert means.ddf == "asymptotic"
    assert np.isinf(means.frame["df"]).all()
    with pytest.warns(RWarning, match="exceeds 100"):  # each time
        cake.joint_tests(limit=100)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tests = means.pairs().test()  # told once
    assert set(tests["ddf"]) == {"asymptotic"}


def test_what_emmeans_says_of_interactions_is_a_warning_and_kept(cake):
    with pytest.warns(RWarning, match="involvement in interactions"):
        means = cake.emmeans("recipe", ddf="asymptotic")
    assert any("interactions" in condition.text for condition in means.conditions)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"weights": "w"}, "pbkrtest's Kenward-Roger method leaves out"), ({"reml": False}, "fit by REML")],
)
def test_kenward_roger_is_refused_where_it_would_be_wrong(rich, change, message):
    fit = lmer("Reaction ~ f + (1 | Subject)", rich, **change)
    for ask in (fit.emmeans, fit.ref_grid, fit.joint_tests):
        with pytest.raises(InvalidArgument, match=message):
            ask("f") if ask == fit.emmeans else ask()
    assert fit.emmeans("f", ddf="satterthwaite").ddf == "satterthwaite"


@pytest.mark.slow
def test_a_grid_outlives_its_process_and_pickles(cake):
    means = cake.emmeans("recipe", by="temperature", ddf="asymptotic")
    pairs = means.pairs()
    before = pairs.test()
    copy = pickle.loads(pickle.dumps(means))
    other = cake.emmeans("temperature", ddf="asymptotic")
    pd.testing.assert_frame_equal(means.pairs().test(), before)
    host.close()
    pd.testing.assert_frame_equal(pairs.test(), before)
    pd.testing.assert_frame_equal(copy.pairs().test(), before)
    assert len(other.pairs().frame) == 15


def test_a_method_for_degrees_of_freedom_has_the_spelling_of_anova_and_that_of_emmeans(cake):
    one, other = (cake.emmeans("recipe", ddf=ddf) for ddf in ("Satterthwaite", "satterthwaite"))
    assert one.ddf == other.ddf == "satterthwaite"
    pd.testing.assert_frame_equal(one.frame, other.frame)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda fit: fit.emmeans("angle"), "specs names 'angle'; '1', 'recipe', 'temperature' are there"),
        (lambda fit: fit.emmeans("recipe", by="replicate"), "by names 'replicate'"),
        (lambda fit: fit.emmeans("pairwise ~ recipe"), r"names, or a formula such as '~ a \| b', are expected"),
        (
            lambda fit: fit.emmeans("recipe", ddf="krs"),
            "ddf is 'krs'; one of 'Kenward-Roger', 'Satterthwaite', 'asymptotic'",
        ),
        (lambda fit: fit.emmeans("recipe", weights="none"), "weights is 'none'"),
        (lambda fit: fit.emmeans("recipe", at={"x": 1}), "at names 'x'"),
        (lambda fit: fit.emmeans("recipe", at={"temperature": [[1]]}), r"at\['temperature'\]"),
        (lambda fit: fit.emmeans("recipe", level=95), "level is 95"),
        (lambda fit: fit.emtrends("recipe", "system('ls')"), "var names"),
        (lambda fit: fit.emtrends("recipe", "temperature", max_degree=9), "max_degree is 9"),
        (lambda fit: fit.joint_tests(by="x"), "by names 'x'"),
        (lambda fit: fit.emmeans("recipe", ddf="asymptotic").contrast("system"), "method is 'system'"),
        (
            lambda fit: fit.emmeans("recipe", ddf="asymptotic").contrast({"a": [1, -1]}),
            r"the contrast 'a' is \[1, -1\]; one number per row of the grid is expected, 3 in all",
        ),
        (lambda fit: fit.emmeans("recipe", ddf="asymptotic").contrast(5), "method is 5"),
        (lambda fit: fit.emmeans("recipe", ddf="asymptotic").contrast(interaction="rm"), "interaction is 'rm'"),
        (lambda fit: fit.emmeans("recipe", ddf="asymptotic").pairs(by="x"), "by names 'x'; 'recipe' are there"),
        (lambda fit: fit.emmeans("recipe", ddf="asymptotic").test(side="up"), "side is 'up'"),
        (lambda fit: fit.emmeans("recipe", ddf="asymptotic").test(adjust="all"), "adjust is 'all'"),
        (lambda fit: fit.emmeans("recipe", ddf="asymptotic").regrid("exp"), "transform is 'exp'"),
        (lambda fit: fit.emmeans("recipe", ddf="asymptotic").confint(2), "level is 2"),
    ],
)
def test_arguments_are_checked_before_r_sees_them(cake, ask, message):
    with pytest.raises(InvalidArgument, match=message):
        ask(cake)
