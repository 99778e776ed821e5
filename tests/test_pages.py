"""README and the pages in docs/ are true today: their Python runs, and shows what is written under it."""

import pytest

from lmerbridge.bridge.session import lme4_version
from tests.pages import PAGES, cells, renew

WRITTEN_WITH = "1.1-31"  # what another lme4 says and counts is its own


def same(written, found):
    """Whether two words are the same, or numbers close to it: optimizers stop elsewhere on another processor."""
    if written == found:
        return True
    try:
        return float(written.strip(",;()[]")) == pytest.approx(float(found.strip(",;()[]")), rel=1e-3, abs=1e-5)
    except ValueError:
        return False


def agree(written, found):
    """Whether two outputs have the same words in the same order."""
    words = written.split(), found.split()
    return len(words[0]) == len(words[1]) and all(map(same, *words))


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_code_of_a_page_runs_by_itself_and_shows_what_is_written_under_it(page):
    for cell in cells(page.read_text(), page.name):
        assert cell.picture is None or (cell.picture.is_file() and any(ax.has_data() for ax in cell.figure.axes))
        if cell.written is None or lme4_version() != WRITTEN_WITH:
            continue
        assert agree(cell.written, cell.found), (cell.source, cell.found)


SMALL = "Text.\n\n```python\nx = 2\nx + 1\n```\n\n```text\n{}\n```\n\n```python\nx\n```\n\nMore.\n"


@pytest.mark.parametrize("written", ["4", "3 3", "three", ""])
def test_another_output_is_noticed_and_renewed(written):
    page = SMALL.format(written)
    first, second = cells(page, "small.md")
    assert not agree(first.written, first.found)
    assert second.written is None
    assert renew(page, "small.md") == SMALL.format("3")


def test_a_page_does_not_know_the_names_of_another():
    list(cells(SMALL.format("3"), "small.md"))
    with pytest.raises(NameError):
        list(cells("```python\nx\n```\n", "other.md"))
