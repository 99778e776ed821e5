"""Limits of predictions, the design of new rows and scenarios: by hand in R, by simulation, and what is refused."""

import json
from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, norm

from lmerbridge import lmer, load_dataset
from lmerbridge.errors import InvalidArgument, LmerBridgeWarning, MissingColumns, MissingValues
from tests.chance import amount, generator

HAND = json.loads((Path(__file__).parents[1] / "cases" / "prediction.json").read_text())  # by prediction.R beside it
SLEEP = load_dataset("sleepstudy").assign(w=np.tile([1, 2, 0.5, 4], 45), h=np.tile(["p", "q", "r"], 60))
MODELS = {  # those of prediction.R
    "slope": ("Reaction ~ Days + (Days | Subject)", SLEEP, {}),
    "weighted": ("Reaction ~ Days + (Days | Subject)", SLEEP, {"weights": "w"}),
    "double_bar": ("Reaction ~ Days + (Days || Subject)", SLEEP, {}),
    "basis": ("Reaction ~ poly(Days, 2) * h + (1 | Subject)", SLEEP, {}),
    "crossed": ("diameter ~ 1 + (1 | plate) + (1 | sample)", load_dataset("Penicillin"), {}),
    "nested": ("strength ~ 1 + (1 | batch / cask)", load_dataset("Pastes"), {}),
    "interaction": ("angle ~ recipe * temperature + (1 | recipe:replicate)", load_dataset("cake"), {}),
    "singular": ("Yield ~ 1 + (1 | Batch)", load_dataset("Dyestuff2"), {}),
}
# R dense and lme4 sparse, and an optimum that another lme4 finds anew: theta has half the digits of the deviance.
CLOSE = {"rtol": 2e-4}
LEVELS = [0.95, 0.9]


@pytest.fixture(scope="module")
def models():
    return {name: lmer(formula, data, **more) for name, (formula, data, more) in MODELS.items()}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("level", LEVELS)
def test_standard_errors_and_limits_are_those_by_hand(models, name, level):
    fit, hand = models[name], HAND["models"][name]
    rows = fit.spec.data.iloc[HAND["rows"]]
    weights = {"weights": "w"} if name == "weighted" else {}
    z = norm.ppf((1 + level) / 2)
    for se, given in {
        "conditional": {"interval": "confidence"},
        "population": {"interval": "confidence", "re_form": "~0"},
        "response": {"interval": "prediction", **weights},
    }.items():
        found = fit.predict(rows, level=level, **given)
        assert found.columns.tolist() == ["fit", "std_error", "lower", "upper"]
        np.testing.assert_allclose(found["fit"], hand["population_fit" if "re_form" in given else "fit"], rtol=1e-5)
        np.testing.assert_allclose(found["std_error"], hand[se], **CLOSE)
        np.testing.assert_allclose(found["upper"] - found["fit"], z * found["std_error"], rtol=1e-9)
        np.testing.assert_allclose(found["fit"] - found["lower"], z * found["std_error"], rtol=1e-9)
        own = fit.predict(level=level, **given | {"weights": None}).iloc[HAND["rows"]]
        np.testing.assert_allclose(own, found, rtol=1e-9)


@pytest.mark.parametrize("name", MODELS)
def test_the_design_of_rows_is_r_s(models, name):
    fit, rows = models[name], HAND["rows"]
    found = fit.fixed_design(fit.spec.data.iloc[rows])
    np.testing.assert_allclose(found.to_numpy().ravel(order="F"), HAND["models"][name]["design"], atol=1e-12)
    pd.testing.assert_frame_equal(found, fit.model_matrix().iloc[rows], rtol=1e-12)


@pytest.mark.parametrize("name", ["slope", "weighted"])
def test_a_new_group_has_the_variance_of_its_effects(models, name):
    fit, hand = models[name], HAND["slopes"][name]
    new = pd.DataFrame({"Days": [0, 5, 10], "Subject": "new"})
    known = fit.predict(new, interval="confidence", allow_new_levels=True)
    np.testing.assert_allclose(known["std_error"], hand["new_subject"], **CLOSE)
    weights = [1.0, 2.0, 0.0]
    response = fit.predict(new, interval="prediction", allow_new_levels=True, weights=weights)
    with np.errstate(divide="ignore"):
        expected = known["std_error"] ** 2 + fit.sigma**2 / np.array(weights)
    np.testing.assert_allclose(response["std_error"], np.sqrt(expected), rtol=1e-9)
    assert response["upper"].iloc[2] == np.inf


