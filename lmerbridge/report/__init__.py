"""The report of a parity run: described once, then rendered as HTML, Markdown, JSON and JUnit XML."""

from lmerbridge.report.description import Report, describe
from lmerbridge.report.junit import junit
from lmerbridge.report.machine import json_text, schema_text
from lmerbridge.report.render import html, markdown, write

__all__ = ["Report", "describe", "html", "json_text", "junit", "markdown", "schema_text", "write"]
