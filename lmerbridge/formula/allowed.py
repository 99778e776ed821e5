"""What may stand where in a formula, and what a call may be given.

An operator means one thing among terms, another in a grouping factor and a third inside a function.

Some of R's functions make as much as a number says: ``poly(x, 1e9)``, ``cut(x, 1e9)``, ``1:1e9``. And ``C(f, "q")``
calls the function ``q``. So their arguments beyond the first are constants, and what counts is limited.
"""

from __future__ import annotations

import math
import re
from collections.abc import Container

from lmerbridge.errors import FormulaError, UnsafeFormula
from lmerbridge.formula import limits
from lmerbridge.formula.random import BARS, check_structure
from lmerbridge.formula.syntax import (
    ALGEBRA,
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

CONSTANT: dict[str, tuple[str, ...]] = {  # a function of constants beside its columns: those that are data, no sizes
    **dict.fromkeys(("poly", "cut", "C", "rank", "as.vector", *CONTRASTS), ()),
    **dict.fromkeys(("ns", "bs"), ("knots", "Boundary.knots")),
    **dict.fromkeys(("factor", "ordered"), ("levels", "labels", "exclude")),
}
LENGTHS = {"cut": limits.COLUMNS, "factor": limits.END, "ordered": limits.END}  # values in such a constant
WORDS = {  # a function: the texts it may be given. R calls others, or draws at random
    "C": CONTRASTS,
    "rank": ("average", "first", "last", "max", "min", "keep"),
    "as.vector": ("any", "numeric", "double", "integer", "logical", "character"),
}
POLY = ("degree", "coefs", "raw", "simple")  # arguments of poly() that are no columns, of any name
SIZELESS = frozenset(("TRUE", "FALSE", "T", "F", "NULL", "NA", *CONTRASTS))
COMPUTED = frozenset(("%%", "%/%", "&", "!", "==", "!=", "<", "<=", ">", ">="))  # a variable, also among terms
ARITHMETIC = frozenset(("+", "-", "*", "/", "^", ":", "(")) | COMPUTED
GROUPING = frozenset((":", "/", "("))
ALLOWED = {"sum": ALGEBRA | COMPUTED | BARS, "term": ALGEBRA | COMPUTED, "group": GROUPING, "function": ARITHMETIC}
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
    if call.function not in CONSTANT:
        return
    variables = _variables(call)
    others = [
        (name, node) for i, (name, node) in enumerate(zip(call.names, call.args, strict=True)) if i not in variables
    ]
    for name, node in others:
        _check_words(call, node)
        longest = LENGTHS.get(call.function, limits.SIZE)
        if not _is_limited(node, longest, is_data=name in CONSTANT[call.function]):
            raise FormulaError(
                f"the formula has {abbreviate(call)}; instead of {abbreviate(node)} a number up to {limits.SIZE}, "
                f"TRUE, FALSE, text, or up to {longest} values as c(...) or from:to are expected."
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
    if call.function != "poly":
        return first
    named_else = {i for i, name in enumerate(call.names) if name in POLY}
    return first | {i for i, node in enumerate(call.args) if not _length(node)} - named_else


def _check_words(call: Call, node: Node) -> None:
    """Refuse a text that is not on the list of its function: C() calls a function by its name."""
    for part in walk(node) if call.function in WORDS else ():
        if isinstance(part, String) and part.text not in WORDS[call.function]:
            told = f"C() would call the function {abbreviate(part)}" if call.function == "C" else f"{part.text!r} in it"
            raise UnsafeFormula(
                f"the formula has {abbreviate(call)}, and {told}; {', '.join(WORDS[call.function])} are allowed."
            )


def _is_limited(node: Node, longest: int, *, is_data: bool) -> bool:
    match node:
        case Number():
            return is_data or float(_number(node) or 0) <= limits.SIZE
        case Constant(text):
            return is_data or text in SIZELESS
        case Call(function) if function in CONTRASTS:
            return True
    return isinstance(node, String) or (0 if is_data else 1) < _length(node) <= longest


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
            first, last = (_number(end) for end in ends)
            return 0 if first is None or last is None else math.ceil(abs(last - first)) + 1
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


def check_left(tree: Call, functions: Container[str]) -> None:
    """Refuse a function that only the left side may call, unless it is all of it and is given two columns.

    Raises
    ------
    FormulaError, UnsafeFormula

    Examples
    --------
    >>> from lmerbridge.formula.parser import read_expression
    >>> check_left(read_expression("cbind(k, n - k) ~ x", ["cbind"]), ["cbind"])
    """
    response, right = tree.args
    whole = isinstance(response, Call) and response.function in functions
    inner = response.args if isinstance(response, Call) and whole else (response,)
    for node in (part for root in (*inner, right) for part in walk(root)):
        if isinstance(node, Call) and node.function in functions and not node.package:
            told = f"{node.function}() may only be the whole left side, as in cbind(successes, failures) ~ x"
            raise UnsafeFormula(f"the formula has {abbreviate(node)}; {told}.")
    if isinstance(response, Call) and whole and (len(response.args) != 2 or any(response.names)):
        raise FormulaError(f"the formula has {abbreviate(response)}; two columns, without names, are expected.")


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
            if node.function in COMPUTED and place != "function":
                _check_operands(node)
                place = "function"
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


def _check_operands(call: Call) -> None:
    """Refuse a comparison without parentheses, which takes the random terms behind it for its own."""
    bars = (part for part in walk(call) if isinstance(part, Call) and part.function in BARS)
    if bar := next(bars, None):
        raise UnsafeFormula(
            f"the formula has {abbreviate(bar)} inside {abbreviate(call)}, for R adds before it takes "
            f"{call.function!r}; write parentheses around what is meant, as in (x {call.function} 1)."
        )


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
