"""The ledger of known differences, held against real findings of the suite."""

import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import date
from itertools import combinations

import pytest

from lmerbridge.errors import InvalidArgument
from lmerbridge.parity import cases, suite
from lmerbridge.parity.ledger import hold, load_ledger, select
from lmerbridge.parity.verdict import Known, Verdict
from lmerbridge.report import describe, json_text, junit, markdown
from lmerbridge.report.outcome import fails

TODAY = date(2026, 11, 21)
FINDING = ("pastes_crossed/ML", "statsmodels")  # other_optimum
AGREEING = ("pastes_nested/ML", "statsmodels")
BEYOND = ("se", "var", "sd", "sigma", "sigma2", "logLik", "AIC", "BIC", "deviance")  # what is so in the finding


def known(key=FINDING, verdict=Verdict.OTHER_OPTIMUM, **changes):
    given = {"reason": "it stops early", "link": "https://example.org/1", "expires": TODAY}
    return Known(case=key[0], engine=key[1], verdict=verdict, **given | changes)


@pytest.fixture(scope="module")
def results():
    return list(suite.run_cases(cases.pick("pastes_*/ML"), ["statsmodels"]))


@pytest.fixture(scope="module")
def found(results):
    return {result.key: result.comparison for group in results for result in group}


@pytest.mark.slow
def test_a_finding_of_an_entry_is_known_until_the_last_day(found):
    reading = hold([known()], found, TODAY)
    assert (reading.known, reading.stale) == ({FINDING: known()}, ())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (known(("pastes_crosed/ML", "statsmodels")), "matches nothing"),
        (known(("pastes_crossed/ML", "nlme")), "matches nothing"),
        (known(AGREEING), "now agrees: same_optimum"),
        (known(verdict=Verdict.UNEXPLAINED), "is now another finding: other_optimum"),
        (known(quantity="fixef"), "now agrees: fixef is within tolerance"),
        (known(quantity="se[Days]"), "now agrees: se[Days] is within tolerance, or no quantity of the case"),
        (known(expires=date(2026, 11, 20)), "expired on 2026-11-20"),
    ],
)
def test_an_entry_that_does_not_hold_is_named_and_explains_nothing(found, entry, why):
    reading = hold([entry], found, TODAY)
    ((stale),) = reading.stale
    assert stale.entry == entry
    assert why in str(stale)
    assert reading.known == {}


@pytest.mark.slow
def test_a_finding_is_known_by_its_quantities_only_where_all_beyond_tolerance_are(found):
    entries = [known(quantity=quantity) for quantity in BEYOND]
    assert hold(entries, found, TODAY).known == {FINDING: entries[0]}
    for some in combinations(entries, len(entries) - 1):
        reading = hold(some, found, TODAY)
        assert (reading.known, reading.stale) == ({}, ())


@pytest.mark.slow
def test_a_known_finding_fails_nothing_and_is_told_as_known_in_every_format(results):
    plain, ledgered = (describe(suite.collect(results, ledger)) for ledger in ((), (known(expires=date.max),)))
    assert (plain.exit_code, ledgered.exit_code) == (1, 0)
    assert (plain.engines[0].light, ledgered.engines[0].light) == ("red", "amber")
    told = {r["case"]: r["known"] for r in json.loads(json_text(ledgered))["results"]}
    assert told.pop("pastes_crossed/ML")["reason"] == "it stops early"
    assert set(told.values()) == {None}
    assert "it stops early" not in markdown(plain)
    assert "it stops early" in markdown(ledgered)
    (skipped,) = ET.fromstring(junit(ledgered)).iter("skipped")
    assert skipped.get("message") == "known until 9999-12-31: it stops early (https://example.org/1)"


@pytest.mark.slow
def test_an_entry_that_does_not_hold_fails_the_run_in_every_format(results):
    agreeing = [group for group in results if group[0].key == AGREEING]
    assert describe(suite.collect(agreeing)).exit_code == 0
    report = describe(suite.collect(agreeing, [known(AGREEING)]))
    assert report.exit_code == 1
    (stale,) = json.loads(json_text(report))["stale"]
    assert (stale["entry"]["case"], stale["why"]) == ("pastes_nested/ML", "it now agrees: same_optimum.")
    assert "it now agrees: same_optimum" in markdown(report).replace("\\", "")
    (failure,) = ET.fromstring(junit(report)).iter("failure")
    assert failure.get("message") == "it now agrees: same_optimum."


def test_a_fault_of_the_engine_is_no_failure_once_known(found):
    assert fails(found[FINDING])
    assert not fails(replace(found[FINDING], known=known()))


def test_entries_of_what_was_left_out_on_purpose_are_put_aside_and_typing_errors_are_not():
    entries = [
        known(),
        known(("rail/ML", "statsmodels")),
        known(("pastes_crossed/ML", "lme4")),
        known(("pastes_crosed/ML", "statsmodels")),
        known(("pastes_crossed/ML", "statsmodel")),
    ]
    assert select(entries, [FINDING[0]], ["statsmodels"]) == (entries[0], entries[3], entries[4])


ENTRY = """[[known]]
case = "pastes_crossed/ML"
engine = "statsmodels"
verdict = "other_optimum"
reason = "it stops early"
link = "https://example.org/1"
expires = 2026-11-21
"""
BAD = {  # what is wrong with a file: its text, what is said
    "no TOML": ("[[known", "known.toml cannot be read: "),
    "another table": ('[[unknown]]\ncase = "a"', "has unknown; [[known]] tables are expected"),
    "no table": ("known = 3", "has known; [[known]] tables are expected"),
    "a list of no tables": ("known = [3]", "has known; [[known]] tables are expected"),
    "no reason": (ENTRY.replace("reason", "# "), "entry 1 of .*: it lacks 'reason'"),
    "an empty reason": (ENTRY.replace("it stops early", ""), "entry 1 of .*: 'reason' is ''; a text is expected"),
    "an odd name": (ENTRY + "until = 3\n", "it has 'until'; case, engine, verdict, .* are expected"),
    "a verdict there is not": (ENTRY.replace("other_opt", "opt"), "'verdict' is 'optimum'; one of loose_stop, "),
    "an agreement": (ENTRY.replace("other_opt", "same_opt"), "'verdict' is 'same_optimum'; one of loose_stop, "),
    "a date as text": (ENTRY.replace("2026-11-21", '"2026-11-21"'), "'expires' is '2026-11-21'; a date such as"),
    "a time": (ENTRY.replace("2026-11-21", "2026-11-21T10:00:00"), "'expires' is .*; a date such as 2027-06-30"),
    "an entry twice": (ENTRY + ENTRY, "entry 2 of .*: another one is about pastes_crossed/ML, statsmodels"),
}


def test_a_ledger_is_read_as_it_is_written(tmp_path):
    path = tmp_path / "known.toml"
    path.write_text(ENTRY + ENTRY + 'quantity = "se"\n')
    assert load_ledger(path) == (known(), known(quantity="se"))
    path.write_text("# nothing known\n")
    assert load_ledger(path) == ()


@pytest.mark.parametrize("what", BAD)
def test_a_ledger_that_is_none_says_which_entry_and_what_is_wrong(what, tmp_path):
    text, told = BAD[what]
    (tmp_path / "known.toml").write_text(text)
    with pytest.raises(InvalidArgument, match=told.replace("[[", r"\[\[")):
        load_ledger(tmp_path / "known.toml")


def test_a_ledger_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(InvalidArgument, match=r"the ledger .*known.toml cannot be read"):
        load_ledger(tmp_path / "known.toml")
