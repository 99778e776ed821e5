"""Predictions taken apart, against R's by hand (tests/cases/contributions.R), and as sums that are exact."""

import json
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

mpl.use("agg")
import matplotlib.pyplot as plt

from lmerbridge import lmer, load_dataset
from lmerbridge.bridge.session import lme4_version
from lmerbridge.errors import InvalidArgument, MissingColumns, SetupError
from lmerbridge.setup import extras
from tests.cases import exact_frames
from tests.models.test_exact import MODELS, is_known
from tests.oracle import plain

CASES = json.loads((Path(__file__).parents[1] / "cases" / "contributions.json").read_text())["models"]
EXACT = 1e-12  # relative: a sum of a few numbers, in another order than R's
BLAS = {"rtol": 1e-4, "atol": 1e-4}  # recorded with one BLAS and lme4; another ends the optimizer elsewhere
DATA = {"cake": "cake", "crossed": "Penicillin", "nested": "Pastes"}


def sleep():
    data = load_dataset("sleepstudy")
    return data.assign(w=np.tile([1.0, 2, 4], 60), shift=np.tile([0.5, -3, 10, 0], 45))


def data_of(name):
    return load_dataset(DATA[name]) if name in DATA else sleep()


@pytest.fixture(scope="module")
def fits_by_name():
    return {
        name: lmer(case["formula"], data_of(name), weights="w" if name == "weighted" else None)
        for name, case in CASES.items()
    }


@pytest.fixture(scope="module")
def fit(fits_by_name):
    return fits_by_name["slope"]


def sums_of(found):
    return found.frame.sum(axis="columns", skipna=False)


def check_sums(found, expected):
    """See that the effects of each row add up to its prediction, and that a row without one has NaN."""
    assert list(found.frame.index) == list(expected.index)
    assert (sums_of(found).isna() == expected.isna()).all()
    assert found.values.isna().all(axis=1).equals(expected.isna()) or not len(found.effects)
    np.testing.assert_allclose(sums_of(found), expected, rtol=EXACT)
    assert found.prediction.rename(None).equals(expected.rename(None))


@pytest.mark.parametrize("name", CASES)
def test_contributions_are_what_r_gives_by_hand(name, fits_by_name):
    case, fit = CASES[name], fits_by_name[name]
    found = fit.contributions(centred=False)
    assert sorted(found.values) == sorted(case["parts"])
    rows = found.values.iloc[case["rows"]]
    for effect, values in case["parts"].items():
        np.testing.assert_allclose(rows[effect], values, **BLAS)
    np.testing.assert_allclose(found.base, case["intercept"], rtol=1e-4)
    np.testing.assert_allclose(sums_of(found).iloc[case["rows"]], case["fitted"], rtol=1e-4)


@pytest.mark.parametrize("name", CASES)
def test_centred_contributions_are_less_r_s_means(name, fits_by_name):
    case, fit = CASES[name], fits_by_name[name]
    found = fit.contributions()
    rows = found.values.iloc[case["rows"]]
    for effect, values in case["parts"].items():
        np.testing.assert_allclose(rows[effect], np.array(values) - case["means"][effect], **BLAS)
    np.testing.assert_allclose(found.base, fit.fitted.mean(), rtol=EXACT)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("centred", [True, False])
def test_the_effects_of_a_row_add_up_to_its_prediction(name, centred, fits_by_name):
    fit = fits_by_name[name]
    check_sums(fit.contributions(centred=centred), fit.fitted)
    new = data_of(name).iloc[CASES[name]["rows"][::-1]]
    found = fit.contributions(new, centred=centred)
    check_sums(found, fit.predict(new))
    np.testing.assert_allclose(found.prediction, CASES[name]["new"], rtol=1e-4)
    own = fit.contributions(centred=centred).values.loc[new.index]
    np.testing.assert_allclose(found.values, own, rtol=1e-9, atol=1e-9)  # poly() is computed anew


@pytest.mark.parametrize("name", CASES)
def test_the_fixed_effects_are_r_s_terms_to_the_last_digits(name, fits_by_name):
    fit = fits_by_name[name]
    found = fit.contributions(centred=False)
    fixed = found.values.loc[:, (found.effects["part"] == "fixed").to_numpy()]
    code = (
        "{ x <- getME(m, 'X'); a <- attr(x, 'assign'); p <- sweep(x, 2, fixef(m), '*'); "
        "as.vector(vapply(setdiff(a, 0), function(i) rowSums(p[, a == i, drop = FALSE]), numeric(nrow(x)))) }"
    )
    expected = np.asarray(plain(fit, code) if fixed.shape[1] else [], float).reshape(fixed.shape, order="F")
    np.testing.assert_allclose(fixed, expected, rtol=EXACT, atol=1e-12)


