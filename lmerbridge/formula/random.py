"""Random terms: ``(x | g)`` and what lme4 makes of ``(x || g/h)``."""

from __future__ import annotations

from dataclasses import dataclass

from lmerbridge.errors import FormulaError
from lmerbridge.formula import limits
from lmerbridge.formula.structures import structure
from lmerbridge.formula.syntax import Call, Name, Node, Number, fold, is_plain, joined, names, shown, to_r, walk
from lmerbridge.formula.terms import Terms, expand

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
        Structure of the covariance of its columns; ``us``, none, where nothing is said.
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
        terms, groups = _varying(bar), _nested(group)
        if len(found) + (1 + len(terms.products)) * len(groups) > limits.RANDOM:
            raise FormulaError(f"the formula has more than {limits.RANDOM} random terms.")
        parts = _uncorrelated(lhs) if bar.function == "||" else [lhs]
        found += [Bar(part, _factors(g), _name(g), kind, hom) for part in parts for g in groups]
    return tuple(found)


def _varying(bar: Call) -> Terms:
    """Expand what varies, and refuse what lme4 would leave out or put elsewhere."""
    lhs = bar.args[0]
    terms = expand(lhs)
    if "." in names(lhs):
        raise FormulaError("the formula has '.' in a random term; name the columns.")
    if terms.offsets:
        raise FormulaError(f"the formula has an offset in the random term {shown(bar)}; add it outside.")
    if not (terms.intercept or terms.products):
        raise FormulaError(f"the formula has the random term {shown(bar)}, in which nothing varies.")
    return terms


def written_out(node: Node, args: tuple[Node, ...]) -> Node:
    """Write out ``||`` as lme4 does, where it would paste a name into code that R reads as another expression.

    ``(x || `a:b`)`` is a random term by ``a:b`` to lme4, and with it whatever else a column may be named.
    """
    match node:
        case Call("||", (lhs, Name(group))) if not (group.isascii() and is_plain(group)):
            return joined("+", [Call("(", (Call("|", (part, Name(group))),)) for part in _uncorrelated(lhs)])
        case Call():
            return Call(node.function, args, node.names)
    return node


def _name(group: Node) -> str:
    return group.name if isinstance(group, Name) else to_r(group)


def diagonal(node: Node, args: tuple[Node, ...]) -> Node:
    """Write ``(x || g)`` as ``diag(x | g)``, as lme4 reads it under ``lme4.doublevert.default = "diag_special"``."""
    match node:
        case Call("||"):
            return Call("diag", (Call("|", args),), (None,))
        case Call("(", (Call("||"),)):
            return args[0]
        case Call():
            return Call(node.function, args, node.names)
    return node


def _uncorrelated(lhs: Node) -> list[Node]:
    terms = expand(lhs)
    slopes: list[Node] = [Call("+", (ZERO, joined(":", product))) for product in terms.products]
    return [ONE, *slopes] if terms.intercept else slopes


def _nested(group: Node) -> list[Node]:
    """``a/b/c`` -> ``c:(b:a)``, ``b:a``, ``a``."""
    inner: list[Node] = []
    while isinstance(group, Call) and group.function == "/":
        inner.append(group.args[1])
        group = group.args[0]
    if any(isinstance(n, Call) and n.function == "/" for part in (group, *inner) for n in walk(part)):
        raise FormulaError(f"the grouping factor {shown(group)!r} has '/' inside; lme4 reads only a/b/c.")
    found = [group]
    for factor in reversed(inner):
        found.insert(0, Call(":", (factor, found[0])))
    return found


def _factors(group: Node) -> tuple[Node, ...]:
    return fold(group, lambda node, args: sum(args, ()) if args else (node,), lambda call: call.function in (":", "("))
