"""The site holds before it is built: its pages are in its lists, its reference is whole, and nothing is fetched."""

import re
import tomllib
from importlib import import_module

import pytest

import lmerbridge
from lmerbridge import GlmerFit, LmerFit, NlmerFit
from tests.pages import BLOCK, DOCS, PAGES, ROOT, entries, site_page
from tests.site import faults

REFERENCE = "\n".join(path.read_text() for path in sorted((DOCS / "reference").glob("*.md")))
LISTED = set(re.findall(r"^   ~?([\w.]+)$", REFERENCE, re.MULTILINE))
SITE = [page for page in PAGES if page.is_relative_to(DOCS)]


def name_of(page):
    return page.relative_to(DOCS).with_suffix("").as_posix()


def returned(kind):
    """The classes of this package that the verbs of a fit return."""
    for name in dir(kind):
        verb = getattr(kind, name)
        verb = verb.fget if isinstance(verb, property) else verb
        if not name.startswith("_") and callable(verb):
            text = str(getattr(verb, "__annotations__", {}).get("return", ""))
            module = vars(import_module(verb.__module__))
            for word in re.findall(r"\w+", text):
                found = module.get(word)
                if isinstance(found, type) and found.__module__.startswith("lmerbridge.models."):
                    yield found


def test_every_page_is_once_in_a_list_of_the_site():
    listed = [page for each in SITE for page in entries(each)]
    assert sorted(listed) == sorted(set(SITE) - {DOCS / "index.md"})


def test_a_family_that_has_no_page_is_left_out():
    text = "# Start\n\n```{toctree}\n:glob:\n\nnobody*\ndecisions*\n```\n"
    assert site_page("start", text) == text.replace("nobody*\n", "")


@pytest.mark.parametrize("page", SITE, ids=name_of)
def test_every_block_of_a_page_is_a_cell_of_the_site_and_its_output_is_that_of_the_run(page):
    text, shown = page.read_text(), site_page(name_of(page), page.read_text())
    blocks = BLOCK.findall(text)
    assert shown.count("```{code-cell}\n") == len(blocks) + bool(blocks)  # and one that sets up
    assert "```python\n" not in shown
    assert all(block[0] in shown for block in blocks)
    assert not any(f"```\n\n```text\n{block[1]}" in shown for block in blocks if block[1])


@pytest.mark.parametrize("page", sorted((DOCS / "project").glob("*.md")), ids=name_of)
def test_a_file_of_the_project_is_a_page_and_its_links_lead_where_they_led(page):
    text = site_page(name_of(page), page.read_text())
    assert text.startswith("# ")
    links = re.findall(r"\]\((?!https?:)([^)\s#]+)", text)
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_reference_has_every_public_name():
    assert set(lmerbridge.__all__) <= LISTED


def test_the_reference_has_every_result_of_a_verb():
    classes = {each for kind in (LmerFit, GlmerFit, NlmerFit) for each in returned(kind)}
    assert len(classes) > 25
    missing = {f"{each.__module__}.{each.__name__}".removeprefix("lmerbridge.") for each in classes} - LISTED
    assert missing - {"models.lmer.LmerFit", "models.glmer.GlmerFit", "models.nlmer.NlmerFit"} == set()


@pytest.mark.parametrize("name", sorted(LISTED))
def test_what_the_reference_lists_is_there_and_tells_what_it_is(name):
    found = lmerbridge
    for part in name.removeprefix("lmerbridge.").split("."):
        found = getattr(found, part, None) or import_module(f"{found.__name__}.{part}")
    assert found.__doc__


def test_what_makes_the_site_names_no_other_site():
    made_by = [DOCS / "conf.py", *(DOCS / "_templates").rglob("*.rst"), *(DOCS / "_static").rglob("*.css")]
    assert [path for path in made_by if "://" in path.read_text() or "intersphinx" in path.read_text()] == []


def test_all_that_makes_the_site_is_an_extra():
    extra = " ".join(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["docs"])
    for name in ("sphinx", "myst-nb", "pydata-sphinx-theme", "numpydoc", "ipykernel"):
        assert name in extra


WHOLE = '<h1 id="a">A</h1><a href="#a">a</a><a href="b.html#c">c</a><img src="x.png"><img src="data:image/png;base64,">'
BROKEN = {
    '<a href="#nowhere">': "#nowhere leads nowhere",
    '<a href="nowhere.html">': "nowhere.html leads nowhere",
    '<a href="b.html#nowhere">': "b.html#nowhere leads nowhere",
    '<script src="https://cdn.example/x.js">': "fetches https://cdn.example/x.js",
    '<link rel="stylesheet" href="//cdn.example/x.css">': "fetches //cdn.example/x.css",
    '<img src="y.png">': "y.png leads nowhere",
}


@pytest.mark.parametrize("html", ["", *BROKEN])
def test_a_dead_link_of_the_site_and_anything_fetched_are_noticed(tmp_path, html):
    (tmp_path / "index.html").write_text(WHOLE + html)
    (tmp_path / "b.html").write_text('<p id="c"><a href="https://example.org">elsewhere</a>')
    (tmp_path / "x.png").touch()
    assert [fault.partition(": ")[2] for fault in faults(tmp_path)] == ([BROKEN[html]] if html else [])
