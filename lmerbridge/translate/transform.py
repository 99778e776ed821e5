"""R's functions of columns, evaluated without R: ``log(x + 1)``, ``poly(x, 2)``, ``factor(g)``."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any, TypeAlias, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lmerbridge.errors import NotExpressible
from lmerbridge.formula import Call, Constant, Name, Node, Number, String, abbreviate, fold, number_text
from lmerbridge.results import Array

Variable: TypeAlias = NDArray[Any] | pd.Categorical
Operand: TypeAlias = Any  # a variable, or a constant given as an argument

LOGICAL = ("FALSE", "TRUE")
CONSTANTS = {"TRUE": True, "FALSE": False, "NULL": None, "NA": np.nan, "Inf": np.inf, "NaN": np.nan}
CONSTANTS |= {"T": True, "F": False, "pi": math.pi}


def evaluate(node: Node, columns: Mapping[str, Variable]) -> Variable:
    """Evaluate an expression over columns, as R does.

    Parameters
    ----------
    node : Node
    columns : mapping of name to ndarray of float64 or Categorical
        A missing number is NaN; a logical column is a categorical of FALSE and TRUE.

    Returns
    -------
    ndarray of float64, shape (n,) or (n, k), or Categorical
        ``k`` columns where R gives a matrix.

    Raises
    ------
    NotExpressible
        A function, or an argument of one, that has no counterpart here.

    Examples
    --------
    >>> from lmerbridge.formula.parser import read_expression
    >>> evaluate(read_expression("I(x^2) + 1"), {"x": np.array([1.0, 3.0])})
    array([ 2., 10.])
    """
    with np.errstate(all="ignore"):
        found: Operand = fold(node, lambda n, args: _value(n, args, columns))
    rows = {len(column) for column in columns.values()}
    is_numeric = isinstance(found, np.ndarray) and found.dtype.kind == "f"
    if not (is_numeric or isinstance(found, pd.Categorical)) or {*found.shape[:1]} != rows:
        raise NotExpressible(f"{abbreviate(node)} is no column of one number or level per row.")
    return cast("Variable", found)


def _value(node: Node, args: tuple[Operand, ...], columns: Mapping[str, Variable]) -> Operand:
    match node:
        case Name(name):
            return columns[name]
        case Number(text):
            return float(text.rstrip("L"))
        case String(text):
            return text
        case Constant(text) if text in CONSTANTS:
            return CONSTANTS[text]
        case Call(function, _, names):
            known = OPERATORS if node.is_operator else FUNCTIONS
            given = list(zip(args, names or (None,) * len(args), strict=True))
            try:
                return known[function](*(a for a, n in given if n is None), **{n: a for a, n in given if n is not None})
            except (AttributeError, KeyError, TypeError, ValueError):
                pass  # not known, or not with these arguments
    raise NotExpressible(f"{abbreviate(node)} has no counterpart outside R.")


def as_number(value: Operand) -> Operand:
    """Numbers as they are, logical values as 0 and 1."""
    if not isinstance(value, pd.Categorical):
        return value
    if tuple(value.categories) != LOGICAL:
        raise NotExpressible("arithmetic on a factor has no meaning.")
    return np.where(value.codes < 0, np.nan, value.codes.astype(float))


def make_factor(codes: NDArray[Any], levels: Sequence[str], *, ordered: bool = False) -> pd.Categorical:
    """Make a factor, in which a code of -1 is a missing value."""
    return cast("pd.Categorical", pd.Categorical.from_codes(codes, pd.Index(levels), ordered=ordered))


def as_factor(x: Variable) -> pd.Categorical:
    """R's ``factor``: a factor without its unused levels, or the sorted distinct numbers as text."""
    if isinstance(x, pd.Categorical):
        return make_factor(*_drop_unused(x), ordered=bool(x.ordered))
    if x.ndim > 1:
        raise NotExpressible("a matrix is no factor.")
    codes, levels = pd.factorize(x, sort=True)
    return make_factor(codes, [number_text(v) for v in levels])


def _drop_unused(value: pd.Categorical) -> tuple[NDArray[Any], list[str]]:
    used = value.remove_unused_categories()
    return used.codes, list(used.categories)


def logical(truth: NDArray[np.bool_], *operands: Array) -> pd.Categorical:
    """R's logical vector, missing where an operand is."""
    missing = np.zeros(len(truth), dtype=bool)
    for operand in operands:
        missing |= np.isnan(operand)
    return make_factor(np.where(missing, -1, truth.astype(int)), LOGICAL)


def _compare(compare: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Variable]:
    def comparison(a: Operand, b: Operand) -> Variable:
        if isinstance(a, pd.Categorical) and isinstance(b, str) and compare in (operator.eq, operator.ne):
            return logical(compare(np.asarray(a, dtype=object), b), np.where(a.codes < 0, np.nan, 0.0))
        a, b = np.broadcast_arrays(as_number(a), as_number(b))
        return logical(compare(a, b), a, b)

    return comparison


