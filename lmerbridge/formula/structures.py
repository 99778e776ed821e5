"""Covariance structures of a random term as lme4 2.x has them: ``us()``, ``diag()``, ``cs()`` and ``ar1()``."""

from __future__ import annotations

from lmerbridge.errors import FormulaError, UnsafeFormula
from lmerbridge.formula.syntax import Call, Constant, shown

HOM = {"diag": False, "cs": False, "ar1": True}  # lme4's defaults; us() has no hom


def structure(term: Call) -> tuple[Call, str, bool]:
    """Return the bar of a random term, its kind, and whether its columns have one variance.

    Examples
    --------
    >>> from lmerbridge.formula.parser import read
    >>> structure(read("ar1(0 + f | g)"))[1:], structure(read("f | g"))[1:]
    (('ar1', True), ('us', False))
    """
    match term:
        case Call(kind, (Call("|") as bar, Constant(hom))):
            return bar, kind, hom == "TRUE"
        case Call(kind, (Call("|") as bar,)):
            return bar, kind, HOM.get(kind, False)
    return term, "us", False


def check_structure(call: Call) -> None:
    """Refuse a structure around anything but one random term, and all that lme4 would pass over in silence.

    lme4 fits ``diag((x | g))`` and ``diag(x || g)`` as ``(x | g)``, and leaves out an argument it does not know.

    Raises
    ------
    FormulaError, UnsafeFormula
    """
    match call:
        case Call(_, (Call("|"),), (None,)):
            return
        case Call(kind, (Call("|"), Constant("TRUE" | "FALSE")), (None, "hom")) if kind in HOM:
            return
        case Call(_, (Call("|"), *_), (None, *_)):
            takes = "hom = TRUE or hom = FALSE alone" if call.function in HOM else "nothing else"
            raise FormulaError(
                f"the formula has {shown(call)}; beside its random term {call.function}() takes {takes}."
            )
        case Call(_, (Call("||" | "("), *_)):
            raise FormulaError(
                f"the formula has {shown(call)}; directly inside {call.function}() one x | g is expected."
            )
    raise UnsafeFormula(
        f"the formula calls {shown(call)}, which is not allowed; {call.function}() may only stand around a random "
        f"term, as in {call.function}(x | g)."
    )
