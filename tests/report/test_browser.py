"""The HTML report in a real browser: it opens, its filters work, it asks nothing of a network."""

import os
import re
import shutil

import pytest
from playwright.sync_api import expect, sync_playwright

from lmerbridge.parity.verdict import Verdict
from lmerbridge.report import describe, html
from tests.report.test_parts import generalized
from tests.report.test_report import EXACT, comparison, pictured, result, run

pytestmark = pytest.mark.slow

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = ("--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync")
WIDTHS = (360, 900, 1400)
SCHEMES = ("light", "dark")


@pytest.fixture(scope="module")
def browser():
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.fail(f"none of {', '.join(BROWSERS)} is on the PATH; `make setup` installs chromium on Debian.")
    sandbox = () if os.getuid() else ("--no-sandbox",)  # Chromium's own needs a user that is not root
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=[*QUIET, *sandbox])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    other = comparison(Verdict.UNEXPLAINED, candidate="nlme")
    given = run(*pictured().results, result("strange", other), result("agrees", candidate="nlme"))
    path = tmp_path_factory.mktemp("report") / "parity.html"
    path.write_text(html(describe(given, EXACT)), encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def opened(browser, file):
    """A page with the report, and what it said and asked for; it must say nothing and ask for no more than itself."""
    contexts, said, asked = [], [], []

    def open_at(place="", **options):
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url.partition("#")[0]))
        page.goto(file + place)
        return page

    yield open_at
    for context in contexts:
        context.close()
    assert said == []
    assert set(asked) == {file}


def shown(page, places):
    return page.locator(places).evaluate_all("all => all.filter(one => !one.hidden).map(one => one.id)")


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_is_as_wide_as_the_screen_and_nothing_in_it_is_cut_off(opened, width):
    page = opened(viewport={"width": width, "height": 900})
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    beyond = page.locator("svg text").evaluate_all(
        """all => all.filter(text => {
          const [inner, outer] = [text.getBoundingClientRect(), text.ownerSVGElement.getBoundingClientRect()];
          return inner.left < outer.left - 1 || inner.right > outer.right + 1 || inner.bottom > outer.bottom + 1;
        }).map(text => text.textContent)"""
    )
    assert beyond == []


def contrast(page, places):
    """The least contrast of text with its ground, as WCAG 2 defines it."""
    return page.locator(places).evaluate_all(
        """all => Math.min(...all.map(one => {
          const light = colour => {
            const parts = colour.match(/[\\d.]+/g).map(Number).slice(0, 3).map(part => part / 255);
            const [r, g, b] = parts.map(x => x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          let ground = one;
          while (getComputedStyle(ground).backgroundColor === "rgba(0, 0, 0, 0)") { ground = ground.parentElement; }
          const style = getComputedStyle(one);
          const ink = one instanceof SVGElement ? style.fill : style.color;
          const [a, b] = [light(ink), light(getComputedStyle(ground).backgroundColor)].sort((x, y) => y - x);
          return (a + 0.05) / (b + 0.05);
        }))"""
    )


@pytest.mark.parametrize("scheme", SCHEMES)
def test_text_stands_out_from_its_ground_in_light_and_dark(opened, scheme):
    page = opened(color_scheme=scheme)
    assert contrast(page, "p, td, th, li, summary, b, svg text, figcaption, select") >= 4.5  # WCAG 2 AA


def test_a_filter_by_engine_shows_its_findings_and_its_heatmap_only(opened):
    page = opened()
    everything = shown(page, "#findings .finding")
    page.select_option("[name=engine]", "nlme")
    assert shown(page, "#findings .finding") == ["nlme/strange"]
    assert page.locator(".map:visible").count() == 1
    assert page.locator(".filter output").inner_text() == f"1 of {len(everything)} findings"
    page.click("[type=reset]")
    page.wait_for_function("document.querySelectorAll('.finding[hidden]').length === 0")
    assert shown(page, "#findings .finding") == everything


def test_a_filter_by_verdict_holds_for_findings_and_rows(opened):
    page = opened()
    page.select_option("[name=verdict]", "other optimum")
    assert shown(page, "#findings .finding") == ["statsmodels/case_other_optimum", "statsmodels/far"]
    assert page.locator(".heatmap tbody tr:visible").count() == 2
    page.select_option("[name=engine]", "nlme")
    assert shown(page, "#findings .finding") == []


def test_a_click_on_a_row_opens_its_evidence(opened):
    page = opened()
    page.locator(".heatmap tr", has_text="far").locator("td").first.click()
    expect(page.locator("[id='statsmodels/far']")).to_have_attribute("open", "")  # a hash arrives after the click


def test_a_link_to_a_finding_opens_it_and_undoes_a_filter_that_hides_it(opened):
    page = opened("#statsmodels/far")
    expect(page.locator("[id='statsmodels/far']")).to_have_attribute("open", "")  # a hash arrives after the click
    page.select_option("[name=engine]", "nlme")
    page.evaluate("location.hash = '#statsmodels/case_unexplained'")
    page.locator("[id='statsmodels/case_unexplained'] pre").first.wait_for(state="visible")


def test_only_cases_that_differ_hides_those_that_agree(opened):
    page = opened()
    rows = page.locator(".heatmap").last.locator("tbody tr")
    before = rows.count()
    page.locator(".only input").last.check()
    assert rows.filter(visible=True).count() < before


def test_without_scripts_the_report_is_whole_and_offers_no_filter(opened):
    page = opened(java_script_enabled=False)
    assert not page.locator(".filter").is_visible()
    page.locator("[id='statsmodels/far'] summary").click()
    expect(page.locator("[id='statsmodels/far'] figure svg").first).to_be_visible()


