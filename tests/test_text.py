"""What is shown is clean, whoever wrote the text: in each format of a report, in a terminal, in an error."""

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from lmerbridge import cli, plugin, text
from lmerbridge.cli import console
from lmerbridge.errors import InvalidArgument
from lmerbridge.parity.cases import Case
from lmerbridge.parity.evidence import Line
from lmerbridge.parity.ledger import Stale
from lmerbridge.parity.suite import CaseResult
from lmerbridge.parity.verdict import Known, Verdict
from lmerbridge.report import describe, html, json_text, junit, markdown
from tests.report.test_report import comparison, fit, quantity, run

LINES = (Line("a", 0.0, 1.0, (0.0, 1.0), (0.0, 1.0)), Line("", 0.0, 1.0, (0.0, 1.0), (0.0, 1.0)))
FENCE = re.compile("^(```+).*?^\\1", re.MULTILINE | re.DOTALL)
CONTROLS = {chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))} - {"\t", "\n"}
HOSTILE = (
    "\x1b[31mred",
    "\x1b]0;title\x07",
    "\x1b]8;;https://example.org\x1b\\link\x1b]8;;\x1b\\",
    "\x1b[2J\x1b[H",
    "\x1bP+q\x1b\\",
    "nul\0end",
    "bell\x07",
    "back\b\b\b\bgone",
    "line\roverwritten",
    "end\r\nof line",
    "feed\x0c\x0b",
    "\x7fdelete",
    "\x9b31mC1",
    "\x85next",
    "half \ud800",
    "other half \udc80",
    "\udfff\ud800 turned",
    "\u202eright to left",
    "\u2066isolate\u2069",
    "a\u2028b\u2029c",
    "\ufffe\uffff",
    "[b]bold[/b]",
    "a[/b]",
    "[/]",
    "[link=https://example.org]x[/link]",
    ":smile:",
    "<script>alert(1)</script>",
    "&#27;[31m &amp;",
    "]]> <!-- --> <?xml ?>",
    "| `a` **b** ``` \\ [x](y) {{ 7*7 }} {% x %}",
    "變量 größe é 👩\u200d👩\u200d👧 \u200f變",
)


def entry(name):
    return Known(case=name, engine=name, verdict=Verdict.UNEXPLAINED, reason=name, link=name, expires=date(2099, 1, 1))


def report(name):
    """A report in which a text stands wherever somebody else's may."""
    case = Case(name, name, name, name, True, features=(name,))
    candidate = fit(engine=name, version=name, warnings=(name,))
    told = comparison(
        Verdict.UNEXPLAINED,
        name,
        reason=name,
        formula=name,
        candidate_fit=candidate,
        lines=(replace(LINES[0], along=name), LINES[1]),
        rows=(quantity(by=1.0),),
    )
    given = run(CaseResult(case, told, f"x <- 1  # {name}", f"x = 1  # {name}"))
    return describe(replace(given, stale=(Stale(entry(name), name),), provenance=((name, name),)))


def is_clean(shown):
    return not CONTROLS & set(shown) and text.clean(shown) == shown and shown.encode()


@pytest.mark.parametrize("name", HOSTILE)
def test_every_format_is_free_of_what_is_not_shown(name):
    found = report(name)
    shown = {write.__name__: write(found) for write in (html, markdown, json_text, junit)}
    assert all(map(is_clean, shown.values()))
    assert "<script>alert" not in shown["html"] + shown["junit"] + FENCE.sub("", shown["markdown"])
    halves = "".join("\ufffd" if "\ud800" <= letter <= "\udfff" else letter for letter in name)
    assert json.loads(shown["json_text"])["results"][0]["case"] == halves
    (test, *_) = ET.fromstring(shown["junit"]).iter("testcase")
    assert test.get("name") == text.clean(name)
    assert all(is_clean(value) for element in ET.fromstring(shown["junit"]).iter() for value in element.attrib.values())


@pytest.mark.parametrize("name", HOSTILE)
def test_a_terminal_gets_the_text_and_obeys_nothing_in_it(name, capsys):
    cli.parity._tell(report(name))
    console.print_text(f"Written: {name}")
    list(console.show_progress([report(name).findings and (report(name).findings[0].result,)], 1))
    with pytest.raises(typer.Exit) as end, console.exit_on_error():
        raise InvalidArgument(name)
    shown = capsys.readouterr()
    assert end.value.exit_code == 2
    assert is_clean(shown.out)
    assert is_clean(shown.err)
    plain = " ".join(text.clean(name).split())
    assert plain in " ".join(shown.out.split())
    assert f"InvalidArgument: {plain}" in " ".join(shown.err.split())


@pytest.mark.parametrize("name", HOSTILE)
def test_an_explanation_is_clean_and_so_is_what_pytest_is_told(name):
    told = report(name).findings[0].result
    assert is_clean(told.comparison.explain())
    assert is_clean(repr(told.comparison))
    with pytest.raises(pytest.fail.Exception) as failure:
        plugin._check_agreement(told, ())
    assert is_clean(str(failure.value))


@pytest.mark.parametrize("name", ["a[/b]", "\x1b[31m", "b\x07\r", "\udcff", "[b]:smile:"])
def test_the_name_of_a_file_is_shown_as_text(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path(name).parent.mkdir(exist_ok=True)
    monkeypatch.setattr("lmerbridge.parity.recording.record_cases", lambda cases, engine: {})
    done = CliRunner().invoke(cli.app, ["record", "--out", name])
    assert done.exit_code == 0, done.output
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / name]
    assert " ".join(done.output.split()) == f"Written: {text.clean(str(Path(name)))}"


def test_a_run_that_is_compared_names_its_cases_clean(tmp_path):
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    old.write_text(json_text(describe(run())))
    new.write_text(json_text(report("\x1b[31m\x9b a[/b]")))
    done = CliRunner().invoke(cli.app, ["diff", str(old), str(new)])
    assert done.exit_code in (1, 2), done.output
    assert is_clean(done.output)


def test_what_people_write_is_left_as_it_is():
    kept = "a\tb\nc é 變量 \u200d \u200f \ufeff \xa0 👩"
    assert text.clean(kept) == text.clean_json(kept) == kept
