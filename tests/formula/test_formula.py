"""Formulas without R: reading, refusing, expanding, writing."""

import json
import string
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lmerbridge.errors import FormulaError, UnsafeFormula
from lmerbridge.formula.formula import parse
from lmerbridge.formula.parser import read_expression
from lmerbridge.formula.syntax import Call, Constant, Name, Node, Number, String, deparse, fold
from lmerbridge.formula.terms import expand

CASES = json.loads(Path(__file__).parents[1].joinpath("cases", "formula.json").read_text(encoding="utf-8"))

HOSTILE = (
    'y ~ I(system("touch a")) + (1 | g)',
    "y ~ x + (1 | {file.create('b'); g})",
    "y ~ offset({1}) + (1 | g)",
    "{y ~ x + (1 | g)}",
    "y ~ base::system('ls') + (1 | g)",
    "y ~ (function() 1)() + (1 | g)",
    "y ~ (\\(x) x)(1) + (1 | g)",
    'y ~ get("system")("ls") + (1 | g)',
    "y ~ I(x)(2) + (1 | g)",
    "y ~ 'I'(x) + (1 | g)",
    "y ~ `system`('ls') + (1 | g)",
    "y ~ `+`(x, z) + (1 | g)",
    "y ~ x$z + (1 | g)",
    "y ~ x[1] + (1 | g)",
    "y ~ x@z + (1 | g)",
    "y ~ (x <- 3) + (1 | g)",
    "y ~ x<-3 + (1 | g)",
    "y ~ I(x -> z) + (1 | g)",
    "y ~ x %o% z + (1 | g)",
    "y ~ x |> I() + (1 | g)",
    "y ~ ... + (1 | g)",
    "y ~ ..1 + (1 | g)",
    "y ~ if (x) z + (1 | g)",
    "y ~ function(x) x + (1 | g)",
    "y ~ I(x && z) + (1 | g)",
    "y ~ ?x + (1 | g)",
    "y ~ eval(x) + (1 | g)",
    "system('ls') ~ x + (1 | g)",
    "y ~ x > 2 + (1 | g)",
    "y ~ I(~x) + (1 | g)",
    "y ~ x; q() + (1 | g)",
)

MEANINGLESS = (
    "y",
    "~ x + (1 | g)",
    "y ~ x",
    "y ~ x + 2 + (1 | g)",
    "y ~ 'x' + (1 | g)",
    "y ~ TRUE + (1 | g)",
    "y ~ x^z + (1 | g)",
    "y ~ x^9 + (1 | g)",
    "y ~ (x + z)^1 + (1 | g)",
    "y ~ x * (1 | g)",
    "y ~ x - (1 | g)",
    "y ~ (1 | g) - 1",
    "y ~ I(x | z) + (1 | g)",
    "y ~ (x | z | g)",
    "y ~ x + (0 | g)",
    "y ~ x + (0 + z - z || `a b`)",
    "y ~ x + (z + offset(x) | g)",
    "y ~ (1 | g + h)",
    "y ~ (1 | g * h)",
    "y ~ (1 | 1)",
    "y ~ (1 | (g/h):k)",
    "y ~ (. | g)",
    "y ~ (1 | .)",
    "y ~ log(.) + (1 | g)",
    "y ~ poly(x, ) + (1 | g)",
    "y ~ x + (1 | g) # comment",
    "y ~ `` + (1 | g)",
    "y ~ I(x + 1e999) + (1 | g)",
    "y ~ I(x + 1.5L) + (1 | g)",
    "y ~ I(x + 0x10) + (1 | g)",
    "y ~ I(x == 'a\\q') + (1 | g)",
    "y ~ \ud800 + (1 | g)",
    "y ~ `a\0b` + (1 | g)",
    "y ~ (a+b+c+d+e+f+h+i+j+k+l+m+n+o+p+q+r+s+t+u+v+w+x+z)^8 + (1 | g)",
)


def nested(node: Node) -> str:
    """The tree in prefix form, as tests/cases/formula.R writes R's own."""

    def visit(n: Node, args: tuple[str, ...]) -> str:
        match n:
            case Call(function):
                return f"{function}[{'; '.join(args)}]"
            case Name(name):
                return name
            case _:
                return deparse(n)

    return fold(node, visit)


@pytest.mark.parametrize("text", CASES["nested"])
def test_an_expression_has_the_tree_that_r_gives_it(text):
    assert nested(read_expression(text)) == CASES["nested"][text]


@pytest.mark.parametrize("text", CASES["deparsed"])
def test_an_expression_is_written_as_r_deparses_it(text):
    assert deparse(read_expression(text)) == CASES["deparsed"][text]


@pytest.mark.parametrize("text", CASES["invalid"])
def test_what_r_cannot_parse_is_refused(text):
    with pytest.raises(FormulaError):
        read_expression(text)


@pytest.mark.parametrize("text", CASES["bars"])
def test_random_terms_expand_as_in_lme4(text):
    found = [[deparse(bar.lhs), bar.group_name] for bar in parse(f"y ~ w + {text}").random]
    assert found == CASES["bars"][text]


@pytest.mark.parametrize("text", CASES["terms"])
def test_fixed_terms_expand_as_in_r(text):
    terms = parse(f"y ~ {text} + (1 | g)").terms
    assert int(terms.intercept) == CASES["terms"][text]["intercept"]
    assert [":".join(map(deparse, product)) for product in terms.products] == CASES["terms"][text]["labels"]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_not_on_the_list_is_unsafe(text):
    with pytest.raises(UnsafeFormula):
        parse(text)


@pytest.mark.parametrize("text", MEANINGLESS)
def test_what_means_nothing_or_something_else_is_refused(text):
    with pytest.raises(FormulaError):
        parse(text)


