"""A change of a formula is R's own: a generated list of formulas and changes, held against R's ``update.formula``."""

import itertools
import re

import pandas as pd
import pytest

from lmerbridge.errors import FormulaError, InvalidArgument
from lmerbridge.formula import parse
from lmerbridge.inputs import Spec
from lmerbridge.models.change.update import _with_formula
from tests.processes import in_r

FORMULAS = [
    "y ~ x + z + (1 | g)",
    "y ~ x * z + (x | g)",
    "y ~ x + (x || g)",
    "y ~ x + z + (x + z || g)",
    "y ~ x + (0 + x + z || g) + (1 | h)",
    "y ~ x + (x * z || g)",
    "y ~ z + (1 | g) + (x || g)",
    "y ~ x + (x || g) + (z || g)",
    "y ~ x + (x || g/h)",
    "y ~ x + I(x^2) + offset(z) + (1 | g/h)",
    "log(y) ~ 0 + x + (log(x) || g)",
]
FIXED = ["x", "z", "x:z", "z:x", "x * z", "(x + I(x^2))", "1", "0"]
RANDOM = [
    *("1 | g", "x | g", "0 + x | g", "0 + z | g", "0 + x:z | g"),
    *("1 | h", "1 | g/h", "0 + x | g/h", "0 + log(x) | g"),
]
TERMS = [*FIXED, *map("({})".format, RANDOM)]
CHANGES = [
    *(f". ~ . {sign} {term}" for sign, term in itertools.product("+-", TERMS)),
    *("log(.) ~ .", "~ . + (x || h)", ". ~ . + (x || g)", ". ~ . + (x || g) + w", ". ~ . + w:x", ". ~ . + z - z"),
    *(". ~ . - (1 | g) + (1 | h)", ". ~ 1 + (1 | g)", "y ~ x + z - x + (z || h)"),
]
IN_R = """local({
  wide <- function(f) lme4::expandDoubleVerts(f)
  words <- function(label) paste(sort(strsplit(label, ":", fixed = TRUE)[[1L]]), collapse = ":")
  labels <- function(f) vapply(attr(terms(f), "term.labels"), words, "")
  changed <- function(f, change) deparse1(wide(update.formula(wide(f), change)), width.cutoff = 500L)
  lacks <- function(f, change) {
    sides <- change[[length(change)]]
    while (is.call(sides) && identical(sides[[1L]], quote(`+`))) sides <- sides[[2L]]
    one <- is.call(sides) && identical(sides[[1L]], quote(`-`)) && identical(sides[[2L]], quote(.))
    if (!one) return(FALSE)
    absent <- setdiff(labels(eval(call("~", sides[[3L]]))), labels(wide(f)))
    crossed <- is.call(sides[[3L]]) && identical(sides[[3L]][[1L]], quote(`*`))
    length(if (crossed) grep(":", absent, invert = TRUE) else absent) > 0L
  }
  of <- function(f) lapply(CHANGES, function(change) if (lacks(f, change)) "absent" else changed(f, change))
  unlist(lapply(FORMULAS, of))
}, list2env(list(FORMULAS = list(%s), CHANGES = list(%s)), parent = asNamespace("stats")))"""
FRAME = pd.DataFrame({"y": [1.0]})


def new_formula(formula, change):
    """The formula that a change makes of another."""
    return _with_formula(Spec(formula=formula, data=FRAME), change, inherited=True).formula


def ours(formula, change):
    try:
        return new_formula(formula, change)
    except InvalidArgument:
        return "absent"


def test_formulas_change_as_in_r_and_what_is_not_there_cannot_be_taken_out():
    pairs = list(itertools.product(FORMULAS, CHANGES))
    theirs = in_r(IN_R % (", ".join(FORMULAS), ", ".join(CHANGES)))
    found = [ours(*pair) for pair in pairs]
    texts = ", ".join(f'"{text}"' for text in found)
    wide = 'function(t) if (t == "absent") t else deparse1(lme4::expandDoubleVerts(str2lang(t)), width.cutoff = 500L)'
    written = in_r(f"vapply(c({texts}), {wide}, '', USE.NAMES = FALSE)")
    plain = [[re.sub("[() ]", "", text) for text in side] for side in (written, theirs)]
    wrong = [(pair, a, b) for pair, a, b in zip(pairs, *plain, strict=True) if a != b]
    assert not wrong
    assert 100 < theirs.count("absent") < 200


@pytest.mark.parametrize(
    ("formula", "change", "changed"),
    [
        ("y ~ x + (x || g)", ". ~ . - (x || g) + (1 | g)", "y ~ x + (1 | g)"),  # R leaves what it has written out
        ("y ~ x + (x + z || g)", ". ~ . - (0 + z | g)", "y ~ x + (1 | g) + (0 + x | g)"),
        ("y ~ x + (1 | g) + (0 + x | g)", ". ~ . - (x || g) + (1 | h)", "y ~ x + (1 | h)"),
        ("y ~ x + (x || g)", ". ~ . + z", "y ~ x + (x || g) + z"),
        ("y ~ (x || `a:b`)", ". ~ . - (0 + x | `a:b`)", "y ~ (1 | `a:b`)"),
        ("y ~ x + z + w + (1 | g)", ". ~ . - x * w", "y ~ z + (1 | g)"),
        ("y ~ x + z + w + (1 | g)", ". ~ . - (x + w)^2", "y ~ z + (1 | g)"),
        ("y ~ x + (n > 2) + (1 | g)", ". ~ . - x", "y ~ (n > 2) + (1 | g)"),
        ("y ~ x * (n > 2) + (1 | g)", ". ~ . + (x == n)", "y ~ x + (n > 2) + (1 | g) + (x == n) + x:(n > 2)"),
        ("y ~ x + (n > 2) + (1 | g)", ". ~ . - (n > 2)", "y ~ x + (1 | g)"),
    ],
)
def test_a_double_bar_an_expansion_or_a_comparison_is_taken_out_as_written_or_by_its_parts(formula, change, changed):
    assert parse(new_formula(formula, change)).text == parse(changed).text


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (". ~ . - (x | g)", r"takes out \(x \| g\), .* the terms there are x, \(x \|\| g\)\.$"),
        (". ~ . - w", r"takes out w, .* the terms there are x, \(x \|\| g\)\.$"),
        (". ~ . - x * w", r"takes out w, x:w, "),
        (". ~ . - x - x", r"takes out x, .* the terms there are \(x \|\| g\)\.$"),
        (". ~ -w + .", r"takes out w, which is not there; there is no term\.$"),
        (". ~ . - offset(w)", r"takes no offset out"),
    ],
)
def test_what_is_not_there_is_an_error_that_names_what_is(change, told):
    with pytest.raises(InvalidArgument, match=told):
        new_formula("y ~ x + (x || g)", change)


def test_a_change_that_is_no_formula_is_refused_as_before():
    with pytest.raises(FormulaError, match="is expected"):
        new_formula("y ~ x + (1 | g)", "x")
