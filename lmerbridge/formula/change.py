"""A change of a formula: ``". ~ . + x"``."""

from __future__ import annotations

from collections.abc import Iterable

from lmerbridge.errors import FormulaError
from lmerbridge.formula.allowed import check_places
from lmerbridge.formula.formula import Formula
from lmerbridge.formula.parser import read_expression
from lmerbridge.formula.random import BARS
from lmerbridge.formula.syntax import STRUCTURES, Call, Name, Node, abbreviate, deparse, fold, walk, with_args
from lmerbridge.formula.terms import expand


def read_change(text: str, formula: Formula, allow: Iterable[str] = ()) -> Node:
    """Read a change of a formula, such as ``". ~ . + x"``, in which ``.`` stands for what was there.

    Raises
    ------
    FormulaError
        It is no such change.
    UnsafeFormula
        It calls something that is not on the list of allowed functions.

    Examples
    --------
    >>> from lmerbridge.formula.formula import parse
    >>> deparse(read_change("log(.)~.-x", parse("y ~ x + (1 | g)")))
    'log(.) ~ . - x'
    """
    if not isinstance(text, str):
        raise FormulaError(f"the formula is {text!r}; text such as '. ~ . + x' is expected.")
    tree = read_expression(text, tuple(allow))
    if not (isinstance(tree, Call) and tree.function == "~"):
        raise FormulaError(
            f"the formula is {abbreviate(tree)!r}; 'response ~ terms', such as '. ~ . + x', is expected."
        )
    *response, right = tree.args
    for node in response:
        check_places(_fill(node, formula.response), "function")
    for bar in (node for node in walk(right) if _is_random(node)):
        check_places(bar, "sum")
    check_places(fold(right, _as_variables), "sum")  # bars may be taken out too
    expand(fold(_fill(right, formula.tree.args[1]), _as_variables))  # it may multiply to too many terms
    return tree


def _fill(node: Node, old: Node) -> Node:
    return fold(node, lambda n, args: old if n == Name(".") else with_args(n, args))


def _is_random(node: Node) -> bool:
    return isinstance(node, Call) and node.function in BARS | STRUCTURES


def _as_variables(node: Node, args: tuple[Node, ...]) -> Node:
    return Name(deparse(node)) if _is_random(node) else with_args(node, args)
