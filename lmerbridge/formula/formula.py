"""A mixed-model formula without R: ``"y ~ x + (x | g)"`` -> response, fixed part, random terms."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from lmerbridge.errors import FormulaError
from lmerbridge.formula.allowed import check_places, readable
from lmerbridge.formula.parser import read_expression
from lmerbridge.formula.random import BARS, ONE, ZERO, Bar, diagonal, expand_bars, write_out
from lmerbridge.formula.syntax import (
    STRUCTURES,
    Call,
    Name,
    Node,
    abbreviate,
    deparse,
    fold,
    join_trees,
    source,
    tree_names,
    walk,
    with_args,
)
from lmerbridge.formula.terms import Terms, expand


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
    tree: Call = field(repr=False, compare=False)

    @cached_property
    def variables(self) -> tuple[str, ...]:
        """Names of the columns used, in order of appearance, without a ``.``."""
        return tuple(dict.fromkeys(name for name in tree_names(self.tree) if name != "."))

    @cached_property
    def predictors(self) -> tuple[str, ...]:
        """Names of the columns of the fixed part, in order of appearance."""
        return tuple(dict.fromkeys(tree_names(self.fixed)))

    @property
    def response_name(self) -> str | None:
        """The column that is the response, None where it is computed."""
        return self.response.name if isinstance(self.response, Name) else None

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """Names of the columns that only group."""
        elsewhere = {*tree_names(self.response), *self.predictors}
        elsewhere.update(name for bar in self.random for name in tree_names(bar.lhs))
        return tuple(name for name in self.variables if name not in elsewhere)

    @cached_property
    def terms(self) -> Terms:
        """The fixed part, expanded."""
        return expand(self.fixed)

    @cached_property
    def functions(self) -> tuple[str, ...]:
        """Variables that are computed, as R writes them, in order of appearance."""
        calls = (node for node in (self.response, *self.design_variables) if isinstance(node, Call))
        return tuple(dict.fromkeys(map(deparse, calls)))

    @cached_property
    def design_variables(self) -> tuple[Node, ...]:
        """Variables of the fixed part, and of what varies by group."""
        parts = (self.terms, *(expand(bar.lhs) for bar in self.random))
        return tuple(node for part in parts for product in part.products for node in product)

    @cached_property
    def source(self) -> str:
        """The text that R is to read."""
        return source(fold(self.tree, write_out))

    @cached_property
    def structures(self) -> tuple[str, ...]:
        """Covariance structures written around its random terms, in order of appearance."""
        calls = [node.function for node in walk(self.tree) if isinstance(node, Call) and node.function in STRUCTURES]
        return tuple(dict.fromkeys(calls))

    def diagonal(self) -> Formula:
        """Write every ``(x || g)`` as ``diag(x | g)``.

        Examples
        --------
        >>> parse("y ~ x + (x || g)").diagonal().text
        'y ~ x + diag(x | g)'
        """
        return _build(fold(self.tree, diagonal))

    @cached_property
    def has_dot(self) -> bool:
        """Whether the fixed part has a ``.`` for all other columns."""
        return "." in tree_names(self.fixed)

    def expand_dot(self, columns: Iterable[str]) -> Formula:
        """Replace ``.`` by all columns but the response's, grouping factors included, as R does.

        Examples
        --------
        >>> parse("y ~ . + (1 | g)").expand_dot(["y", "x", "g"]).text
        'y ~ (x + g) + (1 | g)'
        """
        if not self.has_dot:
            return self
        others = [Name(name) for name in columns if name not in tree_names(self.response)]
        if not others:
            raise FormulaError("the formula's '.' stands for all other columns, and the data has none.")
        everything = Call("(", (join_trees("+", others),))
        return _build(fold(self.tree, lambda node, args: everything if node == Name(".") else with_args(node, args)))


@lru_cache(maxsize=256)
def parse(text: str, allow: tuple[str, ...] = (), columns: frozenset[str] = frozenset()) -> Formula:
    """Read a mixed-model formula.

    Parameters
    ----------
    text : str
        R's formula text, two-sided, with at least one random term.
    allow : tuple of str
        Functions it may call beyond those of `lmerbridge.formula.syntax`, as ``"package::function"``.
    columns : frozenset of str
        Those of the data that have the names of R's own values, ``T``, ``F`` and ``pi``, over which they win.

    Raises
    ------
    FormulaError
        It is not such a formula.
    UnsafeFormula
        It calls something that is not on the list of allowed functions.

    Examples
    --------
    >>> from lmerbridge.formula.syntax import deparse
    >>> formula = parse("log(y) ~ x + (x || g/h)")
    >>> formula.text
    'log(y) ~ x + (x || g/h)'
    >>> [(deparse(bar.lhs), bar.group_name) for bar in formula.random]
    [('1', 'h:g'), ('1', 'g'), ('0 + x', 'h:g'), ('0 + x', 'g')]
    """
    if not isinstance(text, str):
        raise FormulaError(f"the formula is {text!r}; text such as 'y ~ x + (1 | g)' is expected.")
    return _build(read_expression(text, allow, columns))


def parse_right(text: str, allow: tuple[str, ...] = (), columns: Container[object] = ()) -> Formula:
    """Read the right side of a mixed-model formula.

    A response is not needed. Where there is one, 0 takes its place.

    Raises
    ------
    FormulaError
        It is not such a formula.
    UnsafeFormula
        It calls something that is not on the list of allowed functions.

    Examples
    --------
    >>> formula = parse_right("~ x + (1 | g)")
    >>> formula.text, formula.variables
    ('0 ~ x + (1 | g)', ('x', 'g'))
    """
    tree = read_expression(text, allow, columns)
    match tree:
        case Call("~", (*_, right)):
            return _build(Call("~", (ZERO, right)))
    raise FormulaError(f"the formula is {abbreviate(tree)!r}; '~ terms + (1 | group)' is expected.")


def parse_list(text: str, allow: tuple[str, ...] = (), columns: Container[object] = ()) -> Formula:
    """Read the formula of a model in each group, ``"y ~ x | g"``: its fixed part is what stands before the bar.

    Raises
    ------
    FormulaError
        It is not such a formula.
    UnsafeFormula
        It calls something that is not on the list of allowed functions.

    Examples
    --------
    >>> formula = parse_list("log(y)~x|g")
    >>> formula.text, formula.variables, formula.groups
    ('log(y) ~ x | g', ('y', 'x', 'g'), ('g',))
    """
    tree = read_expression(text, allow, columns)
    match tree:
        case Call("~", (response, Call("|", (terms, Name(group))) as bar)) if "." not in tree_names(tree):
            check_places(response, "function")
            check_places(bar, "sum")
            formula = Formula(readable(tree), response, terms, (Bar(ONE, (Name(group),), group),), tree)
            formula.terms  # noqa: B018 - so that a formula that cannot be expanded is refused here
            return formula
    told = f"the formula is {abbreviate(tree)!r}; 'response ~ terms | group' is expected, the group one column"
    raise FormulaError(f"{told}: a factor of several is to be a column of its own.")


def parse_fixed(text: str, allow: tuple[str, ...] = ()) -> Formula:
    """Read the formula of a linear model, ``"y ~ x"``: one without random terms.

    Raises
    ------
    FormulaError
        It is not such a formula.
    UnsafeFormula
        It calls something that is not on the list of allowed functions.

    Examples
    --------
    >>> parse_fixed("log(y)~x").text
    'log(y) ~ x'
    """
    tree = read_expression(text, allow)
    match tree:
        case Call("~", (response, terms)) if "." not in tree_names(tree) and not _split_terms(terms)[1]:
            check_places(response, "function")
            check_places(terms, "sum")
            formula = Formula(readable(tree), response, terms, (), tree)
            formula.terms  # noqa: B018 - so that a formula that cannot be expanded is refused here
            return formula
    told = f"the formula is {abbreviate(tree)!r}; 'response ~ terms' is expected"
    raise FormulaError(f"{told}, without random terms; a model with some is a fit of its own.")


def _build(tree: Node) -> Formula:
    if not (isinstance(tree, Call) and tree.function == "~" and len(tree.args) == 2):
        raise FormulaError("the formula has no response; 'response ~ terms + (1 | group)' is expected.")
    response, right = tree.args
    check_places(response, "function")
    check_places(right, "sum")
    text = readable(tree)
    fixed, bars = _split_terms(right)
    if not bars:
        raise FormulaError("the formula has no random term, such as (1 | group).")
    formula = Formula(text, response, fixed or ONE, expand_bars(bars), tree)
    formula.terms  # noqa: B018 - so that a formula that cannot be expanded is refused here
    return formula


def _split_terms(right: Node) -> tuple[Node | None, tuple[Call, ...]]:
    return fold(right, _split, lambda call: call.function in ("+", "-", "("))


def _split(node: Node, args: tuple[tuple[Node | None, tuple[Call, ...]], ...]) -> tuple[Node | None, tuple[Call, ...]]:
    """Part the fixed terms, None where nothing is left, from the bars: lme4's ``nobars`` and ``findbars``."""
    if not args:
        return (None, (node,)) if isinstance(node, Call) and node.function in BARS | STRUCTURES else (node, ())
    kept = tuple(part for part, _ in args if part is not None)
    bars = tuple(bar for _, found in args for bar in found)
    if not bars:
        return node, ()
    if isinstance(node, Call) and node.function == "-" and len(kept) == 1:
        raise FormulaError(f"lme4 loses the minus of {abbreviate(node)!r}; put the fixed part before the random terms.")
    return (with_args(node, kept) if len(kept) == len(args) else kept[0] if kept else None), bars
