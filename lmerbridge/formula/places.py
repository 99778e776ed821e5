"""What may stand where in a formula."""

from __future__ import annotations

import re

from lmerbridge.errors import FormulaError, UnsafeFormula
from lmerbridge.formula import allowed, limits
from lmerbridge.formula.random import BARS
from lmerbridge.formula.syntax import STRUCTURES, Call, Constant, Name, Node, Number, String, fold, shown, to_r

ALGEBRA = frozenset(("+", "-", ":", "*", "^", "%in%", "/", "("))
ARITHMETIC = frozenset(("+", "-", "*", "/", "^", "%%", "%/%", ":", "(", "&", "!", "==", "!=", "<", "<=", ">", ">="))
GROUPING = frozenset((":", "/", "("))
ALLOWED = {"sum": ALGEBRA | BARS, "term": ALGEBRA, "group": GROUPING, "function": ARITHMETIC}
BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")  # R reads no text that holds one


def readable(tree: Node) -> str:
    """Write the tree, unless R does not read that, or lme4 too slowly."""
    text = to_r(tree)
    if found := BIDI.search(text):
        raise FormulaError(f"the formula holds {found[0]!a}, which turns the direction of text; rename the column.")
    if fold(tree, _weight) > limits.WEIGHT:
        raise FormulaError("the formula has parentheses in parentheses, for which lme4 needs too long; leave some out.")
    return text


def _weight(node: Node, args: tuple[int, ...]) -> int:
    return (1 + sum(args)) * (2 if isinstance(node, Call) and node.function == "(" else 1)


def check(root: Node, place: str) -> None:
    """Refuse what has no meaning, or another than it seems, where it stands."""
    pending = [(root, place)]
    while pending:
        node, place = pending.pop()
        if isinstance(node, Call):
            if node.is_operator and node.function not in ALLOWED[place]:
                raise _misplaced(node, place)
            if node.function in STRUCTURES and place != "sum":
                raise FormulaError(
                    f"the formula has {shown(node)} inside a term; such a random term can only be added."
                )
            if node.function == ":" and place == "function":
                allowed.check_sequence(node)
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
    if call.function in STRUCTURES:
        return "sum", *("function",) * (len(call.args) - 1)
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
