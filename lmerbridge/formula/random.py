"""Random terms: ``(x | g)`` and what lme4 makes of ``(x || g/h)``."""

from __future__ import annotations

from dataclasses import dataclass

from lmerbridge.errors import FormulaError, UnsafeFormula
from lmerbridge.formula import limits
from lmerbridge.formula.syntax import (
    Call,
    Constant,
    Name,
    Node,
    Number,
    abbreviate,
    deparse,
    fold,
    is_plain,
    join_trees,
    tree_names,
    walk,
    with_args,
)
from lmerbridge.formula.terms import Terms, expand

HOM = {"diag": False, "cs": False, "ar1": True}  # lme4's defaults; us() has no hom


def structure(term: Call) -> tuple[Call, str, bool]:
    """Return the bar of a random term, its kind, and whether its columns have one variance.

    Examples
    --------
    >>> from lmerbridge.formula.parser import read_expression
    >>> structure(read_expression("ar1(0 + f | g)"))[1:], structure(read_expression("f | g"))[1:]
    (('ar1', True), ('us', False))
    """
    match term:
        case Call(kind, (Call("|") as bar, Constant(hom))):
            return bar, kind, hom == "TRUE"
        case Call(kind, (Call("|") as bar,)):
            return bar, kind, HOM.get(kind, False)
    return term, "us", False


def check_structure(call: Call) -> None:
    """Refuse a structure around anything but one random term, and arguments that lme4 would ignore.

    lme4 fits ``diag((x | g))`` and ``diag(x || g)`` as ``(x | g)``, and leaves out an argument it does not know.

    Raises
    ------
    FormulaError, UnsafeFormula
    """
    match call:
        case Call(_, (Call("|"),), (None,)):
            return
        case Call(kind, (Call("|"), Constant("TRUE" | "FALSE")), (None, "hom")) if kind in HOM:
            return
        case Call(_, (Call("|"), *_), (None, *_)):
            takes = "hom = TRUE or hom = FALSE alone" if call.function in HOM else "nothing else"
            raise FormulaError(
                f"the formula has {abbreviate(call)}; beside its random term {call.function}() takes {takes}."
            )
        case Call(_, (Call("||" | "("), *_)):
            raise FormulaError(
                f"the formula has {abbreviate(call)}; directly inside {call.function}() one x | g is expected."
            )
    raise UnsafeFormula(
        f"the formula calls {abbreviate(call)}, which is not allowed; {call.function}() may only stand around a random "
        f"term, as in {call.function}(x | g)."
    )


BARS = frozenset(("|", "||"))
ONE, ZERO = Number("1"), Number("0")


@dataclass(frozen=True)
class Bar:
    """One random term with one covariance matrix.

    Attributes
    ----------
    lhs : Node
        What varies.
    group : tuple of Node
        The factors whose interaction it varies by.
    group_name : str
        lme4's name of that factor, such as ``"cask:batch"``.
    kind : {"us", "diag", "cs", "ar1"}
        Structure of the covariance of its columns. The default ``us`` is none.
    hom : bool
        Whether all its columns have one variance.
    """

    lhs: Node
    group: tuple[Node, ...]
    group_name: str
    kind: str = "us"
    hom: bool = False


def expand_bars(bars: tuple[Call, ...]) -> tuple[Bar, ...]:
    """Expand ``||`` and then ``/``: lme4's ``expandDoubleVerts`` and ``findbars``."""
    found: list[Bar] = []
    for term in bars:
        bar, kind, hom = structure(term)
        lhs, group = bar.args
        terms, groups = _expand_columns(bar), _nest(group)
        if len(found) + (1 + len(terms.products)) * len(groups) > limits.RANDOM:
            raise FormulaError(f"the formula has more than {limits.RANDOM} random terms.")
        parts = split_columns(lhs) if bar.function == "||" else [lhs]
        found += [Bar(part, _factors(g), _name(g), kind, hom) for part in parts for g in groups]
    return tuple(found)


def _expand_columns(bar: Call) -> Terms:
    """Expand the columns of a random term, and refuse what lme4 would drop or put elsewhere."""
    lhs = bar.args[0]
    terms = expand(lhs)
    if "." in tree_names(lhs):
        raise FormulaError("the formula has '.' in a random term; name the columns.")
    if terms.offsets:
        raise FormulaError(f"the formula has an offset in the random term {abbreviate(bar)}; add it outside.")
    if bar.function == "||" and not terms.products and terms.intercept:
        group = deparse(bar.args[1])
        raise FormulaError(f"the formula has {abbreviate(bar)}, where '||' has nothing to part; write (1 | {group}).")
    if not (terms.intercept or terms.products):
        raise FormulaError(f"the formula has the random term {abbreviate(bar)}, in which nothing varies.")
    return terms


def write_out(node: Node, args: tuple[Node, ...]) -> Node:
    """Write out ``||`` where lme4 would paste the group's name into code that R reads as another expression.

    lme4 reads ``(x || `a:b`)`` as a random term by the interaction ``a:b``, and likewise any other name of a column.
    """
    match node:
        case Call("||", (lhs, Name(group))) if not (group.isascii() and is_plain(group)):
            return join_trees("+", [Call("(", (Call("|", (part, Name(group))),)) for part in split_columns(lhs)])
    return with_args(node, args)


def _name(group: Node) -> str:
    return group.name if isinstance(group, Name) else deparse(group)


def diagonal(node: Node, args: tuple[Node, ...]) -> Node:
    """Write ``(x || g)`` as ``diag(x | g)``, as lme4 reads it under ``lme4.doublevert.default = "diag_special"``."""
    match node:
        case Call("||"):
            return Call("diag", (Call("|", args),), (None,))
        case Call("(", (Call("||"),)):
            return args[0]
    return with_args(node, args)


def split_columns(lhs: Node) -> list[Node]:
    """Return the columns of ``(lhs || g)``, one per random term that it stands for."""
    terms = expand(lhs)
    slopes: list[Node] = [Call("+", (ZERO, join_trees(":", product))) for product in terms.products]
    return [ONE, *slopes] if terms.intercept else slopes


def _nest(group: Node) -> list[Node]:
    """``a/b/c`` -> ``c:(b:a)``, ``b:a``, ``a``."""
    inner: list[Node] = []
    while isinstance(group, Call) and group.function == "/":
        inner.append(group.args[1])
        group = group.args[0]
    if any(isinstance(n, Call) and n.function == "/" for part in (group, *inner) for n in walk(part)):
        raise FormulaError(f"the grouping factor {abbreviate(group)!r} has '/' inside; lme4 reads only a/b/c.")
    found = [group]
    for factor in reversed(inner):
        found.insert(0, Call(":", (factor, found[0])))
    return found


def _factors(group: Node) -> tuple[Node, ...]:
    return fold(group, lambda node, args: sum(args, ()) if args else (node,), lambda call: call.function in (":", "("))