def test_limits_stand_beside_their_rows_whatever_becomes_of_missing_values(models):
    new = SLEEP.iloc[[3, 9, 20]].set_axis(list("abc")).assign(Days=[3.0, np.nan, 5.0])
    fit = models["slope"]
    passed = fit.predict(new, interval="prediction", se_fit=True)
    assert passed.columns.tolist() == ["fit", "se_fit", "std_error", "lower", "upper"]
    assert passed.isna().all(axis=1).tolist() == [False, True, False]
    weighted = [fit.predict(new, interval="prediction", weights=[1, 2, 3], na_action=a) for a in ("omit", "pass")]
    pd.testing.assert_frame_equal(weighted[0], weighted[1].dropna())
    assert passed.attrs == {"interval": "prediction", "level": 0.95}
    data = SLEEP.assign(Reaction=SLEEP["Reaction"].where(SLEEP.index > 4))
    padded = lmer(MODELS["weighted"][0], data, weights="w", na_action="exclude").predict(interval="prediction")
    assert padded["lower"].isna().sum() == 5


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"interval": "both"}, "interval is 'both'; one of 'confidence', 'prediction', None is expected"),
        ({"interval": "prediction", "level": 1.5}, "level is 1.5; a number between 0 and 1"),
        ({"interval": "confidence", "newparams": {"sigma": 1.0}}, "interval is 'confidence' and newparams given"),
        ({"interval": "prediction", "random_only": True}, "a new response has a fixed part"),
        ({"interval": "confidence", "weights": "w"}, "count for interval='prediction' alone"),
        ({"interval": "prediction", "weights": [1.0]}, r"weights has shape \(1,\)"),
        ({"interval": "prediction", "weights": [-1.0] * 180}, "negative in a row"),
    ],
)
def test_what_makes_no_interval_is_an_error(models, given, message):
    with pytest.raises(InvalidArgument, match=message):
        models["slope"].predict(SLEEP, **given)


def test_new_rows_of_a_weighted_fit_without_weights_are_told(models):
    with pytest.warns(LmerBridgeWarning, match="the fit has weights and newdata is given none"):
        models["weighted"].predict(SLEEP, interval="prediction")


def simulated_errors(count):
    """How many standard errors off a prediction is, of one row of each of some data sets."""
    rng = generator(11)
    group, x = np.repeat(np.arange(60), 6), np.tile(np.arange(6.0), 60)
    design = np.column_stack([np.ones(360), x])
    root, beta, sigma = np.array([[2.0, 0.0], [0.3, 0.6]]), np.array([10.0, 1.0]), 1.5
    fit = None
    for _ in range(count):
        effects = rng.normal(size=(61, 2)) @ root.T
        y = design @ beta + (design * effects[group]).sum(axis=1) + sigma * rng.normal(size=360)
        frame = pd.DataFrame({"y": y, "x": x, "g": group.astype(str)})
        fit = lmer("y ~ x + (x | g)", frame) if fit is None else fit.refit(y)
        row = int(rng.integers(360))
        new = pd.DataFrame({"x": x[row], "g": [str(group[row]), "new"]})
        means = np.array([design[row] @ (beta + effects[i]) for i in (group[row], 60)])
        for interval, truth in (("confidence", means), ("prediction", means + sigma * rng.normal(size=2))):
            limits = fit.predict(new, interval=interval, allow_new_levels=True)
            yield from zip((interval, f"{interval}, new"), (truth - limits["fit"]) / limits["std_error"], strict=True)
        limits = fit.predict(new, interval="confidence", re_form="~0").iloc[0]
        yield "population", (design[row] @ beta - limits["fit"]) / limits["std_error"]


@pytest.mark.slow
def test_limits_cover_at_their_level_in_simulated_data():
    """Theta is one of 60 groups, which costs half a percent of coverage."""
    count = amount(200)
    found = pd.DataFrame(simulated_errors(count), columns=["what", "z"])
    for level in LEVELS:
        hits = (found["z"].abs() <= norm.ppf((1 + level) / 2)).groupby(found["what"]).sum()
        low, high = binom.ppf([1e-3, 1 - 1e-3], count, level - 0.005)
        assert len(hits) == 5
        assert hits.between(low, high).all(), hits


def test_a_new_pair_with_the_text_of_a_known_one_is_not_taken_for_it():
    data = load_dataset("sleepstudy")
    groups = {"a": np.tile(["a:b", "z"], 90), "b": np.repeat(["c", "d", "e"], 60)}
    data = data.assign(**groups, Reaction=data["Reaction"] + 40 * np.repeat([1, -1, 0], 60))
    fit = lmer("Reaction ~ Days + (1 | a:b)", data)
    new = pd.DataFrame({"Days": [1, 1], "a": ["a", "a:b"], "b": ["b:c", "c"]}, index=["odd", "known"])
    assert fit.predict(new.loc[["known"]]).item() != pytest.approx(fit.predict(new, re_form="~0").iloc[0])
    for allowed in (False, True):
        with pytest.raises(InvalidArgument, match=r"'a:b:c' for 'a:b' in row 'odd', .*another pair of levels"):
            fit.predict(new, allow_new_levels=allowed)
    other = new.assign(b=["q", "c"])
    assert fit.predict(other, allow_new_levels=True).iloc[0] == fit.predict(new, re_form="~0").iloc[0]
    with pytest.raises(InvalidArgument, match="allow_new_levels=True gives them"):
        fit.predict(other)


