"""The report for people, HTML and Markdown, and the files of all formats."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from lmerbridge.errors import InvalidArgument
from lmerbridge.report.description import Report
from lmerbridge.report.machine import json_text, junit


def html(report: Report) -> str:
    """Return the report as one HTML file that fetches nothing."""
    return _environment().get_template("parity.html.jinja").render(report=report)


def markdown(report: Report) -> str:
    """Return the report as GitHub's Markdown, e.g. for the summary of a CI job."""
    return _environment(_marked_down).get_template("parity.md.jinja").render(report=report)


FORMATS: dict[str, Callable[[Report], str]] = {"html": html, "md": markdown, "json": json_text, "xml": junit}


def write(report: Report, directory: Path, formats: Iterable[str] = tuple(FORMATS)) -> list[Path]:
    """Write ``parity.html``, ``parity.md``, ``parity.json`` and ``parity.xml``.

    Parameters
    ----------
    report : Report
    directory : Path
        Made if it does not exist.
    formats : iterable of {"html", "md", "json", "xml"}

    Returns
    -------
    list of Path
        The files written, in the order of `formats`.

    Raises
    ------
    InvalidArgument
        A format that is none of these.
    """
    wanted = list(formats)
    if unknown := [f for f in wanted if f not in FORMATS]:
        raise InvalidArgument(f"formats has {unknown}; {', '.join(FORMATS)} are expected.")
    directory.mkdir(parents=True, exist_ok=True)
    return [_written(directory / f"parity.{name}", FORMATS[name](report)) for name in wanted]


def _written(path: Path, text: str) -> Path:
    path.write_bytes(text.encode("utf-8", "backslashreplace"))
    return path


@cache
def _environment(finalize: Callable[[object], object] | None = None) -> Environment:
    environment = Environment(
        loader=PackageLoader("lmerbridge.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"fence": _fence, "prose": _prose}
    return environment


def _prose(text: str) -> Markup:
    """Return escaped text that does not break inside a number such as 3e-9."""
    unbroken = re.sub(r"[\d.]+e-\d+", r'<span class="number">\g<0></span>', str(escape(text)))
    return Markup(unbroken)  # noqa: S704 - escaped in the line above


def _marked_down(value: object) -> Markup:
    """Return text that Markdown prints as it stands, on one line."""
    if isinstance(value, Markup):
        return value
    line = str(escape(" ".join(str(value).split()))).replace("&#39;", "'").replace("&#34;", '"')
    return Markup(re.sub(r"([\\`*_\[\]|~])", r"\\\1", line))  # noqa: S704 - escaped just above


def _fence(code: str, language: str) -> Markup:
    """Return a block of code, fenced by more backticks than it holds."""
    ticks = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", code)), 0)
    return Markup(f"{ticks}{language}\n{code.rstrip()}\n{ticks}")  # noqa: S704 - a fence prints all as it stands
