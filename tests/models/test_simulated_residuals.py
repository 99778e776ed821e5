"""Simulated residuals are R's shares to the bit, and uniform where the model is right."""

import pickle

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

mpl.use("agg")
import matplotlib.pyplot as plt

from lmerbridge import lmer, load_dataset
from lmerbridge.errors import InvalidArgument
from lmerbridge.models.diagnose import uniform
from tests.models.checked import NAMES, RECORDED, checked
from tests.oracle import plain, same_bits

UNWEIGHTED = [name for name in NAMES if name != "weighted"]
LIVE = 1e-9  # R's ks.test on the same numbers


def simulated(name, **given):
    return checked(name).simulated_residuals(seed=1, **given)


@pytest.mark.parametrize("name", UNWEIGHTED)
def test_residuals_are_r_s_shares_to_the_bit(name):
    theirs = plain(checked(name), "unname(rowMeans(simulate(m, 250, seed = 1) < getME(m, 'y')))")
    assert same_bits(simulated(name).residuals, theirs)


@pytest.mark.parametrize("name", UNWEIGHTED)
def test_residuals_and_their_uniformity_are_those_recorded(name):
    recorded, found = RECORDED["models"][name]["simulated"], simulated(name)
    # a fit of other last digits moves a response past a simulation or two
    np.testing.assert_allclose(found.residuals.head(6), recorded["first"], atol=2 / 250)
    assert found.tests[0].statistic == pytest.approx(recorded["statistic"], abs=2 / 250)
    if np.array_equal(found.residuals.head(6), recorded["first"]):
        assert found.tests[0].p_value == pytest.approx(recorded["p_value"], rel=1e-2)


def test_the_numbers_of_sleepstudy():
    found = simulated("sleepstudy")
    np.testing.assert_allclose(found.residuals.head(6), [0.516, 0.484, 0.296, 0.812, 0.932, 0.992], atol=1 / 250)


@pytest.mark.parametrize("re_form", [None, "~ (1 | plate)"])
def test_residuals_given_random_effects_are_r_s_too(re_form):
    fit = checked("penicillin")
    theirs = plain(
        fit,
        f"unname(rowMeans(simulate(m, 250, seed = 1, re.form = {'NULL' if re_form is None else re_form}) "
        "< getME(m, 'y')))",
    )
    found = fit.simulated_residuals(seed=1, re_form=re_form)
    if re_form is None:
        assert same_bits(found.residuals, theirs)
    assert found.frame["predicted"].equals(fit.predict(re_form=re_form).rename("predicted"))
    assert "kept" in found.tests[0].finding


@pytest.mark.parametrize(
    "values", [np.linspace(0.01, 0.9, 50) ** 1.5, np.arange(180) % 90 / 90, np.arange(150) / 150 * 0.97]
)
def test_the_test_of_uniformity_is_r_s(values):
    (d, p) = plain(
        checked("sleepstudy"),
        f"unlist(suppressWarnings(stats::ks.test(c({','.join(map(repr, map(float, values)))}), 'punif'))[1:2], "
        "use.names = FALSE)",
    )
    test = uniform.uniformity("residuals", values)
    assert (test.statistic, test.p_value) == (pytest.approx(d, rel=LIVE), pytest.approx(p, abs=2e-6))  # R's tolerance


def test_residuals_of_counts_are_randomized_between_the_shares():
    rng = np.random.default_rng(1)
    observed = rng.poisson(2.0, 4000).astype(float)
    drawn = rng.poisson(2.0, (4000, 250)).astype(float)
    values = uniform.shares(observed, drawn, 1)
    below, upto = (drawn < observed[:, None]).mean(axis=1), (drawn <= observed[:, None]).mean(axis=1)
    assert ((below <= values) & (values <= upto)).all()
    assert np.array_equal(values, uniform.shares(observed, drawn, 1))
    assert uniform.uniformity("residuals", values).p_value > 0.01
    assert uniform.uniformity("residuals", below).p_value < 1e-6  # what it would be without
    assert uniform.zeros(observed, drawn).p_value > 0.05
    inflated = np.where(rng.uniform(size=4000) < 0.2, 0.0, observed)
    assert uniform.zeros(inflated, drawn).p_value == pytest.approx(2 / 251)
    assert uniform.zeros(inflated, drawn).statistic > 1.5


def test_dispersion_and_outliers_are_seen_where_they_are():
    rng = np.random.default_rng(2)
    drawn, predicted = rng.normal(size=(500, 250)), np.zeros(500)
    for scale, low, high in ((1.0, 0.05, 1.0), (1.5, 0.0, 0.01), (0.6, 0.0, 0.01)):
        test = uniform.dispersion(scale * rng.normal(size=500), drawn, predicted)
        assert low <= test.p_value <= high
        assert test.statistic == pytest.approx(scale**2, rel=0.2)
    assert uniform.outlying(4, 500, 250).p_value > 0.5  # 3.98 are expected
    assert uniform.outlying(20, 500, 250).p_value < 1e-6
    observed = np.array([-9.0, 0.0, 9.0])
    assert uniform.outside(observed, drawn[:3]).tolist() == [True, False, True]


