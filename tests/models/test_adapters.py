"""A fit as other packages take a model: marginaleffects' functions and scikit-learn's."""

import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from marginaleffects import (
    avg_comparisons,
    avg_predictions,
    avg_slopes,
    comparisons,
    datagrid,
    hypotheses,
    predictions,
)
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, cross_val_score

from lmerbridge import LmerRegressor, lmer, load_dataset, to_marginaleffects
from lmerbridge.errors import FormulaError, InvalidArgument, MissingColumns
from tests.oracle import fitted

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of polars, as marginaleffects calls it
CLOSE = {"rtol": 1e-6}  # marginaleffects takes derivatives by coefficients by differences


def numbers(table, *columns):
    return table.select(*columns).to_numpy()


@pytest.fixture(scope="module")
def odd():
    """Sleepstudy with a name that needs quoting, and a group that is called group."""
    data = load_dataset("sleepstudy").rename(columns={"Subject": "group"})
    return data.assign(
        **{"the h": np.resize(["p", "q", "r"], 180)},
        o=pd.Categorical(np.resize(["lo", "mid", "hi", "mid"], 180), ["lo", "mid", "hi"], ordered=True),
        late=data["Days"] > 4,
        z=np.linspace(0, 3, 180),
    )


def test_predictions_and_slopes_are_those_of_the_fixed_part():
    fit = fitted("sleepstudy")
    model = to_marginaleffects(fit)
    np.testing.assert_allclose(
        numbers(avg_predictions(model), "estimate", "std_error"), [[298.507892, 9.049972]], rtol=1e-6
    )
    slope = numbers(avg_slopes(model, variables="Days"), "estimate", "std_error")
    np.testing.assert_allclose(slope, [[10.467286, 1.545790]], rtol=1e-3)  # by differences of Days as well
    limits = fit.predict(fit.spec.data.head(3), interval="confidence", re_form="~0")
    found = predictions(model, newdata=model.get_modeldata().head(3))
    np.testing.assert_allclose(numbers(found, "estimate", "std_error", "conf_low", "conf_high"), limits, **CLOSE)
    (estimate, error), *_ = numbers(comparisons(model, variables={"Days": 3}), "estimate", "std_error")
    np.testing.assert_allclose([estimate, error], 3 * fit.coefficients.loc["Days", ["estimate", "std_error"]], **CLOSE)
    tested = numbers(hypotheses(model, "Days = 10"), "estimate", "std_error")[0]
    np.testing.assert_allclose(tested, [fit.fixef["Days"] - 10, fit.std_errors[1]], **CLOSE)


def test_means_of_a_factor_are_emmeans_asymptotic_ones():
    fit = lmer("angle ~ recipe + temp + (1 | recipe:replicate)", load_dataset("cake"))
    means = fit.emmeans("recipe", ddf="asymptotic").frame
    found = numbers(avg_predictions(to_marginaleffects(fit), by="recipe"), "estimate", "std_error")
    np.testing.assert_allclose(found, means[["estimate", "std_error"]], **CLOSE)  # temp is balanced
    np.testing.assert_allclose(found[0], [33.122222, 1.736833], rtol=1e-6)
    pairs = fit.emmeans("recipe", ddf="asymptotic").pairs(adjust="none", reverse=True).frame
    table = avg_comparisons(to_marginaleffects(fit), variables={"recipe": "pairwise"})
    np.testing.assert_allclose(numbers(table, "estimate", "std_error"), pairs[["estimate", "std_error"]], rtol=1e-5)


def test_the_covariance_may_be_kenward_and_rogers():
    data = load_dataset("sleepstudy").iloc[:-7]
    fit = lmer("Reaction ~ Days + (Days | Subject)", data)
    model = to_marginaleffects(fit)
    adjusted = numbers(avg_predictions(model, vcov="Kenward-Roger"), "std_error").item()
    mean = np.array([1, data["Days"].mean()])
    assert adjusted == pytest.approx(np.sqrt(mean @ fit.vcov_kr().to_numpy() @ mean), rel=1e-6)
    assert adjusted != pytest.approx(numbers(avg_predictions(model), "std_error").item(), rel=1e-6)
    with pytest.raises(InvalidArgument, match="vcov is 'HC3'; True, False, an array or 'Kenward-Roger'"):
        avg_predictions(model, vcov="HC3")


