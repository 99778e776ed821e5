"""What may stand where in a formula, and what a call may be given.

An operator means one thing among terms, another in a grouping factor and a third inside a function.

Some of R's functions make as much as a number says: ``poly(x, 1e9)``, ``cut(x, 1e9)``, ``1:1e9``. And ``C(f, "q")``
calls the function ``q``. So their arguments beyond the first are constants, and what counts is limited.
"""

from __future__ import annotations

import math
import re

from lmerbridge.errors import FormulaError, UnsafeFormula
from lmerbridge.formula import limits
from lmerbridge.formula.random import BARS, check_structure
from lmerbridge.formula.syntax import (
    CONTRASTS,
    STRUCTURES,
    Call,
    Constant,
    Name,
    Node,
    Number,
    String,
    abbreviate,
    deparse,
    fold,
    tree_names,
    walk,
)

VALUES: dict[str, tuple[str, ...]] = {  # function: its arguments whose numbers are data, not sizes
    **dict.fromkeys(("poly", "cut", "C", *CONTRASTS), ()),
    **dict.fromkeys(("ns", "bs"), ("knots", "Boundary.knots")),
    **dict.fromkeys(("factor", "ordered"), ("levels", "labels", "exclude")),
}
SIZELESS = frozenset(("TRUE", "FALSE", "NULL", "NA", *CONTRASTS))
ALGEBRA = frozenset(("+", "-", ":", "*", "^", "%in%", "/", "("))
ARITHMETIC = frozenset(("+", "-", "*", "/", "^", "%%", "%/%", ":", "(", "&", "!", "==", "!=", "<", "<=", ">", ">="))
GROUPING = frozenset((":", "/", "("))
ALLOWED = {"sum": ALGEBRA | BARS, "term": ALGEBRA, "group": GROUPING, "function": ARITHMETIC}
BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")  # R reads no text that holds one


def check_arguments(call: Call) -> None:
    """Refuse arguments of which R would make too much, or which it would call.

    Raises
    ------
    FormulaError, UnsafeFormula
    """
    if call.function in STRUCTURES:
        check_structure(call)
    if call.function == "interaction" and len(tree_names(call)) > limits.CROSSED:
        raise FormulaError(f"the formula has {abbreviate(call)}; interaction() may cross {limits.CROSSED} factors.")
    if call.function not in VALUES:
        return
    variables = _variables(call)
    others = [
        (name, node) for i, (name, node) in enumerate(zip(call.names, call.args, strict=True)) if i not in variables
    ]
    for name, node in others:
        if call.function == "C":
            _check_contrast(call, node)
        if not _is_limited(node, is_data=name in VALUES[call.function]):
            raise FormulaError(
                f"the formula has {abbreviate(call)}; instead of {abbreviate(node)} a number up to {limits.SIZE}, "
                "TRUE, FALSE, text, or several values as c(...) or from:to are expected."
            )
    degree = max((_number(node) or 1.0 for _, node in others), default=1.0)
    if call.function == "poly" and (math.ceil(degree) + 1) ** len(variables) > limits.COLUMNS:
        raise FormulaError(f"the formula has {abbreviate(call)}, which makes more than {limits.COLUMNS} columns.")


def check_sequence(call: Call) -> None:
    """Refuse a sequence other than between two small whole numbers."""
    ends = [_number(node) for node in call.args]
    if any(end is None or end % 1 or abs(end) > limits.END for end in ends):
        raise FormulaError(
            f"the formula has {abbreviate(call)}; inside a function ':' counts between whole numbers of at most "
            f"{limits.END}. For factors write interaction(...)."
        )


def _variables(call: Call) -> set[int]:
    """Positions of the arguments that are columns: R takes the one named x or object, or else the first."""
    if call.function in CONTRASTS:
        return set()
    named = {i for i, name in enumerate(call.names) if name == ("object" if call.function == "C" else "x")}
    first = named or {0} & {i for i, name in enumerate(call.names) if name is None}
    others = {i for i, node in enumerate(call.args) if call.function == "poly" and not _length(node)}
    return first | others


def _check_contrast(call: Call, node: Node) -> None:
    """Refuse a contrast of C() that is not R's own, since C() calls a function by its name."""
    for part in walk(node):
        if isinstance(part, String) and part.text not in CONTRASTS:
            raise UnsafeFormula(
                f"the formula has {abbreviate(call)}, and C() would call the function {abbreviate(part)}; "
                f"{', '.join(CONTRASTS)} are allowed."
            )


def _is_limited(node: Node, *, is_data: bool) -> bool:
    match node:
        case Number():
            return is_data or float(_number(node) or 0) <= limits.SIZE
        case Constant(text):
            return is_data or text in SIZELESS
        case Call(function) if function in CONTRASTS:
            return True
    return isinstance(node, String) or _length(node) > 1 or (is_data and _length(node) > 0)


def _length(node: Node) -> int:
    """Number of values of a constant, 0 where it is unknown."""
    return fold(node, _count)


def _count(node: Node, args: tuple[int, ...]) -> int:
    match node:
        case Number() | String():
            return 1
        case Constant(text):
            return int(text != "NULL")
        case Call(":", ends):
            return len({_number(end) for end in ends}) if all(args) else 0
        case Call("c"):
            return sum(args) if all(args) else 0
        case Call() if node.is_operator:
            return max(args) if all(args) else 0
    return 0


def _number(node: Node) -> float | None:
    """Return the value of a number with or without a sign, None for any other node."""
    match node:
        case Number(text):
            return float(text.rstrip("L"))
        case Call("-", (Number(text),)):
            return -float(text.rstrip("L"))
    return None


def readable(tree: Node) -> str:
    """Return the text of a tree, unless R cannot read it or lme4 reads it too slowly."""
    text = deparse(tree)
    if found := BIDI.search(text):
        raise FormulaError(f"the formula holds {found[0]!a}, which turns the direction of text; rename the column.")
    if fold(tree, _weight) > limits.WEIGHT:
        raise FormulaError("the formula has parentheses in parentheses, for which lme4 needs too long; leave some out.")
    return text


def _weight(node: Node, args: tuple[int, ...]) -> int:
    return (1 + sum(args)) * (2 if isinstance(node, Call) and node.function == "(" else 1)


def check_places(root: Node, place: str) -> None:
    """Refuse what has no meaning, or another than it seems, where it stands."""
    pending = [(root, place)]
    while pending:
        node, place = pending.pop()
        if isinstance(node, Call):
            if node.is_operator and node.function not in ALLOWED[place]:
                raise _misplacement(node, place)
            if node.function in STRUCTURES and place != "sum":
                raise FormulaError(
                    f"the formula has {abbreviate(node)} inside a term; such a random term can only be added."
                )
            if node.function == ":" and place == "function":
                check_sequence(node)
            if node.function == "^" and place in ("sum", "term"):
                _check_power(node)
                pending.append((node.args[0], "term"))
            else:
                pending.extend(zip(node.args, _places(node, place), strict=True))
        elif place != "function" and not _may_stand(node, place):
            raise FormulaError(
                f"the formula has {abbreviate(node)} where a column is expected; only 0 and 1 may be added."
            )
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


def _misplacement(call: Call, place: str) -> FormulaError:
    told = f"the formula has {call.function!r} in {abbreviate(call)!r}"
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
        raise FormulaError(f"the formula has {abbreviate(call)!r}; a power of terms is a whole number from 2 to 8.")
