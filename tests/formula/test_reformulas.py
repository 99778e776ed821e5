"""A formula's random terms, against R's own functions for them."""

import pytest

from lmerbridge.errors import FormulaError
from lmerbridge.formula.reformulas import expand_double_verts, findbars, nobars, random_terms, re_only, subbars
from tests.processes import in_r

FORMULAS = [
    "y ~ x + (x | g)",
    "y ~ x * z + (x || g/h)",
    "y ~ 1 + (1 | g) + (0 + x | g)",
    "log(y) ~ 0 + x + (1 | a:b)",
    "~x + (x | g)",
    "y ~ (1 | g)",
    "~(1 | g)",
    "y ~ x + (f + x || g)",
    "y ~ x + offset(z) + (1 | g) - 1",
    "y ~ `my col` + (0 + poly(x, 2) || g)",
]
FUNCTIONS = {
    "findbars": findbars,
    "nobars": nobars,
    "subbars": subbars,
    "expandDoubleVerts": expand_double_verts,
    "reOnly": re_only,
}
IN_R = """local({
  where <- asNamespace(if (requireNamespace("reformulas", quietly = TRUE)) "reformulas" else "lme4")
  found <- get("%s", where)(%s)
  if (is.list(found)) vapply(found, deparse1, "") else deparse1(found)
})"""


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("formula", FORMULAS)
def test_a_formula_is_taken_apart_as_in_r(function, formula):
    found = FUNCTIONS[function](formula)
    theirs = in_r(IN_R % (function, formula))
    if function == "reOnly":  # from lme4 2.0 on it writes us(...) around each term
        theirs = [text.replace("(us(", "(").replace("))", ")") for text in theirs]
    assert [found] if isinstance(found, str) else list(found) == theirs


def test_a_structured_term_keeps_its_structure():
    (term,) = random_terms("y ~ x + diag(0 + f | g, hom = TRUE)")
    assert (term.lhs, term.group, term.kind, term.hom, str(term)) == ("0 + f", "g", "diag", True, "0 + f | g")


def test_what_lmer_would_not_read_is_an_error():
    with pytest.raises(FormulaError, match="no random term"):
        findbars("y ~ x")