def test_uncentred_contributions_to_cake_add_up_bit_for_bit(fits_by_name):
    fit = fits_by_name["cake"]
    assert sums_of(fit.contributions(centred=False)).to_numpy().tolist() == pytest.approx(
        fit.fitted.tolist(), rel=4e-16
    )


ODD = pd.DataFrame(
    {
        "y": np.random.default_rng(1).normal(10, 3, 120),
        "a b": np.random.default_rng(2).normal(size=120),
        "base": np.random.default_rng(3).normal(size=120),
        "x|g": np.tile([1, 2, 3], 40),
        "size": np.tile([1, 2, 3, 4], 30),
        "yes": np.tile([True, False, False], 40),
        "f": pd.Categorical(np.tile(["lo", "mid", "hi", "mid"], 30), ["lo", "mid", "hi"], ordered=True),
        "g": np.repeat([*"abcdefghijkl"], 10),
        "h": np.tile([*"pqrst"], 24),
    },
    index=[f"r{i}" for i in range(120)],
)
FORMULAS = {
    "y ~ `a b` * f + yes + base + (1 | g)": ["`a b`", "f", "yes", "`base`", "`a b`:f", "(Intercept) | g"],
    "y ~ 0 + f + (1 | g)": ["f", "(Intercept) | g"],
    "y ~ 0 + (1 | g)": ["(Intercept) | g"],
    "y ~ ns(base, 3) + (f || g)": ["ns(base, 3)", "(Intercept) | g", "f | g"],
    "y ~ `x|g` + (poly(base, 2) | g) + (1 | h)": ["`x|g`", "(Intercept) | g", "poly(base, 2) | g", "(Intercept) | h"],
    "y ~ scale(base) + (1 | g) + (0 + base | g) + (1 | g)": [
        *("scale(base)", "(Intercept) | g", "base | g", "(Intercept) | g.2"),
    ],
    "y ~ I(base^2) + offset(log(size)) + (yes | h) + (1 | g:h)": [
        *("I(base^2)", "(Intercept) | h", "yes | h", "(Intercept) | g:h", "(offset)"),
    ],
    "y ~ base + I(2 * base) + (1 | g / h)": ["`base`", "(Intercept) | g", "(Intercept) | h:g"],
}


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("centred", [True, False])
def test_any_model_is_taken_apart_under_the_names_of_its_terms(formula, centred):
    fit = lmer(formula, ODD)
    found = fit.contributions(centred=centred)
    assert sorted(found.values) == sorted(FORMULAS[formula])
    assert found.values.columns.is_unique
    check_sums(found, fit.fitted)
    new = ODD.iloc[[3, 77, 50]].copy()
    new.loc["r77", "base"] = np.nan
    check_sums(fit.contributions(new, centred=centred), fit.predict(new))


def test_a_term_called_base_is_in_backticks():
    found = lmer("y ~ base + (1 | g)", ODD).contributions()
    assert list(found.frame) == ["base", "`base`", "(Intercept) | g"]
    assert found.shown["`base`"].tolist() == ODD["base"].tolist()


def test_rows_of_a_fit_are_those_of_its_fitted_values():
    data = ODD.assign(w=np.tile([1.0, 0, 3], 40))
    data.loc["r6", "base"] = np.nan
    for action in ("omit", "exclude"):
        fit = lmer("y ~ base + (1 | g)", data, weights="w", subset=data["h"] != "p", offset="x|g", na_action=action)
        found = fit.contributions()
        check_sums(found, fit.fitted)
        assert ("r6" in found.values.index) == (action == "exclude")
        assert found.effects.loc["(offset)", "part"] == "offset"
        assert list(found.data.index) == list(found.values.index) == list(found.shown.index)
        with pytest.raises(InvalidArgument, match="offset= argument"):
            fit.contributions(data)


def test_new_levels_are_refused_or_have_random_effects_of_zero(fit):
    new = pd.DataFrame({"Days": [3.0, 4.0], "Subject": ["308", "new"]})
    with pytest.raises(InvalidArgument, match="'new' for 'Subject' in row 1"):
        fit.contributions(new)
    with pytest.raises(MissingColumns, match="Days"):
        fit.contributions(new[["Subject"]])
    found = fit.contributions(new, allow_new_levels=True, centred=False)
    check_sums(found, fit.predict(new, allow_new_levels=True))
    assert found.values.iloc[1, 1:].tolist() == [0, 0]
    assert found.shown.iloc[1].tolist() == [4.0, "new", "new"]


