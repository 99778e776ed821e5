"""Documents that others wrote, in JSON or TOML, held against the types that they are read into.

A program wrote them: nothing is taken for what may be meant, as `as_typed` takes an argument, and an error names the
place among many values.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import MISSING, fields, is_dataclass
from enum import EnumType
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, NoReturn, Union, get_args, get_origin, get_type_hints, is_typeddict

from lmerbridge.errors import InvalidArgument

EXACT = 2**53  # up to here a whole number is a double
RANGES: dict[type, Callable[[Any], bool]] = {
    int: range(-(2**31), 2**31).__contains__,  # R's, or a count
    float: math.isfinite,
}
LONGEST = 40  # letters of a text that an error repeats
NAMES = {str: "a text", bool: "true or false", int: "a whole number of 32 bits", float: "a number", NoneType: "null"}


@contextmanager
def document(path: Path, what: str = "") -> Iterator[str]:
    """Give the text of a file to be read, and tell of whatever is wrong with it which file it is.

    Parameters
    ----------
    path : Path
    what : str
        What an error calls the file, before its path.

    Raises
    ------
    InvalidArgument
        It cannot be read, or was refused by what reads it.
    """
    file = f"{what} {path}".strip()
    try:
        yield path.read_text(encoding="utf-8")
    except InvalidArgument as error:
        raise InvalidArgument(f"{file}: {error}") from error
    except RecursionError:
        raise InvalidArgument(f"{file} cannot be read: it is nested too deeply.") from None
    except (OSError, ValueError) as error:  # JSON's, TOML's and Unicode's own are among them
        reason = getattr(error, "strerror", None) or error
        raise InvalidArgument(f"{file} cannot be read: {reason}") from error


def parse_json(text: str) -> Any:  # noqa: ANN401  # whatever it holds
    """Return what a text of JSON holds.

    A key that stands twice in an object, and what JSON has no number for, is a ValueError.
    """
    return json.loads(text, object_pairs_hook=_object, parse_constant=_no_number)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"the key {words(name)} stands twice in one object")
        found[name] = value
    return found


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number of JSON")


def check_type(value: object, hint: Any, where: str = "") -> None:  # noqa: ANN401  # a type or an alias of one
    """Check a value of a document against a type.

    Parameters
    ----------
    value : object
    hint : type
        A scalar or ``Any``; ``list``, ``tuple`` or ``dict`` of others; a union, a ``Literal`` or an enumeration of
        texts; a ``TypedDict``, which may have other keys too, or a dataclass, which may not.
    where : str
        The value's place in the document, "" for the whole.

    Raises
    ------
    InvalidArgument
        It is of another type or out of range. The message names the place.

    Examples
    --------
    >>> check_type({"sizes": [1, 2.5]}, dict[str, list[int]])
    Traceback (most recent call last):
    ...
    lmerbridge.errors.InvalidArgument: sizes[1] is 2.5; a whole number of 32 bits is expected.
    """
    kind: Any = get_origin(hint) or hint
    inner = get_args(hint)
    if kind in (Union, UnionType):
        _check_union(value, inner, where)
    elif kind is Literal or isinstance(kind, EnumType):
        choices = inner or [str(choice) for choice in hint]
        if value not in [choice for choice in choices if type(choice) is type(value)]:
            _refuse(where, value, f"one of {', '.join(choices)}")
    elif kind in (list, tuple):
        items = _of(list, value, "a list", where)
        if kind is tuple and Ellipsis not in inner and len(items) != len(inner):
            _refuse(where, value, f"a list of {len(inner)}")
        if inner[0] is not Any and not _are_scalars(items, inner[0]):
            for place, item in enumerate(items):
                check_type(item, inner[0], f"{where}[{place}]")
    elif kind is dict:
        for name, item in _of(dict, value, "an object", where).items():
            check_type(item, inner[1], _place(where, name))
    elif is_typeddict(hint) or is_dataclass(hint):
        _check_fields(_of(dict, value, "an object", where), hint, where)
    elif hint is not Any and not _is_scalar(value, hint):
        _refuse(where, value, NAMES[hint])


def _place(where: str, name: str) -> str:
    """Return the place of a value in an object that has a place."""
    name = name if len(name) <= LONGEST else f"{name[:LONGEST]}…"
    return f"{where}.{name}" if where else name


def _check_union(value: object, choices: tuple[Any, ...], where: str) -> None:
    """Check a value against a type or null, or against scalars."""
    others = [choice for choice in choices if choice is not NoneType]
    if value is None and len(others) < len(choices):
        return
    if len(others) == 1:
        check_type(value, others[0], where)
    elif not any(_is_scalar(value, choice) for choice in others):
        _refuse(where, value, " or ".join(NAMES[choice] for choice in choices))


_hints = cache(get_type_hints)


def _check_fields(value: dict[str, Any], kind: Any, where: str) -> None:  # noqa: ANN401
    hints = _hints(kind)
    if is_typeddict(kind):
        required = kind.__required_keys__
    else:
        required = {f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING}
        if unknown := value.keys() - hints.keys():
            names = ", ".join(map(words, sorted(unknown)[:3]))
            raise InvalidArgument(f"{where or 'it'} has {names}; {', '.join(hints)} are expected.")
    for name, hint in hints.items():
        if name in value:
            check_type(value[name], hint, _place(where, name))
        elif name in required:
            raise InvalidArgument(f"{where or 'it'} lacks {name!r}.")


def _of(kind: type, value: object, name: str, where: str) -> Any:  # noqa: ANN401  # of that kind
    return value if type(value) is kind else _refuse(where, value, name)


def _is_scalar(value: Any, kind: type) -> bool:  # noqa: ANN401
    """Whether a value is of a scalar type, and within its range."""
    if kind is float and type(value) is int:
        return abs(value) <= EXACT
    return type(value) is kind and (kind not in RANGES or RANGES[kind](value))


def _are_scalars(items: list[Any], hint: Any) -> bool:  # noqa: ANN401
    """Whether many values are scalars of one type, or null, as those of long lists are: asked at once, for speed."""
    found = set(map(type, items))
    kind, *others = found - {NoneType} or {NoneType}
    if others or not found <= set(get_args(hint) or (hint,)):
        return False
    return kind not in RANGES or all(RANGES[kind](item) for item in items if item is not None)


def _refuse(where: str, value: object, expected: str) -> NoReturn:
    """Raise the error of a value that is not what is expected at its place."""
    raise InvalidArgument(f"{where or 'it'} is {words(value)}; {expected} is expected.")


def words(value: object) -> str:
    """Return what a value is, in a few words.

    Examples
    --------
    >>> words("abc"), words(2**70), words([1]), words({}), words(None)
    ("'abc'", 'a whole number of 71 bits', 'a list of 1', 'an object of 0', 'null')
    """
    match value:
        case str():
            return repr(value if len(value) <= LONGEST else f"{value[:LONGEST]}…")
        case bool() | None:
            return {True: "true", False: "false", None: "null"}[value]
        case int() if value.bit_length() > 64:
            return f"a whole number of {value.bit_length()} bits"
        case list():
            return f"a list of {len(value)}"
        case dict():
            return f"an object of {len(value)}"
    return str(value)
