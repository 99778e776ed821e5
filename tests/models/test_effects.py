"""Effects of predictors: emmeans' numbers, by hand from the design, the points beside them, and what is drawn."""

from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection
from scipy.stats import norm

from lmerbridge import lmer, load_dataset
from lmerbridge.errors import InvalidArgument, RWarning
from tests.oracle import fitted, plain

pytestmark = pytest.mark.filterwarnings("ignore::lmerbridge.errors.RWarning")  # emmeans' notes are tested elsewhere
SAME = {"rtol": 1e-9}  # sums of the same products in another order


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(3)
    return load_dataset("sleepstudy").assign(
        **{"the h": np.resize(["p", "q", "r"], 180)},
        o=pd.Categorical(np.resize(["lo", "mid", "hi", "mid"], 180), ["lo", "mid", "hi"], ordered=True),
        late=rng.uniform(size=180) > 0.6,
        z=rng.normal(size=180),
        k=np.resize([1, 2, 4, 4, 2], 180),
        w=rng.uniform(1, 2, 180),
        day=pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(180) % 9, unit="D"),
    )


@pytest.mark.parametrize(
    ("model", "x", "by", "in_r"),
    [
        ("sleepstudy", "Days", None, 'emmeans(m, "Days", at = list(Days = seq(0, 9, length.out = 50)), ...)'),
        ("cake", "recipe", None, 'emmeans(m, "recipe", ...)'),
        ("cake", "temperature", "recipe", 'emmeans(m, "temperature", by = "recipe", ...)'),
        ("orthodont", "age", "Sex", 'emmeans(m, "age", by = "Sex", at = list(age = seq(8, 14, length.out = 50)), ...)'),
        (
            "orthodont",
            "Sex",
            ["age"],
            'emmeans(m, "Sex", by = "age", at = list(age = mean(d$age) + -1:1 * sd(d$age)), ...)',
        ),
        ("double_bar", "Days", None, 'emmeans(m, "Days", at = list(Days = seq(0, 9, length.out = 50)), ...)'),
    ],
)
def test_estimates_and_errors_are_emmeans_asymptotic_ones(model, x, by, in_r):
    fit = fitted(model)
    found = fit.effect(x, by).frame
    call = in_r.replace("...", 'lmer.df = "asymptotic"')
    code = f"""d <- eval(m@call$data, environment(formula(m)))
      g <- as.data.frame(suppressMessages(emmeans::{call})); c(g$emmean, g$SE, g$asymp.LCL, g$asymp.UCL)"""
    columns = ["estimate", "std_error", "conf_low", "conf_high"]
    np.testing.assert_allclose(found[columns].to_numpy().ravel(order="F"), plain(fit, code), **SAME)


FORMULAS = {
    "poly and a factor": ("Reaction ~ poly(Days, 2) * `the h` + z + (Days | Subject)", {}),
    "scaled and ordered": ("Reaction ~ scale(Days) * o + late + (1 | Subject)", {}),
    "weighted, other contrasts": ("Reaction ~ `the h` * z + Days + (1 | Subject)", {"weights": "w"}),
    "crossed and logged": ("log(Reaction) ~ Days * late + o + (1 | Subject) + (1 | k)", {}),
    "singular": ("Reaction ~ z * Days + (1 | k)", {}),
    "without an intercept": ("Reaction ~ 0 + `the h` + Days + (Days || Subject)", {}),
}
HELD = {  # x, by
    "poly and a factor": [("Days", "the h"), ("the h", "Days"), ("z", None)],
    "scaled and ordered": [("Days", "o"), ("o", ["Days", "late"]), ("late", None)],
    "weighted, other contrasts": [("z", "the h"), ("the h", "z")],
    "crossed and logged": [("Days", "late"), ("o", None)],
    "singular": [("z", "Days"), ("Days", "z")],
    "without an intercept": [("the h", None), ("Days", "the h")],
}
CASES = [(name, *held) for name, several in HELD.items() for held in several]


