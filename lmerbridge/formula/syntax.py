"""R's expressions as a tree, and the text R would write for one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias, TypeVar

T = TypeVar("T")

CONTRASTS = ("contr.treatment", "contr.sum", "contr.helmert", "contr.poly", "contr.SAS")
PACKAGES = {  # the functions of each package that a formula may call, the same as in r/R/scope.R
    "base": (
        *("I", "log", "log2", "log10", "log1p", "exp", "expm1", "sqrt", "abs", "sign", "sin", "cos", "tan"),
        *("asin", "acos", "atan", "sinh", "cosh", "tanh", "round", "signif", "floor", "ceiling", "trunc"),
        *("scale", "pmin", "pmax", "ifelse", "is.na", "c", "mean", "min", "max", "sum", "rank"),
        *("factor", "ordered", "cut", "interaction"),
        *("as.numeric", "as.integer", "as.factor", "as.character", "as.logical", "as.vector"),
    ),
    "stats": (
        *("poly", "offset", "relevel", "C", "sd", "var", "median", "quantile", "plogis", "qlogis", "pnorm", "qnorm"),
        *CONTRASTS,
    ),
    "splines": ("ns", "bs"),
    "lme4": ("dummy",),
}
FUNCTIONS = frozenset(name for names in PACKAGES.values() for name in names)
QUALIFIED = {f"{package}::{name}": (package, name) for package, names in PACKAGES.items() for name in names}
VALUES = frozenset(("T", "F", "pi"))  # R's own, where the data has no column of that name
STRUCTURES = frozenset(("us", "diag", "cs", "ar1"))  # no functions to R: lme4 reads them around a random term
PRECEDENCE = {
    **dict.fromkeys(("~",), 1),
    **dict.fromkeys(("|", "||"), 2),
    **dict.fromkeys(("&", "&&"), 3),
    **dict.fromkeys(("==", "!=", "<", "<=", ">", ">="), 5),
    **dict.fromkeys(("+", "-"), 6),
    **dict.fromkeys(("*", "/"), 7),
    **dict.fromkeys(("%in%", "%%", "%/%"), 8),
    **dict.fromkeys((":",), 9),
    **dict.fromkeys(("^",), 11),
}
OPERATORS = frozenset((*PRECEDENCE, "(", "!"))
ALGEBRA = frozenset(("+", "-", ":", "*", "^", "%in%", "/", "("))  # of terms; R makes a variable of any other operator
TIGHT = frozenset(("^", ":", "/", "%%", "%/%"))
CONSTANTS = frozenset(("TRUE", "FALSE", "NULL", "NA", "Inf", "NaN"))
RESERVED = CONSTANTS | {
    *("if", "else", "repeat", "while", "function", "for", "next", "break", "in", "..."),
    *("NA_integer_", "NA_real_", "NA_character_"),
}

NAME = r"(?:[^\W\d_]|\.(?!\d))[\w.]*"
SYNTACTIC = re.compile(NAME)
SHOWN = 60  # characters of a formula that an error message quotes


@dataclass(frozen=True)
class Name:
    """A column."""

    name: str


@dataclass(frozen=True)
class Number:
    """A number, as R writes it."""

    text: str


@dataclass(frozen=True)
class String:
    """A character constant."""

    text: str


@dataclass(frozen=True)
class Constant:
    """One of R's constants, such as ``TRUE`` or ``pi``, or a contrast that ``C()`` is given by its name."""

    text: str


@dataclass(frozen=True)
class Call:
    """A call of a function or, as in R, of an operator or a parenthesis.

    Attributes
    ----------
    function : str
    args : tuple of Node
    names : tuple of (str or None)
        The arguments' names; empty for operators.
    package : str
        The package whose function it is, where that is written, as in ``splines::ns(x, 3)``.
    """

    function: str
    args: tuple[Node, ...]
    names: tuple[str | None, ...] = ()
    package: str = ""

    @property
    def is_operator(self) -> bool:
        """Whether it is written as an operator or a parenthesis."""
        return self.function in OPERATORS


Node: TypeAlias = Name | Number | String | Constant | Call


def fold(root: Node, visit: Callable[[Node, tuple[T, ...]], T], enter: Callable[[Call], bool] = lambda _: True) -> T:
    """Compute bottom up, left to right: ``visit(node, values of its arguments)``, without recursion.

    A sum of a thousand terms is a tree a thousand deep. Calls that ``enter`` refuses are visited as leaves.
    """
    pending, found = [root], []
    while pending:
        node = pending.pop()
        args = node.args if isinstance(node, Call) and enter(node) else ()
        found.append((node, len(args)))
        pending.extend(args)
    values: list[T] = []
    for node, count in reversed(found):
        cut = len(values) - count
        values[cut:] = [visit(node, tuple(values[cut:]))]
    return values[0]