def test_bases_orders_offsets_and_odd_names_arrive(odd):
    fit = lmer("log(Reaction) ~ poly(Days, 2) * `the h` + late + o + offset(z) + (1 | group)", odd)
    model = to_marginaleffects(fit)
    whole = fit.predict(re_form="~0")
    assert numbers(avg_predictions(model), "estimate").item() == pytest.approx(whole.mean(), rel=1e-9)
    by_late = numbers(avg_predictions(model, by="late"), "estimate").ravel()
    np.testing.assert_allclose(by_late, whole.groupby(odd["late"]).mean(), rtol=1e-9)
    grid = predictions(model, newdata=datagrid(model=model, o=["hi", "lo"], Days=[1.0]))
    new = grid.select("Days", "the h", "late", "o", "z").to_pandas().astype({"the h": str, "o": str})
    np.testing.assert_allclose(numbers(grid, "estimate").ravel(), fit.predict(new, re_form="~0"), rtol=1e-9)
    levels = avg_comparisons(model, variables="the h")["contrast"].to_list()
    assert levels == ["q - p", "r - p"]


def test_rows_that_were_left_out_are_no_rows_of_the_model(odd):
    data = odd.assign(Days=odd["Days"].where(odd.index > 9))
    fit = lmer("Reaction ~ Days + `the h` + (1 | group)", data, na_action="exclude", subset=odd["z"] < 2.9)
    model = to_marginaleffects(fit)
    assert model.get_modeldata().height == fit.nobs
    assert numbers(avg_predictions(model), "estimate").item() == pytest.approx(fit.predict(re_form="~0").mean())


def test_an_offset_argument_is_refused(odd):
    with pytest.raises(InvalidArgument, match=r"offset= argument.*offset\(x\) in the formula"):
        to_marginaleffects(lmer("Reaction ~ Days + (1 | group)", odd, offset="z"))
    with pytest.raises(InvalidArgument, match="fit is a str; a fit of lmer is expected"):
        to_marginaleffects("fit")


def test_a_model_without_predictors_has_predictions(sleepstudy):
    model = to_marginaleffects(fit := lmer("Reaction ~ 1 + (1 | Subject)", sleepstudy))
    found = numbers(avg_predictions(model), "estimate", "std_error")
    np.testing.assert_allclose(found[0], fit.coefficients.iloc[0, :2].to_numpy(float), **CLOSE)
    assert repr(model) == "<model for marginaleffects of Reaction ~ 1 + (1 | Subject)>"


@pytest.mark.parametrize("name", ["rowid", "type", "group", "std_error", "p_value", "s_value", "conf_low", "term"])
def test_a_name_of_its_tables_is_refused_where_it_would_be_needed(sleepstudy, name):
    predictor = lmer(f"Reaction ~ {name} + (1 | Subject)", sleepstudy.rename(columns={"Days": name}))
    with pytest.raises(InvalidArgument, match=f"the formula uses '{name}'.*; rename the column"):
        to_marginaleffects(predictor)
    group = lmer(f"Reaction ~ Days + (1 | {name})", sleepstudy.rename(columns={"Subject": name}))
    assert predictions(to_marginaleffects(group)).height == 180


def test_errors_of_slopes_are_exact_by_a_step_of_one():
    fit = lmer("angle ~ recipe * temp + (1 | recipe:replicate)", load_dataset("cake"))
    trends = fit.emtrends("recipe", var="temp", ddf="asymptotic").frame
    found = avg_slopes(to_marginaleffects(fit), variables="temp", by="recipe", eps_vcov=1)
    np.testing.assert_allclose(numbers(found, "estimate", "std_error"), trends[["estimate", "std_error"]], rtol=1e-7)


FORMULA = "Reaction ~ Days + (Days | Subject)"


