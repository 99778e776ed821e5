"""Labels that repeat in each parent become codes that name one unit each, in order and without collisions."""

import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmerbridge import code_levels, lmer, load_dataset
from lmerbridge.errors import InvalidArgument, MissingColumns


def test_codes_keep_parent_and_child_in_their_order():
    schools = pd.CategoricalDtype(["west", "east", "north"])
    frame = pd.DataFrame({"school": ["east", "west", "east", None], "class": [10, 2, 2, 1]}).astype({"school": schools})
    found = code_levels(frame, ["school", "class"])
    assert found["school_class"].cat.categories.to_list() == ["west/2", "east/2", "east/10"]
    assert found.codes.to_list() == [3, 1, 2, pd.NA]
    assert found.levels[["code", "school", "class", "rows"]].values.tolist() == [
        [1, "west", "2", 1], [2, "east", "2", 1], [3, "east", "10", 1]
    ]  # fmt: skip
    assert not found["school_class"].cat.ordered
    assert [*found.frame] == [*frame, "school_class"]


def test_labels_that_hold_the_separator_do_not_collide():
    frame = pd.DataFrame({"a": ["x/y", "x", "x\\", "x"], "b": ["z", "y/z", "z", "\\/z"]})
    found = code_levels(frame, ["a", "b"])
    assert found.codes.nunique() == len(frame)
    assert found.levels["label"].is_unique
    long = pd.DataFrame({"a": ["/", ""], "b": ["x", "/x"]})
    assert code_levels(long, ["a", "b"], sep="//").codes.nunique() == 2
    assert code_levels(frame, ["a", "b"], sep="|")["a_b"].to_list()[:2] == ["x/y|z", "x|y/z"]


def test_a_fit_by_codes_is_that_of_the_nested_formula():
    pastes = code_levels(load_dataset("Pastes"), ["batch", "cask"], name="unit").frame
    one = lmer("strength ~ 1 + (1 | batch) + (1 | unit)", pastes)
    two = lmer("strength ~ 1 + (1 | batch/cask)", pastes)
    assert float(one.loglik) == pytest.approx(float(two.loglik), abs=1e-9)
    assert one.ngrps["unit"] == 30


def test_what_cannot_be_coded_is_told():
    frame = pl.DataFrame({"a": [1, 2], "b": [1, 1], "a_b": [0, 0]})
    with pytest.raises(InvalidArgument, match="has 'a_b' already; give name="):
        code_levels(frame, ["a", "b"])
    assert code_levels(frame, ["a", "b"], name="c")["c"].to_list() == ["1/1", "2/1"]
    for columns in (["a"], ["a", "a"], "a"):
        with pytest.raises(InvalidArgument, match="two columns or more"):
            code_levels(frame, columns)
    with pytest.raises(InvalidArgument, match="without a backslash"):
        code_levels(frame, ["a", "b"], name="c", sep="\\")
    with pytest.raises(MissingColumns):
        code_levels(frame, ["a", "z"])


LABELS = st.text("ab/\\:", max_size=4)


@pytest.mark.slow
@given(
    st.lists(st.tuples(LABELS, LABELS, LABELS), min_size=1, max_size=20), st.sampled_from(["/", ":", "//", "ab", "_"])
)
def test_codes_are_a_bijection(rows, sep):
    frame = pd.DataFrame(rows, columns=["g", "h", "k"])
    found = code_levels(frame, ["g", "h", "k"], name="unit", sep=sep)
    pairs = {*zip(rows, found["unit"], strict=True)}
    assert len(pairs) == len({*rows}) == found["unit"].nunique()
    back = found.levels.set_index("label")[["g", "h", "k"]]
    assert [tuple(back.loc[label]) for label in found["unit"]] == rows
    assert found.codes.to_list() == [sorted({*rows}).index(row) + 1 for row in rows]
