"""Arguments checked by the types that a signature gives them, before anything is computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, wraps
from inspect import BoundArguments, Parameter, Signature, isfunction, signature
from typing import Any, TypeVar, get_type_hints

from lmerbridge.errors import InvalidCall
from lmerbridge.inputs.hints import hint_of_argument, synonym
from lmerbridge.inputs.types import as_typed

F = TypeVar("F", bound=Callable[..., Any])
C = TypeVar("C", bound=type)
MANY = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


def check_signature(function: F) -> F:
    """Make a function check its arguments by the types of its signature.

    The function gets them as `as_typed` returns them. What it takes any number of, it checks itself.

    Raises
    ------
    InvalidArgument
        The function raises it of a value of another type, and `FormulaError` where that is the formula.
    InvalidCall
        An argument is unknown, missing or given twice.
    """
    known = signature(function)
    owner = f" of a {function.__qualname__.split('.')[0]}" if function.__name__ == "__init__" else ""

    def check(bound: BoundArguments) -> None:
        types = _types(function)
        for name, value in bound.arguments.items():
            if known.parameters[name].kind not in MANY and name in types:
                bound.arguments[name] = as_typed(name, value, types[name], owner)

    return _wrap(function, check)


def check_keywords(function: F) -> F:
    """Make a function check the names of its arguments alone, where each is checked by what it is for.

    Raises
    ------
    InvalidCall
        An argument is unknown, missing or given twice.
    """
    return _wrap(function, lambda bound: None)


def check_methods(of: C) -> C:
    """Make every public function of a class check its arguments."""
    for name, member in list(vars(of).items()):
        if isfunction(member) and (name == "__call__" or not name.startswith("_")):
            setattr(of, name, check_signature(member))
    return of


def check_fields(of: C) -> C:
    """Make a class check the arguments that its values are made of."""
    setattr(of, "__init__", check_signature(vars(of)["__init__"]))  # noqa: B010  # mypy lets none be assigned
    return of


def _wrap(function: F, check: Callable[[BoundArguments], None]) -> F:
    """Make a function check its arguments when it is called."""
    known = signature(function)

    @wraps(function)
    def call(*given: Any, **named: Any) -> Any:  # noqa: ANN401  # whatever the function takes and returns
        bound = _bind(function, known, given, named)
        check(bound)
        return function(*bound.args, **bound.kwargs)

    return call  # type: ignore[return-value]  # wraps gives it the signature of the function


def _bind(
    function: Callable[..., Any], known: Signature, given: tuple[Any, ...], named: Mapping[str, Any]
) -> BoundArguments:
    """Return the arguments by their names in the signature, which may have been called by another of their names."""
    called = {synonym(name, known.parameters): value for name, value in named.items()}
    own = [name for name in known.parameters if name not in ("self", "fit")]
    try:
        if len(called) < len(named):
            raise TypeError("one argument has been given under two names")
        return known.bind(*given, **called)
    except TypeError as error:
        unknown = [name for name in called if name not in own]
        told = f"{function.__name__}: {error}. Its arguments are {', '.join(own) or 'none'}."
        hints = [hint_of_argument(function.__name__, name, own) for name in unknown]
    raise InvalidCall(" ".join(hints) or told)


@cache
def _types(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the types of a function's arguments, where a type that only type checkers import is any."""
    unknown: dict[str, Any] = {}
    while True:
        try:
            return get_type_hints(function, localns=unknown, include_extras=True)
        except NameError as error:
            unknown[str(error.name)] = Any
