"""The files of a study."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lmerbridge.errors import InvalidArgument
from lmerbridge.files import write_folder
from lmerbridge.report import machine, render
from lmerbridge.report.study.page import study_page
from lmerbridge.text import clean_json

NAMES = ("study.json", "study-times.json", "study.md", "study.html")
DEPTH = 3  # so that a row of a table stands on one line


def write_study(told: Mapping[str, Any], times: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write ``study.json``, ``study-times.json``, ``study.md`` and ``study.html``, all of them or none.

    Parameters
    ----------
    told : mapping
        What `lmerbridge.parity.study.summary.study_summary` gave.
    times : mapping
        ``times``, ``table`` and ``models``.
    folder : Path
        Made if it does not exist.
    """
    texts = [study_json(told), study_json(times), study_markdown(told, times), study_html(told, times)]
    return write_folder(folder, dict(zip(NAMES, texts, strict=True)))


def study_json(told: Mapping[str, Any]) -> str:
    """Return plain values as JSON, one line per row of a table."""
    return clean_json(machine.layout(told, DEPTH)) + "\n"


def study_html(told: Mapping[str, Any], times: Mapping[str, Any]) -> str:
    """Return the study as one HTML file that fetches nothing."""
    from lmerbridge.report.study.figures import study_pictures  # matplotlib is slow to load

    return render.fill_page("study.html.jinja", page=study_page(told, times), pictures=study_pictures(told, times))


def study_markdown(told: Mapping[str, Any], times: Mapping[str, Any]) -> str:
    """Return the study as GitHub's Markdown."""
    return render.fill_page("study.md.jinja", page=study_page(told, times))


def read_json(path: Path) -> dict[str, Any] | None:
    """Return what a JSON file holds, or None where there is no such file.

    Raises
    ------
    InvalidArgument
        It is no JSON.
    """
    if not path.is_file():
        return None
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InvalidArgument(f"{path} cannot be read: {error}; remove it, or make it again.") from error
    return found
