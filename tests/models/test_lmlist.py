"""A linear model in each group, against lme4's lmList."""

import pickle
import warnings
from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest

from lmerbridge import lm_list
from lmerbridge.bridge import host, lme4_version
from lmerbridge.errors import (
    FormulaError,
    InvalidArgument,
    KnownDefectWarning,
    MissingColumns,
    RowsLeftOutWarning,
    RWarning,
    UnfitData,
    UnsafeFormula,
)
from lmerbridge.models.kept import model_of
from lmerbridge.setup.compat import parse_version
from tests.chance import generator
from tests.oracle import same_bits
from tests.processes import in_r

MISCOUNTS = parse_version(lme4_version()) < (2, 1)
LISTS = {  # formula, data set, package
    "sleepstudy": ("Reaction ~ Days | Subject", "sleepstudy", None),
    "orthodont": ("distance ~ I(age - 8) | Subject", "Orthodont", "nlme"),
    "cake": ("angle ~ temp + recipe | replicate", "cake", None),
    "penicillin": ("log(diameter) ~ 1 | sample", "Penicillin", None),
    "pastes": ("strength ~ cask | batch", "Pastes", None),
    "one column": ("Reaction ~ 0 + Days | Subject", "sleepstudy", None),
}
KEPT = """local({
  m <- get("model_of", environment(sys.function(1L)))("%s")
  d <- get("entry_of", environment(sys.function(1L)))("%s")$scope$data
  %s
}, new.env(parent = asNamespace("lme4")))"""


def r(found, code):
    """Evaluate R code in which `m` is the list made anew by plain lme4 from the list's data `d`."""
    handle = model_of(found).handle
    formula = found.formula
    return in_r(KEPT % (handle, handle, f"m <- lme4::lmList({formula}, d, pool = {str(found.pool).upper()}); {code}"))


def miscounted():
    """What comes with a list in which a group lacks a coefficient."""
    return pytest.warns(KnownDefectWarning, match="residual degrees of freedom") if MISCOUNTS else nullcontext()


@pytest.fixture(params=LISTS)
def found(request, datasets):
    formula, name, package = LISTS[request.param]
    return lm_list(formula, datasets(name, package))


def test_coefficients_are_lme4s(found):
    assert same_bits(found.coef, r(found, "as.vector(as.matrix(coef(m)))"))
    assert list(found.coef.columns) == list(r(found, "names(coef(m))"))
    assert list(found.coef.index) == list(r(found, "names(m)"))
    assert same_bits(found.fixef, r(found, "unname(fixef(m))"))
    assert same_bits(found.ranef, r(found, "unlist(unclass(ranef(m)), use.names = FALSE)"))


def test_the_summary_is_lme4s(found):
    table = found.summary
    for statistic, theirs in zip(table, ("Estimate", "Std. Error", "t value", "Pr(>|t|)"), strict=True):
        ours = table[statistic].unstack("term").loc[list(found.groups), list(found.coef.columns)]
        assert same_bits(ours, r(found, f"as.vector(summary(m)$coefficients[names(m), '{theirs}', names(coef(m))])"))
    assert same_bits([found.sigma, found.df_residual], r(found, "c(sigma(m), attr(pooledSD(m), 'df'))"))
    assert same_bits(found.group_sigma, r(found, "as.vector(summary(m)$sigma)"))


def test_the_log_likelihood_is_lme4s(found):
    loglik = found.loglik
    told = "as.double(c(logLik(m), attr(logLik(m), 'df'), attr(logLik(m), 'nobs')))"
    assert same_bits([loglik, loglik.df, loglik.nobs], r(found, told))


def test_fitted_values_and_residuals_are_lme4s_by_row(found):
    for ours, verb in ((found.fitted, "fitted"), (found.residuals, "residuals")):
        rows = "order(as.integer(unlist(lapply(m, function(fit) names(fitted(fit))))))"
        assert same_bits(ours, r(found, f"unlist(lapply(m, {verb}), use.names = FALSE)[{rows}]"))
        assert ours.index.equals(found.data.index)


@pytest.mark.parametrize("pool", [False, True])
def test_intervals_are_lme4s(found, pool):
    bounds = found.confint(0.9, pool=pool)
    told = f"as.vector(confint(m, level = 0.9, pool = {str(pool).upper()})[, %d, ])"
    for i, side in enumerate(["conf_low", "conf_high"], start=1):
        ours = bounds[side].unstack("term").loc[list(found.groups), list(found.coef.columns)]
        assert same_bits(ours, r(found, told % i))


