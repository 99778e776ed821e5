"""The pages of the study: each number in them is one of study.json."""

import json
import re

import pytest

from lmerbridge.errors import InvalidArgument
from lmerbridge.report.study import tables, write
from lmerbridge.report.study.page import study_page
from tests.pages import ROOT

REPORTS = ROOT / "reports"
SVG = re.compile(r"<svg.*?</svg>", re.DOTALL)


@pytest.fixture(scope="module")
def told():
    return write.read_json(REPORTS / "study.json")


@pytest.fixture(scope="module")
def times():
    return write.read_json(REPORTS / "study-times.json")


def test_the_committed_pages_are_rendered_from_the_committed_numbers(told, times):
    assert (REPORTS / "study.md").read_text() == write.study_markdown(told, times)
    page = write.study_html(told, times)
    # another matplotlib writes other paths
    assert SVG.sub("", (REPORTS / "study.html").read_text()) == SVG.sub("", page)
    assert (REPORTS / "study.json").read_text() == write.study_json(told)


def test_the_same_study_gives_the_same_bytes(told, times):
    assert write.study_html(told, times) == write.study_html(told, times)


def test_a_number_that_changes_in_the_json_changes_on_both_pages(told, times):
    changed = json.loads(json.dumps(told))
    changed["linear"][0]["silent"] = 987
    for render in (write.study_markdown, write.study_html):
        assert "987" not in render(told, times)
        assert "987" in render(changed, times)


def test_no_placeholder_and_no_missing_number_is_left(told, times):
    text = write.study_markdown(told, times)
    assert not re.search(r"\{\w+\}|\bNone\b|\bnan\b|undefined", text)


def test_a_link_within_the_page_leads_somewhere(told, times):
    page = write.study_html(told, times)
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(re.findall(r'id="([^"]+)"', page))
    assert not re.search(r'(?:src|href)="(?!#|https://)', page), "the page fetches nothing and names no file"


def test_every_cell_of_a_table_of_counts_is_the_number_of_the_json(told):
    table = tables.by_outcome(told)
    names = [*tables.OUTCOMES, *tables.NO_ANSWER]
    for row, cells in zip(told["counts"], table.rows, strict=True):
        assert [cell.text for cell in cells[:4]] == [row["block"], row["engine"], str(row["fits"]), str(row["taken"])]
        assert [cell.text for cell in cells[4:-2]] == [str(row[name]) for name in names]


@pytest.mark.parametrize(("share", "text"), [(1.0, "100"), (0.9987, "99.9"), (0.5, "50"), (0.0, "0"), (None, "·")])
def test_a_share_is_whole_only_where_nothing_was_rounded_away(share, text):
    assert tables.percent({"share": share}) == text


def test_a_study_without_times_has_no_section_of_times(told):
    page = study_page(told, {"models": [], "table": []})
    assert "time" not in {section.id for section in page.sections}


def test_markup_in_a_name_is_text(told, times):
    changed = json.loads(json.dumps(told))
    changed["engines"][0]["version"] = "<script>1</script>|x"
    assert "<script>1" not in write.study_html(changed, times)
    assert "&lt;script&gt;1&lt;/script&gt;\\|x" in write.study_markdown(changed, times)


def test_a_file_that_is_no_json_is_named(tmp_path):
    (tmp_path / "study.json").write_text("{")
    with pytest.raises(InvalidArgument, match=r"study\.json cannot be read"):
        write.read_json(tmp_path / "study.json")
    assert write.read_json(tmp_path / "none.json") is None