def walk(root: Node) -> Iterator[Node]:
    """Yield every node, left to right, a call before its arguments."""
    pending = [root]
    while pending:
        node = pending.pop()
        yield node
        if isinstance(node, Call):
            pending.extend(reversed(node.args))


def tree_names(root: Node) -> list[str]:
    """Return the names in a tree, left to right."""
    return [node.name for node in walk(root) if isinstance(node, Name)]


def with_args(node: Node, args: tuple[Node, ...]) -> Node:
    """Return a call with other arguments, and any other node as it is."""
    return replace(node, args=args) if isinstance(node, Call) else node


def join_trees(op: str, nodes: Iterable[Node]) -> Node:
    """Join trees by an operator, from the left."""
    first, *others = nodes
    for node in others:
        first = Call(op, (first, node))
    return first


def deparse(node: Node) -> str:
    """Write a tree as R's ``deparse`` does.

    Examples
    --------
    >>> from lmerbridge.formula.parser import read_expression
    >>> deparse(read_expression("y~x*`my col`+(1|g/h)"))
    'y ~ x * `my col` + (1 | g/h)'
    """
    return fold(node, lambda n, args: _write(n, args, _plain))


def source(node: Node) -> str:
    """Write a tree for R to read: every name in backticks, so that none can be anything but a name.

    Examples
    --------
    >>> from lmerbridge.formula.parser import read_expression
    >>> source(read_expression("y ~ x + (1 | `if`)"))
    '`y` ~ `x` + (1 | `if`)'
    """
    return fold(node, lambda n, args: _write(n, args, _quote))


def abbreviate(node: Node) -> str:
    """Write a tree for an error message: its first sixty characters."""
    text = deparse(node)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


def is_plain(name: str) -> bool:
    """Whether R reads a name without backticks."""
    return SYNTACTIC.fullmatch(name) is not None and name not in RESERVED


def _plain(name: str) -> str:
    return name if is_plain(name) else _quote(name)


def _quote(name: str) -> str:
    return f"`{_escape(name, '`')}`"


def _write(node: Node, args: tuple[str, ...], written: Callable[[str], str]) -> str:
    match node:
        case Name(name):
            return written(name)
        case String(text):
            return f'"{_escape(text, chr(34))}"'
        case Number(text) | Constant(text):
            return text
        case Call("("):
            return f"({args[0]})"
        case Call(op, (_,)) if node.is_operator:
            return op + args[0]
        case Call(op, (left, right)) if node.is_operator:
            first, second = _guard(args[0], left, op, op == "^"), _guard(args[1], right, op, op != "^")
            return f"{first}{op}{second}" if op in TIGHT else f"{first} {op} {second}"
        case Call(function, _, names, package):
            function = f"{package}::{function}" if package else function
            labels = ["" if name is None else f"{written(name)} = " for name in names]
            return f"{function}({', '.join(map(str.__add__, labels, args))})"


def _guard(text: str, operand: Node, op: str, ties: bool) -> str:
    """Parenthesise an operand that would otherwise be read differently: only built trees have such."""
    if not (isinstance(operand, Call) and len(operand.args) == 2 and operand.function in PRECEDENCE):
        return text
    inner, outer = PRECEDENCE[operand.function], PRECEDENCE[op]
    return f"({text})" if inner < outer or (ties and inner == outer) else text


def _escape(text: str, quote: str) -> str:
    for mark, plain in (("\\", "\\"), (quote, quote), ("n", "\n"), ("t", "\t"), ("r", "\r")):
        text = text.replace(plain, "\\" + mark)
    return text


def number_text(value: float) -> str:
    """Write a number as R does, to 15 significant digits: the shorter of the fixed and the scientific form.

    Examples
    --------
    >>> [number_text(v) for v in (1000.0, 100000.0, 123456.0, 0.0001, 0.1 + 0.2)]
    ['1000', '1e+05', '123456', '1e-04', '0.3']
    """
    digits = next(d for d in range(15) if d == 14 or float(f"{value:.{d}e}") == float(f"{value:.14e}"))
    scientific = f"{value:.{digits}e}"
    fixed = f"{value:.{max(0, digits - int(scientific.split('e')[1]))}f}"
    return fixed if len(fixed) <= len(scientific) else scientific
