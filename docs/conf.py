"""The site, made by ``make docs``: Sphinx, myst-nb, numpydoc and the theme of pandas and scipy.

The pages are Markdown as GitHub shows it. Here each block of Python becomes a cell that the build executes, and the
output written under it, which ``tests/test_pages.py`` holds, gives way to what the cell shows.
"""

import sys
from dataclasses import is_dataclass
from pathlib import Path

from jupyter_client import KernelManager
from sphinx.application import Sphinx

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import lmerbridge  # noqa: E402 - found by the path set above
from tests.pages import site_page  # noqa: E402

project = author = "lmerbridge"
copyright = "lmerbridge developers"
if "transport_encryption" in KernelManager.class_trait_names():
    KernelManager.transport_encryption.default_value = "auto"  # else each kernel warns that its port is not encrypted
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc"]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
default_role = "py:obj"  # what a docstring names in backquotes is a link where it is public
nitpick_ignore_regex = [("py:obj|py:class", ".*")]  # arguments and types of other packages, whose sites are not asked
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]
nb_execution_mode = "force"  # a cache would not see that lmerbridge changed
nb_execution_raise_on_error = True
nb_execution_timeout = 600
nb_execution_show_tb = True
nb_merge_streams = True

nitpicky = True
autodoc_typehints = "none"  # the docstrings have them, shorter
autodoc_member_order = "groupwise"
autosummary_generate = True
autosummary_ignore_module_all = False
autosummary_imported_members = True
autosummary_context = {"elsewhere": lmerbridge.__all__}
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
maximum_signature_line_length = 88

html_theme = "pydata_sphinx_theme"
html_title = "lmerbridge"
html_context = {"default_mode": "auto"}
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "show_prev_next": True,
    "navigation_with_keys": False,
    "header_links_before_dropdown": 7,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}


def signature(app: Sphinx, what: str, name: str, thing: type, *rest: object) -> tuple[str, None] | None:
    """Hide how a result is made: nobody but the package makes one."""
    if what != "class" or not is_dataclass(thing) or name == "lmerbridge.Family":
        return None
    return ("", None) if thing.__module__.split(".")[1] in ("models", "prepare", "parity", "results") else None


def setup(app: Sphinx) -> None:
    """Have each page read as `tests.pages` says."""
    app.connect("source-read", lambda app, name, text: text.__setitem__(0, site_page(name, text[0])))
    app.connect("autodoc-process-signature", signature)
