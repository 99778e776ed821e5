"""A formula's variables over a frame, as far as they are known without R."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from lmerbridge.errors import NotExpressible
from lmerbridge.formula import CONTRASTS, Call, Constant, Name, Node, Number, String, deparse, fold, tree_names
from lmerbridge.prepare import coding, factors
from lmerbridge.translate import LOGICAL, Variable, as_factor, as_number, evaluate, make_factor


def _statistic(compute: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function of a column that gives one number, in every row."""
    return lambda x: np.full(len(x), compute(as_number(x)))


def _interaction(*factors: pd.Categorical) -> pd.Categorical:
    """R's ``interaction``: the levels of the first factor vary fastest."""
    parts = [as_factor(factor) for factor in factors]
    labels = [".".join(reversed(each)) for each in product(*(list(part.categories) for part in reversed(parts)))]
    codes, step = np.zeros(len(parts[0]), np.int64), 1
    for part in parts:
        codes, step = codes + step * part.codes, step * len(part.categories)
    return as_factor(make_factor(np.where(np.any([part.codes < 0 for part in parts], axis=0), -1, codes), labels))


def _cumulative(x: Any) -> Any:  # noqa: ANN401
    from scipy.special import ndtr  # slow to load

    return ndtr(x)


def _elementwise(compute: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda x: compute(as_number(x))


ELEMENTWISE: dict[str, Callable[[Any], Any]] = {
    **{name: getattr(np, name) for name in ("sign", "trunc", "sinh", "cosh", "tanh")},
    **{name: getattr(np, f"arc{name[1:]}") for name in ("asin", "acos", "atan")},
    "plogis": lambda x: 1 / (1 + np.exp(-x)),
    "qlogis": lambda x: np.log(x / (1 - x)),
    "pnorm": _cumulative,
    "rank": lambda x: pd.Series(x).rank().to_numpy(),
    "as.vector": lambda x: x,
}
COMPUTED: dict[str, Callable[..., Any]] = {  # beside what engines are given
    **{name: _elementwise(compute) for name, compute in ELEMENTWISE.items()},
    **{name: _statistic(getattr(np, name)) for name in ("mean", "median", "min", "max", "sum")},
    "sd": _statistic(lambda x: np.std(x, ddof=1)),
    "var": _statistic(lambda x: np.var(x, ddof=1)),
    "interaction": _interaction,
}


def value_of(node: Node, have: Mapping[str, Variable]) -> Variable | None:
    """Return a variable's value in every row of the frame, None where only R computes it."""
    known = dict(have)

    def compute(node: Node, args: tuple[Node, ...]) -> Node:
        if not isinstance(node, Call):
            return node
        name = f" {deparse(node)}"
        if node.function in factors.MAKERS and len(args) > 1 and node.names[0] is None:
            given = [factors.constant(arg) for arg, key in zip(args[1:], node.names[1:], strict=True) if not key]
            named = {
                key.replace(".", "_"): factors.constant(arg) for arg, key in zip(args, node.names, strict=True) if key
            }
            known[name] = factors.MAKERS[node.function](evaluate(args[0], known), *given, **named)
        elif node.function in COMPUTED and not any(node.names):
            known[name] = COMPUTED[node.function](*(evaluate(arg, known) for arg in args))
        else:
            return replace(node, args=args)
        return Name(name)

    try:
        with np.errstate(all="ignore"):
            return evaluate(fold(_plain(node), compute), known)
    except (NotExpressible, TypeError, ValueError, IndexError):
        return None


def _plain(node: Node) -> Node:
    """Return the factor of ``C(f, contrasts)``, and any other variable as it is."""
    return node.args[0] if isinstance(node, Call) and node.function == "C" else node


def is_absent(node: Node, value: Variable | None, have: Mapping[str, Variable]) -> Any:  # noqa: ANN401
    """Return whether each row lacks a variable, by its columns where its value is not known."""
    if value is None:
        return np.any([is_absent(node, have[name], have) for name in tree_names(node)], axis=0)
    if isinstance(value, pd.Categorical):
        return value.codes < 0
    return np.isnan(value).reshape(len(value), -1).any(axis=1)


def code(node: Node, value: Variable | None, contrasts: Mapping[str, Any], rows: Any) -> coding.CodedVariable | None:  # noqa: ANN401
    """Return the columns of a variable over the rows used, None where only R knows how many there are."""
    label = deparse(node)
    if value is None:
        suffixes = _suffixes(node)
        return None if suffixes is None else coding.CodedVariable({f"{label}{suffix}": None for suffix in suffixes})
    taken = value[rows]
    if not isinstance(taken, pd.Categorical):
        return coding.code_numbers(label, taken)
    factor = taken if tuple(taken.categories) == LOGICAL else as_factor(taken)
    name = node.name if isinstance(node, Name) else label
    return coding.code_factor(label, factor, contrasts.get(name, _own_contrasts(node)))


def _own_contrasts(node: Node) -> str | None:
    """Return the contrasts that ``C(f, contr.sum)`` names."""
    match node:
        case Call("C", (_, String(name) | Constant(name) | Name(name), *_)) if name in CONTRASTS:
            return name
    return None


def _suffixes(node: Node) -> Sequence[str] | None:
    """Return what R appends to the name of a spline or a polynomial for its columns."""
    if not isinstance(node, Call) or node.function not in ("ns", "bs", "poly"):
        return None
    given = {name: arg for name, arg in zip(node.names, node.args, strict=True) if name}
    plain = [arg for arg, name in zip(node.args, node.names, strict=True) if not name]
    if node.function == "poly":
        return _polynomial(given, plain)
    if {*given} - {"df", "knots", "degree", "intercept", "Boundary.knots"} or len(plain) > 2:
        return None
    degree = _number(given.get("degree", Number("3")))
    df = _number(given["df"] if "df" in given else plain[1]) if "df" in given or len(plain) > 1 else None
    whole = _number(given.get("intercept", Number("0")))
    if degree is None or whole is None or ("df" in given and df is None):
        return None
    least = (degree if node.function == "bs" else 1) + whole
    if "knots" in given and df is None:
        knots = _values(given["knots"])
        count = None if knots is None else least + knots
    else:
        count = max(least, least if df is None else df)
    return None if count is None else ([str(j + 1) for j in range(count)] if count > 1 else [""])


def _polynomial(given: Mapping[str, Node], plain: Sequence[Node]) -> Sequence[str] | None:
    variables = [arg for arg in plain if not isinstance(arg, Number)]
    numbers = [arg for arg in plain if isinstance(arg, Number)]
    degree = _number(given.get("degree", (*numbers, Number("1"))[0]))
    if {*given} - {"degree", "raw"} or degree is None or not variables:
        return None
    if len(variables) == 1:
        return [str(j + 1) for j in range(degree)] if degree > 1 else [""]
    powers = (each[::-1] for each in product(range(degree + 1), repeat=len(variables)))
    return [".".join(map(str, each)) for each in powers if 0 < sum(each) <= degree]


def _number(node: Node) -> int | None:
    match node:
        case Number(text):
            return int(float(text.rstrip("L")))
        case Constant("TRUE" | "FALSE" | "T" | "F" as text):
            return int(text.startswith("T"))
    return None


def _values(node: Node) -> int | None:
    """Return how many values a constant has."""
    match node:
        case Number():
            return 1
        case Call("c", args):
            return len(args)
    return None
