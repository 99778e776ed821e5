"""`predict`: R's numbers for whole, partial and no random effects, old rows and new, and what is refused before R."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest

from lmerbridge import lmer
from lmerbridge.bridge import host
from lmerbridge.bridge.session import lme4_has
from lmerbridge.errors import (
    FormulaError,
    InvalidArgument,
    MissingColumns,
    MissingValues,
    UnsafeFormula,
    UnsupportedColumn,
)
from tests.chance import generator
from tests.oracle import MODELS, fitted, plain, same_bits

PARTS = {  # random terms of the models, each with R's re.form
    "sleepstudy": ["~ (Days | Subject)", "~ (1 | Subject)"],
    "pastes": ["~ (1 | batch)", "~ (1 | cask:batch)"],
    "penicillin": ["~ (1 | plate)", "~ (1 | sample) + (1 | plate)"],
    "cake": ["~ (1 | recipe:replicate)"],
    "orthodont": ["~ (0 + age | Subject)"],
    "double_bar": ["~ (0 + Days | Subject)", "~ (1 | Subject)"],
}
ROWS = [8, 3, 29]
DATA = "d <- eval(m@call$data, environment(formula(m)))"
CLOSE = {"rtol": 0, "atol": 1e-10}  # sums of a few products of a few hundred, in another order


def part_cases():
    return [(name, part) for name, parts in PARTS.items() for part in parts]


@pytest.fixture(scope="module")
def rich(sleepstudy):
    """Sleepstudy with a text, an ordered and a logical column, weights, an offset, a second group and row labels."""
    rng = generator(1)
    return sleepstudy.assign(
        f=np.array(list("abc"))[rng.integers(0, 3, 180)],
        o=pd.Categorical(np.array(["lo", "mid", "hi"])[rng.integers(0, 3, 180)], ["lo", "mid", "hi"], ordered=True),
        late=sleepstudy["Days"] > 4,
        h=np.array(list("pqrs"))[rng.integers(0, 4, 180)],
        k=rng.integers(1, 6, 180),
        w=rng.uniform(1, 2, 180),
        z=rng.normal(size=180),
    ).set_index(pd.Index([f"r{i}" for i in range(180)]))


@pytest.fixture(scope="module")
def holes(rich):
    frame = rich.copy()
    frame.loc[["r3", "r50"], "Days"] = np.nan
    frame.loc["r77", "h"] = None
    return frame


@pytest.fixture(scope="module")
def slopes(rich):
    return lmer("Reaction ~ Days + f + (Days | Subject) + (1 | h)", rich)


@pytest.mark.parametrize("name", MODELS)
def test_predictions_of_the_fit_s_rows_are_r_s(name):
    fit = fitted(name)
    whole, fixed = fit.predict(), fit.predict(re_form="~0")
    assert same_bits(whole, plain(fit, "as.vector(predict(m))"))
    assert same_bits(whole, fit.fitted)
    assert same_bits(fixed, plain(fit, "as.vector(predict(m, re.form = NA))"))
    random = fit.predict(random_only=True)
    assert same_bits(random, plain(fit, "as.vector(predict(m, random.only = TRUE))"))
    assert all(found.index.equals(fit.fitted.index) and found.name == "fit" for found in (whole, fixed, random))


@pytest.mark.parametrize(("name", "part"), part_cases())
def test_some_random_effects_are_those_of_r_s_re_form(name, part):
    fit = fitted(name)
    assert same_bits(fit.predict(re_form=part), plain(fit, f"as.vector(predict(m, re.form = {part}))"))


@pytest.mark.parametrize("name", MODELS)
def test_new_data_with_fewer_levels_give_r_s_numbers_by_their_own_index(name):
    fit = fitted(name)
    new = fit.spec.data.iloc[ROWS].set_axis(["x", "y", "x"])
    new = new.assign(**{c: new[c].astype(str) for c in new if isinstance(new[c].dtype, pd.CategoricalDtype)})
    rows = ", ".join(str(row + 1) for row in ROWS)
    for re_form, r in ((None, "NULL"), ("~0", "NA"), *((part, part) for part in PARTS[name])):
        found = fit.predict(new, re_form=re_form)
        assert same_bits(found, plain(fit, f"{DATA}; as.vector(predict(m, d[c({rows}), ], re.form = {r}))"))
        assert found.index.tolist() == ["x", "y", "x"]


@pytest.mark.parametrize("name", MODELS)
def test_new_levels_have_random_effects_of_zero_where_they_are_allowed(name):
    fit = fitted(name)
    groups = fit.spec.parsed.groups
    new = fit.spec.data.iloc[ROWS].astype(dict.fromkeys(groups, object))
    new.loc[new.index[1:], list(groups)] = "new"
    found = fit.predict(new, allow_new_levels=True)
    rows = ", ".join(str(row + 1) for row in ROWS)
    named = ", ".join(f'"{group}"' for group in groups)
    made = f"d <- d[c({rows}), ]; for (g in c({named})) d[[g]] <- c(as.character(d[[g]])[1L], 'new', 'new')"
    assert same_bits(found, plain(fit, f"{DATA}; {made}; as.vector(predict(m, d, allow.new.levels = TRUE))"))
    assert same_bits(found.iloc[1:], fit.predict(new.iloc[1:], re_form="~0"))
    with pytest.raises(InvalidArgument, match=r"new' for .* in rows .*, which the fit has not seen; allow_new_levels"):
        fit.predict(new)


@pytest.mark.parametrize(
    "formula",
    [
        "Reaction ~ poly(Days, 2) + (poly(Days, 2) | Subject)",
        "Reaction ~ scale(Days) + (scale(Days) || Subject)",
        "Reaction ~ ns(Days, df = 2) + (ns(Days, df = 2) | Subject)",
        "Reaction ~ bs(Days, df = 4) + (1 | Subject) + (1 | h)",
        "Reaction ~ f * Days + (f | Subject)",
        "Reaction ~ o + late + (o | h) + (1 | Subject)",
        "Reaction ~ C(f, contr.sum) + (0 + f | Subject)",
        "Reaction ~ factor(Days) + (dummy(f, 'a') | Subject)",
        "Reaction ~ Days + offset(2 * z) + (1 | Subject / f)",
        "Reaction ~ Days + offset(log(w)) + (Days || k)",
        "log(Reaction) ~ I(Days^2) + as.numeric(o) + (1 | Subject)",
    ],
)
def test_new_data_meet_the_fit_s_own_bases_levels_and_offset(rich, formula):
    """A row alone knows no mean, knots or levels, and yet has the fitted value of that row."""
    fit = lmer(formula, rich)
    alone = [fit.predict(rich.iloc[[row]]).item() for row in range(0, 180, 30)]
    np.testing.assert_allclose(alone, fit.fitted_values[::30], **CLOSE)
    fewer = "as.vector(predict(m, d[c(5, 9, 60), ]))"
    assert same_bits(fit.predict(rich.iloc[[4, 8, 59]]), plain(fit, f"{DATA}; {fewer}"))


@pytest.mark.parametrize("term", ["cut(Days, 3)", "I(scale(Days)^2)", "as.numeric(factor(Days))"])
def test_a_term_that_r_would_compute_anew_from_new_data_is_refused(rich, term):
    fit = lmer(f"Reaction ~ {term} + (1 | Subject)", rich.assign(Days=rich["Days"] ** 2))
    with pytest.raises(InvalidArgument, match="make a column of it before the fit"):
        fit.predict(rich)
    assert len(fit.predict(re_form="~0")) == 180


@pytest.mark.parametrize(
    "formula",
    [
        "Reaction ~ log(`the days` + 1) + (1 | Subject)",
        "log(`the y`) ~ f + (1 | Subject)",
        "Reaction ~ factor(`the days`) + (1 | Subject)",
        "log(`the y`) ~ f * poly(`the days`, 2) + (log(`the days` + 1) | Subject)",
    ],
)
def test_names_in_backticks_inside_functions_are_found_where_lme4_s_own_predict_fails_of_them(rich, formula):
    data = rich.rename(columns={"Days": "the days"}).assign(**{"the y": rich["Reaction"]})
    fit, new = lmer(formula, data), data.iloc[[17, 4]]
    np.testing.assert_allclose(fit.predict(data), fit.fitted, **CLOSE)
    np.testing.assert_allclose(fit.predict(new), fit.fitted.iloc[[17, 4]], **CLOSE)
    named = lmer(formula.replace("`the y`", "Reaction").replace("`the days`", "Days"), rich)
    drawn = named.simulate(2, newdata=rich.iloc[[17, 4]], seed=1)
    np.testing.assert_allclose(fit.simulate(2, newdata=new, seed=1), drawn, **CLOSE)


def test_a_new_level_of_a_function_of_a_column_is_an_error_of_ours(rich):
    fit = lmer("Reaction ~ factor(Days) + (1 | Subject)", rich)
    new = rich.head(2).assign(Days=[0.0, 77])
    verbs = (
        fit.predict,
        fit.fixed_design,
        fit.contributions,
        lambda new: fit.predict(new, interval="confidence", na_action="omit"),
        lambda new: fit.scenarios(rich.head(2), {"Days": new["Days"]}),
        lambda new: fit.simulate(1, newdata=new),
    )
    for verb in verbs:
        with pytest.raises(InvalidArgument, match=r"factor\(Days\) has new levels? 77; levels of the fit are expected"):
            verb(new)
    slopes = lmer("Reaction ~ 1 + (factor(h) | Subject)", rich.assign(h=np.arange(180) % 3))
    with pytest.raises(InvalidArgument, match=r"factor\(h\) has new levels? 9; levels of the fit are expected"):
        slopes.scenarios(rich.head(2).assign(h=1), {"h": 9})


@pytest.mark.parametrize("na_action", ["omit", "exclude"])
@pytest.mark.parametrize("half", [False, True])
def test_rows_that_the_fit_left_out_are_no_part_of_its_predictions(holes, na_action, half):
    """lme4 takes the random terms' variables from all rows of the data there, and errs or returns too many."""
    subset = holes["Reaction"] > (290 if half else 0)
    formula = "Reaction ~ Days + (Days | Subject) + (1 | h)"
    fit = lmer(formula, holes, na_action=na_action, subset=subset, offset="z")
    fixed, whole = fit.predict(re_form="~0"), fit.predict(re_form="~ (Days | Subject) + (1 | h)")
    parts = [fit.predict(re_form=part) - fixed for part in ("~ (Days | Subject)", "~ (1 | h)")]
    pd.testing.assert_series_equal(whole.rename("fitted"), fit.fitted, **CLOSE)
    pd.testing.assert_series_equal(fixed + sum(parts), whole, **CLOSE)
    pd.testing.assert_series_equal(fit.predict(random_only=True), sum(parts), **CLOSE)
    design = fit.design()
    np.testing.assert_allclose(fixed.dropna(), design.x @ fit.beta + design.offset, **CLOSE)


