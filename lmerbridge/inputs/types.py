"""Values as the types of a signature say, or an error that tells what came and what is expected."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lmerbridge.errors import FormulaError, InvalidArgument
from lmerbridge.inputs.checks import ANY, RANGES

COLUMNS = (np.ndarray, pd.Series, pd.Index)  # sequences that are not Python's
SYNONYMS = {"kr": "Kenward-Roger", "kenward": "Kenward-Roger"}  # of words, as other packages have them
WORDS: dict[Any, str] = {
    float: "a number",
    int: "a whole number below 2**63",
    str: "text",
    NoneType: "None",
    **dict.fromkeys((np.ndarray, NDArray), "an array of numbers"),
    Mapping: "Mapping",
    Callable: "a function",
    os.PathLike: "a path",
}
MANY = {float: "numbers", str: "texts", int: "whole numbers"}
CLASSES = {"KeptFit": "a fit of lmer", "Engine": "an engine"}
UNSENDABLE = re.compile("[\0\ud800-\udfff]")
NUMBERS = (int, float, int | None, float | None)
SHOWN = 60  # characters of a value in an error


class Unfit(Exception):  # noqa: N818  # no user sees it
    """A value is not of a type."""


def as_typed(name: str, value: object, kind: Any, owner: str = "") -> Any:  # noqa: ANN401  # a type, and a value of it
    """Return an argument as a value of its type.

    A word of a ``Literal`` is taken in any case, and returned as it is written there. A Series, an index or an array
    is taken for a sequence. What is ``Annotated`` is left to the function, whose own error says more.

    Raises
    ------
    InvalidArgument
        It is none, and `FormulaError` where it is the formula.

    Examples
    --------
    >>> from typing import Literal
    >>> as_typed("method", "wald", Literal["profile", "Wald"] | None)
    'Wald'
    """
    is_allowed, told = RANGES.get(name, ANY) if kind in NUMBERS else ANY
    try:
        found = _fit(value, kind)
        return _check(found, found is None or is_allowed(found))
    except Unfit:
        error = FormulaError if name == "formula" else InvalidArgument
    raise error(f"{name}{owner} is {_show(value, kind)}; {told or _expected(name, value, kind)}.")


def _expected(name: str, value: object, kind: Any) -> str:  # noqa: ANN401
    """Return the end of the error's sentence: what is expected of an argument."""
    if isinstance(value, str) and UNSENDABLE.search(value):
        return "text without NUL and halves of surrogate pairs is expected"
    if name == "formula":
        return "text such as 'y ~ x + (1 | g)' is expected"
    words: dict[str, str] = {}  # two spellings of one word are told once
    for text in _describe(kind):
        words.setdefault(text.casefold(), text)
    return f"{'one of ' * (len(words) > 1)}{', '.join(words.values())} is expected"


def _fit(value: Any, kind: Any) -> Any:  # noqa: ANN401
    origin, inner = get_origin(kind), get_args(kind)
    if origin in READERS:
        return READERS[origin](value, inner)
    if reader := SCALARS.get(kind):
        return reader(value)
    if kind is Any or origin is Annotated or isinstance(kind, TypeVar):
        return value
    return _check(value, isinstance(value, origin or kind))


def _check(value: Any, fits: bool) -> Any:  # noqa: ANN401
    if not fits:
        raise Unfit
    return value


def _one_of(value: Any, kinds: tuple[Any, ...]) -> Any:  # noqa: ANN401
    """Return a value as the first type that it is of, where plain classes come first and sequences last."""
    for kind in sorted(kinds, key=_complexity):
        try:
            return _fit(value, kind)
        except Unfit:
            continue
    raise Unfit


def _complexity(kind: Any) -> int:  # noqa: ANN401
    origin: Any = get_origin(kind)
    return (origin is not None) + (origin is Sequence)


def _word(value: Any, words: tuple[Any, ...]) -> Any:  # noqa: ANN401
    """Return a word as it is spelled among some, whatever its case: 1 is "1" too, and neither is True."""
    _check(value, isinstance(value, str | Integral))
    spelled = {str(word).casefold(): word for word in words}
    given = (value if isinstance(value, str) else str(value)).casefold()
    found = spelled.get(given, SYNONYMS.get(given))
    return _check(found, found in words)


