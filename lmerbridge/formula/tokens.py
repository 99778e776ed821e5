"""R's tokens, as far as a formula may have them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from lmerbridge.errors import FormulaError, UnsafeFormula
from lmerbridge.formula.syntax import FUNCTIONS, NAME, SHOWN, number_text

TOKEN = re.compile(
    rf"""(?P<space>\s+)
      | (?P<number>(?>[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?+L?+(?![\w.]))
      | (?P<qualified>{NAME}:::?{NAME})
      | (?P<name>{NAME})
      | `(?P<quoted>(?:[^`\\\0]|\\[^\0])+)`
      | (?P<string>"(?:[^"\\\0]|\\[^\0])*"|'(?:[^'\\\0]|\\[^\0])*')
      | (?P<special>%in%|%%|%/%)
      | (?P<foreign>%[^%\n]*%|<<?-|->>?|:::?|:=|\|>|[{{}}\[\]$@?;\\])
      | (?P<operator>\*\*|<=|>=|==|!=|&&|\|\||[-+*/^:~|&!<>(),=])""",
    re.VERBOSE | re.DOTALL,
)
MEANT = {  # words of other languages and models: what to write
    "Q": "the column's name in backticks, as in `my column`",
    "cbind": "one column as the response: lmer models one, and each other takes a fit of its own; successes and "
    "failures are for glmer(..., 'binomial')",
    **dict.fromkeys(("center", "standardize", "zscore"), "scale(x), or scale(x, scale = FALSE) to centre only"),
    **dict.fromkeys(("bs_", "cr", "cc", "te", "s"), "ns(x, 3) or bs(x, 4), which are splines"),
    **dict.fromkeys(("maximum", "fmax"), "pmax(a, b)"),
    **dict.fromkeys(("minimum", "fmin"), "pmin(a, b)"),
    **dict.fromkeys(("where", "if_else", "fifelse", "case_when"), "ifelse(test, yes, no)"),
    **dict.fromkeys(("power", "pow", "square"), "I(x^2)"),
    **dict.fromkeys(("as.double", "float", "int"), "as.numeric(x)"),
    **dict.fromkeys(("ave", "cumsum", "lag", "diff", "group_by"), "a column of it, made in Python before the fit"),
}
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'", "`": "`"}


class Token(NamedTuple):
    """A piece of the text: what it is, what it says, and where it starts."""

    kind: str
    text: str
    start: int


def tokens(text: str) -> Iterator[Token]:
    """Yield the tokens of a text as they are asked for, and at last one of the kind "end"."""
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
    while True:
        yield Token("end", "", start)


def call_at(text: str, start: int) -> str:
    """Return the call that starts at a position, as far as its last parenthesis, or a part of a long one.

    Examples
    --------
    >>> call_at('y ~ system("echo )") + x', 4)
    'system("echo )")'
    """
    depth = 0
    for token in TOKEN.finditer(text, start, start + SHOWN):
        depth += (token.group() == "(") - (token.group() == ")")
        if depth == 0 and token.group() == ")":
            return text[start : token.end()]
    return text[start : start + SHOWN]


def unsafe_call(text: str, function: Token) -> UnsafeFormula:
    """Return the error of a call that is not on the list, and what is written in R for what is meant."""
    name = re.split(r"^(?:np|numpy|math)\.", function.text)[-1]
    meant = {name: f"{name}()"} if name in FUNCTIONS else MEANT
    advice = f"write {meant[name]}. The" if name in meant else "the"
    return UnsafeFormula(
        f"the formula calls {call_at(text, function.start)}, which is not allowed; {advice} functions allowed are "
        f"{', '.join(sorted(FUNCTIONS))}. To add one deliberately, call it as package::function and pass "
        'allow=["package::function"].'
    )


def read_number(token: Token) -> str:
    """Return a number as R writes it."""
    text, shown = token.text, token.text[:SHOWN]
    value = float(text.rstrip("L"))
    if value == float("inf") or (text.endswith("L") and (value % 1 or value >= 2**31)):
        raise FormulaError(f"the formula has the number {shown} at position {token.start + 1}, which R cannot hold.")
    if text.endswith("L"):
        return f"{int(value)}L"
    return short if float(short := number_text(value)) == value else text


def unescape(token: Token) -> str:
    """Return what a string or a name in backticks stands for."""

    def plain(found: re.Match[str]) -> str:
        if found[1] not in ESCAPES:
            raise FormulaError(
                f"the formula has the escape {found[0]!r} after position {token.start + 1}; write the character."
            )
        return ESCAPES[found[1]]

    text = token.text[1:-1] if token.kind == "string" else token.text
    return re.sub(r"\\(.)", plain, text, flags=re.DOTALL)