def test_na_action_says_what_becomes_of_rows_that_lack_a_value(slopes, rich):
    new = rich.iloc[:4].copy()
    new.loc["r1", "Days"] = np.nan
    whole = slopes.predict(rich.iloc[:4])
    passed, excluded, left = (slopes.predict(new, na_action=action) for action in ("pass", "exclude", "omit"))
    assert passed.index[passed.isna()].tolist() == ["r1"]
    pd.testing.assert_series_equal(excluded, passed)
    pd.testing.assert_series_equal(left, passed.dropna())
    pd.testing.assert_series_equal(left, whole.drop("r1"))
    with pytest.raises(MissingValues, match="newdata lacks values in row 'r1'"):
        slopes.predict(new, na_action="fail")
    pd.testing.assert_series_equal(slopes.predict(rich.iloc[:4], na_action="fail"), whole)
    with pytest.raises(InvalidArgument, match="na_action is 'drop'"):
        slopes.predict(new, na_action="drop")


def test_an_offset_of_the_formula_stays_beside_its_row_when_others_are_omitted(rich):
    """lme4 adds the offset of all rows, recycled, to the predictions of the complete ones."""
    fit = lmer("Reaction ~ Days + offset(z) + (1 | Subject)", rich)
    new = rich.iloc[:4].copy()
    new.loc["r1", "Days"] = np.nan
    pd.testing.assert_series_equal(fit.predict(new, na_action="omit"), fit.predict(rich.iloc[[0, 2, 3]]))