def test_an_offset_keeps_the_mean_of_the_fit_s_rows():
    data = SLEEP.assign(x=np.linspace(1, 5, 180))
    fit = lmer("Reaction ~ Days + offset(10 * x / mean(x)) + (1 | Subject)", data)
    alone = [fit.predict(data.iloc[[row]]).item() for row in range(0, 180, 30)]
    np.testing.assert_allclose(alone, fit.fitted_values[::30], rtol=1e-12)


def test_the_design_of_new_rows_needs_the_fixed_part_alone():
    data = SLEEP.assign(**{"a b": SLEEP["h"], "late": SLEEP["Days"] > 4}).drop(columns="h")
    fit = lmer("Reaction ~ ns(Days, 2) * `a b` + late + (1 | Subject)", data, contrasts={"a b": "contr.sum"})
    new = data.iloc[[5, 100]].set_axis(["x", "y"])
    found = fit.fixed_design(new[["Days", "a b", "late"]])
    np.testing.assert_allclose(found, fit.model_matrix().iloc[[5, 100]], atol=1e-12)
    assert found.index.tolist() == ["x", "y"]
    assert found.columns.tolist() == list(fit.terms)
    np.testing.assert_allclose(found @ fit.fixef, fit.predict(new, re_form="~0"), rtol=1e-12)
    missing = fit.fixed_design(new.assign(**{"a b": [None, "p"]}).astype({"a b": object}))
    assert missing.isna().any(axis=1).tolist() == [True, False]
    with pytest.raises(InvalidArgument, match="'z' for 'a b'"):
        fit.fixed_design(new.assign(**{"a b": "z"}))
    with pytest.raises(MissingColumns, match="late"):
        fit.fixed_design(new.drop(columns="late"))
    by_argument = lmer("Reaction ~ Days + (1 | Subject)", data, offset="w")
    assert by_argument.fixed_design(new).shape == (2, 2)


@pytest.mark.parametrize("term", ["log({} + 1)", "poly({}, 2) * `a b`", "ns({}, 3)"])
def test_a_name_in_backticks_within_a_function_is_in_the_design_and_in_the_errors(term):
    """lme4 1.1 does not find such a column among its own."""
    data = SLEEP.rename(columns={"h": "a b"}).assign(**{"the days": SLEEP["Days"]})
    odd, plain = (lmer(f"Reaction ~ {term.format(x)} + (Days | Subject)", data) for x in ("`the days`", "Days"))
    np.testing.assert_allclose(odd.fixed_design(data.head(3)), odd.model_matrix().head(3), atol=1e-12)
    limits = odd.predict(interval="confidence")
    np.testing.assert_allclose(limits, plain.predict(interval="confidence"), rtol=1e-9)


@pytest.mark.parametrize("term", ["cut(Days, 3)", "I(scale(Days)^2)"])
def test_a_design_that_depends_on_all_rows_is_refused(term):
    fit = lmer(f"Reaction ~ {term} + (1 | Subject)", SLEEP.assign(Days=SLEEP["Days"] ** 2))
    with pytest.raises(InvalidArgument, match="make a column of it before the fit"):
        fit.fixed_design(SLEEP)


def test_a_dropped_column_is_in_no_design():
    data = SLEEP.assign(twice=2 * SLEEP["Days"])
    fit = lmer("Reaction ~ Days + twice + h + (1 | Subject)", data)
    assert fit.fixed_design(data.head(2)).columns.tolist() == ["(Intercept)", "Days", "hq", "hr"]


@pytest.mark.parametrize("name", ["slope", "weighted"])
def test_the_error_of_a_difference_is_that_by_hand(models, name):
    fit, hand = models[name], HAND["slopes"][name]
    day = {"Days": lambda days: days + 1}
    new = pd.DataFrame({"Days": [2, 2], "Subject": ["309", "new"]})
    found = fit.scenarios(new, day, allow_new_levels=True).frame
    np.testing.assert_allclose(found["std_error"], [hand["day_known"], hand["day_new"]], **CLOSE)
    np.testing.assert_allclose(found["difference"], [fit.coef["Subject"].loc["309", "Days"], fit.fixef["Days"]])
    population = fit.scenarios(new, day, re_form="~0").frame
    np.testing.assert_allclose(population["std_error"], [hand["day_population"]] * 2, **CLOSE)