def _arithmetic(compute: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args: compute(*map(as_number, args))


def _of_one(compute: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Make a function of one argument: numpy would write its result into a second."""
    return lambda x: compute(as_number(x))


def _both(a: Array, b: Array) -> pd.Categorical:
    """R's ``&``: what is false is false, whatever is missing beside it."""
    return logical((a != 0) & (b != 0), np.where((a == 0) | (b == 0), 0.0, a + b))


def _scale(x: Variable, center: bool = True, scale: bool = True) -> Array:
    """Centre, then divide by the root of the sum of squares over n - 1, over the values present."""
    if not (isinstance(center, bool) and isinstance(scale, bool)):
        raise TypeError
    values = as_number(x) - (np.nanmean(as_number(x)) if center else 0.0)
    present = np.count_nonzero(~np.isnan(values))
    return np.asarray(values / np.sqrt(np.nansum(values**2) / (present - 1)) if scale else values)


def _poly(x: Variable, degree: float = 1.0, *, raw: bool = False) -> Array:
    """R's ``poly``: by QR of the powers of the centred values, each column of length one."""
    if not (isinstance(degree, float) and degree >= 1 and degree.is_integer() and isinstance(raw, bool)):
        raise TypeError
    values, powers = as_number(x), np.arange(int(degree) + 1)
    if raw:
        return _matrix(values[:, None] ** powers[1:])
    if np.isnan(values).any():
        raise NotExpressible("poly() of a column with missing values is an error in R.")
    if len(np.unique(values)) <= degree:
        raise NotExpressible(f"poly() of degree {degree:g} needs more distinct values than that.")
    q, r = np.linalg.qr((values - values.mean())[:, None] ** powers)
    raw_columns = q * np.diag(r)
    return _matrix((raw_columns / np.linalg.norm(raw_columns, axis=0))[:, 1:])


def _matrix(columns: Array) -> Array:
    """R names the columns of a matrix only where there are several."""
    return columns if columns.shape[1] > 1 else columns[:, 0]


def _log(x: Variable, base: float = math.e) -> Array:
    return np.asarray(np.log(as_number(x)) if base == math.e else np.log(as_number(x)) / np.log(base))


def _ifelse(test: Variable, yes: Operand, no: Operand) -> Array:
    truth = as_number(test)
    return np.asarray(np.where(np.isnan(truth), np.nan, np.where(truth != 0, as_number(yes), as_number(no))))


def _as_numeric(x: Variable) -> Array:
    """R's ``as.numeric``: numbers, and of a factor its codes from 1."""
    if isinstance(x, pd.Categorical) and tuple(x.categories) != LOGICAL:
        return np.where(x.codes < 0, np.nan, x.codes + 1.0)
    return np.asarray(as_number(x), dtype=float)


def _as_character(x: Variable) -> pd.Categorical:
    codes, levels = _drop_unused(as_factor(x))
    order = np.argsort(np.array(levels, dtype=object))
    return make_factor(np.append(np.argsort(order), -1)[codes], [levels[i] for i in order])


def _relevel(x: pd.Categorical, ref: str) -> pd.Categorical:
    if ref not in x.categories:
        raise NotExpressible(f"relevel() to {ref!r}, which is none of {', '.join(x.categories)}.")
    levels = [ref, *(level for level in x.categories if level != ref)]
    order = [levels.index(level) for level in x.categories]
    return make_factor(np.append(order, -1)[x.codes], levels)


def _dummy(x: Variable, level: str) -> Array:
    """lme4's ``dummy``: one where the factor has this level."""
    codes, levels = _drop_unused(as_factor(x))
    return np.where(codes < 0, np.nan, (codes == levels.index(level)).astype(float))


OPERATORS: dict[str, Callable[..., Any]] = {
    "(": lambda x: x,
    "+": _arithmetic(lambda a, b=None: a if b is None else a + b),
    "-": _arithmetic(lambda a, b=None: -a if b is None else a - b),
    "*": _arithmetic(operator.mul),
    "/": _arithmetic(np.divide),
    "^": _arithmetic(np.power),
    "%%": _arithmetic(np.mod),
    "%/%": _arithmetic(np.floor_divide),
    "==": _compare(operator.eq),
    "!=": _compare(operator.ne),
    "<": _compare(operator.lt),
    "<=": _compare(operator.le),
    ">": _compare(operator.gt),
    ">=": _compare(operator.ge),
    "&": lambda a, b: _both(as_number(a), as_number(b)),
    "!": lambda a: logical(as_number(a) == 0, as_number(a)),
}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{f: _of_one(getattr(np, f)) for f in ("log2", "log10", "log1p", "exp", "expm1", "sqrt", "abs")},
    **{f: _of_one(getattr(np, f)) for f in ("sin", "cos", "tan", "floor")},
    "ceiling": _of_one(np.ceil),
    "round": _of_one(np.round),
    "pmin": _arithmetic(lambda *args: reduce(np.minimum, args)),
    "pmax": _arithmetic(lambda *args: reduce(np.maximum, args)),
    "I": lambda x: x,
    "log": _log,
    "scale": _scale,
    "poly": _poly,
    "ifelse": _ifelse,
    "is.na": lambda x: logical(x.codes < 0 if isinstance(x, pd.Categorical) else np.isnan(x)),
    "as.numeric": _as_numeric,
    "as.integer": lambda x: np.trunc(_as_numeric(x)),
    "as.logical": lambda x: logical(as_number(x) != 0, as_number(x)),
    "as.character": _as_character,
    "factor": as_factor,
    "as.factor": as_factor,
    "ordered": lambda x: make_factor(*_drop_unused(as_factor(x)), ordered=True),
    "relevel": _relevel,
    "dummy": _dummy,
}
