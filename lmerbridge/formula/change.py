"""A change of a formula: ``". ~ . + x"``."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import TypeGuard

from lmerbridge.errors import FormulaError, InvalidArgument
from lmerbridge.formula.allowed import COMPUTED, check_places
from lmerbridge.formula.formula import Formula
from lmerbridge.formula.parser import read_expression
from lmerbridge.formula.random import BARS, split_columns
from lmerbridge.formula.syntax import (
    STRUCTURES,
    Call,
    Name,
    Node,
    abbreviate,
    deparse,
    fold,
    join_trees,
    walk,
    with_args,
)
from lmerbridge.formula.terms import find_absent


def read_change(
    text: str, formula: Formula, allow: Iterable[str] = (), *, split: bool = True, columns: Container[object] = ()
) -> tuple[Node, Node]:
    """Read a change of a formula, in which ``.`` stands for what was there.

    Parameters
    ----------
    text : str
    formula : Formula
        What is changed.
    allow : iterable of str
        Functions it may call beyond those that every formula may, as ``"package::function"``.
    split : bool
        Whether ``(x || g)`` stands for a random term for each of its columns, which can be taken out alone.
    columns : container of names
        Those of the data, as for `read_expression`.

    Returns
    -------
    tuple of two Node
        The formula and its change, as ``update.formula`` is to see them. R's own ``update`` writes out each ``||`` of
        the formula. Here it stays where that makes no difference.

    Raises
    ------
    FormulaError
        It is no such change.
    UnsafeFormula
        It calls something that is not on the list of allowed functions.
    InvalidArgument
        It takes out a term that is not there, or an offset.

    Examples
    --------
    >>> from lmerbridge.formula.formula import parse
    >>> for change in ("log(.)~.-x", ". ~ . - (0 + x | g)"):
    ...     print(*map(deparse, read_change(change, parse("y ~ x + (x || g)"))), sep="; ")
    y ~ x + (x || g); log(.) ~ . - x
    y ~ x + ((1 | g) + (0 + x | g)); . ~ . - (0 + x | g)
    """
    if not isinstance(text, str):
        raise FormulaError(f"the formula is {text!r}; text such as '. ~ . + x' is expected.")
    tree = read_expression(text, tuple(allow), columns)
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
    old: Node = formula.tree
    if split:
        right = _fold_sums(right, _write_out_subtracted)
        old = _write_out(old) if _share_terms(old, right) else old
    _check_subtractions(right, old)
    return old, Call("~", (*response, right))


def hide_comparisons(tree: Node) -> Node:
    """Make a column of each comparison among the terms: R's ``update`` loses the parentheses around it.

    Examples
    --------
    >>> deparse(hide_comparisons(read_expression("y ~ x + (n > 2)")))
    'y ~ x + (`n > 2`)'
    """

    def hide(node: Node, args: tuple[Node, ...]) -> Node:
        if _is_computed(node):
            return Name(deparse(node))
        return with_args(node, args) if args else node

    return fold(tree, hide, lambda call: call.is_operator and call.function not in BARS | COMPUTED)


def show_comparisons(text: str, trees: Iterable[Node], allow: Iterable[str], columns: Container[object]) -> str:
    """Write the comparisons of some trees again where `hide_comparisons` has made columns of them.

    Examples
    --------
    >>> show_comparisons("y ~ `n > 2` + x", [read_expression("y ~ (n > 2)")], (), ())
    'y ~ (n > 2) + x'
    """
    known = {deparse(node): node for tree in trees for node in walk(tree) if _is_computed(node)}
    if not known:
        return text
    tree = read_expression(text, tuple(allow), columns)
    return deparse(fold(tree, lambda n, args: Call("(", (known[n.name],)) if _is_in(n, known) else with_args(n, args)))


def _is_computed(node: Node) -> bool:
    return isinstance(node, Call) and node.function in COMPUTED


def _is_in(node: Node, known: Mapping[str, Node]) -> TypeGuard[Name]:
    return isinstance(node, Name) and node.name in known


def _check_subtractions(right: Node, old: Node) -> None:
    """Refuse to take out what is not there, and an offset, which R's ``update`` leaves or even puts in."""
    if any(isinstance(node, Call) and node.function == "offset" for part in _subtracted(right) for node in walk(part)):
        raise InvalidArgument("R's update takes no offset out of a formula; give the whole formula without it.")
    assert isinstance(old, Call)  # noqa: S101 - a formula's tree is a call of "~"
    absent, there = find_absent(fold(_fill(right, old.args[1]), _as_variables))
    if absent:
        terms = f"the terms there are {', '.join(there)}" if there else "there is no term"
        raise InvalidArgument(f"the change takes out {', '.join(absent)}, which is not there; {terms}.")


def _share_terms(old: Node, change: Node) -> bool:
    """Whether random terms, each ``||`` written out, are there twice in a formula and its change."""
    before, after = _bars(_write_out(old)), _bars(_write_out(change))
    return len(set(before)) < len(before) or bool({*before} & {*after})


def _bars(tree: Node) -> list[str]:
    return [deparse(node) for node in walk(tree) if isinstance(node, Call) and node.function in BARS]


def _write_out(tree: Node) -> Node:
    return _fold_sums(tree, _write_out_bar)


def _write_out_bar(node: Node, args: tuple[Node, ...]) -> Node:
    match node:
        case Call("||", (lhs, group)):
            return join_trees("+", [Call("(", (Call("|", (part, group)),)) for part in split_columns(lhs)])
    return with_args(node, args) if args else node


def _write_out_subtracted(node: Node, args: tuple[Node, ...]) -> Node:
    match node:
        case Call("-"):
            return with_args(node, (*args[:-1], _write_out(args[-1])))
    return with_args(node, args) if args else node


def _fold_sums(tree: Node, visit: Callable[[Node, tuple[Node, ...]], Node]) -> Node:
    """Rewrite a formula without a look into its functions and its random terms."""
    return fold(tree, visit, lambda call: call.is_operator and call.function not in BARS)


def _subtracted(tree: Node) -> Iterator[Node]:
    """Yield what a sum subtracts."""
    pending = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, Call) and node.is_operator and node.function not in BARS:
            pending.extend(node.args)
            yield from node.args[-1:] if node.function == "-" else ()


def _fill(node: Node, old: Node) -> Node:
    return fold(node, lambda n, args: old if n == Name(".") else with_args(n, args))


def _is_random(node: Node) -> bool:
    return isinstance(node, Call) and node.function in BARS | STRUCTURES


def _as_variables(node: Node, args: tuple[Node, ...]) -> Node:
    """Make a variable of a random term, in the parentheses in which it is written."""
    if isinstance(node, Call) and node.function in BARS:
        return Name(f"({deparse(node)})")
    return Name(deparse(node)) if _is_random(node) else with_args(node, args)