def _text(value: Any) -> str:  # noqa: ANN401
    """Return a text that R can hold."""
    return str(_check(value, isinstance(value, str) and not UNSENDABLE.search(value)))


def _number(value: Any) -> float:  # noqa: ANN401
    _check(value, isinstance(value, Real) and not isinstance(value, bool | np.bool_))
    try:
        _check(value, not math.isnan(value))
    except OverflowError:  # an int beyond all doubles
        raise Unfit from None
    return value if type(value) in (int, float) else float(value)


def _whole(value: Any) -> int:  # noqa: ANN401
    whole = isinstance(value, Integral) and not isinstance(value, bool | np.bool_)
    return int(_check(value, whole and abs(int(value)) < 2**63))


def _truth(value: Any) -> bool:  # noqa: ANN401
    return bool(_check(value, isinstance(value, bool | np.bool_)))


def _sequence(value: Any, kinds: tuple[Any, ...]) -> Any:  # noqa: ANN401
    """Return a sequence with every element of its type, or one of numbers as it is."""
    if isinstance(value, str):  # a function of texts knows whether one alone will do
        return _text(value) if kinds[0] is str else _sequence([value], kinds)
    _check(value, isinstance(value, (Sequence, *COLUMNS)) and not isinstance(value, bytes | bytearray))
    items = value.tolist() if isinstance(value, COLUMNS) else value
    _check(items, isinstance(items, Sequence))  # an array without dimensions holds a scalar
    if float in (kinds[0], *get_args(kinds[0])) and _are_numbers(items):
        return items
    return type(items)(_fit(item, kinds[0]) for item in items) if isinstance(items, list | tuple) else items


def _are_numbers(values: object) -> bool:
    try:
        return np.asarray(values).dtype.kind in "biuf"
    except (TypeError, ValueError):
        return False


def _array(value: Any, numbers: bool) -> Any:  # noqa: ANN401
    """Return an array of numbers, or a sequence of them in its place; or any array."""
    whatever = isinstance(value, np.ndarray) and not numbers
    return _check(value, whatever or (isinstance(value, (list, tuple, *COLUMNS)) and _are_numbers(value)))


def _mapping(value: Any, kinds: tuple[Any, ...]) -> dict[Any, Any]:  # noqa: ANN401
    items = _check(value, isinstance(value, Mapping)).items()
    return {_fit(key, kinds[0]): _fit(each, kinds[1]) for key, each in items}


SCALARS: dict[Any, Callable[[Any], Any]] = {str: _text, float: _number, int: _whole, bool: _truth}
READERS: dict[Any, Callable[[Any, tuple[Any, ...]], Any]] = {  # by what a type is made with
    **dict.fromkeys((Union, UnionType), _one_of),
    **dict.fromkeys((Sequence, Iterable, tuple, list), _sequence),
    Literal: _word,
    np.ndarray: lambda value, inner: _array(value, inner[1] == np.dtype[np.float64]),
    NDArray: lambda value, inner: _array(value, inner[0] is np.float64),  # an alias of its own from numpy 2.5 on
    Mapping: _mapping,
    Callable: lambda value, _: _check(value, callable(value)),
}


def _describe(kind: Any) -> Iterator[str]:  # noqa: ANN401
    """Yield what is of a type, in words."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        for each in inner:
            yield from _describe(each)
    elif origin is Literal or kind is bool:
        yield from map(repr, inner or (True, False))
    elif origin in (Sequence, Iterable, tuple, list):
        yield f"a list of {MANY.get(inner[0], 'such values')}"
    else:
        name = getattr(kind, "__name__", "value")
        yield WORDS.get(origin or kind) or CLASSES.get(name) or name


def _show(value: object, kind: Any) -> str:  # noqa: ANN401
    """Return a value as an error shows it: short, in one line, and by its type where an object is expected."""
    if isinstance(kind, type) and kind not in SCALARS:
        return f"a {type(value).__name__}"
    if isinstance(value, (pd.DataFrame, *COLUMNS)):
        return f"a {type(value).__name__} of shape {np.shape(value)}"
    try:
        text = " ".join(repr(value).split())
    except Exception:  # anybody's __repr__
        return f"a {type(value).__name__}"
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
