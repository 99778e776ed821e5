"""What a formula makes of a frame is what lme4 makes of it: columns, levels, theta and rows, without R."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmerbridge import explain_formula, lmer, load_dataset, params_template
from lmerbridge.errors import FormulaError, InputError, LmerBridgeError, MissingColumns, UnfitData, UnsafeFormula
from lmerbridge.inputs import Spec
from lmerbridge.prepare.model import Model
from tests.processes import run

CASES = json.loads(Path(__file__).parents[1].joinpath("cases", "model_matrix.json").read_text(encoding="utf-8"))
ORDERED = pd.CategoricalDtype(["lo", "mid", "hi", "top"], ordered=True)


def frame(name):
    """A frame of the script, its factors' levels in R's order, and numbers with holes as numbers."""
    given = pd.DataFrame(CASES["frames"][name]).astype({"o": ORDERED, "l": "boolean"})
    return given.astype(dict.fromkeys(("x", "y", "z"), float) | dict.fromkeys("fgh", "category"))


FRAMES = {name: frame(name) for name in ("whole", "holes")}
MODELS = [(name, text) for name in FRAMES for text in CASES[name]]


@pytest.mark.parametrize(("name", "text"), MODELS)
def test_columns_levels_theta_and_rows_are_lme4_s(name, text):
    expected, found = CASES[name][text], explain_formula(text, FRAMES[name])
    assert list(found.columns) == expected["x"]
    assert sorted(found.dropped) == sorted(expected["dropped"])
    assert len(found.rows) == expected["rows"]
    assert found.parameters["theta"] == expected["theta"]
    assert found.parameters["beta"] == len(expected["x"]) - len(expected["dropped"])
    random = [", ".join(each) for each in found.frame.query("part == 'random'")["columns"]]
    assert sorted(random) == sorted(expected["terms"])
    assert found.groups["levels"].to_dict() == dict(zip(expected["groups"], expected["levels"], strict=True))


@pytest.mark.parametrize(("name", "text"), MODELS)
def test_the_columns_of_x_have_lme4_s_values(name, text):
    model = Model(Spec(formula=text, data=FRAMES[name]))
    columns = [values for _, each in model.design(model.formula.terms) for values in each.values()]
    for column, total in zip(columns, CASES[name][text]["values"], strict=True):
        if column is not None:  # a spline's are R's alone
            assert column.sum() == pytest.approx(total, rel=1e-10, abs=1e-10)  # sums of 60 numbers that cancel


@pytest.mark.parametrize("name", CASES["contrasts"])
def test_contrasts_name_the_columns_as_in_r(name):
    found = explain_formula("y ~ f * h + o + (1 | g)", FRAMES["whole"], contrasts={"f": name, "o": name})
    assert list(found.columns) == CASES["contrasts"][name]["x"]


def test_a_matrix_of_contrasts_names_the_columns_by_its_own_or_by_place():
    matrix = np.array([[1.0, 0], [0, 1], [-1, -1]])
    by_place = explain_formula("y ~ f + (1 | g)", FRAMES["whole"], contrasts={"f": matrix})
    named = explain_formula(
        "y ~ f + (1 | g)", FRAMES["whole"], contrasts={"f": pd.DataFrame(matrix, columns=["p", "q"])}
    )
    assert by_place.columns == ("(Intercept)", "f1", "f2")
    assert named.columns == ("(Intercept)", "fp", "fq")


REAL = {  # formulas by data set, which a fit is held against
    "sleepstudy": ["Reaction ~ poly(Days, 2) + (Days || Subject)", "log(Reaction) ~ factor(Days) + (1 | Subject)"],
    "cake": ["angle ~ recipe * temperature + (1 | recipe:replicate)", "angle ~ recipe * temp + (temp | replicate)"],
    "Pastes": ["strength ~ 1 + (1 | batch / cask)", "strength ~ 1 + (1 | batch) + (1 | sample)"],
    "Penicillin": ["diameter ~ (1 | plate) + (1 | sample)"],
    "mtcars": ["mpg ~ hp + (1 | am)", "mpg ~ . + (1 | am)", "mpg ~ wt + I(2 * wt) + factor(cyl) + (1 | gear)"],
    "ChickWeight": ["weight ~ Time * Diet + (Time | Chick)", "weight ~ splines::ns(Time, 3) + (1 | Chick)"],
}


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in REAL.items() for text in texts])
def test_a_fit_has_the_terms_and_the_parameters_that_were_told(name, text):
    data = load_dataset(name)
    data = data.drop(columns="vs") if name == "mtcars" else data
    told, fit = explain_formula(text, data), lmer(text, data)
    assert [each for each in told.columns if each not in told.dropped] == list(fit.terms)
    assert sorted(told.dropped) == sorted(fit.dropped_terms)
    assert told.npar == fit.npar
    assert told.parameters["theta"] == len(fit.theta)
    assert told.groups["levels"].to_dict() == fit.ngrps.to_dict()
    assert told.rows.tolist() == fit.rows.tolist()
    assert told.refusals == ()


BAD = {  # what lmer refuses, with a word of why
    "a level per row": ("y ~ x + (1 | id)", {}, "level of its own"),
    "one level": ("y ~ x + (1 | one)", {}, "one level"),
    "as many effects as rows": ("y ~ x + (x | pair)", {}, "random effects"),
    "a level per row, crossed": ("y ~ x + (1 | g:id)", {}, "fewer levels than rows"),
    "a function that groups": ("y ~ x + (1 | factor(g))", {}, "evaluates no function"),
    "a constant response": ("one2 ~ x + (1 | g)", {}, "one2"),
    "no row": ("y ~ gap + x2 + (1 | g)", {}, "no row"),
    "missing and fail": ("y ~ gap + (1 | g)", {"na_action": "fail"}, "na_action is 'fail'"),
    "a factor of one level": ("y ~ factor(x2 > -9) + (1 | g)", {}, "at least two levels"),
    "an infinite number": ("y ~ log(zero) + (1 | g)", {}, "infinite"),
    "as many fixed effects as rows": ("y ~ poly(x, 9) + f + (1 | g)", {}, "fit any response"),
    "poly of missing": ("y ~ poly(gap, 2) + (1 | g)", {}, "poly(gap, 2)"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_lmer_refuses_is_told_before(name):
    text, options, why = BAD[name]
    n = 12
    data = pd.DataFrame({"y": np.sin(np.arange(n)), "x": np.cos(np.arange(n)), "id": np.arange(n), "one": ["a"] * n})
    data = data.assign(pair=[f"p{i // 2}" for i in range(n)], g=[f"g{i % 3}" for i in range(n)], one2=1.0)
    data = data.assign(zero=np.arange(n) * 1.0, f=list("abcbcacabbca"))
    data = data.assign(gap=data["x"].where(data.index % 2 == 0), x2=data["x"].where(data.index % 2 == 1))
    found = explain_formula(text, data, **options)
    assert any(why in each for each in found.refusals), found.warnings
    assert str(found).count("lmer refuses this: ") == len(found.refusals)
    with pytest.raises(LmerBridgeError):
        lmer(text, data, **options)


def test_what_lmer_warns_of_is_told_before():
    data = FRAMES["holes"].assign(
        big=lambda d: d["n"] * 1e5, num=[f"{i}.5" for i in range(len(FRAMES["holes"]) - 1)] + ["."]
    )
    told = " ".join(explain_formula("y ~ x + I(2 * x) + z + big + num + (f || h)", data).warnings)
    for words in (
        "lack a value ('y' in 1, 'x' in ",
        "leaves out",
        "'num' is text",
        "'h' has 2 levels",
        "stay correlated",
    ):
        assert words in told
    assert "on very different scales" in " ".join(explain_formula("y ~ z + big + (1 | g)", data).warnings)
    fine = explain_formula("Reaction ~ Days + (Days | Subject)", load_dataset("sleepstudy"))
    assert fine.warnings == ()


def test_what_only_r_counts_is_not_guessed():
    found = explain_formula("y ~ dummy(f) * h + (1 | g)", FRAMES["whole"])
    assert (found.columns, found.npar, found.parameters["theta"]) == ((), None, 1)
    assert "the columns of X are not counted" in " ".join(found.warnings)
    assert found.frame["columns"].notna().to_list() == [True, False, True, False, True]
    assert "?" in str(found)


def test_options_of_lmer_change_the_rows_and_the_terms():
    data = FRAMES["whole"].assign(w=1.0, keep=lambda d: d["k"] > 2)
    data.loc[3, "w"] = np.nan
    assert len(explain_formula("y ~ x + (1 | g)", data, weights="w").rows) == 59
    assert explain_formula("y ~ x + (1 | g)", data, offset="w").left_out.to_list() == [3]
    part = explain_formula("y ~ f + (1 | k)", data, subset="keep")
    assert (len(part.rows), part.groups["levels"]["k"]) == (int(data["keep"].sum()), 4)
    one = explain_formula("y ~ x + (x || g)", data, double_bar="diag_special")
    assert (one.formula, one.parameters["theta"]) == ("y ~ 1 + x + diag(x | g)", 2)
    structured = explain_formula("y ~ x + cs(0 + f | g) + ar1(0 + f | k)", data)
    assert structured.frame.query("part == 'random'")["parameters"].to_list() == [4, 2]
    assert explain_formula("y ~ . + (1 | g)", data[["y", "x", "g"]]).formula == "y ~ 1 + x + g + (1 | g)"


def test_what_cannot_be_read_is_the_error_of_lmer(sleepstudy):
    for text, error in {
        "Reaction ~ Days": FormulaError,
        "Reaction ~ system('ls') + (1 | Subject)": UnsafeFormula,
        "Reaction ~ Day + (1 | Subject)": MissingColumns,
        "Reaction ~ log(Subject) + (1 | Days)": InputError,
    }.items():
        data = sleepstudy.assign(Subject=sleepstudy["Subject"].astype(str).str.replace("3", "s"))
        with pytest.raises(error):
            explain_formula(text, data)
    with pytest.raises(UnfitData):
        explain_formula("Reaction ~ log(Subject) + (1 | Days)", data)


def test_a_frame_of_polars_is_taken_and_a_notebook_shows_tables():
    found = explain_formula(
        "y ~ x + (1 | g)", pl.DataFrame({"y": [1.0, 2, 4, 3], "x": [1, 2, 3, 5], "g": list("aabb")})
    )
    assert found.columns == ("(Intercept)", "x")
    assert "<table" in found._repr_html_()
    assert "<p>&#x27;g&#x27; has 2 levels" in found._repr_html_()


WITHOUT_R = """
import pandas as pd
from lmerbridge import code_levels, demean, explain_formula, group_summary, impute, standardize
frame = pd.DataFrame({"y": [1.0, 2, 4, 3, 5, 1], "x": [1, 2, None, 5, 7, 0], "g": list("aabbcc"), "h": list("uvuvuv")})
print(explain_formula("y ~ x * h + (x | g)", frame).npar, len(group_summary(frame, ["g", "h"]).pairs))
demean(impute(frame, "x", "g").frame, "x", "g"), standardize(frame, "x"), code_levels(frame, ["g", "h"])
import sys
print("rpy2" in sys.modules)
"""


@pytest.mark.slow
def test_no_r_is_needed():
    assert run(WITHOUT_R, PATH="/nonexistent", R_HOME="/nonexistent").split() == ["8", "1", "False"]


VARIABLES = st.sampled_from(
    [
        "x",
        "z",
        "f",
        "h",
        "l",
        "o",
        "`my col`",
        "factor(k)",
        "poly(n, 2)",
        "(x > 0)",
        "cut(n, 3)",
        "interaction(f, h)",
        "scale(z)",
    ]
)
FIXED = st.recursive(
    VARIABLES,
    lambda inner: st.tuples(inner, st.sampled_from([":", "*", "+", "/", "%in%"]), inner).map(
        "({0[0]} {0[1]} {0[2]})".format
    ),
    max_leaves=5,
)
RANDOM = st.tuples(
    st.sampled_from(["1", "x", "0 + f", "f", "h:x", "x + z", "o", "l"]), st.sampled_from(["g", "k", "g:h", "k/h"])
)


@pytest.mark.slow
@given(st.sampled_from(["", "0 + "]), FIXED, RANDOM)
def test_any_formula_has_the_columns_and_the_theta_that_r_has(start, fixed, random):
    text = f"y ~ {start}{fixed} + ({random[0]} | {random[1]})"
    found, in_r = explain_formula(text, FRAMES["whole"]), params_template(text, FRAMES["whole"])
    assert list(found.columns) == list(in_r.beta.index)
    assert len(in_r.theta) == found.parameters["theta"]


def test_one_of_a_kind_is_told_in_the_singular():
    frame = pd.DataFrame({"y": np.arange(6.0), "g": list("aabbcc"), "one": list("uvwxyz")})
    told = str(explain_formula("y ~ 1 + (1 | g) + (1 | one)", frame))
    assert "one has 6 levels of 1 row.\n" in told
    assert "4 parameters: 1 fixed effect (beta), 2 of" in told