def test_values_shown_are_the_columns_of_an_effect():
    data = load_dataset("cake")
    row = data.iloc[7]
    found = lmer("angle ~ recipe * temp + (1 | recipe:replicate)", data).contributions(data.iloc[[7]])
    assert found.shown.iloc[0].to_dict() == {
        "recipe": row["recipe"],
        "temp": row["temp"],
        "recipe:temp": f"{row['recipe']}, {row['temp']}",
        "(Intercept) | recipe:replicate": f"{row['recipe']}:{row['replicate']}",
    }


def test_importance_ranks_effects_over_all_rows_and_by_levels(fit):
    found = fit.contributions()
    table = found.importance()
    sizes = found.values.abs()
    assert table["importance"].to_dict() == pytest.approx(sizes.mean().to_dict())
    assert table["importance"].is_monotonic_decreasing
    assert table["share"].sum() == pytest.approx(1)
    by = found.importance("Subject")
    assert list(by.index) == list(table.index)
    assert by.loc["Days | Subject", "335"] == pytest.approx(
        sizes["Days | Subject"][fit.spec.data.Subject == "335"].mean()
    )
    with pytest.raises(InvalidArgument, match="'Reaction', 'Days', 'Subject'"):
        found.importance("nothing")


def test_rows_without_a_value_of_the_column_are_a_level_of_importance(fit):
    found = fit.contributions(sleep().assign(z=[1.0, None] * 90))
    table = found.importance("z")
    assert table.columns[0] == 1.0
    assert table.columns[1:].isna().all()
    np.testing.assert_allclose(table.iloc[:, 1], found.values.iloc[1::2].abs().mean()[table.index])
    found.plot_importance(by="z").figure.canvas.draw()


def test_the_main_drivers_of_each_row_come_by_size(fit):
    new = pd.DataFrame({"Days": [9.0, np.nan, 0.0], "Subject": "335"}, index=["x", "y", "z"])
    found = fit.contributions(new)
    table = found.top(2)
    assert table["row"].tolist() == ["x", "x", "y", "z", "z"]
    assert table["rank"].tolist() == [1, 2, 1, 1, 2]
    assert table["effect"].tolist()[:2] == list(found.values.loc["x"].abs().sort_values(ascending=False).index[:2])
    assert table["effect"][2] is None
    assert np.isnan(table["contribution"][2])
    assert len(found.top(50)) == 3 + 1 + 3
    with pytest.raises(InvalidArgument, match="k is 0"):
        found.top(0)


READERS = {
    "csv": lambda path: pd.read_csv(path, dtype={"row": str, "value": str}),
    "jsonl": lambda path: pd.read_json(path, lines=True, dtype={"row": str, "value": str}),
    "parquet": pd.read_parquet,
}


@pytest.mark.parametrize("suffix", READERS)
def test_drivers_are_appended_to_a_log(suffix, fit, tmp_path):
    place, found = tmp_path / f"log.{suffix}", fit.contributions()
    assert found.append_to(place, 2, run='first, "a"\nb') == place
    before = place.read_bytes()
    assert found.append_to(str(place), 2, run="second") == place
    if suffix != "parquet":
        assert place.read_bytes().startswith(before)
    log = READERS[suffix](place)
    assert list(log) == ["run", "formula", "row", "prediction", "base", "rank", "effect", "value", "contribution"]
    assert log["run"].value_counts().to_dict() == {'first, "a"\nb': 360, "second": 360}
    np.testing.assert_allclose(log["contribution"][:360], found.top(2)["contribution"], rtol=1e-9)
    assert log["formula"].unique().tolist() == [fit.formula]


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("log.csv", "a,b\n1,2\n", "has the columns a, b; run, formula"),
        ("log.csv", "run,formula", "ends within a line"),
        ("log.jsonl", '{"a": 1}\n', "has the columns a; run, formula"),
        ("log.jsonl", "nonsense\n", "has the columns nonsense"),
        ("log.parquet", "nonsense", "cannot be read as Parquet"),
        ("log.txt", None, r"'\.csv|ends in .csv, .jsonl, .parquet"),
        ("nowhere/log.csv", None, "cannot be written|cannot be read"),
    ],
)
def test_a_log_that_is_another_file_is_left_as_it_is(name, content, error, fit, tmp_path):
    place = tmp_path / name
    if content is not None:
        place.write_text(content)
    with pytest.raises(InvalidArgument, match=error):
        fit.contributions().append_to(place)
    assert content is None or place.read_text() == content


