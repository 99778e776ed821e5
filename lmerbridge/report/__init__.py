"""The report of a parity run: described once, then rendered as HTML, Markdown, JSON and JUnit XML."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