def test_an_intercept_alone_needs_no_column(rich):
    fit = lmer("Reaction ~ 1 + (1 | Subject)", rich)
    new = pd.DataFrame({"other": [1, 2]})
    assert fit.predict(new, re_form="~0", na_action="omit").tolist() == [fit.fixef.iloc[0]] * 2


def test_only_the_columns_that_are_needed_must_be_there(slopes, rich):
    fixed = slopes.predict(rich[["Days", "f"]], re_form="~0")
    assert same_bits(fixed, slopes.predict(re_form="~0"))
    partial = slopes.predict(rich[["h"]], re_form="~ (1 | h)", random_only=True)
    assert same_bits(partial, slopes.predict(re_form="~ (1 | h)", random_only=True))
    with pytest.raises(MissingColumns, match="'h', which the data lacks"):
        slopes.predict(rich.drop(columns="h"))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"Days": "3"}, InvalidArgument, "newdata's column 'Days' has dtype .*; values as in the fit's data"),
        ({"Days": True}, InvalidArgument, "newdata's column 'Days' has dtype bool"),
        ({"Days": 1j}, UnsupportedColumn, "real and imaginary"),
        ({"f": 1.5}, InvalidArgument, "newdata's column 'f' has dtype float64; text or a categorical"),
        ({"f": "d"}, InvalidArgument, r"newdata has 'd' for 'f' in rows 'r0', 'r1', .*not seen; its levels are 'a'"),
        (
            {"h": "new"},
            InvalidArgument,
            r"newdata has 'new' for 'h' in rows 'r0', 'r1', 'r2', 'r3', 'r4', \.\.\., which",
        ),
        ({"Subject": None}, InvalidArgument, "newdata has None for 'Subject' in rows"),
    ],
)
def test_new_data_of_another_kind_or_level_is_an_error_that_says_where(slopes, rich, change, error, message):
    new = rich.assign(**{c: pd.Series([v] * 180, rich.index, object if v is None else None) for c, v in change.items()})
    with pytest.raises(error, match=message):
        slopes.predict(new)


