"""Read R's expressions from text, as far as a formula may go.

R evaluates a formula as code, so a formula is a program: ``y ~ I(system("..."))`` runs. What is not on the
lists of `lmerbridge.syntax` is refused while it is read, and everything later works from the tree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from lmerbridge.errors import FormulaError, UnsafeFormula
from lmerbridge.syntax import (
    CONSTANTS,
    FUNCTIONS,
    PRECEDENCE,
    RESERVED,
    Call,
    Constant,
    Name,
    Node,
    Number,
    String,
    number_text,
)

UNARY = {"~": 1, "!": 4, "-": 10, "+": 10}
COMPARISON = PRECEDENCE["<"]
MAX_BYTES, MAX_NODES, MAX_DEPTH = 20_000, 2_000, 50

TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?L?(?![\w.]))
      | (?P<name>(?:[^\W\d_]|\.(?!\d))[\w.]*)
      | `(?P<quoted>(?:[^`\\\0]|\\[^\0])+)`
      | (?P<string>"(?:[^"\\\0]|\\[^\0])*"|'(?:[^'\\\0]|\\[^\0])*')
      | (?P<special>%in%|%%|%/%)
      | (?P<foreign>%[^%\n]*%|<<?-|->>?|:::?|:=|\|>|[{}\[\]$@?;\\])
      | (?P<operator>\*\*|<=|>=|==|!=|&&|\|\||[-+*/^:~|&!<>(),=])""",
    re.VERBOSE | re.DOTALL,
)
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'", "`": "`"}


class Token(NamedTuple):
    """A piece of the text: what it is, what it says, and where it starts."""

    kind: str
    text: str
    start: int


def read(text: str) -> Node:
    """Read one R expression.

    Raises
    ------
    FormulaError
        It is not one, or it is too long or too deep.
    UnsafeFormula
        It uses R's language beyond the operators and functions of a formula.
    """
    return _Reader(text).whole()


def _tokens(text: str) -> Iterator[Token]:
    start = 0
    while start < len(text):
        found = TOKEN.match(text, start)
        if found is None or found.lastgroup is None:
            raise FormulaError(f"the formula cannot be read from position {start + 1}: {text[start : start + 20]!r}.")
        kind, piece = found.lastgroup, found[found.lastgroup]
        if kind == "foreign":
            raise UnsafeFormula(
                f"the formula uses {piece!r} at position {start + 1}; columns, constants, R's formula "
                "operators and calls of a few functions are allowed."
            )
        if kind != "space":
            yield Token("operator" if kind == "special" else kind, "^" if piece == "**" else piece, start)
        start = found.end()
    yield Token("end", "", start)


class _Reader:
    """An operator-precedence parser; the levels are those of R's own grammar (gram.y)."""

    def __init__(self, text: str) -> None:
        try:
            size = len(text.encode())
        except UnicodeEncodeError:
            raise FormulaError("the formula holds half a surrogate pair, which is no character.") from None
        if size > MAX_BYTES:
            raise FormulaError(f"the formula is {size} bytes long; at most {MAX_BYTES} are read.")
        self.tokens, self.at, self.nodes, self.depth = list(_tokens(text)), 0, 0, 0

    def whole(self) -> Node:
        node = self.expression(0)
        return node if self.token.kind == "end" else self.fail("an operator")

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    def is_next(self, text: str) -> bool:
        return self.token.kind == "operator" and self.token.text == text

    def expect(self, text: str) -> None:
        if not self.is_next(text):
            self.fail(repr(text))
        self.at += 1

    def fail(self, expected: str) -> Node:
        got = repr(self.token.text) if self.token.kind != "end" else "the end"
        raise FormulaError(f"the formula has {got} at position {self.token.start + 1}; {expected} is expected.")

    def made(self, node: Node) -> Node:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise FormulaError(f"the formula has more than {MAX_NODES} names, constants and operators.")
        return node

    def expression(self, lowest: int) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise FormulaError(f"the formula nests more than {MAX_DEPTH} deep, at position {self.token.start + 1}.")
        left, compared = self.operand(), False
        while self.token.kind == "operator" and (level := PRECEDENCE.get(self.token.text, -1)) >= lowest:
            if level == COMPARISON and compared:
                self.fail("no second comparison")
            op, compared = self.token.text, level == COMPARISON
            self.at += 1
            right = self.expression(level + (op != "^"))
            left = self.made(Call(op, (left, right)))
        self.depth -= 1
        return left

    def operand(self) -> Node:
        kind, text, start = self.token
        if kind == "end" or (kind == "operator" and text not in UNARY and text != "("):
            self.fail("a column, a constant or a call")
        self.at += 1
        if kind == "operator" and text == "(":
            node: Node = Call("(", (self.expression(0),))
            self.expect(")")
        elif kind == "operator":
            node = Call(text, (self.expression(UNARY[text]),))
        elif kind == "name" and self.is_next("("):
            node = self.call(text)
        else:
            node = _atom(kind, text, start)
        if self.is_next("("):
            raise UnsafeFormula(
                f"the formula calls the value of an expression at position {self.token.start + 1}; "
                "only functions called by their plain name are allowed."
            )
        return self.made(node)

    def call(self, function: str) -> Node:
        if function not in FUNCTIONS:
            raise UnsafeFormula(
                f"the formula calls {function!r}; the functions allowed are {', '.join(sorted(FUNCTIONS))}."
            )
        self.expect("(")
        args: list[Node] = []
        names: list[str | None] = []
        while not (self.is_next(")") and not args):
            names.append(self.argument_name())
            args.append(self.expression(PRECEDENCE["~"]))
            if not self.is_next(","):
                break
            self.at += 1
        self.expect(")")
        return Call(function, tuple(args), tuple(names))

    def argument_name(self) -> str | None:
        kind, text, start = self.token
        after = self.tokens[min(self.at + 1, len(self.tokens) - 1)]
        if kind not in ("name", "quoted", "string") or after[:2] != ("operator", "="):
            return None
        self.at += 2
        return _unescape(text[1:-1] if kind == "string" else text, start) if kind != "name" else text


def _atom(kind: str, text: str, start: int) -> Node:
    match kind:
        case "number":
            return Number(_number(text, start))
        case "string":
            return String(_unescape(text[1:-1], start))
        case "quoted":
            return Name(_unescape(text, start))
    if text in CONSTANTS:
        return Constant(text)
    if text in RESERVED or re.fullmatch(r"\.\.\d+", text):
        raise UnsafeFormula(f"the formula uses R's reserved word {text!r}; quote a column of that name in backticks.")
    return Name(text)


def _number(text: str, start: int) -> str:
    value = float(text.rstrip("L"))
    if value == float("inf") or (text.endswith("L") and (value % 1 or value >= 2**31)):
        raise FormulaError(f"the formula has the number {text} at position {start + 1}, which R cannot hold.")
    if text.endswith("L"):
        return f"{int(value)}L"
    return short if float(short := number_text(value)) == value else text


def _unescape(text: str, start: int) -> str:
    def plain(found: re.Match[str]) -> str:
        if found[1] not in ESCAPES:
            raise FormulaError(
                f"the formula has the escape {found[0]!r} after position {start + 1}; write the character."
            )
        return ESCAPES[found[1]]

    return re.sub(r"\\(.)", plain, text, flags=re.DOTALL)
