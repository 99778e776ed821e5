"""The report of a parity run: described once, then rendered as HTML, Markdown, JSON and JUnit XML."""

from lmerbridge.report.description import Report, describe
from lmerbridge.report.machine import json_text, junit
from lmerbridge.report.render import html, markdown, write

__all__ = ["Report", "describe", "html", "json_text", "junit", "markdown", "write"]