def test_a_combination_of_known_levels_that_the_fit_has_not_seen_is_new(rich):
    known = rich[~((rich["f"] == "a") & (rich["h"] == "p"))]
    fit = lmer("Reaction ~ Days + (1 | f:h)", known)
    with pytest.raises(InvalidArgument, match="newdata has 'a:p' for 'f:h' in row"):
        fit.predict(rich)
    row = rich[(rich["f"] == "a") & (rich["h"] == "p")].iloc[:1]
    assert same_bits(fit.predict(row, allow_new_levels=True), fit.predict(row, re_form="~0"))


def test_a_level_that_no_row_of_the_fit_has_is_new(rich):
    fit = lmer("Reaction ~ f + (1 | Subject)", rich, subset=rich["f"] != "c")
    with pytest.raises(InvalidArgument, match=r"'c' for 'f' in .* its levels are 'a', 'b'"):
        fit.predict(rich)


def test_integers_and_their_text_are_the_same_group(rich):
    fit = lmer("Reaction ~ Days + (1 | k)", rich)
    assert same_bits(fit.predict(rich.astype({"k": str})), fit.fitted)


def test_frames_of_other_libraries_give_the_same(slopes, rich):
    polars = pytest.importorskip("polars")
    new = polars.from_pandas(rich.astype({"Subject": str, "o": str}))
    found = slopes.predict(new)
    assert same_bits(found, slopes.predict(rich))
    np.testing.assert_allclose(found, slopes.fitted, **CLOSE)  # R's product, lme4's own: BLAS decides on the last bit
    assert found.index.equals(pd.RangeIndex(180))


def test_the_offset_argument_is_never_left_out_silently(rich):
    fit = lmer("Reaction ~ Days + (1 | Subject)", rich, offset="z")
    assert same_bits(fit.predict(re_form="~0"), plain(fit, "as.vector(predict(m, re.form = NA))"))
    with pytest.raises(InvalidArgument, match=r"offset= argument.*offset\(x\) in the formula"):
        fit.predict(rich)
    assert same_bits(fit.predict(rich, random_only=True), fit.predict(random_only=True))


