"""Pictures of fits: their points are the numbers, and they look as they did when somebody looked."""

from functools import cache

import matplotlib as mpl
import numpy as np
import pytest

mpl.use("agg")
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from lmerbridge import lmer, load_dataset
from lmerbridge.drawing import normal_quantiles
from lmerbridge.errors import InvalidArgument
from tests.oracle import MODELS, fitted, plain, same_bits
from tests.pictures import same_picture


def figure(panels=1):
    """A small figure, and its Axes in a row."""
    drawn = Figure(figsize=(3 * panels, 3), dpi=50, layout="constrained")
    return drawn, drawn.subplots(1, panels, squeeze=False).ravel()


def points(ax):
    return ax.collections[0].get_offsets().data


@pytest.fixture
def fit():
    return fitted("sleepstudy")


@pytest.mark.parametrize("name", MODELS)
def test_residuals_are_drawn_against_fitted_values(name):
    (ax,) = figure()[1]
    assert fitted(name).plot_residuals(ax) is ax
    assert same_bits(points(ax)[:, 0], plain(fitted(name), "unname(fitted(m))"))
    assert same_bits(points(ax)[:, 1], plain(fitted(name), "unname(resid(m, 'pearson'))"))


def test_a_type_of_residual_and_their_scale_can_be_chosen(fit):
    ax = fit.plot_residuals(figure()[1][0], type="response", scaled=True)
    assert same_bits(points(ax)[:, 1], plain(fit, "unname(resid(m, 'response', scaled = TRUE))"))
    assert ax.get_ylabel() == "scaled response residuals"


@pytest.mark.parametrize("count", [2, 10, 11, 180])
def test_normal_quantiles_are_r_s(fit, count):
    np.testing.assert_allclose(normal_quantiles(count), plain(fit, f"qnorm(ppoints({count}))"), rtol=1e-14)


@pytest.mark.parametrize("name", MODELS)
def test_residuals_are_drawn_against_normal_quantiles_with_the_line_through_their_quartiles(name):
    ax = fitted(name).plot_qq(figure()[1][0])
    assert same_bits(points(ax)[:, 1], plain(fitted(name), "unname(sort(resid(m, 'pearson', scaled = TRUE)))"))
    line = ax.lines[0]
    values = points(ax)[:, 1]
    for share in (0.25, 0.75):
        at = plain(fitted(name), f"qnorm({share})")[0]
        assert line.get_xy1()[1] + line.get_slope() * at == pytest.approx(np.quantile(values, share), rel=1e-12)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("normal", [False, True])
def test_random_effects_have_a_panel_a_term_with_their_intervals_in_order(name, normal):
    fit = fitted(name)
    for group, modes in fit.ranef.items():
        axes = fit.plot_ranef(group, figure(modes.shape[1])[1], normal=normal, level=0.9)
        for ax, term in zip(axes, modes, strict=True):
            estimates, heights = ax.lines[1].get_data()
            assert same_bits(estimates, np.sort(modes[term]))
            at = normal_quantiles(len(modes)) if normal else np.arange(len(modes))
            assert same_bits(heights, at)
            bars = ax.collections[0].get_segments()
            sd = fit.ranef_table().query("group == @group and term == @term").set_index("level")["std_error"]
            wanted = 2 * 1.6448536269514722 * sd.loc[modes[term].sort_values().index]  # the normal's 95 % point
            np.testing.assert_allclose([bar[1][0] - bar[0][0] for bar in bars], wanted, rtol=1e-12)


def test_levels_stand_beside_their_intervals(fit):
    ax = fit.plot_ranef("Subject", figure(2)[1])[0]
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == list(fit.ranef["Subject"]["(Intercept)"].sort_values().index)


def test_axes_that_do_not_go_with_the_panels_and_a_group_that_is_none_are_refused(fit):
    with pytest.raises(InvalidArgument, match="axes holds 1 Axes; one per panel is expected, 2 in all"):
        fit.plot_ranef("Subject", figure()[1])
    with pytest.raises(InvalidArgument, match="group is 'Days'; one of 'Subject' is expected"):
        fit.plot_ranef("Days")
    with pytest.raises(InvalidArgument, match="level is 95; a number between 0 and 1"):
        fit.plot_ranef("Subject", figure(2)[1], level=95)


@pytest.mark.parametrize("normal", [False, True])
def test_random_effects_of_all_groups_are_drawn_beside_one_another(normal):
    fit = fitted("pastes")
    axes = fit.plot_ranef(normal=normal)
    labels = [f"{group}, standard normal quantiles" if normal else group for group in fit.ranef]
    assert [ax.get_ylabel() for ax in axes] == labels
    assert [ax.get_title() for ax in axes] == ["(Intercept)"] * 2
    for ax, group in zip(axes, fit.ranef, strict=True):
        (alone,) = fit.plot_ranef(group, normal=normal)
        assert np.array_equal(ax.lines[1].get_xdata(), alone.lines[1].get_xdata())
    plt.close("all")


def test_a_group_that_is_not_there_is_told_the_groups():
    with pytest.raises(InvalidArgument, match="group is 'x'; one of 'cask:batch', 'batch' is expected"):
        fitted("pastes").plot_ranef("x")


