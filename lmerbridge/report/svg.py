"""matplotlib's figures as SVG that takes its colours and letters from the page it stands in."""

from __future__ import annotations

import io
import re
import warnings
from contextlib import AbstractContextManager
from typing import Any
from xml.etree import ElementTree as ET

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

PAINT = {  # what matplotlib draws in, and what the page makes of it
    "#010101": "currentColor",
    "#020202": "var(--soft)",
    "#030303": "var(--line)",
    "#040404": "var(--bg)",
    "#050505": "var(--s0)",
    "#060606": "var(--s1)",
    "#070707": "var(--panel)",
}
INK, SOFT, LINE, PAPER, REFERENCE, CANDIDATE, PANEL = PAINT
STYLE: dict[Any, Any] = {  # the names are a Literal of hundreds
    "svg.fonttype": "none",
    "font.size": 9,
    "text.color": INK,
    "text.parse_math": False,  # a name with dollars is a name
    "axes.edgecolor": SOFT,
    "axes.labelcolor": SOFT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.formatter.useoffset": False,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "axes.unicode_minus": False,
}
RIGHT, BOTTOM = 0.1, 0.45  # margins in inches: nothing beside, two lines of text below
GEOMETRY = {"d", "x", "y", "width", "height"}
KEPT = ("fill", "stroke", "stroke-width", "stroke-dasharray", "text-anchor")


def style(name: str) -> AbstractContextManager[None]:
    """Return the settings to draw in.

    The name goes into the ids of a picture, so that two pictures on a page have no id in common.
    """
    return mpl.rc_context(STYLE | {"svg.hashsalt": name})


def canvas(width: float, height: float, left: float, top: float = 0.08, right: float = RIGHT) -> tuple[Figure, Axes]:
    """Return an empty figure of a size in inches, see-through, and its axes, within margins in inches."""
    figure = Figure(figsize=(width, height))
    figure.patch.set_visible(False)
    room = (width - left - right) / width, (height - top - BOTTOM) / height
    axes = figure.add_axes((left / width, BOTTOM / height, *room))
    axes.patch.set_visible(False)
    return figure, axes


def svg(figure: Figure, label: str) -> Markup:
    """Return a figure as SVG to stand in HTML: no more than shapes and text, in the page's colours."""
    written = _drawing(figure)
    root = ET.fromstring(written)  # noqa: S314 - matplotlib wrote it
    referenced = set(re.findall(r"#([\w-]+)", written))
    for element in root.iter():
        _plain(element, referenced)
    width = f"max-width:{figure.get_figwidth():g}in"
    root.attrib = {"viewBox": root.attrib["viewBox"], "role": "img", "aria-label": label, "style": width}
    root[:] = _flat(root)
    text = re.sub(r">\s+<", "><", ET.tostring(root, encoding="unicode")).strip()
    return Markup(text)  # noqa: S704 - escaped by ElementTree


def _drawing(figure: Figure) -> str:
    file = io.StringIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # the page's own fonts show it
        figure.savefig(file, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return file.getvalue()


def _flat(parent: ET.Element) -> list[ET.Element]:
    """Return what an element holds, without groups that do nothing and without what the page sets."""
    kept: list[ET.Element] = []
    for child in parent:
        child[:] = _flat(child)
        hollow = child.tag == "g" and not child.attrib
        kept += child if hollow else [] if child.tag in ("metadata", "style") else [child]
    return [child for child in kept if child.tag != "defs" or len(child)]


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _plain(element: ET.Element, referenced: set[str]) -> None:
    """Drop namespaces, ids nothing refers to, turns by nothing, digits no eye can see and styles the page sets."""
    element.tag = _local(element.tag)
    attributes = {_local(name): value for name, value in element.attrib.items()}
    given = dict(re.findall(r"([\w-]+): ([^;]+)", attributes.pop("style", "")))
    kept = [
        f"{name}:{PAINT.get(given[name], given[name])}" for name in KEPT if _is_needed(element.tag, given.get(name))
    ]
    for name in GEOMETRY & attributes.keys():
        attributes[name] = _short(attributes[name])
    unused = {name for name, value in attributes.items() if _useless(name, value, referenced)}
    element.attrib = {name: value for name, value in attributes.items() if name not in unused}
    if kept:
        element.set("style", ";".join(kept))


def _is_needed(tag: str, value: str | None) -> bool:
    """Whether the page would not set it anyway: text is soft."""
    return value is not None and (tag != "text" or value != SOFT)


def _useless(name: str, value: str, referenced: set[str]) -> bool:
    return (name == "id" and value not in referenced) or (name == "transform" and value.startswith("rotate(-0 "))


def _short(numbers: str) -> str:
    r"""Return coordinates to a tenth, without spaces that separate nothing.

    Examples
    --------
    >>> _short("M 49.305455 37.946182 \nL 53.886 96.5 z")
    'M49.3 37.9L53.9 96.5z'
    """
    rounded = re.sub(r"-?\d+\.\d+", lambda found: f"{float(found[0]):.1f}".removesuffix(".0"), numbers)
    return re.sub(r" ?([A-Za-z]) ?", r"\1", " ".join(rounded.split()))
