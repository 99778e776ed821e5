"""A column of text most of whose values are numbers is named, with how many are, and the first that is none."""

import warnings

import numpy as np
import pandas as pd
import pytest

from lmerbridge import lm_list, lmer
from lmerbridge.bridge.to_r.columns import TAKE_TEXT
from lmerbridge.bridge.to_r.kinds import describe_numbers
from lmerbridge.errors import NumbersAsTextWarning, UnfitData
from lmerbridge.formula import FUNCTIONS
from tests.oracle import plain, same_bits

ROWS = 90
DRAW = np.random.default_rng(8)
FRAME = pd.DataFrame({"x": DRAW.normal(size=ROWS), "g": np.arange(ROWS) % 6})
FRAME = FRAME.assign(y=DRAW.normal(size=ROWS) + DRAW.normal(size=6)[FRAME["g"]])
DISTINCT = [f"{value:.3f}" for value in np.abs(FRAME["x"]) * 1000]
CODES = [str(i % 9) for i in range(ROWS)]


def with_stray(values, stray, row=4):
    return [*values[:row], stray, *values[row + 1 :]]


COLUMNS = {  # values, and what is told of them
    "one stray point": (
        with_stray(DISTINCT, "."),
        "of which 89 of 90 values are numbers; the first that is none is '.' in row 4",
    ),
    "a stray word": (
        with_stray(DISTINCT, "n/a", 7),
        "89 of 90 values are numbers; the first that is none is 'n/a' in row 7",
    ),
    "a decimal comma": ([f"1.{i:03d},5" for i in range(ROWS)], "0 of 90 values .* none is '1.000,5' in row 0"),
    "a thousands comma": ([f"1,{i:03d}" for i in range(ROWS)], "none is '1,000' in row 0"),
    "percent": ([f"{i}%" for i in range(ROWS)], "0 of 90 values are numbers; the first that is none is '0%' in row 0"),
    "money": ([f"${i}.50" for i in range(ROWS)], r"none is '\$0.50' in row 0"),
    "missing values beside": (
        with_stray(with_stray(DISTINCT, None, 1), "-"),
        "88 of 89 values are numbers; .* '-' in row 4",
    ),
    "few codes and a stray one": (with_stray(CODES, "?"), "89 of 90 values are numbers; the first that is none is '.'"),
    "numbers that hardly repeat": (DISTINCT, "of which 90 of 90 values are numbers"),
}
MEANT = {  # text that is meant as text
    "codes": CODES,
    "words": [f"w{i % 9}" for i in range(ROWS)],
    "ranges": [f"{i % 5}0-{i % 5}9" for i in range(ROWS)],
    "dates": [f"2020-01-{i % 9 + 10}" for i in range(ROWS)],
    "releases": [f"1.{i % 4}.2" for i in range(ROWS)],
    "half words": [str(i % 3) if i % 2 else "ab"[i % 4 // 2] for i in range(ROWS)],
}
DTYPES = ["object", "string", "string[pyarrow]"]


def fit(formula, values, **arguments):
    return lmer(formula, FRAME.assign(t=values), na_action="omit", **arguments)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("formula", ["y ~ t + (1 | g)", "y ~ x + (t | g)", "y ~ t:x + (1 | g)", "t ~ x + (1 | g)"])
@pytest.mark.parametrize("name", COLUMNS)
def test_numbers_as_text_are_told_in_a_warning_or_in_the_error(name, formula, dtype):
    values, told = COLUMNS[name]
    if formula.startswith("t") and name == "numbers that hardly repeat":
        pytest.skip("an UnsupportedColumn already says so")
    expected = rf"'t' is text, .*{told}.*pd.to_numeric"
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("always")
        try:
            fit(formula, pd.Series(values, dtype=dtype))
        except UnfitData as error:
            texts = [str(error)]
        else:
            texts = [str(w.message) for w in record if w.category is NumbersAsTextWarning]
            assert not formula.startswith("t")
    assert len(texts) == 1
    assert pd.Series(texts).str.contains(expected, regex=True).all(), texts


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", MEANT)
def test_text_that_is_meant_as_text_is_fitted_without_a_word(name, dtype):
    values = pd.Series(MEANT[name], dtype=dtype)
    assert describe_numbers(values) == ""
    assert len(fit("y ~ t + (1 | g)", values, control={"check.conv.singular": "ignore"}).terms) == values.nunique()


def test_a_categorical_a_function_and_a_group_are_what_is_meant():
    values = pd.Series(with_stray(CODES, "?"))
    quiet = {"check.conv.singular": "ignore"}
    fit("y ~ t + (1 | g)", values.astype("category"), control=quiet)
    fit("y ~ factor(t) + (1 | g)", values, control=quiet)
    fit("y ~ x + (1 | t)", values, control=quiet)


def test_a_model_with_more_columns_than_rows_names_the_text_that_made_them():
    with pytest.raises(UnfitData, match=r"as many columns as rows.*'t' is text, of which 89 of 90 values"):
        fit("y ~ t + (1 | g)", with_stray(DISTINCT, "."))
    with pytest.raises(UnfitData, match=r"more rows than a term has random effects.*'t' is text, of which 89 of 90"):
        fit("y ~ x + (t | g)", with_stray(DISTINCT, "."))


def test_a_list_of_linear_models_warns_of_numbers_as_text():
    with pytest.warns(NumbersAsTextWarning, match="'t' is text, of which 0 of 90 values are numbers"):
        lm_list("y ~ t | g", FRAME.assign(t=[f"{i % 5}%" for i in range(ROWS)]))


CALLS = {name: f"{name}(t, 2)" for name in ("poly", "cut", "ns", "pmin")} | {"ifelse": 'ifelse(t == "10", t, "0")'}
NUMERIC = [CALLS.get(name, f"{name}(t)") for name in sorted(FUNCTIONS - TAKE_TEXT)]
OPERATIONS = ["I(t + 1)", "I(-t)", "I(x * t)", "log(t / 2)", "(t > 1)", 't <= "10"', "I(t %% 2)", "stats::poly(t, 2)"]
SAME = ["I", "as.character", "as.factor", "as.vector", "c", "factor", "ordered", "interaction"]
TEXTS = ["5", "10", "0", "20", "15", "10"] * 15
OF_TEXT = "as.vector(model.matrix(~ %s, data.frame(t = rep(c('%s'), 15), stringsAsFactors = FALSE)))"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("call", [*NUMERIC, *OPERATIONS])
def test_a_function_that_takes_numbers_takes_no_text(call, dtype):
    """poly(), rank(), as.numeric() and ifelse() took the numbers of the sorted levels, without a word."""
    with pytest.raises(UnfitData, match=r"takes numbers, and 't' is text.*pd.to_numeric"):
        fit(f"y ~ x + ({call}) + (1 | g)", pd.Series(TEXTS, dtype=dtype))


def test_a_function_that_takes_text_is_as_in_r():
    for call in [*(f"{name}(t)" for name in SAME), '(t == "10")', 'ifelse(t == "10", 1, 2)']:
        found = fit(f"y ~ {call} + (1 | g)", TEXTS, control={"check.conv.singular": "ignore"})
        assert same_bits(found.model_matrix(), plain(found, OF_TEXT % (call, "', '".join(TEXTS[:6])))), call


def test_the_response_and_a_slope_take_no_text_either():
    for formula in ("log(t) ~ x + (1 | g)", "y ~ x + (poly(t, 2) | g)", "y ~ x + offset(t) + (1 | g)"):
        with pytest.raises(UnfitData, match="takes numbers, and 't' is text"):
            fit(formula, TEXTS)


def test_a_categorical_has_the_numbers_of_its_levels_as_in_r():
    found = fit("y ~ as.numeric(t) + (1 | g)", pd.Categorical(TEXTS, ["0", "5", "10", "15", "20"]))
    assert found.model_matrix().iloc[:6, 1].tolist() == [2, 3, 1, 5, 4, 3]
