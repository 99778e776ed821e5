"""Formulas nobody wrote: made from the grammar, changed at random, or huge; each is read right or refused at once."""

import json
import math
import time

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lmerbridge.bridge import host
from lmerbridge.errors import FormulaError
from lmerbridge.formula import limits
from lmerbridge.formula.formula import parse
from lmerbridge.formula.syntax import CONTRASTS, FUNCTIONS, OPERATORS, STRUCTURES, Call, Name, deparse, source, walk
from lmerbridge.formula.terms import expand
from lmerbridge.translate.coding import Coding
from tests.chance import examples
from tests.formula.test_attacks import ATTACKS, HOSTILE, SECONDS, written
from tests.processes import in_r


def wrapped(count):
    return "(" * count + "x" + ")" * count


def summed(name, count):
    return " + ".join(f"{name}{i}" for i in range(count))


LIMITS = {  # the formula that just reaches a limit
    "BYTES": lambda n: f"y ~ (1 | {'g' * (n - 10)})",
    "NODES": lambda n: f"y ~ {'-' * (n % 2)}{'x+' * (n // 2 - 3)}(1 | g)",
    "DEPTH": lambda n: f"y ~ {'-' * (n - 2)}x + (1 | g)",
    "WEIGHT": lambda n: f"y ~ {'-' * (n % 2)}{'x+' * (n // 2 - 1924)}{wrapped(10)} + {wrapped(8)} + (1 | g)",
    "RANDOM": lambda n: f"y ~ {'+'.join(['(1 | g)'] * n)}",
    "TERMS": lambda n: f"y ~ ({summed('v', 50)}) * ({summed('w', n // 50)}){' + x:z' * (n % 50)} + (1 | g)",
    "ORDER": lambda n: f"y ~ {':'.join(f'v{i}' for i in range(n))} + (1 | g)",
    "SIZE": lambda n: f"y ~ poly(x, {n}) + (1 | g)",
    "COLUMNS": lambda n: f"y ~ poly(x, z, w, degree = {math.ceil(round(n ** (1 / 3), 9)) - 1}) + (1 | g)",
    "END": lambda n: f"y ~ pmin(x, 1:{n}) + (1 | g)",
    "CROSSED": lambda n: f"y ~ interaction({', '.join(f'v{i}' for i in range(n))}) + (1 | g)",
}
HUGE = {
    "parentheses": "y ~ " + wrapped(10_000) + " + (1 | g)",
    "an interaction of twelve": "y ~ a * b * c * d * e * f * h * i * j * k * l * m + (1 | g)",
    "a polynomial": f"y ~ poly({', '.join(f'x{i}' for i in range(200))}, degree = 100) + (1 | g)",
    "a sum": "y ~ " + " + ".join(f"x{i}" for i in range(5_000)) + " + (1 | g)",
    "a megabyte": "y ~ " + "x+" * 500_000 + "(1 | g)",
    "a megabyte of one name": "é" * 500_000,
    "a megabyte of escapes": "y ~ I(x == '" + "\\" * 500_000,
}
USES = {  # a call of each function: of a column {c} or of any expression {x}
    **{f: f"{f}({{x}})" for f in FUNCTIONS},
    **{f: f"C({{c}}, {f}(3))" for f in CONTRASTS},
    "C": "C({c}, contr.sum)",
    "poly": "poly({c}, degree = 3, raw = TRUE)",
    "ns": "ns({c}, knots = c(1, 2.5))",
    "bs": "bs({c}, df = 4)",
    "pmin": "pmin({x}, {c}, 9)",
    "ifelse": "ifelse(is.na({c}) & {c} > 1, {x}, -1)",
    "cut": "cut({c}, c(-Inf, 0, 1e+05))",
    "factor": "factor({c}, levels = 1:3)",
    "relevel": "relevel({c}, ref = 'a \\' b')",
    "interaction": "interaction({c}, {c})",
    "dummy": "dummy({c}, 'b')",
}
ARITHMETIC = ("{x} + {c}", "-{c}^2", "({x}) * {c}", "{c} / ({x})", "{c} %% 2 - {x}", "{c} %/% 3L", "!({x} == {c})")
PRODUCTS = ("{x}:{c}", "{x} * {c}", "({x} + {c})^2", "({x})/{c}", "{c} %in% {x}", "{x} + 0")
RANDOM = (
    *("us({x} | {c})", "(diag(1 + {c} | g, hom = TRUE))", "cs(0 + {x} | g/{c})", "ar1({c} | h, hom = FALSE) + (1 | g)"),
    *("(1 | {c})", "({x} || {c})", "(0 + {x} | {c}:g)", "({x} | g/{c}/h)", "(1 + {c} | g) - 1 + (1 | h)"),
)
COLUMNS = st.sampled_from(
    ["x", ".z", "my col", "if", "größe", "中", "a`b", "a\\b", "x\ny", "TRUE", "system", *HOSTILE]
).map(lambda name: source(Name(name)))


