"""The formula of a nonlinear mixed model, ``"y ~ model ~ random"``, read without R.

lme4 pastes the names of all columns into text that R then reads, so that only plain names are let through; and the
model is one of R's self-starting functions of names, or an expression of a few operators and functions that R can
differentiate.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from lmerbridge.errors import FormulaError, UnsafeFormula
from lmerbridge.formula.formula import Formula
from lmerbridge.formula.parser import read_expression
from lmerbridge.formula.random import ONE, Bar, expand_bars
from lmerbridge.formula.syntax import (
    Call,
    Constant,
    Name,
    Node,
    Number,
    abbreviate,
    deparse,
    is_plain,
    source,
    tree_names,
    walk,
)

SELF_STARTING = (
    *("SSlogis", "SSfol", "SSasymp", "SSasympOff", "SSasympOrig", "SSbiexp", "SSfpl", "SSgompertz", "SSmicmen"),
    "SSweibull",
)
ARITHMETIC = frozenset(("+", "-", "*", "/", "^", "("))
DIFFERENTIABLE = frozenset(("exp", "log", "sqrt", "sin", "cos", "tan"))
EXPECTED = "'response ~ model ~ (parameter | group)' is expected"
PARTS = (
    f"the model is to be one of {', '.join(SELF_STARTING)} of names, or an expression of names and numbers in "
    f"{' '.join(sorted(ARITHMETIC))} and {', '.join(sorted(DIFFERENTIABLE))}"
)


@dataclass(frozen=True)
class Nonlinear(Formula):
    """A checked formula of a nonlinear mixed model.

    ``tree`` is the response and the random part, and ``fixed`` is 1: the fixed effects are the parameters.

    Attributes
    ----------
    model : Node
        The call or expression between.
    parameters : tuple of str
        Names in the model that are no columns, in order of appearance.
    """

    model: Node = field(kw_only=True)
    parameters: tuple[str, ...] = field(kw_only=True)

    @cached_property
    def covariates(self) -> tuple[str, ...]:
        """Names in the model that are columns."""
        return tuple(dict.fromkeys(name for name in tree_names(self.model) if name not in self.parameters))

    @cached_property
    def variables(self) -> tuple[str, ...]:
        """Names of the columns used."""
        own = (*tree_names(self.response), *self.covariates, *tree_names(self.tree.args[1]))
        return tuple(dict.fromkeys(name for name in own if name not in self.parameters))

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """Names of the columns that only group."""
        elsewhere = {*tree_names(self.response), *self.covariates, *self.parameters}
        return tuple(name for name in self.variables if name not in elsewhere)

    @cached_property
    def design_variables(self) -> tuple[Node, ...]:
        """The covariates."""
        return tuple(map(Name, self.covariates))

    @cached_property
    def source(self) -> str:
        """The text that R is to read."""
        response, right = self.tree.args
        return f"{source(response)} ~ {source(self.model)} ~ {source(right)}"

    @property
    def is_self_starting(self) -> bool:
        """Whether the model is one of R's own functions, which find where to start."""
        return isinstance(self.model, Call) and self.model.function in SELF_STARTING


def parse_nonlinear(text: str, columns: Collection[str], parameters: Collection[str] | None = None) -> Nonlinear:
    """Read the formula of a nonlinear mixed model.

    Parameters
    ----------
    text : str
    columns : collection of str
        Names of the data's columns.
    parameters : collection of str, optional
        Names of the model's parameters; without them all names of the model that are no columns.

    Raises
    ------
    FormulaError, UnsafeFormula

    Examples
    --------
    >>> formula = parse_nonlinear("h ~ SSlogis(age, Asym, xmid, scal) ~ Asym | Tree", ["h", "age", "Tree"])
    >>> formula.parameters, formula.variables
    (('Asym', 'xmid', 'scal'), ('h', 'age', 'Tree'))
    """
    tree = read_expression(text, SELF_STARTING) if isinstance(text, str) else text
    match tree:
        case Call("~", (Call("~", (Name() as response, model)), right)):
            return _checked(response, model, right, columns, parameters)
    shown = abbreviate(tree) if isinstance(tree, Call | Name) else text
    raise FormulaError(f"the formula is {shown!r}; {EXPECTED}, the response one column.")


def _checked(
    response: Name, model: Node, right: Node, columns: Collection[str], given: Collection[str] | None
) -> Nonlinear:
    _check_model(model)
    for name in tree_names(Call("~", (Call("~", (response, model)), right))):
        if not (is_plain(name) and name.isascii()):
            raise UnsafeFormula(f"the formula names {name!r}, which lme4 would paste into code; rename the column.")
    own = [name for name in dict.fromkeys(tree_names(model)) if name not in columns] if given is None else given
    parameters = tuple(name for name in dict.fromkeys(tree_names(model)) if name in own)
    if not parameters:
        raise FormulaError(f"the model {abbreviate(model)} has no parameter: all its names are columns of the data.")
    bars = _random(right, parameters)
    text = f"{deparse(response)} ~ {deparse(model)} ~ {deparse(right)}"
    whole = Call("~", (response, right))
    return Nonlinear(text, response, ONE, bars, whole, model=model, parameters=parameters)


def _check_model(model: Node) -> None:
    """Refuse what is no self-starting function of names, nor an expression that R can differentiate."""
    if isinstance(model, Call) and model.function in SELF_STARTING:
        if not all(isinstance(node, Name) for node in model.args) or any(model.names):
            raise FormulaError(f"the formula has {abbreviate(model)}; names alone are expected in it.")
        return
    for node in walk(model):
        known = isinstance(node, Name | Number)
        if isinstance(node, Call):
            operator = node.function in ARITHMETIC
            plain = len(node.args) == 1 and not any(node.names) and not node.package
            known = operator or (node.function in DIFFERENTIABLE and plain)
        if not known or isinstance(node, Constant):
            raise UnsafeFormula(f"the formula has {abbreviate(node)} in its model; {PARTS}.")


def _random(right: Node, parameters: Collection[str]) -> tuple[Bar, ...]:
    """Return the random terms, whose columns are parameters."""
    bars: list[Call] = []
    for node in _addends(right):
        match node:
            case Call("|"):
                bars.append(node)
            case Name(name) if name in parameters:
                continue
            case Number("0" | "0L"):
                continue
            case _:
                told = "random terms of its parameters, as (Asym | group), are expected"
                raise FormulaError(f"the formula has {abbreviate(node)} in its last part; {told}.")
    if not bars:
        raise FormulaError(f"the formula has no random term; {EXPECTED}.")
    for bar in bars:
        for node in _addends(bar.args[0]):
            if not ((isinstance(node, Name) and node.name in parameters) or node in (Number("0"), Number("0L"))):
                told = f"its parameters {', '.join(parameters)} are what varies by group"
                raise FormulaError(f"the formula has {abbreviate(node)} in {abbreviate(bar)}; {told}.")
    return expand_bars(tuple(bars))


def _addends(node: Node) -> Iterator[Node]:
    match node:
        case Call("+", (left, right)):
            yield from _addends(left)
            yield from _addends(right)
        case Call("(", (inner,)):
            yield from _addends(inner)
        case _:
            yield node
