"""The report for people, HTML and Markdown, and the files of all formats."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from jinja2 import (
    BaseLoader,
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    PackageLoader,
    PrefixLoader,
    StrictUndefined,
    TemplateSyntaxError,
)
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup, escape

from lmerbridge import files
from lmerbridge.errors import InvalidArgument, SetupError
from lmerbridge.inputs import check_signature
from lmerbridge.report.description import Report
from lmerbridge.report.junit import junit
from lmerbridge.report.machine import json_text
from lmerbridge.text import clean


@check_signature
def html(report: Report, templates: Path | None = None) -> str:
    """Return the report as one HTML file that fetches nothing.

    Parameters
    ----------
    report : Report
    templates : Path, optional
        A folder whose files take the place of the templates of the same names; such a file may extend the one it
        replaces, as ``lmerbridge/parity.html.jinja``.
    """
    _check_matplotlib()
    from lmerbridge.report.figures import pictures  # matplotlib is slow to load

    return _render("parity.html.jinja", templates, report=report, pictures=pictures(report))


@check_signature
def markdown(report: Report, templates: Path | None = None) -> str:
    """Return the report as GitHub's Markdown, e.g. for the summary of a CI job; `templates` as in `html`."""
    return _render("parity.md.jinja", templates, _markdown_text, report=report)


FORMATS: dict[str, Callable[[Report, Path | None], str]] = {
    "html": html,
    "md": markdown,
    "json": lambda report, _: json_text(report),
    "junit": lambda report, _: junit(report),
}
ENDINGS = {"junit": "xml"}  # where it is not the format's name


@check_signature
def write(
    report: Report, directory: Path, formats: Iterable[str] = tuple(FORMATS), templates: Path | None = None
) -> list[Path]:
    """Write ``parity.html``, ``parity.md``, ``parity.json`` and ``parity.xml``.

    Parameters
    ----------
    report : Report
    directory : Path
        Made if it does not exist.
    formats : iterable of {"html", "md", "json", "junit"}
    templates : Path, optional
        A folder of templates that take the place of those of the same names.

    Returns
    -------
    list of Path
        The files written, in the order of `formats`.

    Raises
    ------
    InvalidArgument
        A format that is none of these, a folder with no template of these names, a template that cannot be filled, or
        a file that cannot be written: all files are then as they were.
    """
    return files.write_folder(directory, texts(report, formats, templates))


def texts(report: Report, formats: Iterable[str] = tuple(FORMATS), templates: Path | None = None) -> dict[str, str]:
    """Return the texts that `write` writes, by the names of their files."""
    wanted = check_formats(formats, templates)
    return {f"parity.{ENDINGS.get(name, name)}": FORMATS[name](report, templates) for name in wanted}


make_folder = check_signature(files.make_folder)


@check_signature
def check_formats(formats: Iterable[str], templates: Path | None = None) -> list[str]:
    """Return the names of formats, each once, if all are, and the folder of templates holds one."""
    _loader(templates)
    wanted = list(dict.fromkeys(formats))
    if unknown := [f for f in wanted if f not in FORMATS]:
        raise InvalidArgument(f"formats has {unknown}; {', '.join(FORMATS)} are expected.")
    if "html" in wanted:
        _check_matplotlib()
    return wanted


def _check_matplotlib() -> None:
    if find_spec("matplotlib") is None:
        raise SetupError(
            "a report in HTML needs matplotlib, which is not installed: pip install 'lmerbridge[plot]'; "
            "the formats md, json and junit do without."
        )


def fill_page(name: str, **values: object) -> str:
    """Return a template of this package filled, one whose name has ``.md`` in it as Markdown."""
    return _render(name, None, _markdown_text if ".md" in name else None, **values)


def _render(
    name: str, templates: Path | None, finalize: Callable[[object], object] | None = None, **values: object
) -> str:
    """Fill a template, which may be anybody's."""
    try:
        return clean(_environment(templates, finalize).get_template(name).render(values))
    except Exception as error:
        if templates is None:
            raise
        place = f"line {error.lineno} of {error.name}" if isinstance(error, TemplateSyntaxError) else name
        told = f"{type(error).__name__}: {error}"
        raise InvalidArgument(f"a template of {templates} cannot be filled: {place}: {told}; mend it.") from error


@cache
def _environment(templates: Path | None = None, finalize: Callable[[object], object] | None = None) -> Environment:
    environment = ImmutableSandboxedEnvironment(  # a template of others reaches the report and nothing else
        loader=_loader(templates),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"fence": _fence, "prose": _prose, "inline": _inline, "inline_md": _inline_markdown}
    return environment


def _loader(templates: Path | None) -> BaseLoader:
    own = PackageLoader("lmerbridge.report")
    if templates is None:
        return own
    names = own.list_templates()
    if not any((templates / name).is_file() for name in names):
        raise InvalidArgument(f"{templates} holds none of the templates {', '.join(names)}.")
    return ChoiceLoader([FileSystemLoader(templates), PrefixLoader({"lmerbridge": own}), own])


def _prose(text: str) -> Markup:
    """Return escaped text that does not break inside a number such as 3e-9."""
    unbroken = re.sub(r"[\d.]+e-\d+", r'<span class="number">\g<0></span>', str(escape(text)))
    return Markup(unbroken)  # noqa: S704 - escaped in the line above


ADDRESS = re.compile(r"https://[^\s()<>]*[^\s()<>.,;]")


def _inline(text: str) -> Markup:
    """Return a paragraph of our own for HTML: spans in backticks are code, in stars emphasis, addresses are links."""
    told = re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text)))
    told = re.sub(r"\*([\w ]+)\*", r"<em>\1</em>", told).replace(" %", "\u00a0%")
    return Markup(ADDRESS.sub(r'<a href="\g<0>">\g<0></a>', told))  # noqa: S704 - escaped above


def _inline_markdown(text: str) -> Markup:
    """Return a paragraph of our own for Markdown, which it is but for what HTML would take as a tag."""
    return Markup(ADDRESS.sub(r"<\g<0>>", text.replace("<", "&lt;")))  # noqa: S704 - no tag is left


def _markdown_text(value: object) -> Markup:
    """Return text that Markdown prints as it stands, on one line."""
    if isinstance(value, Markup):
        return value
    line = str(escape(" ".join(str(value).split()))).replace("&#39;", "'").replace("&#34;", '"')
    return Markup(re.sub(r"([\\`*_\[\]|~])", r"\\\1", line))  # noqa: S704 - escaped just above


def _fence(code: str, language: str) -> Markup:
    """Return a block of code, fenced by more backticks than it holds."""
    ticks = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", code)), 0)
    return Markup(f"{ticks}{language}\n{code.rstrip()}\n{ticks}")  # noqa: S704 - a fence prints all as it stands
