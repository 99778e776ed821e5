"""How long a formula waits for its verdict, at the most."""

from __future__ import annotations

from collections.abc import Iterator

from lmerbridge.formula import limits
from tests.bench.row import Row
from tests.formula.test_grammar import HUGE, LIMITS, judged


def rows() -> Iterator[Row]:
    texts = {name: write(getattr(limits, name)) for name, write in LIMITS.items()} | HUGE
    slowest = {name: judged(text)[1] for name, text in texts.items()}
    name = max(slowest, key=slowest.__getitem__)
    detail = f"of {len(texts)} that reach a limit or pass it by far; the slowest: {name}"
    yield Row("verdict on a formula", 10, 1e3 * slowest[name], "ms", detail=detail)
