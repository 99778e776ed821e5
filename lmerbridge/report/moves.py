"""What a report says that the files of an older one do not, beyond rounding and what both were computed with."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmerbridge.report.diff import KERNEL, ROUNDING

NUMBER = re.compile(r"[-+\u2212]?\d[\d.]*(?:e[-+\u2212]?\d+)?")
COMMIT = re.compile(r"\b[0-9a-f]{12} of \d{4}-\d\d-\d\d")
NAMED = 10  # moves that are told one by one
JSON = "parity.json"


@dataclass(frozen=True)
class Moves:
    """What has moved from the files that are there to a new report.

    Attributes
    ----------
    numbers : tuple of str
        Numbers that moved by more than rounding, each with its place, what it was and what it is.
    words : tuple of str
        Names of the files that are absent, or whose words differ.
    versions : tuple of str
        What the two were computed with, where it differs.
    """

    numbers: tuple[str, ...]
    words: tuple[str, ...]
    versions: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.numbers or self.words)

    def __str__(self) -> str:
        more = len(self.numbers) - NAMED
        lines = [f"moved: {number}" for number in self.numbers[:NAMED]]
        lines += [f"moved: {more} numbers more"] if more > 0 else []
        lines += [f"other words, or not there before: {', '.join(self.words)}"] if self.words else []
        if not self:
            lines += ["No number moved by more than rounding: the report that is there stays."]
        lines += [f"computed with another {version}" for version in self.versions]
        return "\n".join(lines)


def moves(folder: Path, texts: Mapping[str, str]) -> Moves:
    """Compare the files of a new report with those in a folder.

    A number has moved where it differs by more than 1e-6 of its size, and by more than 1e-6. What a report was computed
    with, its commit among that, is not what it says.

    Parameters
    ----------
    folder : Path
    texts : mapping of file name to text
    """
    there = {name: _read(folder / name) for name in texts}
    old, new = (_loaded(each.get(JSON, "")) for each in (there, texts))
    versions = {name: (was, now) for name, was, now in _both(old, new) if was != now}
    words = [n for n, text in texts.items() if _words(there[n], versions, 0) != _words(text, versions, 1)]
    told = [f"{name}: {was or 'none'} -> {now or 'none'}" for name, (was, now) in versions.items()]
    told += ["processor's code, which gives other last bits"] if KERNEL in versions else []
    return Moves(tuple(_numbers(old, new)), tuple(words), tuple(told))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):  # none, or no text
        return ""


def _loaded(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _both(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    was, now = dict(old.get("provenance", [])), dict(new.get("provenance", []))
    return ((name, was.get(name, ""), now.get(name, "")) for name in was | now)


def _words(text: str, versions: Mapping[str, tuple[str, str]], side: int) -> str:
    """Return a text without its numbers, and without versions that differ."""
    for name, values in versions.items():
        text = text.replace(values[side], f"<{name}>") if all(values) else text
    return NUMBER.sub("#", COMMIT.sub("#", text))


def _numbers(old: Any, new: Any, place: str = "") -> Iterator[str]:  # noqa: ANN401  # whatever JSON has
    """Yield the numbers that moved, by place: a result is named by its case and engine."""
    if isinstance(old, dict) and isinstance(new, dict):
        where = f"{new['case']}, {new['candidate']}:" if {"case", "candidate"} <= new.keys() else place
        for name in old.keys() & new.keys() - {"provenance"}:
            yield from _numbers(old[name], new[name], f"{where} {name}".strip())
    elif isinstance(old, list) and isinstance(new, list):
        for was, now in zip(old, new, strict=False):
            yield from _numbers(was, now, place)
    elif not _is_same(old, new):
        yield f"{place} {_short(old)} -> {_short(new)}"


def _is_same(old: Any, new: Any) -> bool:  # noqa: ANN401  # a leaf of JSON; words are compared as such
    if isinstance(old, int | float) and isinstance(new, int | float):
        return math.isclose(old, new, rel_tol=ROUNDING, abs_tol=ROUNDING)
    return (isinstance(old, str) and isinstance(new, str)) or old == new


def _short(value: Any) -> str:  # noqa: ANN401  # a leaf of JSON
    return f"{value:.6g}" if isinstance(value, float) else str(value)[:60]
