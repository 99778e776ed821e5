"""Read R's expressions from text, as far as a formula may go.

R evaluates a formula as code, so a formula is a program: ``y ~ I(system("..."))`` runs. What is not on the
lists of `lmerbridge.formula.syntax` is refused while it is read, and everything later works from the tree.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Container

from lmerbridge.errors import FormulaError, UnsafeFormula
from lmerbridge.formula import allowed, limits
from lmerbridge.formula.syntax import (
    CONSTANTS,
    CONTRASTS,
    FUNCTIONS,
    PRECEDENCE,
    QUALIFIED,
    RESERVED,
    SHOWN,
    STRUCTURES,
    VALUES,
    Call,
    Constant,
    Name,
    Node,
    Number,
    String,
)
from lmerbridge.formula.tokens import Token, read_number, tokens, unescape, unsafe_call

UNARY = {"~": 1, "!": 4, "-": 10, "+": 10}
COMPARISON = PRECEDENCE["<"]


def read_expression(text: str, allow: Collection[str] = (), columns: Container[object] = ()) -> Node:
    """Read one R expression.

    Parameters
    ----------
    text : str
    allow : collection of str
        Functions that may be called beyond those of `lmerbridge.formula.syntax`, as ``package::function``.
    columns : container of names
        Those of the data, which win over R's own values ``T``, ``F`` and ``pi``.

    Raises
    ------
    FormulaError
        It is not one, or it is too long or too deep.
    UnsafeFormula
        It uses R's language beyond the operators and functions of a formula.
    """
    return _Reader(text, allow, CONSTANTS | {name for name in VALUES if name not in columns}).whole()


class _Reader:
    """An operator-precedence parser with the levels of R's own grammar (gram.y)."""

    def __init__(self, text: str, allow: Collection[str], constants: Container[str]) -> None:
        try:
            size = len(text.encode())
        except UnicodeEncodeError:
            raise FormulaError("the formula holds half a surrogate pair, which is no character.") from None
        if size > limits.BYTES:
            raise FormulaError(f"the formula is {size} bytes long; at most {limits.BYTES} are read.")
        self.text, self.constants, self.allow = text, constants, allow
        self.tokens, self.nodes, self.depth = tokens(text), 0, 0
        self.token, self.after = next(self.tokens), next(self.tokens)

    def whole(self) -> Node:
        node = self.expression(0)
        return node if self.token.kind == "end" else self.fail("an operator")

    def take(self) -> Token:
        taken, self.token, self.after = self.token, self.after, next(self.tokens)
        return taken

    def is_next(self, text: str) -> bool:
        return self.token.kind == "operator" and self.token.text == text

    def expect(self, text: str) -> None:
        if not self.is_next(text):
            self.fail(repr(text))
        self.take()

    def fail(self, expected: str) -> Node:
        got = repr(self.token.text[:SHOWN]) if self.token.kind != "end" else "the end"
        raise FormulaError(f"the formula has {got} at position {self.token.start + 1}; {expected} is expected.")

    def count(self, node: Node) -> Node:
        self.nodes += 1
        if self.nodes > limits.NODES:
            raise FormulaError(f"the formula has more than {limits.NODES} names, constants and operators.")
        return node

    def expression(self, lowest: int) -> Node:
        self.depth += 1
        if self.depth > limits.DEPTH:
            raise FormulaError(f"the formula nests more than {limits.DEPTH} deep, at position {self.token.start + 1}.")
        left, compared = self.operand(), False
        while self.token.kind == "operator" and (level := PRECEDENCE.get(self.token.text, -1)) >= lowest:
            if level == COMPARISON and compared:
                self.fail("no second comparison")
            op, compared = self.take().text, level == COMPARISON
            right = self.expression(level + (op != "^"))
            left = self.count(Call(op, (left, right)))
        self.depth -= 1
        return left

    def operand(self) -> Node:
        kind, text, _ = self.token
        if kind == "end" or (kind == "operator" and text not in UNARY and text != "("):
            self.fail("a column, a constant or a call")
        token = self.take()
        if kind == "operator" and text == "(":
            node: Node = Call("(", (self.expression(0),))
            self.expect(")")
        elif kind == "operator":
            node = Call(text, (self.expression(UNARY[text]),))
        elif kind in ("name", "qualified") and text not in RESERVED and self.is_next("("):
            node = self.call(token)
        else:
            node = self.atom(token)
        if self.is_next("("):
            raise UnsafeFormula(
                f"the formula calls the value of an expression at position {self.token.start + 1}; "
                "only functions called by their plain name are allowed."
            )
        return self.count(node)

    def call(self, function: Token) -> Node:
        package, name = ("", function.text) if function.text in self.allow else self.resolve(function)
        self.expect("(")
        args: list[Node] = []
        names: list[str | None] = []
        while not (self.is_next(")") and not args):
            names.append(self.argument_name())
            args.append(self.argument(name))
            if not self.is_next(","):
                break
            self.take()
        self.expect(")")
        call = Call(name, tuple(args), tuple(names), package)
        allowed.check_arguments(call)
        return call

    def resolve(self, function: Token) -> tuple[str, str]:
        """Return the package that is written before a function of those that every formula may call, and its name."""
        if function.text in FUNCTIONS or function.text in STRUCTURES:
            return "", function.text
        if function.text not in QUALIFIED:
            raise unsafe_call(self.text, function)
        return QUALIFIED[function.text]

    def argument(self, function: str) -> Node:
        match self.expression(PRECEDENCE["~"]):
            case Name(name) if function == "C" and name in CONTRASTS:
                return Constant(name)
            case node:
                return node

    def argument_name(self) -> str | None:
        if self.token.kind not in ("name", "quoted", "string") or self.after[:2] != ("operator", "="):
            return None
        token = self.take()
        self.take()
        return token.text if token.kind == "name" else unescape(token)

    def atom(self, token: Token) -> Node:
        text = token.text
        match token.kind:
            case "number":
                return Number(read_number(token))
            case "string":
                return String(unescape(token))
            case "quoted":
                return Name(unescape(token))
            case "qualified":
                raise UnsafeFormula(f"the formula uses {text!r} as a value; only columns and constants are values.")
        if text in self.constants:
            return Constant(text)
        if text in RESERVED or re.fullmatch(r"\.\.\d+", text):
            raise UnsafeFormula(
                f"the formula uses R's reserved word {text!r}; quote a column of that name in backticks."
            )
        return Name(text)