def test_predictions_for_the_data_are_the_fitted_values(found):
    mixed = found.data.sample(frac=1, random_state=1)
    assert np.allclose(found.predict(mixed), found.fitted[mixed.index], rtol=1e-12)  # a product in another order
    assert found.predict(mixed).index.equals(mixed.index)
    assert found.predict() is found.fitted


def test_predictions_are_lme4s(datasets):
    found = lm_list("Reaction ~ Days | Subject", datasets("sleepstudy"))
    new = datasets("sleepstudy").iloc[[25, 3, 4]].assign(Days=[20.0, np.nan, 30.0])
    told = "predict(m, data.frame(Days = c(30, 20), Subject = c('308', '310')))"
    expected = r(found, f"as.vector({told})")
    predicted = found.predict(new)
    assert list(predicted.index) == [25, 3, 4]
    assert same_bits(predicted, [expected[1], np.nan, expected[0]])


def test_a_list_without_pooling_has_each_groups_own_standard_errors(datasets):
    found = lm_list("Reaction ~ Days | Subject", datasets("sleepstudy"), pool=False)
    expected = r(found, "as.vector(summary(m)$coefficients[names(m), 4, names(coef(m))])")
    assert same_bits(found.summary.p_value.unstack("term")[list(found.coef.columns)], expected)
    assert same_bits([found.loglik], r(found, "as.numeric(logLik(m))"))


@pytest.fixture(scope="module")
def one_fails(datasets):
    """A list whose first group cannot be fitted, from a frame with labels and a missing value."""
    data = datasets("sleepstudy").assign(half=lambda d: np.where(d.Days < 5, "early", "late"))
    data.loc[data.Subject == "308", "half"] = "early"
    data = data.set_index("r" + data.index.astype(str))
    data.loc["r20", "Reaction"] = np.nan
    with pytest.warns((RWarning, RowsLeftOutWarning)):
        return lm_list("Reaction ~ Days + half | Subject", data)


def test_a_group_that_cannot_be_fitted_is_told_and_its_numbers_are_nan(one_fails):
    assert one_fails.failed == ("308",)
    assert one_fails.coef.loc["308"].isna().all()
    assert one_fails.coef.drop("308").notna().all().all()
    assert np.isnan(one_fails.loglik)
    assert any("Fitting failed for 1 group" in condition.text for condition in one_fails.conditions)
    assert one_fails.confint().loc["308"].isna().all().all()
    assert repr(one_fails).endswith("18 groups (1 not fitted), 169 rows>")


def test_the_others_are_those_of_a_list_without_it(one_fails):
    data = one_fails.data[one_fails.data.Subject != "308"].dropna()
    data = data.assign(Subject=data.Subject.astype(str))
    others = lm_list("Reaction ~ Days + half | Subject", data)
    assert same_bits(one_fails.coef.drop("308"), others.coef.to_numpy().ravel(order="F"))
    assert same_bits(one_fails.confint().drop("308"), others.confint().to_numpy().ravel(order="F"))
    assert same_bits([one_fails.sigma, one_fails.df_residual], [others.sigma, others.df_residual])
    assert one_fails.fitted.equals(others.fitted)
    predicted = one_fails.predict(one_fails.data)
    assert predicted[one_fails.data.Subject == "308"].isna().all()
    assert np.allclose(predicted.loc[others.fitted.index], others.fitted, rtol=1e-12)


@pytest.mark.slow
def test_a_list_survives_pickling_and_the_death_of_its_process(datasets):
    found = lm_list("Reaction ~ Days | Subject", datasets("sleepstudy"))
    copy = pickle.loads(pickle.dumps(found))
    host.close()
    assert copy.confint().equals(found.confint())
    assert copy.coef.equals(found.coef)
    assert str(copy) == str(found)