@pytest.mark.parametrize("name", MODELS)
def test_other_parameters_give_what_r_predicts_from_them(name):
    fit = fitted(name)
    new = {"beta": fit.beta + 1, "theta": fit.theta * 0.5, "sigma": 2.0}
    in_r = "list(beta = m@beta + 1, theta = m@theta * 0.5, sigma = 2)"
    assert same_bits(fit.predict(newparams=new), plain(fit, f"as.vector(predict(m, newparams = {in_r}))"))
    by_name = new | {"beta": pd.Series(new["beta"], fit.terms)[::-1]}
    assert same_bits(fit.predict(newparams=by_name), fit.predict(newparams=new))


@pytest.mark.parametrize(
    ("new", "message"),
    [
        ({}, "newparams names nothing; beta, theta and sigma"),
        ({"gamma": 1}, "newparams names 'gamma'"),
        ({"beta": [1.0]}, r"newparams\['beta'\] is \[1.0\]; 4 finite numbers expected"),
        ({"theta": [1.0, np.nan, 1.0, 1.0]}, r"newparams\['theta'\]"),
        ({"sigma": "two"}, r"newparams\['sigma'\] is 'two'; 1 finite number expected"),
        ({"beta": pd.Series([1.0] * 4, list("abcd"))}, "is indexed by"),
    ],
)
def test_other_parameters_are_checked_by_name_and_length(slopes, new, message):
    with pytest.raises(InvalidArgument, match=message):
        slopes.predict(newparams=new)


@pytest.mark.parametrize(
    ("re_form", "error", "message"),
    [
        ("~ (1 | g)", InvalidArgument, "re_form has the grouping factor 'g'; the fit's are 'Subject', 'h'"),
        ("~ (f | Subject)", InvalidArgument, "re_form has effects of f by 'Subject', which the fit has not"),
        ("~ (Days:Days | h)", InvalidArgument, "re_form has effects of Days by 'h'"),
        ("~ (0 + Days | Subject) + (1 | system)", InvalidArgument, "grouping factor 'system'"),
        ("~ Days + (1 | h)", FormulaError, "re_form has the fixed part Days"),
        ("y ~ (1 | h)", FormulaError, "None for all of them, '~0' for none"),
        ("(1 | h)", FormulaError, "None for all of them"),
        (False, InvalidArgument, "re_form is False"),
        ("~ (1 | system('ls'))", UnsafeFormula, "system"),
    ],
)
def test_re_form_names_random_terms_of_the_fit_and_nothing_else(slopes, re_form, error, message):
    with pytest.raises(error, match=message):
        slopes.predict(re_form=re_form)


def by_hand(fit, kept):
    """Standard errors of the fixed part and of the random terms at some places, from Henderson's dense equations."""
    design, sigma = fit.design(), fit.sigma
    blocks = zip(design.random, fit.varcorr, strict=True)
    halves = [(t.z @ np.kron(np.eye(len(t.levels)), np.linalg.cholesky(b.covariance)) / sigma) for t, b in blocks]
    root, x = np.sqrt(design.weights)[:, None], design.x
    whole = np.hstack([*halves, x]) * root
    penalty = np.diag([1.0] * (whole.shape[1] - x.shape[1]) + [0.0] * x.shape[1])
    a = np.hstack([*(half * (i in kept) for i, half in enumerate(halves)), x])
    return sigma * np.sqrt(np.einsum("ij,jk,ik->i", a, np.linalg.inv(whole.T @ whole + penalty), a))


@pytest.mark.parametrize(
    ("name", "re_form", "kept"),
    [
        *((name, None, {0, 1}) for name in MODELS),
        *((name, "~0", set()) for name in MODELS),
        ("pastes", "~ (1 | batch)", {1}),
        ("penicillin", "~ (1 | sample)", {1}),
        ("double_bar", "~ (0 + Days | Subject)", {1}),
    ],
)
def test_standard_errors_are_those_of_hendersons_equations(name, re_form, kept):
    """lme4's own lack the permutation of L: of the nested and the double-bar model they are off by factors."""
    fit = fitted(name)
    found = fit.predict(se_fit=True, re_form=re_form)
    np.testing.assert_allclose(found["se_fit"], by_hand(fit, kept), rtol=1e-8)  # dense against sparse
    assert same_bits(found["fit"], fit.predict(re_form=re_form))
    new = fit.predict(fit.spec.data.iloc[ROWS], se_fit=True, re_form=re_form)
    pd.testing.assert_frame_equal(new, found.iloc[ROWS], rtol=1e-12)
    assert new.columns.tolist() == ["fit", "se_fit"]


