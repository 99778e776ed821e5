"""A linear model in each group, against lme4's lmList."""

import pickle

import numpy as np
import pytest

from lmerbridge import lm_list
from lmerbridge.bridge import host
from lmerbridge.errors import (
    FormulaError,
    InvalidArgument,
    MissingColumns,
    RowsLeftOutWarning,
    RWarning,
    UnfitData,
    UnsafeFormula,
)
from lmerbridge.models.kept import model_of
from tests.oracle import same_bits
from tests.processes import in_r

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