def test_an_estimator_is_the_fit_and_its_predictions(sleepstudy):
    model = LmerRegressor(FORMULA).fit(sleepstudy)
    fit = fitted("sleepstudy")
    assert model.fit_.loglik == fit.loglik
    np.testing.assert_array_equal(model.predict(sleepstudy), fit.predict(sleepstudy))
    assert model.score(sleepstudy) == r2_score(sleepstudy["Reaction"], fit.fitted)
    assert model.score(sleepstudy) == model.score(sleepstudy.drop(columns="Reaction"), sleepstudy["Reaction"])
    assert (model.n_features_in_, model.feature_names_in_.tolist()) == (3, list(sleepstudy))
    population = LmerRegressor(FORMULA, re_form="~0").fit(sleepstudy)
    np.testing.assert_array_equal(population.predict(sleepstudy), fit.predict(sleepstudy, re_form="~0"))


def test_the_response_is_y_where_that_is_given(sleepstudy):
    x, y = sleepstudy.drop(columns="Reaction"), sleepstudy["Reaction"].to_numpy()
    assert LmerRegressor(FORMULA).fit(x, y).fit_.loglik == fitted("sleepstudy").loglik
    doubled = LmerRegressor(FORMULA).fit(sleepstudy, 2 * y)
    np.testing.assert_allclose(doubled.predict(x), 2 * LmerRegressor(FORMULA).fit(x, y).predict(x), rtol=1e-4)
    with pytest.raises(InvalidArgument, match=r"y has shape \(3,\); one value per row of X is expected, 180"):
        LmerRegressor(FORMULA).fit(x, [1, 2, 3])
    with pytest.raises(MissingColumns, match="Reaction"):
        LmerRegressor(FORMULA).fit(x)
    with pytest.raises(MissingColumns, match="Reaction"):
        doubled.score(x)
    with pytest.raises(FormulaError, match="TransformedTargetRegressor"):
        LmerRegressor("log(Reaction) ~ Days + (1 | Subject)").fit(x, y)


def test_an_estimator_has_parameters_is_cloned_and_pickled(sleepstudy):
    model = LmerRegressor(FORMULA, reml=False, allow_new_levels=False)
    assert model.get_params() == {
        "formula": FORMULA,
        "reml": False,
        "re_form": None,
        "allow_new_levels": False,
        "control": None,
    }
    with pytest.raises(NotFittedError):
        model.predict(sleepstudy)
    model.fit(sleepstudy)
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert not hasattr(copy, "fit_")
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(sleepstudy), model.predict(sleepstudy))
    assert not model.fit_.reml
    with pytest.raises(InvalidArgument, match="new' for 'Subject'"):
        model.predict(sleepstudy.assign(Subject="new"))
    weighted = LmerRegressor(FORMULA).fit(sleepstudy, sample_weight=np.linspace(1, 2, 180))
    assert weighted.fit_.weights().iloc[-1] == 2


@pytest.mark.filterwarnings("ignore::lmerbridge.errors.LmerBridgeWarning")
def test_whole_subjects_are_harder_to_predict_than_rows(sleepstudy):
    model = LmerRegressor(FORMULA)
    given = {"scoring": "neg_root_mean_squared_error"}
    y = sleepstudy["Reaction"]
    by_subject = cross_val_score(model, sleepstudy, y, groups=sleepstudy["Subject"], cv=GroupKFold(6), **given)
    by_row = cross_val_score(model, sleepstudy, y, cv=KFold(6, shuffle=True, random_state=1), **given)
    assert len(by_subject) == len(by_row) == 6
    assert -by_subject.mean() > -by_row.mean() + 5
    search = GridSearchCV(model, {"re_form": [None, "~0"]}, cv=KFold(3, shuffle=True, random_state=1))
    assert search.fit(sleepstudy, y).best_params_ == {"re_form": None}


ABSENT = """
import sys
sys.modules["{module}"] = None
import lmerbridge
from lmerbridge.errors import SetupError
try:
    {use}
except SetupError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("module", "extra", "use"),
    [
        ("sklearn", "sklearn", "lmerbridge.LmerRegressor"),
        ("marginaleffects", "marginaleffects", "lmerbridge.to_marginaleffects(fit)"),
    ],
)
def test_a_package_that_is_absent_is_told_with_the_command_that_installs_it(module, extra, use):
    fit = 'fit = lmerbridge.lmer("Yield ~ 1 + (1 | Batch)", lmerbridge.load_dataset("Dyestuff"))\n    '
    code = ABSENT.format(module=module, use=(fit if "fit" in use else "") + use)
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100)
    assert f"pip install 'lmerbridge[{extra}]'" in found.stdout
