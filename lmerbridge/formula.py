"""A mixed-model formula without R: ``"y ~ x + (x | g)"`` -> response, fixed part, random terms."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from lmerbridge import calls, limits
from lmerbridge.bars import BARS, ONE, Bar, expand_bars, written_out
from lmerbridge.errors import FormulaError, UnsafeFormula
from lmerbridge.reader import read
from lmerbridge.syntax import Call, Constant, Name, Node, Number, String, fold, joined, names, shown, source, to_r
from lmerbridge.terms import Terms, expand

ALGEBRA = frozenset(("+", "-", ":", "*", "^", "%in%", "/", "("))
ARITHMETIC = frozenset(("+", "-", "*", "/", "^", "%%", "%/%", ":", "(", "&", "!", "==", "!=", "<", "<=", ">", ">="))
GROUPING = frozenset((":", "/", "("))
ALLOWED = {"sum": ALGEBRA | BARS, "term": ALGEBRA, "group": GROUPING, "function": ARITHMETIC}
BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")  # R reads no text that holds one


@dataclass(frozen=True)
class Formula:
    """A checked mixed-model formula.

    Attributes
    ----------
    text : str
        The same formula as R deparses it.
    response : Node
    fixed : Node
        The right-hand side without its random terms; ``1`` where nothing else is left.
    random : tuple of Bar
        With ``/`` and ``||`` expanded as lme4 expands them, in the order of the text.
    tree : Node
        All of it.
    """

    text: str
    response: Node
    fixed: Node
    random: tuple[Bar, ...]
    tree: Node = field(repr=False, compare=False)

    @cached_property
    def variables(self) -> tuple[str, ...]:
        """Names of the columns used, in order of appearance; a ``.`` is not among them."""
        return tuple(dict.fromkeys(name for name in names(self.tree) if name != "."))

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """Names of the columns that only group."""
        elsewhere = {*names(self.response), *names(self.fixed)}
        elsewhere.update(name for bar in self.random for name in names(bar.lhs))
        return tuple(name for name in self.variables if name not in elsewhere)

    @cached_property
    def terms(self) -> Terms:
        """The fixed part, expanded."""
        return expand(self.fixed)

    @cached_property
    def source(self) -> str:
        """The text that R is to read."""
        return source(fold(self.tree, written_out))

    @property
    def has_dot(self) -> bool:
        """Whether the fixed part says "all other columns"."""
        return "." in names(self.fixed)

    def expand_dot(self, columns: Iterable[str]) -> Formula:
        """Replace ``.`` by all columns but the response's, as R does; grouping factors are among them.

        Examples
        --------
        >>> parse("y ~ . + (1 | g)").expand_dot(["y", "x", "g"]).text
        'y ~ (x + g) + (1 | g)'
        """
        if not self.has_dot:
            return self
        others = [Name(name) for name in columns if name not in names(self.response)]
        if not others:
            raise FormulaError("the formula's '.' stands for all other columns, and the data has none.")
        everything = Call("(", (joined("+", others),))
        return _build(fold(self.tree, lambda node, args: everything if node == Name(".") else _with(node, args)))


@lru_cache(maxsize=256)
def parse(text: str, allow: tuple[str, ...] = ()) -> Formula:
    """Read a mixed-model formula.

    Parameters
    ----------
    text : str
        R's formula text, two-sided, with at least one random term.
    allow : tuple of str
        Functions it may call beyond those of `lmerbridge.syntax`, as ``"package::function"``.

    Raises
    ------
    FormulaError
        It is not such a formula.
    UnsafeFormula
        It calls something that is not on the list of allowed functions.

    Examples
    --------
    >>> formula = parse("log(y) ~ x + (x || g/h)")
    >>> formula.text
    'log(y) ~ x + (x || g/h)'
    >>> [(to_r(bar.lhs), bar.group_name) for bar in formula.random]
    [('1', 'h:g'), ('1', 'g'), ('0 + x', 'h:g'), ('0 + x', 'g')]
    """
    if not isinstance(text, str):
        raise FormulaError(f"the formula is {text!r}; text such as 'y ~ x + (1 | g)' is expected.")
    return _build(read(text, allow))


def _build(tree: Node) -> Formula:
    if not (isinstance(tree, Call) and tree.function == "~" and len(tree.args) == 2):
        raise FormulaError("the formula has no response; 'response ~ terms + (1 | group)' is expected.")
    response, right = tree.args
    _check(response, "function")
    _check(right, "sum")
    text = _readable(tree)
    fixed, bars = fold(right, _split, lambda call: call.function in ("+", "-", "("))
    if not bars:
        raise FormulaError("the formula has no random term, such as (1 | group).")
    formula = Formula(text, response, fixed or ONE, expand_bars(bars), tree)
    formula.terms  # noqa: B018 - so that a formula that cannot be expanded is refused here
    return formula


def _readable(tree: Node) -> str:
    """Write the tree, unless R does not read that, or lme4 too slowly."""
    text = to_r(tree)
    if found := BIDI.search(text):
        raise FormulaError(f"the formula holds {found[0]!a}, which turns the direction of text; rename the column.")
    if fold(tree, _weight) > limits.WEIGHT:
        raise FormulaError("the formula has parentheses in parentheses, for which lme4 needs too long; leave some out.")
    return text


def _weight(node: Node, args: tuple[int, ...]) -> int:
    return (1 + sum(args)) * (2 if isinstance(node, Call) and node.function == "(" else 1)


def _check(root: Node, place: str) -> None:
    """Refuse what has no meaning, or another than it seems, where it stands."""
    pending = [(root, place)]
    while pending:
        node, place = pending.pop()
        if isinstance(node, Call):
            if node.is_operator and node.function not in ALLOWED[place]:
                raise _misplaced(node, place)
            if node.function == ":" and place == "function":
                calls.check_sequence(node)
            if node.function == "^" and place in ("sum", "term"):
                _check_power(node)
                pending.append((node.args[0], "term"))
            else:
                pending.extend(zip(node.args, _places(node, place), strict=True))
        elif place != "function" and not _may_stand(node, place):
            raise FormulaError(f"the formula has {shown(node)} where a column is expected; only 0 and 1 may be added.")
        elif node == Name(".") and place in ("group", "function"):
            raise FormulaError("the formula has '.' in a function or a grouping factor; name the columns.")


def _may_stand(node: Node, place: str) -> bool:
    if isinstance(node, Number):
        return place != "group" and node.text.rstrip("L") in ("0", "1")
    return not isinstance(node, String | Constant)


def _places(call: Call, place: str) -> tuple[str, ...]:
    if not call.is_operator:
        return ("function",) * len(call.args)
    if call.function in BARS:
        return "term", "group"
    if place != "sum" or call.function in ("+", "("):
        return (place,) * len(call.args)
    return ("sum", "term") if call.function == "-" and len(call.args) == 2 else ("term",) * len(call.args)


def _misplaced(call: Call, place: str) -> FormulaError:
    told = f"the formula has {call.function!r} in {shown(call)!r}"
    if call.function in BARS:
        return FormulaError(f"{told}; lme4 reads every bar as a random term, and such a term can only be added.")
    if place == "function":
        return UnsafeFormula(f"{told}; inside a function {' '.join(sorted(ARITHMETIC))} are allowed.")
    if place == "group":
        return FormulaError(f"{told}; a grouping factor is made of columns, ':' and '/'.")
    return UnsafeFormula(f"{told}; outside a function {' '.join(sorted(ALGEBRA))} are allowed, else write I(...).")


def _check_power(call: Call) -> None:
    exponent = call.args[1] if len(call.args) == 2 else None
    if not (isinstance(exponent, Number) and exponent.text.rstrip("L") in map(str, range(2, 9))):
        raise FormulaError(f"the formula has {shown(call)!r}; a power of terms is a whole number from 2 to 8.")


def _split(node: Node, args: tuple[tuple[Node | None, tuple[Call, ...]], ...]) -> tuple[Node | None, tuple[Call, ...]]:
    """Part the fixed terms, None where nothing is left, from the bars: lme4's ``nobars`` and ``findbars``."""
    if not args:
        return (None, (node,)) if isinstance(node, Call) and node.function in BARS else (node, ())
    kept = tuple(part for part, _ in args if part is not None)
    bars = tuple(bar for _, found in args for bar in found)
    if not bars:
        return node, ()
    if isinstance(node, Call) and node.function == "-" and len(kept) == 1:
        raise FormulaError(f"lme4 loses the minus of {shown(node)!r}; put the fixed part before the random terms.")
    return (_with(node, kept) if len(kept) == len(args) else kept[0] if kept else None), bars


def _with(node: Node, args: tuple[Node, ...]) -> Node:
    return Call(node.function, args, node.names) if isinstance(node, Call) else node