def test_the_right_model_is_uniform_and_a_wrong_one_is_not():
    rng = np.random.default_rng(4)
    group = np.repeat(np.arange(60), 8)
    x = rng.uniform(size=480)
    mean = 2 * x + rng.normal(size=60)[group]
    right = pd.DataFrame({"y": mean + rng.normal(size=480), "x": x, "g": group.astype(str)})
    wrong = right.assign(y=mean + rng.exponential(size=480) ** 2)
    for data, least, most in ((right, 0.05, 1), (wrong, 0, 1e-6)):
        found = lmer("y ~ x + (1 | g)", data).simulated_residuals(seed=1)
        assert least <= found.tests[0].p_value <= most


def test_sums_by_group_are_held_against_those_simulated():
    fit = checked("sleepstudy")
    found, by_day = fit.simulated_residuals(seed=1), fit.simulated_residuals(seed=1, by="Days")
    drawn, response = fit.simulate(250, seed=1), fit.spec.data.Reaction
    for key, table in (("Subject", found.groups["Subject"]), ("Days", by_day.groups["Days"])):
        sums = drawn.groupby(fit.spec.data[key], observed=True).sum()
        own = response.groupby(fit.spec.data[key], observed=True).sum()
        np.testing.assert_allclose(table["observed"], own, rtol=1e-12)  # another order of adding
        np.testing.assert_array_equal(table["residual"], sums.lt(own, axis=0).mean(axis=1))
        assert table["rows"].tolist() == [180 // len(table)] * len(table)
    assert found.tests[-1].of == "sums by Subject"
    assert fit.simulated_residuals(5, seed=1, by=[]).groups == {}
    with pytest.raises(InvalidArgument, match="by names 'nonsense'; columns of the model are"):
        fit.simulated_residuals(5, by="nonsense")


def test_rows_weights_and_offsets_are_the_fit_s():
    data = load_dataset("sleepstudy").assign(w=lambda d: 1 + d.Days / 3, o=lambda d: d.Days * 2.0)
    data["Reaction"] = data["Reaction"].where(data.index != 3)
    fit = lmer(
        "Reaction ~ Days + offset(o) + (1 | Subject)", data, weights="w", na_action="exclude", subset=data.index != 9
    )
    found = fit.simulated_residuals(seed=1)
    assert found.frame.index.equals(fit.fitted.index)
    assert found.frame.index[found.frame["residual"].isna()].tolist() == [3]
    drawn = fit.simulate(250, seed=1)
    expected = drawn.lt(data["Reaction"].loc[drawn.index], axis=0).mean(axis=1).where(drawn["sim_1"].notna())
    np.testing.assert_array_equal(found.residuals, expected)
    assert found.frame["predicted"].dropna().equals(fit.predict(re_form="~0").dropna().rename("predicted"))
    spread = drawn.dropna().std(axis=1)  # a row of weight 4 has a smaller error
    assert spread[data.Days == 9].mean() < spread[data.Days == 0].mean()


def test_the_plots_show_the_residuals():
    found = simulated("cake")
    axes = found.plot()
    assert np.array_equal(axes[0].collections[0].get_offsets()[:, 1], np.sort(found.residuals))
    assert len(axes[1].collections[1].get_offsets()) == found.frame["outlier"].sum() == 2
    plt.close("all")
    for name in ("singular", "weighted"):
        simulated(name).plot()
    plt.close("all")


def test_the_result_reads_in_text_and_html_and_survives_pickling():
    found = pickle.loads(pickle.dumps(simulated("sleepstudy", nsim=20)))
    pd.testing.assert_frame_equal(found.frame, simulated("sleepstudy", nsim=20).frame)
    assert repr(found) == "<simulated residuals: 180 rows, 20 simulations, seed 1>"
    assert "uniformity of residuals" in str(found)
    assert "<table" in found._repr_html_()
    assert list(found.frame.columns) == ["observed", "predicted", "residual", "outlier"]


def test_the_words_fit_the_numbers():
    """A test of few values that finds nothing says that it is weak."""
    assert uniform.outlying(1, 40, 100).finding.endswith(
        "1 of 40 rows is outside all 100 simulations, 0.792 are expected."
    )
    few, many = (uniform.uniformity("sums", (np.arange(n) + 0.5) / n, "Beware.").finding for n in (2, 200))
    assert few == "No evidence against the model. With 2 values only gross departures show. Beware."
    assert many == "No evidence against the model. Beware."
    assert uniform.uniformity("sums", np.full(20, 0.001)).finding == "Evidence against the model."


def test_rows_of_weight_zero_are_no_part_of_it():
    """The model says nothing of their variance, so that their simulations tell nothing of their responses."""
    data = load_dataset("sleepstudy").assign(w=np.where(np.arange(180) % 9 == 0, 0.0, 1.0))
    found = lmer("Reaction ~ Days + (1 | Subject)", data, weights="w").simulated_residuals(50, seed=1)
    assert found.frame.isna().all(axis=1).tolist() == (data["w"] == 0).tolist()
    assert found.groups["Subject"]["rows"].sum() == 160
    outliers = found.table.set_index("check").loc["outliers", "finding"]
    assert f"{found.frame['outlier'].sum():.0f} of 160 rows" in outliers
