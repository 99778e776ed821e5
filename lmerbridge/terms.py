"""R's formula algebra: a sum of products of variables, expanded."""

from __future__ import annotations

from dataclasses import dataclass

from lmerbridge.errors import FormulaError
from lmerbridge.syntax import Call, Node, Number, fold, to_r

MAX_TERMS = 10_000


@dataclass(frozen=True)
class Terms:
    """A sum of products, expanded as R's ``terms`` does.

    Attributes
    ----------
    intercept : bool
    products : tuple of tuple of Node
        Each term's variables; main effects come first, then interactions by their order.
    offsets : tuple of Node
        What the ``offset()`` calls hold.
    """

    intercept: bool
    products: tuple[tuple[Node, ...], ...]
    offsets: tuple[Node, ...]


def expand(node: Node) -> Terms:
    """Expand a sum of terms as R's ``terms`` does.

    Examples
    --------
    >>> from lmerbridge.reader import read
    >>> [":".join(map(to_r, product)) for product in expand(read("b + a * x - b")).products]
    ['a', 'x', 'a:x']
    """
    variables: dict[str, Node] = {}
    offsets: list[Node] = []
    found = fold(node, lambda n, args: _algebra(n, args, variables, offsets), lambda call: call.is_operator)
    order = {label: i for i, label in enumerate(variables)}
    products = [tuple(variables[v] for v in sorted(p, key=order.__getitem__)) for p in found.products]
    return Terms(found.intercept is not False, tuple(sorted(products, key=len)), tuple(offsets))


@dataclass(frozen=True)
class _Sum:
    """A set of products in order, and whether the intercept was last put in or taken out."""

    products: tuple[frozenset[str], ...] = ()
    intercept: bool | None = None


def _algebra(node: Node, args: tuple[_Sum, ...], variables: dict[str, Node], offsets: list[Node]) -> _Sum:
    """One step of R's formula algebra (``TermCode`` in R's model.c)."""
    if isinstance(node, Number):
        return _Sum(intercept={"0": False, "1": True}.get(node.text.rstrip("L")))
    if not args:
        if isinstance(node, Call) and node.function == "offset":
            offsets.extend(node.args)
            return _Sum()
        label = to_r(node)
        variables.setdefault(label, node)
        return _Sum((frozenset((label,)),))
    assert isinstance(node, Call)  # noqa: S101 - only calls have arguments
    right, last = args[-1].products, args[-1].intercept
    if len(args) == 1:
        return _Sum((), None if last is None else not last) if node.function == "-" else args[0]
    left, first = args[0].products, args[0].intercept
    if node.function == "-":
        return _Sum(tuple(p for p in left if p not in set(right)), first if last is None else not last)
    if node.function == "^":
        return _Sum(_power(left, node.args[1]), first)
    products = {
        "+": lambda: left + right,
        ":": lambda: _cross(left, right),
        "*": lambda: left + right + _cross(left, right),
        "%in%": lambda: _cross(left, (frozenset().union(*right),)),
        "/": lambda: left + _cross((frozenset().union(*left),), right),
    }[node.function]()
    return _Sum(tuple(dict.fromkeys(products)), first if last is None else last)


def _power(base: tuple[frozenset[str], ...], exponent: Node) -> tuple[frozenset[str], ...]:
    found = base
    for _ in range(1, int(to_r(exponent).rstrip("L"))):
        found = tuple(dict.fromkeys(_cross(found, base)))
    return found


def _cross(left: tuple[frozenset[str], ...], right: tuple[frozenset[str], ...]) -> tuple[frozenset[str], ...]:
    if len(left) * len(right) > MAX_TERMS:
        raise FormulaError(f"the formula's interactions multiply to more than {MAX_TERMS} terms.")
    return tuple(a | b for a in left for b in right)