def test_without_axes_there_is_a_new_figure_with_one_a_panel(fit):
    import matplotlib.pyplot as plt

    axes = fit.plot_ranef("Subject")
    assert len(axes) == len(axes[0].figure.axes) == 2
    plt.close(axes[0].figure)


@cache
def results():
    """What has a picture of its own, each made once."""
    dyestuff = lmer("Yield ~ 1 + (1 | Batch)", load_dataset("Dyestuff"))
    cake = fitted("cake")
    return {
        "profile": dyestuff.profile(),
        "influence": fitted("sleepstudy").influence("Subject"),
        "bootstrap": dyestuff.bootstrap(nsim=200, seed=1),
        "power": fitted("sleepstudy").power_curve("Days", "Days", [2.0, 4.0, 8.0], nsim=50, seed=1),
        "means": cake.emmeans("temperature", ddf="satterthwaite"),
    }


@pytest.mark.slow
@pytest.mark.parametrize("absolute", [False, True])
def test_a_profile_is_drawn_through_its_points_with_the_ends_of_its_interval(absolute):
    profile = results()["profile"]
    shape = np.abs if absolute else np.positive
    axes = profile.plot(figure(3)[1], absolute=absolute)
    for ax, (name, points) in zip(axes, profile.frame.groupby("parameter", sort=False, observed=True), strict=True):
        assert ax.get_xlabel() == name
        assert same_bits(points_of(ax), np.c_[points["focal"], shape(points["zeta"])].ravel(order="F"))
        ends = [segment[0][0] for segment in ax.collections[1].get_segments()]
        assert same_bits(ends, profile.confint().loc[name, ["conf_low", "conf_high"]])


def points_of(ax):
    return points(ax).ravel(order="F")


@pytest.mark.slow
def test_cook_s_distances_are_drawn_and_the_largest_have_their_names():
    influence = results()["influence"]
    ax = influence.plot(figure()[1][0], named=2)
    assert same_bits([s[1][1] for s in ax.collections[0].get_segments()], influence.cooks_distance())
    assert [text.get_text() for text in ax.texts] == list(influence.cooks_distance().nlargest(2).index)


@pytest.mark.slow
def test_replicates_are_drawn_with_the_statistic_and_its_interval():
    boot = results()["bootstrap"]
    for ax, name in zip(boot.plot(figure(3)[1]), boot.t, strict=True):
        assert sum(bar.get_height() for bar in ax.patches) == boot.nsim
        drawn = [line.get_xdata()[0] for line in ax.lines]
        assert same_bits(drawn, [boot.t0[name], *boot.confint().loc[name]])
    assert boot.plot(figure()[1], parm="sigma")[0].get_xlabel() == "sigma"


@pytest.mark.slow
def test_power_is_drawn_with_its_intervals():
    curve = results()["power"]
    ax = curve.plot(figure()[1][0])
    assert same_bits(ax.lines[0].get_ydata(), curve.frame["power"])
    bars = np.array([bar[:, 1] for bar in ax.collections[0].get_segments()])
    np.testing.assert_allclose(bars, curve.frame[["conf_low", "conf_high"]], rtol=1e-12)


def test_means_are_drawn_with_their_intervals_and_names():
    means = results()["means"]
    ax = means.plot(figure()[1][0])
    assert same_bits(ax.lines[0].get_xdata(), means.frame["estimate"])
    bars = np.array([bar[:, 0] for bar in ax.collections[0].get_segments()])
    np.testing.assert_allclose(bars, means.frame[["conf_low", "conf_high"]], rtol=1e-12)
    assert [t.get_text() for t in ax.get_yticklabels()] == list(means.grid["temperature"].astype(str))


PICTURES = {  # what is drawn, and in how many panels
    "profile": (3, lambda fit, axes: results()["profile"].plot(axes)),
    "influence": (1, lambda fit, axes: results()["influence"].plot(axes[0])),
    "bootstrap": (3, lambda fit, axes: results()["bootstrap"].plot(axes)),
    "power": (1, lambda fit, axes: results()["power"].plot(axes[0])),
    "means": (1, lambda fit, axes: results()["means"].plot(axes[0])),
    "ranef_groups": (2, lambda fit, axes: fitted("pastes").plot_ranef(axes=axes)),
    "waterfall": (1, lambda fit, axes: fitted("cake").contributions().plot_waterfall(3, axes[0])),
    "importance": (1, lambda fit, axes: fit.contributions().plot_importance(axes[0])),
    "heat_map": (1, lambda fit, axes: fit.contributions().plot_importance(axes[0], by="Subject")),
    "residuals": (1, lambda fit, axes: fit.plot_residuals(axes[0])),
    "qq": (1, lambda fit, axes: fit.plot_qq(axes[0])),
    "ranef": (2, lambda fit, axes: fit.plot_ranef("Subject", axes)),
    "ranef_normal": (2, lambda fit, axes: fit.plot_ranef("Subject", axes, normal=True)),
    "check": (8, lambda fit, axes: fit.check(seed=1).plot(axes, nsim=10)),
    "simulated": (2, lambda fit, axes: fit.simulated_residuals(seed=1).plot(axes)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_looks_as_it_did(name, fit, tmp_path):
    count, draw = PICTURES[name]
    drawn, axes = figure(count)
    draw(fit, axes)
    same_picture(drawn, name, tmp_path)
