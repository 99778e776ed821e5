"""Numbers and counts as a reader wants them."""

from __future__ import annotations

import math
import re

from lmerbridge.text import clean


def short(value: float) -> str:
    """Return a magnitude in as few characters as tell it.

    Examples
    --------
    >>> [short(x) for x in (0.0, 3.21e-9, 0.0312, 1.0, 92.44, 505.8, 1234567.0, float("nan"))]
    ['0', '3e-9', '0.031', '1', '92', '506', '1e6', 'none']
    """
    if math.isnan(value):
        return "none"
    if value == 0.0 or math.isinf(value):
        return f"{value:g}"
    if 0.01 <= abs(value) < 1000:
        return f"{value:.3g}" if abs(value) >= 100 else f"{value:.2g}"
    mantissa, exponent = f"{value:.0e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def pair(reference: float, candidate: float) -> tuple[str, str]:
    """Return two numbers with enough digits to show where they part.

    Examples
    --------
    >>> pair(251.405104848, 251.405104849)
    ('251.405104848', '251.405104849')
    >>> pair(24.74, 24.9)
    ('24.74', '24.9')
    >>> pair(1.0, float("nan"))
    ('1', 'none')
    """
    apart = abs(reference - candidate)
    digits = 6
    if math.isfinite(apart) and apart > 0:
        shared = -math.log10(apart / max(abs(reference), abs(candidate)))
        digits = min(17, max(digits, math.ceil(shared) + 1))
    return _digits(reference, digits), _digits(candidate, digits)


def _digits(value: float, digits: int) -> str:
    return "none" if math.isnan(value) else f"{value:.{digits}g}"


def brief(text: str, letters: int) -> str:
    """Return a text in so many letters at most, clean, for a picture.

    Examples
    --------
    >>> brief("Subject", 9), brief("Subject.Days", 9)
    ('Subject', 'Subject.…')
    """
    text = clean(text)  # half a surrogate pair is no letter in any font
    return text if len(text) <= letters else f"{text[: letters - 1]}…"


def identifier(name: str) -> str:
    """Return a name as the identifier of a place in a page, which has no blanks.

    Examples
    --------
    >>> identifier("lme4/a case")
    'lme4/a_case'
    """
    return clean(re.sub(r"\s+", "_", name))


def count_phrase(number: int, one: str, many: str) -> str:
    """Return the phrase for one or for several, with the number in it.

    Examples
    --------
    >>> count_phrase(1, "{n} fit differs", "{n} fits differ"), count_phrase(2, "{n} fit differs", "{n} fits differ")
    ('1 fit differs', '2 fits differ')
    """
    return (one if number == 1 else many).format(n=number)


def enumeration(items: list[str]) -> str:
    """Return an enumeration in prose.

    Examples
    --------
    >>> enumeration(["a"]), enumeration(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return " and ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)