def test_standard_errors_are_lme4_s_where_lme4_s_are_right(rich):
    fit = lmer("Reaction ~ Days + f + (Days | Subject)", rich, weights="w")
    if lme4_has("predict_se_fit"):
        theirs = plain(fit, f"{DATA}; unname(predict(m, se.fit = TRUE)$se.fit)")
        np.testing.assert_allclose(fit.predict(se_fit=True)["se_fit"], theirs, rtol=1e-10)
    np.testing.assert_allclose(fit.predict(se_fit=True)["se_fit"], by_hand(fit, {0}), rtol=1e-8)


def test_a_new_level_has_the_variance_of_its_random_effects(rich):
    fit = lmer("Reaction ~ Days + (Days | Subject) + (1 | h)", rich)
    new = rich.iloc[[7, 3]].assign(Subject="new")
    found = fit.predict(new, allow_new_levels=True, se_fit=True)
    without = fit.predict(new, re_form="~ (1 | h)", se_fit=True)
    z = np.column_stack([np.ones(2), new["Days"]])
    variance = np.einsum("ij,jk,ik->i", z, fit.varcorr["Subject"].covariance, z)
    np.testing.assert_allclose(found["se_fit"] ** 2, without["se_fit"] ** 2 + variance, rtol=1e-10)
    pd.testing.assert_series_equal(found["fit"], without["fit"])
    with pytest.raises(MissingValues, match="newdata lacks values in rows 'r7', 'r3'"):
        fit.predict(new.assign(Subject=None), allow_new_levels=True, se_fit=True)
    with pytest.raises(InvalidArgument, match="se_fit is True and newparams given"):
        fit.predict(se_fit=True, newparams={"sigma": 1.0})


@pytest.mark.slow
def test_a_fit_predicts_after_its_process_has_gone_and_after_pickling(rich):
    fit = lmer("Reaction ~ poly(Days, 2) + (1 | Subject)", rich)
    new = rich.iloc[[5, 7]]
    before = fit.predict(new)
    copy = pickle.loads(pickle.dumps(fit))
    host.close()
    pd.testing.assert_series_equal(fit.predict(new), before)
    pd.testing.assert_series_equal(copy.predict(new), before)
    pd.testing.assert_series_equal(pickle.loads(pickle.dumps(before)), before)


def test_no_rows_are_an_error(slopes, rich):
    with pytest.raises(InvalidArgument, match="newdata has no rows"):
        slopes.predict(rich.iloc[:0])


def test_without_fixed_effects_a_standard_error_is_the_modes(sleepstudy):
    fit = lmer("Reaction ~ 0 + (1 | Subject)", sleepstudy)
    by_level = fit.ranef_table().set_index("level")["std_error"]
    expected = by_level.loc[sleepstudy["Subject"].astype(str)]
    np.testing.assert_allclose(fit.predict(se_fit=True).se_fit, expected, rtol=1e-12)  # rounding


@pytest.mark.parametrize("term", ["(late | Subject)", "(ns(Days, 2) | Subject)", "(poly(Days, 2) | Subject)"])
def test_a_term_that_is_left_out_needs_none_of_its_columns_though_lme4_fails_of_a_factor_or_a_spline(sleepstudy, term):
    data = sleepstudy.assign(late=np.where(sleepstudy["Days"] > 4, "y", "n"), h=np.resize(list("pqr"), 180))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = lmer(f"Reaction ~ 1 + {term} + (1 | h)", data)
    expected = fit.fixef.iloc[0] + fit.ranef["h"]["(Intercept)"][data["h"]].to_numpy()
    for new in (None, data, data[["h"]]):
        assert np.allclose(fit.predict(new, re_form="~ (1 | h)"), expected, rtol=1e-12)
    assert np.isfinite(fit.predict(data[["h"]], re_form="~ (1 | h)", se_fit=True)).to_numpy().all()