def filled(templates, x=COLUMNS):
    return st.builds(str.format, st.sampled_from(sorted(templates)), x=x, c=COLUMNS)


EXPRESSIONS = st.recursive(COLUMNS, lambda x: filled([*USES.values(), *ARITHMETIC], x), max_leaves=4)
VARIABLES = COLUMNS | filled(set(USES.values()) - {USES["offset"]}, EXPRESSIONS)
TERMS = st.recursive(VARIABLES, lambda x: filled(PRODUCTS, x), max_leaves=4)
FIXED = filled(["{x} - {c}", "{x} + offset({c})", "{c} - 1 + {x}"], TERMS)
FORMULAS = st.builds("{} ~ {} + {}".format, EXPRESSIONS, FIXED, filled(RANDOM, TERMS))
PIECES = st.one_of(
    st.sampled_from(list("~+()|/:*^-!<=>,.`'\"\\1{}[]$@;?%&# \n\0\u202e\ud800")),
    st.sampled_from(
        ["", "system(", "q()", "::", "base::", "{q()}", " <- ", "function(x) ", "C(f, 'q')", "1:1e9", "(1 | g)"]
    ),
    st.characters(),
)


CALLED = """called <- function(e) if (is.call(e)) c(deparse(e[[1L]]), unlist(lapply(as.list(e)[-1L], called)))
unique(gsub("`", "", called(str2lang(%s)), fixed = TRUE))"""


@st.composite
def mutated(draw):
    """A formula or an attack after some edits: pieces put in, left out, put in another's place, or moved to the end."""
    text = draw(FORMULAS | st.sampled_from([written(attack)[:300] for attack in ATTACKS]))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = start + draw(st.integers(0, 5))
        moved = text[start:end] * draw(st.integers(0, 1))
        text = text[:start] + draw(PIECES) + text[end:] + moved
    return text


def judged(text):
    """The formula, or the error that refuses it, and the seconds that takes: the median of three."""
    taken = []
    for _ in range(3):
        begun = time.thread_time()
        try:
            found = parse.__wrapped__(text)
        except FormulaError as error:
            found = error
        taken.append(time.thread_time() - begun)
    return found, sorted(taken)[1]


def functions(tree):
    return {node.function for node in walk(tree) if isinstance(node, Call)}


def test_the_functions_that_a_formula_may_call_are_those_that_r_offers():
    assert set(host.call("formula_functions").values["name"]) == FUNCTIONS


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_a_call_of_each_function_that_is_offered_is_accepted(function):
    assert function in functions(parse(f"y ~ {USES[function].format(x='x', c='x')} + (1 | g)").tree)


@pytest.mark.slow
@examples(150)
@given(FORMULAS)
def test_a_formula_made_from_the_grammar_is_read_and_what_r_gets_means_the_same(text):
    formula = parse(text)
    assert parse(source(formula.tree)).tree == formula.tree
    again = parse(formula.source)
    assert (again.response, again.fixed, again.random) == (formula.response, formula.fixed, formula.random)


@pytest.mark.slow
@examples(800)
@given(mutated())
@example("y ~ x + (1 | g)" + "\udc80")
def test_any_edit_of_a_formula_or_an_attack_has_its_verdict_at_once_and_calls_nothing_else(text):
    found, seconds = judged(text)
    assert seconds < SECONDS
    if not isinstance(found, FormulaError):
        assert parse(source(found.tree)).tree == found.tree
        assert functions(found.tree) | functions(parse(found.source).tree) <= FUNCTIONS | OPERATORS | STRUCTURES


@examples(40)
@given(FORMULAS)
def test_r_reads_in_a_formula_the_calls_that_we_read(text):
    tree = parse(text).tree
    assert set(np.atleast_1d(in_r(CALLED % json.dumps(source(tree), ensure_ascii=False)))) == functions(tree)


@pytest.mark.parametrize("text", HUGE.values(), ids=HUGE)
def test_a_huge_formula_has_its_verdict_at_once(text):
    found, seconds = judged(text)
    assert seconds < SECONDS
    assert not isinstance(found, FormulaError) or "more than" in str(found) or "at most" in str(found)


def test_each_limit_has_its_formula():
    assert set(LIMITS) == {name for name in vars(limits) if name.isupper()}


@pytest.mark.parametrize("name", LIMITS)
def test_a_formula_may_reach_a_limit_and_not_pass_it(name):
    limit = getattr(limits, name)
    found, seconds = judged(LIMITS[name](limit))
    assert found.random
    assert seconds < SECONDS
    with pytest.raises(FormulaError, match=f"{limit}|needs too long"):
        parse(LIMITS[name](limit + 1))


@examples(60)
@given(st.text(min_size=1))
@example("\\")
@example('{x}%s\'"""')
def test_to_patsy_any_name_is_a_text(name):
    values = np.array([1.0, 4.0, 9.0])
    coded = Coding({deparse(Name(name)): values}).matrix(expand(Name(name)))
    assert coded.names == ("(Intercept)", deparse(Name(name)))
    np.testing.assert_array_equal(coded.columns[:, 1], values)