def test_scenarios_are_predictions_side_by_side(models):
    new = SLEEP.iloc[[3, 50, 120]].set_axis(["x", "y", "x"])
    fit = models["basis"]
    found = fit.scenarios(new, {"late": {"Days": 9}, "as q": {"h": "q", "Days": [1, 2, 3]}}, level=0.9)
    wide = found.predictions
    assert wide.columns.tolist() == ["baseline", "late", "as q"]
    assert wide.index.tolist() == ["x", "y", "x"]
    np.testing.assert_array_equal(wide["baseline"], fit.predict(new))
    np.testing.assert_array_equal(wide["as q"], fit.predict(new.assign(h="q", Days=[1, 2, 3])))
    part = found.frame[found.frame["scenario"] == "as q"]
    step = fit.fixed_design(new.assign(h="q", Days=[1, 2, 3])).to_numpy() - fit.fixed_design(new).to_numpy()
    exact = np.sqrt(np.einsum("ij,jk,ik->i", step, fit.covariance, step))  # the random intercept cancels
    np.testing.assert_allclose(part["std_error"], exact, rtol=1e-9)
    np.testing.assert_allclose(part["upper"] - part["difference"], norm.ppf(0.95) * exact, rtol=1e-9)
    assert list(fit.scenarios(new, [{"Days": 0}, {"Days": abs, "h": "p"}]).changes) == [
        "Days = 0",
        "Days = abs(Days), h = 'p'",
    ]
    with pytest.raises(FrozenInstanceError):
        found.level = 0.5
    assert repr(found) == "<Scenarios of 3 rows: late, as q>"


def test_to_move_a_row_to_another_group_differs_by_the_groups_effects(models):
    fit, new = models["nested"], load_dataset("Pastes").iloc[[0, 13]]
    found = fit.scenarios(new.astype({"batch": str}), {"batch": "B"}).frame
    assert found["std_error"].gt(0).all()
    batch = fit.scenarios(new, {"batch": "B"}, re_form="~ (1 | batch)").frame
    whole = fit.vcov_full()
    of_batch = whole.index.get_level_values(0) == "batch"
    v = whole.to_numpy()[np.ix_(of_batch, of_batch)]
    np.testing.assert_allclose(
        batch["std_error"], [np.sqrt(v[i, i] + v[1, 1] - 2 * v[i, 1]) for i in (0, 2)], rtol=1e-6
    )


def test_to_move_a_row_to_a_new_group_differs_by_the_whole_of_its_effects(models):
    fit, z = models["slope"], np.array([1.0, 5.0])
    covariance, whole = fit.varcorr["Subject"].covariance, fit.vcov_full()
    of_known = whole.index.get_level_values(1) == "308"
    joint = whole.to_numpy()[np.ix_(of_known, of_known)]
    new = pd.DataFrame({"Days": [5, 5, 5], "Subject": ["308", "one new", "new"]})
    found = fit.scenarios(new, {"Subject": "new"}, allow_new_levels=True).frame["std_error"]
    expected = np.sqrt([z @ (covariance + joint) @ z, 2 * z @ covariance @ z, 0.0])
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_missing_values_have_no_difference(models):
    new = SLEEP.iloc[:2].assign(Days=[np.nan, 2.0])
    assert models["slope"].scenarios(new, {"Days": lambda days: days * 2}).frame["std_error"].isna().tolist() == [
        True,
        False,
    ]
    with pytest.raises(MissingValues):
        models["slope"].scenarios(new.assign(Subject=None), {"Days": 1.0}, allow_new_levels=True)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({}, InvalidArgument, "a mapping of columns to values or functions"),
        ([], InvalidArgument, "a mapping of columns"),
        ({"a": {}}, InvalidArgument, "a mapping of columns"),
        ({1: 2}, InvalidArgument, "a mapping of columns"),
        ([{"Days": 1}, {"Days": 1}], InvalidArgument, "same description"),
        ({"Dayz": 1}, MissingColumns, "Did you mean 'Days'"),
        ({"w": 1}, InvalidArgument, "changes names 'w', which the formula does not use; .* are 'Days', 'Subject'"),
        ({"Reaction": 1}, InvalidArgument, "changes names 'Reaction', the response; .* are 'Days', 'Subject'"),
        ({"Days": [1, 2, 3]}, InvalidArgument, "one per row, 2 in all"),
        ({"Days": pd.Series([1, 2], ["a", "b"])}, InvalidArgument, "another index than newdata"),
        ({"Days": "many"}, InvalidArgument, "newdata's column 'Days' has dtype"),
    ],
)
def test_changes_that_are_none_are_errors(models, changes, error, message):
    with pytest.raises(error, match=message):
        models["slope"].scenarios(SLEEP.head(2), changes)
