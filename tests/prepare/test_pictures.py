"""A picture of the groups: its lines are least squares lines, and it has panels, colours or thin lines."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

mpl.use("agg")
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from lmerbridge import load_dataset, plot_groups
from lmerbridge.errors import InvalidArgument, RowsLeftOutWarning, UnfitData
from tests.pictures import same_picture


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def points(ax):
    return ax.collections[0].get_offsets().data


def test_each_group_has_a_panel_its_points_and_its_least_squares_line(sleepstudy):
    panels = plot_groups(sleepstudy, x="Days", y="Reaction", by="Subject")
    assert [ax.get_title() for ax in panels] == sleepstudy["Subject"].cat.categories.to_list()
    for ax, (_, rows) in zip(panels, sleepstudy.groupby("Subject", observed=True), strict=True):
        assert points(ax).tolist() == rows[["Days", "Reaction"]].values.tolist()
        ends, heights = ax.lines[0].get_data()
        slope, intercept = np.polyfit(rows["Days"], rows["Reaction"], 1)
        np.testing.assert_allclose(heights, intercept + slope * ends, rtol=1e-12)


def test_few_groups_have_colours_and_a_line_through_all_rows():
    frame = load_dataset("Orthodont", "nlme")
    (ax,) = plot_groups(frame, "age", "distance", "Sex")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["Male", "Female", "all rows"]
    ends, heights = ax.lines[-1].get_data()
    slope, intercept = np.polyfit(frame["age"], frame["distance"], 1)
    np.testing.assert_allclose(heights, intercept + slope * ends, rtol=1e-12)
    assert len({line.get_color() for line in ax.lines}) == 3


def test_many_groups_are_thin_lines_in_one_panel():
    frame = load_dataset("InstEval").query("d in ['1', '6', '7', '8', '12', '13']")
    (ax,) = plot_groups(frame, "lectage", "y", "s")
    assert ax.get_legend() is None
    assert ax.get_title() == f"a line per level of s, {frame['s'].nunique()} in all; dashed: all rows"
    with pytest.raises(InvalidArgument, match="more than 100 panels; layout='lines'"):
        plot_groups(frame, "lectage", "y", "s", layout="panels")


def test_a_factor_and_a_time_are_drawn_at_their_places():
    cake = load_dataset("cake")
    (ax,) = plot_groups(cake, "temperature", "angle", "recipe")
    assert [tick.get_text() for tick in ax.get_xticklabels()] == cake["temperature"].cat.categories.to_list()
    days = pd.DataFrame({"t": pd.date_range("2020-01-01", periods=4), "y": [1.0, 2, 3, 4], "g": list("aabb")})
    (ax,) = plot_groups(days, "t", "y", "g")
    assert ax.lines[0].get_ydata().tolist() == [1, 2]
    assert len(plot_groups(days.assign(t=days["t"].dt.date), "t", "y", "g")[0].lines) == 3


def test_rows_without_a_value_are_told_and_a_group_of_one_place_has_no_line():
    frame = pd.DataFrame({"x": [1.0, 2, None, 5, 5], "y": [1, 2, 3, 4, 5], "g": list("aaabb")})
    with pytest.warns(RowsLeftOutWarning, match="1 of 5 rows lacks a value and is not drawn"):
        (ax,) = plot_groups(frame, "x", "y", "g")
    assert len(ax.lines) == 2
    with pytest.raises(UnfitData, match="nothing to draw"):
        plot_groups(frame.assign(x=np.nan), "x", "y", "g")
    with pytest.raises(InvalidArgument, match="y takes columns of numbers"):
        plot_groups(frame, "x", "g", "g")


def test_axes_of_ones_own_are_drawn_on():
    frame = pd.DataFrame({"x": [1.0, 2, 3, 4], "y": [1, 2, 2, 1], "g": list("aabb")})
    axes = Figure().subplots(1, 2)
    found = plot_groups(frame, "x", "y", "g", layout="panels", axes=axes)
    assert [*found] == [*axes]
    assert [ax.get_xlabel() for ax in axes] == ["x", "x"]
    with pytest.raises(InvalidArgument, match="2 in all"):
        plot_groups(frame, "x", "y", "g", layout="panels", axes=axes[0])


def test_it_looks_as_it_did_when_somebody_looked(sleepstudy, tmp_path):
    drawn = Figure(figsize=(6, 3), dpi=50, layout="constrained")
    left, right = drawn.subplots(1, 2)
    some = sleepstudy[sleepstudy["Subject"].cat.codes < 4]
    plot_groups(some, "Days", "Reaction", "Subject", axes=left)
    plot_groups(sleepstudy, "Days", "Reaction", "Subject", layout="lines", axes=right)
    same_picture(drawn, "groups", tmp_path)