def test_an_unsafe_call_is_named_with_what_is_allowed():
    told = r"calls system\('x'\), which.* allowed are .*log, log10.* pass allow=\[\"package::function\"\]"
    with pytest.raises(UnsafeFormula, match=told):
        parse("y ~ system('x') + (1 | g)")


def test_a_syntax_error_tells_its_position():
    with pytest.raises(FormulaError, match=r"'\)' at position 9; a column"):
        parse("y ~ x + ) + (1 | g)")


def test_the_parts_of_a_formula_are_its_response_fixed_part_and_random_terms():
    formula = parse("log(y) ~ x * `my col` + offset(o) + (1 + x | g/h) + (1 | k)")
    assert deparse(formula.response) == "log(y)"
    assert deparse(formula.fixed) == "x * `my col` + offset(o)"
    assert [bar.group_name for bar in formula.random] == ["h:g", "g", "k"]
    assert formula.random[0].group == (Name("h"), Name("g"))
    assert formula.variables == ("y", "x", "my col", "o", "g", "h", "k")
    assert formula.groups == ("g", "h", "k")
    assert [deparse(o) for o in formula.terms.offsets] == ["o"]


def test_a_formula_of_random_terms_only_has_an_intercept():
    assert deparse(parse("y ~ (1 | g)").fixed) == "1"
    assert parse("y ~ 0 + (1 | g)").terms.intercept is False


def test_a_bar_without_parentheses_takes_all_that_is_left_of_it():
    formula = parse("y ~ x + 1 | g")
    assert deparse(formula.fixed) == "1"
    assert deparse(formula.random[0].lhs) == "x + 1"


def test_a_column_that_also_has_a_fixed_effect_is_no_mere_group():
    assert parse("y ~ g + (1 | g:h)").groups == ("h",)


def test_a_dot_is_every_column_but_the_response():
    formula = parse("log(y) ~ . - z + (1 | g)").expand_dot(["y", "x", "z", "g"])
    assert [deparse(p[0]) for p in formula.terms.products] == ["x", "g"]
    with pytest.raises(FormulaError, match=r"has none"):
        parse("y ~ . + (1 | y)").expand_dot(["y"])


@pytest.mark.parametrize(
    "text",
    [
        "y ~ " + " + ".join(f"x{i}" for i in range(295)) + " + (1 | g)",
        "y ~ I(" + "+".join(["x"] * 295) + ") + (1 | g)",
        "y ~ (1 | " + "/".join(f"g{i}" for i in range(50)) + ")",
    ],
)
def test_a_long_formula_needs_no_deep_recursion(text):
    assert parse(parse(text).text).text == parse(text).text


@pytest.mark.parametrize(
    "text",
    [
        "y ~ " + "(" * 10_000,
        "y ~ " + "-" * 10_000 + "x",
        "y ~ " + "x^" * 5_000 + "x",
        "y ~ " + "x+" * 9_000 + "x",
        "x" * 20_001,
        "y ~ " + "I(" * 5_000,
    ],
)
def test_a_formula_of_any_size_is_read_or_refused(text):
    with pytest.raises(FormulaError, match=r"nests more|more than 600|bytes long"):
        parse(text)


NAMES = st.sampled_from(["x", "y", ".z", "my col", "if", "größe", "中", "a`b", "a\\b", "x\ny", "TRUE"]).map(Name)
CONSTANTS = st.one_of(
    st.integers(0, 10**12).map(lambda i: Number(deparse(read_expression(str(i))))),
    st.floats(0, 1e300).map(lambda v: Number(deparse(read_expression(repr(v))))),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5).map(String),
    st.sampled_from(["TRUE", "NULL", "NA"]).map(Constant),
)


def calls(children):
    binary = st.sampled_from(["+", "-", "*", "/", ":", "^", "|", "||", "&", "%in%", "%%", "%/%"])
    wrapped = children.map(lambda c: Call("(", (c,)))
    return st.one_of(
        wrapped,
        st.tuples(binary, wrapped, wrapped).map(lambda t: Call(t[0], t[1:])),
        st.tuples(st.sampled_from("+-!"), wrapped).map(lambda t: Call(t[0], t[1:])),
        st.tuples(children, children).map(lambda t: Call("pmin", t, (None, "my arg"))),
    )


@given(st.recursive(NAMES | CONSTANTS, calls, max_leaves=12))
def test_what_is_written_is_read_back(tree):
    assert read_expression(deparse(tree)) == tree


@given(st.recursive(NAMES, lambda c: st.tuples(st.sampled_from("+-*/:^"), c, c).map(lambda t: Call(t[0], t[1:]))))
def test_a_built_tree_gets_the_parentheses_it_needs(tree):
    def bare(node, args):
        if not isinstance(node, Call):
            return node
        return args[0] if node.function == "(" else Call(node.function, args)

    assert fold(read_expression(deparse(tree)), bare) == tree


SIGNS = list("~+()|/:*^-!<=,.`'\"\\1 \n")
WORDS = ["y", "x", "g", "||", "2", "%in%", "I(", "log(", "offset(", "TRUE", "é", "0 +", "(1 | g)"]
PIECES = st.sampled_from([*SIGNS, *WORDS, "y ~ x + (1 | g)"])


@given(st.one_of(st.text(max_size=40), st.lists(PIECES, max_size=25).map("".join), st.text(string.printable)))
@example("y ~ x + (1 | g")
@example("\\")
def test_any_text_is_a_formula_or_a_formula_error(text):
    try:
        formula = parse(text)
    except FormulaError:
        return
    assert parse(formula.text).text == formula.text


def test_terms_of_a_difference_lose_what_is_taken_away():
    assert expand(read_expression("a * b - a:b")).products == ((Name("a"),), (Name("b"),))