def test_an_empty_file_is_begun_and_a_row_without_prediction_is_logged(fit, tmp_path):
    place = tmp_path / "log.jsonl"
    place.touch()
    fit.contributions(pd.DataFrame({"Days": [np.nan], "Subject": "308"})).append_to(place)
    (line,) = map(json.loads, place.read_text().splitlines())
    assert line["prediction"] is None
    assert line["effect"] is None


def test_shap_takes_them(fit):
    shap = pytest.importorskip("shap", exc_type=ImportError, reason="the extra shap has no wheel for this Python yet")
    found = fit.contributions()
    made = found.explanation()
    assert isinstance(made, shap.Explanation)
    np.testing.assert_allclose(made.values.sum(axis=1) + made.base_values, fit.fitted, rtol=EXACT)
    assert list(made.feature_names) == list(found.values)
    plt.figure()
    shap.plots.waterfall(made[3], show=False)
    plt.figure()
    shap.plots.beeswarm(made, show=False)
    plt.close("all")


def test_a_missing_package_is_an_error_that_names_its_extra(fit, monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(extras, "import_module", missing)
    with pytest.raises(SetupError, match=r"pip install 'lmerbridge\[shap\]'"):
        fit.contributions().explanation()


def test_a_waterfall_leads_from_the_base_to_the_prediction(fit):
    found = fit.contributions()
    ax = found.plot_waterfall(9)
    bars = ax.patches
    assert bars[0].get_x() == pytest.approx(found.base)
    assert bars[-1].get_x() + bars[-1].get_width() == pytest.approx(fit.fitted[9])
    widths = [abs(bar.get_width()) for bar in bars]
    assert widths == sorted(widths)
    few = found.plot_waterfall(9, k=1)
    assert [tick.get_text() for tick in few.get_yticklabels()] == ["2 other effects", "Days | Subject = 308"]
    assert few.patches[0].get_width() + few.patches[1].get_width() == pytest.approx(fit.fitted[9] - found.base)
    with pytest.raises(InvalidArgument, match="row is 999; no row of that label"):
        found.plot_waterfall(999)
    new = pd.DataFrame({"Days": [1.0, np.nan], "Subject": "308"})
    with pytest.raises(InvalidArgument, match="row 1 lacks a value"):
        fit.contributions(new).plot_waterfall(1)
    with pytest.raises(InvalidArgument, match="2 rows of that label"):
        fit.contributions(new.set_axis([0, 0])).plot_waterfall(0)
    plt.close("all")


def test_importance_is_drawn_as_bars_or_as_a_heat_map(fit):
    found = fit.contributions()
    bars = [bar.get_width() for bar in found.plot_importance().patches]
    assert bars == found.importance()["importance"].tolist()[::-1]
    image = found.plot_importance(by="Subject").images[0]
    np.testing.assert_array_equal(image.get_array(), found.importance("Subject"))
    odd = lmer("y ~ `a b` + (1 | g)", ODD.assign(**{"$c": ODD["g"]})).contributions(ODD.assign(**{"$c": "$x"}))
    odd.plot_importance(by="$c").figure.canvas.draw()
    plt.close("all")


def test_it_says_which_question_is_answered(fit):
    text = fit.contributions().explain()
    assert "the mean prediction of the rows of the fit, 298.508" in text
    assert "no Shapley value" in text
    assert "an interaction with what it adds" in text
    assert "the intercept, 251.405" in fit.contributions(centred=False).explain()


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in MODELS if MODELS[name]["reml"]])
def test_the_effects_add_up_whatever_the_model(name):
    model = MODELS[name]
    if not is_known(model):
        pytest.skip(f"lme4 {lme4_version()} has no {model['needs']}")
    data = exact_frames.frame(model["frame"])
    fit = lmer(model["formula"], data, **model.get("python", {}))
    rows = [(fit.contributions(centred=centred), fit.fitted) for centred in (True, False)]
    try:
        rows.append((fit.contributions(data.iloc[:7]), fit.predict(data.iloc[:7])))
    except (
        InvalidArgument
    ):  # a model that R can predict no new data by; contributions() is to refuse what predict() does
        with pytest.raises(InvalidArgument):
            fit.predict(data.iloc[:7])
    for found, expected in rows:
        size = found.frame.abs().sum(
            axis="columns", skipna=False
        )  # large terms that cancel leave fewer digits of their sum
        assert (sums_of(found).isna() == expected.isna()).all()
        assert ((sums_of(found) - expected).abs().dropna() <= 1e-14 * size.dropna()).all()
        assert found.values.columns.is_unique