BAD = {
    "no bar": ("Reaction ~ Days", FormulaError, r"'response ~ terms \| group' is expected"),
    "a product that groups": ("Reaction ~ Days | Subject:Days", FormulaError, "the group one column"),
    "a bar in parentheses": ("Reaction ~ 1 + (Days | Subject)", FormulaError, "is expected"),
    "a bar in a bar": ("Reaction ~ (Days | Subject) | Subject", FormulaError, "every bar as a random term"),
    "a dot": ("Reaction ~ . | Subject", FormulaError, "is expected"),
    "a call": ("Reaction ~ system('x') | Subject", UnsafeFormula, "system"),
    "a column that is not there": ("Reaction ~ Days | Person", MissingColumns, "'Person'"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_formula_that_is_no_list_s_is_an_error(case, datasets):
    formula, error, told = BAD[case]
    with pytest.raises(error, match=told):
        lm_list(formula, datasets("sleepstudy"))


def test_data_in_which_no_group_can_be_fitted_is_an_error(datasets):
    with pytest.raises(UnfitData, match="no group could be fitted"):
        lm_list("Reaction ~ Days + half | Subject", datasets("sleepstudy").assign(half="early"))


def test_new_data_needs_the_group_and_none_the_list_has_no_model_for(datasets):
    found = lm_list("Reaction ~ Days | Subject", datasets("sleepstudy"))
    with pytest.raises(MissingColumns, match="'Subject'"):
        found.predict(datasets("sleepstudy")[["Days"]])
    with pytest.raises(InvalidArgument, match=r"the groups 'nobody' of 'Subject'"):
        found.predict(datasets("sleepstudy").assign(Subject="nobody"))
    with pytest.raises(InvalidArgument, match="level is 95"):
        found.confint(95)


def test_what_r_says_of_a_prediction_is_told(datasets):
    data = datasets("sleepstudy").assign(twice=lambda d: np.where(d.Subject == "308", 2, d.Days) * d.Days)
    with miscounted():
        found = lm_list("Reaction ~ Days + twice | Subject", data)
    with pytest.warns(RWarning, match=r"prediction from (a )?rank-deficient fit") as told:
        predicted = found.predict(data.assign(twice=1.0))
    assert told[0].filename == __file__
    aliased = data.Subject == "308"  # where R leaves `twice` out
    assert np.allclose(predicted[aliased], found.fitted[aliased], rtol=1e-12)


def test_a_term_that_no_group_can_tell_from_the_others_is_an_error(datasets):
    data = datasets("sleepstudy").assign(twice=lambda d: 2 * d.Days)
    with pytest.raises(UnfitData, match="no group can tell twice from the terms before"):
        lm_list("Reaction ~ Days + twice | Subject", data)


ODD = {  # formula, rows, further arguments
    "no degrees of freedom": ("y ~ f | g", "few", {}),
    "no degrees of freedom, not pooled": ("y ~ f | g", "few", {"pool": False}),
    "a group of one row": ("y ~ x | g", "one row", {}),
    "a group of one row, not pooled": ("y ~ x | g", "one row", {"pool": False}),
    "the first group has one row": ("y ~ x | h", "one row", {}),
    "a group without a level": ("y ~ f | g", "no level", {}),
    "the first group without a level": ("y ~ f | h", "no level", {"pool": False}),
    "an aliased covariate in a group": ("y ~ x + z | g", "aliased", {}),
    "a group fails": ("y ~ x + f | g", "one level", {}),
    "a constant response in a group": ("y ~ x | g", "constant", {}),
    "a group without a value": ("y ~ x | g", "no value", {}),
    "levels and groups without rows": ("y ~ f | g", "categories", {}),
    "groups that are numbers": ("y ~ x + late | n", "all", {}),
    "weights": ("y ~ x | g", "all", {"weights": "w"}),
    "weights, not pooled": ("y ~ x | g", "all", {"weights": "w", "pool": False}),
    "weights of zero": ("y ~ x | g", "all", {"weights": "zero", "pool": False}),
    "an offset": ("y ~ x | g", "all", {"offset": "z"}),
    "an offset in the formula": ("y ~ x + offset(z) | g", "all", {}),
    "all of them": ("y ~ x + f | g", "missing", {"weights": "w", "offset": "z", "subset": "use"}),
}


@pytest.fixture(scope="module")
def rows():
    rng, count = generator(3), 60
    data = pd.DataFrame({"g": np.repeat(list("abcdef"), 10), "f": np.tile(list("pqrst"), 12)})
    data = data.assign(x=rng.normal(size=count), z=rng.normal(size=count), w=rng.uniform(1, 2, count))
    data = data.assign(y=rng.normal(size=count) + data.x, zero=data.w * (data.index % 7 > 0), use=data.index % 4 > 0)
    data["h"] = data.g.map(dict(zip("abcdef", "zyxwvu", strict=True)))  # the other way round
    data = data.assign(late=data.x > 0, n=data.g.map(dict(zip("abcdef", (10, 9, 2.5, 1, 100000, 3), strict=True))))
    few = data.iloc[[*range(5), *range(10, 14), *range(20, 23), 30]]
    last, first = data.g == "f", data.g == "a"
    return {
        "all": data,
        "few": few.reset_index(drop=True),
        "one row": data[~last | (data.index == 55)],
        "no level": data[~last | (data.f != "q")],
        "aliased": data.assign(z=np.where(last, 2 * data.x, data.z)),
        "one level": data[~first | (data.f == "q")],
        "constant": data.assign(y=data.y.where(~last, 3.0)),
        "no value": data.assign(x=data.x.where(~first)),
        "categories": data[~last & (data.f != "q")]
        .astype({"f": "category", "g": "category"})
        .assign(f=lambda d: d.f.cat.set_categories(list("qtsrp")), g=lambda d: d.g.cat.set_categories(list("zfedcba"))),
        "missing": data.assign(x=data.x.where(data.index % 11 > 0), w=data.w.where(data.index % 13 > 0)),
    }


@pytest.fixture(params=ODD)
def odd(request, rows):
    formula, name, more = ODD[request.param]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return lm_list(formula, rows[name], **more), more


def odd_r(odd, code):
    """R's value, where ``m`` is the list made anew, or nothing where lme4 stops."""
    found, more = odd
    given = "".join(f", {name} = .{name}" for name in ("weights", "offset") if name in more)
    handle = model_of(found).handle
    made = f"m <- lme4::lmList({found.formula}, d, pool = {str(found.pool).upper()}{given})"
    code = f"suppressWarnings(tryCatch({{{made}; as.double({code})}}, error = function(e) numeric(0)))"
    return in_r(KEPT % (handle, handle, code))


def test_coefficients_of_odd_groups_are_lme4s(odd):
    found, _ = odd
    assert same_bits(found.coef, odd_r(odd, "as.matrix(coef(m))"))
    assert same_bits(found.fixef, odd_r(odd, "fixef(m)"))
    assert same_bits(found.ranef, odd_r(odd, "unlist(unclass(ranef(m)), use.names = FALSE)"))
    assert same_bits(np.sort(found.fitted), np.sort(odd_r(odd, "unlist(lapply(m, fitted))")))
    with np.errstate(all="raise"):
        assert (found.coef - found.fixef).notna().equals(found.coef.notna())  # R's NA would signal


def test_the_summary_of_odd_groups_is_lme4s_or_missing(odd):
    found, _ = odd
    theirs = odd_r(odd, "summary(m)$coefficients[names(m), , names(coef(m))]")
    pooled = odd_r(odd, "c(sigma(m), attr(pooledSD(m), 'df'))")
    if len(theirs):
        assert same_bits(found.estimates.table, theirs)
    else:
        assert found.summary[["std_error", "t_value", "p_value"]].isna().all(axis=None)
    assert same_bits([found.sigma, found.df_residual], pooled if len(pooled) else [np.nan, 0])


@pytest.mark.filterwarnings("ignore::lmerbridge.errors.RWarning")
@pytest.mark.parametrize("pool", [False, True])
def test_intervals_of_odd_groups_are_lme4s_or_its_formula_s(odd, pool):
    found, _ = odd
    bounds = found.confint(0.9, pool=pool)
    theirs = odd_r(odd, f"confint(m, level = 0.9, pool = {str(pool).upper()})@.Data")
    if len(theirs) == 2 * found.coef.size:
        ours = [bounds[side].unstack("term").loc[list(found.groups), list(found.coef.columns)] for side in bounds]
        cube = np.stack([side.to_numpy() for side in ours], axis=1)
        assert same_bits(cube.ravel(order="F"), theirs)
    elif not (np.isnan(found.sigma) or found.failed):  # lme4 takes the terms of the first group for all
        middle = bounds.mean(axis=1).unstack("term")[list(found.coef.columns)]
        known = middle.notna()
        np.testing.assert_allclose(middle[known], found.coef[known], rtol=1e-9)


@pytest.mark.parametrize("pool", [True, False])
def test_a_list_without_degrees_of_freedom_has_coefficients(datasets, pool):
    with pytest.warns(RWarning, match=r"Fitting failed for 1 group\(s\)"):
        found = lm_list("incidence ~ period | herd", datasets("cbpp"), pool=pool)
    assert found.coef.shape == (15, 4)
    assert found.failed == ("8",)
    assert found.coef.isna().sum(axis=1)[["1", "2", "8"]].tolist() == [0, 1, 4]
    assert found.df_residual == 0
    assert np.isnan(found.sigma)
    assert found.summary["estimate"].notna().sum() == found.coef.notna().sum().sum()


def test_new_data_has_offsets_of_its_own(rows):
    found = lm_list("y ~ x + offset(z) | g", rows["all"])
    new = rows["all"].iloc[[25, 3, 4]]
    np.testing.assert_allclose(found.predict(new), found.fitted[new.index], rtol=1e-12)
    by_row = lm_list("y ~ x | g", rows["all"], offset="z")
    assert by_row.coef.equals(found.coef)
    with pytest.raises(InvalidArgument, match=r"write it into the formula, as offset\(column\)"):
        by_row.predict(new)


def test_a_subset_is_r_s(datasets):
    data = datasets("sleepstudy")
    found = lm_list("Reaction ~ Days | Subject", data, subset=data.Days > 1)
    made = "lme4::lmList(Reaction ~ Days | Subject, lme4::sleepstudy, subset = Days > 1)"
    assert same_bits(found.coef, in_r(f"as.vector(as.matrix(coef({made})))"))
    assert found.fitted.index.equals(data.index[data.Days > 1])
    assert same_bits(found.predict(data.head(3)).notna(), [1, 1, 1])


@pytest.mark.slow
def test_weights_and_subset_outlive_the_process(datasets):
    data = datasets("sleepstudy").assign(w=lambda d: d.Days + 1.0)
    with pytest.warns(KnownDefectWarning, match="leaves weights out"):
        found = lm_list("Reaction ~ Days | Subject", data, weights="w", subset=data.Days < 8)
    before = found.confint()
    data["w"] = 1.0
    host.close()
    assert pickle.loads(pickle.dumps(found)).confint().equals(before)


def test_a_row_without_a_weight_is_left_out_with_a_warning(rows):
    data = rows["all"].assign(w=rows["all"].w.where(rows["all"].index > 1))
    with pytest.warns((RowsLeftOutWarning, KnownDefectWarning)) as told:
        found = lm_list("y ~ x | g", data, weights="w", subset=data.index > 0)
    assert any("1 of 59 rows lacks a value and is left out" in str(each.message) for each in told)
    assert len(found.fitted) == 58


WRONG = {
    "a column that is not there": ({"weights": "q"}, MissingColumns, "'q'"),
    "text": ({"offset": "g"}, InvalidArgument, "offset has dtype"),
    "another length": ({"weights": [1.0]}, InvalidArgument, r"weights has shape \(1,\)"),
    "negative weights": ({"weights": "x"}, InvalidArgument, "weights are negative"),
    "numbers for a subset": ({"subset": "x"}, InvalidArgument, "subset has dtype"),
    "no row": ({"subset": np.zeros(60, bool)}, InvalidArgument, "subset picks no row"),
}


@pytest.mark.parametrize("case", WRONG)
def test_weights_offset_and_subset_are_checked(rows, case):
    given, error, told = WRONG[case]
    with pytest.raises(error, match=told):
        lm_list("y ~ x | g", rows["all"], **given)


def test_lme4s_count_where_a_group_lacks_a_coefficient_is_kept_and_told(rows):
    data = rows["one row"]
    with miscounted():
        found = lm_list("y ~ x | g", data)
    right = sum(max(0, size - 2) for size in data.groupby("g").size())
    assert found.estimates.df_by_rank == right == 40
    assert found.df_residual == right - MISCOUNTS
    assert found.sigma == pytest.approx(np.sqrt((found.residuals**2).sum() / (right - MISCOUNTS)), rel=1e-12)


def test_lme4s_pooled_deviation_with_weights_is_kept_and_told(rows):
    with pytest.warns(KnownDefectWarning, match=r"leaves weights out .* it gives [\d.]+, and with them it is [\d.]+"):
        found = lm_list("y ~ x | g", rows["all"], weights="w")
    assert found.sigma == pytest.approx(np.sqrt((found.residuals**2).sum() / 48), rel=1e-12)
    assert found.estimates.squares == pytest.approx((rows["all"].w * found.residuals**2).sum(), rel=1e-12)
    assert found.estimates.squares / 48 > 1.1 * found.sigma**2


def test_a_list_with_unequal_weights_in_no_group_is_not_told_of(rows):
    assert lm_list("y ~ x | g", rows["all"], weights=np.ones(60)).df_residual == 48
