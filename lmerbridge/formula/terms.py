"""R's formula algebra: a sum of products of variables, expanded."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from functools import reduce
from operator import or_

from lmerbridge.errors import FormulaError
from lmerbridge.formula import limits
from lmerbridge.formula.syntax import ALGEBRA, Call, Name, Node, Number, deparse, fold


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

    Raises
    ------
    FormulaError
        It multiplies to far too many terms.

    Examples
    --------
    >>> from lmerbridge.formula.parser import read_expression
    >>> [":".join(map(deparse, product)) for product in expand(read_expression("b + a * x - b")).products]
    ['a', 'x', 'a:x']
    """
    algebra = _Algebra()
    found = fold(node, algebra.step, lambda call: call.function in ALGEBRA)
    products = sorted(found.products, key=int.bit_count)
    return Terms(found.intercept is not False, tuple(map(algebra.factors, products)), tuple(algebra.offsets))


def find_absent(node: Node) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the terms that a sum subtracts from one that lacks them, and the terms that were there.

    R leaves such a sum as it is, without a word.

    Examples
    --------
    >>> from lmerbridge.formula.parser import read_expression
    >>> find_absent(read_expression("a + b:x - x:b - c")), find_absent(read_expression("a * b - a"))
    ((('c',), ('a',)), ((), ()))
    """
    algebra = _Subtractions()
    fold(node, algebra.step, lambda call: call.function in ALGEBRA)
    absent, there = (
        tuple(":".join(map(_label, algebra.factors(product))) for product in products) for products in algebra.found
    )
    return absent, there


def _label(node: Node) -> str:
    return node.name if isinstance(node, Name) else deparse(node)


@dataclass
class _Sum:
    """A set of products in order, one bit per variable, and whether the intercept was last put in or taken out."""

    products: dict[int, None] = field(default_factory=dict)
    intercept: bool | None = None


class _Algebra:
    """R's formula algebra (``TermCode`` in R's model.c), and the variables and offsets met on the way."""

    def __init__(self) -> None:
        self.variables: list[Node] = []
        self.bits: dict[str, int] = {}
        self.offsets: list[Node] = []
        self.crossed = 0

    def step(self, node: Node, args: tuple[_Sum, ...]) -> _Sum:
        """Return the sum of a node from the sums of its arguments, which it may change."""
        if isinstance(node, Number):
            return _Sum(intercept={"0": False, "1": True}.get(node.text.rstrip("L")))
        if not args:
            return self.variable(node)
        assert isinstance(node, Call)  # noqa: S101 - only calls have arguments
        right, last = args[-1].products, args[-1].intercept
        if len(args) == 1:
            return _Sum({}, None if last is None else not last) if node.function == "-" else args[0]
        left, first = args[0].products, args[0].intercept
        match node.function:
            case "-":
                for product in right:
                    left.pop(product, None)
                return _Sum(left, first if last is None else not last)
            case "^":
                return _Sum(self.power(left, node.args[1]), first)
            case "+":
                left.update(right)
            case "*":
                crossed = self.cross(left, right)
                left.update(right)
                left.update(crossed)
            case ":":
                left = self.cross(left, right)
            case "%in%":
                left = self.cross(left, [reduce(or_, right, 0)])
            case "/":
                left.update(self.cross([reduce(or_, left, 0)], right))
        return _Sum(left, first if last is None else last)

    def variable(self, node: Node) -> _Sum:
        """Return the sum of one variable, or of none where it is an offset."""
        if isinstance(node, Call) and node.function == "offset":
            self.offsets.extend(node.args)
            return _Sum()
        label = deparse(node)
        if label not in self.bits:
            self.bits[label] = 1 << len(self.variables)
            self.variables.append(node)
        return _Sum({self.bits[label]: None})

    def factors(self, product: int) -> tuple[Node, ...]:
        """Return the variables of a product, in the order in which they were met."""
        found = []
        while product:
            lowest = product & -product
            found.append(self.variables[lowest.bit_length() - 1])
            product ^= lowest
        return tuple(found)

    def power(self, base: dict[int, None], exponent: Node) -> dict[int, None]:
        """Cross a sum with itself."""
        found = base
        for _ in range(1, int(deparse(exponent).rstrip("L"))):
            found = self.cross(found, base)
        return found

    def cross(self, left: Collection[int], right: Collection[int]) -> dict[int, None]:
        """Multiply each product with each other one."""
        self.crossed += len(left) * len(right)
        if self.crossed > limits.TERMS:
            raise FormulaError(f"the formula's interactions multiply to more than {limits.TERMS} terms.")
        found = dict.fromkeys(a | b for a in left for b in right)
        if max(map(int.bit_count, found), default=0) > limits.ORDER:
            raise FormulaError(f"the formula has an interaction of more than {limits.ORDER} variables.")
        return found


def _is_expanded(node: Node) -> bool:
    """Whether a term stands for several, its margins among them."""
    while isinstance(node, Call) and node.function == "(":
        node = node.args[0]
    return isinstance(node, Call) and node.function in ("*", "^")


class _Subtractions(_Algebra):
    """R's formula algebra, and the products of its first subtraction of what was not there, with those that were."""

    def __init__(self) -> None:
        super().__init__()
        self.found: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())

    def step(self, node: Node, args: tuple[_Sum, ...]) -> _Sum:
        """Return the sum of a node as `_Algebra` does."""
        if args and isinstance(node, Call) and node.function == "-":
            left = args[0].products if len(args) > 1 else {}
            absent = tuple(product for product in args[-1].products if product not in left)
            if _is_expanded(node.args[-1]):  # of what a * b stands for, an interaction need not be there
                absent = absent if any(product.bit_count() == 1 for product in absent) else ()
            self.found = (absent, tuple(left)) if absent and not self.found[0] else self.found
        return super().step(node, args)