def test_print_opens_every_finding_and_drops_what_one_cannot_click(opened):
    page = opened()
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    assert not page.locator("nav").is_visible()
    assert not page.locator(".filter").is_visible()


def large():
    """Six engines on 94 cases, of which every seventh is a finding."""
    for engine in ("statsmodels", "statsmodels[shared]", "mixedlm", "nlme", "glmmTMB", "interlace"):
        for place in range(94):
            verdict = (Verdict.SAME_OPTIMUM, Verdict.OTHER_OPTIMUM)[place % 7 == 0]
            yield result(f"a_case_of_the_suite_{place}/REML", comparison(verdict, engine, gap=92.4))


def test_the_summary_of_a_large_report_prints_on_two_pages_and_a_button_prints_everything(browser, tmp_path):
    path = tmp_path / "parity.html"
    path.write_text(html(describe(run(*large()))), encoding="utf-8")
    page = browser.new_page()
    page.goto(path.as_uri())
    pages = [len(re.findall(rb"/Type /Page\b", page.pdf(format=size))) for size in ("A4", "Letter")]
    assert max(pages) <= 2
    page.evaluate("window.print = () => {}")
    page.click("text=Print everything")
    assert len(re.findall(rb"/Type /Page\b", page.pdf(format="A4"))) > 10
    page.close()


def test_what_prints_first_is_the_table_the_gaps_and_the_worst_findings(opened):
    page = opened()
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    for place in ("h1", ".tally", "#gaps svg.ladder", "#findings summary"):
        assert page.locator(place).first.is_visible(), place
    for place in ("#heatmap", "#tolerances", "#findings pre"):
        assert not page.locator(place).first.is_visible(), place


@pytest.mark.parametrize("width", WIDTHS)
def test_a_label_of_the_forest_stands_beside_its_line(opened, width):
    page = opened(viewport={"width": width, "height": 900})
    labels, lines = (
        page.locator(f".forest svg {what}").evaluate_all(
            "all => all.map(one => one.getBoundingClientRect()).map(box => [box.left, box.right, box.top, box.bottom])"
        )
        for what in ("text", "path[style*='--s1'], use[style*='--s1']")
    )
    assert lines
    for left, right, top, bottom in lines:
        over = [text for text in labels if text[0] < right and text[1] > left and text[2] < bottom and text[3] > top]
        assert over == []


def test_a_touch_on_a_row_opens_its_numbers(opened):
    page = opened(has_touch=True, viewport={"width": 400, "height": 900})
    page.locator(".heatmap tr", has_text="far").locator("td").first.tap()
    expect(page.locator("[id='statsmodels/far']")).to_have_attribute("open", "")
    assert page.locator("[title]").count() == 0


def test_the_table_of_engines_fits_a_telephone(opened):
    page = opened(viewport={"width": 400, "height": 900})
    inside = page.locator(".tally").evaluate("one => [one.scrollWidth, one.parentElement.clientWidth]")
    assert inside[0] <= inside[1]


def both_kinds():
    """The engines of `make report` on linear and generalized models, as many cards and rows as there are today."""
    names = ("statsmodels", "statsmodels[shared]", "mixedlm", "interlace", "nlme", "glmmTMB", "mgcv", "glmm")
    for name in (*names, "mixedlm-rs", "lme-python", "gpboost", "gpboost[cholesky]"):
        for place in range(60):
            verdict = (Verdict.SAME_OPTIMUM, Verdict.OTHER_OPTIMUM)[place % 7 == 0]
            yield result(f"a_case_of_the_suite_{place}/REML", comparison(verdict, name, gap=92.4))
        fits = name not in ("nlme", "mgcv", "mixedlm-rs", "statsmodels", "statsmodels[shared]")
        for place in range(40):
            verdict = (Verdict.OTHER_DEFINITION, Verdict.OTHER_OBJECTIVE)[place % 5 == 0]
            yield generalized(f"another_case_{place}/Laplace", verdict if fits else Verdict.NOT_EXPRESSIBLE, name)


@pytest.fixture(scope="module")
def page_of_both(browser, tmp_path_factory):
    path = tmp_path_factory.mktemp("both") / "parity.html"
    path.write_text(html(describe(run(*both_kinds()))), encoding="utf-8")
    page = browser.new_page()
    page.goto(path.as_uri())
    yield page
    page.close()


def test_linear_and_generalized_models_print_on_two_pages_together(page_of_both):
    pages = [len(re.findall(rb"/Type /Page\b", page_of_both.pdf(format=size))) for size in ("A4", "Letter")]
    assert max(pages) <= 2


@pytest.mark.parametrize("width", [400, 800, 1280])
def test_both_tables_fit_the_screen_and_stand_beside_each_other_where_there_is_room(page_of_both, width):
    page_of_both.set_viewport_size({"width": width, "height": 900})
    assert page_of_both.evaluate("document.documentElement.scrollWidth") == width
    tables = page_of_both.locator(".tally").evaluate_all(
        "all => all.map(one => [one.getBoundingClientRect().top, one.scrollWidth - one.parentElement.clientWidth])"
    )
    assert [over for _, over in tables if over > 0] == []
    assert (tables[0][0] == tables[1][0]) == (width == 1280)


def test_a_card_names_the_kind_that_an_engine_does_not_fit(page_of_both):
    assert "nlme 0.15.0 fits no generalized model." in page_of_both.locator(".engine[aria-label=nlme]").inner_text()
    assert page_of_both.locator(".map").count() == 12 + 7
    page_of_both.select_option("[name=engine]", "glmmTMB")
    assert page_of_both.locator(".map:visible").count() == 2
    page_of_both.click("[type=reset]")