@pytest.fixture(scope="module")
def models(data):
    contrasts = {"weighted, other contrasts": {"the h": "contr.sum"}}
    return {n: lmer(f, data, contrasts=contrasts.get(n), **more) for n, (f, more) in FORMULAS.items()}


@pytest.mark.parametrize(("name", "x", "by"), CASES)
def test_each_mean_is_the_average_of_predictions_over_the_other_factors(models, data, name, x, by):
    """By hand from the fixed design of new rows: other numbers at their means, each level of other factors alike."""
    fit = models[name]
    effect = fit.effect(x, by, level=0.9)
    fixed = [n for n in fit.get_data() if n in fit.formula_of(fixed_only=True).partition("~")[2]]
    others = [n for n in fixed if n not in effect.frame.columns]
    levels = {n: data[n].unique().tolist() if data[n].dtype.kind not in "if" else [data[n].mean()] for n in others}
    for row in effect.frame.iloc[:: max(1, len(effect.frame) // 7)].itertuples(index=False):
        given = dict(zip(effect.frame.columns, row, strict=True))
        cells = pd.DataFrame(list(product(*levels.values())) or [()], columns=list(levels))
        cells = cells.assign(**{n: given[n] for n in (x, *effect.by)})
        weight = fit.fixed_design(cells).mean().to_numpy()
        assert given["estimate"] == pytest.approx(weight @ fit.beta, rel=1e-8)
        assert given["std_error"] == pytest.approx(np.sqrt(weight @ fit.covariance @ weight), rel=1e-8)
        assert given["conf_high"] - given["estimate"] == pytest.approx(norm.ppf(0.95) * given["std_error"], rel=1e-8)


@pytest.mark.parametrize(("name", "x", "by"), CASES)
def test_points_are_on_their_line_plus_their_residual(models, data, name, x, by):
    fit = models[name]
    effect = fit.effect(x, by)
    points = effect.points
    assert points.columns.tolist() == [x, *effect.by, "partial", "observed"]
    np.testing.assert_allclose(points["observed"], fit.fitted_values + fit.residual_values)
    for row in (0, 50, 179):
        line = effect.frame
        for n in effect.by:
            line = line[line[n].astype(str) == str(points[n].iloc[row])]
            if data[n].dtype.kind in "if":
                nearest = np.abs(effect.frame[n].unique() - data[n].iloc[row]).min()
                assert abs(points[n].iloc[row] - data[n].iloc[row]) == pytest.approx(nearest)
        if data[x].dtype.kind in "if":
            mean = np.interp(data[x].iloc[row], line[x], line["estimate"])
        else:
            mean = line.loc[line[x].astype(str) == str(data[x].iloc[row]), "estimate"].item()
        assert points["partial"].iloc[row] == pytest.approx(mean + fit.residual_values[row])


def test_of_a_straight_line_partial_residuals_lie_on_it_exactly(models):
    fit = fitted("sleepstudy")
    partial = fit.effect("Days").points["partial"]
    np.testing.assert_allclose(partial, fit.predict(re_form="~0") + fit.residuals, **SAME)


def test_values_can_be_chosen_and_a_method_for_the_degrees_of_freedom(data):
    fit = lmer("Reaction ~ Days * k + z + (1 | Subject)", data)
    effect = fit.effect("Days", "k", at={"z": 1.0, "Days": [0, 4, 9]}, ddf="Satterthwaite")
    assert effect.frame["Days"].tolist() == [0, 4, 9] * 3
    assert effect.frame["k"].unique().tolist() == [1, 2, 4]  # few values are lines of their own
    assert np.isfinite(effect.frame["df"]).all()
    new = effect.frame[["Days", "k"]].assign(z=1.0)
    np.testing.assert_allclose(effect.frame["estimate"], fit.predict(new, re_form="~0"), **SAME)
    assert effect.points["partial"].notna().all()
    assert fit.effect("Days", "k", at={"Days": [4, 9]}).points["partial"].isna().any()  # no line below 4
    by_number = fit.effect("Days", "z").frame["z"].unique()
    np.testing.assert_allclose(by_number, data["z"].mean() + np.array([-1, 0, 1]) * data["z"].std())


def test_a_number_that_the_formula_makes_a_factor_of_has_levels(data):
    fit = lmer("Reaction ~ factor(k) + z + (1 | Subject)", data)
    assert fit.effect("k").frame["k"].tolist() == [1, 2, 4]
    assert fit.effect("k").points["partial"].notna().all()


def test_many_cells_leave_fewer_values_of_a_number(data):
    wide = data.assign(a=np.resize([f"a{i}" for i in range(20)], 180), b=np.resize([f"b{i}" for i in range(29)], 180))
    fit = lmer("Reaction ~ Days + a + b + (1 | Subject)", wide)
    assert len(fit.effect("Days").frame) == 17


def test_rows_that_were_left_out_are_no_points(data):
    fit = lmer(
        "Reaction ~ Days + (1 | Subject)", data.assign(Days=data["Days"].where(data.index > 9)), na_action="omit"
    )
    assert fit.effect("Days").points.index.equals(fit.fitted.index)


def test_a_warning_tells_of_an_interaction_that_is_averaged():
    with pytest.warns(RWarning, match="misleading due to involvement in interactions"):
        fitted("cake").effect("recipe")


@pytest.mark.parametrize("name", ["estimate", "df", "conf_low", "observed"])
def test_a_predictor_with_the_name_of_a_column_of_the_means_is_refused(name):
    data = load_dataset("sleepstudy").assign(f=np.resize(["a", "b"], 180)).rename(columns={"Days": name})
    fit = lmer(f"Reaction ~ {name} + f + (1 | Subject)", data)
    for x, by in ((name, None), ("f", name)):
        with pytest.raises(InvalidArgument, match=f"'{name}' is a column of the means or their points; rename it"):
            fit.plot_effect(x, by=by)
    assert fit.effect("f").frame["f"].tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("x", "by", "message"),
    [
        ("Dayz", None, "x names 'Dayz'; 'Days', 'day' are there"),
        ("Subject", None, "x names 'Subject'"),
        ("Days", "z", "by names 'z'"),
        ("Days", ["Days"], "which names x"),
        ("day", None, "'day' is a date or a time"),
        ("Days", "day", "'day' is a date or a time"),
    ],
)
def test_what_has_no_effect_is_an_error(data, x, by, message):
    fit = lmer("Reaction ~ Days + day + (1 | Subject)", data)
    with pytest.raises(InvalidArgument, match=message):
        fit.effect(x, by)


@pytest.mark.parametrize(("name", "x", "by"), CASES)
@pytest.mark.parametrize("points", ["partial", "observed", "none"])
def test_what_is_drawn_is_the_frame_and_the_points(models, name, x, by, points):
    fit = models[name]
    effect = fit.effect(x, by)
    _, own = plt.subplots()
    ax = fit.plot_effect(x, by, own, points=points)
    assert ax is own
    assert (ax.get_xlabel(), ax.get_ylabel()) == (x, f"{effect.response}, 95% interval")
    lines = len(effect.frame[list(effect.by)].drop_duplicates()) if effect.by else 1
    means = [line for line in ax.get_lines() if len(line.get_ydata()) == len(effect.frame) // lines]
    drawn = np.concatenate([line.get_ydata() for line in means]).astype(float)
    assert set(effect.frame["estimate"]) <= set(drawn)
    scattered = [each.get_offsets() for each in ax.collections if isinstance(each, PathCollection)]
    if points == "none":
        assert not scattered
    else:
        heights = np.sort(np.concatenate([offsets[:, 1] for offsets in scattered]))
        np.testing.assert_allclose(heights, np.sort(effect.points[points]))
    assert (ax.get_legend() is not None) == bool(effect.by)
    if effect.by:
        assert len(ax.get_legend().get_texts()) == lines
    if effect.frame[x].dtype.kind not in "if":
        assert [tick.get_text() for tick in ax.get_xticklabels()] == [str(v) for v in dict.fromkeys(effect.frame[x])]
    assert repr(effect).startswith(f"<Effect of {x}")
