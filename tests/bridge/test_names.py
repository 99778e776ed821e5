"""A column may have any name R can hold, in every role, and changes no number; the others are refused."""

import numpy as np
import pandas as pd
import pytest

from lmerbridge import lmer
from lmerbridge.errors import InputError, InvalidArgument, MissingColumns
from lmerbridge.inputs.spec import text_names

FORMULA = "Reaction ~ Days + (1 | Subject)"
NAMES = (
    *("my col", "if", "function", "NULL", "x:y", "log(x)", "(Intercept)", "a|b", "a~b", "a\\b", '"q"', "'q'"),
    *("a`b", "a\nb", "a\tb", "größe", "剂量", "😀", "x + y", "I(x)", "1", "1e5", "a$b", "a[1]", "-", "%in%", "~", "::"),
    *("data", "formula", "weights", "offset", "subset", "REML", "control", "lmer", "c", "T", "pi", "row.names"),
    *("..a", ".a", "_a", "...a", "TRUE.", "x.y", " x", "x ", "contr.x", "=", "x=1", "#a", "a;b", "a,b", "{a}", "\x1f"),
)
RESERVED = ("", "a\0b", "\ud800", ".", "...", "..1", "..23", ".weights", ".offset", ".subset", "(weights)", "(offset)")
ROLES = {  # the formula, and the column that is to have the name
    "covariate": ("Reaction ~ {0} + ({0} | Subject)", "Days"),
    "response": ("{} ~ Days + (1 | Subject)", "Reaction"),
    "group": ("Reaction ~ Days + (1 | {})", "Subject"),
    "in a function": ("Reaction ~ poly({}, 2) + (1 | Subject)", "Days"),
}
PER_ROW = {"weights": "extra", "offset": "extra", "subset": "some"}


def quoted(name):
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def renamed(frame, column, name):
    names = [name if c == column else c for c in frame]
    return frame.set_axis(pd.Index(names, dtype=object), axis=1)  # a lone surrogate is no text for Arrow


@pytest.fixture(scope="module")
def frame(sleepstudy):
    return sleepstudy.assign(extra=np.linspace(1, 2, 180), some=np.arange(180) % 7 > 0)


@pytest.fixture(scope="module")
def numbers(frame):
    """Numbers, as bits, of a role's model with its column under a name."""

    def of(role, name):
        if role in PER_ROW:
            fit = lmer(FORMULA, renamed(frame, PER_ROW[role], name), **{role: name})
        else:
            formula, column = ROLES[role]
            fit = lmer(formula.format(quoted(name)), renamed(frame, column, name))
        return tuple(np.asarray(part).tobytes() for part in (fit.criterion, fit.fixef, fit.fitted))

    return of


@pytest.fixture(scope="module")
def plain(numbers):
    return {role: numbers(role, "plain") for role in (*ROLES, *PER_ROW)}


@pytest.mark.slow
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", NAMES)
def test_a_name_changes_no_number(name, role, numbers, plain):
    assert numbers(role, name) == plain[role]


@pytest.mark.parametrize("role", PER_ROW)
@pytest.mark.parametrize("name", ["my col", "if", "a`b", "weights", "a\nb", "..1"])
def test_weights_offset_and_subset_may_be_columns_of_any_name(name, role, numbers, plain):
    assert numbers(role, name) == plain[role]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", RESERVED)
def test_a_name_that_r_cannot_hold_is_an_error(name, role, numbers):
    with pytest.raises(
        InputError, match=r"rename it|rename the columns|cannot be read|half a surrogate|name the columns"
    ):
        numbers(role, name)


@pytest.mark.parametrize("name", [3, None, ("a", "b"), "."])
def test_a_dot_stands_for_no_column_whose_name_is_no_text(sleepstudy, name):
    frame = pd.concat([sleepstudy, pd.Series(1.0, sleepstudy.index, name=name)], axis=1)
    assert list(text_names(sleepstudy)) == ["Reaction", "Days", "Subject"]
    with pytest.raises(InvalidArgument, match="rename the columns to text"):
        lmer("Reaction ~ . + (1 | Subject)", frame)
    assert lmer(FORMULA, frame).nobs == 180


def test_of_two_columns_of_one_name_none_is_taken(sleepstudy):
    twice = pd.concat([sleepstudy, sleepstudy[["Days"]]], axis=1)
    with pytest.raises(InvalidArgument, match="2 columns named 'Days'; rename all but one"):
        lmer(FORMULA, twice)
    for role in PER_ROW:
        with pytest.raises(InvalidArgument, match=f"{role} is 'Days', the name of several columns"):
            lmer("Reaction ~ 1 + (1 | Subject)", twice, **{role: "Days"})


@pytest.mark.parametrize(
    ("formula", "told"),
    [
        ("Reaction ~ days + (1 | Subject)", "names 'days', which the data lacks; .* Did you mean 'Days'\\?$"),
        ("reaction ~ Day + (1 | Subject)", "Did you mean 'Reaction', 'Days'\\?$"),
        ("Reaction ~ rivers + (1 | Subject)", "its columns are 'Reaction', 'Days', 'Subject'\\.$"),
    ],
)
def test_a_name_the_data_lacks_is_an_error_even_where_r_would_find_it_elsewhere(sleepstudy, formula, told):
    with pytest.raises(MissingColumns, match=told):
        lmer(formula, sleepstudy)
