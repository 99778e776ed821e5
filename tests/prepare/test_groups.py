"""What groups there are: sizes, nested or crossed, what varies within, and what lacks a value."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmerbridge import group_summary, load_dataset
from lmerbridge.errors import InvalidArgument, MissingColumns, UnsupportedColumn
from lmerbridge.results.vcconv import is_nested

RELATIONS = {  # of pairs of columns, outer one first, and whether labels may mean other things in each
    ("Pastes", None, "batch", "sample"): ("nested", False),
    ("Pastes", None, "batch", "cask"): ("implicitly nested", True),
    ("Penicillin", None, "plate", "sample"): ("crossed", False),
    ("InstEval", None, "s", "d"): ("partly crossed", False),
    ("InstEval", None, "dept", "d"): ("nested", False),
    ("Machines", "nlme", "Worker", "Machine"): ("crossed", True),
    ("sleepstudy", None, "Subject", "Days"): ("crossed", False),
    ("Orthodont", "nlme", "Sex", "Subject"): ("nested", False),
    ("Oxide", "nlme", "Lot", "Wafer"): ("crossed", True),
}


@pytest.mark.parametrize(("name", "package", "outer", "inner"), RELATIONS)
def test_two_factors_are_nested_or_crossed(name, package, outer, inner):
    relation, repeats = RELATIONS[name, package, outer, inner]
    frame = load_dataset(name, package)
    (pair,) = group_summary(frame, [outer, inner]).pairs.to_dict("records")
    assert (pair["outer"], pair["inner"]) == (outer, inner)
    assert (pair["relation"], pair["labels_repeat"]) == (relation, repeats)
    assert (relation == "nested") == is_nested(frame[inner], frame[outer])
    (pair,) = group_summary(frame, [inner, outer]).pairs.to_dict("records")
    assert pair["relation"] == relation
    if relation == "nested":
        assert (pair["outer"], pair["inner"]) == (outer, inner)


def test_labels_that_begin_anew_in_each_parent_are_implicitly_nested():
    frame = pd.DataFrame({"school": list("AAAAAABBBB"), "class": [1, 1, 2, 2, 3, 3, 1, 1, 2, 2]})
    summary = group_summary(frame, ["school", "class"])
    assert summary.pairs["relation"].to_list() == ["implicitly nested"]
    assert "Code them with code_levels(frame, ['school', 'class']), or write (1 | school/class)." in str(summary)
    dropout = pd.DataFrame({"id": [1, 1, 1, 2, 2], "visit": [1, 2, 3, 1, 2]})  # one row each: a visit is no unit
    assert group_summary(dropout, ["id", "visit"]).pairs["relation"].to_list() == ["partly crossed"]


def test_a_column_with_as_many_values_as_cells_names_them_only_if_each_has_its_own():
    cells = pd.MultiIndex.from_product([range(3), range(2), range(2)]).to_frame(index=False, name=["a", "b", "rep"])
    for column, relation in {"unit": "implicitly nested", "row": "crossed"}.items():
        codes = {"unit": cells["a"] * 2 + cells["b"], "row": cells.index % 6}[column]
        assert group_summary(cells.assign(**{column: codes}), ["a", "b"]).pairs["relation"].to_list() == [relation]


def test_the_same_groups_under_two_names_and_groups_that_never_meet_are_told():
    frame = pd.DataFrame({"g": list("aab"), "h": [1, 1, 2], "k": [None, None, None]})
    pairs = group_summary(frame, ["g", "h", "k"]).pairs["relation"]
    assert pairs.to_list() == ["the same", "apart", "apart"]


def test_sizes_singletons_and_missing_values_are_counted():
    frame = pd.DataFrame(
        {"g": ["a", "a", "a", "b", "b", "c", None], "x": [1.0, None, 2, 3, 3, 4, 5]}, index=range(5, 12)
    )
    summary = group_summary(frame, "g")
    assert summary.frame.loc["g"].to_list() == [3, 6, 1, 2, 3, 1]
    assert summary.missing.to_dict() == {"g": 1, "x": 1}
    assert summary.incomplete.to_list() == [6, 11]
    assert "2 rows of 7 without a value: 'g' in 1, 'x' in 1." in str(summary)


def test_a_column_varies_within_groups_or_between_them_or_not():
    frame = pd.DataFrame(
        {
            "g": list("aabb"),
            "w": [1, 2, 3, 3],
            "b": [1, 1, 2, 2],
            "c": [7] * 4,
            "m": [np.nan] * 4,
            "l": [[1], [2], [3], [4]],
        }
    )
    summary = group_summary(frame, "g")
    assert summary.columns.set_index("column")["varies"].to_dict() == {
        "w": "within", "b": "between", "c": "constant", "m": "missing", "l": "unknown"
    }  # fmt: skip
    assert summary.columns.set_index("column")["groups"]["w"] == 1
    assert (summary.varying(), summary.constant("g")) == (["w"], ["b"])
    with pytest.raises(InvalidArgument, match="one of 'g' is expected"):
        summary.varying("h")


def test_school_level_variables_are_found_in_real_data():
    summary = group_summary(load_dataset("MathAchieve", "nlme"), "School")
    assert summary.constant() == ["MEANSES"]
    assert {"SES", "MathAch", "Sex"} <= {*summary.varying()}


def test_polars_and_odd_names_are_taken_and_a_notebook_shows_tables():
    summary = group_summary(pl.DataFrame({"my group": ["a", "a", "b"], "größe": [1, 2, 3]}), "my group")
    assert summary.varying() == ["größe"]
    assert "<table" in summary._repr_html_()
    assert repr(summary) == str(summary)


def test_what_cannot_group_is_told():
    with pytest.raises(MissingColumns, match=r"by names 'grup'.*Did you mean 'group'"):
        group_summary(pd.DataFrame({"group": [1]}), "grup")
    with pytest.raises(UnsupportedColumn):
        group_summary(pd.DataFrame({"g": [1j, 2j]}), "g")
    with pytest.raises(InvalidArgument, match=r"by names no column"):
        group_summary(pd.DataFrame({"g": [1]}), [])


@pytest.mark.slow
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), min_size=1, max_size=25))
def test_a_relation_is_what_counting_says(rows):
    frame = pd.DataFrame(rows, columns=["g", "h"])
    (pair,) = group_summary(frame, ["g", "h"]).pairs.to_dict("records")
    cells, nested = frame.drop_duplicates(), {}
    for outer, inner in (("g", "h"), ("h", "g")):
        nested[inner] = cells.groupby(inner)[outer].nunique().max() == 1
    assert (pair["relation"] in ("nested", "the same")) == any(nested.values())
    assert (pair["relation"] == "the same") == all(nested.values())
    assert pair["cells"] == len(cells)
    assert pair["possible"] == frame["g"].nunique() * frame["h"].nunique()
    if pair["relation"] in ("crossed", "partly crossed"):
        assert (pair["relation"] == "crossed") == (pair["cells"] == pair["possible"])
