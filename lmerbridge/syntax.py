"""R's expressions as a tree, and the text R would write for one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

T = TypeVar("T")

TRANSFORMATIONS = (
    *("I", "log", "log2", "log10", "log1p", "exp", "expm1", "sqrt", "abs", "sin", "cos", "tan"),
    *("scale", "poly", "ns", "bs", "pmin", "pmax", "ifelse", "round", "floor", "ceiling"),
    *("is.na", "c", "offset"),
)
FACTORS = (
    *("factor", "ordered", "C", "cut", "relevel", "interaction", "dummy"),
    *("as.numeric", "as.integer", "as.factor", "as.character", "as.logical"),
    *("contr.sum", "contr.treatment", "contr.poly", "contr.helmert"),
)
FUNCTIONS = frozenset((*TRANSFORMATIONS, *FACTORS))
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
TIGHT = frozenset(("^", ":", "/", "%%", "%/%"))
CONSTANTS = frozenset(("TRUE", "FALSE", "NULL", "NA", "Inf", "NaN"))
RESERVED = CONSTANTS | {
    *("if", "else", "repeat", "while", "function", "for", "next", "break", "in", "..."),
    *("NA_integer_", "NA_real_", "NA_character_"),
}

SYNTACTIC = re.compile(r"(?:[^\W\d_]|\.(?!\d))[\w.]*")


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
    """One of R's reserved constants, such as ``TRUE``."""

    text: str


@dataclass(frozen=True)
class Call:
    """A call of a function or, as in R, of an operator; ``"("`` is one.

    Attributes
    ----------
    function : str
    args : tuple of Node
    names : tuple of (str or None)
        The arguments' names; empty for operators.
    """

    function: str
    args: tuple[Node, ...]
    names: tuple[str | None, ...] = ()

    @property
    def is_operator(self) -> bool:
        """Whether it is written as an operator or a parenthesis."""
        return self.function not in FUNCTIONS


Node: TypeAlias = Name | Number | String | Constant | Call


def fold(root: Node, visit: Callable[[Node, tuple[T, ...]], T], enter: Callable[[Call], bool] = lambda _: True) -> T:
    """Compute bottom up, left to right: ``visit(node, values of its arguments)``, without recursion.

    A sum of a thousand terms is a tree a thousand deep. Calls that ``enter`` refuses are visited as leaves.
    """
    pending: list[tuple[Node, bool]] = [(root, False)]
    values: list[T] = []
    while pending:
        node, ready = pending.pop()
        args = node.args if isinstance(node, Call) and enter(node) else ()
        if args and not ready:
            pending.append((node, True))
            pending.extend((argument, False) for argument in reversed(args))
        else:
            cut = len(values) - len(args)
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


def to_r(node: Node) -> str:
    """Write a tree as R's ``deparse`` does.

    Examples
    --------
    >>> from lmerbridge.reader import read
    >>> to_r(read("y~x*`my col`+(1|g/h)"))
    'y ~ x * `my col` + (1 | g/h)'
    """
    return fold(node, _write)


def _write(node: Node, args: tuple[str, ...]) -> str:
    match node:
        case Name(name):
            return name if SYNTACTIC.fullmatch(name) and name not in RESERVED else f"`{_escape(name, '`')}`"
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
        case Call(function, _, names):
            labels = ["" if name is None else f"{to_r(Name(name))} = " for name in names]
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
