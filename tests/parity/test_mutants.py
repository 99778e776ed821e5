"""Files of others with one thing wrong: refused by name, never a signal, a raw error or another number."""

import json
from pathlib import Path

import pytest

from lmerbridge.engines import find
from lmerbridge.engines.recorded import digest
from lmerbridge.errors import InvalidArgument
from lmerbridge.parity import cases, recording
from tests.mutants import ODD, kinds, mutants, outcomes

REPORT = Path(__file__).parents[2] / "reports" / "parity.json"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("mutants") / "whole.json"
    chosen = [case for pattern in ("dyestuff/*", "sleepstudy_slopes/ML") for case in cases.pick(pattern)]
    recording.write_recording(recording.record_cases(chosen), path)
    return path


def seal(content):
    return content | {"digest": digest(content)}


@pytest.mark.slow
def test_five_hundred_recordings_with_one_thing_wrong_are_refused(whole):
    document = json.loads(whole.read_text())
    assert len(kinds(document)) > 60
    found = outcomes("recording", whole.parent, dict(mutants(document, 500, seed=11)))
    assert len(found) == 500
    assert {name: told for name, told in found.items() if not told.startswith(("refused: the recording", "same"))} == {}
    assert sum(told == "same" for told in found.values()) < 30


@pytest.mark.slow
def test_a_recording_whose_digest_was_made_for_what_is_wrong_is_no_signal_and_no_raw_error(whole):
    document = json.loads(whole.read_text())
    found = outcomes("recording", whole.parent, dict(mutants(document, 100, seed=12, seal=seal)))
    assert len(found) == 100
    assert {name: told for name, told in found.items() if told.startswith(("raw", "died"))} == {}
    assert sum(told.startswith("refused") for told in found.values()) > 50


@pytest.mark.parametrize(
    ("name", "place", "value", "told"),
    [
        ("z.i", 0, 36, r"\[0\] is 36, but the matrix has 36 columns \(0 to 35\)"),
        ("z.i", 5, 100_000_000, r"\[5\] is 100000000, but the matrix has 36 columns"),
        ("z.i", 0, -5, r"\[0\] is -5, but the matrix has 36 columns"),
        ("z.p", 3, 100_000_000, r"\[3\] is 100000000, but there are 342 elements"),
        ("z.p", 0, -5, r"\[0\] is -5, but there are 342 elements"),
        ("z.p", 0, 1, r"\[0\] is 1; from 0 up to the number of elements"),
        ("z.p", 90, 0, r"\[90\] is 0; from 0 up to the number of elements"),
        ("z.p", 180, 341, r"\[180\] is 341; from 0 up to the number of elements"),
        ("z.x", 0, float("nan"), " cannot be read: NaN is no number of JSON"),
        ("rows", 0, 2, " has a row twice"),
        ("random.size", 0, 2**31 - 1, "random.level has 18 values; 2147483647 are expected"),
    ],
)
def test_indices_of_a_sparse_matrix_are_looked_at_before_scipy_follows_them(name, place, value, told, whole):
    content = json.loads(whole.read_text())
    i = next(i for i, model in enumerate(content["models"]) if "sleepstudy_slopes/ML" in model["cases"])
    content["models"][i]["design"][name][place] = value
    path = whole.with_name("changed.json")
    path.write_text(json.dumps(seal(content)))
    where = rf"models\[{i}\]\.design\.{name}" if told.startswith(r"\[") else ""
    with pytest.raises(InvalidArgument, match=where + told):
        find(f"recorded:{path}")


def test_a_number_that_has_changed_is_told_by_the_digest(whole):
    content = json.loads(whole.read_text())
    content["models"][0]["fits"]["ML"]["described"]["beta"][0] *= 1.001
    path = whole.with_name("changed.json")
    path.write_text(json.dumps(content))
    with pytest.raises(InvalidArgument, match=f"it has changed: its digest is {content['digest']}, that of its"):
        find(f"recorded:{path}")
    path.write_text(json.dumps(content | {"format": "lmerbridge recording 1"}))
    with pytest.raises(InvalidArgument, match="it is no 'lmerbridge recording 2'; `lmerbridge record --out FILE`"):
        find(f"recorded:{path}")


@pytest.mark.slow
def test_reports_with_one_thing_wrong_are_refused_or_told_apart(tmp_path):
    document = json.loads(REPORT.read_text())
    document["results"] = document["results"][::100]
    (tmp_path / "whole.json").write_text(json.dumps(document))
    found = outcomes("report", tmp_path, dict(mutants(document, 150, seed=13)))
    assert len(found) == 150
    assert {name: told for name, told in found.items() if not told.startswith(("refused", "same", "other"))} == {}
    assert sum(told.startswith("refused") for told in found.values()) > 20


ENTRY = {
    "case": '"pastes_crossed/ML"',
    "engine": '"statsmodels"',
    "verdict": '"other_optimum"',
    "reason": '"it stops early"',
    "link": '"https://example.org/1"',
    "expires": "2026-11-21",
    "quantity": '"se"',
}
TOML = [json.dumps(odd) for odd in ODD if odd is not None and odd != "\ud800"]
TOML += [
    "0x" + "f" * 5000,
    "nan",
    "-inf",
    "2026-13-45",
    "2026-11-21T10:00:00Z",
    "10:00:00",
    "[" * 10_000,
    "{a = [{b = 1}]}",
]


@pytest.mark.slow
def test_ledgers_with_one_thing_wrong_are_refused_or_told_apart(tmp_path):
    def text(entry):
        return "[[known]]\n" + "".join(f"{name} = {value}\n" for name, value in entry.items())

    files = {f"{name} = {odd[:20]} {i}": text(ENTRY | {name: odd}) for name in ENTRY for i, odd in enumerate(TOML)}
    files |= {f"no {name}": text({key: value for key, value in ENTRY.items() if key != name}) for name in ENTRY}
    files |= {f"{name} twice": text(ENTRY) + f"{name} = {ENTRY[name]}\n" for name in ENTRY}
    files |= {f"cut at {at}": text(ENTRY)[:at] for at in range(0, len(text(ENTRY)), 7)}
    (tmp_path / "whole.toml").write_text(text(ENTRY))
    found = outcomes("ledger", tmp_path, {name: content.encode() for name, content in files.items()})
    assert len(found) == len(files)
    assert {name: told for name, told in found.items() if not told.startswith(("refused", "same", "other"))} == {}
    assert [told for name, told in found.items() if name.endswith("twice") and not told.startswith("refused")] == []
