"""Text of others as it may be shown: in a terminal, a page or a file that people read."""

from __future__ import annotations

import re

UNSHOWN = re.compile("[\0-\b\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
INSTEAD = "\ufffd"


def clean(text: str) -> str:
    r"""Return a text in which only what a reader sees is left.

    A terminal obeys control characters, a line that turns its direction reads otherwise than it is, and half a
    surrogate pair can be written nowhere. Each becomes U+FFFD. Tabs and ends of lines stay.

    Examples
    --------
    >>> clean("a\x1b[31mb\r\n\0") == "a\ufffd[31mb\n\ufffd"
    True
    """
    return UNSHOWN.sub(INSTEAD, text.replace("\r\n", "\n"))


def clean_json(text: str) -> str:
    r"""Return a text of JSON whose strings read back as they were, and in which no control character stands.

    Half a surrogate pair, which many readers refuse, is U+FFFD here too.

    Examples
    --------
    >>> clean_json('"\x9b\u202e"')
    '"\\u009b\\u202e"'
    """
    return UNSHOWN.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return INSTEAD if 0xD800 <= code <= 0xDFFF else f"\\u{code:04x}"
